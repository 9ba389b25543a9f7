"""Digest the rows of a table. SQLite has no hash functions, and the client is the server: the hashing is done here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from migkit.dialects.base import SegmentContent, TableContent
from migkit.dialects.sqlite.batches import Batch, quote, read_batches, table_name
from migkit.dialects.sqlite.binding import BoundBatch, bind
from migkit.dialects.sqlite.hashing import Hashes, Mask
from migkit.dialects.sqlite.session import driver_connection, reading_errors

FINGERPRINT_METHOD = "sqlite-siphash-splitmix-1"

# What a segment's number takes of the key's hash where nothing else is asked for.
_SLICE_BITS = 4
# With more ranges than these, one look at the segment's number costs less than a range for each.
_MAX_RANGES = 64

Segments = npt.NDArray[np.int64]


def read_content(connection: Connection, content: TableContent) -> Iterator[SegmentContent]:
    """Yield the digests of a table, batch by batch; those of one segment add up."""
    names = [name for name, _ in content.columns]
    for batch, bound in read_bound(connection, content):
        groups = _group(content, batch, bound.seed)
        sums = {name: groups.column_sums(bound.words[name], bound.present[name]) for name in names}
        row_sums = [0] * len(groups.rows) if content.key else groups.sums(bound.seed)
        for index, (segment, appended) in enumerate(groups.segments):
            yield SegmentContent(
                segment=segment,
                appended=appended,
                rows=groups.rows[index],
                sums={name: sums[name][index] for name in names},
                row_sum=row_sums[index],
            )


def read_bound(connection: Connection, content: TableContent) -> Iterator[tuple[Batch, BoundBatch]]:
    """Yield batches with their digests, without the rows that are in other parts of the table."""
    names = [name for name, _ in content.columns]
    for batch in read_batches(connection, content, condition_of(content)):
        bound = bind(batch, content.key, names)
        wanted = rows_within(content, batch, bound.seed)
        if wanted is not None and not wanted.all():
            if not wanted.any():
                continue
            rows = np.flatnonzero(wanted)
            batch, bound = batch.only(rows.tolist()), bound.only(rows)
        yield batch, bound


def condition_of(content: TableContent) -> str:
    """Leave out in SQL what lies in other ranges of the key; keys that are no integers are looked at one by one."""
    conditions = []
    for part in content.within:
        if part.shift is None or not content.key:
            continue
        key = quote(content.key[0])
        ranges = [f"{key} BETWEEN {low} AND {high}" for low, high in _ranges(part.segments, part.shift)]
        if len(ranges) > _MAX_RANGES:
            ranges = [f"({key} >> {part.shift}) IN ({', '.join(map(str, part.segments))})"]
        conditions.append("(" + " OR ".join([*ranges, f"typeof({key}) <> 'integer'"]) + ")")
    return " AND ".join(conditions)


def _ranges(segments: Sequence[int], shift: int) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for segment in sorted(set(segments)):
        first, last = segment << shift, ((segment + 1) << shift) - 1
        if ranges and ranges[-1][1] == first - 1:
            first = ranges.pop()[0]
        ranges.append((first, last))
    return ranges


def rows_within(content: TableContent, batch: Batch, seed: Hashes) -> Mask | None:
    """Tell of each row whether it is in every part that is asked for; ``None`` where nothing is."""
    wanted: Mask | None = None
    for part in content.within:
        if part.shift is None or content.key:
            numbers = _segment_numbers(content.key, part.shift, part.slice_bits, batch, seed)
            inside: Mask = np.isin(numbers, np.array(part.segments, dtype=np.int64))
            wanted = inside if wanted is None else wanted & inside
    return wanted


def integer_key_range(connection: Connection, content: TableContent) -> tuple[int, int] | None:
    """Return the smallest and the largest value of the first key column if both are integers."""
    if not content.key:
        return None
    key, table = quote(content.key[0]), table_name(content)
    # Only integers are fetched: a text may be none in UTF-8.
    low_sql, high_sql = (
        f"(SELECT CASE typeof({end}({key})) WHEN 'integer' THEN {end}({key}) END FROM {table})"
        for end in ("min", "max")
    )
    sql = f"SELECT {low_sql}, {high_sql}"
    with reading_errors(sql):
        low, high = driver_connection(connection).execute(sql).fetchone()
    # Values sort by type first: NULL, numbers, text, blobs. With integers at both ends all are numbers.
    return None if low is None or high is None else (low, high)


def row_segments(content: TableContent, batch: Batch, seed: Hashes) -> tuple[Segments, Mask]:
    """Return the segment of each row, and whether it lies beyond the largest key of the earlier state."""
    numbers = _segment_numbers(content.key, content.shift, content.slice_bits, batch, seed)
    if content.beyond is None or not content.key:
        return numbers, np.zeros(batch.rows, dtype=np.bool_)
    is_integer, integers = _integers(batch, content.key[0])
    return numbers, is_integer & (integers > content.beyond)


def _segment_numbers(
    key: tuple[str, ...], shift: int | None, slice_bits: int | None, batch: Batch, seed: Hashes
) -> Segments:
    bits = slice_bits if slice_bits is not None else _SLICE_BITS if key else 0
    by_hash: Segments = (seed >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(batch.rows, np.int64)
    if shift is None or not key:
        return by_hash
    is_integer, integers = _integers(batch, key[0])
    return np.where(is_integer, integers >> shift, by_hash)


def _integers(batch: Batch, column: str) -> tuple[Mask, Segments]:
    """Return which keys are integers, and those; where one is declared, SQLite still takes text and reals."""
    values, types = batch.columns[column], batch.types[column]
    if types == {int}:
        return np.ones(batch.rows, dtype=np.bool_), np.array(values, dtype=np.int64)
    is_integer: Mask = np.fromiter((type(value) is int for value in values), np.bool_, batch.rows)
    return is_integer, np.array([value if type(value) is int else 0 for value in values], dtype=np.int64)


@dataclass(frozen=True)
class _Groups:
    """How the rows of a batch fall into segments: an order that makes each contiguous, and where each starts."""

    order: npt.NDArray[np.intp] | None
    starts: npt.NDArray[np.intp]
    rows: list[int]
    segments: list[tuple[int, bool]]

    def sums(self, words: Hashes) -> list[int]:
        """Add up hashes by segment, modulo 2**64."""
        return self._reduce(words)

    def column_sums(self, words: Hashes, present: Mask | None) -> list[tuple[int, int]]:
        """Return by segment how many values are not NULL, and the sum of their hashes."""
        counts = self.rows if present is None else self._reduce(present.astype(np.int64))
        return list(zip(counts, self._reduce(words), strict=True))

    def _reduce(self, words: npt.NDArray[np.uint64] | npt.NDArray[np.int64]) -> list[int]:
        ordered = words if self.order is None else words[self.order]
        sums: list[int] = np.add.reduceat(ordered, self.starts).tolist()
        return sums


def _group(content: TableContent, batch: Batch, seed: Hashes) -> _Groups:
    if not content.key and content.slice_bits is None:
        return _Groups(None, np.zeros(1, dtype=np.intp), [batch.rows], [(0, False)])
    segments, appended = row_segments(content, batch, seed)
    order = None
    if not _is_sorted(segments, appended):
        order = np.lexsort((appended, segments))
        segments, appended = segments[order], appended[order]
    changes = (segments[1:] != segments[:-1]) | (appended[1:] != appended[:-1])
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1)).astype(np.intp)
    counts: list[int] = np.diff(np.append(starts, batch.rows)).tolist()
    found = list(zip(segments[starts].tolist(), appended[starts].tolist(), strict=True))
    return _Groups(order, starts, counts, found)


def _is_sorted(segments: Segments, appended: Mask) -> bool:
    falls = segments[1:] < segments[:-1]
    falls |= (segments[1:] == segments[:-1]) & (appended[1:] < appended[:-1])
    return not falls.any()
