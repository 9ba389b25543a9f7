"""A second session that looks at the database again and again, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from migkit.dialects.base import Dialect
from migkit.dialects.measuring import Eye
from migkit.errors import MigkitError

EVERY_SECONDS = 0.02
# A server that answers slowly is left alone for a part of the time that each look took.
_REST = 4


class Clock:
    """Tells instants that never go backwards, whatever happens to the system's clock meanwhile."""

    def __init__(self) -> None:
        self._wall, self._monotonic = datetime.now(UTC), time.monotonic()

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return self._wall + timedelta(seconds=time.monotonic() - self._monotonic)


@dataclass
class Pace:
    """How often was really looked."""

    samples: int = 0
    longest_gap_seconds: float = 0.0
    busy_seconds: float = 0.0


class Sampling:
    """Looks every few milliseconds until it is told to stop.

    Parameters
    ----------
    dialect : Dialect
        The engine.
    engine : sqlalchemy.Engine
        One of its own; disposed of by whoever made it.
    session : int or None
        What the eye is about; ``None`` for everything.
    look : callable
        Called with the eye for each sample, in the sampling thread.
    every_seconds : float
        How long from one look to the next, unless a look itself takes longer.

    Attributes
    ----------
    failure : Exception or None
        Why it ended before it was told to.
    eye : Eye or None
        What it looks with; what that cannot see is known from its first look on.
    """

    def __init__(
        self,
        dialect: Dialect,
        engine: Engine,
        session: int | None,
        look: Callable[[Eye], None],
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        self.pace = Pace()
        self.failure: Exception | None = None
        self.eye: Eye | None = None
        self._dialect = dialect
        self._engine = engine
        self._session = session
        self._look = look
        self._every = every_seconds
        self._unseen_since: float | None = None
        self._stop = threading.Event()
        self._began = threading.Event()
        self._thread = threading.Thread(target=self._run, name="migkit-watcher", daemon=True)

    def start(self, *, wait: bool = False) -> None:
        """Begin; with `wait`, return when the first look was taken, or failed."""
        # Who does not wait goes on meanwhile: until the first look, nobody looks.
        self._unseen_since = None if wait else time.monotonic()
        self._thread.start()
        if wait:
            self._began.wait()

    def stop(self) -> None:
        """End, after a last look."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def is_stopping(self) -> bool:
        """Whether this look is the last one."""
        return self._stop.is_set()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with self._dialect.open_eye(self._engine, self._session) as eye:
                self._sample(eye)
        except Exception as error:
            # Whatever it was, from here on nobody looked.
            self.failure = error
            if not isinstance(error, SQLAlchemyError | OSError | MigkitError):
                raise
        finally:
            self._began.set()

    def _sample(self, eye: Eye) -> None:
        self.eye = eye
        last, took, stopping = self._unseen_since or time.monotonic(), 0.0, False
        while not stopping:
            stopping = self._pause(took)
            began = time.monotonic()
            self.pace.longest_gap_seconds = max(self.pace.longest_gap_seconds, began - last)
            last = began
            self._look(eye)
            took = time.monotonic() - began
            self.pace.samples += 1
            self.pace.busy_seconds += took
            self._began.set()

    def _pause(self, took: float) -> bool:
        if self.pace.samples == 0:
            return self._stop.is_set()
        return self._stop.wait(max(self._every - took, took / _REST))
