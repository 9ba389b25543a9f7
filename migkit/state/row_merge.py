"""Rows of one table in two databases, one by one: a merge of two streams ordered by seed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Literal, NamedTuple

from migkit.dialects.base import RowDigest

Change = Literal["added", "removed", "changed"]


class RowDifference(NamedTuple):
    """One row that differs.

    Parameters
    ----------
    change : {"added", "removed", "changed"}
        Only the right has it, only the left has it, or both have it with other values.
    seed : int
        The number by which it is found again.
    key : tuple of str
        Its key as text; empty for a table without a key.
    columns : tuple of int
        Which columns differ, by position; empty for rows added and removed.
    """

    change: Change
    seed: int
    key: tuple[str | None, ...]
    columns: tuple[int, ...] = ()


def merge(left: Iterator[RowDigest], right: Iterator[RowDigest]) -> Iterator[RowDifference]:
    """Find the rows that differ.

    Parameters
    ----------
    left, right : iterator of RowDigest
        The rows of each database, ordered by seed.

    Yields
    ------
    RowDifference
        Every row that differs, in the order of its seed.
    """
    one, other = next(left, None), next(right, None)
    while one is not None and other is not None:
        if one[0] < other[0]:
            yield _removed(one)
            one = next(left, None)
        elif other[0] < one[0]:
            yield _added(other)
            other = next(right, None)
        else:
            after_one, after_other = next(left, None), next(right, None)
            if _is_shared(one, after_one) or _is_shared(other, after_other) or one[1] != other[1]:
                lefts, after_one = _group(one, after_one, left)
                rights, after_other = _group(other, after_other, right)
                yield from _same_seed(lefts, rights)
            elif one[2] != other[2]:
                yield _changed(one, other)
            one, other = after_one, after_other
    yield from map(_removed, _rest(one, left))
    yield from map(_added, _rest(other, right))


def _removed(row: RowDigest) -> RowDifference:
    return RowDifference("removed", row.seed, row.key)


def _added(row: RowDigest) -> RowDifference:
    return RowDifference("added", row.seed, row.key)


def _changed(one: RowDigest, other: RowDigest) -> RowDifference:
    pairs = enumerate(zip(one.digests, other.digests, strict=True))
    return RowDifference("changed", one.seed, one.key, tuple(index for index, (was, now) in pairs if was != now))


def _rest(first: RowDigest | None, rows: Iterator[RowDigest]) -> Iterator[RowDigest]:
    return iter(()) if first is None else chain((first,), rows)


def _is_shared(row: RowDigest, after: RowDigest | None) -> bool:
    return after is not None and after[0] == row[0]


def _group(
    first: RowDigest, after: RowDigest | None, rows: Iterator[RowDigest]
) -> tuple[list[RowDigest], RowDigest | None]:
    """Collect the rows of one seed; nearly always there is one."""
    group = [first]
    while after is not None and after[0] == first[0]:
        group.append(after)
        after = next(rows, None)
    return group, after


def _same_seed(lefts: list[RowDigest], rights: list[RowDigest]) -> Iterator[RowDifference]:
    if not (lefts[0].key and rights[0].key):
        # Without a key the seed is the whole row: equal seeds are equal rows, and only their number can differ.
        yield from map(_removed, lefts[len(rights) :])
        yield from map(_added, rights[len(lefts) :])
        return
    # Rows of a key that is not unique: those that are equal come first, only the others can have changed.
    remaining, unmatched = [], list(rights)
    for left in lefts:
        if left in unmatched:
            unmatched.remove(left)
        else:
            remaining.append(left)
    for left in remaining:
        found = next((row for row in unmatched if row.key == left.key), None)
        if found is None:
            yield _removed(left)
        else:
            unmatched.remove(found)
            yield _changed(left, found)
    yield from map(_added, unmatched)
