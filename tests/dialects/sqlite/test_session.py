"""Sessions: transactional DDL, nothing created by accident, captures that only read, errors in one sentence."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from sqlalchemy import URL, text
from sqlalchemy.exc import OperationalError

from migkit.database import connect
from migkit.errors import ConnectionFailed, UnsupportedFeature
from migkit.storage import sha256
from tests.dialects.sqlite.support import DIALECT, make


def test_ddl_is_rolled_back_with_its_transaction(tmp_path: Path) -> None:
    engine = DIALECT.create_engine(make(tmp_path / "a.db", "CREATE TABLE t (a)"))
    with engine.connect() as session:
        session.execute(text("ALTER TABLE t ADD COLUMN b"))
        session.execute(text("CREATE TABLE u (a)"))
        session.rollback()
    assert sa.inspect(engine).get_table_names() == ["t"]
    assert len(sa.inspect(engine).get_columns("t")) == 1


def test_autocommit_works_and_ends(tmp_path: Path) -> None:
    engine = DIALECT.create_engine(make(tmp_path / "a.db"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
        session.execute(text("CREATE TABLE t (a)"))
        session.execute(text("VACUUM"))
        assert session.execute(text("PRAGMA journal_mode = wal")).scalar() == "wal"
    with engine.connect() as session:
        session.execute(text("CREATE TABLE u (a)"))
        session.rollback()
    assert sa.inspect(engine).get_table_names() == ["t"]


def test_alembic_autocommit_block(tmp_path: Path) -> None:
    engine = DIALECT.create_engine(make(tmp_path / "a.db"))
    with engine.connect() as session:
        context = MigrationContext.configure(
            session, opts={"transactional_ddl": True, "transaction_per_migration": True}
        )
        with context.begin_transaction(_per_migration=True):
            session.execute(text("CREATE TABLE t (a)"))
            with context.autocommit_block():
                session.execute(text("VACUUM"))
            session.execute(text("CREATE TABLE u (a)"))
    assert sa.inspect(engine).get_table_names() == ["t", "u"]


def test_memory_is_one_database_for_all_sessions() -> None:
    with connect("sqlite://") as db:
        with db.engine.begin() as session:
            session.execute(text("CREATE TABLE t (a)"))
        with DIALECT.snapshot(db.engine, 1) as (session,):
            assert [row["table"] for row in DIALECT.read_catalog(session, None).tables] == ["t"]
            with pytest.raises(OperationalError, match="readonly"):
                session.execute(text("INSERT INTO t VALUES (1)"))
        with db.engine.begin() as session:
            session.execute(text("INSERT INTO t VALUES (1)"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.db", "no such file"),
        ("no/folder/x.db", "folder does not exist"),
        (".", "a folder, not a database"),
        ("noise.db", "no SQLite database"),
    ],
)
def test_what_cannot_be_opened_is_explained_and_not_created(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "noise.db").write_bytes(b"this is a text, not a database" * 50)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConnectionFailed, match=message) as caught:
        connect(URL.create("sqlite", database=str(tmp_path / name)))
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_relative_paths_and_odd_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "a?b #%41 ü.db", "CREATE TABLE t (a)")
    with connect(URL.create("sqlite", database="a?b #%41 ü.db")) as db:
        assert db.name == "a?b #%41 ü"
        assert sa.inspect(db.engine).get_table_names() == ["t"]
    with connect("sqlite:///file:new.db?mode=rwc&uri=true") as db, db.engine.begin() as session:
        session.execute(text("CREATE TABLE t (a)"))
    assert (tmp_path / "new.db").exists()
    engine = DIALECT.create_engine(URL.create("sqlite", database="made.db"), create=True)
    with engine.begin() as session:
        session.execute(text("CREATE TABLE t (a)"))


def test_a_locked_database_is_explained(tmp_path: Path) -> None:
    url = make(tmp_path / "a.db", "CREATE TABLE t (a)").update_query_dict({"timeout": "0.1"})
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ConnectionFailed, match="locked by another connection"):
            connect(url)


def test_other_drivers(tmp_path: Path) -> None:
    path = make(tmp_path / "a.db").database
    with connect(f"sqlite+aiosqlite:///{path}") as db:
        assert db.server.startswith("SQLite 3.")
    with pytest.raises(UnsupportedFeature, match="pysqlcipher"):
        DIALECT.create_engine(URL.create("sqlite+pysqlcipher", database=path))


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_snapshot_sees_one_instant_and_leaves_the_file_alone(tmp_path: Path, journal: str) -> None:
    path = tmp_path / "a.db"
    script = f"PRAGMA journal_mode = {journal}; CREATE TABLE t (a); INSERT INTO t VALUES (1);"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as writer:
        writer.executescript(script)
        before = {file.name: sha256(file) for file in tmp_path.iterdir() if not file.name.endswith("-shm")}
        with connect(URL.create("sqlite", database=str(path))) as db, DIALECT.snapshot(db.engine, 4) as sessions:
            assert len(sessions) == 1
            DIALECT.read_catalog(sessions[0], None)
            assert {file.name: sha256(file) for file in tmp_path.iterdir() if file.name in before} == before
            with pytest.raises(OperationalError, match="readonly"):
                sessions[0].execute(text("DELETE FROM t"))
            if journal == "wal":
                writer.execute("INSERT INTO t VALUES (2)")
            assert sessions[0].execute(text("SELECT count(*) FROM t")).scalar() == 1
        writer.execute("INSERT INTO t VALUES (3)")


def test_cancelling_from_another_thread(tmp_path: Path) -> None:
    engine = DIALECT.create_engine(make(tmp_path / "a.db"))
    with engine.connect() as session:
        cancel = DIALECT.canceller(session)
        stop = threading.Event()

        def keep_cancelling() -> None:
            while not stop.wait(0.01):
                cancel()

        thread = threading.Thread(target=keep_cancelling)
        thread.start()
        try:
            with pytest.raises(OperationalError, match="interrupted") as caught:
                endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
                session.execute(text(endless))
        finally:
            stop.set()
            thread.join()
    cancel()
    assert DIALECT.explain_error(caught.value) == "interrupted: cancelled (SQLITE_INTERRUPT)"


def test_the_lock_timeout_ends_the_wait(tmp_path: Path) -> None:
    url = make(tmp_path / "a.db", "CREATE TABLE t (a)")
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with DIALECT.create_engine(url).connect() as session:
            DIALECT.set_lock_timeout(session, 0.05)
            started = time.monotonic()
            with pytest.raises(OperationalError) as caught:
                session.execute(text("INSERT INTO t VALUES (1)"))
            assert time.monotonic() - started < 4
    assert DIALECT.explain_error(caught.value) == (
        "database is locked: another connection holds the lock on the file (SQLITE_BUSY)"
    )


@pytest.mark.parametrize(
    ("sql", "outside"),
    [
        ("VACUUM", True),
        ("/* x */ vacuum INTO 'x'", True),
        ("PRAGMA foreign_keys=ON", True),
        ("PRAGMA foreign_keys", False),
        ("PRAGMA main.journal_mode = WAL", True),
        ("pragma journal_mode(wal)", True),
        ("PRAGMA user_version = 3", False),
        ("PRAGMA wal_checkpoint", True),
        ("DETACH x", True),
        ("CREATE TABLE vacuum_log (a)", False),
        ("-- nothing", False),
    ],
)
def test_statements_that_need_no_transaction_around_them(sql: str, outside: bool) -> None:
    assert DIALECT.must_run_outside_transaction(sql) is outside
