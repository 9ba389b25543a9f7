"""The contract of an engine that concerns backups: writing one, reading it into a new database, and putting a database
in another's place. Point in time uses the second half too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine

from migkit.errors import UnsupportedFeature
from migkit.progress import SILENT, Progress

# How what is kept of a database that was replaced is called; only databases called so are ever dropped as such.
KEPT_PREFIX = "migkit_kept_"

SwapStatus = Literal["before", "between", "after"]


@dataclass(frozen=True)
class BackupTool:
    """A program (or library) that makes or reads backups.

    Attributes
    ----------
    name : str
        ``pg_dump``.
    version : str
        As it tells it.
    path : str
        Where it lies; empty for a library.
    """

    name: str
    version: str
    path: str = ""


def _nothing() -> None:
    """There is nothing to give back."""


@dataclass
class Instant:
    """The instant that a capture and a dump both see.

    Attributes
    ----------
    method : str
        How the two come to see one instant, for people.
    facts : dict
        What else was true at that instant: the position in the binary log.
    release : callable
        Lets writers go on; may be called more than once.
    """

    method: str
    facts: dict[str, Any] = field(default_factory=dict)
    release: Callable[[], None] = _nothing


@dataclass(frozen=True)
class Swap:
    """One database that is to take the place of another.

    Attributes
    ----------
    staged : sqlalchemy.URL
        The new one, on the same server; nobody uses it.
    target : sqlalchemy.URL
        The one that serves.
    aside : str
        What the old one is called afterwards; made by :meth:`Backing.aside_name`.
    folder : Path
        Where what undoing needs is written down, durably.
    data : Path, optional
        The data of the backup that was read into it: what a staged database cannot have yet is taken from there.
    """

    staged: URL
    target: URL
    aside: str
    folder: Path
    data: Path | None = None


class Backing:
    """What an engine can do about backups; by default nothing.

    Attributes
    ----------
    left_out_of_backups : tuple of str
        Kinds of objects (of the frame ``objects``) that no backup holds.
    dormant_in_stage : tuple of str
        Kinds of objects that a staged database has switched off, so that they do nothing before it serves.
    read_only_objects : tuple of (str, str)
        Kind and name of what tells nothing but that a database is read-only: that is as with the one in place.
    """

    label: str
    left_out_of_backups: tuple[str, ...] = ()
    dormant_in_stage: tuple[str, ...] = ()
    read_only_objects: tuple[tuple[str, str], ...] = ()

    def settled_definition(self, kind: str, definition: str) -> str:
        """Return an object's definition without whether it is switched off."""
        return definition

    # --- writing ------------------------------------------------------------------------------------------------------

    def backup_place(self, url: URL) -> tuple[str, ...]:
        """Return where a database is, as its backups remember it; empty where only its name tells."""
        return ()

    def backup_tools(self, connection: Connection) -> tuple[BackupTool, ...]:
        """Return the programs that back this server up and restore it.

        Raises
        ------
        MissingTool
            If one is missing or older than the server; names the package that has it.
        """
        raise UnsupportedFeature(f"migkit knows no tool that backs up {self.label}")

    def backup_release(self, server: str) -> str:
        """Return the part of a server's version that a backup and the server it is restored to have in common."""
        return server

    def backup_facts(self, connection: Connection) -> dict[str, Any]:
        """Return what a new database has to be made with to be like this one, and no dump holds; JSON values."""
        return {}

    def backup_size(self, connection: Connection) -> int:
        """Return about how many bytes a backup takes on disk."""
        raise UnsupportedFeature(f"migkit knows no tool that backs up {self.label}")

    def hold_instant(self, engine: Engine) -> AbstractContextManager[Instant]:
        """Hold the database at one instant, until it is released or the block ends."""
        return nullcontext(Instant("nothing"))

    def write_backup(
        self, connection: Connection, folder: Path, instant: Instant, *, progress: Progress = SILENT
    ) -> AbstractContextManager[None]:
        """Begin to write a backup into a folder, at the instant that a snapshot's first session sees.

        Leaving the block waits for its end; leaving it by an error ends the tool.

        Parameters
        ----------
        connection : Connection
            First session of a :meth:`~migkit.dialects.base.Dialect.snapshot`.
        folder : Path
            An empty folder.
        instant : Instant
            What :meth:`hold_instant` gave; released once the tool sees the instant too.
        progress : Progress
            Told of each table.
        """
        raise UnsupportedFeature(f"migkit knows no tool that backs up {self.label}")

    # --- reading ------------------------------------------------------------------------------------------------------

    def create_stage(self, home: URL | None, name: str, facts: Mapping[str, Any]) -> URL:
        """Create an empty database for a backup to be read into: on the server of `home`, with the facts given.

        It is dropped like a scratch database, and `name` has to be one.

        Raises
        ------
        PermissionMissing
            If the user may not create databases.
        """
        raise UnsupportedFeature(f"migkit cannot restore {self.label}")

    def stage_url(self, home: URL, name: str) -> URL:
        """Return the URL that :meth:`create_stage` gives a database of this name, whether it exists or not."""
        return home.set(database=name)

    def read_backup(self, folder: Path, staged: URL, facts: Mapping[str, Any], *, progress: Progress = SILENT) -> None:
        """Read what :meth:`write_backup` wrote into an empty database, and give that the settings in `facts`."""
        raise UnsupportedFeature(f"migkit cannot restore {self.label}")

    # --- taking another's place ---------------------------------------------------------------------------------------

    def aside_name(self, target: URL, stamp: str) -> str:
        """Return what the database that is replaced will be called."""
        return f"{KEPT_PREFIX}{stamp}"

    def swap_in(self, swap: Swap, *, terminate: bool, patience: float, progress: Progress = SILENT) -> None:
        """Put a database in another's place.

        Parameters
        ----------
        swap : Swap
            Which, and in whose.
        terminate : bool
            End sessions that are still on the target after `patience`; else they are an error.
        patience : float
            Seconds to wait for them to leave by themselves.
        progress : Progress
            Told who is waited for.

        Raises
        ------
        DatabaseInUse
            If others stay on the target; it serves on, unchanged.
        RestoreFailed
            If it fails otherwise; :meth:`swap_status` tells where it stands.
        """
        raise UnsupportedFeature(f"migkit cannot put one database of {self.label} in another's place")

    def swap_status(self, swap: Swap) -> SwapStatus:
        """Look where a swap stands: not begun or not past its one irrevocable step, past it but not done, or done."""
        raise UnsupportedFeature(f"migkit cannot put one database of {self.label} in another's place")

    def finish_swap(self, swap: Swap) -> None:
        """Do what is left of a swap that is past its irrevocable step; nothing if it is done."""

    def undo_swap(self, swap: Swap) -> None:
        """Take back what was done before the irrevocable step; nothing if there was nothing."""

    def drop_aside(self, target: URL, aside: str) -> None:
        """Drop what was kept of a database that was replaced, ending sessions on it; nothing if it is gone.

        Raises
        ------
        ConfigError
            If the name is not one that migkit gives.
        """
        raise UnsupportedFeature(f"migkit keeps no databases of {self.label} aside")
