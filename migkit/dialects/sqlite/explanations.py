"""SQLite's errors as sentences: its own messages name neither the file nor what to do."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from migkit.dialects.sqlite.files import database_file
from migkit.errors import ConnectionFailed, MigkitError

_HINTS = {
    "SQLITE_BUSY": "another connection holds the lock on the file",
    "SQLITE_LOCKED": "another statement of this process holds the lock on the table",
    "SQLITE_READONLY": "the file or its folder cannot be written",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_INTERRUPT": "cancelled",
}


def driver_error(error: Exception) -> Exception:
    """Return the driver's own error below SQLAlchemy's."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return original if isinstance(original, Exception) else error


def error_name(error: Exception) -> str:
    """Return SQLite's result code by name (``SQLITE_BUSY``), empty where the driver gives none."""
    return str(getattr(driver_error(error), "sqlite_errorname", ""))


def lacks_registration(error: Exception) -> bool:
    """Tell whether a statement needs a module, function or collation that only the application registers."""
    message = str(driver_error(error))
    return message.startswith(("no such module", "no such function", "no such collation sequence"))


def explain_error(error: Exception) -> str:
    """Return the message of a failed statement on one line, with its result code and what it means."""
    message = " ".join(str(driver_error(error)).split())
    name = error_name(error)
    if not name or not isinstance(driver_error(error), sqlite3.Error):
        return message
    hint = next((text for code, text in _HINTS.items() if name == code or name.startswith(f"{code}_")), None)
    return f"{message}: {hint} ({name})" if hint else f"{message} ({name})"


def explain_connect_error(error: Exception, url: URL) -> MigkitError:
    """Say in one sentence why a database cannot be opened."""
    if isinstance(error, MigkitError):
        return error
    path = database_file(url)
    what, next_step = _reason(error, path)
    return ConnectionFailed(what, where=str(path) if path else str(url), next_step=next_step)


def _reason(error: Exception, path: Path | None) -> tuple[str, str | None]:
    name = error_name(error)
    if name == "SQLITE_NOTADB":
        return "The file is no SQLite database", "Check the path; an encrypted file has to be decrypted first."
    if name.startswith("SQLITE_CORRUPT"):
        return "The database file is damaged", "Look at it with: PRAGMA integrity_check"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "The database is locked by another connection", "Wait until it is done, or end it, then try again."
    if name == "SQLITE_READONLY_ROLLBACK":
        return (
            "A crash left an unfinished transaction beside the file",
            "Open it once with a program that may write to it.",
        )
    if path is not None and name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR")):
        return _file_reason(path)
    return explain_error(error), None


def _file_reason(path: Path) -> tuple[str, str | None]:
    if not path.parent.is_dir():
        return "There is no such file: its folder does not exist either", "Check the path."
    if not path.exists():
        return "There is no such file", "Check the path; migkit never creates a database it was pointed at."
    if path.is_dir():
        return "This is a folder, not a database file", "Name the file inside it."
    if not os.access(path, os.R_OK):
        return "The file cannot be read with the rights of this user", f"Check its permissions: ls -l {path}"
    return (
        "The database cannot be opened: its journal or WAL file cannot be read or made beside it",
        f"Check the permissions of the folder {path.parent}.",
    )


def is_already_so(error: Exception) -> bool:
    """Tell whether the thing to drop does not exist, or the thing to make does; SQLite has no codes for that."""
    message = str(driver_error(error))
    return message.startswith(("no such ", "duplicate column name")) or message.endswith("already exists")
