"""Sessions of PostgreSQL: one instant for several, errors in one sentence, cancelling, what refuses a transaction."""

from __future__ import annotations

import builtins
import sys
import threading
import time

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from migkit.database import Database, connect
from migkit.dialects.postgresql import PostgreSQL
from migkit.dialects.postgresql.sql import execute, literal
from migkit.errors import ConnectionFailed, MissingExtra

PASSWORD = "geheim%20 wort"


def test_workers_see_one_instant_while_others_write(postgresql: Database) -> None:
    with postgresql.engine.begin() as connection:
        execute(connection, "CREATE TABLE t (id int)")
        execute(connection, "INSERT INTO t SELECT generate_series(1, 1000)")
    stop = threading.Event()

    def write() -> None:
        with postgresql.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not stop.is_set():
                execute(connection, "INSERT INTO t SELECT generate_series(1, 100)")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            with postgresql.dialect.snapshot(postgresql.engine, 4) as connections:
                assert len(connections) == 4
                counts = set()
                for connection in connections:
                    time.sleep(0.01)
                    counts.add(execute(connection, "SELECT count(*) FROM public.t").scalar_one())
                assert len(counts) == 1
    finally:
        stop.set()
        writer.join()


def test_a_snapshot_only_reads_and_leaves_nothing_behind(postgresql: Database) -> None:
    with postgresql.engine.connect() as connection:
        settings = "SELECT current_setting('search_path'), current_setting('TimeZone'), current_setting('jit')"
        before = execute(connection, settings).one()
    with pytest.raises(DBAPIError, match="read-only"), postgresql.dialect.snapshot(postgresql.engine, 3) as sessions:
        execute(sessions[-1], "CREATE TABLE public.t ()")
    pooled = [postgresql.engine.connect() for _ in range(3)]
    for connection in pooled:
        assert execute(connection, settings).one() == before
        connection.close()
    with postgresql.engine.connect() as connection:
        execute(connection, "CREATE TABLE t ()")
        open_ = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in%' AND pid <> pg_backend_pid()"
        )
        assert execute(connection, open_).scalar_one() == 0


def test_settings_of_a_snapshot_do_not_depend_on_the_database(postgresql: Database) -> None:
    with postgresql.dialect.snapshot(postgresql.engine, 2) as sessions:
        for session in sessions:
            found = execute(
                session,
                "SELECT current_setting('TimeZone'), current_setting('search_path'), current_setting('row_security'),"
                " current_setting('lc_monetary'), current_setting('transaction_isolation')",
            ).one()
            assert tuple(found) == ("UTC", "pg_catalog", "off", "C", "repeatable read")


def test_one_worker_where_the_snapshot_cannot_be_shared(postgresql: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from migkit.dialects.postgresql import session

    monkeypatch.setattr(session, "_EXPORT", "SELECT pg_export_snapshot() FROM no_such_table")
    with postgresql.dialect.snapshot(postgresql.engine, 4) as connections:
        assert len(connections) == 1
        isolation = "SELECT current_setting('transaction_isolation'), current_setting('search_path')"
        assert tuple(execute(connections[0], isolation).one()) == ("repeatable read", "pg_catalog")


# --- errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"host": "127.0.0.1", "port": 1, "query": {}}, "No PostgreSQL server answers"),
        ({"host": "no-such-host.invalid", "query": {}}, "The host name is not known"),
        ({"database": "no such database"}, "There is no database no such database"),
        ({"username": "no_such_user"}, "There is no user no_such_user"),
    ],
)
def test_connect_errors_in_one_sentence(postgresql: Database, changes: dict[str, object], sentence: str) -> None:
    url = postgresql.engine.url.set(**changes).set(password=PASSWORD)  # type: ignore[arg-type]
    with pytest.raises(ConnectionFailed) as caught:
        connect(url)
    message = str(caught.value)
    assert sentence in message
    assert caught.value.next_step
    assert PASSWORD not in message and "\n" not in message and "geheim" not in message


def test_a_refused_password() -> None:
    url = make_url("postgresql://app@db.example/app").set(password=PASSWORD)
    error = Exception('connection failed: FATAL:  password authentication failed for user "app"')
    explained = PostgreSQL().explain_connect_error(error, url)
    assert str(explained).startswith("db.example/app: The server refused the password of app.")


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_psycopg(name: str, *args: object, **kwargs: object) -> object:
        if name == "psycopg":
            raise ModuleNotFoundError("No module named 'psycopg'")
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_psycopg)
    for name in [one for one in sys.modules if one == "psycopg" or one.startswith("psycopg.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtra, match=r"migkit\[postgresql\]"):
        PostgreSQL().create_engine(make_url("postgresql://localhost/x"))


def test_a_plain_url_gets_the_driver_and_the_session_its_name(postgresql: Database) -> None:
    engine = postgresql.dialect.create_engine(postgresql.engine.url.set(drivername="postgresql"))
    with engine.connect() as connection:
        assert execute(connection, "SELECT current_setting('application_name')").scalar_one() == "migkit"
        assert postgresql.dialect.server_version(connection).startswith("PostgreSQL 18")
        assert postgresql.dialect.default_schema(connection) == "public"
    engine.dispose()


def test_server_errors_are_one_line_with_code_and_hint(postgresql: Database) -> None:
    with postgresql.engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        execute(connection, "SELECT uper('x')")
    message = postgresql.dialect.explain_error(caught.value)
    assert message.startswith("function uper(unknown) does not exist.")
    assert "Hint:" in message or "argument types" in message
    assert message.endswith("[42883]") and "\n" not in message


def test_permission_errors_are_told_apart(postgresql: Database) -> None:
    with postgresql.engine.connect() as connection:
        execute(connection, "CREATE TABLE t (id int)")
        execute(connection, "ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        execute(connection, "CREATE ROLE migkit_test_reader")
        execute(connection, "GRANT SELECT ON t TO migkit_test_reader")
        execute(connection, "SET LOCAL row_security = off")
        execute(connection, "SET LOCAL ROLE migkit_test_reader")
        with pytest.raises(DBAPIError) as caught:
            execute(connection, "SELECT * FROM t")
        connection.rollback()
        assert postgresql.dialect.is_permission_error(caught.value)
        with pytest.raises(DBAPIError) as caught:
            execute(connection, "SELECT * FROM nowhere")
        assert not postgresql.dialect.is_permission_error(caught.value)


# --- run ------------------------------------------------------------------------------------------------


def test_cancelling_from_another_thread(postgresql: Database) -> None:
    with postgresql.engine.connect() as connection:
        cancel = postgresql.dialect.canceller(connection)
        timer = threading.Timer(0.3, cancel)
        timer.start()
        started = time.monotonic()
        with pytest.raises(DBAPIError) as caught:
            execute(connection, "SELECT pg_sleep(30)")
        timer.join()
        assert time.monotonic() - started < 10
        assert "[57014]" in postgresql.dialect.explain_error(caught.value)
        connection.rollback()
        assert execute(connection, "SELECT 1").scalar_one() == 1


@pytest.mark.parametrize("seconds", [0.2, 0.0])
def test_lock_timeout(postgresql: Database, seconds: float) -> None:
    with postgresql.engine.connect() as holder, postgresql.engine.connect() as waiter:
        execute(holder, "CREATE TABLE t (id int)")
        holder.commit()
        execute(holder, "LOCK TABLE t")
        postgresql.dialect.set_lock_timeout(waiter, seconds)
        with pytest.raises(DBAPIError) as caught:
            execute(waiter, "SELECT * FROM t")
        assert "[55P03]" in postgresql.dialect.explain_error(caught.value)
        waiter.rollback()
        postgresql.dialect.set_lock_timeout(waiter, None)
        assert execute(waiter, "SHOW lock_timeout").scalar_one() == "0"


OUTSIDE = [
    "CREATE INDEX CONCURRENTLY i ON t (a)",
    "create unique index concurrently if not exists i on t (a)",
    "-- why\n/* long\nstory */ DROP INDEX CONCURRENTLY i",
    "REINDEX INDEX CONCURRENTLY i",
    "REINDEX (VERBOSE, CONCURRENTLY) TABLE t",
    "REINDEX DATABASE x",
    "REINDEX (VERBOSE) SYSTEM",
    "REINDEX SCHEMA public",
    "VACUUM",
    "VACUUM (FULL, ANALYZE) t",
    "CLUSTER",
    "CLUSTER VERBOSE;",
    "CREATE DATABASE x",
    "DROP DATABASE x",
    "CREATE TABLESPACE x LOCATION '/x'",
    "ALTER SYSTEM SET work_mem = '1MB'",
    "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
    "ALTER DATABASE x SET TABLESPACE y",
]
INSIDE = [
    "CREATE INDEX i ON t (a)",
    'CREATE INDEX "CONCURRENTLY" ON t (a)',
    "SELECT 'CREATE INDEX CONCURRENTLY'",
    "-- CREATE INDEX CONCURRENTLY\nSELECT 1",
    "ALTER TYPE mood ADD VALUE 'new'",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
    "CLUSTER t USING i",
    "REINDEX TABLE t",
    "REINDEX (CONCURRENTLY OFF) TABLE t",
    "ALTER TABLE t DETACH PARTITION p",
    "ALTER TABLE t ADD c text DEFAULT 'DETACH PARTITION CONCURRENTLY'",
    "ALTER DATABASE x SET work_mem = '1MB'",
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $x$ VACUUM $x$",
]


@pytest.mark.parametrize("sql", OUTSIDE)
def test_statements_that_refuse_a_transaction(sql: str) -> None:
    assert PostgreSQL().must_run_outside_transaction(sql)


@pytest.mark.parametrize("sql", INSIDE)
def test_statements_that_may_run_inside(sql: str) -> None:
    assert not PostgreSQL().must_run_outside_transaction(sql)


@pytest.mark.parametrize("text", ["", "it's", "back\\slash'", "%s :x", "$$", "ünï\n"])
@pytest.mark.parametrize("standard", ["on", "off"])
def test_literals_read_the_same_everywhere(postgresql: Database, text: str, standard: str) -> None:
    with postgresql.engine.connect() as connection:
        execute(connection, f"SET LOCAL standard_conforming_strings = {standard}")
        assert execute(connection, f"SELECT {literal(text)}").scalar_one() == text
