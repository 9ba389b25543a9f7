"""What an engine can do to guard a change: keep writers out, keep a second deploy out, show who is connected.

Part of the contract of an engine (:mod:`migkit.dialects.base`). What an engine cannot do raises
:class:`~migkit.errors.UnsupportedFeature`, or is said in the answer: never an empty result.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sqlalchemy import URL, Connection, Engine

from migkit.errors import UnsupportedFeature

PROGRAM = "migkit"
"""How sessions of migkit begin to name themselves; a deploy adds its own number."""

SessionState = Literal["active", "idle", "idle in transaction", "waiting", "unknown"]


class Hold(Protocol):
    """Writers are kept out by something this process holds: it ends with the process."""

    @property
    def engine(self) -> Engine | None:
        """The engine whose session may write all the same; ``None`` where any session of migkit may."""

    def lend(self) -> None:
        """Let :attr:`engine` write, and still nobody else."""

    def pause(self) -> None:
        """Let go, for work that opens sessions of its own."""

    def resume(self) -> None:
        """Keep writers out again."""

    def others_wrote(self) -> bool | None:
        """Tell whether anybody else wrote since it was held first; ``None`` where nobody can know."""

    def release(self) -> None:
        """Let go for good; harmless when done twice."""


@dataclass(frozen=True)
class Closed:
    """How a database was closed to writers.

    Attributes
    ----------
    means : str
        For people: what keeps writers out, and how far that reaches.
    ended : int
        Sessions that were ended, because the new setting does not reach them.
    exempt : tuple of str
        Who can write all the same.
    hold : Hold or None
        What keeps writers out only while this process lives; ``None`` where it lasts until it is switched off.
    """

    means: str
    ended: int = 0
    exempt: tuple[str, ...] = ()
    hold: Hold | None = None


@dataclass(frozen=True)
class Opened:
    """How a database was opened to writers again.

    Attributes
    ----------
    ended : int
        Sessions ended, because they would have gone on being read-only.
    stayed : int
        Sessions that go on being read-only until they connect anew.
    """

    ended: int = 0
    stayed: int = 0


@dataclass(frozen=True)
class Session:
    """Another session on the same database."""

    number: int
    user: str
    client: str
    program: str
    state: SessionState
    transaction_seconds: float | None
    query: str | None

    @property
    def is_ours(self) -> bool:
        """Whether migkit opened it."""
        return self.program.startswith(PROGRAM)


@dataclass(frozen=True)
class IndexProblem:
    """An index, or a table with its indexes, that the engine's own check found damaged."""

    schema: str
    table: str
    name: str
    what: str


class Guarding:
    """The part of an engine's contract that guards a change.

    Attributes
    ----------
    read_only_reach : str
        What read-only mode closes, for people: ``the database``, ``the whole server``.
    open_setting : str
        What :meth:`write_setting` says where nobody set anything.
    read_only_lasts : bool
        Read-only mode outlives the process that switched it on.
    read_only_objects : tuple of (str, str)
        Kind and name of the objects in a captured state that tell nothing but that the database is read-only.
    index_check : str
        The engine's own check of indexes, for people.
    """

    label: str
    read_only_reach: str = "the database"
    open_setting: str = ""
    read_only_lasts: bool = True
    read_only_objects: tuple[tuple[str, str], ...] = ()
    index_check: str = ""

    def sessions(self, connection: Connection) -> list[Session]:
        """Return the other sessions on this database."""
        raise UnsupportedFeature(f"migkit cannot see who is connected to {self.label}")

    # --- read-only --------------------------------------------------------------------------------------------------

    def write_setting(self, connection: Connection) -> str:
        """Return how writing is set now, as :meth:`open_to_writers` takes it back."""
        raise UnsupportedFeature(f"migkit cannot make {self.label} read-only")

    def is_read_only(self, connection: Connection) -> bool:
        """Tell whether ordinary sessions that connect now may not write."""
        raise UnsupportedFeature(f"migkit cannot tell whether {self.label} is read-only")

    def close_to_writers(self, engine: Engine, *, patience: float, terminate: bool) -> Closed:
        """Keep everybody but migkit from writing.

        Sessions that the setting does not reach are ended when idle, and waited for while they work.

        Parameters
        ----------
        engine : Engine
            The database.
        patience : float
            Seconds to wait for sessions that work.
        terminate : bool
            End them afterwards; else the database is left open.

        Raises
        ------
        DatabaseInUse
            If sessions go on working, and are not to be ended; nothing is changed.
        PermissionMissing
            If the right is missing; nothing is changed.
        """
        raise UnsupportedFeature(f"migkit cannot make {self.label} read-only")

    def open_to_writers(self, engine: Engine, setting: str, *, patience: float, terminate: bool) -> Opened:
        """Go back to what :meth:`write_setting` said, and let everybody write who could before."""
        raise UnsupportedFeature(f"migkit cannot make {self.label} read-only")

    def writing_url(self, url: URL, program: str) -> URL:
        """Return a URL whose sessions can write though the database is read-only, and call themselves `program`."""
        return url

    # --- deploys ----------------------------------------------------------------------------------------------------

    def deploy_lock(self, engine: Engine, owner: str) -> AbstractContextManager[None]:
        """Keep a second deploy away while this one goes on.

        Parameters
        ----------
        engine : Engine
            The database.
        owner : str
            Who deploys; what the second one is told.

        Raises
        ------
        DeployRunning
            If somebody else deploys to this database; says who.
        """
        raise UnsupportedFeature(f"migkit cannot keep two deploys to {self.label} apart")

    def end_orphans(self, connection: Connection, program: str, statements: Sequence[str]) -> int:
        """End what a dead process left working on the server, and return how many sessions that were.

        Parameters
        ----------
        connection : Connection
            A session.
        program : str
            How the sessions of the dead process called themselves.
        statements : sequence of str
            What they were working on, for servers that do not show how sessions call themselves.
        """
        return 0

    def is_lock_trouble(self, told: str) -> bool:
        """Tell whether what ``explain_error`` said is about locks of others, so that trying again may help."""
        return False

    # --- health -----------------------------------------------------------------------------------------------------

    def damaged_indexes(self, connection: Connection, tables: Sequence[tuple[str, str]]) -> list[IndexProblem]:
        """Let the engine check its indexes, and return what it finds damaged.

        Parameters
        ----------
        connection : Connection
            A session.
        tables : sequence of (schema, table)
            What to look at.

        Raises
        ------
        UnsupportedFeature
            If there is no such check here; says what would bring it.
        """
        raise UnsupportedFeature(f"{self.label} has no check of its indexes")

    def violation_condition(self, expression: str) -> str:
        """Return the condition that rows fulfil which violate a CHECK expression; NULL violates nothing."""
        return f"NOT ({expression})"


def first_words(text: Any, limit: int = 300) -> str | None:
    """Return a statement on one line, cut to what a table of sessions has room for."""
    if text is None:
        return None
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[:limit]}…"
