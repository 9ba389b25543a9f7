"""Digest the rows of a table. SQLite has no hash functions, and the client is the server: the hashing is done here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from migkit.dialects.base import SegmentContent, TableContent
from migkit.dialects.sqlite.batches import Batch, quote, read_batches, table_name
from migkit.dialects.sqlite.binding import bind
from migkit.dialects.sqlite.hashing import Hashes, Mask
from migkit.dialects.sqlite.session import driver_connection, reading_errors

FINGERPRINT_METHOD = "sqlite-siphash-splitmix-1"

_HASH_SEGMENT_SHIFT = np.uint64(60)
_LARGEST_KEY = 2**63 - 1

Segments = npt.NDArray[np.int64]


def read_content(connection: Connection, content: TableContent) -> Iterator[SegmentContent]:
    """Yield the digests of a table, batch by batch; those of one segment add up."""
    names = [name for name, _ in content.columns]
    for batch in read_batches(connection, content):
        bound = bind(batch, content.key, names)
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


def integer_key_range(connection: Connection, content: TableContent) -> tuple[int, int] | None:
    """Return the smallest and the largest value of the first key column if both are integers."""
    if not content.key:
        return None
    key = quote(content.key[0])
    # Values sort by type first: NULL, numbers, text, blobs. With integers at both ends all are numbers.
    sql = f"SELECT (SELECT min({key}) FROM {table_name(content)}), (SELECT max({key}) FROM {table_name(content)})"
    with reading_errors(sql):
        low, high = driver_connection(connection).execute(sql).fetchone()
    if type(low) is not int or type(high) is not int:
        return None
    return low, high


def row_segments(content: TableContent, batch: Batch, seed: Hashes) -> tuple[Segments, Mask]:
    """Return the segment of each row, and whether it lies beyond the largest key of the earlier state."""
    by_hash: Segments = (seed >> _HASH_SEGMENT_SHIFT).astype(np.int64)
    never: Mask = np.zeros(batch.rows, dtype=np.bool_)
    values, types = batch.columns[content.key[0]], batch.types[content.key[0]]
    if int not in types or (content.shift is None and content.beyond is None):
        return by_hash, never
    # Where an integer is declared, SQLite still takes text and reals: such rows are told apart by their hash.
    whole = types == {int}
    is_integer: Mask = ~never if whole else np.fromiter((type(value) is int for value in values), np.bool_, batch.rows)
    integers: Segments = np.array(
        values if whole else [value if type(value) is int else 0 for value in values], dtype=np.int64
    )
    appended = is_integer & (integers > (_LARGEST_KEY if content.beyond is None else content.beyond))
    if content.shift is None:
        return by_hash, appended
    return np.where(is_integer, integers >> content.shift, by_hash), appended


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
    if not content.key:
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
