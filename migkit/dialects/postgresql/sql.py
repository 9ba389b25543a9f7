"""Writing SQL for PostgreSQL: quoting, and sending text exactly as it is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, CursorResult


def quote(*parts: str) -> str:
    """Quote an identifier, or a dotted path of them."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def literal(text: str) -> str:
    """Quote a string so that it reads the same whatever ``standard_conforming_strings`` says."""
    if "\\" in text:
        return " E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    return "'" + text.replace("'", "''") + "'"


def execute(connection: Connection, sql: str, **options: Any) -> CursorResult[*tuple[Any, ...]]:
    """Send SQL as it is: neither ``%`` nor ``:`` means anything on the way."""
    return connection.exec_driver_sql(sql, execution_options={"no_parameters": True, **options})
