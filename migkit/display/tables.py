"""Frames as HTML tables that need neither style nor script, and as text tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from migkit.display import units
from migkit.display.cells import cell_texts, header, is_number
from migkit.display.escape import escape, shorten, text_width

ROW_LIMIT = 20
CELL_LIMIT = 300
TEXT_CELL_LIMIT = 48


def frame_html(
    frame: pd.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    limit: int = ROW_LIMIT,
    caption: str | None = None,
) -> str:
    """Return a frame as an HTML table, every name and value escaped.

    Parameters
    ----------
    frame : pandas.DataFrame
        Any of the frames that results hand out.
    columns : sequence of str, optional
        The columns to show, in order; by default all of them.
    limit : int, default 20
        Rows shown; how many more there are is said in the last row.
    caption : str, optional
        What the table shows, for readers and screen readers.

    Returns
    -------
    str
        One ``<table>`` with scoped headers; it reads well without any style sheet.
    """
    names = list(columns if columns is not None else frame.columns)
    shown = frame.head(limit)
    numeric = [is_number(frame[name]) for name in names]
    head = "".join(_head_cell(header(name), number) for name, number in zip(names, numeric, strict=True))
    cells = [cell_texts(shown[name], name) for name in names]
    body = "".join(_row_html(row, numeric) for row in zip(*cells, strict=True))
    return (
        '<table class="mk-table">'
        + (f"<caption>{escape(caption)}</caption>" if caption else "")
        + f"<thead><tr>{head}</tr></thead><tbody>{body or _note_row('none', len(names))}</tbody>"
        + _more_html(len(frame) - len(shown), len(names))
        + "</table>"
    )


def _head_cell(text: str, number: bool) -> str:
    return f'<th scope="col"{_align(number)}>{escape(text)}</th>'


def _align(number: bool) -> str:
    return ' class="mk-number" style="text-align:right"' if number else ' style="text-align:left"'


def _row_html(row: Sequence[str], numeric: Sequence[bool]) -> str:
    first, *others = (_cut(text) for text in row)
    rest = zip(others, numeric[1:], strict=True)
    cells = "".join(f"<td{_align(number)}>{escape(text)}</td>" for text, number in rest)
    return f'<tr><th scope="row"{_align(numeric[0])}>{escape(first)}</th>{cells}</tr>'


def _cut(text: str) -> str:
    return text if len(text) <= CELL_LIMIT else shorten(text, CELL_LIMIT)


def _note_row(text: str, width: int) -> str:
    return f'<tr><td colspan="{max(width, 1)}" class="mk-quiet">{escape(text)}</td></tr>'


def _more_html(more: int, width: int) -> str:
    if more <= 0:
        return ""
    return f"<tfoot>{_note_row(f'and {units.count(more)} more', width)}</tfoot>"


def telling_columns(frame: pd.DataFrame, columns: Sequence[str] | None = None) -> list[str]:
    """Return the columns that say something about some row: the first, and those that are not missing throughout."""
    names = list(columns if columns is not None else frame.columns)
    return [name for number, name in enumerate(names) if number == 0 or frame[name].notna().any()]


def frame_text(
    frame: pd.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    limit: int = ROW_LIMIT,
    indent: str = "",
    cell_limit: int = TEXT_CELL_LIMIT,
) -> str:
    """Return a frame as an aligned text table.

    Parameters
    ----------
    frame : pandas.DataFrame
        Any of the frames that results hand out.
    columns : sequence of str, optional
        The columns to show, in order; by default all of them.
    limit : int, default 20
        Rows shown; how many more there are is said in the last line.
    indent : str, default ""
        What every line starts with.
    cell_limit : int, default 48
        Characters of a cell; the middle of longer ones is left out.

    Returns
    -------
    str
        Lines without a trailing line break.
    """
    names = list(columns if columns is not None else frame.columns)
    shown = frame.head(limit)
    table = [_text_column(shown, name, cell_limit) for name in names]
    widths = [max(map(text_width, column)) for column in table]
    numeric = [is_number(frame[name]) for name in names]
    lines = [
        "  ".join(_pad(text, width, number) for text, width, number in zip(row, widths, numeric, strict=True)).rstrip()
        for row in zip(*table, strict=True)
    ]
    more = len(frame) - len(shown)
    if more > 0:
        lines.append(f"and {units.count(more)} more")
    return "\n".join(indent + line for line in lines)


def _text_column(frame: pd.DataFrame, name: str, cell_limit: int) -> list[str]:
    return [header(name), *(shorten(text, cell_limit) for text in cell_texts(frame[name], name))]


def _pad(text: str, width: int, number: bool) -> str:
    space = " " * (width - text_width(text))
    return space + text if number else text + space
