"""FLOAT values beside a dump: the server's tools write six digits, and some values need nine to come back.

What a dump would not bring back is written down as updates by key, while the snapshot of the capture still stands.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard
from sqlalchemy import Connection

from migkit.dialects.mysql.sql import execute, quote, rows

FLOATS = "floats.sql.zst"
_HEAD = b"SET NAMES utf8mb4;\nSET SESSION sql_mode = '', time_zone = '+00:00';\n"
_BATCH_ROWS = 2000
_NUMBERS = frozenset(("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year"))
_BYTES = frozenset(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"))
# Of those, no literal equals exactly what is stored, or none is simple.
_NO_KEYS = frozenset(("float", "double", "bit", "json", "geometry"))

_COLUMNS = """
SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, c.EXTRA, COALESCE(c.GENERATION_EXPRESSION, ''), t.TABLE_TYPE
  FROM information_schema.COLUMNS AS c
  JOIN information_schema.TABLES AS t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
 WHERE c.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
   AND c.TABLE_NAME IN (SELECT TABLE_NAME FROM information_schema.COLUMNS
                         WHERE TABLE_SCHEMA = DATABASE() AND DATA_TYPE = 'float')
 ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION
"""
_KEYS = """
SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.STATISTICS
 WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME = 'PRIMARY' ORDER BY TABLE_NAME, SEQ_IN_INDEX
"""


@dataclass(frozen=True)
class _Table:
    """A table with FLOAT columns."""

    name: str
    floats: tuple[str, ...]
    # Name and type of each column of the key; empty where rows cannot be told apart.
    key: tuple[tuple[str, str], ...]
    # Columns that an update would change by itself.
    touched: tuple[str, ...]


def write_floats(connection: Connection, path: Path) -> list[str]:
    """Write down the values that a dump does not bring back; no file where there are none.

    Parameters
    ----------
    connection : Connection
        A session in the snapshot that the dump sees too.
    path : Path
        The file.

    Returns
    -------
    list of str
        Tables that have such values, but no key to tell their rows apart by.
    """
    without_key: list[str] = []
    found = _tables(connection)
    if not found:
        return without_key
    written = False
    with path.open("wb") as file, zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(file) as writer:
        writer.write(_HEAD)
        for table in found:
            for statement in _updates(connection, table):
                if not table.key:
                    without_key.append(table.name)
                    break
                writer.write(statement)
                written = True
    if not written:
        path.unlink()
    return without_key


def _tables(connection: Connection) -> list[_Table]:
    keys: dict[str, list[str]] = defaultdict(list)
    for table, column in rows(connection, _KEYS):
        keys[str(table)].append(str(column))
    columns: dict[str, list[tuple[str, str, str, str]]] = defaultdict(list)
    versioned: set[str] = set()
    for table, *facts, kind in rows(connection, _COLUMNS):
        columns[str(table)].append(tuple(_text(one) for one in facts))  # type: ignore[arg-type]
        if kind != "BASE TABLE":
            versioned.add(str(table))
    found = []
    for name, facts_of in columns.items():
        types = {column: kind for column, kind, _, _ in facts_of}
        key = tuple((column, types[column]) for column in keys[name])
        usable = name not in versioned and not any(kind in _NO_KEYS for _, kind in key)
        found.append(
            _Table(
                name,
                tuple(column for column, kind, _, generated in facts_of if kind == "float" and not generated),
                key if usable else (),
                tuple(column for column, _, extra, _ in facts_of if "on update" in extra.lower()),
            )
        )
    return [table for table in found if table.floats]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _updates(connection: Connection, table: _Table) -> Iterator[bytes]:
    """Yield an update for each row with a value that six digits do not tell."""
    values = ", ".join(f"{quote(one)}, {quote(one)} * 1e0" for one in table.floats)
    key = ", ".join(_asked(column, kind) for column, kind in table.key)
    lossy = " OR ".join(f"{quote(one)} IS NOT NULL" for one in table.floats)
    sql = f"SELECT {values}{', ' + key if key else ''} FROM {quote(table.name)} WHERE {lossy}"
    streaming = connection.execution_options(stream_results=True, yield_per=_BATCH_ROWS)
    count = len(table.floats)
    for row in execute(streaming, sql):
        told = [(row[2 * index], row[2 * index + 1]) for index in range(count)]
        changes = [
            f"{quote(name)} = {exact!r}"
            for name, (dumped, exact) in zip(table.floats, told, strict=True)
            if exact is not None and _nearest(float(dumped)) != float(exact)
        ]
        if changes:
            changes += [f"{quote(one)} = {quote(one)}" for one in table.touched]
            where = " AND ".join(
                f"{quote(column)} = {_written(kind, value)}"
                for (column, kind), value in zip(table.key, row[2 * count :], strict=True)
            )
            yield f"UPDATE {quote(table.name)} SET {', '.join(changes)} WHERE {where};\n".encode()


def _nearest(value: float) -> float:
    """Return the FLOAT that a number becomes.

    >>> _nearest(0.5), _nearest(0.1) == 0.1
    (0.5, False)
    """
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def _asked(column: str, kind: str) -> str:
    if kind in _NUMBERS:
        return quote(column)
    return f"HEX({quote(column)})" if kind in _BYTES else f"HEX(CONVERT({quote(column)} USING utf8mb4))"


def _written(kind: str, value: object) -> str:
    if kind in _NUMBERS:
        return str(value)
    if not value:
        return "''"
    return f"0x{_text(value)}" if kind in _BYTES else f"_utf8mb4 0x{_text(value)}"
