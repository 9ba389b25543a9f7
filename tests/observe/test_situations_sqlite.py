"""The situations of SQLite: another process holds a lock on the file, and for how long is known."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from migkit import frames
from migkit.config import Config
from migkit.database import Database, connect
from migkit.errors import UnsupportedFeature
from migkit.migration.loading import load_migration
from migkit.migration.runner import run
from migkit.observe.lock_watch import LockWatch, LockWatching
from tests.observe.situations import TOLERANCE_MS, agrees

HOLD_SECONDS = 0.3
RELATION = "database file"
Row = dict[str, Any]

pytestmark = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="this system does not list file locks")

# A process that does what it is told, line by line, and stamps when it was done.
_PUPPET = """
import sqlite3, sys, time
session = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
for line in sys.stdin:
    begun = time.monotonic()
    try:
        session.execute(line).fetchmany(1)
    except sqlite3.Error as error:
        print("failed", error, flush=True)
        continue
    print(begun, time.monotonic(), flush=True)
"""


class Puppet:
    """Another process with a session of its own."""

    def __init__(self, path: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(_PUPPET), path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def do(self, sql: str) -> tuple[float, float]:
        """Do one statement; return the monotonic instants before and after."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(sql + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().split()
        assert answer, "the process died"
        assert answer[0] != "failed", answer
        return float(answer[0]), float(answer[1])

    def kill(self) -> None:
        """End it without a word."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


@contextmanager
def puppets(db: Database, number: int = 1) -> Iterator[list[Puppet]]:
    made: list[Puppet] = []
    try:
        made += [Puppet(str(db.engine.url.database)) for _ in range(number)]
        yield made
    finally:
        for puppet in made:
            puppet.close()


@pytest.fixture
def shop(sqlite: Database) -> Database:
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE v (id INTEGER PRIMARY KEY, a INT)")
        connection.exec_driver_sql("INSERT INTO v VALUES (1, 1), (2, 2)")
    return sqlite


@pytest.fixture
def wal(shop: Database) -> Database:
    with puppets(shop) as (switch,):
        switch.do("PRAGMA journal_mode = wal")
    return shop


def locks(result: LockWatch, **wanted: Any) -> list[Row]:
    return [row for row in frames.LOCKS.rows(result.locks) if all(row[key] == one for key, one in wanted.items())]


def held(db: Database, *statements: str, end: str = "COMMIT") -> tuple[LockWatch, Puppet, float]:
    """Have another process hold what the statements take; return the truth in milliseconds."""
    with puppets(db) as (holder,), LockWatching(db).start() as watch:
        begun = [holder.do(sql) for sql in statements][-1][0]
        time.sleep(HOLD_SECONDS)
        _, ended = holder.do(end)
        time.sleep(0.05)
    return watch.result, holder, (ended - begun) * 1000


@pytest.mark.parametrize(
    ("statements", "mode", "blocks"),
    [
        (("BEGIN IMMEDIATE",), "RESERVED", "writes (and reads while committing)"),
        (("BEGIN", "UPDATE v SET a = 9"), "RESERVED", "writes (and reads while committing)"),
        (("BEGIN EXCLUSIVE",), "EXCLUSIVE", "reads and writes"),
        (("BEGIN", "SELECT * FROM v"), "SHARED", "commits of writers"),
    ],
    ids=["immediate", "update", "exclusive", "reader"],
)
def test_a_lock_held_by_another_process(shop: Database, statements: tuple[str, ...], mode: str, blocks: str) -> None:
    result, holder, truth_ms = held(shop, *statements)
    (lock,) = locks(result, mode=mode)
    assert (lock["relation"], lock["session"], lock["blocks"]) == (RELATION, holder.pid, blocks)
    assert agrees(lock["held_ms"], truth_ms, result.longest_gap_ms)
    assert f"process {holder.pid}" in lock["query"]


@pytest.mark.parametrize(
    ("statements", "mode"),
    [(("BEGIN IMMEDIATE",), "WRITE"), (("BEGIN", "SELECT * FROM v"), "READ")],
    ids=["writer", "reader"],
)
def test_a_lock_in_wal_mode(wal: Database, statements: tuple[str, ...], mode: str) -> None:
    with puppets(wal) as (guard,):
        # Keeps the -shm file there; SQLite deletes it with the last session.
        guard.do("SELECT count(*) FROM v")
        result, holder, truth_ms = held(wal, *statements)
    (lock,) = locks(result, mode=mode, session=holder.pid)
    assert agrees(lock["held_ms"], truth_ms, result.longest_gap_ms)


@pytest.mark.slow
def test_two_processes_one_after_the_other(shop: Database) -> None:
    truths: dict[int, float] = {}
    with puppets(shop, 2) as both, LockWatching(shop).start() as watch:
        for one in both:
            begun, _ = one.do("BEGIN IMMEDIATE")
            time.sleep(HOLD_SECONDS / 2)
            truths[one.pid] = (one.do("COMMIT")[1] - begun) * 1000
            time.sleep(0.06)
    result = watch.result
    assert {row["session"] for row in locks(result, mode="RESERVED")} == set(truths)
    for row in locks(result, mode="RESERVED"):
        assert agrees(row["held_ms"], truths[row["session"]], result.longest_gap_ms)


@pytest.mark.slow
def test_a_holder_that_is_killed(shop: Database) -> None:
    with puppets(shop) as (holder,), LockWatching(shop).start() as watch:
        begun, _ = holder.do("BEGIN IMMEDIATE")
        time.sleep(HOLD_SECONDS)
        holder.kill()
        killed = time.monotonic()
        time.sleep(0.1)
    (lock,) = locks(watch.result, mode="RESERVED")
    assert agrees(lock["held_ms"], (killed - begun) * 1000, watch.result.longest_gap_ms)


@pytest.mark.slow
def test_another_file_is_another_matter(shop: Database, tmp_path: Path) -> None:
    beside = tmp_path / "other.db"
    process = Puppet(str(beside))
    try:
        with LockWatching(shop).start() as watch:
            process.do("BEGIN EXCLUSIVE")
            time.sleep(0.1)
    finally:
        process.close()
    assert not len(watch.result.locks)
    assert "who waited for the write lock" in list(watch.result.unchecked["what"])


def migration(folder: Path, text: str) -> Any:
    path = folder / "x.sql"
    path.write_text(text)
    return load_migration(path, config=Config())


def test_a_migration_that_waits_for_another_process(shop: Database, tmp_path: Path) -> None:
    with puppets(shop) as (holder,):
        holder.do("BEGIN IMMEDIATE")
        # The lock is given back by the clock of another process, while the migration waits here.
        releasing = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"])

        def release() -> None:
            releasing.wait()
            holder.do("COMMIT")

        thread = threading.Thread(target=release)
        thread.start()
        result = run(migration(tmp_path, "UPDATE v SET a = 3;"), shop, timeout=30, journal=False)
        thread.join()
    assert result.succeeded, result.error
    (wait,) = frames.WAITS.rows(result.waits)
    assert (wait["waiter"], wait["blocker"]) == (os.getpid(), holder.pid)
    assert (wait["relation"], wait["mode"], wait["by_migration"]) == (RELATION, "RESERVED", False)
    seconds = float(result.statements["seconds"].max())
    assert wait["waited_ms"] <= seconds * 1000 + TOLERANCE_MS
    assert wait["waited_ms"] > 100


def test_a_migration_that_gets_no_lock(shop: Database, tmp_path: Path) -> None:
    with puppets(shop) as (holder,):
        holder.do("BEGIN IMMEDIATE")
        result = run(migration(tmp_path, "UPDATE v SET a = 3;"), shop, lock_timeout=0.3, journal=False)
        holder.do("COMMIT")
    assert not result.succeeded
    (incident,) = frames.INCIDENTS.rows(result.incidents)
    assert (incident["kind"], incident["session"], incident["blocker"]) == ("lock timeout", os.getpid(), holder.pid)
    assert "UPDATE v" in incident["query"]


def test_what_lives_in_memory_cannot_be_watched() -> None:
    with connect("sqlite://") as db, pytest.raises(UnsupportedFeature, match="in memory"):
        LockWatching(db).start()
