"""``compare_rows()``: which rows of a table differ between two databases, with both values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from migkit.database import Database
from migkit.dialects.base import TableContent
from migkit.errors import NotComparable
from migkit.progress import SILENT, Progress
from migkit.state.row_across import compare_across
from migkit.state.row_merge import RowDifference
from migkit.state.row_narrowing import FIRST_BITS, divided, key_shift, narrowed
from migkit.state.row_results import DEFAULT_LIMIT, Found, RowComparison, Values, assemble, kept_rows
from migkit.state.row_sides import Digests, Side, Sides, explained, opened, read_digests, row_differences
from migkit.state.row_targets import Matched, Target, find_target, match


def compare_rows(
    a: Database,
    b: Database,
    table: str,
    *,
    columns: Sequence[str] | None = None,
    key: Sequence[str] | None = None,
    limit: int = DEFAULT_LIMIT,
    across: bool = False,
    progress: Progress = SILENT,
) -> RowComparison:
    """Find the rows of a table that differ between two databases.

    Digests of the table's segments are computed inside both servers, and only the segments that differ are narrowed
    further, so that the work after one look at the whole table follows the number of differences.

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
        rows, as is done for tables without a key. One that is named must be unique in both tables.
    limit : int
        Rows whose values are fetched; all are counted.
    across : bool
        Compare the values themselves on this machine, in a form all engines have in common (a decimal equals a FLOAT
        or DOUBLE only with exactly its shortest digits). Every row is fetched: it takes many times as long.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    RowComparison
        What differs.

    Raises
    ------
    NotComparable
        If the engines differ, the tables have nothing in common, or a key that was named holds NULLs or is not unique.
    """
    if not across:
        _require_one_method(a, b)
    progress.begin(f"Comparing rows of {table}")
    try:
        if across:
            return compare_across(a, b, table, columns=columns, key=key, limit=limit)
        with opened(a, b) as (left, right):
            targets = find_target(a, left[0], table), find_target(b, right[0], table)
            matched = match(targets, (left, right), columns, key)
            sides = _sides(targets, matched, (left, right))
            found, whole = _compare(sides, limit, chosen_key=key is not None)
            rows = list(kept_rows(matched.columns, found, _kept_values(sides, found)))
    finally:
        progress.close()
    return assemble(targets, matched, found, rows, (whole[0].rows, whole[1].rows))


def _require_one_method(a: Database, b: Database) -> None:
    """Refuse databases whose digests mean different things."""
    if a.dialect.fingerprint_method != b.dialect.fingerprint_method:
        raise NotComparable(
            f"{a.server} and {b.server} do not digest rows alike",
            where=f"{a.name}, {b.name}",
            next_step="Compare their values with across=True (--across), which is slower.",
        )


def _sides(targets: tuple[Target, Target], matched: Matched, sessions: tuple[list[Any], list[Any]]) -> Sides:
    contents = [
        replace(
            target.content, key=matched.key, columns=tuple((name, target.columns[name][0]) for name in matched.columns)
        )
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


def _kept_values(sides: Sides, found: Found) -> tuple[Values, Values]:
    """Fetch the values of the rows that were kept."""
    one, other = (
        _values(side, [row for row in found.kept if row.change != only])
        for side, only in zip(sides, ("added", "removed"), strict=True)
    )
    return one, other


def _values(side: Side, wanted: Sequence[RowDifference]) -> Values:
    found: Values = defaultdict(list)
    if wanted:
        with explained(side.db):
            seeds = sorted({row.seed for row in wanted})
            for values in side.dialect.read_values(side.sessions[0], side.content, seeds):
                found[values.seed, values.key].append(values)
    if any((row.seed, row.key) not in found for row in wanted):
        raise NotComparable(
            f"A row of {side.content.table} was digested and then could not be found again",
            where=side.db.name,
            next_step="Its storage engine does not keep one instant; compare while nobody writes.",
        )
    return found
