"""Rows whose parent does not exist, counted whether or not ``foreign_keys`` is on.

SQLite compares a child's value with the parent's under the parent's collation and affinity. An anti-join does the same
where both columns have one affinity; elsewhere SQLite's own check counts.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import Connection

from migkit.dialects.base import ForeignKey
from migkit.dialects.sqlite.catalog_queries import affinity
from migkit.dialects.sqlite.session import driver_connection, reading_errors


def count_orphans(connection: Connection, foreign_key: ForeignKey) -> int:
    """Count the rows of the referencing table without a parent; rows with a NULL in the key need none."""
    with reading_errors(f"orphans of {foreign_key.name}"):
        return _count_orphans(driver_connection(connection), foreign_key)


def _count_orphans(session: sqlite3.Connection, foreign_key: ForeignKey) -> int:
    if not foreign_key.referenced_columns:
        return _count(session, f"SELECT count(*) FROM {_child(foreign_key)} WHERE {_all_set(foreign_key)}")
    if _affinities(session, foreign_key.table, foreign_key.columns) != _affinities(
        session, foreign_key.referenced_table, foreign_key.referenced_columns
    ):
        return _count_by_check(session, foreign_key)
    matches = " AND ".join(
        f"p.{_quote(parent)} = c.{_quote(child)}"
        for parent, child in zip(foreign_key.referenced_columns, foreign_key.columns, strict=True)
    )
    parent = f"{_quote(foreign_key.referenced_schema)}.{_quote(foreign_key.referenced_table)}"
    return _count(
        session,
        f"SELECT count(*) FROM {_child(foreign_key)} WHERE {_all_set(foreign_key)} "
        f"AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {matches})",
    )


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _child(foreign_key: ForeignKey) -> str:
    return f"{_quote(foreign_key.schema)}.{_quote(foreign_key.table)} AS c"


def _all_set(foreign_key: ForeignKey) -> str:
    return " AND ".join(f"c.{_quote(column)} IS NOT NULL" for column in foreign_key.columns)


def _count(session: sqlite3.Connection, sql: str, parameters: tuple[object, ...] = ()) -> int:
    return int(session.execute(sql, parameters).fetchone()[0])


def _affinities(session: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> list[str]:
    types = {
        name.lower(): affinity(declared)
        for name, declared in session.execute("SELECT name, type FROM pragma_table_xinfo(?)", (table,))
    }
    return [types.get(column.lower(), "NUMERIC") for column in columns]  # rowid and its aliases are integers


def _count_by_check(session: sqlite3.Connection, foreign_key: ForeignKey) -> int:
    """Count with SQLite's own check, which knows its keys by number."""
    number = _number(session, foreign_key)
    sql = "SELECT count(*) FROM pragma_foreign_key_check(?) WHERE fkid = ?"
    return _count(session, sql, (foreign_key.table, number))


def _number(session: sqlite3.Connection, foreign_key: ForeignKey) -> int:
    keys: dict[int, list[str]] = {}
    parents: dict[int, str] = {}
    for number, parent, column in session.execute(
        'SELECT id, "table", "from" FROM pragma_foreign_key_list(?) ORDER BY id, seq', (foreign_key.table,)
    ):
        keys.setdefault(number, []).append(column)
        parents[number] = parent.lower()
    wanted = [column.lower() for column in foreign_key.columns]
    return next(
        number
        for number, columns in keys.items()
        if [column.lower() for column in columns] == wanted and parents[number] == foreign_key.referenced_table.lower()
    )
