"""Some of a table's rows, as conditions in SQL: ranges of the key, or slices of its hash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migkit.dialects.base import Part, TableContent
from migkit.dialects.postgresql.sql import quote

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
# What a segment's number takes of the hash where nothing else is asked for.
_DEFAULT_BITS = 4
# With more ranges than these, one look at the segment's number costs less than a range for each.
_MAX_RANGES = 64


def segment_number(content: TableContent, key: str, seed: str) -> str:
    """Return SQL of the number of the segment a row is in."""
    if content.shift is not None:
        return f"({key} >> {content.shift})"
    return slice_number(seed, content.slice_bits or _DEFAULT_BITS)


def slice_number(seed: str, bits: int) -> str:
    """Return SQL of the leading bits of a hash."""
    return f"(({seed} >> {64 - bits}) & {2**bits - 1})"


def narrowed(content: TableContent, segments: Sequence[int]) -> Part:
    """Return the part of a table that some of its segments are."""
    bits = content.slice_bits if content.slice_bits is not None else _DEFAULT_BITS if content.key else 0
    return Part(tuple(sorted(set(segments))), content.shift, bits if content.shift is None else None)


def range_conditions(content: TableContent, last: int = _LARGEST) -> Iterator[str]:
    """Return the condition of the narrowest part that is a range of the key, no key being larger than `last`."""
    parts = [part for part in content.within if part.shift is not None]
    # Ranges lie within each other: what is outside the widest is outside the narrowest.
    for part in parts[-1:]:
        assert part.shift is not None
        yield _ranges(content, part.shift, part.segments, last)


def slice_conditions(content: TableContent, seed: str) -> Iterator[str]:
    """Return the conditions of the parts that are slices of a hash."""
    for part in content.within:
        if part.slice_bits is not None:
            yield f"{slice_number(seed, part.slice_bits)} = ANY ({_array(part.segments)})"


def _array(numbers: Sequence[int]) -> str:
    return f"'{{{','.join(str(int(number)) for number in numbers)}}}'::int8[]"


def _ranges(content: TableContent, shift: int, segments: Sequence[int], end: int) -> str:
    """Return SQL for the keys of these segments, written so that the key's index serves; neighbours are joined."""
    ranges: list[tuple[int, int]] = []
    for segment in sorted(set(segments)):
        first, last = segment << shift, ((segment + 1) << shift) - 1
        if ranges and ranges[-1][1] == first - 1:
            first = ranges.pop()[0]
        ranges.append((first, last))
    if not ranges:
        return "false"
    key = quote(content.key[0])
    if len(ranges) > _MAX_RANGES:
        among = f"({key}::int8 >> {shift}) = ANY ({_array(segments)})"
        return f"({_between(key, ranges[0][0], ranges[-1][1], end)} AND {among})"
    return f"({' OR '.join(_between(key, first, last, end) for first, last in ranges)})"


def _between(key: str, first: int, last: int, end: int) -> str:
    return f"{key} BETWEEN '{max(first, _SMALLEST)}'::int8 AND '{min(last, end, _LARGEST)}'::int8"
