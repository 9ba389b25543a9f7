from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy.exc import DBAPIError

from migkit.database import Database
from migkit.dialects.measuring import SessionWait

Run = Callable[..., None]
PATIENCE_SECONDS = 10.0


def wait_seen(db: Database, session: int, wanted: Callable[[SessionWait], bool]) -> SessionWait:
    """Look until a wait shows."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with db.dialect.open_eye(db.engine, session) as eye:
        while time.monotonic() < deadline:
            for wait in eye.look().waits:
                if wanted(wait):
                    return wait
            time.sleep(0.02)
    raise AssertionError("nobody was seen waiting")


def in_background(db: Database, sql: str, session: list[int]) -> threading.Thread:
    ready = threading.Event()

    def work() -> None:
        with db.engine.connect() as connection:
            session.append(db.dialect.session_id(connection) or 0)
            ready.set()
            connection.exec_driver_sql(sql)
            connection.commit()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    return thread


def test_who_waits_for_the_migrations_metadata_lock(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY)", "INSERT INTO v VALUES (1)")
    waiter: list[int] = []
    with db.engine.connect() as migration:
        session = db.dialect.session_id(migration)
        migration.exec_driver_sql("UPDATE v SET id = 2")
        thread = in_background(db, "ALTER TABLE v ADD COLUMN a INT", waiter)
        wait = wait_seen(db, session or 0, lambda one: one.waiter == waiter[0])
        migration.rollback()
    thread.join()
    assert (wait.blocker, wait.relation) == (session, "v")


def test_whom_the_migration_waits_for_and_who_queues_behind_it(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY)", "INSERT INTO v VALUES (1)")
    migration, reader = [], []
    with db.engine.connect() as holder:
        blocker = db.dialect.session_id(holder)
        holder.exec_driver_sql("SELECT * FROM v FOR UPDATE").all()
        altering = in_background(db, "ALTER TABLE v ADD COLUMN a INT", migration)
        wait = wait_seen(db, migration[0], lambda one: one.waiter == migration[0])
        assert wait.blocker == blocker
        reading = in_background(db, "INSERT INTO v (id) VALUES (7)", reader)
        behind = wait_seen(db, migration[0], lambda one: one.waiter == reader[0])
        assert behind.blocker == migration[0]
        holder.rollback()
    altering.join()
    reading.join()


def test_waits_for_rows(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY, a INT)", "INSERT INTO v VALUES (1, 1)")
    waiter: list[int] = []
    with db.engine.connect() as migration:
        session = db.dialect.session_id(migration)
        migration.exec_driver_sql("UPDATE v SET a = 2 WHERE id = 1")
        thread = in_background(db, "UPDATE v SET a = 3 WHERE id = 1", waiter)
        wait = wait_seen(db, session or 0, lambda one: one.waiter == waiter[0])
        migration.rollback()
    thread.join()
    assert (wait.blocker, wait.relation) == (session, "v")


def test_sessions_that_have_nothing_to_do_with_it_are_left_out(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY, a INT)", "INSERT INTO v VALUES (1, 1)")
    waiter: list[int] = []
    with db.engine.connect() as holder, db.engine.connect() as bystander:
        holder.exec_driver_sql("UPDATE v SET a = 2 WHERE id = 1")
        thread = in_background(db, "UPDATE v SET a = 3 WHERE id = 1", waiter)
        wait_seen(db, db.dialect.session_id(holder) or 0, lambda one: one.waiter == waiter[0])
        with db.dialect.open_eye(db.engine, db.dialect.session_id(bystander)) as eye:
            assert eye.look().waits == ()
        holder.rollback()
    thread.join()


def test_the_observer_sees_own_locks_or_says_where_it_cannot(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY)")
    with db.engine.connect() as connection:
        observer = db.dialect.observe(connection)
        observer.before_statement()
        connection.exec_driver_sql("INSERT INTO v VALUES (1)")
        locks = {(lock.relation, lock.mode) for lock in observer.after_statement().locks}
        with db.dialect.open_eye(db.engine) as eye:
            source = eye.source
        connection.rollback()
    assert (("v", "SHARED_WRITE") in locks) == (source == "performance_schema.metadata_locks")
    assert locks or "process list" in source


@pytest.mark.parametrize("name", ["v", 'order"; drop table x;--', "Mixed.Case"])
def test_a_table_that_was_rewritten_is_named(db: Database, run: Run, name: str) -> None:
    q = db.dialect.quote(name)
    run(f"CREATE TABLE {q} (id INT PRIMARY KEY, a INT)", "CREATE TABLE other (id INT PRIMARY KEY)")
    with db.engine.connect() as connection:
        observer = db.dialect.observe(connection)
        observer.before_statement()
        connection.exec_driver_sql(f"ALTER TABLE {q} ADD COLUMN b INT, ALGORITHM=INSTANT")
        assert observer.after_statement().rewritten == ()
        observer.before_statement()
        connection.exec_driver_sql(f"ALTER TABLE {q} MODIFY a VARCHAR(20), ALGORITHM=COPY")
        assert observer.after_statement().rewritten == (name,)


ALTERS = [
    ("ALTER TABLE v ADD COLUMN b INT", "INSTANT", "INSTANT"),
    ("ALTER TABLE `v` ADD INDEX by_a (a)", "INPLACE, LOCK=NONE", "NOCOPY, LOCK=NONE"),
    ("CREATE INDEX by_a ON v (a)", "INPLACE, LOCK=NONE", "NOCOPY, LOCK=NONE"),
    ("ALTER TABLE v MODIFY a VARCHAR(20)", "COPY, LOCK=SHARED", "COPY, LOCK=SHARED"),
    ("ALTER TABLE v ADD COLUMN b INT, ALGORITHM=COPY;", *["COPY (as the statement demands)"] * 2),
    ("CREATE TABLE w (id INT)", None, None),
]


@pytest.mark.parametrize(("sql", "mysql", "mariadb"), ALTERS, ids=[one[0] for one in ALTERS])
def test_the_algorithm_that_the_server_really_uses(
    db: Database, run: Run, sql: str, mysql: str | None, mariadb: str | None
) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY, a INT)")
    with db.engine.connect() as connection:
        found = db.dialect.alter_algorithm(connection, sql)
    assert found == {"mysql": mysql, "mariadb": mariadb}[db.dialect.name]


def test_a_statement_that_is_wrong_fails_as_it_would(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY)")
    with db.engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        db.dialect.alter_algorithm(connection, "ALTER TABLE v DROP COLUMN missing")
    assert "missing" in db.dialect.explain_error(caught.value)
