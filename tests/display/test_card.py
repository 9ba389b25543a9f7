from __future__ import annotations

import time
from collections.abc import Callable

import pytest

import migkit as mk
from migkit import frames
from migkit.display.card import Card, Fact, Fold, card_html, card_text
from migkit.display.lines import Line, table_lines
from tests.display.markup import assert_harmless
from tests.display.samples import HOSTILE, START, table_changes


@pytest.fixture
def card() -> Card:
    tables = table_changes()
    return Card(
        title=HOSTILE[1],
        sign="✗",
        verdict=f"failed {HOSTILE[2]}",
        figures=(Fact("Rows", "200,000", HOSTILE[0]), Fact(HOSTILE[8], "1"), Fact("Way back", "identical")),
        lines=tuple(table_lines(tables)),
        folds=(Fold(HOSTILE[1], tables, told=True),),
    )


def test_a_card_is_harmless_and_says_its_verdict_in_words(card: Card) -> None:
    markup = assert_harmless(card_html(card))
    assert "✗ <script>alert(1)</script>: failed <img src=x onerror=alert(1)>" in markup.text
    assert {"details", "summary", "table", "dl"} <= markup.tags


def test_a_card_uses_only_relative_colours_and_loads_nothing(card: Card) -> None:
    html = card_html(card)
    assert "http" not in html
    assert "url(" not in html
    assert "currentColor" in html


def test_a_card_reads_as_text(card: Card) -> None:
    text = card_text(card)
    assert text.startswith("✗ <script>alert(1)</script>: failed")
    assert "Rows: 200,000" in text
    assert "✗ Table old was removed (3 rows)" in text
    assert "\x1b" not in text


def test_a_card_of_5000_tables_stays_small() -> None:
    rows = [("public", f"t{number}", "unchanged", 1, 1, 0, "intact", None, None) for number in range(5000)]
    tables = frames.TABLE_CHANGES.build(rows)
    card = Card(
        "Comparison", "✓", "passed", lines=tuple(table_lines(tables)), folds=(Fold("Tables", tables),), noun="table"
    )
    html = card_html(card)
    assert len(html.encode()) < 100_000
    assert "and 4,980 more" in html
    assert "and 4,960 tables more" in html


def test_few_lines_are_shown_and_many_are_folded() -> None:
    few = card_html(Card("Run", "✓", "done", lines=(Line("✓", "Created table users"),)))
    assert "All 1" not in few
    many = card_html(
        Card("Run", "✗", "failed", lines=(*[Line("✓", f"Step {n}") for n in range(9)], Line("✗", "Broke")), noun="step")
    )
    assert many.index("Broke") < many.index("All 10 steps") < many.index("Step 0")


def test_a_state_and_a_comparison_of_5000_tables_are_small_and_quick() -> None:
    state = large_state()
    comparison = mk.compare(state, state)
    for result in (state, comparison):
        spent = min(cpu_seconds(result._repr_html_) for _ in range(3))
        assert spent < 0.2, f"{type(result).__name__} took {spent:.3f} s"
        assert len(result._repr_html_().encode()) < 100_000
    assert len(repr(comparison).encode()) < 100_000


def large_state() -> mk.State:
    names = [f"table_{number}" for number in range(5000)]
    tables = [{"schema": "main", "table": name, "kind": "table", "rows": 1} for name in names]
    columns = [
        {"schema": "main", "table": name, "column": column, "position": position, "type": "INTEGER", "nullable": True}
        for name in names
        for position, column in enumerate(("id", "a", "b", "c"))
    ]
    return mk.State(
        database="large",
        server="SQLite",
        engine="SQLite",
        captured_at=START,
        fingerprint_method="none",
        default_schema="main",
        tables=frames.TABLES.build(tables),
        columns=frames.COLUMNS.build(columns),
        constraints=frames.CONSTRAINTS.build([]),
        indexes=frames.INDEXES.build([]),
        objects=frames.OBJECTS.build([]),
        orphans=frames.ORPHANS.build([]),
        segments=frames.SEGMENTS.build([]),
        unchecked=frames.UNCHECKED.build([]),
    )


def cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
