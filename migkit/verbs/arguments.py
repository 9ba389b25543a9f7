"""What people may type where a verb takes a noun."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine

from migkit.config import Config
from migkit.database import Database
from migkit.errors import ConfigError, ProtectedDatabase
from migkit.migration.migration import Migration
from migkit.recovery.journal import owner

AnyDatabase = str | URL | Engine | Database
AnyMigration = str | Path | Migration

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


def seconds_of(told: str | float, what: str) -> float:
    """Return a stretch of time in seconds.

    Parameters
    ----------
    told : str or float
        Seconds, or text: ``"5s"``, ``"300 ms"``, ``"2min"``.
    what : str
        What it is for, for the message.

    Raises
    ------
    ConfigError
        If it is no stretch of time.

    Examples
    --------
    >>> seconds_of("5s", "The long reader"), seconds_of("300 ms", "The long reader"), seconds_of(2, "The long reader")
    (5.0, 0.3, 2.0)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)?\s*", str(told))
    if match is None or float(match[1]) == 0:
        raise ConfigError(f"{what} is no stretch of time: {told!r}", next_step="Write for example 5s, 300ms or 2min.")
    return round(float(match[1]) * _SECONDS[match[2] or "s"], 6)


def backup_directory(named: str | Path | None, config: Config) -> Path:
    """Return the folder of backups: the one named, else that of ``migkit.toml``."""
    return Path(named) if named is not None else config.backups.directory


def require_confirmation(db: Database, confirm: str | None) -> None:
    """Refuse a change to a protected database that was not confirmed by its name.

    Raises
    ------
    ProtectedDatabase
        If the database is protected and `confirm` is not its name.
    """
    if db.protected and confirm != db.name:
        raise ProtectedDatabase(
            f"{db.name} is protected",
            next_step=f'Confirm with --yes-production {db.name}, or confirm="{db.name}" in Python.',
        )


@contextmanager
def to_oneself(db: Database, confirm: str | None, doing: str) -> Iterator[None]:
    """Keep everybody else from deploying to a database that is replaced, which has to be confirmed if it is protected.

    Parameters
    ----------
    db : Database
        The database.
    confirm : str or None
        Its name, if it is protected.
    doing : str
        What others are told.

    Raises
    ------
    ProtectedDatabase
        If the database is protected and `confirm` is not its name.
    DeployRunning
        If somebody deploys to it, or replaces it.
    """
    require_confirmation(db, confirm)
    with db.dialect.deploy_lock(db.engine, f"{owner()}, {doing},"):
        yield
