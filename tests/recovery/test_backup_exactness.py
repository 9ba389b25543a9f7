"""What counts as exact: everything but what others move while a backup is made, and what restoring computes anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migkit.database import Database
from migkit.recovery.exactness import compare_restored
from migkit.state.capture import capture
from migkit.state.snapshot import State
from tests.faults.support import execute


def standing_at(state: State, value: str) -> State:
    """The state with all its counters at a value."""
    counting = state.objects["value"].notna()
    return replace(state, objects=state.objects.assign(value=state.objects["value"].mask(counting, value)))


@pytest.fixture
def counted(sqlite: Database) -> State:
    execute(sqlite, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)", "INSERT INTO t VALUES (5)")
    return capture(sqlite)


def test_a_counter_that_others_moved_meanwhile_is_noted(counted: State) -> None:
    found = compare_restored(standing_at(counted, "9"), standing_at(counted, "7"))
    assert found.exact
    assert any("7 in the dump, 9 a moment later" in note for note in found.notes)


def test_a_counter_behind_its_rows_is_a_difference(counted: State) -> None:
    found = compare_restored(standing_at(counted, "9"), standing_at(counted, "3"))
    assert found.differences == ("object t changed: value: 9 → 3",)


def test_rows_and_definitions_are_differences(sqlite: Database) -> None:
    execute(sqlite, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (5)")
    before = capture(sqlite)
    execute(sqlite, "INSERT INTO t VALUES (6)")
    assert compare_restored(before, capture(sqlite)).differences == ("rows of t: appended (1 before, 2 now)",)
    assert compare_restored(before, capture(sqlite), content=False).exact
    execute(sqlite, "CREATE TABLE u (id INTEGER)")
    assert not compare_restored(before, capture(sqlite), content=False).exact


def test_materialized_views_are_computed_anew(postgresql: Database) -> None:
    execute(postgresql, "CREATE TABLE t (id int PRIMARY KEY)", "CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM t")
    before = capture(postgresql)
    execute(postgresql, "INSERT INTO t VALUES (1)", "REFRESH MATERIALIZED VIEW v", "DELETE FROM t")
    found = compare_restored(before, capture(postgresql), dialect=postgresql.dialect)
    assert found.exact
    assert any("materialized view v" in note for note in found.notes)
