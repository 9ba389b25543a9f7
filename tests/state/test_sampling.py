"""States of huge tables: what a sample finds, what it says it did not look at, and that it never claims too much."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from migkit.database import Database
from migkit.state import sampling
from migkit.state.capture import capture
from migkit.state.comparison import Comparison, compare
from migkit.state.snapshot import State, load_state

ROWS = 3_000


@pytest.fixture(autouse=True)
def _small_tables_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "WHOLE_ROWS", 100)


def run(db: Database, *statements: str) -> None:
    with db.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def filled(db: Database, key: str = "id BIGINT PRIMARY KEY", value: str = "{}") -> Database:
    run(db, f"CREATE TABLE t ({key}, v INTEGER)", "CREATE TABLE small (id INTEGER PRIMARY KEY)")
    for start in range(1, ROWS, 500):
        cells = ", ".join(f"({value.format(number)}, {number % 7})" for number in range(start, start + 500))
        run(db, f"INSERT INTO t VALUES {cells}")
    run(db, "INSERT INTO small VALUES (1), (2)")
    return db


def unchecked(result: State | Comparison) -> set[str]:
    return set(result.unchecked["what"])


def rows(state: State, table: str) -> int | None:
    cell = state.tables.loc[state.tables["table"] == table, "rows"].item()
    return None if pd.isna(cell) else int(cell)


@pytest.mark.parametrize(("key", "value"), [("id BIGINT PRIMARY KEY", "{}"), ("id VARCHAR(20) PRIMARY KEY", "'k{}'")])
def test_two_samples_read_the_same_rows(db: Database, key: str, value: str) -> None:
    filled(db, key, value)
    before = capture(db, rows="sample", seed=7)
    read = before.segments[(before.segments["table"] == "t") & (before.segments["column"] == "v")]
    assert 0 < read["rows"].sum() < ROWS / 4
    assert rows(before, "t") == ROWS
    assert "rows of t outside the sample" in unchecked(before)
    assert "rows of small outside the sample" not in unchecked(before)
    comparison = compare(before, capture(db, like=before))
    assert comparison.passed, comparison.errors
    assert not comparison.identical
    assert "rows of t outside the sample" in unchecked(comparison)
    assert comparison.tables.set_index("table")["content"].to_dict() == {"t": "sampled", "small": "intact"}
    assert "data sampled" in str(comparison)
    assert "passed as far as rows were read" in str(comparison)


def test_a_change_of_all_rows_is_found(db: Database) -> None:
    before = capture(filled(db), rows="sample")
    run(db, "UPDATE t SET v = v + 1")
    comparison = compare(before, capture(db, like=before))
    assert {finding.id for finding in comparison.judgement} >= {"data-changed"}


def test_lost_rows_are_counted_also_outside_the_sample(db: Database) -> None:
    before = capture(filled(db), rows="sample")
    run(db, "DELETE FROM t WHERE id = 17")
    comparison = compare(before, capture(db, like=before))
    assert not comparison.passed
    assert comparison.row_count_diff == -1


def test_rows_added_beyond_the_sample_pass(db: Database) -> None:
    before = capture(filled(db), rows="sample")
    run(db, "INSERT INTO t VALUES (1000000, 1)")
    comparison = compare(before, capture(db, like=before))
    assert comparison.passed, comparison.errors
    assert comparison.row_count_diff == 1


def test_another_seed_reads_other_rows_and_compares_nothing(sqlite: Database) -> None:
    filled(sqlite)
    one, other = capture(sqlite, rows="sample", seed=1), capture(sqlite, rows="sample", seed=2)
    run(sqlite, "UPDATE t SET v = 0")
    comparison = compare(one, other)
    assert not comparison.identical
    assert comparison.columns.query("table == 't'")["content"].tolist() == ["not compared"] * 2
    assert ("rows of t", "the two states did not read the same rows") in set(
        zip(comparison.unchecked["what"], comparison.unchecked["why"], strict=True)
    )
    against_all = compare(one, capture(sqlite))
    assert not against_all.identical
    assert "rows of t" in unchecked(against_all)


def test_a_sample_is_kept_in_the_file(sqlite: Database, tmp_path: Path) -> None:
    before = capture(filled(sqlite), rows="sample", seed=5)
    again = load_state(before.save(tmp_path / "state.json"))
    assert (again.rows, again.seed) == ("sample", 5)
    comparison = compare(again, capture(sqlite, like=again))
    assert comparison.tables.query("table == 't'")["content"].item() == "sampled"


def test_an_estimate_reads_no_rows(db: Database, engine_name: str) -> None:
    before = capture(filled(db), rows="estimate")
    assert rows(before, "t") is None
    assert before.segments.empty
    assert unchecked(before) >= {"rows of t", "rows of small"}
    run(db, "UPDATE t SET v = 0")
    comparison = compare(before, capture(db, like=before))
    assert comparison.passed, comparison.errors
    assert not comparison.identical
    assert unchecked(comparison) >= {"rows of t", "rows of small"}
    assert "⚠" in str(comparison).splitlines()[0]
    assert "passed as far as rows were read" in str(comparison)
    assert "rows: not counted" in str(before)
    assert "rows: not counted" in str(comparison)
    estimate = before.tables.loc[before.tables["table"] == "t", "rows_estimated"].item()
    if engine_name in ("mysql", "mariadb"):
        # The server works it out now and then, from a few pages.
        assert estimate > 0


@pytest.mark.parametrize(("first", "second"), [("exact", "estimate"), ("estimate", "exact")])
def test_rows_that_one_state_did_not_count_are_neither_lost_nor_added(
    sqlite: Database, first: str, second: str
) -> None:
    filled(sqlite)
    comparison = compare(capture(sqlite, rows=first), capture(sqlite, rows=second))
    assert comparison.tables["rows_diff"].isna().all()
    assert "rows-lost" not in set(comparison.findings["id"])
    assert not comparison.passed
    assert "rows of t" in unchecked(comparison)


def test_an_estimate_still_finds_what_the_schema_lost(db: Database) -> None:
    before = capture(filled(db), rows="estimate")
    run(db, "DROP TABLE small")
    assert not compare(before, capture(db, like=before)).passed


def test_exact_is_what_nobody_asked_otherwise(sqlite: Database) -> None:
    state = capture(filled(sqlite))
    assert state.rows == "exact"
    assert state.tables["sample"].isna().all()
    assert compare(state, capture(sqlite)).identical
