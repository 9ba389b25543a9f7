"""The same work on many databases: one row each, whatever happens to one of them."""

from __future__ import annotations

import os
import pickle
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import migkit as mk
from migkit import frames
from migkit.config import Config, DatabaseConfig
from migkit.errors import ConfigError
from migkit.progress import SILENT
from migkit.workflow.fleet import member, members_of

ADD = """
import sqlalchemy as sa
def up(op):
    op.add_column("users", sa.Column("note", sa.String(20)))
def down(op):
    with op.batch_alter_table("users") as users:
        users.drop_column("note")
"""


def tenants(folder: Path, count: int) -> list[str]:
    """SQLite files that are all alike."""
    first = folder / "tenant0.db"
    with closing(sqlite3.connect(first)) as connection, connection:
        connection.execute("CREATE TABLE users (id integer PRIMARY KEY, name text)")
        connection.executemany("INSERT INTO users VALUES (?, ?)", [(n, f"user{n}") for n in range(20)])
    data = first.read_bytes()
    for number in range(1, count):
        (folder / f"tenant{number}.db").write_bytes(data)
    return [f"sqlite:///{folder}/tenant{number}.db" for number in range(count)]


def migration(folder: Path, source: str = ADD) -> Path:
    path = folder / "001_note.py"
    path.write_text(source)
    return path


def rows(result: Any) -> dict[str, dict[str, Any]]:
    return {row["database"]: row for row in frames.FLEET.rows(result.databases)}


def test_one_broken_tenant_is_one_row(tmp_path: Path) -> None:
    urls = tenants(tmp_path, 3)
    (tmp_path / "tenant1.db").write_bytes(b"this is no database")
    result = mk.fleet([*urls, f"sqlite:///{tmp_path}/missing.db"]).rehearse(
        migration(tmp_path), reports=tmp_path / "reports", progress=SILENT
    )
    told = rows(result)
    assert [row["status"] for row in told.values()] == ["passed", "error", "passed", "error"]
    assert "no SQLite database" in told["tenant1"]["error"]
    assert not result.passed
    assert result.status == "failed"
    assert "2 passed, 2 did not. tenant1:" in result.explain()
    assert mk.load(told["tenant0"]["evidence"]).passed
    again = mk.load(result.evidence)
    assert again.explain() == result.explain()


def test_a_fleet_passes_when_all_of_it_does(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        result = mk.fleet(tenants(tmp_path, 2), pool).rehearse(migration(tmp_path), reports=False, progress=SILENT)
    assert result.passed, result.explain()
    assert result.evidence is None
    assert list(rows(result)) == ["tenant0", "tenant1"]
    assert "passed on every database" in repr(result)


def test_states_are_captured_and_compared_tenant_by_tenant(tmp_path: Path) -> None:
    urls = tenants(tmp_path, 3)
    together = mk.fleet(urls)
    before = together.capture(progress=SILENT)
    assert before.passed
    assert {state.total_rows for state in before.states.values()} == {20}
    with closing(sqlite3.connect(tmp_path / "tenant2.db")) as connection, connection:
        connection.execute("DELETE FROM users WHERE id = 3")
    after = together.compare(before, progress=SILENT)
    told = rows(after)
    assert [row["passed"] for row in told.values()] == [True, True, False]
    assert told["tenant0"]["explanation"] == "identical"
    assert not after.comparisons["tenant2"].passed


def test_a_tenant_that_came_later_has_nothing_to_compare_with(tmp_path: Path) -> None:
    urls = tenants(tmp_path, 2)
    before = mk.fleet(urls[:1]).capture(progress=SILENT)
    told = rows(mk.fleet(urls).compare(before, progress=SILENT))
    assert "no earlier state" in told["tenant1"]["error"]


def test_databases_by_the_same_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tenants(tmp_path / name, 1)
    urls = [f"sqlite:///{tmp_path}/{name}/tenant0.db" for name in ("a", "b")]
    assert [one.name for one in members_of(urls, Config())] == ["tenant0", "tenant0 #2"]
    # A file may be called as if it had been numbered; its row must not hide another's.
    hostile = [f"sqlite:///{tmp_path}/tenant0 #2.db", *urls]
    assert [one.name for one in members_of(hostile, Config())] == ["tenant0 #2", "tenant0", "tenant0 #3"]


def test_what_is_no_fleet_is_said() -> None:
    with pytest.raises(ConfigError, match="at least one database"):
        mk.fleet([])
    with pytest.raises(ConfigError, match="in this process's memory"):
        mk.fleet(["sqlite://"])
    with pytest.raises(ConfigError, match="no database called 'nowhere'"):
        mk.fleet(["nowhere"])


def test_a_migration_that_cannot_be_read_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(mk.MigkitError):
        mk.fleet(tenants(tmp_path, 1)).rehearse(tmp_path / "missing.py", progress=SILENT)


def test_a_password_is_sent_to_its_worker_and_shown_to_nobody() -> None:
    config = Config(databases={"one": DatabaseConfig(url="postgresql://u:s3cr3t@h/d"), "two": DatabaseConfig(url="x")})
    by_url = member("postgresql://u:s3cr3t@h/d", config)
    by_alias = member("one", config)
    assert "s3cr3t" in by_url.target
    assert by_alias.reach_with(config).databases.keys() == {"one"}
    for one in (by_url, by_alias):
        assert "s3cr3t" not in repr(one)
        assert "s3cr3t" not in one.url
        assert pickle.loads(pickle.dumps(one)) == one


class Dying(ThreadPoolExecutor):
    """An executor whose workers die at the second task."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        if arguments[1].name == "tenant1":
            future: Future[Any] = Future()
            future.set_exception(RuntimeError("KilledWorker"))
            return future
        return super().submit(function, *arguments, **named)


def test_a_worker_that_dies_for_good_is_one_row(tmp_path: Path) -> None:
    with Dying(1) as pool:
        told = rows(mk.fleet(tenants(tmp_path, 3), pool).capture(progress=SILENT))
    assert [row["passed"] for row in told.values()] == [True, False, True]
    assert "RuntimeError: KilledWorker" in told["tenant1"]["error"]


class Impatient:
    """A progress whose reader presses Ctrl-C after the first database."""

    def begin(self, label: str, total: int | None = None) -> None:
        pass

    def advance(self, amount: int = 1) -> None:
        raise KeyboardInterrupt

    def note(self, sign: str, text: str) -> None:
        pass

    def close(self) -> None:
        pass


def test_ctrl_c_leaves_evidence_that_is_not_passed(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    with pytest.raises(KeyboardInterrupt):
        mk.fleet(tenants(tmp_path, 2)).rehearse(migration(tmp_path), reports=reports, progress=Impatient())
    [folder] = reports.glob("*-fleet-*")
    result = mk.load(folder)
    assert result.status == "interrupted"
    assert not result.passed
    assert {row["error"] for row in rows(result).values()} == {"nobody came to it"}


def test_evidence_that_says_passed_against_its_rows_is_refused(tmp_path: Path) -> None:
    from migkit.workflow.evidence_folder import finish_evidence, open_evidence

    reports = tmp_path / "reports"
    broken = [f"sqlite:///{tmp_path}/missing.db"]
    result = mk.fleet(broken).rehearse(migration(tmp_path), reports=reports, progress=SILENT)
    assert result.evidence is not None
    document = {key: value for key, value in open_evidence(result.evidence).document.items() if key != "seal"}
    finish_evidence(result.evidence, {}, document | {"status": "passed"})
    with pytest.raises(mk.MigkitError, match="contradicts itself"):
        mk.load(result.evidence)


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Any]:
    """A client of a cluster of worker processes on this machine."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=tmp_path / "dask"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def kill_one_worker_when_busy(client: Any) -> threading.Thread:
    """Kill a worker process as soon as it works on a task that is not yet done."""

    def wait_and_kill() -> None:
        for _ in range(6000):
            busy = [address for address, tasks in client.processing().items() if tasks]
            if busy:
                pids = client.run(os.getpid)
                os.kill(pids[busy[0]], 9)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=wait_and_kill)
    thread.start()
    return thread


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_200_tenants_on_worker_processes_one_of_which_is_killed(dask: Any, tmp_path: Path) -> None:
    urls = tenants(tmp_path, 200)
    killer = kill_one_worker_when_busy(dask)
    result = mk.fleet(urls, dask.get_executor()).rehearse(
        migration(tmp_path), reports=tmp_path / "reports", progress=SILENT
    )
    killer.join()
    assert result.passed, result.explain()
    assert len(result.databases) == 200
    assert result.databases["evidence"].nunique() == 200
    page = mk.report(result).read_text(encoding="utf-8")
    assert "tenant199" in page


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_8_postgresql_databases_on_worker_processes(dask: Any, make_database: Any, tmp_path: Path) -> None:
    databases = [make_database("postgresql") for _ in range(8)]
    for number, database in enumerate(databases):
        with database.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE users (id int PRIMARY KEY, name text)")
            connection.exec_driver_sql(f"INSERT INTO users SELECT n, 'x' FROM generate_series(1, {100 + number}) n")
    with databases[5].engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE users")
    together = mk.fleet(databases, dask.get_executor())
    result = together.rehearse(migration(tmp_path), reports=tmp_path / "reports", progress=SILENT)
    told = [row["status"] for row in frames.FLEET.rows(result.databases)]
    assert told == ["passed"] * 5 + ["failed"] + ["passed"] * 2
    states = together.capture(progress=SILENT).states
    assert [state.total_rows for state in states.values()] == [100, 101, 102, 103, 104, 0, 106, 107]
