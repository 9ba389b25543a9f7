"""Rows one by one: the same hashes that captures sum up, streamed in the order of their seeds; and rows as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from migkit.dialects.base import RowDigest, RowValues, TableContent, ValueFamily
from migkit.dialects.postgresql.parts import narrowed, range_conditions, slice_conditions
from migkit.dialects.postgresql.plans import Reading, plan_reading, relation, seed_of_row, where
from migkit.dialects.postgresql.sql import execute, literal, quote

# Rows that are in the client's memory at a time: many of digests, few of values, which may be wide.
_DIGESTS_PER_FETCH = 5_000
_ROWS_PER_FETCH = 200

_FAMILIES: dict[str, ValueFamily] = {
    "int2": "integer",
    "int4": "integer",
    "int8": "integer",
    "oid": "integer",
    "bool": "boolean",
    "float4": "float4",
    "float8": "float",
    "numeric": "decimal",
    "bytea": "bytes",
    "uuid": "uuid",
    "json": "json",
    "jsonb": "json",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "timestamptz": "instant",
}


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
    condition = ""
    if segments is not None:
        content = replace(content, within=(*content.within, narrowed(content, segments)))
        if content.beyond is not None:
            condition = " AND ".join(range_conditions(content, content.beyond))
    reading = plan_reading(connection, content, condition)
    result = execute(connection, _select(reading), stream_results=True, max_row_buffer=_DIGESTS_PER_FETCH)
    width = 1 + len(reading.key)
    while rows := result.fetchmany(_DIGESTS_PER_FETCH):
        for row in rows:
            cells = tuple(row)
            yield RowDigest(cells[0], cells[1:width], cells[width:])


def _select(reading: Reading) -> str:
    keys = [f"{key}::text" for key in reading.key]
    digests = [hashed for _, _, hashed in reading.hashes]
    targets = [f"{target} AS c{number}" for number, target in enumerate([reading.seed, *keys, *digests])]
    # OFFSET 0 keeps the planner from walking the whole index of the key in order, when only ranges of it are wanted.
    return f"SELECT * FROM (SELECT {', '.join(targets)} FROM {reading.source} OFFSET 0) AS digested ORDER BY c0"


def read_values(connection: Connection, content: TableContent, seeds: Sequence[int] | None) -> Iterator[RowValues]:
    """Stream rows as text.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        A session of a snapshot.
    content : TableContent
        What to read.
    seeds : sequence of int or None
        Only the rows with these seeds; ``None`` for all rows.

    Yields
    ------
    RowValues
        One per row, in no order.
    """
    seed = seed_of_row(connection, content)
    conditions = [*range_conditions(content), *slice_conditions(content, seed)]
    if seeds is not None:
        # The bare key lets its index serve.
        found_by = quote(content.key[0]) if len(content.key) == 1 and seed == f"{quote(content.key[0])}::int8" else seed
        conditions.append(f"{found_by} = ANY ('{{{','.join(str(int(one)) for one in seeds)}}}'::int8[])")
    names = [*content.key, *(name for name, _ in content.columns)]
    targets = ", ".join([seed, *(f"{quote(name)}::text" for name in names)])
    sql = f"SELECT {targets} FROM {relation(content)}{where(' AND '.join(conditions))}"
    result = execute(connection, sql, stream_results=True, max_row_buffer=_ROWS_PER_FETCH)
    width = 1 + len(content.key)
    while rows := result.fetchmany(_ROWS_PER_FETCH):
        for row in rows:
            cells = tuple(row)
            yield RowValues(cells[0], cells[1:width], cells[width:])


def has_repeated_key(connection: Connection, content: TableContent) -> bool:
    """Tell whether several rows have one key: the hashes decide, since some types know no equality."""
    known = " AND ".join(f"{quote(name)} IS NOT NULL" for name in content.key)
    reading = plan_reading(connection, content, known)
    sql = f"SELECT 1 FROM {reading.source} GROUP BY {reading.seed} HAVING count(*) > 1 LIMIT 1"
    return execute(connection, sql).scalar() is not None


def value_family(content_type: str) -> ValueFamily:
    """Return what values of a base type are; all others are compared as text."""
    return _FAMILIES.get(content_type, "text")


def count_rows(connection: Connection, content: TableContent) -> int:
    """Count the rows of a table, without those of tables that inherit from it."""
    return int(execute(connection, f"SELECT count(*) FROM {relation(content)}").scalar_one())


def estimate_rows(connection: Connection, content: TableContent) -> int | None:
    """Return the planner's number of rows, over all partitions; ``None`` for a table never analysed."""
    found = execute(
        connection,
        "WITH RECURSIVE parts AS ("
        " SELECT c.oid, c.reltuples, c.relkind FROM pg_catalog.pg_class AS c"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = {literal(content.schema)} AND c.relname = {literal(content.table)}"
        " UNION ALL SELECT c.oid, c.reltuples, c.relkind FROM parts AS p"
        " JOIN pg_catalog.pg_inherits AS i ON i.inhparent = p.oid AND p.relkind = 'p'"
        " JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid)"
        " SELECT CASE WHEN bool_and(reltuples >= 0) THEN sum(reltuples) END FROM parts WHERE relkind <> 'p'",
    ).scalar()
    return None if found is None else int(found)
