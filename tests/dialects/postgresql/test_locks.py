"""Locks and waits of PostgreSQL, held against what the manual says each statement takes."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import Connection

from migkit.database import Database
from migkit.dialects.base import HeldLock
from migkit.dialects.measuring import Eye, SessionWait
from migkit.dialects.postgresql.locks import Observer
from migkit.dialects.postgresql.sql import execute


def prepare(db: Database) -> None:
    with db.engine.begin() as connection:
        execute(connection, "CREATE TABLE users (id int PRIMARY KEY, email text)")
        execute(connection, "CREATE TABLE orders (id int PRIMARY KEY, user_id int)")
        execute(connection, "INSERT INTO users SELECT g, 'u' || g FROM generate_series(1, 100) g")
        execute(connection, "CREATE INDEX by_email ON users (email)")


def strongest(locks: tuple[HeldLock, ...]) -> set[tuple[str, str]]:
    weak = {"AccessShareLock"}
    return {(lock.relation, lock.mode) for lock in locks if lock.mode not in weak}


@pytest.mark.parametrize(
    ("sql", "expected", "rewritten"),
    [
        ("SELECT * FROM users", set(), ()),
        (
            "UPDATE users SET email = 'x' WHERE id = 1",
            {("users", "RowExclusiveLock"), ("users_pkey", "RowExclusiveLock"), ("by_email", "RowExclusiveLock")},
            (),
        ),
        ("ALTER TABLE users ADD note text", {("users", "AccessExclusiveLock")}, ()),
        (
            "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users NOT VALID",
            {("users", "ShareRowExclusiveLock"), ("orders", "ShareRowExclusiveLock")},
            (),
        ),
        ("LOCK TABLE users IN EXCLUSIVE MODE", {("users", "ExclusiveLock")}, ()),
        ("ANALYZE users", {("users", "ShareUpdateExclusiveLock")}, ()),
    ],
)
def test_a_session_knows_its_own_locks(
    postgresql: Database, sql: str, expected: set[tuple[str, str]], rewritten: tuple[str, ...]
) -> None:
    prepare(postgresql)
    with postgresql.engine.connect() as connection:
        observer = postgresql.dialect.observe(connection)
        observer.before_statement()
        execute(connection, sql)
        facts = observer.after_statement()
    assert strongest(facts.locks) == expected
    assert facts.rewritten == rewritten


def test_rewrites_drops_and_renames_are_noticed(postgresql: Database) -> None:
    prepare(postgresql)
    with postgresql.engine.connect() as connection:
        observer = postgresql.dialect.observe(connection)

        def after(sql: str) -> tuple[set[tuple[str, str]], tuple[str, ...]]:
            observer.before_statement()
            execute(connection, sql)
            facts = observer.after_statement()
            return strongest(facts.locks), facts.rewritten

        assert after("ALTER TABLE users ALTER id TYPE bigint")[1] == ("users",)
        assert after("ALTER TABLE users ALTER email TYPE varchar")[1] == ()
        assert after("CREATE TABLE fresh AS SELECT * FROM users")[1] == ()
        held, _ = after("DROP TABLE orders")
        assert ("orders", "AccessExclusiveLock") in held
        held, _ = after("ALTER TABLE users RENAME TO people")
        assert ("people", "AccessExclusiveLock") in held
        connection.rollback()
        held, rewritten = after("SELECT 1")
        assert (held, rewritten) == (set(), ())


def test_words_for_what_a_lock_blocks(postgresql: Database) -> None:
    prepare(postgresql)
    with postgresql.engine.connect() as connection:
        observer = postgresql.dialect.observe(connection)
        execute(connection, "CREATE INDEX later ON users (id)")
        locks = {(lock.relation, lock.mode): lock.blocks for lock in observer.after_statement().locks}
        assert locks["users", "ShareLock"] == "writes"
        execute(connection, "TRUNCATE users")
        locks = {(lock.relation, lock.mode): lock.blocks for lock in observer.after_statement().locks}
        assert locks["users", "AccessExclusiveLock"] == "reads and writes"


def test_names_outside_the_default_schema_are_qualified(postgresql: Database) -> None:
    with postgresql.engine.connect() as connection:
        execute(connection, 'CREATE SCHEMA "o%ther"')
        observer = postgresql.dialect.observe(connection)
        execute(connection, 'CREATE TABLE "o%ther"."a;b" (id int)')
        assert {lock.relation for lock in observer.after_statement().locks} == {"o%ther.a;b"}


def test_the_observer_neither_begins_nor_breaks_a_transaction(postgresql: Database) -> None:
    prepare(postgresql)
    with postgresql.engine.connect() as connection:
        observer = Observer(connection)
        execute(connection, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        assert observer.after_statement().locks == ()
        connection.rollback()
    with postgresql.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        observer = Observer(connection)
        observer.before_statement()
        execute(connection, "VACUUM FULL users")
        facts = observer.after_statement()
        assert (facts.locks, facts.rewritten) == ((), ("users",))
        execute(connection, "VACUUM users")
        assert observer.after_statement().rewritten == ()


def test_observing_costs_about_a_millisecond(postgresql: Database) -> None:
    with postgresql.engine.connect() as connection:
        for number in range(300):
            execute(connection, f"CREATE TABLE t{number} (id int PRIMARY KEY)")
        connection.commit()
        observer = postgresql.dialect.observe(connection)
        execute(connection, "ALTER TABLE t7 ADD v text")
        started = time.perf_counter()
        for _ in range(50):
            observer.after_statement()
        # Twenty times what it takes on an idle machine.
        assert (time.perf_counter() - started) / 50 < 0.02


# --- waits ----------------------------------------------------------------------------------------------


class Background:
    """A statement that another session runs until it gets what it waits for."""

    def __init__(self, db: Database, sql: str) -> None:
        self.connection = db.engine.connect()
        self.pid = db.dialect.session_id(self.connection)
        self._cancel = db.dialect.canceller(self.connection)
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(sql,))
        self._thread.start()

    def _run(self, sql: str) -> None:
        try:
            execute(self.connection, sql)
        except Exception as error:
            self.error = error

    def finish(self) -> None:
        self._cancel()
        self._thread.join()
        self.connection.close()


def eventually(eye: Eye, count: int) -> list[SessionWait]:
    for _ in range(500):
        found = list(eye.look().waits)
        if len(found) >= count:
            return found
        time.sleep(0.02)
    raise AssertionError(f"never saw {count} waits, but {found}")


def test_the_queue_behind_a_session_is_followed(postgresql: Database) -> None:
    prepare(postgresql)
    dialect = postgresql.dialect
    with postgresql.engine.connect() as migration:
        execute(migration, "LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
        session = dialect.session_id(migration)
        assert session is not None
        with dialect.open_eye(postgresql.engine, session) as eye:
            assert eye.look().waits == ()
            first = Background(postgresql, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            direct = eventually(eye, 1)
            queries = eye.look().queries
            second = Background(postgresql, "SELECT count(*) FROM users")
            both = eventually(eye, 2)
            held = eye.look().locks
        with dialect.open_eye(postgresql.engine, first.pid) as eye:
            own = eventually(eye, 2)
        second.finish()
        first.finish()
    assert [(one.waiter, one.blocker, one.relation, one.mode) for one in direct] == [
        (first.pid, session, "users", "AccessExclusiveLock")
    ]
    assert direct[0].waited_seconds is not None
    assert "SHARE ROW" in queries[session] and "ACCESS EXCLUSIVE" in queries[first.pid or 0]
    assert {(one.waiter, one.blocker) for one in both} == {(first.pid, session), (second.pid, first.pid)}
    assert {(one.waiter, one.blocker) for one in own} == {(second.pid, first.pid), (first.pid, session)}
    assert [(one.relation, one.mode, one.blocks) for one in held] == [("users", "ShareRowExclusiveLock", "writes")]


def test_who_waits_for_a_row_is_seen_with_its_table(postgresql: Database) -> None:
    prepare(postgresql)
    dialect = postgresql.dialect
    with postgresql.engine.connect() as migration:
        execute(migration, "UPDATE users SET email = 'mine' WHERE id = 7")
        session = dialect.session_id(migration) or 0
        waiter = Background(postgresql, "UPDATE users SET email = 'theirs' WHERE id = 7")
        with dialect.open_eye(postgresql.engine, session) as eye:
            found = eventually(eye, 1)
        waiter.finish()
    assert [(one.waiter, one.blocker, one.relation) for one in found] == [(waiter.pid, session, "users")]


def test_samples_of_a_statement_outside_transactions(postgresql: Database) -> None:
    prepare(postgresql)
    with postgresql.engine.connect() as writer:
        execute(writer, "UPDATE users SET email = 'x' WHERE id = 1")
        builder = _autocommit(postgresql, "CREATE INDEX CONCURRENTLY later ON users (id)")
        with postgresql.dialect.open_eye(postgresql.engine, builder.pid) as eye:
            eventually(eye, 1)
            held = eye.look().locks
        builder.finish()
    assert ("users", "ShareUpdateExclusiveLock") in {(one.relation, one.mode) for one in held}


def _autocommit(db: Database, sql: str) -> Background:
    class Outside(Background):
        def _run(self, statement: str) -> None:
            self.connection: Connection = self.connection.execution_options(isolation_level="AUTOCOMMIT")
            super()._run(statement)

    return Outside(db, sql)
