"""Counting rows whose parent does not exist, exactly as the constraint would see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from migkit.dialects.base import ForeignKey
from migkit.dialects.postgresql.sql import execute, literal, quote

# The operators that the constraint itself compares with, and the collation of the referenced column where both differ.
# to_jsonb reads conperiod where the server has it (18), without an error where it has not.
_RULE = """
SELECT child.relkind = 'p', parent.relkind = 'p', coalesce((to_jsonb(con) ->> 'conperiod')::boolean, false),
       array_agg(opn.nspname ORDER BY pair.position), array_agg(op.oprname ORDER BY pair.position),
       array_agg(CASE WHEN fka.attcollation <> pka.attcollation THEN coln.nspname END ORDER BY pair.position),
       array_agg(CASE WHEN fka.attcollation <> pka.attcollation THEN col.collname END ORDER BY pair.position)
  FROM pg_catalog.pg_constraint AS con
  JOIN pg_catalog.pg_class AS child ON child.oid = con.conrelid
  JOIN pg_catalog.pg_namespace AS nsp ON nsp.oid = child.relnamespace
  JOIN pg_catalog.pg_class AS parent ON parent.oid = con.confrelid
 CROSS JOIN LATERAL unnest(con.conkey, con.confkey, con.conpfeqop)
       WITH ORDINALITY AS pair (fk, pk, operator, position)
  JOIN pg_catalog.pg_attribute AS fka ON fka.attrelid = con.conrelid AND fka.attnum = pair.fk
  JOIN pg_catalog.pg_attribute AS pka ON pka.attrelid = con.confrelid AND pka.attnum = pair.pk
  JOIN pg_catalog.pg_operator AS op ON op.oid = pair.operator
  JOIN pg_catalog.pg_namespace AS opn ON opn.oid = op.oprnamespace
  LEFT JOIN pg_catalog.pg_collation AS col ON col.oid = pka.attcollation
  LEFT JOIN pg_catalog.pg_namespace AS coln ON coln.oid = col.collnamespace
 WHERE con.contype = 'f' AND nsp.nspname = {schema} AND child.relname = {table} AND con.conname = {name}
 GROUP BY con.oid, con.*, child.relkind, parent.relkind
"""


@dataclass(frozen=True)
class _Rule:
    """How a foreign key compares."""

    child: str
    parent: str
    comparisons: tuple[str, ...]
    period: tuple[str, str] | None


def count_orphans(connection: Connection, foreign_key: ForeignKey) -> int:
    """Count rows whose parent does not exist, whether or not the constraint is validated or enforced.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        A session of a snapshot.
    foreign_key : ForeignKey
        The constraint. With MATCH SIMPLE a row with a NULL among its columns refers to nothing; with MATCH FULL such a
        row is an orphan unless all of its columns are NULL.

    Returns
    -------
    int
        Rows without a parent.
    """
    return int(execute(connection, _query(foreign_key, _rule(connection, foreign_key))).scalar_one())


def _rule(connection: Connection, key: ForeignKey) -> _Rule:
    sql = _RULE.format(schema=literal(key.schema), table=literal(key.table), name=literal(key.name))
    found = execute(connection, sql).one_or_none()
    partitioned = (bool(found[0]), bool(found[1])) if found else (False, False)
    pairs = list(zip(key.columns, key.referenced_columns, strict=True))
    period = pairs.pop() if found and found[2] else None
    return _Rule(
        child=_relation(key.schema, key.table, partitioned[0]),
        parent=_relation(key.referenced_schema, key.referenced_table, partitioned[1]),
        comparisons=tuple(_comparison(found, number, *pair) for number, pair in enumerate(pairs)),
        period=period,
    )


def _relation(schema: str, table: str, partitioned: bool) -> str:
    return quote(schema, table) if partitioned else f"ONLY {quote(schema, table)}"


def _comparison(found: Any, number: int, column: str, referenced: str) -> str:
    if found is None:
        return f"parent.{quote(referenced)} = child.{quote(column)}"
    operator_schema, operator, collation_schema, collation = (values[number] for values in found[3:7])
    collate = f" COLLATE {quote(collation_schema, collation)}" if collation else ""
    return f"parent.{quote(referenced)} OPERATOR({quote(operator_schema)}.{operator}) child.{quote(column)}{collate}"


def _query(key: ForeignKey, rule: _Rule) -> str:
    columns = [f"child.{quote(column)}" for column in key.columns]
    complete = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    count = f"SELECT count(*) FROM {rule.child} AS child WHERE"
    orphans = f"{count} {complete} AND NOT EXISTS ({_parents(rule)})"
    if not key.match_full or len(columns) == 1:
        return orphans
    some = " OR ".join(f"{column} IS NOT NULL" for column in columns)
    return f"SELECT ({orphans}) + ({count} ({some}) AND NOT ({complete}))"


def _parents(rule: _Rule) -> str:
    condition = " AND ".join(rule.comparisons) or "true"
    if rule.period is None:
        return f"SELECT FROM {rule.parent} AS parent WHERE {condition}"
    column, referenced = rule.period
    return (
        f"SELECT FROM {rule.parent} AS parent WHERE {condition}"
        f" HAVING child.{quote(column)} <@ range_agg(parent.{quote(referenced)})"
    )
