"""The panel over two states: choosing, filtering, sorting, and the rows that differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

import migkit as mk
from migkit.widgets.compare_panel import ComparePanel

HOSTILE = '<img src=x onerror="alert(1)">'
LONG = 60.0


def make(path: Path, *statements: str) -> str:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
    return f"sqlite:///{path}"


@pytest.fixture
def sides(tmp_path: Path) -> tuple[str, str]:
    quoted = HOSTILE.replace('"', '""')
    start = (
        "CREATE TABLE users (id integer PRIMARY KEY, name text)",
        "CREATE TABLE calm (id integer PRIMARY KEY)",
        f'CREATE TABLE "{quoted}" (id integer PRIMARY KEY)',
        "INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    )
    before = make(tmp_path / "before.db", *start)
    after = make(
        tmp_path / "after.db",
        *start,
        "UPDATE users SET name = 'B' WHERE id = 2",
        f'INSERT INTO "{quoted}" VALUES (7)',
        "CREATE TABLE fresh (id integer)",
    )
    return before, after


@pytest.fixture
def panel(sides: tuple[str, str]) -> Iterator[ComparePanel]:
    made = mk.compare_panel(*sides)
    yield made
    made.close()
    assert made.work.wait(LONG)


def test_it_lists_what_changed_and_filters(panel: ComparePanel) -> None:
    names = [value for _, value in panel.table.options]
    assert set(names) == {"", "users", HOSTILE, "fresh"}
    assert "calm" not in panel.list.value
    panel.only_changed.value = False
    assert "calm" in panel.list.value
    panel.filter.value = "USE"
    assert [value for _, value in panel.table.options] == ["", "users"]
    panel.filter.value = "no such table"
    assert "0 tables of 4" in panel.list.value


def test_names_are_text(panel: ComparePanel) -> None:
    panel.table.value = HOSTILE
    for part in (panel.head, panel.list, panel.detail):
        assert "<img" not in part.value
    assert "&lt;img" in panel.detail.value


def test_it_sorts(panel: ComparePanel) -> None:
    panel.only_changed.value = False
    panel.sort.value = "table"
    by_name = [value for _, value in panel.table.options][1:]
    assert by_name == sorted(by_name)
    panel.sort.value = "rows_after"
    assert panel.table.options[1][1] == "users"
    panel.sort.value = "diff"
    assert panel.table.options[1][1] in ("fresh", HOSTILE)


def test_it_goes_from_change_to_change(panel: ComparePanel) -> None:
    seen = []
    for _ in range(4):
        panel.next.click()
        seen.append(panel.table.value)
    assert set(seen[:3]) == {"users", HOSTILE, "fresh"}
    assert seen[3] == seen[0]
    panel.previous.click()
    assert panel.table.value == seen[2]


def test_rows_that_differ_are_shown_of_two_databases(panel: ComparePanel) -> None:
    panel.table.value = "fresh"
    assert panel.rows.disabled
    panel.table.value = "users"
    assert not panel.rows.disabled
    panel.rows.click()
    assert panel.work.wait(LONG)
    assert panel.result.changed == 1
    assert "1 row differs" in panel.live.value


def test_of_two_states_it_says_where_the_rows_lie(sides: tuple[str, str], tmp_path: Path) -> None:
    before = mk.capture(sides[0])
    after = mk.capture(sides[1]).save(tmp_path / "after.json")
    panel = mk.compare_panel(before, after)
    panel.table.value = "users"
    assert panel.rows.disabled
    assert "Column users.name: data changed" in panel.detail.value
    panel.rows.click()
    assert panel.result is None
    panel.close()


def test_states_that_are_alike_show_all_tables(sides: tuple[str, str]) -> None:
    state = mk.capture(sides[0])
    panel = mk.compare_panel(state, state)
    assert "identical" in panel.head.value
    assert len(panel.table.options) == 4
    panel.next.click()
    assert panel.table.value == ""
    panel.close()
