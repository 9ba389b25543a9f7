"""What comparing rows has found, and the result that people see."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd

from migkit import frames
from migkit.dialects.base import RowValues
from migkit.display.card import Card
from migkit.display.results import Drawn, row_comparison_card
from migkit.state.row_merge import Change, RowDifference
from migkit.state.row_targets import Matched, Target

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


Values = dict[tuple[int, tuple[str | None, ...]], list[RowValues]]
Cells = tuple[str | None, ...]


def kept_rows(columns: Sequence[str], found: Found, values: tuple[Values, Values]) -> Iterator[Cells]:
    """Write the differences that were kept, with the values of their rows."""
    for difference in found.kept:
        where = (difference.seed, difference.key)
        before = values[0][where][0] if difference.change != "added" else None
        after = values[1][where][0] if difference.change != "removed" else None
        yield from _difference_rows(columns, difference, before, after)


def _difference_rows(
    columns: Sequence[str], difference: RowDifference, before: RowValues | None, after: RowValues | None
) -> Iterator[Cells]:
    key = _key_text(difference.key)
    if before is None or after is None:
        yield difference.change, key, None, _whole(columns, before), _whole(columns, after)
        return
    for index in difference.columns:
        one, other = before.values[index], after.values[index]
        if one == other and before.kinds and after.kinds:
            one, other = f"{one} ({before.kinds[index]})", f"{other} ({after.kinds[index]})"
        yield difference.change, key, columns[index], one, other


def _key_text(key: tuple[str | None, ...]) -> str | None:
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
    rows: Iterable[Cells],
    counted: tuple[int, int],
    method: str = RowComparison.method,
) -> RowComparison:
    """Freeze what was found."""
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
        unchecked=frames.UNCHECKED.build(matched.unchecked),
        method=method,
    )
