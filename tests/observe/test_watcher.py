from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from migkit.config import Config
from migkit.database import Database, connect
from migkit.dialects.base import Dialect
from migkit.dialects.measuring import Eye
from migkit.migration.loading import load_migration
from migkit.migration.migration import Migration
from migkit.migration.runner import run
from migkit.observe.sampling import Sampling


@pytest.fixture
def shop(postgresql: Database) -> Database:
    with postgresql.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE users (id integer PRIMARY KEY, name text)"))
        connection.execute(sa.text("INSERT INTO users SELECT n, 'x' FROM generate_series(1, 1000) n"))
    return postgresql


def load(folder: Path, name: str, text: str) -> Migration:
    path = folder / name
    path.write_text(text)
    return load_migration(path, config=Config())


@contextmanager
def another_session(db: Database, work: Callable[[sa.Connection], None]) -> Iterator[threading.Thread]:
    """Work in a session and thread of its own; joined at the end."""
    engine = connect(db.engine.url).engine

    def body() -> None:
        with engine.connect() as connection:
            work(connection)

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()
        engine.dispose()


@contextmanager
def slow_to_open(_engine: object, _session: object) -> Iterator[Eye]:
    time.sleep(0.1)
    eye: Any = SimpleNamespace()
    yield eye


def test_the_time_until_the_first_look_is_a_gap() -> None:
    dialect: Any = SimpleNamespace(open_eye=slow_to_open)
    meanwhile = Sampling(dialect, dialect, None, lambda eye: None)
    meanwhile.start()
    meanwhile.stop()
    assert meanwhile.pace.longest_gap_seconds >= 0.1
    # Who waits for the first look misses nothing.
    waiting = Sampling(dialect, dialect, None, lambda eye: None)
    waiting.start(wait=True)
    waiting.stop()
    assert waiting.pace.longest_gap_seconds < 0.1


# Blocks the migration until somebody waits for its lock: no clock is asked, the server is.
UNTIL_SOMEBODY_WAITS = """
import sqlalchemy as sa

def up(op):
    op.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
    op.execute("SELECT 1 AS locked")
    while not op.get_bind().scalar(sa.text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass")):
        pass
    op.execute("SELECT pg_sleep(0.3)")
"""


def test_who_waited_for_the_migration(shop: Database, tmp_path: Path) -> None:
    migration = load(tmp_path, "x.py", UNTIL_SOMEBODY_WAITS)
    waiter: list[int] = []
    locked = threading.Event()

    def read(connection: sa.Connection) -> None:
        waiter.append(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())
        locked.wait()
        connection.execute(sa.text("SELECT count(*) FROM users"))

    original = shop.dialect.must_run_outside_transaction

    class Signalling(type(shop.dialect)):  # type: ignore[misc]
        def must_run_outside_transaction(self, sql: str) -> bool:
            if "locked" in sql:
                locked.set()
            return original(sql)

    watched = Database(name=shop.name, url=shop.url, engine=shop.engine, dialect=Signalling(), server=shop.server)
    with another_session(shop, read):
        result = run(migration, watched, journal=False, timeout=60)
    assert result.succeeded, result.error
    (row,) = [row for _, row in result.waits.iterrows() if row["waiter"] == waiter[0]]
    assert row["by_migration"]
    assert row["relation"] == "users"
    assert "count(*)" in row["waiter_query"]
    assert row["waited_ms"] >= 200
    assert row["started_at"] <= row["ended_at"]


def test_whom_the_migration_waited_for(shop: Database, tmp_path: Path) -> None:
    held, seen = threading.Event(), threading.Event()

    def hold(connection: sa.Connection) -> None:
        connection.execute(sa.text("LOCK TABLE users IN ACCESS EXCLUSIVE MODE"))
        held.set()
        while not connection.scalar(
            sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass")
        ):
            pass
        connection.execute(sa.text("SELECT pg_sleep(0.3)"))
        seen.set()
        connection.rollback()

    with another_session(shop, hold):
        held.wait()
        result = run(load(tmp_path, "x.sql", "ALTER TABLE users ADD COLUMN bio text"), shop, timeout=60)
    assert result.succeeded, result.error
    assert seen.is_set()
    (row,) = [row for _, row in result.waits.iterrows()]
    assert not row["by_migration"]
    assert row["waited_ms"] >= 200
    assert "ADD COLUMN" in row["waiter_query"]


def test_locks_outside_transactions_are_sampled(shop: Database, tmp_path: Path) -> None:
    held = threading.Event()

    def hold(connection: sa.Connection) -> None:
        connection.execute(sa.text("UPDATE users SET name = 'y' WHERE id = 1"))
        held.set()
        building = "mode = 'ShareUpdateExclusiveLock' AND relation = 'users'::regclass"
        while not connection.scalar(sa.text(f"SELECT count(*) FROM pg_locks WHERE {building}")):
            pass
        connection.execute(sa.text("SELECT pg_sleep(0.3)"))
        connection.commit()

    with another_session(shop, hold):
        held.wait()
        script = load(tmp_path, "x.sql", "CREATE INDEX CONCURRENTLY ix ON users (name)")
        result = run(script, shop, timeout=60)
    assert result.succeeded, result.error
    lock = result.locks.set_index(["relation", "mode"]).loc[("users", "ShareUpdateExclusiveLock")]
    assert not lock["exact"]
    assert lock["statement"] == 1


def test_engine_that_shows_no_waiters_says_so(sqlite: Database, tmp_path: Path) -> None:
    result = run(load(tmp_path, "x.sql", "CREATE TABLE a (id int)"), sqlite)
    assert result.succeeded
    assert "who waited for the migration" in list(result.unchecked["what"])


def test_watcher_that_dies_is_told_and_kills_nothing(shop: Database, tmp_path: Path) -> None:
    class Failing(type(shop.dialect)):  # type: ignore[misc]
        def eye(self, connection: sa.Connection, session: int | None = None) -> Eye:
            connection.execute(sa.text("SELECT nothing FROM nowhere"))
            raise AssertionError

    dialect: Dialect = Failing()
    watched = Database(name=shop.name, url=shop.url, engine=shop.engine, dialect=dialect, server=shop.server)
    result = run(load(tmp_path, "x.sql", "SELECT pg_sleep(0.2);\nCREATE TABLE a (id int);"), watched)
    assert result.succeeded, result.error
    (why,) = result.unchecked["why"]
    assert why.startswith("the watcher failed: ")
