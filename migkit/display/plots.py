"""Plots of results as ``Figure`` objects, each with its alternative text made from the same data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from migkit import frames
from migkit.display import units
from migkit.display.escape import clean_line, shorten
from migkit.display.figure import BLUE, GREEN, INK, VERMILLION, drawing, new_figure, sentence_figure, write
from migkit.display.lines import Row, qualified

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TABLE_LIMIT = 15
WIDE_RANGE = 200  # beyond this ratio of the largest to the smallest count, a linear axis hides the small ones

_NAME_LENGTH = 26


def row_count_diff(tables: pd.DataFrame) -> Figure:
    """Draw the rows of every table before and after.

    Parameters
    ----------
    tables : pandas.DataFrame
        :data:`migkit.frames.TABLE_CHANGES`.

    Returns
    -------
    matplotlib.figure.Figure
        A hollow ring for before, a filled mark for after, the numbers beside them. Changed tables come first; of
        many, the largest.
    """
    rows = _plotted_tables(tables)
    with drawing():
        if not rows:
            return sentence_figure("There are no tables to compare.")
        figure, axes = new_figure(0.62 + 0.27 * len(rows))
        figure.set_label(alt_text_row_count_diff(tables))
        inches = float(figure.get_size_inches()[1])
        axes.set_position((0.24, 0.50 / inches, 0.38, 1 - 0.60 / inches))
        _scale_rows(axes, rows)
        for lane, row in enumerate(rows):
            _draw_table(axes, lane, row)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("rows   ○ before   ● after", labelpad=4)
        return figure


def _plotted_tables(tables: pd.DataFrame) -> list[Row]:
    rows: list[Row] = [row for row in frames.TABLE_CHANGES.rows(tables) if _largest(row) is not None]
    ranked = sorted(rows, key=lambda row: (_rows_moved(row) == 0, -(_largest(row) or 0)))
    return ranked[:TABLE_LIMIT]


def _largest(row: Row) -> int | None:
    known: list[int] = [row[name] for name in ("rows_before", "rows_after") if row[name] is not None]
    return max(known, default=None)


def _rows_moved(row: Row) -> int:
    if row["change"] in ("added", "removed"):
        return max(1, _largest(row) or 0)
    before, after = row["rows_before"] or 0, row["rows_after"] or 0
    return abs(int(after) - int(before))


def _scale_rows(axes: Axes, rows: Sequence[Row]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    numbers = [number for row in rows for number in (row["rows_before"], row["rows_after"]) if number]
    largest, smallest = max(numbers, default=1), min(numbers, default=1)
    if largest / smallest > WIDE_RANGE:
        axes.set_xscale("symlog", linthresh=1)
        decades = len(str(largest))
        axes.set_xticks([0, *(10**power for power in range(0, decades + 1, max(1, decades // 3)))])
        axes.set_xlim(-0.35, largest * 2.2)
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.set_xlim(-0.03 * largest, largest * 1.06)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _compact(value)))
    axes.grid(axis="x", color=INK, alpha=0.18, linewidth=0.6)
    axes.set_axisbelow(True)


def _compact(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _draw_table(axes: Axes, lane: int, row: Row) -> None:
    before, after = row["rows_before"], row["rows_after"]
    moved = _rows_moved(row) > 0
    colour = _colour(row) if moved else INK
    if before is not None and after is not None and before != after:
        axes.plot([before, after], [lane, lane], color=colour, linewidth=2.4, solid_capstyle="butt", zorder=2)
    if before is not None:
        axes.plot(before, lane, marker="o", markersize=8, fillstyle="none", color=colour, markeredgewidth=1.3, zorder=3)
    if after is not None:
        axes.plot(after, lane, marker="o" if moved else ".", markersize=5, color=colour, zorder=4)
    label = shorten(qualified(row["schema"], row["table"]), _NAME_LENGTH)
    weight = "bold" if moved else "normal"
    write(axes, label, (0, lane), (-10, 0), "fraction data", ha="right", va="center")
    write(axes, _row_words(row), (1, lane), (10, 0), "fraction data", va="center", weight=weight)


def _colour(row: Row) -> str:
    if row["change"] == "removed" or (row["rows_after"] or 0) < (row["rows_before"] or 0):
        return VERMILLION
    return GREEN if row["change"] == "added" else BLUE


def _or_empty(number: int | None) -> str:
    return "rows not counted" if number is None else units.plural(number, "row") if number else "empty"


def _row_words(row: Row) -> str:
    before, after = row["rows_before"], row["rows_after"]
    if row["change"] == "added":
        return f"new, {_or_empty(after)}"
    if row["change"] == "removed":
        return f"{units.count(before)} → gone"
    if before == after:
        return f"{units.count(after)} unchanged" if after else "empty, unchanged"
    difference = after - before if before is not None and after is not None else None
    return f"{units.count(before)} → {units.count(after)} ({units.signed(difference)})"


def alt_text_row_count_diff(tables: pd.DataFrame) -> str:
    """Return what :func:`row_count_diff` shows, in words."""
    rows = _plotted_tables(tables)
    if not rows:
        return "No tables to compare."
    told = "; ".join(f"{qualified(row['schema'], row['table'])} {_row_words(row)}" for row in rows)
    left = len(tables) - len(rows)
    more = f"; and {units.plural(left, 'more table')}." if left else "."
    return clean_line(f"Rows per table before and after: {told}{more}")
