"""Fractions of seconds count wherever a value is read: beside a key, in it, and where there is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import migkit as mk
from migkit.database import Database
from migkit.progress import SILENT
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.state.row_comparison import compare_rows
from tests.conftest import MakeDatabase

Run = Callable[..., None]

EXACT = ["DATETIME(6)", "TIMESTAMP(6)", "TIME(6)"]
DAY = {"DATETIME(6)": "2020-01-02 ", "TIMESTAMP(6)": "2020-01-02 ", "TIME(6)": ""}


def instants(kind: str) -> tuple[str, str]:
    return f"'{DAY[kind]}03:04:05.000001'", f"'{DAY[kind]}03:04:05.000002'"


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("null", ["NULL", "NOT NULL"])
def test_without_a_key(db: Database, run: Run, kind: str, null: str) -> None:
    one, other = instants(kind)
    run(f"CREATE TABLE v (a INT, x {kind} {null})", f"INSERT INTO v VALUES (1, {one}), (2, {other})")
    before = capture(db)
    run(f"UPDATE v SET x = {other}")
    after = capture(db)
    assert not compare(before, after).identical
    assert compare(before, after).columns.set_index("column")["content"].to_dict() == {"a": "unproven", "x": "changed"}
    run(f"UPDATE v SET x = IF(a = 1, {other}, {one})")
    assert not compare(before, capture(db)).identical  # the rows were regrouped, the columns are what they were
    run(f"UPDATE v SET x = IF(a = 1, {one}, {other})")
    assert compare(before, capture(db)).identical


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("key", ["x", "x, k", "k, x"])
def test_within_a_key(db: Database, run: Run, kind: str, key: str) -> None:
    one, other = instants(kind)
    run(
        f"CREATE TABLE v (x {kind} NOT NULL, k INT, v INT, PRIMARY KEY ({key}))",
        f"INSERT INTO v VALUES ({one}, 7, 1), ({other}, 7, 2)",
    )
    before = capture(db)
    run("UPDATE v SET v = 3 - v")
    told = compare(before, capture(db))
    assert told.columns.set_index("column")["content"]["v"] == "changed"
    run("UPDATE v SET v = 3 - v", f"UPDATE v SET x = '{DAY[kind]}03:04:05.000003' WHERE v = 2")
    assert not compare(before, capture(db)).identical


WIDENED = [
    ("DATETIME", "DATETIME(6)"),
    ("DATETIME(3)", "DATETIME(6)"),
    ("TIMESTAMP", "TIMESTAMP(6)"),
    ("DATETIME", "TIMESTAMP(6)"),
    ("TIMESTAMP(3)", "DATETIME(6)"),
    ("DATE", "DATETIME(6)"),
]
DATES = {
    "DATE": "('2020-01-02'), ('1999-12-30')",
    "DATETIME": "('2020-01-02 03:04:05'), ('1999-12-30 20:00:00')",
    "DATETIME(3)": "('2020-01-02 03:04:05.250'), ('1999-12-30 20:00:00')",
}


@pytest.mark.parametrize(("was", "then"), WIDENED, ids=[f"{was}-{then}" for was, then in WIDENED])
@pytest.mark.parametrize("key", ["", " PRIMARY KEY"], ids=["without a key", "as the key"])
def test_a_wider_type_reads_the_same(db: Database, run: Run, was: str, then: str, key: str) -> None:
    values = DATES[was.replace("TIMESTAMP", "DATETIME")]
    run(f"CREATE TABLE v (x {was} NOT NULL{key})", f"INSERT INTO v VALUES {values}")
    before = mk.capture(db, progress=SILENT)
    run(f"ALTER TABLE v MODIFY x {then} NOT NULL")
    comparison = mk.compare(before, mk.capture(db, like=before, progress=SILENT))
    assert comparison.columns.set_index("column")["content"].to_dict() == {"x": "retyped"}
    assert comparison.passed, comparison.errors


@pytest.mark.parametrize("key", [True, False], ids=["with a key", "without a key"])
def test_a_narrower_type_loses_fractions(db: Database, run: Run, key: bool) -> None:
    run(
        f"CREATE TABLE v (id INT {'PRIMARY KEY' if key else ''}, x DATETIME(6))",
        "INSERT INTO v VALUES (1, '2020-01-02 03:04:05.000001'), (2, '2020-01-02 03:04:05')",
    )
    before = mk.capture(db, progress=SILENT)
    run("ALTER TABLE v MODIFY x DATETIME")
    assert not mk.compare(before, mk.capture(db, like=before, progress=SILENT)).passed


@pytest.mark.parametrize("key", ["", " PRIMARY KEY"], ids=["without a key", "as the key"])
def test_zero_dates_and_partial_dates(db: Database, run: Run, key: str) -> None:
    run(f"CREATE TABLE v (x DATETIME(6) NOT NULL{key})", mode="")
    run("INSERT INTO v VALUES ('0000-00-00'), ('2020-00-00 00:00:00'), ('2020-01-00 00:00:00.5')", mode="")
    before = capture(db)
    assert compare(before, capture(db)).identical
    run("UPDATE v SET x = '0000-00-00 00:00:00.000001' WHERE x = '0000-00-00'", mode="")
    assert not compare(before, capture(db)).identical
    run("UPDATE v SET x = '0000-00-00' WHERE x = '0000-00-00 00:00:00.000001'", mode="")
    run("UPDATE v SET x = '2020-01-00 00:00:00' WHERE x = '2020-01-00 00:00:00.5'", mode="")
    assert not compare(before, capture(db)).identical


@pytest.mark.parametrize("key", ["a INT, x DATETIME(6)", "a INT, x DATETIME(6) PRIMARY KEY"])
def test_rows_one_by_one(db: Database, run: Run, make_database: MakeDatabase, key: str) -> None:
    one, other = instants("DATETIME(6)")
    statements = (f"CREATE TABLE v ({key})", f"INSERT INTO v VALUES (1, {one}), (2, {other})")
    run(*statements)
    copy = make_database(db.dialect.name)
    with copy.engine.begin() as connection:
        for statement in (*statements, "UPDATE v SET a = 3 - a"):
            connection.exec_driver_sql(statement)
    assert compare_rows(db, db, "v").identical
    found = compare_rows(db, copy, "v")
    assert (found.added, found.removed, found.changed) == ((0, 0, 2) if "PRIMARY" in key else (2, 2, 0))
