"""Load on PostgreSQL: clients on libpq itself, prepared once, and the application's queries from pg_stat_statements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from migkit.dialects.postgresql import session
from migkit.dialects.postgresql.measuring import STATEMENTS_SCHEMA
from migkit.dialects.postgresql.sql import execute, literal, quote
from migkit.dialects.workloads import ClientError, NamedSql, PolledClient, ServerQuery, Workloads
from migkit.errors import PermissionMissing, UnsupportedFeature
from migkit.redaction import redact

if TYPE_CHECKING:
    import psycopg

_STALE_PLAN = "0A000"
# Below so many rows every one is looked at; above, a sample of pages does.
_LOOK_AT_ALL_ROWS = 200_000


class PostgreSQLClient(PolledClient):
    """One connection, driven through libpq's asynchronous calls."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        from psycopg import errors, pq

        self._connection = connection
        self._libpq = connection.pgconn
        self._count = 0
        self._error: Exception | None = None
        self._failed = pq.ExecStatus.FATAL_ERROR
        self._unusable = (pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH)
        self._idle = pq.TransactionStatus.IDLE
        self._from_result = errors.error_from_result
        self.session = connection.info.backend_pid

    def prepare(self, sql: NamedSql) -> tuple[Any, tuple[str, ...]]:
        """Prepare under a name of its own; the server finds the types of the parameters."""
        text, names = sql.numbered()
        self._count += 1
        name = b"migkit_%d" % self._count
        result = self._libpq.prepare(name, text.encode())
        if result.status == self._failed:
            raise self._from_result(result)
        return name, names

    def encode(self, value: Any) -> Any:
        """Return the value in PostgreSQL's text form."""
        if value is None:
            return None
        if isinstance(value, bool):
            return b"t" if value else b"f"
        if isinstance(value, bytes | bytearray | memoryview):
            return b"\\x" + bytes(value).hex().encode()
        return (repr(value) if isinstance(value, float) else str(value)).encode()

    def fileno(self) -> int:
        """Return libpq's socket."""
        return int(self._libpq.socket)

    def send(self, prepared: Any, values: Sequence[Any]) -> None:
        """Send without waiting."""
        self._libpq.send_query_prepared(prepared, values)

    def receive(self) -> bool:
        """Take what came; the last of an answer's results is None."""
        libpq = self._libpq
        libpq.consume_input()
        while not libpq.is_busy():
            result = libpq.get_result()
            if result is None:
                error, self._error = self._error, None
                if error is not None:
                    raise error
                return True
            if result.status == self._failed:
                self._error = self._from_result(result)
            elif result.status in self._unusable:
                raise UnsupportedFeature("COPY cannot be part of a workload", next_step="Use INSERT or SELECT.")
        return False

    def run(self, prepared: Any, values: Sequence[Any]) -> None:
        """Execute and wait."""
        result = self._libpq.exec_prepared(prepared, values)
        if result.status == self._failed:
            raise self._from_result(result)

    def explain(self, error: Exception) -> ClientError:
        """Return the SQLSTATE and the message."""
        import psycopg

        if not isinstance(error, psycopg.Error):
            raise error
        from psycopg import pq

        lost = self._libpq.status != pq.ConnStatus.OK
        return ClientError(error.sqlstate or "connection lost", session.explain_error(error), lost)

    def must_prepare_again(self, error: ClientError) -> bool:
        """Tell whether a cached plan stopped fitting the table, which drivers meet as an error too."""
        return error.kind == _STALE_PLAN and "cached plan" in error.message

    def reset(self) -> None:
        """Roll back what is open."""
        if self._libpq.transaction_status != self._idle:
            self._libpq.exec_(b"ROLLBACK")

    def cancel(self) -> None:
        """Ask the server through a connection of its own."""
        import psycopg

        with suppress(psycopg.Error, OSError):
            self._connection.cancel_safe(timeout=2)

    def close(self) -> None:
        """Close the socket; the server ends the session."""
        self._connection.close()


class PostgreSQLWorkloads(Workloads):
    """Load tests on PostgreSQL."""

    polls_clients = True
    lock_timeout_marks = ("[55P03]",)

    def open_load_client(self, url: URL, *, read_only: bool = False) -> PolledClient:
        """Open a connection in autocommit, called 'migkit load'."""
        options = {"application_name": "migkit load"} | ({"connect_timeout": 5} if not _says_timeout(url) else {})
        engine = session.create_engine(url, connect_args=options, poolclass=NullPool)
        try:
            pooled = engine.raw_connection()
        except (SQLAlchemyError, _driver_error(), OSError) as error:
            raise session.explain_connect_error(error, url) from None
        connection: Any = pooled.driver_connection
        pooled.detach()
        connection.rollback()
        connection.autocommit = True
        client = PostgreSQLClient(connection)
        if read_only:
            connection.execute("SET default_transaction_read_only = on")
        return client

    def connection_limit(self, connection: Connection) -> int | None:
        """Return max_connections less those reserved and those in use."""
        sql = (
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
            " - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
        )
        return int(execute(connection, sql).scalar_one())

    def query_statistics(self, connection: Connection, limit: int) -> list[ServerQuery]:
        """Read pg_stat_statements."""
        schema = execute(connection, STATEMENTS_SCHEMA).scalar()
        sql = (
            f"SELECT query, calls, total_exec_time FROM {f'{schema}.' if schema else ''}pg_stat_statements"
            " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query IS NOT NULL"
            f" ORDER BY calls DESC LIMIT {int(limit)}"
        )
        try:
            found = execute(connection, sql).all()
        except DBAPIError as error:
            connection.rollback()
            raise _no_statistics(error) from error
        # Numbers of one digit as in $1, which must not be read as the beginning of $10.
        return [ServerQuery(re.sub(r"\$(\d+)", r":p\1", query), calls, total) for query, calls, total in found]

    def sample_column(self, connection: Connection, path: Sequence[str], column: str, count: int) -> list[Any]:
        """Draw rows of small tables, pages of large ones."""
        table, name = quote(*filter(None, path)), quote(column)
        size = f"SELECT reltuples FROM pg_class WHERE oid = {literal(table)}::regclass"
        rows = float(execute(connection, size).scalar_one())
        sampled = ""
        if rows > _LOOK_AT_ALL_ROWS:
            sampled = f" TABLESAMPLE SYSTEM ({min(100.0, 100 * 10 * count / rows):.6f})"
        # As text: what the driver would make of a type must not matter.
        sql = (
            f"SELECT v::text FROM (SELECT {name} AS v FROM {table}{sampled} WHERE {name} IS NOT NULL) AS sampled"
            f" ORDER BY random() LIMIT {int(count)}"
        )
        return [value for (value,) in execute(connection, sql)]


def _driver_error() -> type[Exception]:
    import psycopg

    return psycopg.Error


def _says_timeout(url: URL) -> bool:
    return "connect_timeout" in url.query


def _no_statistics(error: DBAPIError) -> Exception:
    if session.is_permission_error(error):
        return PermissionMissing(
            "The queries of other users are not to be seen",
            where="pg_stat_statements",
            next_step="The right is given with GRANT pg_read_all_stats.",
        )
    return UnsupportedFeature(
        f"The server keeps no statistics of its queries: {redact(session.explain_error(error))}",
        where="pg_stat_statements",
        next_step="Put it into shared_preload_libraries and CREATE EXTENSION it, or use workload='auto'.",
    )
