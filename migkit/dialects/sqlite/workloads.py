"""Load on SQLite: the client is the server, so every client is a connection with a thread of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from migkit.dialects.sqlite import session
from migkit.dialects.sqlite.explanations import error_name, explain_connect_error, explain_error
from migkit.dialects.sqlite.files import is_memory
from migkit.dialects.workloads import ClientError, LoadClient, NamedSql, Workloads
from migkit.errors import UnsupportedFeature

# Below so many rows every one is looked at.
_LOOK_AT_ALL_ROWS = 200_000


class SQLiteClient(LoadClient):
    """One connection to the file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def prepare(self, sql: NamedSql) -> tuple[Any, tuple[str, ...]]:
        """Compile it once to see whether it is good; the driver keeps compiled statements by their text."""
        text = sql.questioned()
        self._connection.execute(f"EXPLAIN {text}", [None] * len(sql.names)).close()
        return text, sql.names

    def encode(self, value: Any) -> Any:
        """Return one of the five values SQLite has."""
        if isinstance(value, datetime | date | time | Decimal):
            return str(value)
        return value if value is None or isinstance(value, int | float | str | bytes) else str(value)

    def run(self, prepared: Any, values: Sequence[Any]) -> None:
        """Execute and fetch every row."""
        self._connection.execute(prepared, values).fetchall()

    def explain(self, error: Exception) -> ClientError:
        """Return the result code's name."""
        if not isinstance(error, sqlite3.Error):
            raise error
        return ClientError(error_name(error) or type(error).__name__, explain_error(error))

    def reset(self) -> None:
        """Roll back what is open."""
        if self._connection.in_transaction:
            self._connection.rollback()

    def cancel(self) -> None:
        """Interrupt; who waits for the lock wakes at its next look."""
        with suppress(sqlite3.ProgrammingError):
            self._connection.interrupt()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class SQLiteWorkloads(Workloads):
    """Load tests on SQLite."""

    lock_timeout_marks = ("SQLITE_BUSY", "database is locked")

    def open_load_client(self, url: URL, *, read_only: bool = False) -> LoadClient:
        """Open the file; who waits for its lock waits as long as the URL or the driver says.

        Raises
        ------
        UnsupportedFeature
            If the database lives in memory, and so in the one connection that made it.
        """
        if is_memory(url):
            raise UnsupportedFeature(
                "A database in memory has no second connection, so it takes no load", next_step="Use a file."
            )
        engine = session.create_engine(url, connect_args={"cached_statements": 256})
        try:
            pooled = engine.raw_connection()
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise explain_connect_error(error, url) from None
        connection: Any = pooled.driver_connection
        pooled.detach()
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        return SQLiteClient(connection)

    def sample_column(self, connection: Connection, path: Sequence[str], column: str, count: int) -> list[Any]:
        """Draw rows by chance."""
        driver = session.driver_connection(connection)
        name, table = _quoted(column), ".".join(_quoted(part) for part in path if part)
        sql = f"SELECT count(*) FROM {table}"
        with session.reading_errors(sql):
            rows = int(driver.execute(sql).fetchone()[0])
        share = ""
        if rows > _LOOK_AT_ALL_ROWS:
            share = f" AND abs(random() % 1000000) < {max(1, round(1_000_000 * 10 * count / rows))}"
        sql = f"SELECT {name} FROM {table} WHERE {name} IS NOT NULL{share} ORDER BY random() LIMIT {int(count)}"
        with session.reading_errors(sql):
            return [value for (value,) in driver.execute(sql)]


def _quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'
