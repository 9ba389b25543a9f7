"""Load on MySQL and MariaDB: clients of the binary protocol, and the application's queries from performance_schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from migkit.dialects.mysql import session
from migkit.dialects.mysql.explanations import explain_connect_error
from migkit.dialects.mysql.load_client import MySQLClient
from migkit.dialects.mysql.sql import literal, quote, rows, scalar
from migkit.dialects.workloads import PolledClient, ServerQuery, Workloads
from migkit.errors import UnsupportedFeature

# Below so many rows every one is looked at.
_LOOK_AT_ALL_ROWS = 200_000
# The list of columns says how many values there were.
_INSERTED = re.compile(r"(\((?P<columns>(?:[^()`]|`(?:[^`]|``)*`)*)\)\s*VALUES?\s*\()\.\.\.\)", re.IGNORECASE)
_QUESTION = re.compile(r"`(?:[^`]|``)*`|'(?:[^'\\]|''|\\.)*'|\?")


class MySQLWorkloads(Workloads):
    """Load tests on MySQL and MariaDB."""

    polls_clients = True
    backslash_escapes = True
    lock_timeout_marks = ("1205", "Lock wait timeout")

    def open_load_client(self, url: URL, *, read_only: bool = False) -> PolledClient:
        """Open a connection in autocommit, called 'migkit load'."""
        options = {"program_name": "migkit load", "connect_timeout": 5}
        engine = session.create_engine(url, connect_args=options, poolclass=NullPool)
        try:
            pooled = engine.raw_connection()
        except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error, OSError) as error:
            raise explain_connect_error(error, url) from None
        connection: Any = pooled.driver_connection
        pooled.detach()
        connection.autocommit(True)
        if read_only:
            connection.query("SET SESSION TRANSACTION READ ONLY")
        return MySQLClient(connection, _killer(engine))

    def connection_limit(self, connection: Connection) -> int | None:
        """Return max_connections less the sessions there are."""
        used = rows(connection, "SHOW STATUS LIKE 'Threads_connected'")[0][1]
        return int(scalar(connection, "SELECT @@max_connections")) - int(used)

    def query_statistics(self, connection: Connection, limit: int) -> list[ServerQuery]:
        """Read events_statements_summary_by_digest."""
        if not int(scalar(connection, "SELECT @@performance_schema")):
            raise UnsupportedFeature(
                "The server keeps no statistics of its queries: performance_schema is off",
                next_step="Start it with performance_schema=ON, or use workload='auto'.",
            )
        sql = (
            "SELECT DIGEST_TEXT, COUNT_STAR, SUM_TIMER_WAIT / 1e9"
            " FROM performance_schema.events_statements_summary_by_digest"
            " WHERE SCHEMA_NAME = DATABASE() AND DIGEST_TEXT IS NOT NULL"
            f" ORDER BY COUNT_STAR DESC LIMIT {int(limit)}"
        )
        return [ServerQuery(_named(text), int(calls), float(total)) for text, calls, total in rows(connection, sql)]

    def sample_column(self, connection: Connection, path: Sequence[str], column: str, count: int) -> list[Any]:
        """Draw rows by chance."""
        name, table = quote(column), quote(*path)
        schema = literal(path[0]) if len(path) > 1 and path[0] else "DATABASE()"
        estimate = scalar(
            connection,
            f"SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_NAME = {literal(path[-1])}"
            f" AND TABLE_SCHEMA = {schema}",
        )
        share = "" if int(estimate or 0) <= _LOOK_AT_ALL_ROWS else f" AND RAND() < {10 * count / int(estimate):.9f}"
        sql = f"SELECT {name} FROM {table} WHERE {name} IS NOT NULL{share} ORDER BY RAND() LIMIT {int(count)}"
        return [value for (value,) in rows(connection, sql)]


def _killer(engine: Engine) -> Callable[[int], None]:
    def kill(number: int) -> None:
        # The session may have ended meanwhile, or the server.
        with suppress(DBAPIError, OSError), engine.connect() as beside:
            beside.exec_driver_sql(f"KILL QUERY {int(number)}")

    return kill


def _named(digest: str) -> str:
    """Give each value that a digest left out a name; it writes lists of them as ``(...)``."""
    number = 0

    def name(found: re.Match[str]) -> str:
        nonlocal number
        if found[0] != "?":
            return found[0]
        number += 1
        return f":p{number}"

    expanded = _INSERTED.sub(lambda found: found[1] + ", ".join("?" * (found["columns"].count(",") + 1)) + ")", digest)
    return _QUESTION.sub(name, expanded.replace("(...)", "(?)"))
