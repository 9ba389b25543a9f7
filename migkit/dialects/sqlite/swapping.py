"""One SQLite database takes the place of another: within the file that applications have open, as one transaction.

The file is not replaced: whoever has it open would go on writing into the old one, which then has no name any more.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from migkit.dialects.backing import KEPT_PREFIX, Swap, SwapStatus
from migkit.dialects.sqlite import standing
from migkit.dialects.sqlite.files import database_file, sqlite_uri
from migkit.errors import ConfigError, DatabaseInUse, MigkitError, RestoreFailed, UnsupportedFeature
from migkit.progress import Progress
from migkit.storage import read_json, sync, write_json

_SUFFIX = ".db"
_COMPANIONS = ("", "-journal", "-wal", "-shm")
_RECORD = "swap.json"
_IN_USE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")
_NAME_LENGTH = 100
_PATIENCE_SECONDS = 10.0


def aside_name(target: URL, stamp: str) -> str:
    """Return a name with the old one in it.

    >>> aside_name(URL.create("sqlite", database="shop.db"), "20261122")
    'migkit_kept_shop_20261122'
    """
    return f"{KEPT_PREFIX}{_file(target).stem[:_NAME_LENGTH]}_{stamp}"


def aside_path(target: URL, aside: str) -> Path:
    """Return the file that is kept: beside the target, on the same disk."""
    return _file(target).with_name(aside + _SUFFIX)


def swap_in(swap: Swap, *, patience: float, progress: Progress) -> None:
    """Copy the target aside, then the staged file into the target, without letting anybody in between.

    Raises
    ------
    DatabaseInUse
        If others go on using the file for longer than `patience`; SQLite has no way to end them.
    RestoreFailed
        If copying fails; the target is as it was.
    """
    with standing.taken_again(_file(swap.target)), closing(_exclusive(swap.target, patience)) as target:
        kept = aside_path(swap.target, swap.aside)
        try:
            progress.begin("Keeping what was there")
            _copy_aside(target, kept)
            progress.begin("Putting the restored database in place")
            with closing(sqlite3.connect(str(_file(swap.staged)), isolation_level=None)) as staged:
                mode = _journal_mode(staged)
                write_json(swap.folder / _RECORD, {"schema_version": _schema_version(target), "journal_mode": mode})
                _require_same_pages(staged, target)
                # All pages in one step: one transaction, that a crash takes back.
                staged.backup(target, pages=-1, progress=_give_up_when_busy)
            target.execute(f"PRAGMA journal_mode = {mode}").fetchone()
        except (sqlite3.Error, OSError) as error:
            raise RestoreFailed(
                f"The restored database could not be put in place: {error}",
                where=str(_file(swap.target)),
                next_step="What was there before still serves.",
            ) from error


def _exclusive(url: URL, patience: float) -> sqlite3.Connection:
    """Open the target so that nobody else gets in until it is closed, not even between transactions."""
    session = sqlite3.connect(sqlite_uri(url, "rw"), uri=True, isolation_level=None, timeout=patience)
    try:
        session.execute("PRAGMA locking_mode = EXCLUSIVE")
        standing.lock_whole(session, _file(url))
    except sqlite3.OperationalError as error:
        session.close()
        if getattr(error, "sqlite_errorname", "").startswith(_IN_USE):
            raise DatabaseInUse(
                "Others use the file",
                where=str(_file(url)),
                next_step="It serves on, unchanged. Stop the programs that have it open, then try again: SQLite cannot "
                "end the sessions of others.",
            ) from None
        raise RestoreFailed(f"The file cannot be locked: {error}", where=str(_file(url))) from error
    except BaseException:
        session.close()
        raise
    return session


def _copy_aside(target: sqlite3.Connection, kept: Path) -> None:
    """Copy the target as it is under the lock; the name appears once the copy is whole."""
    partial = kept.with_name(f".{kept.name}.partial")
    _delete(partial)
    try:
        partial.touch(mode=0o600)
        with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
            target.backup(copy, pages=-1)
        sync(partial)
        partial.rename(kept)
        sync(kept.parent)
    except BaseException:
        _delete(partial)
        raise


def _require_same_pages(staged: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Give the staged file the target's page size, where its journal mode allows no other."""
    if _journal_mode(target) != "wal":
        return
    size = target.execute("PRAGMA page_size").fetchone()[0]
    if size != staged.execute("PRAGMA page_size").fetchone()[0]:
        staged.execute("PRAGMA journal_mode = DELETE").fetchone()
        staged.execute(f"PRAGMA page_size = {int(size)}")
        staged.execute("VACUUM")


def _give_up_when_busy(status: int, *_: Any) -> None:
    # Python would try again for ever.
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise sqlite3.OperationalError("the file is locked by somebody else")


def _schema_version(session: sqlite3.Connection) -> int:
    return int(session.execute("PRAGMA schema_version").fetchone()[0])


def _journal_mode(session: sqlite3.Connection) -> str:
    mode = str(session.execute("PRAGMA journal_mode").fetchone()[0])
    # All others are no property of the file, but of a session.
    return "wal" if mode == "wal" else "delete"


def swap_status(swap: Swap) -> SwapStatus:
    """Look where the swap stands: the backup API counts the target's schema version on, as one with the pages."""
    try:
        record = read_json(swap.folder / _RECORD)
    except MigkitError:
        return "before"
    with closing(sqlite3.connect(sqlite_uri(swap.target, "rw"), uri=True, isolation_level=None)) as session:
        if _schema_version(session) == record["schema_version"]:
            return "before"
        return "after" if _journal_mode(session) == record["journal_mode"] else "between"


def finish_swap(swap: Swap) -> None:
    """Give the target the journal mode of what was restored."""
    mode = read_json(swap.folder / _RECORD)["journal_mode"]
    with closing(_exclusive(swap.target, _PATIENCE_SECONDS)) as target:
        target.execute(f"PRAGMA journal_mode = {mode}").fetchone()


def undo_swap(swap: Swap) -> None:
    """Delete the copy of a target that was not changed, and what is left of one that was never whole."""
    kept = aside_path(swap.target, swap.aside)
    _delete(kept.with_name(f".{kept.name}.partial"))
    drop_aside(swap.target, swap.aside)


def drop_aside(target: URL, aside: str) -> None:
    """Delete the file kept aside; nothing if it is gone.

    Raises
    ------
    ConfigError
        If the name is not one that migkit gives.
    """
    if not aside.startswith(KEPT_PREFIX) or Path(aside).name != aside:
        raise ConfigError(f"{aside} was not kept aside by migkit, so migkit does not delete it")
    _delete(aside_path(target, aside))


def _delete(path: Path) -> None:
    for suffix in _COMPANIONS:
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").unlink()


def _file(url: URL) -> Path:
    path = database_file(url)
    if path is None:
        raise UnsupportedFeature("A database in memory cannot be restored", next_step="Use a file: sqlite:///app.db.")
    return path
