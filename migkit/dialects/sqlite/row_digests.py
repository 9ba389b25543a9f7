"""The digests of rows one by one, ordered by seed: sorted on disk, so that memory does not grow with rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
from sqlalchemy import Connection

from migkit.dialects.base import RowDigest, TableContent
from migkit.dialects.sqlite.batches import Batch, quote, read_batches
from migkit.dialects.sqlite.binding import BoundBatch, bind
from migkit.dialects.sqlite.content import row_segments

# SQLite's integers are signed; moved by this they sort like the unsigned hashes.
_SIGN = 2**63
_FETCH_ROWS = 1024


def read_rows(connection: Connection, content: TableContent, segments: Sequence[int] | None) -> Iterator[RowDigest]:
    """Yield the digests of the rows of some segments (``None``: of all), ordered by seed."""
    names = [name for name, _ in content.columns]
    # A database without a name is private, kept in memory while it is small, and on disk from then on.
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as sorter:
        sorter.execute("PRAGMA journal_mode = OFF")
        sorter.execute("CREATE TABLE digests (seed INTEGER, key TEXT, words BLOB, nulls TEXT)")
        for batch in read_batches(connection, content, _condition(content, segments)):
            bound = bind(batch, content.key, names)
            rows = _stored(content, names, batch, bound, segments)
            sorter.executemany("INSERT INTO digests VALUES (?, ?, ?, ?)", rows)
        cursor = sorter.execute("SELECT seed, key, words, nulls FROM digests ORDER BY seed, key")
        while found := cursor.fetchmany(_FETCH_ROWS):
            for seed, key, words, nulls in found:
                yield RowDigest(seed + _SIGN, tuple(json.loads(key)), _digests(words, nulls))


def _condition(content: TableContent, segments: Sequence[int] | None) -> str:
    """Leave out in SQL what lies in other segments; keys that are no integers are looked at one by one."""
    if segments is None or content.shift is None or not content.key:
        return ""
    key = quote(content.key[0])
    ranges = [
        f"({key} BETWEEN {number << content.shift} AND {((number + 1) << content.shift) - 1})" for number in segments
    ]
    return " OR ".join([*ranges, f"typeof({key}) <> 'integer'"])


def _stored(
    content: TableContent, names: list[str], batch: Batch, bound: BoundBatch, segments: Sequence[int] | None
) -> Iterator[tuple[int, str, bytes, str]]:
    wanted = np.arange(batch.rows)
    if segments is not None and content.key:
        numbers, _ = row_segments(content, batch, bound.seed)
        wanted = np.flatnonzero(np.isin(numbers, np.array(segments, dtype=np.int64)))
    words = np.stack([bound.words[name] for name in names], axis=1) if names else np.zeros((batch.rows, 0), np.uint64)
    masks = [(index, mask) for index, name in enumerate(names) if (mask := bound.present[name]) is not None]
    keys = [batch.columns[name] for name in content.key]
    for row in wanted.tolist():
        nulls = ",".join(str(index) for index, mask in masks if not mask[row])
        key = json.dumps([_text(values[row]) for values in keys])
        yield int(bound.seed[row]) - _SIGN, key, words[row].tobytes(), nulls


def _text(value: object) -> str | None:
    """Write a key's value for people; JSON escapes what is no UTF-8."""
    if value is None:
        return None
    return f"x'{value.hex()}'" if isinstance(value, bytes) else str(value)


def _digests(words: bytes, nulls: str) -> tuple[int | None, ...]:
    digests: list[int | None] = np.frombuffer(words, dtype=np.uint64).tolist()
    for index in nulls.split(",") if nulls else ():
        digests[int(index)] = None
    return tuple(digests)
