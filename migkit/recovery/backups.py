"""``make_backup()``: the engine's own tool and a capture, at one instant, into a folder that is whole or not there."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from migkit.database import Database
from migkit.dialects.backing import BackupTool, Instant
from migkit.display.units import size
from migkit.errors import BackupFailed, MigkitError
from migkit.progress import SILENT, Progress
from migkit.recovery.backup import DATA, MANIFEST, STATE, Backup, BackupStatus
from migkit.recovery.catalogue import PARTIAL_PREFIX, place_of
from migkit.recovery.sealing import seal, write_status
from migkit.state.capture import capture
from migkit.state.snapshot import State
from migkit.storage import sync, told_where, write_json

DEFAULT_RETENTION_DAYS = 7.0


def make_backup(
    db: Database,
    directory: Path,
    *,
    retention_days: float = DEFAULT_RETENTION_DAYS,
    progress: Progress = SILENT,
) -> Backup:
    """Back a database up with its engine's own tool.

    Parameters
    ----------
    db : Database
        The database; only read.
    directory : Path
        The folder of backups.
    retention_days : float
        After so many days it may be pruned.
    progress : Progress
        Where to tell how far it is.

    Returns
    -------
    Backup
        The backup; not verified yet.

    Raises
    ------
    MissingTool
        If the engine's tool is missing or older than the server.
    BackupFailed
        If there is no room, or the tool fails; no half of a backup is listed.
    PermissionMissing
        If the user may not read everything.
    """
    # A backup holds all of the database, whatever captures of it look at.
    db = replace(db, schemas=None)
    with _explained(db):
        with db.engine.connect() as connection:
            tools = db.dialect.backup_tools(connection)
            facts = db.dialect.backup_facts(connection)
            needed_bytes = db.dialect.backup_size(connection)
        identifier = _new_id(db)
        with told_where(directory):
            directory.mkdir(parents=True, exist_ok=True)
        _require_room(directory, needed_bytes)
        with _partial(directory, identifier) as folder:
            begun = time.monotonic()
            state, instant = _write(db, folder, progress)
            backup = _described(db, identifier, folder, tools, state, instant)
            backup = replace(
                backup,
                facts=facts,
                seconds=time.monotonic() - begun,
                status=BackupStatus(state.captured_at + timedelta(days=retention_days)),
            )
            _complete(backup, state)
    progress.note("✓", f"Backup {identifier} of {db.name}: {size(backup.size_bytes)}")
    return replace(backup, folder=directory / identifier)


@contextmanager
def _explained(db: Database) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise BackupFailed(
            f"The backup was broken off: {db.dialect.explain_error(error)}",
            where=db.name,
            next_step="Nothing of it was kept; back up again.",
        ) from error
    except OSError as error:
        raise BackupFailed(
            f"The backup cannot be written: {error.strerror or error}",
            where=str(error.filename or db.name),
            next_step="Nothing of it was kept. Make room, or name another place with --directory.",
        ) from error


def _new_id(db: Database) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", db.name.lower()).strip("-")[:40] or "database"
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{slug}-{secrets.token_hex(2)}"


def _require_room(directory: Path, needed_bytes: int) -> None:
    with told_where(directory):
        free = shutil.disk_usage(directory).free
    if free < needed_bytes:
        raise BackupFailed(
            f"The backup takes about {size(needed_bytes)}, and {size(free)} are free",
            where=str(directory),
            next_step="Make room, or name another place with --directory.",
        )


@contextmanager
def _partial(directory: Path, identifier: str) -> Iterator[Path]:
    """Work in a folder that is no backup yet, and becomes one as a whole."""
    partial = directory / f"{PARTIAL_PREFIX}{os.getpid()}-{identifier}"
    try:
        with told_where(partial):
            partial.mkdir(mode=0o700)
            (partial / DATA).mkdir(mode=0o700)
        yield partial
        with told_where(partial):
            partial.rename(directory / identifier)
            sync(directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write(db: Database, folder: Path, progress: Progress) -> tuple[State, Instant]:
    with db.dialect.hold_instant(db.engine) as instant:

        def beside(connection: Connection) -> AbstractContextManager[None]:
            return db.dialect.write_backup(connection, folder / DATA, instant, progress=progress)

        return capture(db, beside=beside, progress=progress), instant


def _described(
    db: Database, identifier: str, folder: Path, tools: tuple[BackupTool, ...], state: State, instant: Instant
) -> Backup:
    return Backup(
        id=identifier,
        database=db.name,
        target=db.url if db.url.startswith("embedded:") else db.name,
        place=place_of(db),
        engine=db.dialect.label,
        server=db.server,
        release=db.dialect.backup_release(db.server),
        tools={tool.name: tool.version for tool in tools},
        created_at=state.captured_at,
        seconds=0.0,
        size_bytes=sum(path.stat().st_size for path in (folder / DATA).rglob("*") if path.is_file()),
        rows=state.total_rows,
        instant={"method": instant.method, **instant.facts},
        facts={},
        folder=folder,
        status=BackupStatus(state.captured_at),
    )


def _complete(backup: Backup, state: State) -> None:
    state.save(backup.folder / STATE)
    write_json(backup.folder / MANIFEST, backup.to_manifest())
    seal(backup.folder)
    write_status(backup.folder, backup.status)


def require_backup_can_be_made(db: Database, directory: Path) -> int:
    """Return about how many bytes a backup would take, having made sure that there are tools and room for it.

    Raises
    ------
    MigkitError
        If a backup could not be made now.
    """
    with _explained(db):
        with db.engine.connect() as connection:
            db.dialect.backup_tools(connection)
            needed_bytes = db.dialect.backup_size(connection)
        nearest = next((one for one in (directory.absolute(), *directory.absolute().parents) if one.is_dir()), None)
        if nearest is None:
            raise MigkitError("This folder cannot be made", where=str(directory))
        _require_room(nearest, needed_bytes)
    return needed_bytes
