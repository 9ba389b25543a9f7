"""The digests of rows one by one, ordered by seed: sorted on disk, so that memory does not grow with rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
from sqlalchemy import Connection

from migkit.dialects.base import Part, RowDigest, TableContent
from migkit.dialects.sqlite.batches import Batch
from migkit.dialects.sqlite.binding import BoundBatch
from migkit.dialects.sqlite.content import read_bound, row_segments
from migkit.dialects.sqlite.row_values import value_text

# SQLite's integers are signed; moved by this they sort like the unsigned hashes.
_SIGN = 2**63
_FETCH_ROWS = 1024


def read_rows(connection: Connection, content: TableContent, segments: Sequence[int] | None) -> Iterator[RowDigest]:
    """Yield the digests of the rows of some segments (``None``: of all), ordered by seed."""
    names = [name for name, _ in content.columns]
    if segments is not None and content.key:
        part = Part(tuple(segments), content.shift, content.slice_bits)
        content = replace(content, within=(*content.within, part))
    # A database without a name is private, kept in memory while it is small, and on disk from then on.
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as sorter:
        sorter.execute("PRAGMA journal_mode = OFF")
        sorter.execute("CREATE TABLE digests (seed INTEGER, key TEXT, words BLOB, nulls TEXT)")
        for batch, bound in read_bound(connection, content):
            if segments is not None:
                batch, bound = _without_appended(content, batch, bound)
            sorter.executemany("INSERT INTO digests VALUES (?, ?, ?, ?)", _stored(content, names, batch, bound))
        cursor = sorter.execute("SELECT seed, key, words, nulls FROM digests ORDER BY seed, key")
        while found := cursor.fetchmany(_FETCH_ROWS):
            for seed, key, words, nulls in found:
                yield RowDigest(seed + _SIGN, tuple(json.loads(key)), _digests(words, nulls))


def _without_appended(content: TableContent, batch: Batch, bound: BoundBatch) -> tuple[Batch, BoundBatch]:
    _, appended = row_segments(content, batch, bound.seed)
    if not appended.any():
        return batch, bound
    rows = np.flatnonzero(~appended)
    return batch.only(rows.tolist()), bound.only(rows)


def _stored(
    content: TableContent, names: list[str], batch: Batch, bound: BoundBatch
) -> Iterator[tuple[int, str, bytes, str]]:
    words = np.stack([bound.words[name] for name in names], axis=1) if names else np.zeros((batch.rows, 0), np.uint64)
    masks = [(index, mask) for index, name in enumerate(names) if (mask := bound.present[name]) is not None]
    keys = [batch.columns[name] for name in content.key]
    for row, seed in enumerate(bound.seed.tolist()):
        nulls = ",".join(str(index) for index, mask in masks if not mask[row])
        key = json.dumps([value_text(values[row]) for values in keys])
        yield seed - _SIGN, key, words[row].tobytes(), nulls


def _digests(words: bytes, nulls: str) -> tuple[int | None, ...]:
    digests: list[int | None] = np.frombuffer(words, dtype=np.uint64).tolist()
    for index in nulls.split(",") if nulls else ():
        digests[int(index)] = None
    return tuple(digests)
