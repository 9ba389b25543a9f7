"""Rows one by one: the same hashes that captures sum up, streamed in the order of their seeds; and rows as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from migkit.dialects.base import RowDigest, RowValues, TableContent, ValueFamily
from migkit.dialects.mysql.content import nullable_columns
from migkit.dialects.mysql.hashing import Hash, RowHash, variables
from migkit.dialects.mysql.parts import conditions, narrowed
from migkit.dialects.mysql.sql import execute, literal, quote, scalar

# Rows that are in the client's memory at a time: many of digests, few of values, which may be wide.
_DIGESTS_PER_FETCH = 5_000
_ROWS_PER_FETCH = 200
# A stream waits while the other side's rows come; the server must not give it up.
_PATIENCE = "SET SESSION net_write_timeout = 86400, net_read_timeout = 86400"

# How values are written, by content type; all others are cast to text as they are.
_TEXTS: dict[str, str] = {
    "padded integer": "CAST({c} + 0 AS CHAR)",
    "padded decimal": "CAST({c} + 0 AS CHAR)",
    # A FLOAT as such is written with six digits.
    "float": "CAST({c} + 0e0 AS CHAR)",
    "text": "CONVERT({c} USING utf8mb4)",
    "converted text": "CONVERT({c} USING utf8mb4)",
    "bytes": "CONCAT('0x', HEX({c}))",
}
_FAMILIES: dict[str, ValueFamily] = {
    "integer": "integer",
    "padded integer": "integer",
    "decimal": "decimal",
    "padded decimal": "decimal",
    "fraction": "decimal",
    "padded fraction": "decimal",
    "date": "date",
    "time": "time",
    "exact time": "time",
    "instant": "timestamp",
    "exact instant": "timestamp",
    "zoned instant": "instant",
    "exact zoned instant": "instant",
    "bytes": "bytes",
}


def read_rows(
    connection: Connection, content: TableContent, segments: Sequence[int] | None, by: Hash
) -> Iterator[RowDigest]:
    """Stream the digests of rows, ordered by seed; appended rows only where no segments are named."""
    conditions_beside = []
    if segments is not None:
        content = replace(content, within=(*content.within, narrowed(content, segments)))
        if content.beyond is not None:
            conditions_beside.append(f"{quote(content.key[0])} <= {content.beyond}")
    hashes = _hashes(connection, content, by)
    keys = [_text(content, name) for name in content.key]
    targets = [hashes.seed(), *keys, *hashes.sums()]
    named = ", ".join(f"{target} AS c{number}" for number, target in enumerate(targets))
    # The variables have a row's hashes only while that row is read: sorting comes after, and apart.
    inner = f"SELECT {named} FROM {_source(content, hashes, conditions_beside)} LIMIT {2**63 - 1}"
    width = 1 + len(keys)
    for row in _stream(connection, f"SELECT * FROM ({inner}) AS digested ORDER BY c0", _DIGESTS_PER_FETCH):
        yield RowDigest(int(row[0]), tuple(row[1:width]), tuple(row[width:]))


def read_values(
    connection: Connection, content: TableContent, seeds: Sequence[int] | None, by: Hash
) -> Iterator[RowValues]:
    """Stream rows as text, in no order."""
    hashes = _hashes(connection, content, by)
    chosen = [] if seeds is None else [f"{hashes.seed()} IN ({', '.join(str(int(one)) for one in seeds) or 'NULL'})"]
    names = [*content.key, *(name for name, _ in content.columns)]
    targets = ", ".join([hashes.seed(), *(_text(content, name) for name in names)])
    width = 1 + len(content.key)
    sql = f"SELECT {targets} FROM {_source(content, hashes, after=chosen)}"
    for row in _stream(connection, sql, _ROWS_PER_FETCH):
        yield RowValues(int(row[0]), tuple(row[1:width]), tuple(row[width:]))


def has_repeated_key(connection: Connection, content: TableContent, by: Hash) -> bool:
    """Tell whether several rows have one key: the hashes decide, since a collation may call two keys equal."""
    hashes = _hashes(connection, content, by)
    known = [f"{quote(name)} IS NOT NULL" for name in content.key]
    inner = f"SELECT {hashes.seed()} AS c0 FROM {_source(content, hashes, known)} LIMIT {2**63 - 1}"
    sql = f"SELECT 1 FROM ({inner}) AS digested GROUP BY c0 HAVING COUNT(*) > 1 LIMIT 1"
    return scalar(connection, sql) is not None


def value_family(content_type: str, declared: str) -> ValueFamily:
    """Return what the values of a column are."""
    kind = declared.lower()
    if kind.startswith("json"):
        return "json"
    if kind.startswith("tinyint(1)"):
        return "boolean"
    if content_type == "float":
        return "float4" if kind.startswith("float") else "float"
    return _FAMILIES.get(content_type, "text")


def _hashes(connection: Connection, content: TableContent, by: Hash) -> RowHash:
    execute(connection, _PATIENCE)
    execute(connection, variables(len(content.key)))
    return RowHash(by, content.columns, content.key, nullable_columns(connection, content))


def _source(content: TableContent, hashes: RowHash, before: Sequence[str] = (), after: Sequence[str] = ()) -> str:
    first, then = conditions(content, hashes)
    binding = hashes.binding() if content.key else hashes.whole_row()[0]
    wanted = " AND ".join([*before, *first, binding, *then, *after])
    return f"{quote(content.schema, content.table)} WHERE {wanted}"


def _text(content: TableContent, name: str) -> str:
    kind = dict(content.columns).get(name, "")
    return _TEXTS.get(kind, "CAST({c} AS CHAR)").replace("{c}", quote(name))


def _stream(connection: Connection, sql: str, size: int) -> Iterator[Sequence[Any]]:
    options = {"no_parameters": True, "stream_results": True, "max_row_buffer": size}
    with connection.exec_driver_sql(sql, execution_options=options) as result:
        while rows := result.fetchmany(size):
            for row in rows:
                yield tuple(row)


def estimate_rows(connection: Connection, content: TableContent) -> int | None:
    """Return the storage engine's number of rows, which for InnoDB is an estimate."""
    schema = literal(content.schema) if content.schema else "DATABASE()"
    found = scalar(
        connection,
        f"SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = {schema}"
        f" AND TABLE_NAME = {literal(content.table)}",
    )
    return None if found is None else int(found)
