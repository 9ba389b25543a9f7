"""Some of a table's rows, as conditions in SQL: ranges of the key, or slices of its hash."""

from __future__ import annotations

from collections.abc import Sequence

from migkit.dialects.base import Part, TableContent
from migkit.dialects.mysql.hashing import SLICE_BITS, RowHash
from migkit.dialects.mysql.sql import quote

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
# With more ranges than these, one look at the segment's number costs less than a range for each.
_MAX_RANGES = 64


def segment_of_key(key: str, shift: int) -> str:
    """Return SQL of the key range a row is in; a negative number must not be shifted as an unsigned one."""
    return f"IF({key} < 0, CAST(~(~{key} >> {shift}) AS SIGNED), {key} >> {shift})"


def slice_bits(content: TableContent) -> int:
    """Return how many bits of the hash number a segment of this table."""
    if content.slice_bits is not None:
        return content.slice_bits
    return SLICE_BITS if content.key else 0


def narrowed(content: TableContent, segments: Sequence[int]) -> Part:
    """Return the part of a table that some of its segments are."""
    bits = slice_bits(content) if content.shift is None else None
    return Part(tuple(sorted(set(segments))), content.shift, bits)


def conditions(content: TableContent, hashes: RowHash) -> tuple[list[str], list[str]]:
    """Return the conditions of a table's parts: those to be met before its hashes are there, and those after."""
    ranges = [part for part in content.within if part.shift is not None]
    # Ranges lie within each other: what is outside the widest is outside the narrowest.
    before = [_ranges(content, part) for part in ranges[-1:]]
    if content.beyond is not None and content.shift is None:
        before.append(f"{quote(content.key[0])} <= {content.beyond}")
    after = [
        f"{hashes.slice(part.slice_bits)} IN ({_listed(part.segments)})"
        for part in content.within
        if part.slice_bits is not None
    ]
    return before, after


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(int(number)) for number in numbers) or "NULL"


def _ranges(content: TableContent, part: Part) -> str:
    assert part.shift is not None
    ranges: list[tuple[int, int]] = []
    for segment in sorted(set(part.segments)):
        first, last = segment << part.shift, ((segment + 1) << part.shift) - 1
        if ranges and ranges[-1][1] == first - 1:
            first = ranges.pop()[0]
        ranges.append((first, last))
    if not ranges:
        return "FALSE"
    key = quote(content.key[0])
    if len(ranges) > _MAX_RANGES:
        among = f"{segment_of_key(key, part.shift)} IN ({_listed(part.segments)})"
        return f"{_between(key, ranges[0][0], ranges[-1][1])} AND {among}"
    return "(" + " OR ".join(_between(key, first, last) for first, last in ranges) + ")"


def _between(key: str, first: int, last: int) -> str:
    return f"{key} BETWEEN {max(first, _SMALLEST)} AND {min(last, _LARGEST)}"
