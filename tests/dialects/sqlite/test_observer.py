"""The write lock from its first write to the end of the transaction, and the tables that were replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from migkit.dialects.base import StatementFacts
from tests.dialects.sqlite.support import DIALECT, make

Run = Callable[[str], StatementFacts]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Connection]:
    url = make(
        tmp_path / "a.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'x');CREATE TABLE u (a);",
    )
    with DIALECT.create_engine(url).connect() as session:
        yield session


@pytest.fixture
def run(session: Connection) -> Run:
    observer = DIALECT.observe(session)

    def run_one(sql: str) -> StatementFacts:
        observer.before_statement()
        session.execute(text(sql)).close()
        return observer.after_statement()

    return run_one


@pytest.mark.parametrize(
    "write",
    [
        "UPDATE t SET v = 1",
        "DELETE FROM t WHERE id = 99",
        "CREATE TABLE w (a)",
        "PRAGMA user_version = 3",
        "WITH x AS (SELECT 5) INSERT INTO u SELECT * FROM x",
        "DROP INDEX IF EXISTS i",
    ],
)
def test_the_lock_is_held_from_the_first_write(session: Connection, run: Run, write: str) -> None:
    assert run("SELECT count(*) FROM t").locks == ()
    if write.startswith("DROP INDEX"):
        run("CREATE INDEX i ON t (v)")
    (lock,) = run(write).locks
    assert (lock.relation, lock.mode, lock.blocks) == (
        "database file",
        "RESERVED",
        "writes (and reads while committing)",
    )
    assert run("SELECT 1").locks == (lock,)
    session.commit()
    assert run("SELECT 1").locks == ()


def test_in_wal_mode_readers_are_never_blocked(session: Connection) -> None:
    driver = session.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA journal_mode = wal")
    observer = DIALECT.observe(session)
    session.execute(text("UPDATE t SET v = 2"))
    assert [(lock.mode, lock.blocks) for lock in observer.after_statement().locks] == [("WRITE", "writes")]


def test_a_rebuilt_table_is_rewritten_and_a_renamed_one_is_not(run: Run) -> None:
    assert run("ALTER TABLE u RENAME TO u2").rewritten == ()
    assert run("ALTER TABLE u2 RENAME TO u").rewritten == ()
    assert run("ALTER TABLE t ADD COLUMN w").rewritten == ()
    assert run('CREATE TABLE "_alembic_tmp_t" (id INTEGER PRIMARY KEY, v)').rewritten == ()
    assert run('INSERT INTO "_alembic_tmp_t" SELECT id, v FROM t').rewritten == ()
    assert run("DROP TABLE t").rewritten == ()
    assert run('ALTER TABLE "_alembic_tmp_t" RENAME TO t').rewritten == ("t",)
    assert run("CREATE INDEX i ON t (v)").rewritten == ()


def test_a_table_made_anew_is_rewritten(run: Run) -> None:
    run("DROP TABLE u")
    assert run("CREATE TABLE u (a)").rewritten == ("u",)


def test_dropping_a_column_writes_every_row(run: Run) -> None:
    assert run('ALTER TABLE main."t" DROP COLUMN v').rewritten == ("t",)


def test_statements_that_commit_by_themselves_keep_no_lock(session: Connection) -> None:
    session.rollback()
    alone = session.execution_options(isolation_level="AUTOCOMMIT")
    observer = DIALECT.observe(alone)
    alone.execute(text("UPDATE t SET v = 5"))
    assert observer.after_statement().locks == ()
