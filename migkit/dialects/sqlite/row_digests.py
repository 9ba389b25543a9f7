"""The digests of rows one by one, ordered by seed: sorted in runs, on disk where they are many."""

from __future__ import annotations

import heapq
import json
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from migkit.dialects.base import Part, RowDigest, TableContent
from migkit.dialects.sqlite.batches import Batch, quote, table_name
from migkit.dialects.sqlite.binding import BoundBatch
from migkit.dialects.sqlite.content import read_bound, row_segments
from migkit.dialects.sqlite.hashing import Hashes, Mask
from migkit.dialects.sqlite.row_values import value_text
from migkit.dialects.sqlite.session import driver_connection, reading_errors

# What is sorted in memory at a time; more than that waits in temporary files, from which a few rows are read at once.
RUN_BYTES = 32 << 20
_PIECE_ROWS = 1024

Keys = npt.NDArray[np.int64] | npt.NDArray[np.object_]


@dataclass(frozen=True)
class _Block:
    """Rows by their digests: seeds, keys (integers, or JSON lists), a column of words for each column of the table."""

    seeds: Hashes
    keys: Keys
    words: tuple[Hashes, ...]
    present: tuple[Mask | None, ...]

    @property
    def size_bytes(self) -> int:
        """Roughly; the words of a text key count by their characters."""
        numbers = 1 + len(self.words) + sum(mask is not None for mask in self.present)
        texts = sum(map(len, self.keys.tolist())) if self.keys.dtype == object else 0
        return texts + self.seeds.nbytes * numbers

    def take(self, rows: Any) -> _Block:
        present = tuple(None if mask is None else mask[rows] for mask in self.present)
        return _Block(self.seeds[rows], self.keys[rows], tuple(word[rows] for word in self.words), present)

    def digests(self) -> Iterator[RowDigest]:
        """Yield the rows, in their order."""
        whole = self.keys.dtype != object
        keys = zip(map(str, self.keys.tolist())) if whole else map(tuple, map(json.loads, self.keys.tolist()))
        columns = [_with_nulls(words, mask) for words, mask in zip(self.words, self.present, strict=True)]
        cells = zip(*columns, strict=True) if columns else iter([()] * len(self.seeds))
        return map(RowDigest, self.seeds.tolist(), keys, cells)


def _with_nulls(words: Hashes, mask: Mask | None) -> list[int | None]:
    cells: list[int | None] = words.tolist()
    if mask is not None:
        for row in np.flatnonzero(~mask).tolist():
            cells[row] = None
    return cells


def has_repeated_key(connection: Connection, content: TableContent) -> bool:
    """Tell whether several rows have one key: 1 and 1.0, or texts that a collation calls equal, are two."""
    known = " AND ".join(f"{quote(name)} IS NOT NULL" for name in content.key)
    exact = ", ".join(f"typeof({quote(name)}), {quote(name)} COLLATE BINARY" for name in content.key)
    sql = f"SELECT 1 FROM {table_name(content)} WHERE {known} GROUP BY {exact} HAVING count(*) > 1 LIMIT 1"
    with reading_errors(sql):
        return driver_connection(connection).execute(sql).fetchone() is not None


def read_rows(connection: Connection, content: TableContent, segments: Sequence[int] | None) -> Iterator[RowDigest]:
    """Yield the digests of the rows of some segments (``None``: of all), ordered by seed."""
    if segments is not None and content.key:
        part = Part(tuple(segments), content.shift, content.slice_bits)
        content = replace(content, within=(*content.within, part))
    with ExitStack() as files:
        runs = []
        for run in _runs(connection, content, without_appended=segments is not None):
            runs.append(_rows_of(run) if run.is_last else _rows_in(_stored(run.block, files)))
        yield from heapq.merge(*runs, key=itemgetter(0)) if len(runs) > 1 else (runs[0] if runs else ())


@dataclass(frozen=True)
class _Run:
    block: _Block
    is_last: bool


def _runs(connection: Connection, content: TableContent, *, without_appended: bool) -> Iterator[_Run]:
    """Yield the rows in sorted runs of bounded size."""
    names = [name for name, _ in content.columns]
    blocks: list[_Block] = []
    size_bytes = 0
    for batch, bound in read_bound(connection, content):
        if size_bytes >= RUN_BYTES:
            yield _Run(_sorted(blocks), is_last=False)
            blocks, size_bytes = [], 0
        if without_appended:
            batch, bound = _without_appended(content, batch, bound)
        blocks.append(_block(content, names, batch, bound))
        size_bytes += blocks[-1].size_bytes
    if blocks:
        yield _Run(_sorted(blocks), is_last=True)


def _without_appended(content: TableContent, batch: Batch, bound: BoundBatch) -> tuple[Batch, BoundBatch]:
    _, appended = row_segments(content, batch, bound.seed)
    if not appended.any():
        return batch, bound
    rows = np.flatnonzero(~appended)
    return batch.only(rows.tolist()), bound.only(rows)


def _block(content: TableContent, names: list[str], batch: Batch, bound: BoundBatch) -> _Block:
    keys = [batch.columns[name] for name in content.key]
    if len(keys) == 1 and batch.types[content.key[0]] == {int}:
        told: Keys = np.array(keys[0], dtype=np.int64)
    else:
        texts = (json.dumps([value_text(values[row]) for values in keys]) for row in range(batch.rows))
        told = np.fromiter(texts, dtype=object, count=batch.rows)
    words = tuple(bound.words[name] for name in names)
    return _Block(bound.seed, told, words, tuple(bound.present[name] for name in names))


def _sorted(blocks: list[_Block]) -> _Block:
    seeds = np.concatenate([block.seeds for block in blocks])
    keys = _joined_keys(blocks)
    words = tuple(np.concatenate(parts) for parts in zip(*(block.words for block in blocks), strict=True))
    masks = zip(*(block.present for block in blocks), strict=True)
    present = tuple(_joined_masks(parts, blocks) for parts in masks)
    return _Block(seeds, keys, words, present).take(np.argsort(seeds, kind="stable"))


def _joined_keys(blocks: list[_Block]) -> Keys:
    if all(block.keys.dtype != object for block in blocks):
        integers: npt.NDArray[np.int64] = np.concatenate([block.keys for block in blocks]).astype(np.int64, copy=False)
        return integers
    # A column declared as an integer may yet hold a text in some row.
    texts = [block.keys if block.keys.dtype == object else _as_texts(block.keys) for block in blocks]
    joined: npt.NDArray[np.object_] = np.concatenate(texts)
    return joined


def _as_texts(keys: Keys) -> npt.NDArray[np.object_]:
    return np.fromiter((json.dumps([str(key)]) for key in keys.tolist()), dtype=object, count=len(keys))


def _joined_masks(parts: Sequence[Mask | None], blocks: list[_Block]) -> Mask | None:
    if all(mask is None for mask in parts):
        return None
    rows = [len(block.seeds) for block in blocks]
    return np.concatenate(
        [np.ones(count, dtype=np.bool_) if mask is None else mask for mask, count in zip(parts, rows, strict=True)]
    )


def _stored(block: _Block, files: ExitStack) -> IO[bytes]:
    file = tempfile.TemporaryFile(prefix="migkit-rows-")  # noqa: SIM115 - the stack closes it
    files.enter_context(file)
    for start in range(0, len(block.seeds), _PIECE_ROWS):
        pickle.dump(block.take(slice(start, start + _PIECE_ROWS)), file, protocol=pickle.HIGHEST_PROTOCOL)
    file.seek(0)
    return file


def _rows_in(file: IO[bytes]) -> Iterator[RowDigest]:
    while True:
        try:
            block: _Block = pickle.load(file)
        except EOFError:
            return
        yield from block.digests()


def _rows_of(run: _Run) -> Iterator[RowDigest]:
    for start in range(0, len(run.block.seeds), _PIECE_ROWS):
        yield from run.block.take(slice(start, start + _PIECE_ROWS)).digests()
