"""One backup: what its manifest says, and what has been learned of it since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from migkit.display.card import Card, Fact
from migkit.display.lines import GOOD, WARN, Line
from migkit.display.results import Drawn
from migkit.display.units import duration, size
from migkit.state.snapshot import State, load_state
from migkit.storage import decode_instant, encode_instant

FORMAT = 1
MANIFEST = "manifest.json"
STATE = "state.json.zst"
DATA = "data"


@dataclass(frozen=True)
class BackupStatus:
    """What changes about a backup after it was made.

    Attributes
    ----------
    expires_at : datetime
        From when on it may be pruned.
    verified_at : datetime or None
        When it was last restored and found to be exactly what it was made from.
    restore_seconds : float or None
        How long restoring it took then.
    """

    expires_at: datetime
    verified_at: datetime | None = None
    restore_seconds: float | None = None

    def to_document(self) -> dict[str, Any]:
        """Return the status as JSON values."""
        return {
            "expires_at": encode_instant(self.expires_at),
            "verified_at": self.verified_at and encode_instant(self.verified_at),
            "restore_seconds": self.restore_seconds,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_document` wrote."""
        verified = document["verified_at"]
        return cls(
            expires_at=decode_instant(document["expires_at"]),
            verified_at=decode_instant(verified) if verified else None,
            restore_seconds=document["restore_seconds"],
        )


@dataclass(frozen=True, eq=False, repr=False)
class Backup(Drawn):
    """A backup of one database at one instant.

    Attributes
    ----------
    id : str
        What commands call it: ``20261122T104500Z-shop-1f3a``.
    database : str
        The alias or name it was made of.
    target : str
        What can be typed to reach that database again, if it is an alias or embedded; its name otherwise.
    place : tuple of str
        Where that database is, written alike for every URL that leads to it.
    engine, server, release : str
        What people call the engine, the server's version, and the part of it that a restore has to meet again.
    tools : mapping of str to str
        What made it, with versions.
    created_at : datetime
        The instant it holds, in UTC.
    seconds : float
        How long it took.
    size_bytes : int
        Of all its files.
    instant : mapping
        How the dump and the state came to be of one instant, and what else was true at it (``binlog_file``, …).
    facts : mapping
        What the database is made with.
    folder : Path
        Where it lies.
    status : BackupStatus
        When it expires, when it was last verified, how long restoring took.
    """

    id: str
    database: str
    target: str
    place: tuple[str, ...]
    engine: str
    server: str
    release: str
    tools: Mapping[str, str]
    created_at: datetime
    seconds: float
    size_bytes: int
    rows: int
    instant: Mapping[str, Any]
    facts: Mapping[str, Any] = field(repr=False)
    folder: Path
    status: BackupStatus

    @property
    def expires_at(self) -> datetime:
        """From when on it may be pruned."""
        return self.status.expires_at

    @property
    def verified_at(self) -> datetime | None:
        """When it was last restored and found exact; ``None`` if never."""
        return self.status.verified_at

    @property
    def restore_seconds(self) -> float | None:
        """How long restoring it took when it was last verified."""
        return self.status.restore_seconds

    @property
    def data(self) -> Path:
        """The folder that the engine's own tool wrote."""
        return self.folder / DATA

    def state(self) -> State:
        """Return the state of the database at the instant of the backup.

        Raises
        ------
        StateUnreadable
            If it is damaged.
        """
        return load_state(self.folder / STATE)

    def with_status(self, status: BackupStatus) -> Backup:
        """Return the backup with another status."""
        return replace(self, status=status)

    def to_manifest(self) -> dict[str, Any]:
        """Return what never changes about it, as JSON values."""
        return {
            "migkit": "backup",
            "format": FORMAT,
            "id": self.id,
            "database": self.database,
            "target": self.target,
            "place": list(self.place),
            "engine": self.engine,
            "server": self.server,
            "release": self.release,
            "tools": dict(self.tools),
            "created_at": encode_instant(self.created_at),
            "seconds": self.seconds,
            "data_bytes": self.size_bytes,
            "rows": self.rows,
            "instant": dict(self.instant),
            "facts": dict(self.facts),
        }

    @classmethod
    def from_manifest(cls, document: Mapping[str, Any], folder: Path, status: BackupStatus) -> Backup:
        """Read what :meth:`to_manifest` wrote."""
        return cls(
            id=document["id"],
            database=document["database"],
            target=document["target"],
            place=tuple(document["place"]),
            engine=document["engine"],
            server=document["server"],
            release=document["release"],
            tools=document["tools"],
            created_at=decode_instant(document["created_at"]),
            seconds=document["seconds"],
            size_bytes=document["data_bytes"],
            rows=document["rows"],
            instant=document["instant"],
            facts=document["facts"],
            folder=folder,
            status=status,
        )

    def to_document(self) -> dict[str, Any]:
        """Return the backup for ``--json``: all but what only restoring needs."""
        manifest = {key: value for key, value in self.to_manifest().items() if key not in ("migkit", "format", "facts")}
        return manifest | self.status.to_document() | {"folder": str(self.folder)}

    def card(self) -> Card:
        """Return what the backup shows of itself."""
        verified = self.verified_at is not None
        tools = ", ".join(f"{name} {version}" for name, version in self.tools.items())
        lines = [
            Line(GOOD, f"of {self.created_at:%Y-%m-%d %H:%M:%S} UTC, {self.server}, made with {tools}"),
            Line(GOOD, f"dump and state are of one instant: {self.instant.get('method', 'not told')}"),
        ]
        if verified:
            lines.append(Line(GOOD, f"restored and found exact on {self.verified_at:%Y-%m-%d %H:%M} UTC"))
        else:
            lines.append(Line(WARN, f"never restored so far: migkit verify-backup {self.id}"))
        lines.append(Line("·", f"kept until {self.expires_at:%Y-%m-%d %H:%M} UTC in {self.folder}"))
        return Card(
            title=f"Backup {self.id} of {self.database}",
            sign=GOOD if verified else WARN,
            verdict="verified" if verified else "not verified",
            figures=(
                Fact("size", size(self.size_bytes)),
                Fact("rows", f"{self.rows:,}"),
                Fact("took", duration(self.seconds)),
                *([Fact("restoring took", duration(self.restore_seconds))] if self.restore_seconds is not None else []),
            ),
            lines=tuple(lines),
        )
