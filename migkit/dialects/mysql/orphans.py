"""Rows whose parent does not exist."""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.base import ForeignKey
from migkit.dialects.mysql.explanations import error_code
from migkit.dialects.mysql.sql import quote, scalar

NO_SUCH_TABLE = 1146


def count_orphans(connection: Connection, foreign_key: ForeignKey) -> int:
    """Count rows whose parent does not exist; a NULL in any column of the key makes it hold (MATCH SIMPLE)."""
    child = quote(foreign_key.schema, foreign_key.table)
    parent = quote(foreign_key.referenced_schema, foreign_key.referenced_table)
    present = " AND ".join(f"c.{quote(column)} IS NOT NULL" for column in foreign_key.columns)
    pairs = zip(foreign_key.columns, foreign_key.referenced_columns, strict=True)
    joined = " AND ".join(f"p.{quote(there)} = c.{quote(here)}" for here, there in pairs)
    counted = f"SELECT COUNT(*) FROM {child} AS c WHERE {present}"
    try:
        return int(scalar(connection, f"{counted} AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {joined})"))
    except DBAPIError as error:
        if error_code(error) != NO_SUCH_TABLE:
            raise
        # The parent table can be dropped while foreign keys are not checked.
        return int(scalar(connection, counted))
