"""Verbs about backups: backup, verify_backup, backups, restore, verify_restore, retain_backup, prune_backups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from migkit.config import Config, load_config
from migkit.database import Database, reached
from migkit.display.progress import default_progress
from migkit.errors import ConfigError
from migkit.progress import Progress
from migkit.recovery import backups as making
from migkit.recovery import catalogue, listing, pruning, restoring, verification
from migkit.recovery.backup import Backup
from migkit.recovery.listing import BackupList
from migkit.recovery.pruning import Pruned
from migkit.recovery.restoring import Restoration
from migkit.recovery.verification import BackupCheck
from migkit.verbs.arguments import AnyDatabase, backup_directory, to_oneself


def backup(
    db: AnyDatabase,
    *,
    directory: str | Path | None = None,
    retention_days: float | None = None,
    verify: bool = False,
    progress: Progress | None = None,
) -> Backup:
    """Back a database up with its engine's own tool, together with its state at the same instant.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database; only read.
    directory : str or Path, optional
        The folder of backups; by default as ``migkit.toml`` says, else ``backups``.
    retention_days : float, optional
        After so many days it may be pruned; by default as ``migkit.toml`` says, else 7.
    verify : bool
        Restore it at once into a scratch database, and compare.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Backup
        ``id``, ``folder``, ``size_bytes``, ``verified_at``, …

    Raises
    ------
    MissingTool
        If the engine's tool is missing or older than the server.
    BackupFailed
        If there is no room, or the tool fails; or if it was to be verified and is not exact.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.backup("staging", verify=True).id  # doctest: +SKIP
    """
    config = load_config()
    place, shown = backup_directory(directory, config), progress or default_progress()
    days = config.backups.retention_days if retention_days is None else retention_days
    try:
        with reached(db, config=config) as database:
            made = making.make_backup(database, place, retention_days=days, progress=shown)
            if verify:
                made = verification.require_verified(made, place, database, progress=shown)
            return made
    finally:
        shown.close()


def verify_backup(
    backup: str | Backup,
    db: AnyDatabase | None = None,
    *,
    directory: str | Path | None = None,
    progress: Progress | None = None,
) -> BackupCheck:
    """Restore a backup into a scratch database and compare that with what was backed up.

    Parameters
    ----------
    backup : str or Backup
        The backup, or its id.
    db : str, URL, Engine or Database, optional
        Any database of the server to restore on; by default the one it was made of. Itself neither read nor written.
    directory : str or Path, optional
        The folder of backups.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    BackupCheck
        ``passed``, and in ``problems`` every way in which it is not exact.

    Raises
    ------
    BackupInvalid
        If there is no such backup, or it is of another engine or version than the server.
    """
    config = load_config()
    place, shown = backup_directory(directory, config), progress or default_progress()
    found = catalogue.find_backup(place, backup)
    broken = verification.check_files(found)
    if broken is not None:
        return broken
    try:
        with reached(_origin(found, config) if db is None else db, config=config) as database:
            return verification.verify_backup(found, place, database, progress=shown)
    finally:
        shown.close()


def backups(db: AnyDatabase | None = None, *, directory: str | Path | None = None) -> BackupList:
    """List the backups.

    Parameters
    ----------
    db : str, URL, Engine or Database, optional
        Only those of this database.
    directory : str or Path, optional
        The folder of backups.

    Returns
    -------
    BackupList
        The frame ``backups`` (:data:`migkit.frames.BACKUPS`), newest first.
    """
    config = load_config()
    place = backup_directory(directory, config)
    if db is None:
        return listing.list_all(place)
    with reached(db, config=config) as database:
        return listing.list_all(place, database)


def restore(
    backup: str | Backup,
    db: AnyDatabase | None = None,
    *,
    directory: str | Path | None = None,
    terminate: bool = False,
    patience: float = 30.0,
    keep_old: float | None = None,
    confirm: str | None = None,
    progress: Progress | None = None,
) -> Restoration:
    """Put a database back to what a backup holds: beside, verified, then swapped in.

    Parameters
    ----------
    backup : str or Backup
        The backup, or its id.
    db : str, URL, Engine or Database, optional
        The database to replace; by default the one the backup was made of.
    directory : str or Path, optional
        The folder of backups.
    terminate : bool
        End the sessions of others that do not leave the database by themselves.
    patience : float
        Seconds to wait for them to leave.
    keep_old : float, optional
        Keep what was there before for so many days; by default until the restore is verified.
    confirm : str, optional
        The name of the database, if it is protected.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Restoration
        ``seconds``, ``kept``, ``journal``.

    Raises
    ------
    ProtectedDatabase
        If the database is protected and `confirm` is not its name.
    BackupInvalid
        If there is no such backup, it is damaged, or of another engine or version.
    DatabaseInUse
        If others stay on the database.
    DeployRunning
        If somebody deploys to the database, or restores it.
    RestoreFailed
        If it fails; what was there before still serves, unless the message says otherwise.
    """
    config = load_config()
    place, shown = backup_directory(directory, config), progress or default_progress()
    found = catalogue.find_backup(place, backup)
    try:
        target = reached(_origin(found, config) if db is None else db, config=config)
        with target as database, to_oneself(database, confirm, "restoring a backup"):
            restore_here = partial(restoring.restore_backup, found, database, directory=place, progress=shown)
            return restore_here(terminate=terminate, patience=patience, keep_old_days=keep_old)
    finally:
        shown.close()


def verify_restore(
    backup: str | Backup,
    db: AnyDatabase | None = None,
    *,
    directory: str | Path | None = None,
    progress: Progress | None = None,
) -> BackupCheck:
    """Compare a database with what a backup holds of it; nothing is restored.

    Parameters
    ----------
    backup : str or Backup
        The backup, or its id.
    db : str, URL, Engine or Database, optional
        The database; by default the one the backup was made of. Only read.
    directory : str or Path, optional
        The folder of backups.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    BackupCheck
        ``passed`` if the database is exactly what was backed up, and ``problems``.

    Raises
    ------
    BackupInvalid
        If there is no such backup, or it is of another engine.
    """
    config = load_config()
    place, shown = backup_directory(directory, config), progress or default_progress()
    found = catalogue.find_backup(place, backup)
    try:
        with reached(_origin(found, config) if db is None else db, config=config) as database:
            return verification.verify_restore(found, replace(database, schemas=None), progress=shown)
    finally:
        shown.close()


def retain_backup(backup: str | Backup, days: float, *, directory: str | Path | None = None) -> Backup:
    """Keep a backup for so many days from now on.

    Parameters
    ----------
    backup : str or Backup
        The backup, or its id.
    days : float
        For how long.
    directory : str or Path, optional
        The folder of backups.

    Returns
    -------
    Backup
        The backup with its new ``expires_at``.

    Raises
    ------
    BackupInvalid
        If there is no such backup.
    """
    return catalogue.retain(backup_directory(directory, load_config()), backup, days)


def prune_backups(*, directory: str | Path | None = None, minimum_redundancy: int | None = None) -> Pruned:
    """Remove expired backups, and what was kept of replaced databases long enough.

    Never removed are the last verified backup of a database, and one that a deploy or a restore needs now.

    Parameters
    ----------
    directory : str or Path, optional
        The folder of backups.
    minimum_redundancy : int, optional
        How many verified backups of each database stay, whatever their age; by default as ``migkit.toml`` says, else 1.

    Returns
    -------
    Pruned
        What was removed, and what was spared for which reason.
    """
    config = load_config()

    @contextmanager
    def reach(alias: str) -> Iterator[Database]:
        with reached(alias, config=config) as database:
            yield database

    redundancy = config.backups.minimum_redundancy if minimum_redundancy is None else minimum_redundancy
    return pruning.prune_all(backup_directory(directory, config), redundancy, reach)


def _origin(backup: Backup, config: Config) -> str:
    """Return how the database that a backup was made of is reached again."""
    if backup.target in config.databases or backup.target.startswith("embedded:"):
        return backup.target
    raise ConfigError(
        f"The backup {backup.id} was made of {backup.database}, which is no alias",
        where=str(config.path) if config.path else None,
        next_step="Say which database is meant with --database (the argument db in Python).",
    )
