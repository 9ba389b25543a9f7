"""Sessions of MySQL and MariaDB: opening them, sharing an instant, and ending what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError

from migkit.dialects.mysql.sql import execute, rows, scalar
from migkit.errors import MissingExtra

# What a capture must not depend on. `sql_mode` is empty so that zero dates read as they are and names need no mode.
_CAPTURE_SETTINGS = (
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = '', time_zone = '+00:00'",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
)
_BEGIN = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
# While the lock waits for a long statement, every writer waits behind it. Then one session has to do.
_GLOBAL_LOCK_PATIENCE_SECONDS = 2
_FOREVER_SECONDS = 31_536_000


def create_engine(url: URL, **options: Any) -> Engine:
    """Return an engine on PyMySQL, speaking utf8mb4, whose sessions name themselves 'migkit'.

    Parameters
    ----------
    url : sqlalchemy.URL
        Any MySQL or MariaDB URL; the driver it names is replaced by PyMySQL.
    **options
        Passed on to :func:`sqlalchemy.create_engine`.

    Returns
    -------
    sqlalchemy.Engine
        The engine; nothing is connected yet.

    Raises
    ------
    MissingExtra
        If PyMySQL is not installed.
    """
    arguments = {"program_name": "migkit", "charset": "utf8mb4", **options.pop("connect_args", {})}
    arguments |= {key: value for key, value in url.query.items() if key == "charset"}
    if url.password:
        # As text, the driver would send it in Latin 1; the server keeps what was said in UTF-8.
        arguments.setdefault("password", url.password.encode())
    url = url.set(drivername=f"{url.get_backend_name()}+pymysql")
    try:
        return sqlalchemy.create_engine(url, connect_args=arguments, **options)
    except ModuleNotFoundError:
        raise MissingExtra("pymysql", "mysql", "MySQL") from None


def full_version(connection: Connection) -> str:
    """Return the version as the server writes it: ``10.11.6-MariaDB-0+deb12u1``."""
    return str(scalar(connection, "SELECT VERSION()"))


def version_numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers: ``(10, 11, 6)``."""
    return tuple(int(part) for part in version.split("-")[0].split(".") if part.isdigit())


def version_text(connection: Connection) -> str:
    """Return the version without the distribution's suffix: ``10.11.6``."""
    return full_version(connection).split("-")[0]


# --- one instant ------------------------------------------------------------------------------------------------------


@contextmanager
def snapshot(engine: Engine, workers: int) -> Iterator[list[Connection]]:
    """Open read-only sessions that all see one instant.

    Several sessions open their snapshots while a global read lock holds writers back for an instant; where that lock is
    not to be had (no right to it, or a long statement in its way), there is one session.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The database.
    workers : int
        How many sessions at most.

    Yields
    ------
    list of Connection
        Sessions in a transaction; their settings go with them when they close.
    """
    with ExitStack() as stack:
        sessions = [_open(stack, engine) for _ in range(workers)]
        if workers > 1 and not _begin_together(engine, sessions):
            for extra in sessions[1:]:
                extra.close()
            del sessions[1:]
            execute(sessions[0], _BEGIN)
        elif workers == 1:
            execute(sessions[0], _BEGIN)
        yield sessions


def _open(stack: ExitStack, engine: Engine) -> Connection:
    connection = engine.connect()
    # Its settings must not come back to the pool, nor its snapshot stay open.
    stack.callback(_end, connection)
    connection.detach()
    for statement in _CAPTURE_SETTINGS:
        execute(connection, statement)
    _speak_utf8(connection)
    if "mariadb" not in full_version(connection).lower():
        # Else sizes and AUTO_INCREMENT are up to a day old.
        execute(connection, "SET SESSION information_schema_stats_expiry = 0")
    connection.commit()
    return connection


def _speak_utf8(connection: Connection) -> None:
    """Tell the driver too: it reads answers in the character set that the URL asked for."""
    switch = getattr(connection.connection.dbapi_connection, "set_character_set", None)
    if switch is not None:
        switch("utf8mb4")


def _end(connection: Connection) -> None:
    with suppress(DBAPIError):
        connection.close()


def _begin_together(engine: Engine, sessions: list[Connection]) -> bool:
    with ExitStack() as stack:
        locker = engine.connect()
        stack.callback(_end, locker)
        locker.detach()
        try:
            execute(locker, f"SET SESSION lock_wait_timeout = {_GLOBAL_LOCK_PATIENCE_SECONDS}")
            execute(locker, "FLUSH TABLES WITH READ LOCK")
        except DBAPIError:
            return False
        try:
            for session in sessions:
                execute(session, _BEGIN)
        finally:
            execute(locker, "UNLOCK TABLES")
        return True


# --- identity and cancelling ------------------------------------------------------------------------------------------


def session_id(connection: Connection) -> int:
    """Return the server's number of this session."""
    return int(scalar(connection, "SELECT CONNECTION_ID()"))


def canceller(connection: Connection) -> Callable[[], None]:
    """Return a function that cancels the session's running statement, from a session of its own."""
    session, engine = session_id(connection), connection.engine

    def cancel() -> None:
        # A pool of its own: the engine's may have no connection left.
        pool = engine.pool.recreate()
        try:
            beside = pool.connect()
            cursor = beside.cursor()
            with suppress(engine.dialect.loaded_dbapi.Error):
                # The session may have ended meanwhile.
                cursor.execute(f"KILL QUERY {session}")
            cursor.close()
            beside.close()
        finally:
            pool.dispose()

    return cancel


def set_lock_timeout(connection: Connection, seconds: float | None) -> None:
    """Limit how long the session waits for table and row locks; MySQL counts whole seconds, at least one."""
    whole = _FOREVER_SECONDS if seconds is None else max(1, round(seconds))
    execute(connection, f"SET SESSION lock_wait_timeout = {whole}, innodb_lock_wait_timeout = {whole}")


_IN_TRANSACTION = 1  # SERVER_STATUS_IN_TRANS of the protocol


def has_open_transaction(connection: Connection, *, ask: bool) -> bool:
    """Tell whether a transaction is open; an error carries no status flags, so after one the server has to be asked."""
    driver: Any = connection.connection.dbapi_connection
    if ask:
        cursor = driver.cursor()
        try:
            cursor.execute("DO 1")
        finally:
            cursor.close()
    return bool(driver.server_status & _IN_TRANSACTION)


def neighbours(connection: Connection) -> frozenset[str]:
    """Return the names of the server's other databases; ``information_schema`` is none, for nobody can change it."""
    names = {str(row[0]) for row in rows(connection, "SHOW DATABASES")}
    return frozenset(names - {"information_schema", str(scalar(connection, "SELECT DATABASE()"))})
