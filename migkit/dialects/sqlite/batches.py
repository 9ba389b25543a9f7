"""Rows in batches of bounded size, turned into columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from migkit.dialects.base import TableContent
from migkit.dialects.sqlite.hashing import Values
from migkit.dialects.sqlite.session import driver_connection, reading_errors

BATCH_ROWS = 1024
BATCH_BYTES = 16 << 20
NARROW_BYTES = 16 << 10
# The driver hands out whole rows, and nothing is known of a row's size before it is there: rows come in small chunks,
# smaller ones where they were seen to be wide.
CHUNK_ROWS = 64
CHUNK_BYTES = 4 << 20

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Batch:
    """Some rows of a table, column by column, with the types that occur in each."""

    rows: int
    columns: dict[str, Values]
    types: dict[str, set[type]]

    def only(self, rows: list[int]) -> Batch:
        """Return some rows."""
        columns: dict[str, Values] = {name: [values[row] for row in rows] for name, values in self.columns.items()}
        return Batch(len(rows), columns, {name: set(map(type, values)) for name, values in columns.items()})


def read_batches(connection: Connection, content: TableContent, where: str = "") -> Iterator[Batch]:
    """Read the columns and the key of a table.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        The session to read with.
    content : TableContent
        The table.
    where : str, optional
        A condition in SQL.
    """
    names = [name for name, _ in content.columns]
    names += [name for name in content.key if name not in names]
    sql = _select(content, names, where)
    with reading_errors(sql):
        for rows in _batches(driver_connection(connection), content, sql):
            columns: dict[str, Values] = dict(zip(names, zip(*rows, strict=True), strict=True)) if names else {}
            yield Batch(len(rows), columns, {name: set(map(type, values)) for name, values in columns.items()})


def quote(name: str) -> str:
    """Quote a name."""
    return '"' + name.replace('"', '""') + '"'


def table_name(content: TableContent) -> str:
    """Return the quoted name of a table."""
    return f"{quote(content.schema)}.{quote(content.table)}"


def _select(content: TableContent, names: list[str], where: str) -> str:
    columns = ", ".join(quote(name) for name in names) or "NULL"
    # The table itself is to be read, not an index that happens to hold the same columns.
    indexed = " NOT INDEXED" if content.kind == "table" else ""
    condition = f" WHERE {where}" if where else ""
    return f"SELECT {columns} FROM {table_name(content)}{indexed}{condition}"


def _batches(session: sqlite3.Connection, content: TableContent, sql: str) -> Iterator[Rows]:
    """Yield batches of rows, reading text that is no UTF-8 from where the driver gave up on it."""
    done = 0
    try:
        for rows in _fetch(session, content, sql):
            yield rows
            done += len(rows)
        return
    except sqlite3.OperationalError as error:
        if "decode to UTF-8" not in str(error):
            raise
    strict = session.text_factory
    session.text_factory = _decode
    try:
        # The same plan over the same snapshot gives the same order.
        yield from _fetch(session, content, f"{sql} LIMIT -1 OFFSET {done}")
    finally:
        session.text_factory = strict


def _decode(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogateescape")


def _fetch(session: sqlite3.Connection, content: TableContent, sql: str) -> Iterator[Rows]:
    """Read the first batch with care; the others too, unless the table turns out to hold no wide row at all."""
    with closing(session.execute(sql)) as cursor:
        careful = _fetch_carefully(cursor)
        yield from islice(careful, 1)
        if not _is_narrow(session, content):
            yield from careful
            return
        while rows := cursor.fetchmany(BATCH_ROWS):
            yield rows


def _fetch_carefully(cursor: sqlite3.Cursor) -> Iterator[Rows]:
    rows: Rows = []
    size_bytes, chunk = 0, 1
    while found := cursor.fetchmany(chunk):
        rows += found
        found_bytes = _size_bytes(found)
        size_bytes += found_bytes
        chunk = max(1, min(CHUNK_ROWS, chunk * 2, CHUNK_BYTES * len(found) // (found_bytes + 1)))
        if len(rows) >= BATCH_ROWS or size_bytes >= BATCH_BYTES:
            yield rows
            rows, size_bytes = [], 0
    if rows:
        yield rows


def _size_bytes(rows: Rows) -> int:
    """Add up the lengths of texts and blobs; numbers do not count."""
    total = 0
    for values in zip(*rows, strict=True):
        try:
            total += sum(map(len, values))
        except TypeError:
            total += sum(len(value) for value in values if type(value) is str or type(value) is bytes)
    return total


def _is_narrow(session: sqlite3.Connection, content: TableContent) -> bool:
    """Tell whether even the widest row is small: then batches need no measuring.

    ``dbstat`` knows the widest stored row of a table, where the library has it; a generated column can be wider.
    """
    if content.kind != "table":
        return False
    try:
        widest, computed = session.execute(
            "SELECT (SELECT mx_payload FROM dbstat(?1, 1) WHERE name = ?2),"
            " (SELECT count(*) FROM pragma_table_xinfo(?2, ?1) WHERE hidden = 2)",
            (content.schema, content.table),
        ).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return False
        raise
    return widest is not None and widest <= NARROW_BYTES and not computed
