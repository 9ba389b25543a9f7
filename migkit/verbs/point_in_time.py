"""Verbs about moments: timestamp, rollback_to, pitr_enable, pitr_status, pitr_disable."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from migkit.config import load_config
from migkit.database import Database, reached
from migkit.display.progress import default_progress
from migkit.progress import Progress
from migkit.recovery import pitr, pitr_recovery
from migkit.recovery.pitr_results import Moment, PitrChange, PitrStatus, Recovered
from migkit.verbs.arguments import AnyDatabase, backup_directory, to_oneself


def timestamp(db: AnyDatabase, *, directory: str | Path | None = None, progress: Progress | None = None) -> Moment:
    """Note the moment on the server's clock, so that the database can be returned to it.

    On SQLite, which keeps no log, this takes a restore point.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database; only read.
    directory : str or Path, optional
        The folder of backups; by default as ``migkit.toml`` says, else ``backups``.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Moment
        ``moment``, and ``command``: what to type to return to it, ``None`` where nothing leads back to it.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.timestamp("production").command  # doctest: +SKIP
    'migkit rollback --to-timestamp 2026-11-22T10:45:00.123456Z --database production --yes-production production'
    """
    config = load_config()
    with reached(db, config=config) as database:
        return pitr.timestamp(
            database,
            backup_directory(directory, config),
            typed=_typed(db, database),
            elsewhere=directory is not None,
            progress=progress or default_progress(),
        )


def rollback_to(
    moment: str | datetime | Moment,
    db: AnyDatabase,
    *,
    directory: str | Path | None = None,
    terminate: bool = False,
    patience: float = pitr_recovery.PATIENCE_SECONDS,
    keep_old: float = pitr_recovery.KEEP_OLD_DAYS,
    confirm: str | None = None,
    progress: Progress | None = None,
) -> Recovered:
    """Return a database to a moment: recovered beside, verified, then swapped in.

    Everything that was committed by then is there, and nothing that was committed later. Failing anywhere leaves the
    original serving.

    Parameters
    ----------
    moment : str, datetime or Moment
        The moment, with its time zone: ``"2026-11-22T10:45:00.123456Z"``.
    db : str, URL, Engine or Database
        The database.
    directory : str or Path, optional
        The folder of backups; by default as ``migkit.toml`` says, else ``backups``.
    terminate, patience : bool, float
        End sessions that do not leave the database within so many seconds; else they are an error.
    keep_old : float
        Keep what was there before for so many days, under another name.
    confirm : str, optional
        The name of the database, if it is protected.
    progress : Progress, optional
        Told how far it is.

    Returns
    -------
    Recovered
        ``kept``: what the database is called now that was there before; ``comparison`` with it.

    Raises
    ------
    MomentUnreachable
        If the moment lies in the future, before the first base, or in a gap of the log; nothing was changed.
    ProtectedDatabase
        If the database is protected and `confirm` is not its name.
    DatabaseInUse
        If others stay on the database.
    DeployRunning
        If somebody deploys to the database, or restores it.
    """
    config, wanted = load_config(), _moment(moment)
    with reached(db, config=config) as database, to_oneself(database, confirm, "returning to a moment"):
        return pitr_recovery.recover_to(
            database,
            wanted,
            backup_directory(directory, config),
            terminate=terminate,
            patience=patience,
            keep_old_days=keep_old,
            progress=progress or default_progress(),
        )


def _moment(moment: str | datetime | Moment) -> datetime:
    if isinstance(moment, str):
        return pitr.parse_moment(moment)
    return moment.moment if isinstance(moment, Moment) else pitr.require_zone(moment)


def pitr_enable(
    db: AnyDatabase,
    *,
    archive: str | Path | None = None,
    new_base: bool = False,
    directory: str | Path | None = None,
    progress: Progress | None = None,
) -> PitrChange:
    """Record the log of a database's server from now on, so that the database can be returned to any moment.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database; nothing in it is changed.
    archive : str or Path, optional
        PostgreSQL: the folder that the server's own ``archive_command`` fills; else the log is received by
        ``pg_receivewal``, which is started and goes on by itself.
    new_base : bool
        Take a new base, although there is one whose log is whole.
    directory : str or Path, optional
        The folder of backups; by default as ``migkit.toml`` says, else ``backups``.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    PitrChange
        ``changed``: all that was changed, on the server and on this machine.

    Raises
    ------
    UnsupportedFeature, PermissionMissing, MissingTool
        With what has to be set, given or installed, and whether the server has to be started anew for it.
    """
    config = load_config()
    with reached(db, config=config) as database:
        return pitr.enable(
            database,
            backup_directory(directory, config),
            archive=Path(archive) if archive is not None else None,
            new_base=new_base,
            progress=progress or default_progress(),
        )


def pitr_status(db: AnyDatabase, *, directory: str | Path | None = None) -> PitrStatus:
    """Say how far back a database can be returned to, and what of its log is missing.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database; only read.
    directory : str or Path, optional
        The folder of backups; by default as ``migkit.toml`` says, else ``backups``.

    Returns
    -------
    PitrStatus
        ``passed``, ``earliest``, ``latest``; frames ``bases``, ``gaps`` and ``marks``
        (:mod:`migkit.frames.point_in_time`).
    """
    config = load_config()
    with reached(db, config=config) as database:
        return pitr.status(database, backup_directory(directory, config))


def pitr_disable(db: AnyDatabase, *, directory: str | Path | None = None) -> PitrChange:
    """Record the log no longer, and give the server back what was made for it; what was recorded stays.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database.
    directory : str or Path, optional
        The folder of backups; by default as ``migkit.toml`` says, else ``backups``.

    Returns
    -------
    PitrChange
        ``changed``: all that was changed.
    """
    config = load_config()
    with reached(db, config=config) as database:
        return pitr.disable(database, backup_directory(directory, config))


def _typed(db: AnyDatabase, database: Database) -> str | None:
    """Return how the database was called, where that can be typed again."""
    return db if isinstance(db, str) and pitr.is_typable(db, database) else None
