"""``compare_rows()``: which rows of a table differ between two databases, with both values."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from migkit import frames
from migkit.database import Database
from migkit.dialects.base import Row, RowValues, TableContent
from migkit.display.card import Card
from migkit.display.results import Drawn, row_comparison_card
from migkit.errors import NotComparable
from migkit.progress import SILENT, Progress
from migkit.state.row_merge import Change, RowDifference
from migkit.state.row_narrowing import FIRST_BITS, divided, key_shift, narrowed
from migkit.state.row_sides import Digests, Side, Sides, explained, opened, read_digests, row_differences
from migkit.state.row_targets import Matched, Target, find_target, match

DEFAULT_LIMIT = 1_000


@dataclass(frozen=True, eq=False, repr=False)
class RowComparison(Drawn):
    """Which rows of a table differ between two databases.

    Attributes
    ----------
    a, b : str
        The databases.
    table : str
        The table.
    key : tuple of str
        The columns rows were told apart by; empty where whole rows were compared.
    columns : tuple of str
        The columns that were compared.
    rows_a, rows_b : int
        Rows of each side.
    added, removed, changed : int
        Rows that only `b` has, rows that only `a` has, and rows whose values differ. A table without a key has no
        changed rows: one is removed, the other added.
    changed_by_column : dict of str to int
        Rows whose value differs, by column.
    rows : pandas.DataFrame
        The differences (:data:`migkit.frames.ROW_DIFFERENCES`), of as many rows as the limit allowed.
    unchecked : pandas.DataFrame
        What was not compared (:data:`migkit.frames.UNCHECKED`).
    method : str
        How values were compared.
    """

    a: str
    b: str
    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    rows_a: int
    rows_b: int
    added: int
    removed: int
    changed: int
    changed_by_column: dict[str, int]
    rows: pd.DataFrame = field(repr=False)
    unchecked: pd.DataFrame = field(repr=False)
    method: str = "digests computed inside the servers"

    @property
    def differences(self) -> int:
        """Rows that differ in what was compared."""
        return self.added + self.removed + self.changed

    @property
    def identical(self) -> bool:
        """Every row of either side is on the other, and no column was left out unless by choice."""
        return not self.differences and self.unchecked.empty

    def card(self) -> Card:
        """Return what the comparison shows of itself."""
        return row_comparison_card(self)


@dataclass
class Found:
    """The differences found so far: all of them counted, the first ones kept."""

    limit: int
    counts: dict[Change, int] = field(default_factory=lambda: {"added": 0, "removed": 0, "changed": 0})
    by_column: dict[int, int] = field(default_factory=dict)
    kept: list[RowDifference] = field(default_factory=list)

    def add(self, differences: Iterable[RowDifference]) -> None:
        """Count differences."""
        for difference in differences:
            self.counts[difference.change] += 1
            for column in difference.columns:
                self.by_column[column] = self.by_column.get(column, 0) + 1
            if len(self.kept) < self.limit:
                self.kept.append(difference)

    @property
    def total(self) -> int:
        """Rows that differ."""
        return sum(self.counts.values())


def compare_rows(
    a: Database,
    b: Database,
    table: str,
    *,
    columns: Sequence[str] | None = None,
    key: Sequence[str] | None = None,
    limit: int = DEFAULT_LIMIT,
    progress: Progress = SILENT,
) -> RowComparison:
    """Find the rows of a table that differ between two databases of one engine.

    Parameters
    ----------
    a, b : Database
        The databases; only read, each at one instant.
    table : str
        The table; ``schema.table`` outside the default schema.
    columns : sequence of str, optional
        Compare only these; by default all that both tables have.
    key : sequence of str, optional
        Tell rows apart by these columns; by default the key of the table in `a`, else in `b`. Empty to compare whole
        rows, as is done for tables without a key.
    limit : int
        Rows whose values are fetched; all are counted.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    RowComparison
        What differs.

    Raises
    ------
    NotComparable
        If the databases are of different engines, or the tables have nothing in common.
    """
    require_one_method(a, b)
    progress.begin(f"Comparing rows of {table}")
    try:
        with opened(a, b) as (left, right):
            targets = find_target(a, left[0], table), find_target(b, right[0], table)
            matched = match(*targets, columns, key)
            sides = _sides(targets, matched, (left, right))
            found, whole = _compare(sides, limit, chosen_key=key is not None)
            rows = list(_rows(sides, matched, found))
    finally:
        progress.close()
    return assemble(targets, matched, found, rows, (whole[0].rows, whole[1].rows))


def require_one_method(a: Database, b: Database) -> None:
    """Refuse databases whose digests mean different things."""
    if a.dialect.fingerprint_method != b.dialect.fingerprint_method:
        raise NotComparable(
            f"{a.server} and {b.server} do not digest rows alike",
            where=f"{a.name}, {b.name}",
            next_step="Compare their values with across=True (--across), which is slower.",
        )


def _sides(targets: tuple[Target, Target], matched: Matched, sessions: tuple[list[Any], list[Any]]) -> Sides:
    contents = [
        replace(target.content, key=matched.key, columns=tuple((name, target.columns[name][0]) for name in matched.columns))
        for target in targets
    ]
    shift = _common_shift(targets, contents, sessions)
    one, other = (
        Side(target.db, opened_sessions, replace(content, shift=shift))
        for target, opened_sessions, content in zip(targets, sessions, contents, strict=True)
    )
    return one, other


def _common_shift(
    targets: tuple[Target, Target], contents: Sequence[TableContent], sessions: tuple[list[Any], list[Any]]
) -> int | None:
    """Return the width of the first segments; ``None`` where a side's key is no integer."""
    ranges = []
    for target, content, (session, *_) in zip(targets, contents, sessions, strict=True):
        with explained(target.db):
            bounds = target.db.dialect.integer_key_range(session, content) if content.key else None
        if bounds is not None:
            ranges.append(bounds)
        elif content.pages != 0:
            return None
    return key_shift(min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None


def _compare(sides: Sides, limit: int, *, chosen_key: bool) -> tuple[Found, tuple[Digests, Digests]]:
    one, other = (divided(side.content, side.content.shift, FIRST_BITS) for side in sides)
    whole = read_digests(sides, (one, other))
    if chosen_key:
        _require_whole_keys(sides, whole)
    found = Found(limit)
    for part in narrowed(sides, whole, ()):
        found.add(row_differences(sides, part))
    return found, whole


def _require_whole_keys(sides: Sides, whole: tuple[Digests, Digests]) -> None:
    for side, digests in zip(sides, whole, strict=True):
        total = digests.total()
        for index, name in enumerate(side.content.key):
            if total[2 + 2 * index] != total[0]:
                raise NotComparable(
                    f"{name} is NULL in some rows, which cannot be told apart by it",
                    where=side.db.name,
                    next_step="Name another key, or compare whole rows with an empty one.",
                )


# --- values ---------------------------------------------------------------------------------------------------------


def _rows(sides: Sides, matched: Matched, found: Found) -> Iterator[tuple[str | None, ...]]:
    """Fetch the values of the rows that were kept."""
    needed_a = [one.seed for one in found.kept if one.change != "added"]
    needed_b = [one.seed for one in found.kept if one.change != "removed"]
    values_a, values_b = _values(sides[0], needed_a), _values(sides[1], needed_b)
    for difference in found.kept:
        where = (difference.seed, difference.key)
        before = _take(values_a, where, sides[0]) if difference.change != "added" else None
        after = _take(values_b, where, sides[1]) if difference.change != "removed" else None
        yield from difference_rows(matched.columns, difference, before, after)


Values = dict[tuple[int, tuple[str | None, ...]], list[RowValues]]


def _values(side: Side, seeds: Sequence[int]) -> Values:
    found: Values = defaultdict(list)
    if seeds:
        with explained(side.db):
            for row in side.dialect.read_values(side.sessions[0], side.content, sorted(set(seeds))):
                found[row.seed, row.key].append(row)
    return found


def _take(values: Values, where: tuple[int, tuple[str | None, ...]], side: Side) -> RowValues:
    rows = values.get(where)
    if not rows:
        raise NotComparable(
            f"A row of {side.content.table} was digested and then could not be found again",
            where=side.db.name,
            next_step="Its table is not kept at one instant (another storage engine); compare when it is at rest.",
        )
    return rows[0]


def difference_rows(
    columns: Sequence[str], difference: RowDifference, before: RowValues | None, after: RowValues | None
) -> Iterator[tuple[str | None, ...]]:
    """Write one difference as rows of the frame."""
    key = key_text(difference.key)
    if before is None or after is None:
        yield difference.change, key, None, _whole(columns, before), _whole(columns, after)
        return
    for index in difference.columns:
        one, other = before.values[index], after.values[index]
        if one == other and before.kinds and after.kinds:
            one, other = f"{one} ({before.kinds[index]})", f"{other} ({after.kinds[index]})"
        yield difference.change, key, columns[index], one, other


def key_text(key: tuple[str | None, ...]) -> str | None:
    """Write a key as one text."""
    if len(key) == 1:
        return key[0]
    return json.dumps(key, ensure_ascii=False) if key else None


def _whole(columns: Sequence[str], row: RowValues | None) -> str | None:
    return None if row is None else json.dumps(dict(zip(columns, row.values, strict=True)), ensure_ascii=False)


def assemble(
    targets: tuple[Target, Target],
    matched: Matched,
    found: Found,
    rows: list[tuple[str | None, ...]],
    counted: tuple[int, int],
    method: str = RowComparison.method,
) -> RowComparison:
    """Freeze what was found."""
    unchecked: list[Row] = list(matched.unchecked)
    return RowComparison(
        a=targets[0].db.name,
        b=targets[1].db.name,
        table=targets[0].name[1],
        key=matched.key,
        columns=matched.columns,
        rows_a=counted[0],
        rows_b=counted[1],
        added=found.counts["added"],
        removed=found.counts["removed"],
        changed=found.counts["changed"],
        changed_by_column={matched.columns[index]: rows for index, rows in sorted(found.by_column.items())},
        rows=frames.ROW_DIFFERENCES.build(rows),
        unchecked=frames.UNCHECKED.build(unchecked),
        method=method,
    )
