"""Who waits for the migration, and whom it waits for: looked at from outside, many times a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from migkit.dialects.base import Dialect
from migkit.dialects.measuring import Eye, IncidentKind
from migkit.observe.sampling import EVERY_SECONDS, Clock, Sampling
from migkit.observe.stretches import Ledger
from migkit.progress import SILENT, Progress, tell

NOTABLE_GAP_SECONDS = 0.5
TELL_EVERY_SECONDS = 0.25
_WAITERS = "who waited for the migration"


class Watcher:
    """Watches one session from a second one, for as long as a run lasts.

    Parameters
    ----------
    dialect : Dialect
        The engine.
    engine : sqlalchemy.Engine
        One of the watcher's own; disposed of by whoever made it.
    outside_since : callable
        Returns number and start of the statement that runs now, if its locks are gone when it ends, so that they can
        only be sampled; else ``None``.
    current : callable, optional
        Returns number and start of the statement that runs now, whatever its locks, and whether it changes something.
    progress : Progress
        Told what is seen, a few times a second.
    """

    def __init__(
        self,
        dialect: Dialect,
        engine: Engine,
        outside_since: Callable[[], tuple[int, datetime] | None],
        current: Callable[[], tuple[int, datetime, bool] | None] = lambda: None,
        progress: Progress = SILENT,
    ) -> None:
        self.unchecked: list[dict[str, str]] = []
        self._dialect = dialect
        self._engine = engine
        self._outside_since = outside_since
        self._current = current
        self._progress = progress
        self._ledger = Ledger()
        self._sampling: Sampling | None = None
        self._clock = Clock()
        self._told_at = 0.0

    def start(self, session: int | None) -> None:
        """Begin to sample; where the engine shows no waiters, that is noted as unchecked instead."""
        if session is None:
            why = f"{self._dialect.label} does not show which sessions wait for which"
            self.unchecked.append({"what": _WAITERS, "why": why})
            return
        self._ledger = Ledger(session)
        self._sampling = Sampling(self._dialect, self._engine, session, self._look)
        self._sampling.start()

    def stop(self) -> None:
        """End sampling; the results are complete afterwards."""
        sampling = self._sampling
        if sampling is None:
            return
        sampling.stop()
        self._sampling = None
        self._tell()
        eye = sampling.eye
        self.unchecked += [{"what": what, "why": why} for what, why in (eye.unchecked if eye else ())]
        if eye is not None and self._dialect.lock_facts == "sampled":
            why = f"locks are sampled every {EVERY_SECONDS * 1000:.0f} ms, from {eye.source}"
            self.unchecked.append({"what": "locks held for less than a moment", "why": why})
        if sampling.failure is not None:
            why = f"the watcher failed: {self._dialect.explain_error(sampling.failure)}"
            self.unchecked.append({"what": _WAITERS, "why": why})
        elif sampling.pace.longest_gap_seconds > NOTABLE_GAP_SECONDS:
            gap = sampling.pace.longest_gap_seconds
            why = f"for {gap:.1f} s nobody looked; waits within that time may have been missed"
            self.unchecked.append({"what": "short waits", "why": why})

    def lock_rows(self) -> list[dict[str, Any]]:
        """Return rows of :data:`migkit.frames.LOCKS` for statements whose locks are gone when they end."""
        return self._ledger.lock_rows()

    def wait_rows(self) -> list[dict[str, Any]]:
        """Return rows of :data:`migkit.frames.WAITS`."""
        return self._ledger.wait_rows()

    def progress_rows(self) -> list[dict[str, Any]]:
        """Return rows of :data:`migkit.frames.PROGRESS`."""
        return self._ledger.progress_rows()

    def incident_rows(self, failures: Iterable[tuple[IncidentKind, datetime, str]] = ()) -> list[dict[str, Any]]:
        """Return rows of :data:`migkit.frames.INCIDENTS`.

        Parameters
        ----------
        failures : iterable of (kind, at, query)
            What the migration was told itself; more is known from that than from outside.
        """
        return self._ledger.incident_rows(failures)

    # --- in the thread of the sampling ------------------------------------------------------------------------------

    def _look(self, eye: Eye) -> None:
        outside, current = self._outside_since(), self._current()
        eye.at_work = current is not None and current[2]
        began = self._clock.now()
        sight = eye.look(with_locks=outside is not None)
        now = began + (self._clock.now() - began) / 2
        if self._outside_since() != outside:
            # The statement ended while we looked: the locks may be the next one's.
            sight = replace(sight, locks=())
        number, since = current[:2] if current is not None else (None, None)
        self._ledger.add(sight, now, statement=number, since=since)
        if self._sampling is None or self._sampling.is_stopping:
            for incident in eye.last_look():
                self._ledger.add_incident(incident, self._clock.now())
        if time.monotonic() - self._told_at > TELL_EVERY_SECONDS:
            self._tell()

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        for kind, row in self._ledger.news():
            if kind != "incident":
                tell(self._progress, kind, row)
