"""Sequences that go on, and sequences that would give a value again."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from migkit.database import Database
from migkit.state.capture import capture
from migkit.state.changes import Pair
from migkit.state.comparison import Comparison, compare
from migkit.state.sequences import movement


def execute(db: Database, *statements: str) -> None:
    with db.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def compared(db: Database, setup: tuple[str, ...], change: tuple[str, ...]) -> Comparison:
    execute(db, *setup)
    before = capture(db)
    execute(db, *change)
    return compare(before, capture(db, like=before))


NEXT = "SELECT nextval('s')"
ASCENDING = ("CREATE SEQUENCE s", NEXT, NEXT)
DESCENDING = ("CREATE SEQUENCE s INCREMENT -1", NEXT, NEXT)
CYCLING = ("CREATE SEQUENCE s MAXVALUE 3 CYCLE", NEXT, NEXT)


@pytest.mark.parametrize(
    ("setup", "change"),
    [
        (ASCENDING, "SELECT setval('s', 2, false)"),
        (ASCENDING, "SELECT setval('s', 1)"),
        (("CREATE SEQUENCE s", NEXT), "ALTER SEQUENCE s RESTART"),
        (DESCENDING, "SELECT setval('s', -1)"),
        (DESCENDING, "SELECT setval('s', -2, false)"),
        (ASCENDING, "ALTER SEQUENCE s INCREMENT -1 MINVALUE -9"),
        # A sequence that did not cycle cannot have gone round.
        (("CREATE SEQUENCE s MAXVALUE 3", NEXT, NEXT), "ALTER SEQUENCE s CYCLE RESTART"),
    ],
)
def test_a_sequence_that_would_repeat_a_value_is_damaged(
    postgresql: Database, setup: tuple[str, ...], change: str
) -> None:
    comparison = compared(postgresql, setup, (change,))
    assert not comparison.identical
    assert comparison.findings[["severity", "id", "where"]].to_numpy().tolist() == [
        ["error", "object-damaged", "sequence s"]
    ]


@pytest.mark.parametrize(
    ("setup", "change"),
    [
        (ASCENDING, NEXT),
        (ASCENDING, "SELECT setval('s', 3, false)"),
        (("CREATE SEQUENCE s",), NEXT),
        (DESCENDING, NEXT),
        (DESCENDING, "SELECT setval('s', -3, false)"),
        (CYCLING, NEXT),
    ],
)
def test_a_sequence_that_went_on_is_identical(postgresql: Database, setup: tuple[str, ...], change: str) -> None:
    comparison = compared(postgresql, setup, (change,))
    assert comparison.identical
    assert comparison.findings.empty


def test_of_a_cycling_sequence_nobody_can_tell(postgresql: Database) -> None:
    comparison = compared(postgresql, CYCLING, (NEXT, NEXT))
    assert comparison.passed
    assert not comparison.identical
    assert comparison.findings["id"].tolist() == ["object-changed"]
    assert "cannot be told" in comparison.findings["what"].item()


@pytest.mark.parametrize(("change", "identical"), [("SELECT nextval(s)", True), ("ALTER SEQUENCE s RESTART -1", False)])
def test_a_descending_sequence_of_mariadb(mariadb: Database, change: str, identical: bool) -> None:
    setup = ("CREATE SEQUENCE s INCREMENT -1 CACHE 0", "SELECT nextval(s)", "SELECT nextval(s)")
    comparison = compared(mariadb, setup, (change,))
    assert comparison.identical is identical
    assert comparison.passed is identical


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [("7", "7", "none"), ("7", "9", "forward"), ("7", "6", "back"), (None, "1", "forward"), ("7", None, "back")],
)
def test_counters_go_up(before: str | None, after: str | None, expected: str) -> None:
    rows = [{"value": value, "definition": "AUTO_INCREMENT"} for value in (before, after)]
    assert movement(Pair(("auto_increment", "", "t"), *rows)) == expected
