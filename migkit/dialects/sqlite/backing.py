"""Backups of SQLite: its backup API, from the snapshot of a capture into a file and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection

from migkit.dialects.backing import Backing, BackupTool, Instant, Swap, SwapStatus
from migkit.dialects.sqlite import scratch, swapping
from migkit.dialects.sqlite.files import database_file
from migkit.dialects.sqlite.session import driver_connection
from migkit.errors import BackupFailed, RestoreFailed
from migkit.progress import SILENT, Progress

_CONTENT = "database.db"
_PAGES_PER_STEP = 2048


class SQLiteBacking(Backing):
    """What SQLite can do about backups."""

    def backup_place(self, url: URL) -> tuple[str, ...]:
        """Return the file's path: a file that was lost and made again is the same database."""
        path = database_file(url)
        return ("file", str(path.resolve())) if path else ()

    def backup_tools(self, connection: Connection) -> tuple[BackupTool, ...]:
        """Return the library itself."""
        return (BackupTool("SQLite backup API", sqlite3.sqlite_version),)

    def backup_release(self, server: str) -> str:
        """Return the file format's version, which every release of the library reads."""
        return server.removeprefix("SQLite ").split(".")[0]

    def backup_size(self, connection: Connection) -> int:
        """Return the size of the database."""
        session = driver_connection(connection)
        pages, size = (int(session.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "page_size"))
        return pages * size

    @contextmanager
    def hold_instant(self, *_: object) -> Iterator[Instant]:
        """The backup is read in the transaction of the capture; nobody has to be held."""
        yield Instant("one read transaction for capture and backup")

    @contextmanager
    def write_backup(
        self, connection: Connection, folder: Path, instant: Instant, *, progress: Progress = SILENT
    ) -> Iterator[None]:
        """Copy the pages that the capture's transaction sees, once it has read its rows."""
        yield
        origin = driver_connection(connection)
        try:
            with closing(sqlite3.connect(folder / _CONTENT, isolation_level=None)) as copy:
                copy_pages(origin, copy, "Writing the backup", progress)
        except sqlite3.Error as error:
            raise BackupFailed(f"The backup could not be written: {error}", where=str(folder)) from error

    def create_stage(self, home: URL | None, name: str, facts: Mapping[str, Any]) -> URL:
        """Create an empty file in the private temporary folder."""
        return scratch.create_scratch(name)

    def stage_url(self, home: URL, name: str) -> URL:
        """Return the file that :meth:`create_stage` makes."""
        return scratch.scratch_url(name)

    def read_backup(self, folder: Path, staged: URL, facts: Mapping[str, Any], *, progress: Progress = SILENT) -> None:
        """Copy the pages of the backup into an empty file."""
        source, path = folder / _CONTENT, database_file(staged)
        try:
            # Nothing is to be written beside a backup, not even for a moment.
            uri = f"{source.absolute().as_uri()}?mode=ro&immutable=1"
            with (
                closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as origin,
                closing(sqlite3.connect(str(path), isolation_level=None)) as copy,
            ):
                copy_pages(origin, copy, "Reading the backup", progress)
        except sqlite3.Error as error:
            raise RestoreFailed(f"The backup cannot be read: {error}", where=str(source)) from error

    def aside_name(self, target: URL, stamp: str) -> str:
        """Return the name of a file beside the target."""
        return swapping.aside_name(target, stamp)

    def swap_in(self, swap: Swap, *, terminate: bool, patience: float, progress: Progress = SILENT) -> None:
        """Copy the target aside and the staged file into the target, under one exclusive lock."""
        swapping.swap_in(swap, patience=patience, progress=progress)

    def swap_status(self, swap: Swap) -> SwapStatus:
        """Look whether the target's schema was counted on; a file is changed as a whole, or not at all."""
        return swapping.swap_status(swap)

    def finish_swap(self, swap: Swap) -> None:
        """Give the target the journal mode of what was restored."""
        swapping.finish_swap(swap)

    def undo_swap(self, swap: Swap) -> None:
        """Delete the copy of a target that was not changed."""
        swapping.undo_swap(swap)

    def drop_aside(self, target: URL, aside: str) -> None:
        """Delete the file kept aside."""
        swapping.drop_aside(target, aside)


def copy_pages(origin: sqlite3.Connection, copy: sqlite3.Connection, label: str, progress: Progress) -> None:
    """Copy one database into another through the backup API, telling how many pages are done."""
    progress.begin(f"{label} (pages)", int(origin.execute("PRAGMA page_count").fetchone()[0]))
    done = 0

    def report(_status: int, remaining: int, total: int) -> None:
        nonlocal done
        progress.advance(total - remaining - done)
        done = total - remaining

    origin.backup(copy, pages=_PAGES_PER_STEP, progress=report)
