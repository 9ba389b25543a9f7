"""Scratch databases: made beside others on a server, marked as migkit's, and dropped with whoever still uses them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.postgresql.session import (
    create_engine,
    error_code,
    explain_connect_error,
    explain_error,
    is_permission_error,
)
from migkit.dialects.postgresql.sql import execute, literal, quote
from migkit.dialects.postgresql.transfer import copy
from migkit.errors import CloneFailed, PermissionMissing
from migkit.ownership import SCRATCH_COMMENT, SCRATCH_PREFIX

__all__ = ["copy", "create_scratch", "drop_scratch", "ensure_database", "list_scratch", "refused", "server"]

# Where one can always connect to, to make and to drop other databases.
_MAINTENANCE = ("postgres", "template1")

_ALREADY_THERE = ("42P04", "23505")


def create_scratch(home: URL | None, name: str) -> URL:
    """Create an empty database.

    Parameters
    ----------
    home : sqlalchemy.URL
        Any database of the server it shall be on.
    name : str
        The new database's name.

    Returns
    -------
    sqlalchemy.URL
        The URL of the new database.

    Raises
    ------
    PermissionMissing
        If the user may not create databases.
    CloneFailed
        If the server refuses for another reason.
    """
    if home is None:
        raise CloneFailed(
            "A scratch database needs a PostgreSQL server",
            next_step="Name one with into=… or clone_into, or install the embedded one: pip install 'migkit[embedded]'",
        )
    comment = f"{SCRATCH_COMMENT} at {datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"
    with server(home) as connection:
        try:
            options = _locale_options(connection)
            execute(connection, f"CREATE DATABASE {quote(name)} TEMPLATE template0 ENCODING 'UTF8'{options}")
            execute(connection, f"COMMENT ON DATABASE {quote(name)} IS {literal(comment)}")
        except DBAPIError as error:
            raise refused(error, name, home) from error
    return home.set(database=name)


def _locale_options(connection: Connection) -> str:
    """Return what a UTF-8 database needs on a server whose own locale is another encoding's, or knows ASCII only."""
    encoding, locale, release = execute(
        connection,
        "SELECT pg_encoding_to_char(encoding), datcollate, current_setting('server_version_num')::int / 10000"
        " FROM pg_catalog.pg_database WHERE datname = 'template0'",
    ).one()
    plain = locale in ("C", "POSIX")
    if plain and release >= 17:
        # Sorted by code point like C, but with upper and lower case beyond ASCII.
        return " LOCALE_PROVIDER builtin LOCALE 'C' BUILTIN_LOCALE 'C.UTF-8'"
    return "" if encoding == "UTF8" else " LOCALE 'C'"


def list_scratch(home: URL | None) -> list[str]:
    """Return the names of the scratch databases on a server."""
    if home is None:
        return []
    with server(home) as connection:
        rows = execute(
            connection,
            "SELECT datname FROM pg_catalog.pg_database"
            f" WHERE starts_with(datname, {literal(SCRATCH_PREFIX)}) ORDER BY datname",
        )
        return [str(name) for (name,) in rows]


def drop_scratch(url: URL) -> None:
    """Drop a database made by :func:`create_scratch`, ending the sessions that still use it; nothing if it is gone.

    Raises
    ------
    CloneFailed
        If migkit did not make this database, or the server refuses.
    """
    name = url.database or ""
    with server(url.set(database=_MAINTENANCE[0])) as connection:
        try:
            if not _is_ours(connection, name):
                return
            execute(connection, f"DROP DATABASE IF EXISTS {quote(name)} WITH (FORCE)")
        except DBAPIError as error:
            raise CloneFailed(
                f"The scratch database could not be dropped: {explain_error(error)}",
                where=name,
                next_step=f"Drop it yourself: DROP DATABASE {quote(name)} WITH (FORCE)",
            ) from error


def _is_ours(connection: Connection, name: str) -> bool:
    row = execute(
        connection,
        "SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database"
        f" WHERE datname = {literal(name)}",
    ).one_or_none()
    if row is None:
        return False
    # A crash between making and marking it leaves one that has only the name to be known by.
    if not name.startswith(SCRATCH_PREFIX) and not (row[0] or "").startswith(SCRATCH_COMMENT):
        raise CloneFailed("migkit did not make this database, so migkit does not drop it", where=name)
    return True


def ensure_database(home: URL, name: str) -> URL:
    """Return the URL of a database on the server of `home`, created if it is not there yet.

    Raises
    ------
    PermissionMissing
        If the user may not create databases.
    CloneFailed
        If the server refuses for another reason.
    """
    with server(home) as connection:
        try:
            known = f"SELECT 1 FROM pg_catalog.pg_database WHERE datname = {literal(name)}"
            if execute(connection, known).one_or_none() is None:
                options = _locale_options(connection)
                execute(connection, f"CREATE DATABASE {quote(name)} TEMPLATE template0 ENCODING 'UTF8'{options}")
        except DBAPIError as error:
            # Somebody else may have been faster.
            if error_code(error) not in _ALREADY_THERE:
                raise refused(error, name, home) from error
    return home.set(database=name)


def refused(error: DBAPIError, name: str, home: URL) -> CloneFailed | PermissionMissing:
    """Say why a server does not create a database."""
    if is_permission_error(error):
        return PermissionMissing(
            f"{home.username or 'The user'} may not create databases on this server",
            where=name,
            next_step="Name another server with into=… or clone_into, or give the right: ALTER ROLE … CREATEDB.",
        )
    return CloneFailed(f"The database could not be created: {explain_error(error)}", where=name)


@contextmanager
def server(home: URL) -> Iterator[Connection]:
    """Open a session outside transactions in `home`, or in another database of the server where that one is missing."""
    candidates = dict.fromkeys([home.database or _MAINTENANCE[0], *_MAINTENANCE])
    last: Exception | None = None
    for database in candidates:
        engine = create_engine(home.set(database=database), isolation_level="AUTOCOMMIT")
        try:
            connection = engine.connect()
        except DBAPIError as error:
            engine.dispose()
            last = error
            if "does not exist" in str(error.orig) and "database" in str(error.orig):
                continue
            break
        try:
            with connection:
                yield connection
        finally:
            engine.dispose()
        return
    assert last is not None
    raise explain_connect_error(last, home) from last
