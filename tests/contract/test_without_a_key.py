"""Tables without a key whose columns become others: rows are compared by the columns they had, on every engine."""

from __future__ import annotations

import pytest

import migkit as mk
from migkit.database import Database
from migkit.progress import SILENT
from migkit.state.comparison import Comparison


@pytest.fixture
def notes(db: Database) -> Database:
    run(db, "CREATE TABLE notes (a integer, b varchar(20), c integer)")
    run(db, "INSERT INTO notes VALUES (1, 'x', 10), (2, 'y', 20), (2, 'y', 20), (NULL, '', NULL)")
    return db


def run(db: Database, *statements: str) -> None:
    with db.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def compared(db: Database, *statements: str) -> Comparison:
    before = mk.capture(db, progress=SILENT)
    run(db, *statements)
    return mk.compare(before, mk.capture(db, like=before, progress=SILENT))


def content(comparison: Comparison) -> dict[str, str]:
    return comparison.columns.set_index("column")["content"].to_dict()


def test_a_column_is_added(notes: Database) -> None:
    comparison = compared(notes, "ALTER TABLE notes ADD COLUMN d integer DEFAULT 7")
    assert comparison.passed, comparison.errors
    assert content(comparison) == {"a": "intact", "b": "intact", "c": "intact", "d": "added"}
    assert comparison.tables["content"].tolist() == ["intact"]


def test_a_column_is_added_and_a_value_changes(notes: Database) -> None:
    comparison = compared(
        notes, "ALTER TABLE notes ADD COLUMN d integer DEFAULT 7", "UPDATE notes SET c = 11 WHERE a = 1"
    )
    assert not comparison.passed
    assert content(comparison) == {"a": "intact", "b": "intact", "c": "changed", "d": "added"}


def test_a_column_is_added_and_rows_exchange_values(notes: Database) -> None:
    comparison = compared(
        notes,
        "ALTER TABLE notes ADD COLUMN d integer DEFAULT 7",
        "UPDATE notes SET c = CASE a WHEN 1 THEN 20 WHEN 2 THEN 10 END",
        "DELETE FROM notes WHERE a = 2",
        "INSERT INTO notes VALUES (2, 'y', 20, 7), (2, 'y', 10, 7)",
        "UPDATE notes SET c = 20 WHERE a = 1",
    )
    assert not comparison.passed
    assert comparison.tables["content"].tolist() == ["changed"]


def test_a_column_is_added_and_a_row_is_lost(notes: Database) -> None:
    comparison = compared(notes, "ALTER TABLE notes ADD COLUMN d integer DEFAULT 7", "DELETE FROM notes WHERE a = 1")
    assert not comparison.passed
    assert "rows-lost" in set(comparison.findings["id"])


def test_a_key_is_added(db: Database) -> None:
    if db.dialect.name == "sqlite":
        pytest.skip("sqlite: a primary key cannot be added to a table")
    run(db, "CREATE TABLE notes (a integer, b varchar(20))", "INSERT INTO notes VALUES (1, 'x'), (1, 'x'), (2, 'y')")
    added = {"postgresql": "id bigserial PRIMARY KEY"}.get(
        db.dialect.name, "id bigint AUTO_INCREMENT PRIMARY KEY FIRST"
    )
    comparison = compared(db, f"ALTER TABLE notes ADD COLUMN {added}")
    assert comparison.passed, comparison.errors
    assert content(comparison) == {"a": "intact", "b": "intact", "id": "added"}


def test_columns_change_places(notes: Database) -> None:
    if notes.dialect.name in ("sqlite", "postgresql"):
        pytest.skip(f"{notes.dialect.name}: columns keep their places")
    comparison = compared(notes, "ALTER TABLE notes MODIFY c integer FIRST")
    assert content(comparison) == {"a": "intact", "b": "intact", "c": "intact"}
    assert comparison.tables["content"].tolist() == ["intact"]


def test_a_column_gets_another_name(notes: Database) -> None:
    comparison = compared(notes, "ALTER TABLE notes RENAME COLUMN c TO amount")
    assert comparison.passed, comparison.errors
    assert content(comparison) == {"a": "intact", "b": "intact", "amount": "intact"}


def test_what_cannot_be_compared_is_said(notes: Database) -> None:
    comparison = compared(notes, "ALTER TABLE notes DROP COLUMN b")
    assert not comparison.passed
    assert "notes.a was not compared: notes has no key, and other columns than before" in comparison.errors


def test_it_is_kept_in_a_file(notes: Database, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = mk.capture(notes, progress=SILENT)
    run(notes, "ALTER TABLE notes ADD COLUMN d integer")
    after = mk.capture(notes, like=before, progress=SILENT)
    kept = mk.load(after.save(tmp_path_factory.mktemp("states") / "after.json"))
    assert mk.compare(before, kept).passed
