"""Scratch databases: made on the server of their source, listed, and dropped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import URL, Connection, NullPool
from sqlalchemy.exc import DBAPIError

from migkit.dialects.mysql import explanations, session
from migkit.dialects.mysql.sql import execute, literal, quote, rows
from migkit.errors import CloneFailed, ConfigError, PermissionMissing
from migkit.ownership import SCRATCH_PREFIX


def create_scratch(home: URL | None, name: str) -> URL:
    """Create an empty database with the character set of the database that `home` names.

    Parameters
    ----------
    home : sqlalchemy.URL
        The server, and the database whose settings the new one takes over.
    name : str
        The name of the new database.

    Returns
    -------
    sqlalchemy.URL
        The new database.

    Raises
    ------
    PermissionMissing
        If the user may not create databases.
    CloneFailed
        If the server refuses for another reason.
    """
    server = _require(home)
    try:
        with _administration(server) as connection:
            execute(connection, f"CREATE DATABASE {quote(name)}{_settings(connection, server.database)}")
    except DBAPIError as error:
        reason = explanations.explain_error(error)
        if explanations.is_permission_error(error):
            raise PermissionMissing(
                f"{server.username or 'The user'} may not create a scratch database: {reason}",
                where=server.host,
                next_step=rf"Grant ALL PRIVILEGES ON `{SCRATCH_PREFIX}%`.*, or name another server with into=.",
            ) from error
        raise CloneFailed(f"The scratch database could not be created: {reason}", where=server.host) from error
    return server.set(database=name)


def _settings(connection: Connection, database: str | None) -> str:
    if not database:
        return ""
    found = rows(
        connection,
        "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
        f" WHERE SCHEMA_NAME = {literal(database)}",
    )
    return "".join(f" CHARACTER SET {character_set} COLLATE {collation}" for character_set, collation in found)


def list_scratch(home: URL | None) -> list[str]:
    """Return the names of migkit's databases on the server."""
    with _administration(_require(home)) as connection:
        names = [str(row[0]) for row in rows(connection, "SHOW DATABASES")]
    return sorted(name for name in names if name.startswith(SCRATCH_PREFIX))


def drop_scratch(url: URL) -> None:
    """Drop a scratch database, ending sessions that still use it.

    Raises
    ------
    ConfigError
        If the name is not one that migkit gives.
    """
    if not (url.database or "").startswith(SCRATCH_PREFIX):
        raise ConfigError(f"{url.database} is no scratch database of migkit's, so it is not dropped")
    with _administration(url) as connection:
        query = f"SELECT ID FROM information_schema.PROCESSLIST WHERE DB = {literal(str(url.database))}"
        for session_id in [int(row[0]) for row in rows(connection, query)]:
            # It may have ended meanwhile.
            with suppress(DBAPIError):
                execute(connection, f"KILL {session_id}")
        execute(connection, f"DROP DATABASE IF EXISTS {quote(str(url.database))}")


def _require(home: URL | None) -> URL:
    if home is None:
        raise ConfigError("A scratch database needs a server", next_step="Name one with into=.")
    return home


@contextmanager
def _administration(url: URL) -> Iterator[Connection]:
    """Open a session on no database in particular."""
    # URL.set() takes None for "as it is".
    nowhere = url._replace(database=None)
    engine = session.create_engine(nowhere, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
