from __future__ import annotations

import re
import sys

import pandas as pd
import pytest

from migkit import frames
from migkit.display.figure import INK, figure_png, figure_svg
from migkit.display.lock_lanes import WEAK, merged_locks, strength
from migkit.display.lock_plot import alt_text_lock_durations, lock_durations
from migkit.display.plots import alt_text_row_count_diff, row_count_diff
from tests.display.markup import Markup, assert_harmless
from tests.display.samples import HOSTILE, at, locks, rows_of, statements, table_changes, waits

matplotlib = pytest.importorskip("matplotlib")


def row_svg(tables: pd.DataFrame) -> str:
    return figure_svg(row_count_diff(tables), alt_text_row_count_diff(tables))


def lock_svg(held: pd.DataFrame, created: frozenset[str] = frozenset()) -> str:
    figure = lock_durations(held, waits(), statements(), created)
    return figure_svg(figure, alt_text_lock_durations(held, waits(), created))


def test_alternative_texts_carry_the_numbers() -> None:
    assert "orders 500,000 → 499,000 (−1,000)" in alt_text_row_count_diff(table_changes())
    told = alt_text_lock_durations(locks(), waits())
    assert "AccessExclusiveLock on users for 177 ms, blocking reads and writes" in told
    assert "session 4711 waited 120 ms for users" in told


@pytest.mark.parametrize("draw", [lambda: row_svg(table_changes()), lambda: lock_svg(locks())])
def test_hostile_names_stay_text_in_the_drawing(draw: object) -> None:
    svg = draw()  # type: ignore[operator]
    markup = assert_harmless(svg)
    assert ("svg", "role", "img") in markup.attributes
    label = next(value for tag, name, value in markup.attributes if (tag, name) == ("svg", "aria-label"))
    assert "<script>alert(1)</script>" in (label or "")


def test_the_drawing_takes_the_ink_of_its_page() -> None:
    svg = row_svg(table_changes())
    assert svg.count(INK) == 1
    assert svg.startswith(f'<svg color="{INK}"')
    assert "currentColor" in svg


def test_a_dollar_sign_is_a_dollar_sign() -> None:
    tables = frames.TABLE_CHANGES.build([("public", "$x^2$", "unchanged", 1, 1, 0, "intact", None, None)])
    assert ">$x^2$</text>" in row_svg(tables)


def test_the_same_data_draws_the_same() -> None:
    assert row_svg(table_changes()) == row_svg(table_changes())
    assert lock_svg(locks()) == lock_svg(locks())


def test_changed_tables_come_first_and_of_many_only_the_largest() -> None:
    rows = [("public", f"t{number}", "unchanged", number, number, 0, "intact", None, None) for number in range(1, 500)]
    rows.append(("public", "tiny", "unchanged", 1, 2, 1, "appended", None, None))
    told = alt_text_row_count_diff(frames.TABLE_CHANGES.build(rows))
    assert told.startswith("Rows per table before and after: tiny 1 → 2 (+1); t499 499 unchanged")
    assert told.endswith("and 485 more tables.")


def test_nothing_to_draw_is_said() -> None:
    assert "There are no tables to compare." in Markup(row_svg(table_changes().head(0))).text
    figure = lock_durations(locks().head(0), waits().head(0), statements())
    assert "No lock on a relation was recorded." in Markup(figure_svg(figure, "x")).text


def test_locks_of_what_the_migration_made_are_left_out() -> None:
    text = Markup(lock_svg(locks(), frozenset({"profiles"}))).text
    assert "users" in text
    assert "profiles" not in text


def test_a_weaker_lock_under_a_stronger_one_is_left_out_but_a_longer_one_is_not() -> None:
    held = locks()
    assert "AccessShareLock" not in Markup(lock_svg(held)).text
    added = rows_of(frames.LOCKS, [("users", "RowShareLock", 2, at(0), at(900), 900.0, None, True)])
    longer = pd.concat([held, added], ignore_index=True)
    assert "RowShareLock" in Markup(lock_svg(longer)).text


def test_a_lock_taken_twice_in_one_transaction_counts_from_first_to_last() -> None:
    rows = [
        ("t", "ShareLock", 1, at(0), at(90), 90.0, "writes", True),
        ("t", "ShareLock", 2, at(50), at(90), 40.0, "writes", True),
    ]
    (merged,) = merged_locks(rows_of(frames.LOCKS, rows))
    assert merged["held_ms"] == 90.0


def test_a_lock_taken_in_one_transaction_after_the_other_is_held_once_in_each() -> None:
    batches = [("t", "WRITE", n, at(n * 200), at(n * 200 + 50 + n), 50.0 + n, "writes", True) for n in range(20)]
    held = rows_of(frames.LOCKS, batches)
    assert [row["held_ms"] for row in merged_locks(held)] == [69.0 - n for n in range(20)]
    assert "20 × at most 69 ms, WRITE" in Markup(lock_svg(held)).text


def test_locks_without_times_are_drawn_by_their_length() -> None:
    held = rows_of(frames.LOCKS, [("t", "metadata", 1, None, None, 12.0, "writes", False)])
    assert "about 12 ms, metadata" in Markup(lock_svg(held)).text


def test_pictures_are_small_and_pyplot_is_not_touched() -> None:
    png = figure_png(row_count_diff(table_changes()))
    assert png.startswith(b"\x89PNG")
    assert len(png) < 80_000
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_no_two_looks_differ_by_colour_alone() -> None:
    svg = lock_svg(locks())
    assert len(set(re.findall(r"url\(#(h\w+)\)", svg))) == 3  # strong, weaker, waiting


def test_every_hostile_name_can_be_drawn() -> None:
    rows = [("public", name, "unchanged", 1, 5, 4, "appended", None, None) for name in HOSTILE]
    figure_png(row_count_diff(frames.TABLE_CHANGES.build(rows)))


def test_a_notebook_shows_the_figure_with_its_words() -> None:
    data, metadata = row_count_diff(table_changes())._repr_mimebundle_()  # type: ignore[operator]
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == data["text/plain"] == alt_text_row_count_diff(table_changes())


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ("reads and writes", 0),
        ("writes", 1),
        ("writes (and reads while committing)", 1),
        ("nothing but schema changes", WEAK),
        (None, WEAK),
    ],
)
def test_strength_of_a_lock(blocks: str | None, expected: int) -> None:
    assert strength({"blocks": blocks}) == expected
