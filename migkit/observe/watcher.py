"""Who waits for the migration, and whom it waits for: looked at from outside, many times a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from migkit.dialects.base import Dialect, HeldLock, Wait
from migkit.redaction import redact

INTERVAL_SECONDS = 0.02
_NOTABLE_GAP_SECONDS = 0.5
_WAITERS = "who waited for the migration"


@dataclass
class _Stretch:
    """One session seen waiting, sample after sample."""

    wait: Wait
    started_at: datetime
    ended_at: datetime
    round: int

    def row(self, session: int) -> dict[str, Any]:
        waited = (self.ended_at - self.started_at).total_seconds()
        if self.wait.since is not None and self.wait.since <= self.ended_at:
            # The server knows when the wait began; clocks that disagree must not make it shorter than what was seen.
            waited = max(waited, (self.ended_at - self.wait.since).total_seconds())
        return {
            "waiter": self.wait.waiter,
            "blocker": self.wait.blocker,
            "relation": self.wait.relation,
            "mode": self.wait.mode,
            "waiter_query": redact(self.wait.waiter_query),
            "blocker_query": redact(self.wait.blocker_query),
            "by_migration": self.wait.waiter != session,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "waited_ms": waited * 1000,
        }


@dataclass
class _SampledHold:
    lock: HeldLock
    statement: int
    seen_at: datetime
    last_seen_at: datetime


class Watcher:
    """Samples waits in a session and a thread of its own, for as long as a run lasts.

    Parameters
    ----------
    dialect : Dialect
        The engine.
    engine : sqlalchemy.Engine
        One of the watcher's own; disposed of by whoever made it.
    outside_since : callable
        Returns number and start of the statement that runs now, if its locks are gone when it ends, so that they can
        only be sampled; else ``None``.
    """

    def __init__(
        self, dialect: Dialect, engine: Engine, outside_since: Callable[[], tuple[int, datetime] | None]
    ) -> None:
        self.unchecked: list[dict[str, str]] = []
        self._dialect = dialect
        self._engine = engine
        self._outside_since = outside_since
        self._session = 0
        self._open: dict[tuple[Any, ...], _Stretch] = {}
        self._closed: list[_Stretch] = []
        self._holds: dict[tuple[str, str, int], _SampledHold] = {}
        self._round = 0
        self._largest_gap = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, session: int | None) -> None:
        """Begin to sample; where the engine shows no waiters, that is noted as unchecked instead."""
        if not self._dialect.sees_waiters or session is None:
            why = f"{self._dialect.label} does not show which sessions wait for which"
            self.unchecked.append({"what": _WAITERS, "why": why})
            return
        self._session = session
        self._thread = threading.Thread(target=self._sample_until_stopped, name="migkit-watcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End sampling; the results are complete afterwards."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            if self._largest_gap > _NOTABLE_GAP_SECONDS:
                why = f"for {self._largest_gap:.1f} s nobody looked; waits within that time may have been missed"
                self.unchecked.append({"what": "short waits", "why": why})

    def wait_rows(self) -> list[dict[str, Any]]:
        """Return rows of :data:`migkit.frames.WAITS`."""
        stretches = [*self._closed, *self._open.values()]
        return [stretch.row(self._session) for stretch in sorted(stretches, key=lambda one: one.started_at)]

    def lock_rows(self) -> list[dict[str, Any]]:
        """Return rows of :data:`migkit.frames.LOCKS` for statements whose locks are gone when they end."""
        return [
            {
                "relation": hold.lock.relation,
                "mode": hold.lock.mode,
                "statement": hold.statement,
                "granted_at": hold.seen_at,
                "released_at": hold.last_seen_at,
                "held_ms": (hold.last_seen_at - hold.seen_at).total_seconds() * 1000,
                "blocks": hold.lock.blocks,
                "exact": False,
            }
            for hold in self._holds.values()
        ]

    def _sample_until_stopped(self) -> None:
        try:
            # Outside transactions: within one, a server may answer twice with the same picture.
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                self._tell_source(connection)
                last = time.monotonic()
                while True:
                    stopping = self._stop.wait(INTERVAL_SECONDS)
                    self._sample(connection)
                    now = time.monotonic()
                    self._largest_gap, last = max(self._largest_gap, now - last), now
                    if stopping:
                        return
        except (SQLAlchemyError, OSError) as error:
            why = f"the watcher failed: {self._dialect.explain_error(error)}"
            self.unchecked.append({"what": _WAITERS, "why": why})

    def _tell_source(self, connection: Connection) -> None:
        if self._dialect.lock_facts == "sampled":
            source = self._dialect.lock_source(connection)
            why = f"locks are sampled every {INTERVAL_SECONDS * 1000:.0f} ms, from {source}"
            self.unchecked.append({"what": "locks held for less than a moment", "why": why})

    def _sample(self, connection: Connection) -> None:
        self._round += 1
        waits = self._dialect.waits(connection, self._session)
        now = datetime.now(UTC)
        for wait in waits:
            key = (wait.waiter, wait.blocker, wait.relation, wait.mode, wait.waiter_query)
            stretch = self._open.get(key)
            if stretch is None:
                self._open[key] = _Stretch(wait, now, now, self._round)
            else:
                stretch.ended_at, stretch.round = now, self._round
        for key in [key for key, stretch in self._open.items() if stretch.round != self._round]:
            self._closed.append(self._open.pop(key))
        self._sample_locks(connection)

    def _sample_locks(self, connection: Connection) -> None:
        before = self._outside_since()
        if before is None:
            return
        locks = self._dialect.held_locks(connection, self._session)
        if self._outside_since() != before:
            # The statement ended while we looked: the locks may be the next one's.
            return
        now = datetime.now(UTC)
        number, started_at = before
        for lock in locks:
            key = (lock.relation, lock.mode, number)
            hold = self._holds.setdefault(key, _SampledHold(lock, number, started_at, now))
            hold.last_seen_at = now
