"""Rows that went while as many others came: the count tells nothing, the verdict has to."""

from __future__ import annotations

from sqlalchemy import text

import migkit as mk
from migkit.database import Database
from migkit.progress import SILENT


def write(db: Database, *statements: str) -> None:
    with db.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_a_text_key_that_is_replaced_is_seen(db: Database) -> None:
    write(db, "CREATE TABLE versions (name VARCHAR(20) NOT NULL PRIMARY KEY)", "INSERT INTO versions VALUES ('a')")
    state = mk.capture(db, progress=SILENT)
    for name in "bcdef":
        write(db, f"UPDATE versions SET name = '{name}'")
        before, state = state, mk.capture(db, like=state, progress=SILENT)
        comparison = mk.compare(before, state)
        assert not comparison.identical, name
        assert not comparison.passed, name


def test_rows_replaced_far_away_are_seen(db: Database) -> None:
    rows = ", ".join(f"({key}, 'x')" for key in range(1, 101))
    write(db, "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, v VARCHAR(10))", f"INSERT INTO t VALUES {rows}")
    before = mk.capture(db, progress=SILENT)
    write(db, "UPDATE t SET id = id + 1000000 WHERE id <= 50")
    comparison = mk.compare(before, mk.capture(db, progress=SILENT))
    assert not comparison.identical
    assert not comparison.passed
