"""Scratch databases: files in a folder of the user's own, filled through SQLite's backup API."""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from migkit.dialects.sqlite import explanations
from migkit.dialects.sqlite.files import database_file, is_memory
from migkit.dialects.sqlite.session import create_engine, driver_connection, snapshot
from migkit.errors import CloneFailed, UnsupportedFeature
from migkit.progress import Progress

_SUFFIX = ".db"
# What SQLite puts beside a database.
_COMPANIONS = ("", "-journal", "-wal", "-shm")
_PAGES_PER_STEP = 2048
_OWN_TABLES = "name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"


def scratch_folder() -> Path:
    """Return the private folder, made on first use.

    Raises
    ------
    CloneFailed
        If somebody else made a folder of that name.
    """
    user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(tempfile.gettempdir()) / f"migkit-scratch-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    foreign = hasattr(os, "getuid") and (found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077)
    if not stat.S_ISDIR(found.st_mode) or foreign:
        raise CloneFailed(
            "The folder for scratch databases belongs to somebody else or is open to others",
            where=str(folder),
            next_step="Remove it, or let TMPDIR name another temporary folder.",
        )
    return folder


def scratch_url(name: str) -> URL:
    """Return where a scratch database of this name lies, or would."""
    return URL.create("sqlite", database=str(scratch_folder() / (quote(name, safe=" ") + _SUFFIX)))


def create_scratch(name: str) -> URL:
    """Create an empty database file."""
    url = scratch_url(name)
    path = Path(str(url.database))
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise CloneFailed(
            "A scratch database of this name exists", where=str(path), next_step="Drop it first."
        ) from None
    except OSError as error:
        raise CloneFailed(f"The scratch database cannot be made: {error.strerror}", where=str(path)) from None
    return url


def list_scratch() -> list[str]:
    """Return the names of all scratch databases, oldest first."""
    found = []
    for path in scratch_folder().glob(f"*{_SUFFIX}"):
        # Another process may drop its own meanwhile.
        with suppress(FileNotFoundError):
            found.append((path.stat().st_mtime_ns, path.name))
    return [unquote(name.removesuffix(_SUFFIX)) for _, name in sorted(found)]


def drop_scratch(url: URL) -> None:
    """Delete a scratch database and what SQLite put beside it.

    Raises
    ------
    CloneFailed
        If the file does not lie in the scratch folder: nothing else is ever deleted.
    """
    path = database_file(url)
    if path is None or path.resolve().parent != scratch_folder().resolve():
        raise CloneFailed(
            "This is no scratch database, so it is not deleted",
            where=str(path or url),
            next_step=f"Scratch databases lie in {scratch_folder()}.",
        )
    for suffix in _COMPANIONS:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def copy(source: URL, target: URL, *, schema_only: bool, progress: Progress) -> None:
    """Copy a database, or its schema, into an empty file; the source is opened read-only.

    Raises
    ------
    UnsupportedFeature
        If the source lives in memory: its URL does not lead to it.
    CloneFailed
        If the target is not empty, or either file fails.
    """
    if is_memory(source) or is_memory(target):
        raise UnsupportedFeature(
            "A database in memory lives in its own connection and cannot be copied by its URL",
            next_step="Use a file, for example sqlite:///app.db.",
        )
    reader, writer = create_engine(source), create_engine(target)
    try:
        with snapshot(reader) as (origin,), writer.connect() as copied:
            destination = driver_connection(copied)
            _require_empty(destination, target)
            # A scratch copy that a power cut damages is thrown away anyway.
            destination.execute("PRAGMA synchronous = OFF")
            if schema_only:
                _copy_schema(driver_connection(origin), destination)
            else:
                _copy_pages(driver_connection(origin), destination, progress)
    except (sqlite3.Error, SQLAlchemyError) as error:
        raise CloneFailed(
            f"The copy failed: {explanations.explain_error(error)}", where=str(database_file(source))
        ) from error


def _require_empty(destination: sqlite3.Connection, target: URL) -> None:
    if destination.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise CloneFailed(
            "The target of a copy has to be empty", where=str(database_file(target)), next_step="Name another file."
        )


def _copy_pages(origin: sqlite3.Connection, destination: sqlite3.Connection, progress: Progress) -> None:
    pages = origin.execute("PRAGMA page_count").fetchone()[0]
    progress.begin("copy the database file (pages)", pages)
    done = 0

    def report(_status: int, remaining: int, total: int) -> None:
        nonlocal done
        progress.advance(total - remaining - done)
        done = total - remaining

    origin.backup(destination, pages=_PAGES_PER_STEP, progress=report)


def _copy_schema(origin: sqlite3.Connection, destination: sqlite3.Connection) -> None:
    for pragma in ("encoding", "page_size", "auto_vacuum"):
        value = origin.execute(f"PRAGMA {pragma}").fetchone()[0]
        destination.execute(f"PRAGMA {pragma} = '{value}'")
    destination.execute("BEGIN")
    for (sql,) in origin.execute(_CREATE_STATEMENTS).fetchall():
        destination.execute(sql)
    for pragma in ("user_version", "application_id"):
        destination.execute(f"PRAGMA {pragma} = {int(origin.execute(f'PRAGMA {pragma}').fetchone()[0])}")
    destination.execute("COMMIT")


# Tables before what hangs on them; left out is what SQLite makes by itself: shadow tables and automatic indexes.
_CREATE_STATEMENTS = f"""
SELECT sql FROM main.sqlite_schema
WHERE sql IS NOT NULL AND {_OWN_TABLES}
  AND (type <> 'table' OR name NOT IN (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'))
ORDER BY CASE type WHEN 'table' THEN 1 WHEN 'index' THEN 2 WHEN 'view' THEN 3 ELSE 4 END, rowid
"""
