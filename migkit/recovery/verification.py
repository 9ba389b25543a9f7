"""``verify_backup()``: a backup is worth what was restored of it and found to be exactly what it was made from."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from migkit.database import Database, mask_url
from migkit.dialects.base import Dialect
from migkit.display.card import Card, Fact
from migkit.display.lines import BAD, GOOD, NOTE, Line
from migkit.display.results import Drawn
from migkit.display.units import duration
from migkit.errors import BackupFailed, BackupInvalid, MigkitError, RestoreFailed
from migkit.ownership import scratch_name
from migkit.progress import SILENT, Progress
from migkit.recovery.backup import Backup
from migkit.recovery.catalogue import find_backup, needed, update
from migkit.recovery.exactness import Exactness, compare_restored, told
from migkit.recovery.sealing import broken_seals
from migkit.state.capture import capture
from migkit.state.snapshot import State


@dataclass(frozen=True, eq=False, repr=False)
class BackupCheck(Drawn):
    """What verifying a backup found.

    Attributes
    ----------
    backup : Backup
        The backup, with what was learned of it.
    passed : bool
        Every file is whole, and what was restored from them is exactly what was backed up.
    problems : tuple of str
        What is wrong, one sentence each.
    notes : tuple of str
        What was not compared.
    seconds : float or None
        How long restoring took; ``None`` if nothing was restored.
    subject : str
        What was held against what.
    """

    backup: Backup
    passed: bool
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    seconds: float | None = None
    subject: str = "backup"

    def to_document(self) -> dict[str, Any]:
        """Return the check as JSON values."""
        return {
            "passed": self.passed,
            "problems": list(self.problems),
            "not_compared": list(self.notes),
            "restore_seconds": self.seconds,
            "backup": self.backup.to_document(),
        }

    def card(self) -> Card:
        """Return what the check shows of itself."""
        return Card(
            title=f"Verification of {self.subject} {self.backup.id} of {self.backup.database}",
            sign=GOOD if self.passed else BAD,
            verdict=self._verdict(),
            figures=(
                *([Fact("restoring took", duration(self.seconds))] if self.seconds is not None else []),
                Fact("rows", f"{self.backup.rows:,}"),
                Fact("problems", str(len(self.problems))),
            ),
            lines=(
                *(Line(BAD, one) for one in self.problems),
                *(Line(NOTE, f"not compared: {one}") for one in self.notes),
            ),
            noun="problem",
        )

    def _verdict(self) -> str:
        if not self.passed:
            return "failed"
        return "exactly what was backed up" if self.seconds is None else "restored, and exactly what was backed up"


def verify_backup(
    identifier: str | Backup, directory: Path, db: Database, *, progress: Progress = SILENT
) -> BackupCheck:
    """Restore a backup into a scratch database and compare that with what was backed up.

    Parameters
    ----------
    identifier : str or Backup
        The backup.
    directory : Path
        The folder of backups.
    db : Database
        Any database of the server to restore on; itself neither read nor written.
    progress : Progress
        Where to tell how far it is.

    Returns
    -------
    BackupCheck
        ``passed`` and ``problems``. A backup that passed is listed as verified.

    Raises
    ------
    BackupInvalid
        If there is no such backup, or it is of another engine or version than the server.
    PermissionMissing
        If the user may not create databases there.
    """
    backup = find_backup(directory, identifier)
    with needed(backup, f"verification of {backup.id}"):
        broken = check_files(backup)
        if broken is not None:
            return broken
        require_fitting(backup, db)
        begun = time.monotonic()
        try:
            with staged(backup, db, progress, scratch=True) as url:
                seconds = time.monotonic() - begun
                found = compare_restored(backup.state(), state_of(db, url, progress), dialect=db.dialect)
        except RestoreFailed as error:
            return BackupCheck(backup, False, (error.what,))
        if found.exact:
            backup = update(backup, verified_at=datetime.now(UTC), restore_seconds=seconds)
        asleep = [kind for kind in db.dialect.dormant_in_stage if (backup.state().objects["kind"] == kind).any()]
        notes = (*found.notes, *(f"whether {kind}s are switched on: here they may not run" for kind in asleep))
        return BackupCheck(backup, found.exact, found.differences, notes, seconds)


def check_files(backup: Backup) -> BackupCheck | None:
    """Return what is wrong with the files of a backup; ``None`` if every bit is as it was."""
    problems = tuple(broken_seals(backup.folder))
    return BackupCheck(backup, False, problems) if problems else None


def require_verified(backup: Backup, directory: Path, db: Database, *, progress: Progress = SILENT) -> Backup:
    """Verify a backup, and return it as a verified one.

    Raises
    ------
    BackupFailed
        If it is not exactly what was backed up; says what differs.
    """
    check = verify_backup(backup, directory, db, progress=progress)
    if not check.passed:
        raise BackupFailed(
            f"The backup {backup.id} was made, but does not restore exactly: {told(check.problems)}",
            next_step="It stays listed as not verified.",
        )
    return check.backup


def verify_restore(backup: Backup, db: Database, *, progress: Progress = SILENT) -> BackupCheck:
    """Hold a database, as it is now, against what a backup keeps.

    Parameters
    ----------
    backup : Backup
        The backup.
    db : Database
        The database; only read.
    progress : Progress
        Where to tell how far it is.

    Returns
    -------
    BackupCheck
        ``passed`` if it is exactly what was backed up.
    """
    require_fitting(backup, db)
    found = compare_restored(backup.state(), capture(db, progress=progress), dialect=db.dialect, serves=True)
    return BackupCheck(backup, found.exact, found.differences, found.notes, subject=f"{db.name} against backup")


def require_fitting(backup: Backup, db: Database) -> None:
    """Make sure that a backup can be restored where it is to be.

    Raises
    ------
    BackupInvalid
        If it is of another engine or version.
    """
    release = db.dialect.backup_release(db.server)
    if (backup.engine, backup.release) != (db.dialect.label, release):
        raise BackupInvalid(
            f"Backup {backup.id} is of {backup.server}, and {db.name} is on {db.server}",
            next_step="Restore it to a server of its own engine and version.",
        )


def require_whole(backup: Backup) -> None:
    """Make sure that every bit of a backup is as it was written.

    Raises
    ------
    BackupInvalid
        If files are missing, damaged or too many; names them.
    """
    problems = tuple(broken_seals(backup.folder))
    if problems:
        raise BackupInvalid(f"The backup is damaged: {told(problems)}", where=str(backup.folder))


def new_stage_name() -> str:
    """Return the name of a database that a backup is to be read into."""
    return scratch_name("restore")


@contextmanager
def staged(backup: Backup, db: Database, progress: Progress, *, scratch: bool = False) -> Iterator[URL]:
    """Restore a backup into a database of its own, dropped at the end.

    Parameters
    ----------
    backup : Backup
        The backup.
    db : Database
        Any database of the server.
    progress : Progress
        Where to tell how far it is.
    scratch : bool
        It will never serve, so that owners may be stand-ins.
    """
    name = new_stage_name()
    # Only migkit's own server is a place to make roles on.
    facts = {**backup.facts, "make_roles": True} if scratch and db.url.startswith("embedded:") else backup.facts
    try:
        yield fill_stage(backup.data, facts, db, name, progress)
    finally:
        trouble = drop_stage(db, name)
        if trouble:
            progress.note("⚠", f"What was restored of {backup.id} is left behind: {trouble}")


def fill_stage(data: Path, facts: Mapping[str, Any], db: Database, name: str, progress: Progress) -> URL:
    """Create a database beside another one and read a backup's data into it."""
    dialect = db.dialect
    try:
        url = dialect.create_stage(db.engine.url, name, facts)
        dialect.read_backup(data, url, facts, progress=progress)
    except SQLAlchemyError as error:
        raise RestoreFailed(f"Restoring failed: {dialect.explain_error(error)}", where=db.name) from error
    except OSError as error:
        raise RestoreFailed(
            f"Restoring failed: {error.strerror or error}",
            where=str(error.filename or db.name),
            next_step="What was there before still serves.",
        ) from error
    return url


def drop_stage(db: Database, name: str) -> str | None:
    """Drop a database that a backup was read into; return why that failed, if it did."""
    try:
        db.dialect.drop_scratch(db.dialect.stage_url(db.engine.url, name))
    except MigkitError as error:
        return str(error)
    except SQLAlchemyError as error:
        return db.dialect.explain_error(error)
    except OSError as error:
        return str(error)
    return None


def state_of(db: Database, url: URL, progress: Progress) -> State:
    """Capture a database that has no name of its own."""
    dialect: Dialect = db.dialect
    engine = dialect.create_engine(url)
    try:
        return capture(
            replace(db, name=f"what was restored of {db.name}", url=mask_url(url), engine=engine, schemas=None),
            progress=progress,
        )
    finally:
        engine.dispose()


def exactness(backup: Backup, db: Database, url: URL, progress: Progress) -> Exactness:
    """Hold a restored database against what its backup keeps."""
    return compare_restored(backup.state(), state_of(db, url, progress), dialect=db.dialect)
