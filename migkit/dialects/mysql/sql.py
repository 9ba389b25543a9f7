"""Writing SQL for MySQL and MariaDB: quoting, and sending text exactly as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult


def quote(*parts: str) -> str:
    """Quote an identifier or a dotted path of them; empty parts are left out, because the connected database has the
    empty name.
    """
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts if part)


def literal(text: str) -> str:
    """Quote a string so that it reads the same under every ``sql_mode``."""
    return f"_utf8mb4 0x{text.encode().hex()}" if text else "''"


def execute(connection: Connection, sql: str) -> CursorResult[Any]:
    """Send SQL as it is: neither ``%`` nor ``:`` means anything on the way."""
    return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def rows(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    """Return the whole answer."""
    return [tuple(row) for row in execute(connection, sql)]


def scalar(connection: Connection, sql: str) -> Any:
    """Return the first cell of the answer."""
    return execute(connection, sql).scalar()


def literals(texts: Sequence[str]) -> str:
    """Write strings as the list that ``IN`` takes; never an empty one."""
    return "(" + ", ".join(literal(text) for text in texts) + ")" if texts else "(NULL)"
