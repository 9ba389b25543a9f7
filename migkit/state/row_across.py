"""Rows of one table in databases of different engines: every row is fetched, written in one form, and hashed here.

Digests are spooled to a private file, sorted there and merged, so that memory does not grow with rows. Which rows
differ is known after one pass over each table; a second one fetches their values.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any

from migkit.database import Database
from migkit.dialects.base import RowDigest, RowValues
from migkit.errors import NotComparable
from migkit.state.row_canon import Canon, canonical, common_family
from migkit.state.row_merge import merge
from migkit.state.row_results import Found, RowComparison, Values, assemble, kept_rows
from migkit.state.row_sides import Side, explained, opened
from migkit.state.row_targets import Matched, Target, find_target, match

METHOD = "values in one form for all engines"
_BATCH_ROWS = 2_000
_FETCH_ROWS = 5_000


def compare_across(
    a: Database, b: Database, table: str, *, columns: Sequence[str] | None, key: Sequence[str] | None, limit: int
) -> RowComparison:
    """Compare the values of every row.

    Parameters
    ----------
    a, b : Database
        The databases, of any two engines.
    table, columns, key, limit
        As for :func:`migkit.compare_rows`.

    Returns
    -------
    RowComparison
        What differs; values as the form in common writes them.

    Raises
    ------
    NotComparable
        If the tables have nothing in common, or a key that was chosen holds NULLs or is not unique.
    """
    with opened(a, b) as sessions:
        targets = find_target(a, sessions[0][0], table), find_target(b, sessions[1][0], table)
        matched = match(targets, sessions, columns, key)
        readers = _readers(targets, matched, sessions)
        found = Found(limit)
        with closing(_Spool()) as spool:
            counted = spool.fill(readers, refuse_nulls=key is not None)
            found.add(merge(spool.rows(0, matched), spool.rows(1, matched)))
        values = readers[0].values(found, "added"), readers[1].values(found, "removed")
        rows = list(kept_rows(matched.columns, found, values))
    return assemble(targets, matched, found, rows, counted, METHOD)


def _readers(targets: tuple[Target, Target], matched: Matched, sessions: tuple[list[Any], list[Any]]) -> Readers:
    families = {name: common_family(*(target.family(name) for target in targets)) for name in matched.columns}
    readers = []
    for target, opened_sessions in zip(targets, sessions, strict=True):
        content = replace(
            target.content,
            key=(),
            columns=tuple((name, target.columns[name][0]) for name in matched.columns),
        )
        canons = [canonical(target.family(name), families[name]) for name in matched.columns]
        readers.append(_Reader(Side(target.db, opened_sessions, content), canons, len(matched.key)))
    return readers[0], readers[1]


class _Reader:
    """Reads the rows of one side in the form in common."""

    def __init__(self, side: Side, canons: Sequence[Canon], key_width: int) -> None:
        self.side = side
        self._canons = canons
        self._key_width = key_width

    def rows(self) -> Iterator[RowValues]:
        """Yield every row, its key first; the seed is the key's hash, or the whole row's."""
        canons, width = self._canons, self._key_width
        with explained(self.side.db):
            for row in self.side.dialect.read_values(self.side.sessions[0], self.side.content, None):
                values = tuple(
                    None if value is None else canon(value) for canon, value in zip(canons, row.values, strict=True)
                )
                key = values[:width]
                yield RowValues(hash(key or values), key, values)

    def values(self, found: Found, other: str) -> Values:
        """Fetch the values of the rows that were kept, without those that only the other side has."""
        wanted = {(row.seed, row.key) for row in found.kept if row.change != other}
        kept: Values = defaultdict(list)
        if wanted:
            for row in self.rows():
                if (row.seed, row.key) in wanted and not kept[row.seed, row.key]:
                    kept[row.seed, row.key].append(row)
        return kept


Readers = tuple[_Reader, _Reader]


class _Spool:
    """Digests of both sides, sorted by a private database: in memory while small, on disk from then on."""

    def __init__(self) -> None:
        self._store = [sqlite3.connect("", isolation_level=None, check_same_thread=False) for _ in range(2)]
        for store in self._store:
            store.execute("PRAGMA journal_mode = OFF")
            store.execute("CREATE TABLE digests (seed INTEGER, key TEXT, words BLOB)")

    def close(self) -> None:
        """Remove what was spooled."""
        for store in self._store:
            store.close()

    def fill(self, readers: Readers, *, refuse_nulls: bool) -> tuple[int, int]:
        """Digest every row of both sides at once; return how many there are."""

        def fill_one(number: int) -> int:
            rows, total = readers[number].rows(), 0
            while batch := list(islice(rows, _BATCH_ROWS)):
                if refuse_nulls and any(None in row.key for row in batch):
                    raise _nulls_in_key(readers[number].side)
                self._store[number].executemany("INSERT INTO digests VALUES (?, ?, ?)", map(_stored, batch))
                total += len(batch)
            return total

        with ThreadPoolExecutor(max_workers=2, thread_name_prefix="migkit-rows") as pool:
            one, other = pool.map(fill_one, range(2))
        return one, other

    def rows(self, number: int, matched: Matched) -> Iterator[RowDigest]:
        """Yield one side's digests, ordered by seed."""
        width = len(matched.columns)
        cursor = self._store[number].execute("SELECT seed, key, words FROM digests ORDER BY seed, key")
        while found := cursor.fetchmany(_FETCH_ROWS):
            for seed, key, words in found:
                yield RowDigest(seed, tuple(json.loads(key)), _digests(words, width))


def _stored(row: RowValues) -> tuple[int, str, bytes]:
    return row.seed, json.dumps(row.key), array("q", map(hash, row.values)).tobytes()


def _digests(words: bytes, width: int) -> tuple[int, ...]:
    numbers = array("q")
    numbers.frombytes(words)
    assert len(numbers) == width
    return tuple(numbers)


def _nulls_in_key(side: Side) -> NotComparable:
    return NotComparable(
        f"The key {', '.join(side.content.key)} is NULL in some rows, which cannot be told apart by it",
        where=side.db.name,
        next_step="Name another key, or compare whole rows with an empty one.",
    )
