from __future__ import annotations

from migkit import frames
from migkit.display.tables import frame_html, frame_text
from tests.display.markup import assert_harmless
from tests.display.samples import HOSTILE, table_changes


def test_hostile_names_are_text() -> None:
    markup = assert_harmless(frame_html(table_changes(), caption="<script>"))
    assert "<script>alert(1)</script>" in markup.text
    assert 'order"; drop table x;--' in markup.text


def test_headers_are_scoped_and_numbers_flush_right_without_a_style_sheet() -> None:
    html = frame_html(table_changes(), columns=["table", "rows_before"], caption="Rows")
    assert "<caption>Rows</caption>" in html
    assert '<th scope="col" style="text-align:left">table</th>' in html
    assert '<th scope="row" style="text-align:left">users</th>' in html
    assert 'style="text-align:right">500,000</td>' in html


def test_units_are_in_the_cells_not_in_the_head() -> None:
    frame = frames.TABLES.build([{"schema": "s", "table": "t", "rows": 1_000_000, "size_bytes": 2_500_000}])
    text = frame_text(frame, columns=["table", "rows", "size_bytes"])
    assert text.split("\n") == ["table       rows    size", "t      1,000,000  2.5 MB"]


def test_missing_values_and_flags_are_words() -> None:
    frame = frames.CHECKS.build([("a", True, None, None), ("b", None, "x", "y")])
    lines = frame_text(frame).split("\n")
    assert lines[1].split() == ["a", "yes", "–", "–"]
    assert lines[2].split() == ["b", "–", "x", "y"]


def test_what_is_left_out_is_said() -> None:
    frame = frames.UNCHECKED.build((f"thing {number}", "why") for number in range(5000))
    assert "and 4,980 more" in frame_html(frame)
    assert frame_text(frame).endswith("and 4,980 more")
    assert "more" not in frame_html(frame.head(20))


def test_an_empty_frame_says_none() -> None:
    assert "none" in assert_harmless(frame_html(frames.FINDINGS.build([]))).text


def test_text_columns_line_up_for_wide_characters() -> None:
    frame = frames.UNCHECKED.build([("漢字", "x"), ("abcd", "y")])
    assert frame_text(frame).split("\n")[1:] == ["漢字  x", "abcd  y"]


def test_text_carries_no_control_characters() -> None:
    assert "\x1b" not in frame_text(table_changes(), limit=100)
    assert all(name in frame_text(table_changes(), limit=100) for name in HOSTILE[:2])
