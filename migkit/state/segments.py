"""Held side by side: the key segments of a table in two states, brought to a common width."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from migkit.frames import SEGMENTS
from migkit.framing import plain
from migkit.state.content import MODULUS
from migkit.state.snapshot import State, key_columns

TableName = tuple[str, str]
Verdict = Literal["intact", "changed", "unproven"]


class Cell(NamedTuple):
    """One column of one segment."""

    rows: int
    nulls: int
    total: int

    def plus(self, other: Cell) -> Cell:
        """Add the rows of another reading."""
        return Cell(self.rows + other.rows, self.nulls + other.nulls, (self.total + other.total) % MODULUS)


_NOTHING = Cell(0, 0, 0)


@dataclass(frozen=True)
class TableDigest:
    """The digests of one table, as a state holds them."""

    key: tuple[str, ...]
    shift: int | None
    beyond: str | None = None
    key_max: str | None = None
    columns: Mapping[str, Mapping[tuple[int, bool], Cell]] = field(default_factory=dict)

    def widened(self, shift: int | None) -> TableDigest:
        """Return the same digests in wider segments, by adding neighbours."""
        if shift is None or self.shift is None or shift == self.shift:
            return self
        step = shift - self.shift
        columns: dict[str, dict[tuple[int, bool], Cell]] = {}
        for column, cells in self.columns.items():
            wide: dict[tuple[int, bool], Cell] = {}
            for (segment, appended), cell in cells.items():
                wide[segment >> step, appended] = wide.get((segment >> step, appended), _NOTHING).plus(cell)
            columns[column] = dict(wide)
        return replace(self, shift=shift, columns=columns)

    def folded(self) -> TableDigest:
        """Return the same digests with appended rows counted like all others."""
        columns: dict[str, dict[tuple[int, bool], Cell]] = {}
        for column, cells in self.columns.items():
            folded: dict[tuple[int, bool], Cell] = {}
            for (segment, _), cell in cells.items():
                folded[segment, False] = folded.get((segment, False), _NOTHING).plus(cell)
            columns[column] = folded
        return replace(self, beyond=None, columns=columns)


def table_digests(state: State) -> dict[TableName, TableDigest]:
    """Arrange the segments of a state by table and column."""
    columns: dict[TableName, dict[str, dict[tuple[int, bool], Cell]]] = defaultdict(lambda: defaultdict(dict))
    cells = (plain(state.segments[name]) for name in SEGMENTS.names)
    for schema, table, segment, appended, column, rows, nulls, fingerprint in zip(*cells, strict=True):
        columns[schema, table][column][segment, bool(appended)] = Cell(rows, nulls, int(fingerprint, 16))
    heads = (plain(state.tables[name]) for name in ("schema", "table", "key", "shift", "beyond", "key_max", "rows"))
    return {
        (schema, table): TableDigest(key_columns(key), shift, beyond, key_max, columns.get((schema, table), {}))
        for schema, table, key, shift, beyond, key_max, rows in zip(*heads, strict=True)
        if rows is not None
    }


@dataclass(frozen=True)
class ColumnContent:
    """How the content of a column compares: the verdict, the segments it rests on, and all that differ at all."""

    verdict: Verdict
    segments: tuple[int, ...] = ()
    differing: tuple[int, ...] = ()


def compare_column(before: Mapping[tuple[int, bool], Cell], after: Mapping[tuple[int, bool], Cell]) -> ColumnContent:
    """Compare one column over the segments of both states; rows appended since are left aside.

    A segment with as many rows as before and another digest has *changed*. A segment that gained or lost rows cannot
    tell by its digest whether the other rows are intact: *unproven*, until rows are compared.
    """
    differing: list[int] = []
    changed: list[int] = []
    unproven: list[int] = []
    vanished: list[int] = []
    appeared = [number for number, appended in after if appended]
    segments = {number for number, appended in (*before, *after) if not appended}
    for number in sorted(segments):
        was, now = before.get((number, False), _NOTHING), after.get((number, False), _NOTHING)
        if was == now:
            continue
        differing.append(number)
        if was.rows == now.rows:
            changed.append(number)
        elif was.rows and now.rows:
            unproven.append(number)
        else:
            (vanished if was.rows else appeared).append(number)
    if vanished and appeared:
        # As many may have come as went, so the count of rows cannot tell.
        unproven = sorted({*unproven, *vanished})
    if changed:
        return ColumnContent("changed", tuple(changed), tuple(differing))
    if unproven:
        return ColumnContent("unproven", tuple(unproven), tuple(differing))
    return ColumnContent("intact", (), tuple(differing))


def appended_rows(digest: TableDigest) -> int:
    """Return the rows that were digested apart because their keys are beyond those of the state before."""
    cells = next(iter(digest.columns.values()), {})
    return sum(cell.rows for (_, appended), cell in cells.items() if appended)


def aligned(before: TableDigest, after: TableDigest) -> tuple[TableDigest, TableDigest]:
    """Bring two digests of a table to a common width, and to a common idea of which rows were appended."""
    shift = max((one.shift for one in (before, after) if one.shift is not None), default=None)
    if after.beyond is None or after.beyond != before.key_max:
        after = after.folded()
    return before.folded().widened(shift), after.widened(shift)


def comparable(before: TableDigest, after: TableDigest) -> bool:
    """Tell whether two digests tell rows apart by the same key, so that equal digests mean equal rows.

    Keys with other names are the same if their columns hold the same values.
    """
    if (before.shift is None) != (after.shift is None) and before.columns and after.columns:
        return False
    if before.key == after.key:
        return True
    if len(before.key) != len(after.key):
        return False
    old, new = aligned(before, after)
    return all(
        old.columns.get(one) and alike(old.columns[one], new.columns.get(other, {}))
        for one, other in zip(old.key, new.key, strict=True)
    )


def alike(before: Mapping[tuple[int, bool], Cell], after: Mapping[tuple[int, bool], Cell]) -> bool:
    """Tell whether two columns hold the same content: some segments are equal, and none contradicts that.

    A contradiction is a segment with as many rows as before and another digest; where rows came or went, digests say
    nothing.
    """
    equal = [number for number, cell in before.items() if cell.total and after.get(number) == cell]
    return bool(equal) and compare_column(before, after).verdict != "changed"


def describe_segments(digest: TableDigest, numbers: tuple[int, ...]) -> str:
    """Say which keys some segments hold, merging neighbours: ``id 1024..3071, 9216..10239``."""
    if not digest.key or not numbers:
        return ""
    if digest.shift is None:
        return f"{len(numbers)} of 16 slices of the key ({', '.join(digest.key)})"
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        low, high = number << digest.shift, ((number + 1) << digest.shift) - 1
        if ranges and ranges[-1][1] + 1 == low:
            ranges[-1] = (ranges[-1][0], high)
        else:
            ranges.append((low, high))
    shown = ", ".join(f"{low}" if low == high else f"{low}..{high}" for low, high in ranges[:4])
    more = f" and {len(ranges) - 4} more ranges" if len(ranges) > 4 else ""
    return f"{digest.key[0]} {shown}{more}"
