"""What a rehearsal must not reach: the server, its other databases, other files; and what it says instead."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

import migkit as mk
from migkit.cli.program import main
from migkit.database import Database
from migkit.dialects.mysql import MySQL
from migkit.dialects.postgresql import PostgreSQL
from migkit.dialects.sqlite import SQLite
from migkit.errors import UnsupportedFeature
from migkit.progress import SILENT
from migkit.workflow.evidence import load_evidence
from tests.conftest import MakeDatabase

ROLE = "migkit_confined_role"

REACHING_ON_POSTGRESQL = [
    f"CREATE ROLE {ROLE}",
    f"/* first */ -- then\n create user {ROLE} PASSWORD 'x'",
    f"ALTER ROLE {ROLE} NOLOGIN SUPERUSER",
    "DROP GROUP editors",
    "SELECT 1; DROP ROLE editors",
    "BEGIN; CREATE ROLE editors; COMMIT",
    "GRANT admin TO editor WITH ADMIN OPTION",
    "REVOKE ADMIN OPTION FOR admin FROM editor",
    'GRANT CONNECT ON DATABASE "Shop" TO editor',
    "GRANT SET ON PARAMETER log_statement TO editor",
    "REASSIGN OWNED BY editor TO postgres",
    "DROP OWNED BY editor",
    "CREATE DATABASE other",
    "ALTER DATABASE shop SET search_path = x",
    "COMMENT ON DATABASE shop IS 'x'",
    "CREATE TABLESPACE fast LOCATION '/tmp'",
    "ALTER SYSTEM SET work_mem = '1GB'",
    "COPY users TO '/tmp/users'",
    "COPY (SELECT 1) TO PROGRAM 'sh'",
    "COPY users (id) FROM '/tmp/users'",
    "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'r') THEN CREATE ROLE r; END IF; END $$",
    "DO $do$ BEGIN EXECUTE format('CREATE ROLE %I', 'r'); END $do$",
    "DO 'BEGIN EXECUTE $q$ALTER ROLE r SUPERUSER$q$; END'",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN GRANT a TO b; END $$",
]
STAYING_ON_POSTGRESQL = [
    "ALTER TABLE users DROP role",
    "ALTER TABLE users ADD COLUMN role text, ALTER COLUMN role SET DEFAULT 'CREATE ROLE x'",
    "INSERT INTO help VALUES ('CREATE ROLE x; GRANT a TO b', $$DROP DATABASE shop$$)",
    "SELECT 1 -- ; CREATE ROLE x",
    "SELECT 1 /* ; /* nested */ CREATE ROLE x; */",
    'CREATE TABLE "ROLE" (id int)',
    "CREATE USER MAPPING FOR CURRENT_USER SERVER s",
    "GRANT SELECT ON users TO editor",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO editor",
    "COPY users FROM STDIN",
    "COMMENT ON COLUMN users.role IS 'on DATABASE'",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN GRANT SELECT ON t TO b; END $$",
    "SET ROLE editor",
]
REACHING_ON_MYSQL = [
    f"CREATE USER {ROLE}",
    f"CREATE OR REPLACE USER {ROLE}",
    f"/*!50000 CREATE USER {ROLE} */",
    f"/* first */ # then\n create role {ROLE}",
    "RENAME USER a TO b",
    "GRANT ALL ON *.* TO x",
    "REVOKE ALL ON shop.* FROM x",
    "SET GLOBAL max_connections = 10",
    "SET @a = 1, GLOBAL max_connections = 10",
    "SET @@global.max_connections = 10",
    "SET @@PERSIST.max_connections = 10",
    "SET PERSIST_ONLY max_connections = 10",
    "SET PASSWORD FOR x = 'y'",
    "CREATE DATABASE other",
    "DROP SCHEMA IF EXISTS other",
    "ALTER DATABASE shop CHARACTER SET utf8mb4",
    "USE other",
    "INSTALL PLUGIN p SONAME 'p.so'",
    "FLUSH PRIVILEGES",
    "SELECT * FROM t INTO OUTFILE '/tmp/x'",
    "INSERT INTO shop.t VALUES (1)",
    "insert into `Shop` . `t` values (1)",
    "ALTER TABLE t RENAME TO shop.t",
    "UPDATE shop JOIN shop.t SET shop.a = 1",
    "CALL shop.clean()",
    "CREATE TRIGGER r AFTER INSERT ON t FOR EACH ROW INSERT INTO shop.t VALUES (1)",
    "CREATE PROCEDURE p() BEGIN CREATE USER x; END",
    "CREATE PROCEDURE p() CREATE USER x",
    "BEGIN NOT ATOMIC CREATE USER x; END",
    "SET STATEMENT max_statement_time = 1 FOR CREATE USER x",
    "EXECUTE IMMEDIATE 'CREATE USER x'",
    "PREPARE p FROM 'DROP TABLE shop.t'",
    "SET @sql = 'CREATE USER x'",
]
STAYING_ON_MYSQL = [
    "ALTER TABLE t DROP role",
    "ALTER TABLE t ADD COLUMN role int, DROP COLUMN user",
    "INSERT INTO t VALUES ('CREATE USER x; DROP DATABASE y', 1.5)",
    r"INSERT INTO t VALUES ('it\'s; GRANT ALL ON shop.t')",
    "SELECT 1 -- ; CREATE USER x",
    "SELECT 1 /* CREATE USER x */",
    "SET @old = @@global.sql_mode",
    "SET SESSION sql_mode = ''",
    "SET foreign_key_checks = 0",
    "UPDATE t SET global = 1, persist = 2",
    "ALTER DATABASE CHARACTER SET utf8mb4",
    "SELECT * FROM t USE INDEX (i)",
    "UPDATE shop SET shop.a = shop.b + 1 WHERE shop.c = %(c)s",
    "SELECT shop.* FROM t AS shop",
    "INSERT INTO t (a) SELECT x.shop FROM x",
    "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
]
REACHING_ON_SQLITE = [
    "ATTACH 'shop.db' AS s",
    '/* now */ attach database "shop.db" as s',
    "ATTACH ? AS s",
    "ATTACH '' || 'shop.db' AS s",
    "SELECT 1; ATTACH 'shop.db' AS s",
    "VACUUM INTO 'shop.db'",
    "VACUUM main INTO ?",
]
STAYING_ON_SQLITE = [
    "ATTACH '' AS s",
    "ATTACH DATABASE ':memory:' AS s",
    "VACUUM",
    "INSERT INTO t VALUES ('ATTACH ''x'' AS y; VACUUM INTO z')",
    "CREATE TABLE vacuum (attach text)",
]


@pytest.mark.parametrize("sql", REACHING_ON_POSTGRESQL)
def test_postgresql_knows_what_is_the_clusters(sql: str) -> None:
    assert PostgreSQL().reaches_beyond_database(sql)


@pytest.mark.parametrize("sql", STAYING_ON_POSTGRESQL)
def test_postgresql_knows_what_is_the_databases(sql: str) -> None:
    assert not PostgreSQL().reaches_beyond_database(sql)


@pytest.mark.parametrize("sql", REACHING_ON_MYSQL)
def test_mysql_knows_what_is_the_servers(sql: str) -> None:
    assert MySQL().reaches_beyond_database(sql, frozenset({"shop", "mysql"}))


@pytest.mark.parametrize("sql", STAYING_ON_MYSQL)
def test_mysql_knows_what_is_the_databases(sql: str) -> None:
    assert not MySQL().reaches_beyond_database(sql, frozenset({"shop", "mysql"}))


@pytest.mark.parametrize("sql", REACHING_ON_SQLITE)
def test_sqlite_knows_other_files(sql: str) -> None:
    assert SQLite().reaches_beyond_database(sql)


@pytest.mark.parametrize("sql", STAYING_ON_SQLITE)
def test_sqlite_knows_what_is_no_file(sql: str) -> None:
    assert not SQLite().reaches_beyond_database(sql)


# --- on servers -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Archive what is rehearsed in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


def write(folder: Path, body: str) -> Path:
    path = folder / "001_reach.py"
    path.write_text(f"def up(op):\n{body}\n\ndef down(op):\n    pass\n")
    return path


def executing(*statements: str) -> str:
    return "\n".join(f"    op.execute({sql!r})" for sql in statements)


def outside(connection: Connection, db: Database) -> object:
    """What the server knows of roles or accounts."""
    sql = "SELECT rolname FROM pg_roles" if db.dialect.transactional_ddl else "SELECT user FROM mysql.user"
    return sorted(str(name) for name in connection.execute(text(sql)).scalars())


@pytest.mark.excused("sqlite", why="it has no roles")
@pytest.mark.parametrize("swallowing", [False, True])
def test_a_role_is_not_made_and_the_rehearsal_is_an_error(db: Database, tmp_path: Path, swallowing: bool) -> None:
    body = executing("CREATE TABLE t (id INTEGER PRIMARY KEY)", f"CREATE ROLE {ROLE}")
    if swallowing:
        body = f"    try:\n        op.execute('CREATE ROLE {ROLE}')\n    except Exception:\n        pass"
    with db.engine.connect() as connection:
        before = outside(connection, db)
    with pytest.raises(UnsupportedFeature, match=f"reaches beyond the clone: CREATE ROLE {ROLE}") as raised:
        mk.rehearse(write(tmp_path, body), db, into=db.engine.url, reports=tmp_path / "reports", progress=SILENT)
    with db.engine.connect() as connection:
        assert outside(connection, db) == before
    assert raised.value.exit_code == 2
    assert raised.value.evidence is not None
    evidence = load_evidence(raised.value.evidence)
    assert evidence.status == "error"
    assert not evidence.passed


def test_a_dry_run_refuses_too(postgresql: Database, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFeature, match="beyond the clone"):
        mk.dry_run(write(tmp_path, executing(f"CREATE ROLE {ROLE}")), postgresql, progress=SILENT)


def test_a_validation_says_what_could_not_be_learned(postgresql: Database, tmp_path: Path) -> None:
    validation = mk.validate(write(tmp_path, executing(f"CREATE ROLE {ROLE}")), postgresql, progress=SILENT)
    assert not validation.passed
    assert "beyond the clone" in validation.checks["found"].iloc[0]


def test_a_password_is_not_told(postgresql: Database, tmp_path: Path) -> None:
    path = write(tmp_path, executing(f"CREATE ROLE {ROLE} PASSWORD 'geheim'"))
    with pytest.raises(UnsupportedFeature) as raised:
        mk.dry_run(path, postgresql, progress=SILENT)
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_a_statement_that_names_its_source_is_not_sent(
    engine: str, make_database: MakeDatabase, tmp_path: Path
) -> None:
    db = make_database(engine)
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY)"))
        connection.execute(text("INSERT INTO t VALUES (1)"))
    name = db.dialect.quote(str(db.engine.url.database))
    with pytest.raises(UnsupportedFeature, match="beyond the clone: DELETE FROM"):
        mk.rehearse(write(tmp_path, executing(f"DELETE FROM {name}.t")), db, progress=SILENT)
    with db.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM t")).scalar_one() == 1


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
@pytest.mark.slow
def test_a_trigger_that_writes_elsewhere_is_not_set_off(
    engine: str, make_database: MakeDatabase, tmp_path: Path
) -> None:
    db, other = make_database(engine), make_database(engine)
    audit = db.dialect.quote(str(other.engine.url.database), "audit")
    with db.engine.begin() as connection:
        for sql in (
            f"CREATE TABLE {audit} (id INTEGER)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY)",
            "CREATE TABLE far (id INTEGER PRIMARY KEY)",
            f"CREATE TRIGGER leads_out AFTER INSERT ON t FOR EACH ROW INSERT INTO {audit} VALUES (NEW.id)",
            "CREATE TRIGGER leads_there AFTER INSERT ON far FOR EACH ROW INSERT INTO t VALUES (NEW.id)",
        ):
            connection.execute(text(sql))
    for table in ("t", "far"):
        path = write(tmp_path, executing(f"INSERT INTO {table} VALUES (1)"))
        with pytest.raises(UnsupportedFeature, match="beyond the clone: INSERT INTO"):
            mk.rehearse(path, db, progress=SILENT)
    path = write(tmp_path, executing("ALTER TABLE t ADD COLUMN note VARCHAR(10)"))
    assert mk.rehearse(path, db, progress=SILENT).up.succeeded  # type: ignore[union-attr]
    with other.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit")).scalar_one() == 0


def test_an_attached_source_is_not_written(sqlite: Database, tmp_path: Path) -> None:
    file = str(sqlite.engine.url.database)
    with sqlite.engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY)"))
    path = tmp_path / "001_attach.sql"
    path.write_text(f"ATTACH DATABASE '{file}' AS source;\nINSERT INTO source.t VALUES (1);\n")
    with pytest.raises(UnsupportedFeature, match="beyond the clone: ATTACH DATABASE"):
        mk.rehearse(path, sqlite, progress=SILENT)
    reading = sqlite3.connect(file)
    assert reading.execute("SELECT count(*) FROM t").fetchone() == (0,)
    reading.close()


def test_the_command_line_ends_with_2(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, executing("VACUUM INTO 'other.db'"))
    url = sqlite.engine.url.render_as_string(hide_password=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["rehearse", str(path), "-d", url])
    assert left.value.code == 2


def test_a_clone_has_no_passwords_for_other_servers(postgresql: Database) -> None:
    with postgresql.engine.begin() as connection:
        connection.execute(text("CREATE FOREIGN DATA WRAPPER plain"))
        connection.execute(text('CREATE SERVER "Far; away" FOREIGN DATA WRAPPER plain'))
        for user in ("PUBLIC", "CURRENT_USER"):
            connection.execute(
                text(f"""CREATE USER MAPPING FOR {user} SERVER "Far; away" OPTIONS (user 'x', password 'y')""")
            )
    mappings = text("SELECT count(*) FROM pg_user_mappings")
    with mk.clone(postgresql, progress=SILENT) as copy, copy.engine.connect() as connection:
        assert connection.execute(mappings).scalar_one() == 0
    with postgresql.engine.connect() as connection:
        assert connection.execute(mappings).scalar_one() == 2


@pytest.mark.excused("sqlite", why="nothing is outside of its file")
def test_a_rehearsal_lists_what_lies_outside(db: Database, tmp_path: Path) -> None:
    trial = mk.rehearse(write(tmp_path, executing("CREATE TABLE t (id INTEGER)")), db, progress=SILENT)
    assert db.dialect.outside_database[0][0] in set(trial.unchecked["what"])
