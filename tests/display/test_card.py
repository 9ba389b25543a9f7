from __future__ import annotations

import pytest

from migkit import frames
from migkit.display.card import Card, Fact, Fold, card_html, card_text
from migkit.display.lines import table_lines
from tests.display.markup import assert_harmless
from tests.display.samples import HOSTILE, table_changes


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
