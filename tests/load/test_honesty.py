"""What would make a load test look better than it was: lost workers, silent rates, the wrong culprit, a late Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

import migkit as mk
from migkit import frames
from migkit.database import Database
from migkit.dialects.workloads import ClientError, NamedSql, cut_names
from migkit.errors import MigkitError
from migkit.load import crew as crews
from migkit.load.crew import ExecutorCrew, ProcessCrew
from migkit.load.generator import clock
from migkit.load.parameters import Place
from migkit.load.polled import PolledGenerator
from migkit.load.recording import Recorder
from migkit.load.results import LoadInterrupted
from migkit.load.seats import prepare_all, scripts_of
from migkit.load.verdicts import blocker, change_sentences, is_reached
from migkit.load.worker import Task
from tests.load.support import READS, put_load, with_items

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def task(db: Database, clients: int = 1) -> Task:
    return Task(db.engine.url, READS.entries, clients, 20.0, "constant", Place(), grace=1.0)


# --- workers ----------------------------------------------------------------------------------------------------------


def test_a_worker_that_does_not_end_is_no_silence(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    crew = ProcessCrew(task(with_items(sqlite)), 1)
    monkeypatch.setattr(crews, "_END_SECONDS", 0.2)
    try:
        crew.begin(0.0)
        (worker,) = crew._workers
        worker.send_signal(signal.SIGSTOP)
        with pytest.raises(MigkitError, match="1 of 1 workers did not end"):
            crew.end()
        assert worker.poll() is not None
    finally:
        crew.close()


class Remembering(ThreadPoolExecutor):
    """Keeps what was submitted."""

    def __init__(self) -> None:
        super().__init__(4)
        self.submitted: list[Future[Any]] = []

    def submit(self, *arguments: Any, **named: Any) -> Future[Any]:
        self.submitted.append(super().submit(*arguments, **named))
        return self.submitted[-1]


def test_no_task_of_an_executor_goes_on_after_the_end(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "_ROUND_SECONDS", 0.2)
    with Remembering() as executor:
        crew = ExecutorCrew(task(with_items(sqlite)), executor, 1)
        crew.begin(0.0)
        # It is connected, and waits for its time to come.
        while not executor.submitted[-1].running():
            time.sleep(0.01)
        crew.end()
        assert all(future.done() for future in executor.submitted)


def test_a_task_that_is_lost_is_told_in_our_words(sqlite: Database) -> None:
    with Remembering() as executor:
        crew = ExecutorCrew(task(with_items(sqlite)), executor, 1)
        lost: Future[Any] = Future()
        lost.set_exception(RuntimeError("the worker was killed"))
        crew._running.append((0.0, lost))
        with pytest.raises(MigkitError, match="was lost: RuntimeError: the worker was killed"):
            crew.end()


def test_ctrl_c_at_the_very_end_is_not_green(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = ProcessCrew.end

    def end(crew: ProcessCrew) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return ends(crew)

    monkeypatch.setattr(ProcessCrew, "end", end)
    with pytest.raises(LoadInterrupted) as caught:
        put_load(with_items(sqlite), rate=20.0, duration=0.3)
    assert caught.value.result.status == "interrupted" and not caught.value.result.passed


class Broken(SimpleNamespace):
    """A client of which no statement can be prepared any more."""

    session = None

    def prepare(self, sql: NamedSql) -> Any:
        self.tries += 1
        if self.tries > 2_000:
            raise AssertionError("nobody else is served meanwhile")
        raise ValueError("no such column")

    def explain(self, error: Exception) -> ClientError:
        if not isinstance(error, ValueError):
            raise error
        return ClientError("42703", str(error))

    def fileno(self) -> int:
        return int(self.socket.fileno())

    def reset(self) -> None:
        time.sleep(0.0005)

    def must_prepare_again(self, error: ClientError) -> bool:
        return False

    def close(self) -> None: ...


def test_in_a_closed_loop_a_statement_that_is_broken_does_not_go_round_for_ever() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client: Any = Broken(tries=0, socket=ours)
        steps = [[cut_names("SELECT 1")]]
        scripts = scripts_of(mk.Workload.of("SELECT 1").entries, cut_names, client, [[()]], Place())
        recorder = Recorder(0, time.time())
        generator = PolledGenerator([prepare_all(client, steps)], scripts, recorder, Place(), lambda: client)
        generator.begin(None, "constant", clock())
        generator.turn(clock() + 0.05)
        batch = generator.flush(0)
        generator.finish(clock(), 0.0)
    assert sum(error.count for error in batch.errors) == client.tries - 1 > 2


# --- words ------------------------------------------------------------------------------------------------------------


def test_a_rate_that_is_short_by_a_tenth_is_not_reached() -> None:
    assert is_reached(100.0, 99.0, 10.0, even=True)
    assert not is_reached(100.0, 90.0, 10.0, even=True)
    # Independent users: 1,000 of them are 900 now and then.
    assert is_reached(100.0, 90.0, 10.0, even=False)
    assert not is_reached(100.0, 80.0, 10.0, even=False)


def _run(*locks: dict[str, Any]) -> Any:
    statements = [
        {"number": number, "kind": "ddl", "sql": sql, "started_at": NOON, "seconds": 1.0}
        for number, sql in enumerate(("ALTER TABLE user ADD a int", "ALTER TABLE user_profiles ADD b int"), start=1)
    ]
    return SimpleNamespace(
        statements=frames.STATEMENTS.build(statements), locks=frames.LOCKS.build(locks), waits=frames.WAITS.build([])
    )


def _lock(relation: str, statement: int, seconds: float) -> dict[str, Any]:
    return {
        "relation": relation,
        "mode": "AccessExclusiveLock",
        "statement": statement,
        "granted_at": NOON,
        "released_at": NOON + timedelta(seconds=seconds),
        "blocks": "reads and writes",
    }


def test_a_lock_on_a_table_whose_name_begins_alike_is_not_the_culprit() -> None:
    run = _run(_lock("user", 1, 5.0), _lock("user_profiles", 2, 2.0))
    stalls = [(NOON, NOON + timedelta(seconds=5))]
    assert blocker("SELECT * FROM user_profiles", run, stalls) == "ALTER TABLE user_profiles (AccessExclusiveLock)"
    assert blocker('SELECT * FROM "user" WHERE id = 1', run, stalls) == "ALTER TABLE user (AccessExclusiveLock)"


def test_what_stays_slower_is_said() -> None:
    usual = {"statement": "by mail", "sql": "SELECT 1", "attempted": 100, "done": 100, "errors": 0, "blocked_ms": 0.0}
    rows = [
        usual | {"phase": phase, "p50_ms": p50, "p99_ms": 2 * p50, "max_ms": 3 * p50}
        for phase, p50 in (("baseline", 1.0), ("during", 1.1), ("after", 80.0))
    ]
    told = change_sentences(frames.LOAD_STATEMENTS.build(rows), _run(), None, lambda *_: [])
    assert any(sentence.startswith("by mail: p50 1") and "after the migration" in sentence for sentence in told), told
    quick = change_sentences(frames.LOAD_STATEMENTS.build(rows[:2]), _run(), None, lambda *_: [])
    assert not any("after the migration" in sentence for sentence in quick)
