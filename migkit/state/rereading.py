"""Columns of another type than before, read once more in the form of the type they had.

Digests are the same for the same value of related types (``int`` and ``bigint``, ``varchar`` and ``text``) as they are.
Others need to be read in another way to be compared: a timestamp that got a time zone, say, as the wall clock shows it
in the zone of the database. Nothing is read twice unless a column has another type than before and another digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from migkit.dialects.base import Dialect, TableContent
from migkit.framing import plain
from migkit.state.content import ContentTotals, digest
from migkit.state.segments import Cell, TableDigest, TableName, aligned, table_digests
from migkit.state.snapshot import State

Totals = dict[TableName, ContentTotals]
# Reads the rows of these tables once more.
ReadAgain = Callable[[Sequence[TableContent]], Mapping[TableName, ContentTotals]]


def read_as_before(dialect: Dialect, totals: Totals, like: State, read_again: ReadAgain) -> None:
    """Read retyped columns in the form of their earlier type, and keep what then agrees with the earlier state.

    Parameters
    ----------
    dialect : Dialect
        Knows in which other forms a type can be read.
    totals : dict
        What was read, by table; changed where another reading agrees better.
    like : State
        The earlier state.
    read_again : callable
        Reads tables once more, in the snapshot that everything else was read in.
    """
    earlier = _Earlier(like)
    tried = 0
    while True:
        contents = [
            content
            for name, one in totals.items()
            if (content := _other(dialect, earlier, name, one, tried)) is not None
        ]
        if not contents:
            return
        for name, again in read_again(contents).items():
            _adopt(earlier, name, totals[name], again)
        tried += 1


class _Earlier:
    """The earlier state: how each column was read, and what that gave."""

    def __init__(self, like: State) -> None:
        cells = (plain(like.columns[name]) for name in ("schema", "table", "column", "read_as"))
        self.forms = {(schema, table, column): form for schema, table, column, form in zip(*cells, strict=True)}
        self._like = like
        heads = (plain(like.tables[name]) for name in ("schema", "table", "row_fingerprint"))
        self.row_sums = {(schema, table): text for schema, table, text in zip(*heads, strict=True)}

    @cached_property
    def digests(self) -> dict[TableName, TableDigest]:
        """The digests by table; arranging them takes a while, and few captures need them."""
        return table_digests(self._like)


def _other(
    dialect: Dialect, earlier: _Earlier, name: TableName, totals: ContentTotals, tried: int
) -> TableContent | None:
    """Return what to read in the next other form; ``None`` if there is none left that was not tried."""
    content, forms = totals.content, {}
    for column, form in content.columns:
        before = earlier.forms.get((*name, column))
        others = dialect.other_forms(before, form) if before not in (None, form) and column not in content.key else ()
        if tried < len(others):
            forms[column] = others[tried]
    if not forms:
        return None
    was = earlier.digests.get(name)
    if was is None or was.key != content.key:
        return None
    forms = {column: form for column, form in forms.items() if not _agrees(was, totals, column)}
    if not forms:
        return None
    # Rows without a key are told apart by all of their columns.
    read = [one for one in content.columns if not content.key or one[0] in forms or one[0] in content.key]
    return replace(content, columns=tuple((column, forms.get(column, form)) for column, form in read))


def _adopt(earlier: _Earlier, name: TableName, totals: ContentTotals, again: ContentTotals) -> None:
    if not totals.content.key:
        if digest(again.row_sum) == earlier.row_sums.get(name):
            totals.content, totals.segments, totals.row_sum = again.content, again.segments, again.row_sum
        return
    was, forms = earlier.digests[name], dict(totals.content.columns)
    for column, form in again.content.columns:
        if form != forms[column] and _agreeing(was, again, column) > _agreeing(was, totals, column):
            forms[column] = form
            for number, segment in totals.segments.items():
                segment.sums[column] = again.segments[number].sums[column]
    totals.content = replace(totals.content, columns=tuple(forms.items()))


def _agrees(was: TableDigest, totals: ContentTotals, column: str) -> bool:
    before, now = _cells(was, totals, column)
    return before == {number: cell for number, cell in now.items() if not number[1]}


def _agreeing(was: TableDigest, totals: ContentTotals, column: str) -> int:
    """Return in how many segments a column has the digest it had."""
    before, now = _cells(was, totals, column)
    return sum(now.get(number) == cell for number, cell in before.items() if cell.total)


def _cells(
    was: TableDigest, totals: ContentTotals, column: str
) -> tuple[Mapping[tuple[int, bool], Cell], Mapping[tuple[int, bool], Cell]]:
    cells = {}
    for number, segment in totals.segments.items():
        present, total = segment.sums.get(column, (0, 0))
        cells[number] = Cell(segment.rows, segment.rows - present, total)
    content = totals.content
    beyond = None if content.beyond is None else str(content.beyond)
    now = TableDigest(content.key, content.shift, beyond, None, {column: cells})
    old, new = aligned(replace(was, columns={column: was.columns.get(column, {})}), now)
    return old.columns[column], new.columns[column]
