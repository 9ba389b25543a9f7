"""Tables and columns."""

from __future__ import annotations

import re

from migkit.dialects.base import Row
from migkit.dialects.mysql.catalog_reader import Reader

PAGE_BYTES = 16384
TABLE_KINDS = ("BASE TABLE", "SYSTEM VERSIONED")
# Character sets whose every text reads the same after conversion; the bytes of others are digested as they are.
_SAME_BYTES = frozenset({"utf8mb4", "utf8mb3", "utf8", "ascii"})
_CONVERTIBLE = frozenset({"latin1", "ucs2", "utf16", "utf16le", "utf32"})

_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})
_PADDED = frozenset({"year", "bit"})
_TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"})
_WRITTEN = frozenset({"json", "uuid", "inet4", "inet6"})
_NUMBERS = _INTEGERS | {"decimal", "float", "double", "year"}
_NOISE = re.compile(r"\b(DEFAULT_GENERATED|auto_increment|INVISIBLE|(VIRTUAL|STORED) GENERATED)\b,?\s*", re.I)


def read_tables(reader: Reader) -> list[Row]:
    """Return the tables, without their keys."""
    return [_table(reader, row) for row in reader.tables if row["table_type"] in TABLE_KINDS]


def _table(reader: Reader, row: Row) -> Row:
    create_options = row["create_options"] or ""
    data_bytes, index_bytes = row["data_length"] or 0, row["index_length"] or 0
    return {
        "schema": reader.schema(row["table_schema"]),
        "table": row["table_name"],
        "kind": "partitioned" if "partitioned" in create_options else "table",
        "owner": None,
        "options": _table_options(row, create_options),
        "comment": row["table_comment"] or None,
        "size_bytes": data_bytes + index_bytes,
        "index_bytes": index_bytes,
        # Never 0, which would mean certainly empty: the server's sizes are estimates.
        "pages": max(1, data_bytes // PAGE_BYTES),
    }


def _table_options(row: Row, create_options: str) -> str:
    parts = [
        f"ENGINE={row['engine']}",
        f"ROW_FORMAT={row['row_format']}",
        f"COLLATE={row['table_collation']}",
        "WITH SYSTEM VERSIONING" if row["table_type"] == "SYSTEM VERSIONED" else "",
        create_options,
    ]
    return " ".join(part for part in parts if part)


def read_columns(reader: Reader) -> list[Row]:
    """Return the columns of tables and views; those of tables with their content type."""
    kinds = {(row["table_schema"], row["table_name"]): row["table_type"] for row in reader.tables}
    shown = (*TABLE_KINDS, "VIEW")
    return [
        _column(reader, row, kinds[row["table_schema"], row["table_name"]])
        for row in reader.read("COLUMNS", order="TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION")
        if kinds.get((row["table_schema"], row["table_name"])) in shown
    ]


def _column(reader: Reader, row: Row, table_type: str) -> Row:
    extra = row["extra"] or ""
    return {
        "schema": reader.schema(row["table_schema"]),
        "table": row["table_name"],
        "column": row["column_name"],
        "position": row["ordinal_position"],
        "type": row["column_type"],
        "nullable": row["is_nullable"] == "YES",
        "default": _default(reader, row, extra),
        "identity": "auto_increment" if "auto_increment" in extra else None,
        "generated": _generated(row, extra),
        "collation": row["collation_name"],
        "options": _column_options(row, extra),
        "comment": row["column_comment"] or None,
        "content_type": content_type(row, reader.mariadb) if table_type in TABLE_KINDS else None,
    }


def _default(reader: Reader, row: Row, extra: str) -> str | None:
    """Write a default as SQL; MariaDB does so itself, MySQL writes texts without quotes."""
    default = row["column_default"]
    if default is None or (reader.mariadb and default == "NULL"):
        return None
    if "DEFAULT_GENERATED" in extra:
        return f"({default})"
    if reader.mariadb:
        return reader.without_own_name(str(default))
    if row["data_type"] in _NUMBERS or row["data_type"] == "bit":
        return str(default)
    return "'" + str(default).replace("'", "''") + "'"


def _generated(row: Row, extra: str) -> str | None:
    expression = row["generation_expression"]
    if not expression:
        return None
    return f"({expression}) {'VIRTUAL' if 'VIRTUAL' in extra.upper() else 'STORED'}"


def _column_options(row: Row, extra: str) -> str | None:
    parts = [
        f"CHARACTER SET {row['character_set_name']}" if row["character_set_name"] else "",
        "INVISIBLE" if "INVISIBLE" in extra.upper() else "",
        _NOISE.sub("", extra).strip(),
        f"SRID {row['srs_id']}" if row.get("srs_id") is not None else "",
    ]
    return " ".join(part for part in parts if part) or None


def content_type(row: Row, mariadb: bool) -> str:
    """Return the token for how a column is digested, one of :data:`~migkit.dialects.mysql.hashing.FORMS`."""
    kind, padded = row["data_type"], "zerofill" in row["column_type"]
    if kind in _INTEGERS or kind in _PADDED:
        return "padded integer" if padded or kind in _PADDED else "integer"
    if kind == "decimal":
        return ("padded " if padded else "") + ("fraction" if row["numeric_scale"] else "decimal")
    if kind in ("float", "double"):
        return "float"
    if kind == "date":
        return "date"
    if kind in ("datetime", "timestamp"):
        zoned = "zoned instant" if kind == "timestamp" else "instant"
        return f"exact {zoned}" if row["datetime_precision"] else zoned
    if kind == "time":
        return "exact time" if row["datetime_precision"] else "time"
    if kind in _WRITTEN:
        return "written"
    return _text_type(row["character_set_name"]) if kind in _TEXTS else "bytes"


def _text_type(character_set: str | None) -> str:
    if character_set in _SAME_BYTES:
        return "text"
    return "converted text" if character_set in _CONVERTIBLE else "bytes"
