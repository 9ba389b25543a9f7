"""The part of the contract that looks at a whole database from a second session: who holds, who waits, how far work is,
what the server counts.

An :class:`Eye` belongs to one watching session. It may remember what it saw last, so that each look costs little; what
it is not allowed or not able to see it says in :attr:`Eye.unchecked`, and never shows as nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import Connection, Engine

from migkit.errors import UnsupportedFeature

IncidentKind = Literal["deadlock", "lock timeout", "cancelled", "gave up waiting"]
MetricKind = Literal["gauge", "counter"]


@dataclass(frozen=True)
class SessionLock:
    """A lock that a session was seen holding.

    ``transaction`` tells two holds of the same session apart; empty where the engine does not.
    """

    session: int
    relation: str
    mode: str
    blocks: str
    transaction: str = ""


@dataclass(frozen=True)
class SessionWait:
    """A session that was seen waiting for another; ``waited_seconds`` where the server tells."""

    waiter: int
    blocker: int
    relation: str | None
    mode: str | None
    waited_seconds: float | None = None


@dataclass(frozen=True)
class Stage:
    """How far a long command of a session is.

    ``done`` and ``total`` count in ``unit``; ``waits_for`` is a session that the command waits for now.
    """

    session: int
    command: str
    relation: str | None
    phase: str
    done: int | None = None
    total: int | None = None
    unit: str | None = None
    waits_for: int | None = None


@dataclass(frozen=True)
class SeenIncident:
    """Something that went wrong for a session; ``session`` is missing where the server only counts."""

    kind: IncidentKind
    session: int | None
    blocker: int | None = None
    relation: str | None = None
    query: str = ""
    count: int = 1
    source: str = "seen waiting, then gone while what it waited for was still held"


@dataclass(frozen=True)
class Sight:
    """What one look showed.

    ``queries`` has the text of the sessions named, as far as it may be read; ``ages`` how many seconds ago their
    present statement began, where the server tells.
    """

    locks: tuple[SessionLock, ...] = ()
    waits: tuple[SessionWait, ...] = ()
    stages: tuple[Stage, ...] = ()
    incidents: tuple[SeenIncident, ...] = ()
    queries: Mapping[int, str] = field(default_factory=dict)
    ages: Mapping[int, float] = field(default_factory=dict)


class Eye(ABC):
    """Looks at a database, again and again, through one session of its own.

    Attributes
    ----------
    unchecked : list of (str, str)
        What it cannot see, and why: locks and waits.
    beyond : list of (str, str)
        What else of a whole database it cannot see, and why; of no matter where one session is looked at.
    source : str
        Where it sees locks, for people.
    at_work : bool
        The session it is about works on a statement that changes something; set by whoever looks, and knows.
    """

    source: str = ""
    at_work: bool = False

    def __init__(self) -> None:
        self.unchecked: list[tuple[str, str]] = []
        self.beyond: list[tuple[str, str]] = []

    @abstractmethod
    def look(self, *, with_locks: bool = True) -> Sight:
        """Return what is true now; without the locks that are held, where nobody asks for them."""

    def last_look(self) -> tuple[SeenIncident, ...]:
        """Return incidents that the server has only counted until now; called once, at the end."""
        return ()


@dataclass(frozen=True)
class Reading:
    """One figure of the server: a gauge as it stands, or a counter that only rises; ``value`` is missing with a note
    that says why.
    """

    value: float | None
    kind: MetricKind
    source: str
    note: str = ""


Readings = dict[str, Reading]
"""Figures by name: ``connections``, ``active``, ``transactions``, ``errors``, ``statements``, ``statement_ms``,
``cache_hits``, ``cache_reads``, ``log_bytes``, ``replication_lag_seconds``, ``cpu_seconds``, ``deadlocks``,
``lock_timeouts``."""


class Measuring:
    """What engines can be asked about everybody's sessions."""

    label: str

    def watched_session(self, connection: Connection, number: int | None) -> int | None:
        """Return what an eye calls a session; by default the server's `number` of it."""
        return number

    def incident_kind(self, error: Exception) -> IncidentKind | None:
        """Tell whether a driver's error is a deadlock, a lock timeout or a cancelled statement."""
        return None

    @contextmanager
    def open_eye(self, engine: Engine, session: int | None = None) -> Iterator[Eye]:
        """Open a session for an eye of its own, and close it again."""
        # Outside transactions: within one, a server may answer twice with the same picture.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield self.eye(connection, session)

    def eye(self, connection: Connection, session: int | None = None) -> Eye:
        """Return an eye on the connected database.

        Parameters
        ----------
        connection : Connection
            A session of its own, outside transactions.
        session : int, optional
            Look only at what concerns this session; by default at everything.
        """
        raise UnsupportedFeature(f"migkit cannot look at the sessions of {self.label}")

    def read_metrics(self, connection: Connection) -> Readings:
        """Return the server's figures as they stand now."""
        raise UnsupportedFeature(f"migkit reads no figures of {self.label}")


def concerning(session: int, waits: Iterable[SessionWait]) -> tuple[SessionWait, ...]:
    """Return the waits of a session, of those who wait for it, and of those behind them."""
    found = tuple(waits)
    behind = {session}
    while True:
        more = {wait.waiter for wait in found if wait.blocker in behind} - behind
        if not more:
            return tuple(wait for wait in found if wait.waiter in behind)
        behind |= more


def nearest_blockers(waiting: Mapping[int, tuple[int, ...]], session: int | None = None) -> list[tuple[int, int]]:
    """Return who waits for whom, without those who only stand in the same queue.

    Parameters
    ----------
    waiting : mapping
        Every waiting session with all that stand before it.
    session : int, optional
        Named as the blocker wherever it stands in the way itself.

    Returns
    -------
    list of (waiter, blocker)
        All that hold what the waiter needs; where only waiting sessions stand before it, the one that is first in line.

    Examples
    --------
    >>> nearest_blockers({2: (1,), 3: (2,), 4: (2, 3)})
    [(2, 1), (3, 2), (4, 2)]
    """
    pairs = []
    for waiter, blockers in waiting.items():
        holding = [one for one in dict.fromkeys(blockers) if one not in waiting]
        if session is not None and session in blockers:
            holding = [session]
        pairs += [(waiter, one) for one in holding or _first_in_line(blockers, waiting)]
    return pairs


def _first_in_line(blockers: tuple[int, ...], waiting: Mapping[int, tuple[int, ...]]) -> list[int]:
    return sorted(dict.fromkeys(blockers), key=lambda one: sum(other in waiting[one] for other in blockers))[:1]


def in_circle(session: int, waits: Iterable[SessionWait]) -> bool:
    """Tell whether a session waits, by whatever detour, for itself."""
    ahead: dict[int, set[int]] = {}
    for wait in waits:
        ahead.setdefault(wait.waiter, set()).add(wait.blocker)
    reached: set[int] = set()
    following = set(ahead.get(session, ()))
    while following - reached:
        reached |= following
        following = {one for reach in following for one in ahead.get(reach, ())}
    return session in reached
