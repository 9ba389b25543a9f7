"""What is going on, collected from any thread and drawn by whoever looks: one cell, or one panel."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from migkit.display.lines import BAD, Line

DRAW_SECONDS = 0.3
KEPT_LINES = 200
KEPT_FACTS = 600

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Moment:
    """All that a :class:`Live` knows at one instant.

    Parameters
    ----------
    label : str
        The present stage; empty between stages.
    done, total : int, int or None
        How far it is.
    stage_seconds, seconds : float
        How long the stage, and all of it, have taken.
    lines : tuple of Line
        What is finished.
    dropped : int
        Lines that are not kept any more.
    facts : mapping of str to tuple
        What was observed, by kind (:meth:`migkit.progress.LiveProgress.fact`), the latest of each thing.
    at : datetime
        The instant.
    """

    label: str = ""
    done: int = 0
    total: int | None = None
    stage_seconds: float = 0.0
    seconds: float = 0.0
    lines: tuple[Line, ...] = ()
    dropped: int = 0
    facts: Mapping[str, tuple[Facts, ...]] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def has_failed(self) -> bool:
        """Whether a step of it went wrong."""
        return any(line.sign == BAD for line in self.lines)

    def of(self, kind: str) -> tuple[Facts, ...]:
        """Return what was observed of a kind."""
        return self.facts.get(kind, ())


class Live:
    """Collects progress (:class:`migkit.progress.LiveProgress`); draws nothing itself.

    Parameters
    ----------
    clock : callable, optional
        A monotonic clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = self._stage_began = self._last = clock()
        self._label, self._done = "", 0
        self._total: int | None = None
        self._lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self._told = 0
        self._facts: dict[str, dict[tuple[Any, ...], Facts]] = {}
        self.changes = 0

    def begin(self, label: str, total: int | None = None) -> None:
        """Start a stage."""
        with self._lock:
            self._touch()
            self._label, self._total, self._done, self._stage_began = label, total, 0, self._last

    def advance(self, amount: int = 1) -> None:
        """Count units as done."""
        with self._lock:
            self._touch()
            self._done += amount

    def note(self, sign: str, text: str) -> None:
        """Keep a finished step."""
        with self._lock:
            self._touch()
            self._told += 1
            self._lines.append(Line(sign, text))

    def close(self) -> None:
        """End the stage."""
        with self._lock:
            self._touch()
            self._label, self._total, self._done = "", None, 0

    def fact(self, kind: str, facts: Facts) -> None:
        """Keep what was observed; of one and the same thing, the latest."""
        with self._lock:
            self._touch()
            kept = self._facts.setdefault(kind, {})
            kept[_identity(kind, facts)] = dict(facts)
            if len(kept) > KEPT_FACTS:
                del kept[next(iter(kept))]

    def _touch(self) -> None:
        self.changes += 1
        self._last = self._clock()

    def moment(self, *, ended: bool = False) -> Moment:
        """Return all that is known now; once `ended`, no time passes after the last report."""
        with self._lock:
            now = self._last if ended else self._clock()
            return Moment(
                label="" if ended else self._label,
                done=self._done,
                total=self._total,
                stage_seconds=now - self._stage_began,
                seconds=now - self._began,
                lines=tuple(self._lines),
                dropped=self._told - len(self._lines),
                facts={kind: tuple(rows.values()) for kind, rows in self._facts.items()},
            )


_IDENTITIES: dict[str, tuple[str, ...]] = {
    # A run begins to count anew: two ways of one rehearsal are told apart by when they began.
    "lock": ("relation", "mode", "granted_at"),
    "wait": ("waiter", "blocker", "relation", "started_at"),
    "statement": ("number", "started_at"),
    "progress": ("session", "statement", "command", "relation", "phase"),
    "load": ("phase", "second", "statement"),
}


def _identity(kind: str, facts: Facts) -> tuple[Any, ...]:
    names = _IDENTITIES.get(kind)
    if names is None:
        return (id(facts), time.monotonic_ns())
    return tuple(facts.get(name) for name in names)


class Ticker:
    """Calls a function a few times a second in a thread of its own, until it is stopped.

    A blocked event loop does not stop it, so a panel goes on living while a cell runs.

    Parameters
    ----------
    draw : callable
        What to call; in the context of whoever made the ticker.
    seconds : float
        How often.
    """

    def __init__(self, draw: Callable[[], None], seconds: float = DRAW_SECONDS) -> None:
        self._draw = draw
        self._seconds = seconds
        self._stopped = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=lambda: context.run(self._run), name="migkit-display", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; the last call is over when this returns."""
        self._stopped.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._draw()
