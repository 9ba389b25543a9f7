"""Copying the rows of a table, byte for byte, with bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from migkit.dialects.mysql.explanations import explain_error
from migkit.dialects.mysql.sql import execute, quote
from migkit.errors import CloneFailed
from migkit.stopping import check

BATCH_ROWS = 2000
BATCH_BYTES = 1_000_000

Encoder = Callable[[bytes], bytes]


def _plain(value: bytes) -> bytes:
    return value


def _quoted(value: bytes) -> bytes:
    return b"'" + value + b"'"


def _bytes(value: bytes) -> bytes:
    """Bytes are taken as they are by columns of any character set."""
    return b"0x" + value.hex().encode() if value else b"''"


def _text(value: bytes) -> bytes:
    """JSON refuses bytes."""
    return b"_utf8mb4 0x" + value.hex().encode() if value else b"''"


# By content type: how a column is asked for, and how an answer is written. Quoted numbers keep a negative zero.
_FORMS: dict[str, tuple[str, Encoder]] = {
    "padded integer": ("{c} + 0", _plain),
    "integer": ("{c}", _plain),
    "decimal": ("{c}", _plain),
    "padded decimal": ("{c}", _plain),
    "fraction": ("{c}", _plain),
    "padded fraction": ("{c}", _plain),
    # A FLOAT alone is written with six digits.
    "float": ("{c} * 1e0", _quoted),
    "date": ("{c}", _quoted),
    "instant": ("{c}", _quoted),
    "exact instant": ("{c}", _quoted),
    "zoned instant": ("{c}", _quoted),
    "exact zoned instant": ("{c}", _quoted),
    "time": ("{c}", _quoted),
    "exact time": ("{c}", _quoted),
    "text": ("{c}", _bytes),
    "converted text": ("{c}", _bytes),
    "bytes": ("{c}", _bytes),
    "written": ("{c}", _text),
}


def copy_rows(source: Connection, target: Connection, table: str, columns: Sequence[tuple[str, str]]) -> None:
    """Copy all rows of a table.

    Parameters
    ----------
    source : Connection
        A session of the snapshot.
    target : Connection
        A session on the copy, where the table exists and is empty.
    table : str
        The table.
    columns : sequence of (name, content_type)
        Its columns, without generated ones.

    Raises
    ------
    CloneFailed
        If the server refuses a row.
    """
    if not columns:
        return
    listed = ", ".join(quote(name) for name, _ in columns)
    asked = ", ".join(_FORMS[kind][0].format(c=quote(name)) for name, kind in columns)
    head = f"INSERT INTO {quote(table)} ({listed}) VALUES ".encode()
    encoders = [_FORMS[kind][1] for _, kind in columns]
    writer: Any = target.connection.dbapi_connection
    try:
        with _raw_rows(source, f"SELECT {asked} FROM {quote(table)}") as cursor:
            for batch in _batches(cursor, encoders):
                writer.query(head + b",".join(batch))
                # Where GTIDs are kept, a transaction may not write to a table whose engine knows none (MyISAM) as well.
                writer.commit()
    except writer.Error as error:
        raise CloneFailed(f"The rows of {table} cannot be copied: {explain_error(error)}", where=table) from error


def _batches(cursor: Any, encoders: Sequence[Encoder]) -> Iterator[list[bytes]]:
    """Write rows as SQL, and group them into statements of bearable size."""
    batch: list[bytes] = []
    size = 0
    while rows := cursor.fetchmany(BATCH_ROWS):
        check()
        for row in rows:
            cells = [b"NULL" if cell is None else encode(cell) for cell, encode in zip(row, encoders, strict=True)]
            written = b"(" + b",".join(cells) + b")"
            if batch and size + len(written) > BATCH_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(written)
            size += len(written)
    if batch:
        yield batch


@contextmanager
def _raw_rows(source: Connection, sql: str) -> Iterator[Any]:
    """Open a cursor that streams rows as the server sends them, each value as bytes in its own character set."""
    from pymysql.cursors import SSCursor

    execute(source, "SET character_set_results = NULL")
    raw: Any = source.connection.dbapi_connection
    decoders, raw.decoders, raw.use_unicode = raw.decoders, {}, False
    try:
        with raw.cursor(SSCursor) as cursor:
            cursor.execute(sql)
            yield cursor
    finally:
        raw.decoders, raw.use_unicode = decoders, True
        execute(source, "SET character_set_results = utf8mb4")
