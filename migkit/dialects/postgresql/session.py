"""Sessions of PostgreSQL: opening them, sharing a snapshot, ending what they do, and saying what went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoRoomInPool

from migkit.dialects.postgresql.sql import execute, literal
from migkit.errors import ConnectionFailed, MigkitError, MissingExtra
from migkit.redaction import redact

DRIVER = "postgresql+psycopg"

# Table, column, other object, schema, routine.
_MISSING = frozenset({"42P01", "42703", "42704", "3F000", "42883"})
_EXISTING = frozenset({"42P07", "42701", "42710", "42P06", "42723"})
_PERMISSION_DENIED = "42501"

# What a capture must not depend on. They are set for its transaction only, so that nothing stays behind in a pool.
_CAPTURE_SETTINGS: Mapping[str, str] = {
    "search_path": "pg_catalog",
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "lc_monetary": "C",
    "quote_all_identifiers": "off",
    # Rows that a policy hides are an error, not an omission.
    "row_security": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # Workers divide the tables among themselves; the server must not divide once more, nor compile for one query.
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "work_mem": "64MB",
    "hash_mem_multiplier": "4",
    "enable_sort": "off",
    "synchronize_seqscans": "off",
}


def create_engine(url: URL, **options: Any) -> Engine:
    """Return an engine on psycopg 3 whose sessions name themselves 'migkit'.

    Parameters
    ----------
    url : sqlalchemy.URL
        Any PostgreSQL URL; the driver it names is replaced by psycopg 3.
    **options
        Passed on to :func:`sqlalchemy.create_engine`.

    Returns
    -------
    sqlalchemy.Engine
        The engine; nothing is connected yet.

    Raises
    ------
    MissingExtra
        If psycopg is not installed.
    """
    named = url.query.get("application_name", "")
    program = named if isinstance(named, str) and named.startswith("migkit ") else "migkit"
    connect_args = {"application_name": program, **options.pop("connect_args", {})}
    try:
        return sqlalchemy.create_engine(psycopg_url(url), connect_args=connect_args, **options)
    except ModuleNotFoundError:
        raise MissingExtra("psycopg", "postgresql", "PostgreSQL") from None


def psycopg_url(url: URL) -> URL:
    """Return the URL with psycopg 3 as its driver."""
    return url.set(drivername=DRIVER)


# --- errors ---------------------------------------------------------------------------------------------------------


def explain_connect_error(error: Exception, url: URL) -> MigkitError:
    """Turn a driver's error while connecting into one sentence and what to do about it.

    Parameters
    ----------
    error : Exception
        What the driver or SQLAlchemy raised.
    url : sqlalchemy.URL
        Where it tried to connect to.

    Returns
    -------
    MigkitError
        :class:`MissingExtra` if the driver is missing, else :class:`ConnectionFailed`.
    """
    if isinstance(error, ModuleNotFoundError):
        return MissingExtra("psycopg", "postgresql", "PostgreSQL")
    message = _connect_message(error)
    where = _where(url)
    for pattern, what, next_step in _CONNECT_ERRORS:
        if re.search(pattern, message, re.IGNORECASE):
            names = {"user": url.username or "the current user", "database": url.database or "(default)"}
            return ConnectionFailed(what.format(**names), where=where, next_step=next_step.format(**names))
    return ConnectionFailed(f"The connection failed: {message}", where=where)


# Pattern of libpq's or the server's message, what it means, what to do. The first match counts.
_CONNECT_ERRORS: tuple[tuple[str, str, str], ...] = (
    (
        r"password authentication failed|authentication failed|no password supplied",
        "The server refused the password of {user}",
        "Check the user and the password in the URL, the environment or ~/.pgpass.",
    ),
    (
        r"no pg_hba\.conf entry",
        "The server does not let {user} in from here",
        "Its pg_hba.conf has no entry for this user, database and address.",
    ),
    (
        r'database ".*" does not exist',
        "There is no database {database}",
        "Check the name at the end of the URL; psql --list shows the databases of the server.",
    ),
    (
        r'role ".*" (does not exist|is not permitted to log in)',
        "There is no user {user} who may log in",
        "Check the user in the URL; psql -c '\\du' shows the roles of the server.",
    ),
    (
        r"permission denied for database",
        "{user} may not connect to the database {database}",
        "The right is given with GRANT CONNECT ON DATABASE.",
    ),
    (
        r"could not translate host name|name or service not known|failed to resolve host|nodename nor servname",
        "The host name is not known",
        "Check the host in the URL.",
    ),
    (
        r"connection refused|no such file or directory|is the server running|timeout expired|timed out"
        r"|no route to host|network is unreachable",
        "No PostgreSQL server answers",
        "Check that it is running and that host and port in the URL are right.",
    ),
    (
        r"too many clients|remaining connection slots|too many connections",
        "The server has no connection left",
        "Close other sessions, or raise max_connections.",
    ),
    (
        r"starting up|shutting down|recovery mode",
        "The server is starting up or shutting down",
        "Try again in a moment.",
    ),
    (
        r"SSL|certificate",
        "The server and the client did not agree on encryption",
        "Check sslmode, sslrootcert and the certificate in the URL.",
    ),
)


def _connect_message(error: Exception) -> str:
    message = str(error.orig if isinstance(error, DBAPIError) else error)
    return redact(" ".join(message.split()))


def _where(url: URL) -> str:
    host = url.host or url.query.get("host") or "the local socket"
    port = f":{url.port}" if url.port else ""
    return f"{host if isinstance(host, str) else ', '.join(host)}{port}/{url.database or ''}"


def explain_error(error: Exception) -> str:
    """Return the server's message, with its detail, hint and code, as one line."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    diagnosis = getattr(original, "diag", None)
    primary = getattr(diagnosis, "message_primary", None)
    if diagnosis is None or primary is None:
        return redact(" ".join(str(original).split()))
    parts = [primary]
    if diagnosis.message_detail:
        parts.append(diagnosis.message_detail)
    if diagnosis.message_hint:
        parts.append(f"Hint: {diagnosis.message_hint}")
    text = " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts)
    return redact(" ".join(f"{text} [{diagnosis.sqlstate}]".split()))


def is_permission_error(error: Exception) -> bool:
    """Tell whether an error means that a right is missing, or that a policy hides rows."""
    return error_code(error) == _PERMISSION_DENIED


def is_already_so(error: Exception) -> bool:
    """Tell whether an error means that the thing to drop does not exist, or the thing to make does."""
    return error_code(error) in _MISSING | _EXISTING


def error_code(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error, where the server gave one."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return getattr(original, "sqlstate", None)


# --- facts about a session ------------------------------------------------------------------------------------------


def server_version(connection: Connection) -> str:
    """Return ``PostgreSQL 18.1``: the version without what the packager added."""
    version = str(execute(connection, "SELECT current_setting('server_version')").scalar_one())
    return f"PostgreSQL {version.split()[0]}"


def default_schema(connection: Connection) -> str:
    """Return the first schema of the search path that exists, ``public`` where none does."""
    return execute(connection, "SELECT current_schema()").scalar_one() or "public"


def session_id(connection: Connection) -> int:
    """Return the process id of the session's backend."""
    return int(connection.connection.driver_connection.info.backend_pid)  # type: ignore[union-attr]


def canceller(connection: Connection) -> Callable[[], None]:
    """Return a function that cancels what the session is doing, callable from any thread."""
    driver_connection: Any = connection.connection.driver_connection
    cancel: Callable[[], None] = getattr(driver_connection, "cancel_safe", driver_connection.cancel)
    return cancel


def set_lock_timeout(connection: Connection, seconds: float | None) -> None:
    """Limit how long the session waits for a lock; ``None`` waits for ever.

    A timeout of zero would mean none at all, so that the shortest one is a millisecond.
    """
    milliseconds = 0 if seconds is None else max(1, round(seconds * 1000))
    execute(connection, f"SET lock_timeout = {milliseconds}")


# --- one instant, several sessions ----------------------------------------------------------------------------------


_EXPORT = "SELECT pg_catalog.pg_export_snapshot()"
# The execution option under which the first session keeps the name of the snapshot it shares.
SHARED_SNAPSHOT = "migkit_snapshot"


@contextmanager
def snapshot(engine: Engine, workers: int) -> Iterator[list[Connection]]:
    """Open read-only sessions that all see the same instant.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Where to open them.
    workers : int
        How many at the most; one where the server cannot share a snapshot.

    Yields
    ------
    list of sqlalchemy.Connection
        The sessions, each within a transaction that is rolled back in the end.
    """
    with ExitStack() as stack:
        first = stack.enter_context(_reading_session(engine))
        exported = _export(first) if workers > 1 else None
        first.execution_options(**{SHARED_SNAPSHOT: exported})
        _pin_settings(first)
        connections = [first]
        if exported is not None:
            for _ in range(workers - 1):
                joined = _join(stack, engine, exported)
                if joined is None:
                    break
                connections.append(joined)
        yield connections


@contextmanager
def _reading_session(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        reading = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        try:
            yield reading
        finally:
            if not reading.closed and not reading.invalidated:
                reading.rollback()


def _export(connection: Connection) -> str | None:
    try:
        return str(execute(connection, _EXPORT).scalar_one())
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        # A server in recovery or behind a restricting proxy: one session sees one instant all the same.
        connection.rollback()
        return None


def _join(stack: ExitStack, engine: Engine, exported: str) -> Connection | None:
    """Open one more session on the snapshot, or none where the server or the pool has no room for it."""
    try:
        connection = stack.enter_context(_reading_session(engine))
        execute(connection, f"SET TRANSACTION SNAPSHOT {literal(exported)}")
        _pin_settings(connection)
    except (DBAPIError, NoRoomInPool):
        return None
    return connection


def _pin_settings(connection: Connection) -> None:
    wanted = ", ".join(f"({literal(name)}, {literal(value)})" for name, value in _CAPTURE_SETTINGS.items())
    execute(
        connection,
        "SELECT pg_catalog.set_config(wanted.name, wanted.value, true)"
        f" FROM (VALUES {wanted}) AS wanted (name, value)"
        " JOIN pg_catalog.pg_settings AS known ON lower(known.name) = lower(wanted.name)",
    )


# The table's row is read by the snapshot, its file by the server's own, present knowledge.
_REPLACED = """
SELECT n.nspname || '.' || c.relname
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND c.relfilenode <> 0 AND NOT starts_with(n.nspname::text, 'pg_')
   AND pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode
 ORDER BY 1
"""


def replaced_since(connection: Connection) -> list[str]:
    """Return tables whose file is another than when the snapshot was taken.

    TRUNCATE and an ALTER TABLE that rewrites are not MVCC-safe: an older snapshot sees the table empty.
    """
    return [str(name) for name in execute(connection, _REPLACED).scalars()]


# --- statements that refuse a transaction ---------------------------------------------------------------------------

_COMMENTS_AND_STRINGS = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$|(?P<name>\"(?:[^\"]|\"\")*\")",
    re.DOTALL,
)
_OUTSIDE_TRANSACTION = re.compile(
    r"""^\s*(?:
        (?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX)\s+CONCURRENTLY\b
      | REINDEX\s+(?:\([^)]*\)\s*)?(?:(?:DATABASE|SYSTEM|SCHEMA)\b|(?:INDEX|TABLE)\s+CONCURRENTLY\b)
      | REINDEX\s+\([^)]*\bCONCURRENTLY\b(?!\s+(?:OFF|FALSE|0)\b)
      | VACUUM\b
      | CLUSTER\s*(?:\([^)]*\)|VERBOSE)?\s*;?\s*$
      | (?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE)\b
      | ALTER\s+DATABASE\s+\S+\s+SET\s+TABLESPACE\b
      | ALTER\s+SYSTEM\b
      | ALTER\s+TABLE\b.*\bDETACH\s+PARTITION\b.*\bCONCURRENTLY\b
      | (?:CREATE|DROP)\s+SUBSCRIPTION\b
      | ALTER\s+SUBSCRIPTION\b.*\bREFRESH\b
      | DISCARD\s+ALL\b
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def must_run_outside_transaction(sql: str) -> bool:
    """Tell whether PostgreSQL refuses this statement inside a transaction block.

    Parameters
    ----------
    sql : str
        One statement, with or without comments around it.
    """
    bare = _COMMENTS_AND_STRINGS.sub(lambda match: ' "name" ' if match["name"] else " ", sql)
    return _OUTSIDE_TRANSACTION.match(bare) is not None


@contextmanager
def given_back(connection: Connection) -> Iterator[None]:
    """Read behind a savepoint and go back to it.

    An error does not end the snapshot for the other tables, and the locks of reading are given back, of which 5,000
    tables would need more than a server has.
    """
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        if savepoint.is_active:
            savepoint.rollback()
