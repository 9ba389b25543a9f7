"""The net below the net: what no frame holds still shows, and what means nothing does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from migkit.clone.scratch import clone
from migkit.config import Config
from migkit.database import Database
from migkit.dialects.postgresql import dump
from migkit.dialects.schema_dump import SchemaDump
from migkit.migration.loading import load_migration
from migkit.migration.runner import run
from migkit.state.capture import capture
from migkit.state.comparison import Comparison, compare
from migkit.state.schema_digest import SchemaDigest, digest_schema
from migkit.state.snapshot import State, load_state
from migkit.workflow.trial import rehearse
from tests.servers.tools import path_with, write_tools

RULE = "schema-differs-elsewhere"


def execute(db: Database, *statements: str) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))


def elsewhere(comparison: Comparison) -> list[str]:
    found = comparison.findings
    return list(found.loc[found["id"] == RULE, "where"])


def digest(state: State) -> SchemaDigest:
    assert state.schema_dump is not None
    return state.schema_dump


def dumped(db: Database) -> State:
    """Capture with a schema dump, or skip where the engine's tool is not installed."""
    state = capture(db)
    if state.schema_dump is None:
        why = "; ".join(state.unchecked["why"])
        if db.dialect.name == "mysql" and "not on the PATH" in why:
            pytest.skip(why)
        pytest.fail(why)
    return state


@pytest.fixture(autouse=True)
def mysqldump(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put MySQL's own tool before others of the same name."""
    folder = write_tools(tmp_path_factory.mktemp("bin"))
    if folder is not None:
        monkeypatch.setenv("PATH", path_with(folder))


# --- what is found ----------------------------------------------------------------------------------------------------

# What each engine can have changed without a catalog query of migkit's noticing, and what the dump calls it.
UNSEEN: dict[str, tuple[str, str, str]] = {
    "sqlite": (
        "CREATE VIRTUAL TABLE notes USING fts5(body)",
        "CREATE INDEX beside ON notes_docsize (sz)",
        "index beside",
    ),
    "postgresql": (
        "CREATE TABLE t (id int PRIMARY KEY)",
        "GRANT SELECT ON pg_catalog.pg_authid TO PUBLIC",
        "ACL pg_catalog.TABLE pg_authid",
    ),
    "mysql": (
        "CREATE TABLE t (id int PRIMARY KEY, b varchar(20))",
        "ALTER TABLE t MODIFY b varchar(20) COLUMN_FORMAT DYNAMIC",
        "TABLE t",
    ),
    "mariadb": (
        "CREATE TABLE t (id int PRIMARY KEY, b varchar(20), KEY by_b (b))",
        "ALTER TABLE t DROP KEY by_b, ADD KEY by_b (b) KEY_BLOCK_SIZE = 8",
        "TABLE t",
    ),
}


@pytest.mark.every_postgresql
def test_what_no_catalog_query_reads_shows(db: Database) -> None:
    setup, injury, place = UNSEEN[db.dialect.name]
    execute(db, setup)
    before = dumped(db)
    execute(db, injury)
    comparison = compare(before, dumped(db))
    assert elsewhere(comparison) == [place]
    assert not comparison.identical
    assert comparison.passed
    assert place in repr(comparison)


def test_a_way_down_that_leaves_it_behind_fails(postgresql: Database, tmp_path: Path) -> None:
    execute(postgresql, "CREATE TABLE t (id int PRIMARY KEY)")
    (tmp_path / "1.up.sql").write_text("CREATE TABLE u (id int); GRANT SELECT ON pg_catalog.pg_authid TO PUBLIC;")
    (tmp_path / "1.down.sql").write_text("DROP TABLE u;")
    trial = rehearse(load_migration(tmp_path / "1.up.sql", config=Config()), postgresql)
    assert not trial.passed
    (what,) = trial.findings.loc[trial.findings["id"] == "left-behind", "what"]
    assert "ACL pg_catalog.TABLE pg_authid was added" in what


# --- what means nothing -----------------------------------------------------------------------------------------------

HARMLESS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sqlite": (
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT NOT NULL)",
            "CREATE TABLE u (a INT, CONSTRAINT one UNIQUE (a))",
            "INSERT INTO t (b) VALUES ('x')",
        ),
        (
            "VACUUM",
            "ANALYZE",
            "REINDEX",
            "DROP TABLE u",
            'CREATE TABLE IF NOT EXISTS "u" ([a] INT CONSTRAINT one UNIQUE)',
        ),
    ),
    "postgresql": (
        (
            "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b varchar(9) CHECK (b IN ('a', 'b')))",
            "CREATE SEQUENCE s",
            "CREATE TABLE p (at timestamptz DEFAULT '2026-01-01 00:00:00+00') PARTITION BY RANGE (at)",
            "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2027-01-01 00:00+00')",
            "GRANT SELECT ON t TO PUBLIC",
            "GRANT SELECT ON t TO pg_monitor",
        ),
        (
            "VACUUM ANALYZE",
            "REINDEX TABLE t",
            "SELECT nextval('s')",
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Tokyo''', current_database()); END $$",
            "REVOKE SELECT ON t FROM PUBLIC",
            "GRANT SELECT ON t TO PUBLIC",
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET TimeZone', current_database()); END $$",
        ),
    ),
    "mysql": (
        (
            "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, b varchar(9), c int, KEY one (b), KEY two (c))",
            "CREATE VIEW v AS SELECT id FROM t",
        ),
        (
            "ANALYZE TABLE t",
            "OPTIMIZE TABLE t",
            "ALTER TABLE t AUTO_INCREMENT = 1",
            "ALTER TABLE t DROP KEY one",
            "ALTER TABLE t ADD KEY one (b)",
        ),
    ),
}
HARMLESS["mariadb"] = HARMLESS["mysql"]


@pytest.mark.every_postgresql
def test_what_means_nothing_reads_identical(db: Database) -> None:
    setup, harmless = HARMLESS[db.dialect.name]
    execute(db, *setup)
    before = dumped(db)
    for statement in harmless[:-1]:
        execute(db, statement)
    execute(db, harmless[-1])
    comparison = compare(before, dumped(db))
    assert elsewhere(comparison) == []
    assert comparison.identical, repr(comparison)


@pytest.mark.every_postgresql
def test_migkits_own_journal_is_left_out(db: Database, tmp_path: Path) -> None:
    (tmp_path / "1.up.sql").write_text("SELECT 1;")
    execute(db, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    before = dumped(db)
    assert run(load_migration(tmp_path / "1.up.sql", config=Config()), db).succeeded
    comparison = compare(before, dumped(db))
    assert elsewhere(comparison) == []
    assert comparison.identical


def test_a_clone_is_dumped_alike(db: Database) -> None:
    setup, _ = HARMLESS[db.dialect.name]
    execute(db, *setup)
    with clone(db) as copy:
        assert digest(dumped(copy)).statements == digest(dumped(db)).statements
        assert elsewhere(compare(dumped(db), dumped(copy))) == []


# --- what is said where nothing can be --------------------------------------------------------------------------------


def test_a_tool_that_is_missing_is_listed(mariadb: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    state = capture(mariadb)
    assert state.schema_dump is None
    assert state.unchecked.to_numpy().tolist() == [
        ["the schema dump of mariadb-dump", "MariaDB's own mariadb-dump is not on the PATH"]
    ]


def test_a_tool_that_fails_does_not_fail_the_capture(postgresql: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        dump, "_command", lambda tool, arguments: [str(tool.path), "--dbname=service=migkit", "--nonsense"]
    )
    execute(postgresql, "CREATE TABLE t (id int)")
    state = capture(postgresql)
    assert len(state.tables) == 1
    assert state.unchecked["what"].tolist() == ["the schema dump of pg_dump"]
    assert "nonsense" in state.unchecked["why"].item()


def test_dumps_of_different_tools_are_not_compared(sqlite: Database) -> None:
    state = dumped(sqlite)
    other = replace(state, schema_dump=digest_schema(SchemaDump.of("another tool 1", [("table t", "")])))
    comparison = compare(state, other)
    assert elsewhere(comparison) == []
    assert "another tool 1" in comparison.unchecked["why"].item()


def test_many_differences_are_counted(sqlite: Database) -> None:
    state = dumped(sqlite)
    many = SchemaDump.of(digest(state).made_by, [(f"table t{number:02}", "") for number in range(25)])
    found = elsewhere(compare(state, replace(state, schema_dump=digest_schema(many))))
    assert found == [*(f"table t{number:02}" for number in range(10)), "in 15 more places"]


def test_a_schema_that_is_known_to_differ_says_it_once(sqlite: Database) -> None:
    before = dumped(sqlite)
    execute(sqlite, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    comparison = compare(before, dumped(sqlite))
    assert not comparison.identical
    assert elsewhere(comparison) == []


def test_it_is_kept_with_the_state(db: Database, tmp_path: Path) -> None:
    execute(db, HARMLESS[db.dialect.name][0][0])
    state = dumped(db)
    again = load_state(state.save(tmp_path / "state.json.zst"))
    assert again.schema_dump == state.schema_dump


def test_a_state_of_an_earlier_version_has_none(sqlite: Database) -> None:
    state = dumped(sqlite)
    document = {key: value for key, value in state.to_document().items() if key != "schema_dump"}
    older = State.from_document(document)
    assert older.schema_dump is None
    comparison = compare(older, state)
    assert comparison.identical
    assert comparison.unchecked["why"].tolist() == ["one of the states does not have one"]


def test_a_password_in_a_user_mapping_is_not_hashed(postgresql: Database) -> None:
    execute(
        postgresql,
        "CREATE FOREIGN DATA WRAPPER w",
        "CREATE SERVER s FOREIGN DATA WRAPPER w",
        "CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (password 'one')",
    )
    before = dumped(postgresql)
    execute(postgresql, "ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET password 'two')")
    assert digest(dumped(postgresql)).digest == digest(before).digest
