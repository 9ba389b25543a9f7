"""From a database URL to the file SQLite opens, and how it is opened: never created by accident."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlencode

from sqlalchemy import URL

from migkit.errors import UnsupportedFeature

OpenMode = Literal["ro", "rw", "rwc"]

# Parameters of Python's driver that SQLAlchemy accepts in a URL beside those of SQLite's own URIs.
_DRIVER_PARAMETERS = ("uri", "timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements")
_SYNCHRONOUS_DRIVERS = ("pysqlite", "aiosqlite")


def synchronous_url(url: URL) -> URL:
    """Return the URL for Python's own driver; asynchronous applications name another one for the same file.

    Raises
    ------
    UnsupportedFeature
        For drivers that open files of another format.
    """
    driver = url.get_driver_name()
    if driver not in _SYNCHRONOUS_DRIVERS:
        raise UnsupportedFeature(
            f"migkit does not open SQLite files through {driver!r}",
            next_step="Use a URL that starts with sqlite:/// (encrypted files need to be decrypted first).",
        )
    return url.set(drivername="sqlite")


def is_memory(url: URL) -> bool:
    """Tell whether the database lives in memory, and so in the one connection that made it."""
    database = url.database or ""
    return database in ("", ":memory:") or "file::memory:" in database or url.query.get("mode") == "memory"


def database_file(url: URL) -> Path | None:
    """Return the absolute path of the file a URL names; ``None`` for a database in memory."""
    if is_memory(url):
        return None
    database = url.database or ""
    if _is_uri(url):
        database = unquote(database.removeprefix("file:").removeprefix("//localhost").split("?")[0])
    return Path(database).absolute()


def sqlite_uri(url: URL, mode: OpenMode) -> str:
    """Return the URI that SQLite opens.

    Parameters
    ----------
    url : sqlalchemy.URL
        The database; a URL that is a SQLite URI itself (``sqlite:///file:app.db?mode=ro&uri=true``) keeps its
        parameters.
    mode : {"ro", "rw", "rwc"}
        How to open it; a URI that names its own mode can only be narrowed to ``ro``.
    """
    if not _is_uri(url):
        path = database_file(url)
        return f"{path.as_uri()}?mode={mode}" if path else ":memory:"
    parameters = {key: value for key, value in url.query.items() if key not in _DRIVER_PARAMETERS}
    if not is_memory(url) and (mode == "ro" or "mode" not in parameters):
        parameters["mode"] = mode
    database = url.database or ""
    return f"{database}?{urlencode(parameters, doseq=True)}" if parameters else database


def wait_seconds(url: URL) -> float:
    """Return how long a session waits for a lock before it gives up, as the URL or the driver has it."""
    timeout = url.query.get("timeout", "5")
    return float(timeout if isinstance(timeout, str) else timeout[0])


def _is_uri(url: URL) -> bool:
    return str(url.query.get("uri", "")).lower() in ("1", "true", "yes", "on")
