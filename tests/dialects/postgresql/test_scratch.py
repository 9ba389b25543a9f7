"""Scratch databases of PostgreSQL: made, marked, filled with everything the source holds, dropped in any case."""

from __future__ import annotations

import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from migkit import embedded
from migkit.database import Database, connect
from migkit.dialects.postgresql import tools
from migkit.dialects.postgresql.scratch import ensure_database
from migkit.dialects.postgresql.sql import execute, quote
from migkit.dialects.postgresql.tools import Tool, client_tool, environment, run_tool
from migkit.errors import CloneFailed, ConnectionFailed, PermissionMissing

SHOP = """
CREATE ROLE "{role}";
CREATE SCHEMA "Mixed.Case" AUTHORIZATION "{role}";
CREATE TABLE "Mixed.Case"."order""; drop table x;--" (id serial PRIMARY KEY, "50%s" text, j jsonb, b bytea);
INSERT INTO "Mixed.Case"."order""; drop table x;--" ("50%s", j, b)
  SELECT 'ünï' || g, jsonb_build_object('n', g), '\\x00ff' FROM generate_series(1, 500) g;
ALTER TABLE "Mixed.Case"."order""; drop table x;--" OWNER TO "{role}";
GRANT SELECT, INSERT ON "Mixed.Case"."order""; drop table x;--" TO "{role}" WITH GRANT OPTION;
CREATE SEQUENCE far START 9007199254740993;
SELECT nextval('far');
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE guarded (id int PRIMARY KEY, m mood);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON guarded TO "{role}" USING (id > 0);
ALTER DEFAULT PRIVILEGES IN SCHEMA "Mixed.Case" GRANT SELECT ON TABLES TO "{role}";
CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM guarded;
"""

FACTS = """
SELECT c.oid::regclass::text, pg_get_userbyid(c.relowner), c.relkind::text,
       -- MAINTAIN, which owners have since 17.
       replace(c.relacl::text, 'm/', '/')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname IN ('public', 'Mixed.Case') ORDER BY 1
"""


@pytest.fixture
def source(make_database: Callable[[str], Database]) -> Iterator[Database]:
    db = make_database("postgresql15")
    role = f"owner%{uuid.uuid4().hex[:8]}"
    run(db, *[part for part in SHOP.format(role=role).split(";\n") if part.strip()])
    run(db, f"ALTER DATABASE {quote(str(db.engine.url.database))} SET search_path = 'Mixed.Case', public")
    yield db
    run(db, f"DROP OWNED BY {quote(role)} CASCADE", f"DROP ROLE {quote(role)}")


@pytest.fixture
def target(postgresql: Database) -> Iterator[Database]:
    """An empty scratch database on the embedded server."""
    name = f"migkit_scratch_{uuid.uuid4().hex[:8]}"
    db = connect(postgresql.dialect.create_scratch(embedded.server_url(), name))
    yield db
    db.close()
    db.dialect.drop_scratch(db.engine.url)


def run(db: Database, *statements: str) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            execute(connection, statement)


def rows(db: Database, sql: str) -> list[tuple[object, ...]]:
    with db.engine.connect() as connection:
        execute(connection, "SET search_path = public")
        return [tuple(row) for row in execute(connection, sql)]


def database_name(db: Database) -> str:
    return str(db.engine.url.database)


class Counting:
    """A progress that remembers its stages."""

    def __init__(self, stop_at: str | None = None) -> None:
        self.stages: list[str] = []
        self.advanced = 0
        self._stop_at = stop_at

    def begin(self, label: str, total: int | None = None) -> None:
        self.stages.append(label)

    def advance(self, amount: int = 1) -> None:
        self.advanced += amount
        if self._stop_at == self.stages[-1]:
            raise KeyboardInterrupt

    def note(self, sign: str, text: str) -> None: ...

    def close(self) -> None: ...


def test_a_copy_has_rows_owners_grants_policies_and_sequence_values(source: Database, target: Database) -> None:
    progress = Counting()
    target.dialect.copy(source.engine.url, target.engine.url, progress=progress)
    assert rows(target, FACTS) == rows(source, FACTS)
    table = '"Mixed.Case"."order""; drop table x;--"'
    for sql in (
        f"SELECT * FROM {table} ORDER BY id",
        "SELECT last_value, is_called FROM far",
        'SELECT last_value, is_called FROM "Mixed.Case"."order""; drop table x;--_id_seq"',
        "SELECT polname, polroles::regrole[]::text FROM pg_policy",
        "SELECT defaclacl::text FROM pg_default_acl",
        "SELECT enumlabel FROM pg_enum ORDER BY enumsortorder",
    ):
        assert rows(target, sql) == rows(source, sql), sql
    assert progress.stages == ["Reading the database", "Writing the copy", "Collecting statistics"]
    assert progress.advanced >= 2
    target.engine.dispose()
    with target.engine.connect() as connection:
        assert execute(connection, "SHOW search_path").scalar_one() == '"Mixed.Case", public'
        statistics = "SELECT count(*) FROM pg_stats WHERE schemaname = 'Mixed.Case'"
        assert execute(connection, statistics).scalar_one() == 4


def test_a_copy_of_the_schema_has_no_rows(source: Database, target: Database) -> None:
    target.dialect.copy(source.engine.url, target.engine.url, schema_only=True)
    assert rows(target, FACTS) == rows(source, FACTS)
    assert rows(target, 'SELECT count(*) FROM "Mixed.Case"."order""; drop table x;--"') == [(0,)]


def test_the_source_is_only_read(source: Database, target: Database) -> None:
    run(source, f"ALTER DATABASE {quote(database_name(source))} SET default_transaction_read_only = on")
    target.dialect.copy(source.engine.url, target.engine.url)
    run(target, "CREATE TABLE the_copy_is_writable ()")


@pytest.mark.parametrize("stage", ["Reading the database", "Writing the copy"])
def test_ctrl_c_stops_the_tools_and_removes_their_files(source: Database, target: Database, stage: str) -> None:
    folders = set(Path(tempfile.gettempdir()).glob("migkit-*/dump"))
    with pytest.raises(KeyboardInterrupt):
        target.dialect.copy(source.engine.url, target.engine.url, progress=Counting(stop_at=stage))
    assert set(Path(tempfile.gettempdir()).glob("migkit-*/dump")) <= folders


def test_an_extension_the_other_server_lacks(
    source: Database, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from migkit.dialects.postgresql import transfer

    monkeypatch.setattr(transfer, "_AVAILABLE", "SELECT 'nothing'")
    with pytest.raises(CloneFailed, match="lacks the extension plpgsql"):
        target.dialect.copy(source.engine.url, target.engine.url)


def test_the_first_error_of_a_tool_is_told(source: Database, target: Database) -> None:
    run(target, "CREATE SEQUENCE far")
    with pytest.raises(CloneFailed, match='relation "far" already exists'):
        target.dialect.copy(source.engine.url, target.engine.url)


def test_rows_that_may_not_be_read(source: Database, target: Database) -> None:
    name = f"reader_{uuid.uuid4().hex[:8]}"
    run(source, f"CREATE ROLE {name} LOGIN PASSWORD 'a b''c%'")
    try:
        url = source.engine.url.set(username=name, password="a b'c%")
        with pytest.raises(PermissionMissing, match="permission denied") as caught:
            target.dialect.copy(url, target.engine.url)
        assert "a b'c%" not in str(caught.value)
    finally:
        run(source, f"DROP ROLE {name}")


def test_no_argument_and_no_readable_file_holds_the_password(tmp_path: Path) -> None:
    url = URL.create("postgresql+psycopg", "u ser", "p%w 'x", "127.0.0.1", 5433, 'd b"', {"sslmode": "prefer"})
    variables = environment(url, tmp_path)
    service = tmp_path / "pg_service.conf"
    assert service.stat().st_mode & 0o077 == 0
    assert variables["PGPASSWORD"] == "p%w 'x" and "p%w" not in service.read_text()
    assert 'dbname=d b"' in service.read_text() and "sslmode=prefer" in service.read_text()


# --- tools ----------------------------------------------------------------------------------------------


def test_the_tool_fits_both_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tuple(Tool(Path(f"/{release}/pg_dump"), release) for release in (14, 15, 16, 18))
    monkeypatch.setattr(tools, "_installed", lambda name: installed)
    assert client_tool("pg_dump", source_release=15).release == 15
    assert client_tool("pg_dump", source_release=15, target_release=17).release == 18
    assert client_tool("pg_dump", source_release=16, target_release=19).release == 18
    with pytest.raises(CloneFailed, match=r"needs pg_dump 19 .* of release 14, 15, 16, 18.*client-19"):
        client_tool("pg_dump", source_release=19)


def test_no_tool_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_installed", lambda name: ())
    with pytest.raises(CloneFailed, match="none is installed"):
        client_tool("pg_dump", source_release=16)


def test_a_tool_that_cannot_connect() -> None:
    tool = client_tool("pg_dump", source_release=15)
    url = URL.create("postgresql+psycopg", "u", "secret!", "127.0.0.1", 1, "d")
    with tools.workspace() as folder, pytest.raises(CloneFailed, match=r"[Cc]onnection refused"):
        run_tool(tool, [], environment(url, folder), lambda line: None)


# --- databases ------------------------------------------------------------------------------------------


def test_a_scratch_database_is_marked_listed_and_dropped_with_open_sessions(postgresql: Database) -> None:
    home, dialect = embedded.server_url(), postgresql.dialect
    name = f'migkit_scratch_{uuid.uuid4().hex[:8]}%"x'
    url = dialect.create_scratch(home, name)
    assert name in dialect.list_scratch(home)
    db = connect(url)
    comment = "SELECT shobj_description(oid, 'pg_database'), pg_encoding_to_char(encoding) FROM pg_database"
    ((text, encoding),) = rows(db, f"{comment} WHERE datname = current_database()")
    assert str(text).startswith("Scratch database made by migkit at 20") and encoding == "UTF8"
    with db.engine.connect() as connection:
        execute(connection, "CREATE TABLE t ()")
        sleeper = threading.Thread(target=_ignore_errors, args=(lambda: run(db, "SELECT pg_sleep(60)"),))
        sleeper.start()
        dialect.drop_scratch(url)
        sleeper.join(10)
        assert not sleeper.is_alive()
        connection.invalidate()
    db.close()
    assert name not in dialect.list_scratch(home)
    dialect.drop_scratch(url)


def _ignore_errors(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception:
        # The session was ended, as it should be.
        return


def test_other_peoples_databases_are_not_dropped(postgresql: Database) -> None:
    with pytest.raises(CloneFailed, match="did not make this database"):
        postgresql.dialect.drop_scratch(embedded.server_url("postgres"))


def test_without_the_right_to_create_databases(postgresql: Database) -> None:
    role = f"poor_{uuid.uuid4().hex[:8]}"
    run(postgresql, f"CREATE ROLE {role} LOGIN")
    try:
        home = postgresql.engine.url.set(username=role)
        with pytest.raises(PermissionMissing, match=r"may not create databases.*into="):
            postgresql.dialect.create_scratch(home, "migkit_scratch_never")
        assert "migkit_scratch_never" not in postgresql.dialect.list_scratch(home)
    finally:
        run(postgresql, f"DROP ROLE {role}")


def test_a_server_that_does_not_answer(postgresql: Database) -> None:
    home = URL.create("postgresql", "u", "secret!", "127.0.0.1", 1, "d")
    with pytest.raises(ConnectionFailed, match="No PostgreSQL server answers"):
        postgresql.dialect.create_scratch(home, "migkit_scratch_never")


def test_ensure_database_makes_it_once(postgresql: Database) -> None:
    name = f'ensured {uuid.uuid4().hex[:8]} %s "x"'
    home = postgresql.engine.url
    urls: list[URL] = []
    threads = [threading.Thread(target=lambda: urls.append(ensure_database(home, name))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert [url.database for url in urls] == [name] * 3
        with connect(urls[0]) as db:
            assert rows(db, "SELECT current_database()") == [(name,)]
    finally:
        run(postgresql, f"DROP DATABASE {quote(name)} WITH (FORCE)")
