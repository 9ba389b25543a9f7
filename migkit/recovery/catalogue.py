"""The catalogue of backups: a folder each, listed, found, kept longer, and pruned when nobody needs them any more."""

from __future__ import annotations

import difflib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from migkit.database import Database
from migkit.errors import BackupInvalid, MigkitError
from migkit.ownership import is_alive
from migkit.recovery.backup import FORMAT, MANIFEST, Backup
from migkit.recovery.sealing import read_status, write_status
from migkit.storage import read_json, told_where

try:
    import fcntl
except ImportError:  # Windows has no such locks: there, a deploy's backup is kept by its age alone
    fcntl = None  # type: ignore[assignment]

PARTIAL_PREFIX = ".partial-"
RESTORATIONS = "restorations"
KEPT = "kept"
# Folders beside the backups that are none.
_OTHERS = frozenset((RESTORATIONS, KEPT, "pitr"))
_NEEDED_BY = "needed_by"
_DAY = timedelta(days=1)
_CLOCKS_DIFFER_BY = timedelta(minutes=5)


@dataclass(frozen=True)
class DamagedBackup:
    """A folder of the catalogue that cannot be read as a backup.

    Attributes
    ----------
    id : str
        The folder's name.
    folder : Path
        Where it lies.
    why : str
        What is wrong with it.
    """

    id: str
    folder: Path
    why: str


@dataclass(frozen=True)
class Catalogue:
    """What lies in a folder of backups.

    Attributes
    ----------
    backups : tuple of Backup
        Newest first.
    damaged : tuple of DamagedBackup
        Folders that are no readable backup; they are never pruned.
    """

    backups: tuple[Backup, ...]
    damaged: tuple[DamagedBackup, ...] = ()


def place_of(db: Database) -> tuple[str, ...]:
    """Return where a database is, as its backups remember it."""
    url = db.engine.url
    return db.dialect.backup_place(url) or tuple(db.dialect.place(url) or (db.name,))


def read_catalogue(directory: Path) -> Catalogue:
    """Return everything in a folder of backups; nothing where there is no folder."""
    backups: list[Backup] = []
    damaged: list[DamagedBackup] = []
    for folder in _folders(directory):
        try:
            backups.append(read_backup_folder(folder))
        except MigkitError as error:
            damaged.append(DamagedBackup(folder.name, folder, error.what))
    backups.sort(key=lambda one: (one.created_at, one.id), reverse=True)
    return Catalogue(tuple(backups), tuple(damaged))


def _folders(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    inside = sorted(directory.iterdir())
    return [one for one in inside if one.is_dir() and one.name not in _OTHERS and not one.name.startswith(".")]


def read_backup_folder(folder: Path) -> Backup:
    """Read the manifest of one backup; its files are not looked at.

    Raises
    ------
    BackupInvalid
        If it is damaged, or of a later version.
    """
    document = _manifest(folder)
    try:
        backup = Backup.from_manifest(document, folder, read_status(folder))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BackupInvalid(f"{MANIFEST} is damaged: {error!r}", where=str(folder)) from None
    if backup.id != folder.name:
        raise BackupInvalid(f"{MANIFEST} is that of another backup, {backup.id}", where=str(folder))
    return backup


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        document = read_json(folder / MANIFEST)
    except MigkitError as error:
        raise BackupInvalid(f"{MANIFEST}: {error.what}", where=str(folder)) from None
    if document.get("migkit") != "backup":
        raise BackupInvalid("This folder holds no backup", where=str(folder))
    if not isinstance(document.get("format"), int) or document["format"] > FORMAT:
        raise BackupInvalid("A later migkit made this backup", where=str(folder), next_step="Upgrade migkit.")
    return document


def list_backups(directory: Path, db: Database | None = None) -> list[Backup]:
    """Return the readable backups, newest first; those of one database if it is given."""
    found = read_catalogue(directory).backups
    return [one for one in found if db is None or _is_of(one, db)]


def _is_of(backup: Backup, db: Database) -> bool:
    return backup.engine == db.dialect.label and backup.place == place_of(db)


def find_backup(directory: Path, identifier: str | Backup) -> Backup:
    """Return the backup of an id, or of the beginning of just one.

    Raises
    ------
    BackupInvalid
        If there is none (names the nearest), more than one, or it is damaged.
    """
    name = identifier.id if isinstance(identifier, Backup) else identifier
    folders = {folder.name: folder for folder in _folders(directory)}
    if name in folders:
        return read_backup_folder(folders[name])
    matching = [one for one in folders if name and one.startswith(name)]
    if len(matching) == 1:
        return read_backup_folder(folders[matching[0]])
    if matching:
        raise BackupInvalid(f"{len(matching)} backups begin with {name!r}: {', '.join(matching[:3])}, …"[:200])
    nearest = difflib.get_close_matches(name, list(folders), n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]}?" if nearest else "migkit backups lists those there are."
    raise BackupInvalid(f"There is no backup called {name!r}", where=str(directory), next_step=hint)


def recent_backup(
    directory: Path, db: Database, within_hours: float = 24, verified: bool = True, now: datetime | None = None
) -> Backup | None:
    """Return the newest backup of a database that is young enough, and verified if that is asked for."""
    now = now or datetime.now(UTC)
    oldest, latest = now - timedelta(hours=within_hours), now + _CLOCKS_DIFFER_BY
    for backup in list_backups(directory, db):
        # A clock that jumped may have made it "tomorrow": nobody knows how old that is.
        if oldest <= backup.created_at <= latest and (backup.verified_at is not None or not verified):
            return backup
    return None


def retain(directory: Path, identifier: str | Backup, days: float, now: datetime | None = None) -> Backup:
    """Keep a backup for so many days from now on."""
    backup = find_backup(directory, identifier)
    return update(backup, expires_at=(now or datetime.now(UTC)) + days * _DAY)


def update(backup: Backup, **changes: Any) -> Backup:
    """Write down what has been learned of a backup."""
    status = replace(backup.status, **changes)
    write_status(backup.folder, status)
    return backup.with_status(status)


# --- who needs it, and what may go ------------------------------------------------------------------------------------


@contextmanager
def needed(backup: Backup, by: str) -> Iterator[None]:
    """Keep a backup from being pruned while a deploy or a restore depends on it; a crash lets go of it.

    Parameters
    ----------
    backup : Backup
        The backup.
    by : str
        Who needs it, for people.
    """
    path = backup.folder / f"{_NEEDED_BY}.{os.getpid()}-{id(object()):x}"
    with told_where(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_SH)
        os.write(handle, by.encode())
        if not path.exists():
            raise BackupInvalid(f"Backup {backup.id} was pruned just now", where=str(backup.folder))
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def who_needs(backup: Backup) -> str | None:
    """Return who needs a backup now; what a crashed process left is nobody."""
    for path in backup.folder.glob(f"{_NEEDED_BY}.*"):
        if _is_held(path):
            return path.read_text(encoding="utf-8", errors="replace") or "another process"
    return None


def _is_held(path: Path) -> bool:
    if fcntl is None:
        return False
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


@dataclass(frozen=True)
class PruneResult:
    """What pruning did.

    Attributes
    ----------
    removed : tuple of Backup
        Expired and gone.
    spared : tuple of (Backup, str)
        Expired and still there, with the reason.
    leftovers : tuple of str
        Half-made backups of processes that were killed, gone too.
    """

    removed: tuple[Backup, ...]
    spared: tuple[tuple[Backup, str], ...]
    leftovers: tuple[str, ...] = ()


def prune(directory: Path, minimum_redundancy: int = 1, now: datetime | None = None) -> PruneResult:
    """Remove what is expired, but never the last verified backups of a database, nor one that is needed now.

    Parameters
    ----------
    directory : Path
        The folder of backups.
    minimum_redundancy : int
        How many verified backups of each database stay, whatever their age.
    now : datetime, optional
        What counts as now.
    """
    now = now or datetime.now(UTC)
    removed: list[Backup] = []
    spared: list[tuple[Backup, str]] = []
    backups = read_catalogue(directory).backups
    last = _last_verified(backups, minimum_redundancy)
    for backup in backups:
        if backup.expires_at > now:
            continue
        if (reason := _why_spared(backup, last)) or (reason := _remove(backup)):
            spared.append((backup, reason))
        else:
            removed.append(backup)
    return PruneResult(tuple(removed), tuple(spared), tuple(_sweep(directory)))


def _last_verified(backups: Sequence[Backup], minimum_redundancy: int) -> set[str]:
    by_database: dict[tuple[str, ...], list[Backup]] = defaultdict(list)
    for backup in backups:  # newest first
        if backup.verified_at is not None:
            by_database[backup.engine, *backup.place].append(backup)
    return {one.id for found in by_database.values() for one in found[:minimum_redundancy]}


def _why_spared(backup: Backup, last: set[str]) -> str | None:
    if backup.id in last:
        return "the last verified one of its database"
    return _needed(backup)


def _needed(backup: Backup) -> str | None:
    user = who_needs(backup)
    return f"needed by {user}" if user else None


def _remove(backup: Backup) -> str | None:
    """Take a backup out of the list before its files go: half of one is never listed.

    Put it back, and return why, if somebody came to need it at the last moment: who comes later finds nothing.
    """
    folder = backup.folder
    gone = folder.with_name(f"{PARTIAL_PREFIX}{os.getpid()}-{folder.name}")
    with told_where(folder):
        folder.rename(gone)
        if reason := _needed(replace(backup, folder=gone)):
            gone.rename(folder)
            return reason
        shutil.rmtree(gone)
    return None


def _sweep(directory: Path) -> Iterator[str]:
    """Remove the folders of backups whose process did not live to finish them."""
    for folder in sorted(directory.glob(f"{PARTIAL_PREFIX}*")):
        owner, _, name = folder.name.removeprefix(PARTIAL_PREFIX).partition("-")
        if owner.isdigit() and not is_alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
            yield name
