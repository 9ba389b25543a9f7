"""What is read of a table, and what comes of it: digests of segments, digests of rows, rows as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

ValueFamily = Literal[
    "integer",
    "decimal",
    "float4",
    "float",
    "boolean",
    "text",
    "bytes",
    "json",
    "uuid",
    "date",
    "time",
    "timestamp",
    "instant",
]


@dataclass(frozen=True)
class Part:
    """Some of a table's rows, by the segments they are in.

    Parameters
    ----------
    segments : tuple of int
        The segments' numbers.
    shift : int or None
        They are ranges of the integer key, ``2**shift`` wide; ``None``: slices of the key's hash.
    slice_bits : int or None
        How many leading bits of that hash number a slice; ``None`` where segments are key ranges.
    """

    segments: tuple[int, ...]
    shift: int | None = None
    slice_bits: int | None = None


@dataclass(frozen=True)
class TableContent:
    """What is to be read of one table, and how its rows are told apart.

    Parameters
    ----------
    schema, table : str
        The table.
    columns : tuple of (name, content_type)
        The columns to digest, each with the token the catalog gave it.
    key : tuple of str
        The key columns; empty for a table without a key.
    shift : int or None
        Width of a key segment as a power of two, where the first key column is an integer; else ``None``, and segments
        are slices of the key's hash.
    beyond : int or None
        Rows whose integer key is larger than this are digested apart (``appended``): the largest key of an earlier
        state, so that rows added since do not disturb the digests of those that were there.
    pages : int or None
        Size of the table, where the engine uses it to divide the work.
    kind : str
        The kind of the table as the catalog has it.
    slice_bits : int or None
        How many leading bits of the key's hash number a segment, where segments are slices: ``None`` means four, and a
        single segment for a table without a key; a number divides such a table by the hash of the whole row.
    within : tuple of Part
        Only rows that are in every one of these parts.
    """

    schema: str
    table: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...] = ()
    shift: int | None = None
    beyond: int | None = None
    pages: int | None = None
    kind: str = "table"
    slice_bits: int | None = None
    within: tuple[Part, ...] = ()


@dataclass(frozen=True)
class SegmentContent:
    """The digests of one segment. Sums are plain integers; adding two readings of disjoint rows is adding their sums.

    Parameters
    ----------
    segment : int
        ``key >> shift``, or the slice of the key's hash; 0 for a table without a key.
    appended : bool
        The rows beyond :attr:`TableContent.beyond`.
    rows : int
        Rows read.
    sums : mapping of str to (int, int)
        Per column: rows that are not NULL, and the sum of their hashes modulo 2**64.
    row_sum : int
        Sum of the whole-row hashes modulo 2**64, for tables without a key; else 0.
    partitions : mapping of (schema, table) to int
        Rows per partition, where the table is partitioned.
    """

    segment: int
    appended: bool
    rows: int
    sums: Mapping[str, tuple[int, int]]
    row_sum: int = 0
    partitions: Mapping[tuple[str, str], int] = field(default_factory=dict)


class RowDigest(NamedTuple):
    """One row, by the hashes that :class:`SegmentContent` sums up.

    Parameters
    ----------
    seed : int
        The key's hash, by which rows come ordered; the whole row's hash for a table without a key.
    key : tuple of str
        The key as text; empty for a table without a key.
    digests : tuple of (int or None)
        Per column of the content, equal modulo 2**64 to what is summed up; ``None`` for NULL.
    """

    seed: int
    key: tuple[str | None, ...]
    digests: tuple[int | None, ...]


class RowValues(NamedTuple):
    """One row, with its values as text.

    Parameters
    ----------
    seed : int
        As in :class:`RowDigest`.
    key : tuple of str
        As in :class:`RowDigest`.
    values : tuple of (str or None)
        Per column of the content, exactly, as the engine writes it; ``None`` for NULL.
    kinds : tuple of str or None
        Per column, the kind of the value, where one column holds several; ``None`` where the engine's columns do not.
    """

    seed: int
    key: tuple[str | None, ...]
    values: tuple[str | None, ...]
    kinds: tuple[str, ...] | None = None
