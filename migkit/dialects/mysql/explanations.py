"""What the server's and the driver's errors mean, in one sentence."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoRoomInPool

from migkit.errors import ConnectionFailed, MigkitError, MissingExtra
from migkit.redaction import redact

# Error number of the server or the driver: what it means, what to do.
_CONNECT_ERRORS: dict[int, tuple[str, str]] = {
    1045: ("The server refused the password of {user}", "Check the user and the password of the URL."),
    1698: ("The server lets {user} in only through its socket", "Name a user that has a password."),
    1049: ("There is no database {database}", "Check the name at the end of the URL."),
    1044: ("{user} may not use the database {database}", "The right is given with GRANT … ON {database}.*."),
    1040: ("The server has no connection left", "Close other sessions, or raise max_connections."),
    1203: ("{user} has no connection left", "Close other sessions, or raise max_user_connections."),
    1129: ("The server has blocked this host after many failed attempts", "FLUSH HOSTS lifts that."),
    1130: ("The server does not let this host in", "The account has to be created for this host."),
    1862: ("The password of {user} has expired", "Change it with ALTER USER."),
    2003: ("No server answers", "Check that it is running and that host and port in the URL are right."),
    2002: ("No server answers", "Check that it is running and that the socket in the URL is right."),
    2013: ("The server ended the connection while it was being opened", "See the server's log."),
    2006: ("The server ended the connection", "See the server's log."),
}
_PERMISSION_CODES = frozenset({1044, 1045, 1142, 1143, 1227, 1370})
# Unknown table, view, sequence, key, constraint, column, routine, trigger, event.
_MISSING_CODES = frozenset({1051, 1146, 4092, 4091, 1091, 1176, 3821, 3940, 1054, 1305, 1360, 1539})
# Table, column, key, foreign key, check, primary key, routine, trigger, event exists already.
_EXISTING_CODES = frozenset({1050, 1060, 1061, 1826, 3822, 1068, 1304, 1359, 1537})
_ADVICE: dict[int, str] = {
    1205: "another session held a row for longer than the lock timeout",
    1213: "two sessions waited for each other",
    1412: "the table was changed after the snapshot was taken",
    1317: "the statement was cancelled",
}


def error_code(error: Exception) -> int | None:
    """Return the number of a server's or driver's error."""
    arguments: Any = getattr(error.orig, "args", ()) if isinstance(error, DBAPIError) else error.args
    return arguments[0] if len(arguments) > 0 and isinstance(arguments[0], int) else None


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
        return MissingExtra("pymysql", "mysql", "MySQL")
    where = _where(url)
    if isinstance(error, NoRoomInPool):
        return ConnectionFailed("The engine's connection pool is exhausted", where=where)
    known = _CONNECT_ERRORS.get(error_code(error) or 0)
    if known is None:
        return ConnectionFailed(f"The connection failed: {explain_error(error)}", where=where)
    what, next_step = known
    names = {"user": url.username or "the current user", "database": url.database or "(none)"}
    return ConnectionFailed(what.format(**names), where=where, next_step=next_step.format(**names))


def _where(url: URL) -> str:
    host = url.host or url.query.get("unix_socket") or "localhost"
    return f"{host}:{url.port or 3306}/{url.database or ''}"


def explain_error(error: Exception) -> str:
    """Return the server's message with its code as one line, and what it means where that is not said."""
    code, message = error_code(error), _message(error)
    line = redact(re.sub(r"\s+", " ", message).strip())
    if code is None:
        return line
    advice = _ADVICE.get(code)
    return f"{line} ({advice}; error {code})" if advice else f"{line} (error {code})"


def _message(error: Exception) -> str:
    origin: Any = error.orig if isinstance(error, DBAPIError) else error
    arguments: Any = getattr(origin, "args", ())
    if len(arguments) > 1 and isinstance(arguments[0], int):
        return str(arguments[1])
    return str(origin)


def is_permission_error(error: Exception) -> bool:
    """Tell whether an error means that a right is missing."""
    return error_code(error) in _PERMISSION_CODES


def is_already_so(error: Exception) -> bool:
    """Tell whether an error means that the thing to drop does not exist, or the thing to make does."""
    return error_code(error) in _MISSING_CODES | _EXISTING_CODES
