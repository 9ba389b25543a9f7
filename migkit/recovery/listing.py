"""The backups there are, as a frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from migkit import frames
from migkit.database import Database
from migkit.display.card import Card, Fact, Fold
from migkit.display.lines import BAD, GOOD, NOTE, WARN, Line
from migkit.display.results import Drawn
from migkit.display.units import plural, size
from migkit.recovery.backup import Backup
from migkit.recovery.catalogue import Catalogue, list_backups, read_catalogue

_COLUMNS = ("id", "database", "server", "size_bytes", "rows", "verified_at", "restore_seconds", "expires_at", "problem")


@dataclass(frozen=True, eq=False, repr=False)
class BackupList(Drawn):
    """The backups in a folder.

    Attributes
    ----------
    directory : Path
        The folder.
    backups : pandas.DataFrame
        One row each, newest first (:data:`migkit.frames.BACKUPS`).
    """

    directory: Path
    backups: pd.DataFrame = field(repr=False)
    _catalogue: Catalogue = field(repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return the list as JSON values."""
        return {
            "directory": str(self.directory),
            "backups": [one.to_document() for one in self._catalogue.backups],
            "damaged": [{"id": one.id, "why": one.why} for one in self._catalogue.damaged],
        }

    def card(self) -> Card:
        """Return what the list shows of itself."""
        found = self._catalogue
        verified = [one for one in found.backups if one.verified_at is not None]
        return Card(
            title=f"Backups in {self.directory}",
            sign=BAD if found.damaged else GOOD if verified else WARN,
            verdict=_verdict(found, len(verified)),
            figures=(
                Fact("backups", str(len(found.backups))),
                Fact("verified", str(len(verified))),
                Fact("size", size(sum(one.size_bytes for one in found.backups))),
            ),
            lines=(
                *(_line(one) for one in found.backups),
                *(Line(BAD, f"{one.id}: {one.why}") for one in found.damaged),
            ),
            folds=(Fold("Backups", self.backups, _COLUMNS, opened=True),),
            noun="backup",
        )


def _verdict(found: Catalogue, verified: int) -> str:
    if found.damaged:
        return f"{plural(len(found.damaged), 'folder')} cannot be read"
    return "none" if not found.backups else f"{verified} of {len(found.backups)} verified"


def _line(backup: Backup) -> Line:
    verified = f"verified {backup.verified_at:%Y-%m-%d %H:%M}" if backup.verified_at else "never verified"
    until = f"kept until {backup.expires_at:%Y-%m-%d}"
    told = f"{backup.id}: {backup.database}, {size(backup.size_bytes)}, {verified}, {until}"
    return Line(GOOD if backup.verified_at else NOTE, told)


def list_all(directory: Path, db: Database | None = None) -> BackupList:
    """List the backups of a folder; damaged ones only where no database is asked for."""
    found = read_catalogue(directory) if db is None else Catalogue(tuple(list_backups(directory, db)))
    good = [_row(one) for one in found.backups]
    bad = [{"id": one.id, "readable": False, "problem": one.why} for one in found.damaged]
    return BackupList(directory, frames.BACKUPS.build([*good, *bad]), found)


def _row(backup: Backup) -> dict[str, Any]:
    return {
        "id": backup.id,
        "database": backup.database,
        "server": backup.server,
        "created_at": backup.created_at,
        "size_bytes": backup.size_bytes,
        "rows": backup.rows,
        "seconds": backup.seconds,
        "verified_at": backup.verified_at,
        "restore_seconds": backup.restore_seconds,
        "expires_at": backup.expires_at,
        "readable": True,
    }
