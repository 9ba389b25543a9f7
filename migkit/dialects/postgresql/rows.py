"""Rows one by one: the same hashes that captures sum up, streamed in the order of their seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from migkit.dialects.base import RowDigest, TableContent
from migkit.dialects.postgresql.content import MODULUS
from migkit.dialects.postgresql.plans import Reading, plan_reading
from migkit.dialects.postgresql.sql import execute, quote

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
# Rows that are in the client's memory at a time.
_ROWS_PER_FETCH = 5_000


def read_rows(connection: Connection, content: TableContent, segments: Sequence[int] | None) -> Iterator[RowDigest]:
    """Stream the digests of rows, ordered by seed, through a cursor on the server.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        A session of a snapshot.
    content : TableContent
        What to read.
    segments : sequence of int or None
        Only these segments, without appended rows; ``None`` for all rows.

    Yields
    ------
    RowDigest
        One per row.
    """
    by_key = segments is not None and content.shift is not None
    reading = plan_reading(connection, content, _key_ranges(content, segments or ()) if by_key else "")
    slices = None if by_key else segments
    result = execute(connection, _select(reading, slices), stream_results=True, yield_per=_ROWS_PER_FETCH)
    width = 1 + len(reading.key)
    for row in result:
        digests = tuple(None if value is None else value % MODULUS for value in row[width:])
        yield RowDigest(row[0], tuple(row[1:width]), digests)


def _select(reading: Reading, slices: Sequence[int] | None) -> str:
    keys = [f"{key}::text" for key in reading.key]
    digests = [hashed for _, _, hashed in reading.hashes]
    targets = ", ".join([reading.seed, *keys, *digests])
    condition = ""
    if slices is not None:
        numbers = ", ".join(str(int(number)) for number in slices) or "NULL"
        condition = f" WHERE {reading.segment} IN ({numbers})"
    return f"SELECT {targets} FROM {reading.source}{condition} ORDER BY 1"


def _key_ranges(content: TableContent, segments: Sequence[int]) -> str:
    """Return SQL for the keys of these segments, written so that the key's index serves; neighbours are joined."""
    assert content.shift is not None
    end = _LARGEST if content.beyond is None else content.beyond
    ranges: list[tuple[int, int]] = []
    for segment in sorted(set(segments)):
        first, last = segment << content.shift, ((segment + 1) << content.shift) - 1
        if ranges and ranges[-1][1] == first - 1:
            first = ranges.pop()[0]
        ranges.append((first, last))
    key = quote(content.key[0])
    conditions = [
        f"{key} BETWEEN '{max(first, _SMALLEST)}'::int8 AND '{min(last, end, _LARGEST)}'::int8"
        for first, last in ranges
    ]
    return f"({' OR '.join(conditions) or 'false'})"
