"""How the rows of one table are read: where from, what tells them apart, how each column is hashed; as SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from migkit.dialects.base import TableContent
from migkit.dialects.postgresql.hashing import digest, is_integer, whole_row
from migkit.dialects.postgresql.parts import range_conditions, segment_number, slice_conditions
from migkit.dialects.postgresql.sql import execute, literal, quote

NO_PARTITION = "NULL::oid"


@dataclass(frozen=True)
class Reading:
    """How the rows of a table are read.

    Attributes
    ----------
    source : str
        What follows FROM.
    seed : str
        SQL of the number by which rows are told apart: the key, the key's hash, or the whole row's.
    key : tuple of str
        SQL of the key's columns.
    segment, appended : str
        SQL of the segment's number, and of whether the row is beyond the known keys; constants where there is but one.
    partition : str
        SQL of the partition's oid.
    hashes : tuple of (name, SQL that is NULL where the column is, SQL of its hash)
        The columns.
    row_hash : str or None
        SQL of the hash of the whole row, for tables without a key.
    """

    source: str
    seed: str
    key: tuple[str, ...]
    segment: str
    appended: str
    partition: str
    hashes: tuple[tuple[str, str, str], ...]
    row_hash: str | None = None


def plan_reading(connection: Connection, content: TableContent, condition: str = "") -> Reading:
    """Plan how to read a table.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        The session that will read.
    content : TableContent
        What to read.
    condition : str
        SQL that narrows the rows, before anything is computed; empty for all.
    """
    release = server_release(connection)
    condition = " AND ".join(filter(None, [condition, *range_conditions(content)]))
    if not content.key:
        return _without_key(content, condition, release)
    types = key_types(connection, content)
    if len(content.key) == 1 and is_integer(types[content.key[0]]):
        return _by_integer(content, condition, release)
    return _by_hash(content, types, condition, release)


def server_release(connection: Connection) -> int:
    """Return the server's major version."""
    version = connection.dialect.server_version_info
    return int(version[0]) if version else 0


def seed_of_row(connection: Connection, content: TableContent) -> str:
    """Return SQL, over the table's own columns, of the number by which rows are told apart."""
    release = server_release(connection)
    if not content.key:
        return whole_row([digest(quote(name), token, "0::int8", release) for name, token in content.columns])
    types = key_types(connection, content)
    if len(content.key) == 1 and is_integer(types[content.key[0]]):
        return f"{quote(content.key[0])}::int8"
    seed = "0::int8"
    for name in content.key:
        seed = digest(quote(name), types[name], seed, release)
    return seed


def relation(content: TableContent) -> str:
    """Return SQL of the table: a parent's own rows are its own, unless it is nothing but its partitions."""
    name = quote(content.schema, content.table)
    return name if content.kind == "partitioned" else f"ONLY {name}"


_BASE_TYPES = """
WITH RECURSIVE base AS (
    SELECT a.attname::text AS name, a.atttypid AS type
      FROM pg_catalog.pg_attribute AS a
      JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname = {schema} AND c.relname = {table} AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT b.name, t.typbasetype FROM base AS b JOIN pg_catalog.pg_type AS t ON t.oid = b.type WHERE t.typtype = 'd'
)
SELECT b.name, CASE WHEN n.nspname = 'pg_catalog' THEN t.typname::text ELSE 'other:' || t.typname END
  FROM base AS b JOIN pg_catalog.pg_type AS t ON t.oid = b.type AND t.typtype <> 'd'
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
"""


def key_types(connection: Connection, content: TableContent) -> dict[str, str]:
    """Return the types of the key's columns; the catalog is asked for those that are not digested themselves."""
    known = dict(content.columns)
    if any(name not in known for name in content.key):
        sql = _BASE_TYPES.format(schema=literal(content.schema), table=literal(content.table))
        known = {str(name): str(token) for name, token in execute(connection, sql)} | known
    return {name: known.get(name, "other:unknown") for name in content.key}


def _by_integer(content: TableContent, condition: str, release: int) -> Reading:
    """Rows are seeded with their key itself, so that two rows that exchange values do not go unseen."""
    name = content.key[0]
    key = f"{quote(name)}::int8"
    condition = " AND ".join(filter(None, [condition, *slice_conditions(content, key)]))
    return Reading(
        source=f"{relation(content)}{where(condition)}",
        seed=key,
        key=(quote(name),),
        segment=segment_number(content, key, key),
        appended=_appended(content, key),
        partition="tableoid" if content.kind == "partitioned" else NO_PARTITION,
        hashes=tuple(
            (column, quote(column), digest(quote(column), token, "0::int8" if column == name else key, release))
            for column, token in content.columns
        ),
    )


def _by_hash(content: TableContent, types: dict[str, str], condition: str, release: int) -> Reading:
    """Rows are seeded with the chain of their key columns' hashes, computed once per row."""
    chain: dict[str, str] = {}
    inner: list[str] = []
    seed_sql, seed = "0::int8", ""
    for number, name in enumerate(content.key):
        seed_sql, seed = digest(quote(name), types[name], seed_sql, release), f"s{number}"
        chain[name] = seed
        inner += [f"{seed_sql} AS {seed}", f"{quote(name)} AS k{number}"]
    hashes = []
    for number, (name, token) in enumerate(content.columns):
        if name in chain:
            hashes.append((name, chain[name], chain[name]))
        else:
            inner.append(f"{quote(name)} AS c{number}")
            hashes.append((name, f"c{number}", digest(f"c{number}", token, seed, release)))
    return Reading(
        source=_subquery(content, condition, inner, seed),
        seed=seed,
        key=tuple(f"k{number}" for number in range(len(content.key))),
        segment=segment_number(content, "k0::int8", seed),
        appended=_appended(content, "k0::int8"),
        partition="p" if content.kind == "partitioned" else NO_PARTITION,
        hashes=tuple(hashes),
    )


def _without_key(content: TableContent, condition: str, release: int) -> Reading:
    """Rows are a multiset: each column is summed for itself, and the hash of the whole row ties them together."""
    names = [name for name, _ in content.columns]
    aliases = [f"h{number}" for number in range(len(names))]
    inner = [
        f"{digest(quote(name), token, '0::int8', release)} AS {alias}"
        for alias, (name, token) in zip(aliases, content.columns, strict=True)
    ]
    row_hash = whole_row(aliases)
    return Reading(
        source=_subquery(content, condition, inner, row_hash),
        seed=row_hash,
        key=(),
        segment="0" if content.slice_bits is None else segment_number(content, "0", row_hash),
        appended="false",
        partition="p" if content.kind == "partitioned" else NO_PARTITION,
        hashes=tuple((name, alias, alias) for name, alias in zip(names, aliases, strict=True)),
        row_hash=row_hash,
    )


def _subquery(content: TableContent, condition: str, expressions: Sequence[str], seed: str) -> str:
    # OFFSET 0 keeps the planner from pulling the expressions up and computing them once per use.
    partition = ["tableoid AS p"] if content.kind == "partitioned" else []
    targets = ", ".join([*partition, *expressions])
    inner = f"(SELECT {targets} FROM {relation(content)}{where(condition)} OFFSET 0) AS rows_read"
    return f"{inner}{where(' AND '.join(slice_conditions(content, seed)))}"


def where(condition: str) -> str:
    """Return a WHERE clause; nothing for no condition."""
    return f" WHERE {condition}" if condition else ""


def _appended(content: TableContent, key: str) -> str:
    return "false" if content.beyond is None else f"({key} > '{content.beyond}'::int8)"
