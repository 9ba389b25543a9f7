from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from migkit.database import Database, connect
from migkit.state.capture import capture
from migkit.state.comparison import compare
from tests.dialects.mysql.conftest import HOSTILE

Run = Callable[..., None]

OBJECTS = Path(__file__).with_name("objects.sql").read_text(encoding="utf-8").splitlines()

# The frame in which the injury has to show, the name of the row, and the injury.
INJURIES = [
    ("tables", "parents", "ALTER TABLE parents COMMENT 'others'"),
    ("tables", "children", "ALTER TABLE children ROW_FORMAT=COMPACT"),
    ("tables", "children", "ALTER TABLE children DROP FOREIGN KEY of_parent; ALTER TABLE children ENGINE=MyISAM"),
    ("tables", "children", "ALTER TABLE children DEFAULT COLLATE utf8mb4_bin"),
    ("columns", "amount", "ALTER TABLE parents ALTER amount SET DEFAULT 2.50"),
    ("columns", "name", "ALTER TABLE parents MODIFY name VARCHAR(41) NOT NULL DEFAULT 'it''s'"),
    ("columns", "name", "ALTER TABLE parents MODIFY name VARCHAR(40) NULL DEFAULT 'it''s'"),
    ("columns", "name", "ALTER TABLE parents MODIFY name VARCHAR(40) NOT NULL"),
    ("columns", "name", "ALTER TABLE parents MODIFY name VARCHAR(40) NOT NULL DEFAULT ''"),
    ("columns", "name", "ALTER TABLE parents MODIFY name VARCHAR(40) COLLATE utf8mb4_bin NOT NULL DEFAULT 'it''s'"),
    ("columns", "name", "ALTER TABLE parents MODIFY name VARCHAR(40) CHARACTER SET utf16 NOT NULL DEFAULT 'it''s'"),
    ("columns", "body", "ALTER TABLE children MODIFY body TEXT COMMENT 'said'"),
    ("columns", "kind", "ALTER TABLE parents MODIFY kind ENUM('b','a') NOT NULL DEFAULT 'a'"),
    ("columns", "secret", "ALTER TABLE parents MODIFY secret INT"),
    ("columns", "touched", "ALTER TABLE parents MODIFY touched TIMESTAMP NULL DEFAULT NULL"),
    ("columns", "doubled", "ALTER TABLE parents MODIFY doubled INT GENERATED ALWAYS AS (id_of * 3) STORED"),
    ("columns", "id", "ALTER TABLE children MODIFY id INT AUTO_INCREMENT"),
    ("constraints", "positive", "ALTER TABLE parents DROP CONSTRAINT positive"),
    (
        "constraints",
        "positive",
        "ALTER TABLE parents DROP CONSTRAINT positive, ADD CONSTRAINT positive CHECK (amount >= 0)",
    ),
    ("constraints", "name_once", "ALTER TABLE parents DROP INDEX name_once"),
    ("constraints", "of_parent", "ALTER TABLE children DROP FOREIGN KEY of_parent"),
    (
        "constraints",
        "of_parent",
        "ALTER TABLE children DROP FOREIGN KEY of_parent;"
        "ALTER TABLE children ADD CONSTRAINT of_parent FOREIGN KEY (parent_id) REFERENCES parents (id)"
        " ON DELETE SET NULL",
    ),
    ("indexes", "by_amount", "ALTER TABLE parents DROP INDEX by_amount"),
    ("indexes", "by_amount", "ALTER TABLE parents DROP INDEX by_amount, ADD INDEX by_amount (amount)"),
    ("indexes", "by_body", "ALTER TABLE children DROP INDEX by_body, ADD INDEX by_body (body(9))"),
    ("objects", "parents", "DELETE FROM parents WHERE id > 100; ALTER TABLE parents AUTO_INCREMENT = 101"),
    (
        "objects",
        "parted.early",
        "ALTER TABLE parted REORGANIZE PARTITION early INTO"
        " (PARTITION early VALUES LESS THAN (2019), PARTITION middle VALUES LESS THAN (2020))",
    ),
    (
        "objects",
        "b_view",
        "CREATE OR REPLACE VIEW b_view AS SELECT id, name, twice(id) AS two FROM parents WHERE amount > 0",
    ),
    ("objects", "a_view", "CREATE OR REPLACE SQL SECURITY DEFINER VIEW a_view AS SELECT name FROM b_view"),
    ("objects", "fill_body", "DROP TRIGGER fill_body"),
    (
        "objects",
        "fill_body",
        "DROP TRIGGER fill_body; SET SESSION sql_mode = 'ANSI_QUOTES'; CREATE TRIGGER fill_body BEFORE INSERT"
        " ON children FOR EACH ROW SET NEW.body = COALESCE(NEW.body, 'none')",
    ),
    ("objects", "twice", "ALTER FUNCTION twice COMMENT 'triples'"),
    (
        "objects",
        "twice",
        "DROP FUNCTION twice; CREATE FUNCTION twice (n BIGINT) RETURNS INT DETERMINISTIC NO SQL COMMENT 'doubles'"
        " RETURN n * 2",
    ),
    ("objects", "tidy", "ALTER PROCEDURE tidy SQL SECURITY DEFINER"),
    ("objects", "nightly", "DROP EVENT nightly"),
    ("objects", "nightly", "ALTER EVENT nightly ON SCHEDULE EVERY 2 DAY STARTS '2035-01-01 00:00:00'"),
    ("objects", "settings", "ALTER DATABASE COLLATE utf8mb4_bin"),
    ("orphans", "of_parent", "SET foreign_key_checks = 0; DELETE FROM parents WHERE id = 101"),
]


@pytest.mark.parametrize(("frame", "name", "injury"), INJURIES, ids=[f"{one[1]}: {one[2][:60]}" for one in INJURIES])
def test_an_injury_is_found_at_its_place(db: Database, run: Run, frame: str, name: str, injury: str) -> None:
    run(*OBJECTS)
    before = capture(db)
    assert compare(before, capture(db)).identical
    run(*(part for part in injury.split(";") if part.strip()))
    result = compare(before, capture(db))
    assert not result.identical
    changes = getattr(result, frame)
    place = {"tables": "table", "columns": "column", "orphans": "constraint"}.get(frame, "name")
    found = changes[changes["orphans_new"] > 0] if frame == "orphans" else changes[changes["change"] != "unchanged"]
    assert name in set(found[place])


@pytest.fixture
def account(db: Database, run: Run) -> Iterator[str]:
    """An account without any right, dropped afterwards."""
    name = f"u_{db.engine.url.database}"
    run(f"CREATE USER '{name}'@'%' IDENTIFIED BY 'pw-{name}'")
    yield name
    run(f"DROP USER '{name}'@'%'")


def test_grants_are_part_of_the_state(db: Database, run: Run, account: str) -> None:
    run(*OBJECTS)
    before = capture(db)
    run(f"GRANT SELECT, INSERT ON parents TO '{account}'@'%'", f"GRANT UPDATE (body) ON children TO '{account}'@'%'")
    granted = capture(db)
    objects = compare(before, granted).objects
    assert set(objects[objects["change"] == "added"]["name"]) == {
        f"'{account}'@'%' on parents",
        f"'{account}'@'%' on children",
    }
    run(f"REVOKE INSERT ON parents FROM '{account}'@'%'")
    changed = compare(granted, capture(db)).objects
    assert list(changed[changed["change"] == "changed"]["name"]) == [f"'{account}'@'%' on parents"]


def test_what_a_user_may_not_see_is_unchecked_not_absent(db: Database, run: Run, account: str) -> None:
    run(*OBJECTS)
    run(f"GRANT SELECT ON `{db.engine.url.database}`.* TO '{account}'@'%'")
    with connect(db.engine.url.set(username=account, password=f"pw-{account}")) as limited:
        unchecked = set(capture(limited).unchecked["what"])
    assert {"triggers", "events"} <= unchecked


def test_a_table_outside_the_snapshot_is_named(db: Database, run: Run) -> None:
    run("CREATE TABLE plain (id INT PRIMARY KEY) ENGINE=MyISAM")
    state = capture(db)
    # Whether the server's own dump tool is installed is another matter.
    of_rows = state.unchecked[~state.unchecked["what"].str.startswith("the schema dump")]
    assert list(of_rows["what"]) == ["rows of plain"]
    assert "not in the snapshot" in of_rows["why"].iloc[0]


def test_the_number_of_queries_does_not_grow_with_tables(db: Database, run: Run) -> None:
    def queries() -> int:
        seen: list[str] = []
        with db.dialect.snapshot(db.engine, 1) as (session,):
            event.listen(session, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
            db.dialect.read_catalog(session, None)
        return len(seen)

    few = queries()
    run(*OBJECTS, *(f"CREATE TABLE t{number} (id INT PRIMARY KEY)" for number in range(20)))
    assert queries() == few


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_everywhere(db: Database, run: Run, name: str) -> None:
    q = db.dialect.quote(name)
    run(
        f"CREATE TABLE {q} ({q} INT PRIMARY KEY AUTO_INCREMENT, up INT,"
        f" CONSTRAINT {q} FOREIGN KEY (up) REFERENCES {q} ({q}))",
        f"CREATE VIEW {db.dialect.quote('v' + name)} AS SELECT {q} FROM {q}",
        f"CREATE TRIGGER {q} BEFORE INSERT ON {q} FOR EACH ROW SET NEW.up = NULL",
    )
    state = capture(db)
    assert name in set(state.tables["table"]) & set(state.columns["column"]) & set(state.orphans["constraint"])
    assert {"v" + name, name} <= set(state.objects["name"])


def test_another_database_is_called_by_its_name(db: Database, run: Run) -> None:
    other = f"{db.engine.url.database}_other"
    run(f"CREATE DATABASE {other}", f"CREATE TABLE {other}.t (id INT PRIMARY KEY)", "CREATE TABLE own (id INT)")
    try:
        state = capture(db, schemas=[str(db.engine.url.database), other])
    finally:
        run(f"DROP DATABASE {other}")
    assert set(zip(state.tables["schema"], state.tables["table"], strict=True)) == {("", "own"), (other, "t")}


def test_sequences_of_mariadb(make_database: Callable[[str], Database]) -> None:
    db = make_database("mariadb")
    with db.engine.connect() as connection:
        connection.exec_driver_sql("CREATE SEQUENCE s START WITH 5 INCREMENT BY 2")
    before = capture(db)
    with db.engine.connect() as connection:
        connection.exec_driver_sql("ALTER SEQUENCE s INCREMENT BY 3")
    changed = compare(before, capture(db)).objects
    assert list(changed[changed["change"] == "changed"]["name"]) == ["s"]


def test_a_parent_table_that_is_gone_makes_orphans(db: Database, run: Run) -> None:
    run(*OBJECTS, "SET foreign_key_checks = 0", "DROP TABLE parents")
    orphans = capture(db).orphans
    assert list(orphans["orphans"]) == [2]
