"""The contract of going back to a moment: what an engine records, how far back that reaches, and replaying it.

A *base* is a copy of everything at one instant; the *log* is what the server wrote since. A base with the log up to a
moment is the database at that moment. Where an engine keeps no log (SQLite), each base is a moment of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection

from migkit.errors import UnsupportedFeature
from migkit.progress import SILENT, Progress

BaseKind = Literal["cluster", "backup", "point"]


@dataclass(frozen=True)
class LogMoment:
    """A moment on the server's clock, and where its log stood then.

    Attributes
    ----------
    moment : datetime
        In UTC.
    position : str or None
        The place in the log, as the engine writes it; exact also where the clock was put back.
    """

    moment: datetime
    position: str | None = None


@dataclass(frozen=True)
class Base:
    """A copy of everything at one instant, from which the log is replayed.

    Attributes
    ----------
    folder : Path
        Where it lies.
    moment : datetime
        The earliest moment it leads to, on the server's clock.
    facts : mapping
        What replaying needs: JSON values.
    size_bytes : int
        What it takes on the disk.
    """

    folder: Path
    moment: datetime
    facts: Mapping[str, Any]
    size_bytes: int = 0


@dataclass(frozen=True)
class Gap:
    """A piece of the log that is missing, in words, and the last moment before it that can be reached, if known."""

    what: str
    before: datetime | None = None


@dataclass(frozen=True)
class Recorded:
    """What of the log is there for a base.

    Attributes
    ----------
    running : bool
        The log is being recorded now.
    gaps : tuple of Gap
        What is missing.
    notes : tuple of str
        What a person should know: what the server keeps for the recorder, what ends when.
    size_bytes : int
        What the recorded log takes on this machine's disk.
    """

    running: bool
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True)
class Recording:
    """Where the log of one server is recorded, and with which settings.

    Attributes
    ----------
    folder : Path
        Where bases, marks and the log lie.
    facts : mapping
        What was found and made when it was set up: JSON values.
    """

    folder: Path
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def log_folder(self) -> Path:
        """Where the recorded log lies: in the folder, or where the server archives it."""
        archive = self.facts.get("archive")
        return Path(archive) if archive else self.folder / "log"


class PointInTime:
    """What an engine can do about going back to a moment.

    Attributes
    ----------
    pitr_base : {"cluster", "backup", "point"}
        What a base is: the files of the whole server, a backup of the database, or a copy that is itself the only
        moment it leads to.
    pitr_resolution : str
        How exactly a moment that was not noted by ``migkit timestamp`` can be told, for people.
    """

    label: str
    pitr_base: BaseKind = "backup"
    pitr_resolution: str = "any, to the microsecond"

    def _no_way_back_in_time(self) -> UnsupportedFeature:
        return UnsupportedFeature(
            f"migkit cannot return a database of {self.label} to a moment",
            next_step="Restore a backup instead: migkit restore-backup ID.",
        )

    def pitr_key(self, connection: Connection) -> str | None:
        """Return what the server is known by, where its databases share one log; ``None`` where each is on its own."""
        return None

    def log_moment(self, connection: Connection) -> LogMoment:
        """Return the moment on the server's clock, and where its log stands."""
        raise self._no_way_back_in_time()

    def pitr_facts(self, connection: Connection, archive: Path | None = None) -> dict[str, Any]:
        """Make sure that this server, this user and this machine's tools allow it, and return what recording needs.

        Raises
        ------
        UnsupportedFeature, PermissionMissing
            With what has to be set, given or installed, and whether the server must be started anew for it.
        """
        raise self._no_way_back_in_time()

    def start_recording(self, url: URL, made: Recording) -> tuple[str, ...]:
        """Record the log from now on, also when this process has ended; return what that changed, in words.

        What goes on already is left alone.
        """
        raise self._no_way_back_in_time()

    def stop_recording(self, url: URL, made: Recording) -> tuple[str, ...]:
        """End the recording and take back what it changed on the server; return that, in words."""
        raise self._no_way_back_in_time()

    def take_base(self, url: URL, made: Recording, folder: Path, *, progress: Progress = SILENT) -> Base:
        """Copy everything at one instant into an empty folder; only for engines whose base is no backup."""
        raise self._no_way_back_in_time()

    def recorded(self, connection: Connection, made: Recording, base: Base) -> Recorded:
        """Return what of the log is there since a base."""
        raise self._no_way_back_in_time()

    def stage_base(self, base: Base, staged: URL, *, progress: Progress = SILENT) -> None:
        """Read a base into an empty database; only where a base is a point of its own.

        Raises
        ------
        MomentUnreachable
            If the base is damaged.
        """
        raise self._no_way_back_in_time()

    def catch_up(self, url: URL, made: Recording) -> None:
        """Wait until the log up to now is recorded; the server is asked for one entry more, so that it has an end."""

    def recovered(
        self,
        url: URL,
        made: Recording,
        base: Base,
        target: LogMoment,
        workspace: Path,
        *,
        progress: Progress = SILENT,
    ) -> AbstractContextManager[URL]:
        """Make the database readable as it was at a moment, beside everything else, for the length of a ``with`` block.

        Only where a base is a whole server.

        Parameters
        ----------
        url : sqlalchemy.URL
            The database.
        made : Recording
            Where the log is.
        base : Base
            Where to start from.
        target : LogMoment
            The moment; its position counts, where it has one.
        workspace : Path
            An empty folder for what is needed meanwhile, which other users can enter; removed by the caller.
        progress : Progress
            Where to tell how far it is.
        """
        raise self._no_way_back_in_time()

    def replay(
        self, staged: URL, url: URL, made: Recording, base: Base, target: LogMoment, *, progress: Progress = SILENT
    ) -> int:
        """Do in `staged`, which holds a base of `url`, all that the log says was done in `url` until a moment.

        Only where a base is a backup.

        Returns
        -------
        int
            How many transactions that were.
        """
        raise self._no_way_back_in_time()

    def abandon_recovery(self, workspace: Path) -> None:
        """End what a killed process left running in a workspace; the folder itself is the caller's."""
