"""The read-only window: live writers get an error while it is closed, migkit writes, and everybody does afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from migkit import verbs
from migkit.database import Database, connect
from migkit.dialects.postgresql import guarding
from migkit.errors import DatabaseInUse, DeployRunning, MigkitError, UnsupportedFeature
from migkit.progress import SILENT
from migkit.recovery.read_only import close_to_writers, is_read_only, open_to_writers, read_only
from tests.faults.support import execute, scalar
from tests.servers.registry import unique_name
from tests.workflow.deploys import GOOD, migration

INSERT = "INSERT INTO t VALUES ({})"


@contextmanager
def application(db: Database) -> Iterator[sa.Engine]:
    """Yield an engine as an application has it: no special rights, and sessions that it keeps."""
    url, user = db.engine.url, unique_name()
    arguments = {"timeout": 0.1} if db.dialect.name == "sqlite" else {}
    if db.dialect.name in ("mysql", "mariadb"):
        execute(
            db, f"CREATE USER {user}@'%' IDENTIFIED BY 'pass-{user}'", f"GRANT ALL ON {url.database}.* TO {user}@'%'"
        )
        url = url.set(username=user, password=f"pass-{user}")
    engine = sa.create_engine(url, connect_args=arguments)
    try:
        yield engine
    finally:
        engine.dispose()
        if db.dialect.name in ("mysql", "mariadb"):
            execute(db, f"DROP USER {user}@'%'")


def write(engine: sa.Engine, number: int) -> str | None:
    """Write a row as an application does; return what went wrong."""
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(INSERT.format(number))
    except SQLAlchemyError as error:
        return str(error)
    return None


def test_writers_get_an_error_and_migkit_writes(db: Database) -> None:
    execute(db, "CREATE TABLE t (id integer PRIMARY KEY)")
    with application(db) as app:
        # The session was there before, and is kept.
        assert write(app, 1) is None
        with read_only(db, patience=10) as window:
            for number in (2, 3):
                assert write(app, number) is not None
            if db.dialect.name != "sqlite":
                assert is_read_only(db)
            with app.connect() as reader:
                assert reader.exec_driver_sql("SELECT count(*) FROM t").scalar() == 1
            with window.writer() as writer:
                execute(writer, INSERT.format(4))
            assert write(app, 5) is not None
            assert window.others_wrote() is False
        app.dispose()
        assert write(app, 6) is None
    assert is_read_only(db) is False
    with db.engine.connect() as connection:
        assert list(connection.exec_driver_sql("SELECT id FROM t ORDER BY id").scalars()) == [1, 4, 6]


def test_what_goes_wrong_inside_opens_it_again(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), read_only(db, patience=10):
        raise ZeroDivisionError
    assert is_read_only(db) is False


def test_pooled_sessions_of_the_window_write_afterwards(postgresql: Database) -> None:
    execute(postgresql, "CREATE TABLE t (id integer PRIMARY KEY)")
    with application(postgresql) as app:
        with read_only(postgresql, patience=10):
            assert write(app, 1) is not None
        # It was opened while the database was read-only; had it lived on, it would be so still.
        assert write(app, 2) is not None
        assert write(app, 3) is None


def test_a_session_that_works_is_waited_for_and_then_refused(postgresql: Database) -> None:
    execute(postgresql, "CREATE TABLE t (id integer PRIMARY KEY)")
    with application(postgresql) as app, app.connect() as busy:
        busy.exec_driver_sql(INSERT.format(1))
        with pytest.raises(DatabaseInUse, match=r"1 sessions? went on"):
            close_to_writers(postgresql, patience=0.3)
        assert is_read_only(postgresql) is False
        with read_only(postgresql, patience=0.3, terminate=True), pytest.raises(SQLAlchemyError):
            busy.exec_driver_sql(INSERT.format(2))
        busy.invalidate()
    assert scalar(postgresql, "SELECT count(*) FROM t") == 0


@pytest.fixture
def lost_once(postgresql: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lose the connection at the moment when older sessions are to be ended, the first time."""

    def lose(connection: Connection, *_: object) -> None:
        monkeypatch.undo()
        session = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with postgresql.engine.connect() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({session}, 10000)")
        connection.exec_driver_sql("SELECT 1")

    monkeypatch.setattr(guarding, "_end_older", lose)


@pytest.mark.usefixtures("lost_once")
def test_a_connection_lost_while_closing_leaves_it_open(postgresql: Database) -> None:
    with pytest.raises(MigkitError, match="could not be made read-only: terminating connection"):
        close_to_writers(postgresql)
    assert not is_read_only(postgresql)


@pytest.mark.usefixtures("lost_once")
def test_a_connection_lost_while_opening_leaves_nobody_read_only(postgresql: Database) -> None:
    execute(postgresql, f"ALTER DATABASE {postgresql.engine.url.database} SET default_transaction_read_only = on")
    reader = sa.create_engine(postgresql.engine.url)
    with reader.connect() as connection:
        assert connection.exec_driver_sql("SHOW default_transaction_read_only").scalar() == "on"
        connection.rollback()
        open_to_writers(postgresql)
        with pytest.raises(SQLAlchemyError):  # it was ended, and will connect anew
            connection.exec_driver_sql("SELECT 1")
    reader.dispose()
    assert not is_read_only(postgresql)


def test_a_role_with_a_setting_of_its_own_is_named(postgresql: Database) -> None:
    role = unique_name()
    execute(postgresql, f"CREATE ROLE {role}", f"ALTER ROLE {role} SET default_transaction_read_only = off")
    try:
        with read_only(postgresql, patience=10) as window:
            assert any(role in who for who in window.closed.exempt)
    finally:
        execute(postgresql, f"DROP ROLE {role}")


def test_the_setting_of_before_comes_back(postgresql: Database) -> None:
    name = postgresql.engine.url.database
    execute(postgresql, f"ALTER DATABASE {name} SET default_transaction_read_only = off")
    with read_only(postgresql, patience=10):
        pass
    with postgresql.engine.connect() as connection:
        assert postgresql.dialect.write_setting(connection) == "off"


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_without_the_right_tables_are_locked_and_that_is_said(
    engine: str, make_database: Callable[..., Database]
) -> None:
    db = make_database(engine)
    execute(db, "CREATE TABLE t (id integer PRIMARY KEY)")
    with application(db) as app, closing(connect(app)) as weak, application(db) as other:
        with read_only(weak, patience=5) as window:
            assert "table locks" in window.closed.means
            assert not window.lasts
            with other.connect() as writer:
                writer.exec_driver_sql("SET SESSION lock_wait_timeout = 1")
                with pytest.raises(SQLAlchemyError, match="Lock wait timeout"):
                    writer.exec_driver_sql(INSERT.format(1))
            with window.writer() as own:
                execute(own, INSERT.format(2))
            assert window.others_wrote() is None
            own.close()
        assert write(other, 3) is None
        weak.close()


def test_sqlite_sees_who_wrote_while_it_let_go(sqlite: Database) -> None:
    execute(sqlite, "CREATE TABLE t (id integer PRIMARY KEY)")
    with read_only(sqlite) as window:
        with window.writer() as writer:
            execute(writer, INSERT.format(1))
        assert window.others_wrote() is False
        with window.paused(), closing(sqlite3.connect(str(sqlite.engine.url.database))) as other, other:
            other.execute(INSERT.format(2))
        assert window.others_wrote() is True


def test_sqlite_waits_for_a_writer_and_then_refuses(sqlite: Database) -> None:
    with closing(sqlite3.connect(str(sqlite.engine.url.database), isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseInUse, match="write lock"):
            close_to_writers(sqlite, patience=0.2)
        assert is_read_only(sqlite) is True


def test_on_for_good_is_refused_where_it_cannot_last(sqlite: Database) -> None:
    with pytest.raises(UnsupportedFeature, match="--hold"):
        verbs.close_to_writers(sqlite)


def test_the_second_deploy_is_told_who_is_first(db: Database) -> None:
    with db.dialect.deploy_lock(db.engine, "ann, process 4711 on db1"):
        who = "ann, process 4711 on db1" if db.dialect.name != "mariadb" else "account root"
        with pytest.raises(DeployRunning, match=who), db.dialect.deploy_lock(db.engine, "bob"):
            raise AssertionError("both deploy")
    with db.dialect.deploy_lock(db.engine, "bob"):
        pass


def test_connections_show_who_is_there(db: Database) -> None:
    execute(db, "CREATE TABLE t (id integer PRIMARY KEY)")
    with application(db) as app, app.connect() as session:
        session.exec_driver_sql(INSERT.format(1))
        found = verbs.connections(db)
        if db.dialect.name == "sqlite":
            assert found.empty  # it is this very process
            return
        mine = found[found["state"] == "idle in transaction"]
        assert len(mine) == 1
        assert mine["transaction_seconds"].iloc[0] >= 0
        session.rollback()


def test_migkit_runs_a_migration_where_nobody_else_writes(postgresql: Database, tmp_path: Path) -> None:
    path = migration(tmp_path, GOOD).path
    with read_only(postgresql, patience=10), application(postgresql) as app:
        result = verbs.run(path, postgresql, progress=SILENT)
        assert result.succeeded, result.error
        assert write(app, 1) is not None
