"""Asking ``information_schema`` about some databases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.base import Row
from migkit.dialects.mysql.explanations import is_permission_error
from migkit.dialects.mysql.sql import execute, literal, literals, scalar

_QUOTED = r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`]|``)*`\s*\.?"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_$]*[A-Za-z_$][A-Za-z0-9_$]*")


class Reader:
    """One reading of the catalog.

    Parameters
    ----------
    connection : Connection
        A session.
    databases : sequence of str or None
        The databases to read; ``None`` means the connected one.
    mariadb : bool
        The server is MariaDB.
    """

    def __init__(self, connection: Connection, databases: Sequence[str] | None, mariadb: bool) -> None:
        self.connection = connection
        self.mariadb = mariadb
        self.current = str(scalar(connection, "SELECT DATABASE()") or "")
        self.databases = tuple(databases) if databases is not None else (self.current,)

    def rows(self, sql: str) -> list[Row]:
        """Return the answer as rows with lower-case column names."""
        result = execute(self.connection, sql)
        names = [name.lower() for name in result.keys()]  # noqa: SIM118  # iterating the answer itself gives its rows
        return [dict(zip(names, _texts(cells), strict=True)) for cells in result]

    def read(self, view: str, columns: str = "*", of: str = "TABLE_SCHEMA", order: str = "") -> list[Row]:
        """Read a view of ``information_schema`` for the databases."""
        ordered = f" ORDER BY {order}" if order else ""
        return self.rows(f"SELECT {columns} FROM information_schema.{view} WHERE {self.within(of)}{ordered}")

    def within(self, column: str) -> str:
        """Return the condition that a column names one of the databases."""
        if len(self.databases) == 1:
            # MariaDB looks into one database instead of all only for an equality.
            return f"{column} = {literal(self.databases[0])}"
        return f"{column} IN {literals(self.databases)}"

    def schema(self, database: str) -> str:
        """Return what a database is called in frames: nothing, if it is the connected one."""
        return "" if database == self.current else database

    def without_own_name(self, sql: str) -> str:
        """Remove the connected database's name where it qualifies a name, so that a copy reads and writes itself.

        Texts are left alone, and so is everything if a table has the name of the database: which of the two is meant is
        then not to be told.
        """
        if self._is_also_a_table:
            return sql
        quoted = "`" + self.current.replace("`", "``") + "`"

        def keep(match: re.Match[str]) -> str:
            text = match[0]
            own = text.endswith(".") and text[:-1].rstrip() in (quoted, self.current)
            return "" if own else text

        return self._token.sub(keep, sql)

    @cached_property
    def _is_also_a_table(self) -> bool:
        return any(row["table_name"] == self.current for row in self.tables)

    @cached_property
    def _token(self) -> re.Pattern[str]:
        """Whatever is quoted, and the bare name of the database before a dot."""
        if not _PLAIN_NAME.fullmatch(self.current):
            return re.compile(_QUOTED, re.DOTALL)
        return re.compile(rf"{_QUOTED}|(?<![\w$.@`]){re.escape(self.current)}\s*\.(?=\s*[\w`$])", re.DOTALL)

    @cached_property
    def transactional_engines(self) -> frozenset[str]:
        """Engines whose tables are part of a snapshot."""
        rows = self.rows("SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'YES'")
        return frozenset(row["engine"] for row in rows)

    @cached_property
    def routine_grants(self) -> list[Row] | None:
        """Rights to routines, which no view of ``information_schema`` tells; ``None`` if they may not be seen."""
        sql = (
            "SELECT User, Host, Db, Routine_name, Routine_type, Proc_priv FROM mysql.procs_priv"
            f" WHERE {self.within('Db')} ORDER BY Db, Routine_name, Routine_type, User, Host"
        )
        try:
            # In a session of its own: where the table is no InnoDB's, a transaction that read it has no savepoints.
            with self.connection.engine.connect() as beside:
                beside.detach()
                execute(beside, "SET SESSION sql_mode = ''")
                return _rows(beside, sql)
        except DBAPIError as error:
            if is_permission_error(error):
                return None
            raise

    @cached_property
    def tables(self) -> list[Row]:
        """Tables and views, in order."""
        return self.read("TABLES", order="TABLE_SCHEMA, TABLE_NAME")


def _rows(connection: Connection, sql: str) -> list[Row]:
    result = execute(connection, sql)
    names = [name.lower() for name in tuple(result.keys())]
    return [dict(zip(names, _texts(cells), strict=True)) for cells in result]


def _texts(cells: Sequence[object]) -> list[object]:
    # Some servers return parts of the catalog as bytes.
    return [cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in cells]
