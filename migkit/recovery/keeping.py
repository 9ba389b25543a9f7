"""What was there before a restore: kept under another name for as long as was asked for, then dropped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError

from migkit.database import Database
from migkit.errors import MigkitError, StateUnreadable
from migkit.recovery.catalogue import KEPT
from migkit.storage import decode_instant, encode_instant, read_json, write_json

Reach = Callable[[str], AbstractContextManager[Database]]


@dataclass(frozen=True)
class KeptDatabase:
    """A database that was replaced, and is still there under another name.

    Attributes
    ----------
    name : str
        What it is called now.
    database : str
        The alias or name of the database that it was.
    expires_at : datetime
        From when on it may be dropped.
    record : Path
        The file that says so.
    """

    name: str
    database: str
    expires_at: datetime
    record: Path

    def to_document(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        return {"name": self.name, "database": self.database, "expires_at": encode_instant(self.expires_at)}


def keep(directory: Path, db: Database, name: str, days: float, now: datetime | None = None) -> KeptDatabase:
    """Write down until when a replaced database is kept."""
    until = (now or datetime.now(UTC)) + timedelta(days=days)
    kept = KeptDatabase(name, db.name, until, directory / KEPT / f"{quote(name, safe='')}.json")
    write_json(kept.record, kept.to_document())
    return kept


def list_kept(directory: Path) -> list[KeptDatabase]:
    """Return what is kept, soonest to expire first.

    Raises
    ------
    StateUnreadable
        If a record is damaged.
    """
    found = []
    for path in sorted((directory / KEPT).glob("*.json")):
        document = read_json(path)
        try:
            until = decode_instant(document["expires_at"])
            found.append(KeptDatabase(document["name"], document["database"], until, path))
        except (KeyError, TypeError, ValueError) as error:
            raise StateUnreadable(f"The record is damaged: {error!r}", where=str(path)) from None
    return sorted(found, key=lambda one: one.expires_at)


def drop_expired(directory: Path, reach: Reach, now: datetime | None = None) -> tuple[list[str], list[tuple[str, str]]]:
    """Drop what has been kept long enough.

    Parameters
    ----------
    directory : Path
        The folder of backups.
    reach : callable
        Opens a database by its alias.
    now : datetime, optional
        What counts as now.

    Returns
    -------
    tuple
        The names that were dropped, and those that could not be, each with the reason.
    """
    dropped: list[str] = []
    left: list[tuple[str, str]] = []
    for kept in list_kept(directory):
        if kept.expires_at > (now or datetime.now(UTC)):
            continue
        try:
            with reach(kept.database) as db:
                drop(db, kept.name)
        except MigkitError as error:
            left.append((kept.name, str(error)))
            continue
        kept.record.unlink(missing_ok=True)
        dropped.append(kept.name)
    return dropped, left


def drop(db: Database, name: str) -> None:
    """Drop a replaced database.

    Raises
    ------
    MigkitError
        If it cannot be dropped.
    """
    try:
        db.dialect.drop_aside(db.engine.url, name)
    except (SQLAlchemyError, OSError) as error:
        raise MigkitError(
            f"What was kept could not be dropped: {db.dialect.explain_error(error)}", where=name
        ) from error
