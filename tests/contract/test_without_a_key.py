"""Tables without a key whose columns become others: rows are compared by the columns they had, on every engine."""

from __future__ import annotations

from pathlib import Path

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
    # Whether a and b are still in the same rows, the digests of rows that changed do not tell.
    assert content(comparison) == {"a": "unproven", "b": "unproven", "c": "changed", "d": "added"}


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
    assert "notes.a was not compared: notes has no key, and other columns or values than before" in comparison.errors


def test_it_is_kept_in_a_file(notes: Database, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = mk.capture(notes, progress=SILENT)
    run(notes, "ALTER TABLE notes ADD COLUMN d integer")
    after = mk.capture(notes, like=before, progress=SILENT)
    kept = mk.load(after.save(tmp_path_factory.mktemp("states") / "after.json"))
    assert mk.compare(before, kept).passed


def test_values_exchanged_beside_a_declared_change_are_not_taken_for_intact(notes: Database) -> None:
    before = mk.capture(notes, progress=SILENT)
    run(notes, "INSERT INTO notes VALUES (5, 'z', 50)")
    before = mk.capture(notes, progress=SILENT)
    run(notes, "UPDATE notes SET c = c + 1, b = CASE a WHEN 1 THEN 'z' WHEN 5 THEN 'x' ELSE b END")
    after = mk.capture(notes, like=before, progress=SILENT)
    comparison = mk.compare(before, after, allow=["change_data:notes.c"])
    assert not comparison.passed
    assert content(comparison) == {"a": "unproven", "b": "unproven", "c": "changed"}
    assert "notes.a was not compared: notes has no key, and other columns or values than before" in comparison.errors


@pytest.mark.slow
@pytest.mark.parametrize("exchanged", [False, True])
def test_a_rehearsal_compares_the_rows_without_what_was_to_change(
    notes: Database, tmp_path: Path, *, exchanged: bool
) -> None:
    run(notes, "INSERT INTO notes VALUES (5, 'z', 50)")
    also = ", b = CASE a WHEN 1 THEN 'z' WHEN 5 THEN 'x' ELSE b END" if exchanged else ""
    file = tmp_path / "m001.py"
    file.write_text(
        'metadata = {"version": "001", "allow": ["change_data:notes.c"]}\n'
        f'def up(op):\n    op.execute("UPDATE notes SET c = c + 1{also}")\n'
        f'def down(op):\n    op.execute("UPDATE notes SET c = c - 1{also}")\n'
    )
    trial = mk.rehearse(file, notes, reports=tmp_path / "reports", progress=SILENT, canaries=False)
    assert trial.passed is not exchanged, trial.explain()
    if exchanged:
        assert "Values of table notes moved between rows" in trial.explain()
    assert mk.load(trial.evidence).passed is trial.passed


def test_the_first_rows_and_the_last_need_no_proof(db: Database) -> None:
    run(db, "CREATE TABLE notes (a integer, b varchar(20))")
    before = mk.capture(db, progress=SILENT)
    run(db, "INSERT INTO notes VALUES (1, 'x')")
    filled = mk.capture(db, like=before, progress=SILENT)
    assert mk.compare(before, filled).passed
    run(db, "DELETE FROM notes")
    emptied = mk.capture(db, like=filled, progress=SILENT)
    assert mk.compare(filled, emptied, allow=["delete_rows:notes"]).passed
    assert not mk.compare(filled, emptied).passed


def test_a_key_that_tells_rows_apart_no_more_is_not_relied_on(db: Database) -> None:
    drop = "DROP CONSTRAINT t_pkey" if db.dialect.name == "postgresql" else "DROP PRIMARY KEY"
    run(db, "CREATE TABLE t (id integer NOT NULL, a integer, b integer, PRIMARY KEY (id))")
    run(db, "INSERT INTO t VALUES (1, 1, 10), (2, 2, 20), (3, 3, 30)")
    first = mk.capture(db, progress=SILENT)
    if db.dialect.name == "sqlite":
        run(db, "CREATE TABLE n (id integer, a integer, b integer)", "INSERT INTO n SELECT * FROM t", "DROP TABLE t")
        run(db, "ALTER TABLE n RENAME TO t")
    else:
        run(db, f"ALTER TABLE t {drop}")
    run(db, "UPDATE t SET id = 1 WHERE id = 2")
    before = mk.capture(db, like=first, progress=SILENT)
    run(db, "UPDATE t SET a = 3 - a WHERE b IN (10, 20)")
    comparison = mk.compare(before, mk.capture(db, like=before, progress=SILENT))
    assert not comparison.identical
    assert not comparison.passed


def test_a_state_that_read_no_rows_does_not_say_by_what_they_are_told_apart(db: Database) -> None:
    run(db, "CREATE TABLE t (id integer PRIMARY KEY, a integer)", "INSERT INTO t VALUES (1, 1)")
    estimate = mk.capture(db, rows="estimate", progress=SILENT)
    exact = mk.capture(db, progress=SILENT)
    assert mk.compare(exact, mk.capture(db, like=estimate, rows="exact", progress=SILENT)).identical


def test_a_column_is_retyped_and_another_added(notes: Database) -> None:
    if notes.dialect.name == "sqlite":
        pytest.skip("sqlite: values have types there, columns do not")
    retype = "ALTER COLUMN a TYPE varchar(20)" if notes.dialect.name == "postgresql" else "MODIFY a varchar(20)"
    comparison = compared(notes, f"ALTER TABLE notes {retype}, ADD COLUMN d integer")
    assert comparison.passed, comparison.errors
    assert content(comparison) == {"a": "retyped", "b": "intact", "c": "intact", "d": "added"}
