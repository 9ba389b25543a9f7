"""Point in time on SQLite: it keeps no log, so each moment that was asked for is a copy of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection

from migkit.dialects.backing import Instant
from migkit.dialects.point_in_time import Base, BaseKind, LogMoment, PointInTime, Recorded, Recording
from migkit.dialects.sqlite.backing import SQLiteBacking
from migkit.dialects.sqlite.files import is_memory
from migkit.dialects.sqlite.session import create_engine, driver_connection, snapshot
from migkit.errors import MigkitError, MomentUnreachable, UnsupportedFeature
from migkit.progress import SILENT, Progress
from migkit.storage import sha256, sync, told_where


class SQLitePointInTime(PointInTime):
    """How SQLite goes back to a moment."""

    pitr_base: BaseKind = "point"
    pitr_resolution = "none, for SQLite keeps no log"

    def log_moment(self, connection: Connection) -> LogMoment:
        """Return this machine's clock: the client is the server."""
        return LogMoment(datetime.now(UTC))

    def pitr_facts(self, connection: Connection, archive: Path | None = None) -> dict[str, Any]:
        """Make sure that there is a file to copy."""
        if is_memory(connection.engine.url):
            raise UnsupportedFeature(
                "A database in memory has no moments to return to",
                next_step="Use a file, for example sqlite:///app.db.",
            )
        if archive is not None:
            raise UnsupportedFeature("SQLite archives no log", next_step="Leave --archive out.")
        return {}

    def start_recording(self, url: URL, made: Recording) -> tuple[str, ...]:
        """Nothing is recorded between restore points."""
        return ()

    def stop_recording(self, url: URL, made: Recording) -> tuple[str, ...]:
        """Nothing is recorded between restore points."""
        return ()

    def take_base(self, url: URL, made: Recording, folder: Path, *, progress: Progress = SILENT) -> Base:
        """Copy the file as it is at one instant; writers are held back while the clock is read, no longer."""
        instant = Instant("a read transaction")
        with (
            _held_instant(url) as (reader, moment),
            SQLiteBacking().write_backup(reader, folder, instant, progress=progress),
        ):
            pass
        with told_where(folder):
            files = sorted(folder.iterdir())
            for file in files:
                sync(file)
            sync(folder)
            digests = {file.name: sha256(file) for file in files}
            size = sum(file.stat().st_size for file in files)
        return Base(folder, moment, {"sha256": digests}, size)

    def recorded(self, connection: Connection, made: Recording, base: Base) -> Recorded:
        """A restore point needs no log."""
        return Recorded(running=True)

    def stage_base(self, base: Base, staged: URL, *, progress: Progress = SILENT) -> None:
        """Copy a restore point that nobody changed into an empty database."""
        for name, digest in base.facts["sha256"].items():
            path = base.folder / name
            if not path.is_file() or sha256(path) != digest:
                raise MomentUnreachable(
                    "The restore point is damaged",
                    where=str(path),
                    next_step="migkit pitr status lists the others.",
                )
        SQLiteBacking().read_backup(base.folder, staged, {}, progress=progress)


@contextmanager
def _held_instant(url: URL) -> Iterator[tuple[Connection, datetime]]:
    """Open a snapshot and read the clock while nobody can write: just what was there by then is in it."""
    writer = create_engine(url)
    try:
        with writer.connect() as holder:
            session = driver_connection(holder)
            if session.in_transaction:
                session.execute("ROLLBACK")
            try:
                session.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise MigkitError(
                    f"The restore point could not be taken: {error}",
                    where=url.database,
                    next_step="Somebody else is writing, or the file may not be written; try again.",
                ) from error
            try:
                reading = snapshot(create_engine(url))
                with reading as (reader,):
                    moment = datetime.now(UTC)
                    session.execute("ROLLBACK")
                    yield reader, moment
            finally:
                if session.in_transaction:
                    session.execute("ROLLBACK")
    finally:
        writer.dispose()
