"""Orphans that are others than before, although there are as many."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from migkit.database import Database
from migkit.state.capture import capture
from migkit.state.comparison import Comparison, compare
from tests.conftest import MakeDatabase

# Row 2 has no parent; the foreign key was added over it, or is not enforced.
SETUP = {
    "sqlite": (
        "PRAGMA foreign_keys = OFF",
        "CREATE TABLE p (id INTEGER PRIMARY KEY, note TEXT)",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER, note TEXT, CONSTRAINT fk FOREIGN KEY (p) REFERENCES p)",
        "INSERT INTO p VALUES (1, 'one'), (2, 'two')",
        "INSERT INTO c VALUES (1, 1, 'a'), (2, 7, 'b')",
    ),
    "postgresql": (
        "CREATE TABLE p (id INTEGER PRIMARY KEY, note TEXT)",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER, note TEXT)",
        "INSERT INTO p VALUES (1, 'one'), (2, 'two')",
        "INSERT INTO c VALUES (1, 1, 'a'), (2, 7, 'b')",
        "ALTER TABLE c ADD CONSTRAINT fk FOREIGN KEY (p) REFERENCES p NOT VALID",
        "ALTER TABLE c DISABLE TRIGGER ALL",
        "ALTER TABLE p DISABLE TRIGGER ALL",
    ),
}
ENGINES = tuple(SETUP)
NOTE = "which orphans are new for constraint fk of c"


def compared(db: Database, engine: str, changes: tuple[str, ...], allow: tuple[str, ...]) -> Comparison:
    # PRAGMA foreign_keys does nothing within a transaction.
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in SETUP[engine]:
            connection.execute(text(statement))
        before = capture(db)
        for statement in changes:
            connection.execute(text(statement))
    return compare(before, capture(db, like=before), allow=allow)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("changes", "allow"),
    [
        (("UPDATE c SET p = 9 WHERE id = 1", "UPDATE c SET p = 2 WHERE id = 2"), ("change_data:c.p",)),
        (("INSERT INTO p VALUES (7, 'new')", "UPDATE c SET p = 9 WHERE id = 1"), ("change_data:c.p",)),
        (
            ("INSERT INTO p VALUES (7, 'new')", "DELETE FROM p WHERE id = 1"),
            ("delete_rows:p", "change_data:p.*"),
        ),
        (("DELETE FROM c WHERE id = 2", "INSERT INTO c VALUES (3, 8, 'c')"), ("delete_rows:c", "change_data:c.*")),
    ],
)
def test_an_orphan_for_another_is_listed_as_unchecked(
    make_database: MakeDatabase, engine: str, changes: tuple[str, ...], allow: tuple[str, ...]
) -> None:
    comparison = compared(make_database(engine), engine, changes, allow)
    assert NOTE in set(comparison.unchecked["what"])
    assert not comparison.identical


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE c SET note = 'z'",
        "UPDATE p SET note = 'z'",
        # Nothing was repaired, so the number tells.
        "INSERT INTO c VALUES (3, 1, 'c')",
        "INSERT INTO p VALUES (3, 'three')",
    ],
)
def test_where_no_orphan_can_be_another_nothing_is_listed(
    make_database: MakeDatabase, engine: str, change: str
) -> None:
    comparison = compared(make_database(engine), engine, (change,), ())
    assert NOTE not in set(comparison.unchecked["what"])
