"""Columns of views: what readers can name, though the view's definition reads the same but for a renamed column."""

from __future__ import annotations

import pytest
from sqlalchemy import text

import migkit as mk
from migkit.database import Database
from migkit.progress import SILENT

SETUP = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)",
    "INSERT INTO t VALUES (1, 5), (2, 6)",
    "CREATE VIEW w AS SELECT id, v FROM t",
)
RENAMED = (
    "DROP VIEW w",
    "ALTER TABLE t RENAME COLUMN v TO vv",
    "CREATE VIEW w AS SELECT id, vv FROM t",
)
Told = list[tuple[str, str, str]]


def told(db: Database, changes: tuple[str, ...], allow: tuple[str, ...] = ()) -> Told:
    for statement in SETUP:
        _execute(db, statement)
    before = mk.capture(db, progress=SILENT)
    for statement in changes:
        _execute(db, statement)
    comparison = mk.compare(before, mk.capture(db, like=before, progress=SILENT), allow=allow)
    found = comparison.findings[["severity", "id", "where"]]
    assert not comparison.identical
    return [tuple(row) for row in found.to_numpy()]


def _execute(db: Database, statement: str) -> None:
    with db.engine.begin() as connection:
        connection.execute(text(statement))


def test_a_column_that_a_view_lost_with_a_rename_is_an_error(db: Database) -> None:
    found = told(db, RENAMED)
    assert ("error", "column-lost", "w.v") in found
    assert ("note", "view-widened", "w.vv") in found
    assert ("warning", "renamed", "t.vv") in found


@pytest.mark.parametrize("allowance", ["drop_column:w.v", "drop_object:view.w"])
def test_it_can_be_declared(db: Database, allowance: str) -> None:
    found = told(db, RENAMED, (allowance,))
    assert {row[0] for row in found} == {"warning", "note"}
    assert "allowance-unused" not in {row[1] for row in found}


def test_a_view_that_goes_is_one_finding(db: Database) -> None:
    assert told(db, ("DROP VIEW w",)) == [("error", "object-lost", "view w")]


def test_a_column_more_is_a_note(db: Database) -> None:
    changes = ("DROP VIEW w", "CREATE VIEW w AS SELECT id, v, id + v AS total FROM t")
    assert ("note", "view-widened", "w.total") in told(db, changes)


def test_a_view_recreated_over_a_renamed_column_under_its_old_name_loses_nothing(db: Database) -> None:
    changes = (*RENAMED[:2], "CREATE VIEW w AS SELECT id, vv AS v FROM t")
    assert not [row for row in told(db, changes) if row[0] == "error"]


def test_sqlite_renames_the_column_of_the_view_too(sqlite: Database) -> None:
    assert ("error", "column-lost", "w.v") in told(sqlite, RENAMED[1:2])
