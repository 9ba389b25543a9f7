"""From single looks to stretches of time: a lock that was there from one look to another was held in between.

What the server does not time begins half-way between the look that did not show it and the first that did, and ends
likewise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from migkit.dialects.measuring import IncidentKind, SeenIncident, SessionLock, SessionWait, Sight, Stage
from migkit.redaction import redact

Row = dict[str, Any]

GRANTED, GAVE_UP, STILL_WAITING = "granted", "gave up", "still waiting"
# Rows of one kind; who watches for days gets the first of them, and is told so.
MOST_ROWS = 20_000
# The server may count an error a moment after the wait was gone.
_LATE_SECONDS = 1.5
_COMPARED_CHARACTERS = 200


@dataclass
class _Stretch:
    """Something seen from one look to another."""

    first_at: datetime
    started_at: datetime
    last_at: datetime
    ended_at: datetime | None = None

    @property
    def end(self) -> datetime:
        return max(self.ended_at or self.last_at, self.started_at)

    @property
    def lasted_ms(self) -> float:
        return (self.end - self.started_at).total_seconds() * 1000


@dataclass
class _Hold(_Stretch):
    lock: SessionLock = field(kw_only=True)
    statement: int | None = field(kw_only=True)
    query: str = field(kw_only=True)

    def row(self, own: int | None) -> Row:
        return {
            "relation": self.lock.relation,
            "mode": self.lock.mode,
            "statement": self.statement,
            "granted_at": self.started_at,
            "released_at": self.end,
            "held_ms": self.lasted_ms,
            "blocks": self.lock.blocks,
            "exact": False,
            "session": None if self.lock.session == own else self.lock.session,
            "query": None if self.lock.session == own else redact(self.query),
        }


@dataclass
class _Waiting(_Stretch):
    wait: SessionWait = field(kw_only=True)
    queries: Mapping[int, str] = field(kw_only=True)
    depth: int = field(kw_only=True)
    root: int = field(kw_only=True)
    how: str = STILL_WAITING

    def is_older_than(self, wait: SessionWait) -> bool:
        """Whether the server's clock of the wait has begun anew; ours alone is not sure: a look may take long."""
        before, now = self.wait.waited_seconds, wait.waited_seconds
        return before is not None and now is not None and now < before

    def row(self, own: int | None) -> Row:
        return {
            "waiter": self.wait.waiter,
            "blocker": self.wait.blocker,
            "relation": self.wait.relation,
            "mode": self.wait.mode,
            "waiter_query": redact(self.queries.get(self.wait.waiter, "")),
            "blocker_query": redact(self.queries.get(self.wait.blocker, "")),
            "by_migration": None if own is None else self.wait.waiter != own,
            "started_at": self.started_at,
            "ended_at": self.end,
            "waited_ms": self.lasted_ms,
            "depth": self.depth,
            "root_blocker": self.root,
            "root_query": redact(self.queries.get(self.root, "")),
            "end": self.how,
        }


@dataclass
class _Phase(_Stretch):
    stage: Stage = field(kw_only=True)
    statement: int | None = field(kw_only=True)

    def row(self, own: int | None) -> Row:
        stage = self.stage
        return {
            "session": stage.session,
            "statement": self.statement,
            "command": stage.command,
            "relation": stage.relation,
            "phase": stage.phase,
            "done": stage.done,
            "total": stage.total,
            "unit": stage.unit,
            "waits_for": stage.waits_for,
            "started_at": self.started_at,
            "ended_at": self.end,
            "lasted_ms": self.lasted_ms,
        }


class Ledger:
    """Keeps what a row of looks showed.

    Parameters
    ----------
    session : int or None
        The migration's own session; ``None`` where a whole database is watched.
    """

    def __init__(self, session: int | None = None) -> None:
        self._session = session
        self._holds: dict[tuple[Any, ...], _Hold] = {}
        self._waits: dict[tuple[Any, ...], _Waiting] = {}
        self._phases: dict[tuple[Any, ...], _Phase] = {}
        self._closed: dict[str, list[_Stretch]] = {"lock": [], "wait": [], "progress": []}
        self._incidents: list[Row] = []
        self._stood_in_the_way: dict[int, datetime] = {}
        self._before: datetime | None = None
        self._untold: list[tuple[str, Any]] = []
        self.short_locks = 0
        self.left_out = 0

    # --- what was seen ----------------------------------------------------------------------------------------------

    def add(self, sight: Sight, now: datetime, *, statement: int | None = None, since: datetime | None = None) -> None:
        """Take what one look showed.

        Parameters
        ----------
        sight : Sight
            What was seen.
        now : datetime
            When.
        statement, since : int and datetime, optional
            The statement of the migration that runs, and when it began: what it does cannot have begun before.
        """
        between = now if self._before is None else self._before + (now - self._before) / 2
        earliest = between if since is None else max(between, min(since, now))
        for wait in sight.waits:
            self._stood_in_the_way[wait.blocker] = now
        self._add_locks(sight, now, earliest, statement)
        self._add_waits(sight, now, between)
        self._add_stages(sight, now, earliest, statement)
        self._end(self._holds, now, between, "lock")
        for gone in self._end(self._waits, now, between, "wait"):
            gone.how = STILL_WAITING if self._goes_on(gone) else GRANTED
        self._end(self._phases, now, between, "progress")
        for incident in sight.incidents:
            self.add_incident(incident, now)
        self._before = now

    def _add_locks(self, sight: Sight, now: datetime, earliest: datetime, statement: int | None) -> None:
        for lock in sight.locks:
            key = (lock.session, lock.transaction, lock.relation, lock.mode, statement)
            known = self._holds.get(key)
            if known is None:
                query = sight.queries.get(lock.session, "")
                began = self._began(lock.session, sight, earliest, now)
                self._holds[key] = _Hold(now, began, now, lock=lock, statement=statement, query=query)
            else:
                known.last_at = now

    def _add_waits(self, sight: Sight, now: datetime, between: datetime) -> None:
        waited_before = {known.wait.waiter for known in self._waits.values()}
        ahead: dict[int, int] = {}
        for wait in sight.waits:
            ahead.setdefault(wait.waiter, wait.blocker)
        for wait in sight.waits:
            key = (wait.waiter, wait.blocker, wait.relation, wait.mode)
            depth, root = _place_in_queue(wait, ahead)
            known = self._waits.get(key)
            told = None if wait.waited_seconds is None else now - timedelta(seconds=wait.waited_seconds)
            if known is not None and told is not None and told > known.last_at and known.is_older_than(wait):
                # It was over, and a new one of the same kind began, between two looks.
                self._end({key: self._waits.pop(key)}, now, told, "wait")[0].how = GRANTED
                known, waited_before = None, waited_before - {wait.waiter}
            if known is None:
                began = self._began(wait.waiter, sight, between, now)
                if told is not None:
                    began = told
                if wait.waiter in waited_before:
                    began = between
                queries = {one: sight.queries.get(one, "") for one in (wait.waiter, wait.blocker, root)}
                self._waits[key] = _Waiting(now, began, now, wait=wait, queries=queries, depth=depth, root=root)
            else:
                known.last_at, known.wait = now, wait
                if depth > known.depth:
                    known.depth, known.root = depth, root
                    known.queries = {**known.queries, root: sight.queries.get(root, "")}

    def _began(self, session: int, sight: Sight, between: datetime, now: datetime) -> datetime:
        """Return when what is new began: with the session's statement, if that began since the last look."""
        age = sight.ages.get(session)
        if age is None or self._before is None:
            return between
        statement = now - timedelta(seconds=age)
        return min(statement, now) if statement >= self._before else between

    def _add_stages(self, sight: Sight, now: datetime, earliest: datetime, statement: int | None) -> None:
        for stage in sight.stages:
            key = (stage.session, stage.command, stage.relation, stage.phase, statement)
            known = self._phases.get(key)
            if known is None:
                self._phases[key] = _Phase(now, earliest, now, stage=stage, statement=statement)
            else:
                known.last_at = now
                known.stage = _further(known.stage, stage)

    def _end(self, opened: dict[Any, Any], now: datetime, between: datetime, kind: str) -> list[Any]:
        """Close what this look did not show."""
        gone = []
        for key in [key for key, stretch in opened.items() if stretch.last_at != now]:
            stretch = opened.pop(key)
            stretch.ended_at = between
            gone.append(stretch)
            self._keep(kind, stretch)
        return gone

    def _goes_on(self, gone: _Waiting) -> bool:
        """Whether who waited does so still, in the same statement, only for somebody else."""
        waiter = gone.wait.waiter
        return any(
            other.wait.waiter == waiter
            and other.started_at <= gone.end
            and other.queries.get(waiter) == gone.queries.get(waiter)
            for other in self._waits.values()
        )

    def _keep(self, kind: str, stretch: _Stretch) -> None:
        if isinstance(stretch, _Hold) and self._is_passing(stretch):
            self.short_locks += 1
            return
        if len(self._closed[kind]) >= MOST_ROWS:
            self.left_out += 1
            return
        self._closed[kind].append(stretch)
        self._untold.append((kind, stretch))

    def _is_passing(self, hold: _Hold) -> bool:
        """Whether it is a lock of everyday traffic: in nobody's way, and gone before the next look."""
        if hold.lock.session == self._session or "reads" in hold.lock.blocks or "writes" in hold.lock.blocks:
            return False
        stood = self._stood_in_the_way.get(hold.lock.session)
        return hold.last_at == hold.first_at and (stood is None or stood < hold.first_at)

    def add_incident(self, incident: SeenIncident, now: datetime) -> None:
        """Note what went wrong, and how long the session had waited before."""
        if len(self._incidents) >= MOST_ROWS:
            self.left_out += 1
            return
        row = self._incident_row(incident, now)
        self._incidents.append(row)
        self._untold.append(("incident", row))

    def _incident_row(self, incident: SeenIncident, now: datetime) -> Row:
        waited = None if incident.session is None else self._last_wait(incident, now)
        if waited is not None:
            waited.how = GAVE_UP
        return {
            "kind": incident.kind,
            "at": waited.end if waited is not None else now,
            "session": incident.session,
            "query": redact(incident.query) or None,
            "relation": incident.relation or (waited.wait.relation if waited else None),
            "blocker": incident.blocker if incident.blocker is not None else waited.wait.blocker if waited else None,
            "waited_ms": waited.lasted_ms if waited else None,
            "count": incident.count,
            "source": incident.source,
        }

    def _last_wait(self, incident: SeenIncident, now: datetime) -> _Waiting | None:
        for stretch in reversed(self._closed["wait"]):
            late = (now - stretch.end).total_seconds()
            if late > _LATE_SECONDS:
                return None
            is_theirs = isinstance(stretch, _Waiting) and stretch.wait.waiter == incident.session
            if isinstance(stretch, _Waiting) and is_theirs and late > -_LATE_SECONDS:
                query = stretch.queries.get(stretch.wait.waiter, "")
                return stretch if _is_same(query, incident.query) else None
        return None

    # --- what came of it --------------------------------------------------------------------------------------------

    def lock_rows(self) -> list[Row]:
        """Return rows of :data:`migkit.frames.LOCKS`, also of what is still held."""
        return self._rows("lock", [hold for hold in self._holds.values() if not self._is_passing(hold)])

    def wait_rows(self) -> list[Row]:
        """Return rows of :data:`migkit.frames.WAITS`, also of who still waits."""
        return self._rows("wait", self._waits.values())

    def progress_rows(self) -> list[Row]:
        """Return rows of :data:`migkit.frames.PROGRESS`."""
        return self._rows("progress", self._phases.values())

    def incident_rows(self, failures: Iterable[tuple[IncidentKind, datetime, str]] = ()) -> list[Row]:
        """Return rows of :data:`migkit.frames.INCIDENTS`; `failures` are those the migration was told itself."""
        others = [row for row in self._incidents if self._session is None or row["session"] != self._session]
        own = []
        for kind, at, query in failures:
            told = SeenIncident(kind, self._session, query=query, source="the migration's own error")
            own.append(self._incident_row(told, at))
        return sorted([*others, *own], key=lambda row: row["at"])

    def _rows(self, kind: str, opened: Collection[Any]) -> list[Row]:
        stretches: list[Any] = sorted([*self._closed[kind], *opened], key=lambda one: one.started_at)
        return [stretch.row(self._session) for stretch in stretches]

    def news(self) -> list[tuple[str, Row]]:
        """Return what ended since this was asked last, then what goes on, as kinds and rows."""
        told = [(kind, one if isinstance(one, dict) else one.row(self._session)) for kind, one in self._untold]
        self._untold = []
        going_on: list[tuple[str, Any]] = [
            *(("wait", one) for one in self._waits.values()),
            *(("progress", one) for one in self._phases.values()),
            *(("lock", one) for one in self._holds.values() if not self._is_passing(one)),
        ]
        return told + [(kind, one.row(self._session)) for kind, one in going_on]


def _place_in_queue(wait: SessionWait, ahead: Mapping[int, int]) -> tuple[int, int]:
    """Return how many sessions stand between a waiter and whoever waits for nobody, and who that is."""
    depth, root, passed = 1, wait.blocker, {wait.waiter}
    while root in ahead:
        if root in passed:
            # They wait for each other: nobody is at the head.
            return 1, wait.blocker
        passed.add(root)
        depth, root = depth + 1, ahead[root]
    return depth, root


def _is_same(query: str, other: str) -> bool:
    """Compare two texts of a statement, of which a server may cut the one or the other short."""
    shorter = min(len(query), len(other), _COMPARED_CHARACTERS)
    return not shorter or query[:shorter] == other[:shorter]


def _further(before: Stage, now: Stage) -> Stage:
    """Return the later stage, unless the server set its figures back at the end of a phase."""
    return before if (now.done or 0) < (before.done or 0) and not now.total else now
