"""``LockWatch``: who held what, who waited for whom and what went wrong, in a whole database for some time."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
from sqlalchemy.pool import NullPool

from migkit import frames
from migkit.database import Database
from migkit.dialects.measuring import Eye
from migkit.display.card import Card, Fact, Fold
from migkit.display.lines import BAD, GOOD, WARN, Line
from migkit.display.results import Drawn
from migkit.display.swimlane_plot import swimlane
from migkit.display.units import count, duration, milliseconds, plural
from migkit.errors import MigkitError, StateUnreadable
from migkit.observe.sampling import EVERY_SECONDS, Clock, Sampling
from migkit.observe.stretches import Ledger, Row
from migkit.observe.watcher import TELL_EVERY_SECONDS
from migkit.progress import SILENT, Progress, tell
from migkit.storage import decode_frame, decode_instant, encode_frame, encode_instant, read_json, write_json

FORMAT = "migkit-lock-watch"
FORMAT_VERSION = 1
_SPECS = {
    "locks": frames.LOCKS,
    "waits": frames.WAITS,
    "progress": frames.PROGRESS,
    "incidents": frames.INCIDENTS,
    "unchecked": frames.UNCHECKED,
}
_PLAIN = ("database", "seconds", "every_ms", "samples", "longest_gap_ms")
_TOLD = 12
# A gap is worth telling where it is as long as this many samples.
_NOTABLE_SAMPLES = 5


@dataclass(frozen=True, eq=False, repr=False)
class LockWatch(Drawn):
    """What was seen of a database's locks.

    Attributes
    ----------
    database : str
        The database's name.
    started_at : datetime
        In UTC.
    seconds : float
        How long was looked.
    every_ms : float
        How often was to be looked.
    samples : int
        How often was looked.
    longest_gap_ms : float
        The longest time between two looks: nothing shorter than that is sure to have been seen.
    locks, waits, progress, incidents, unchecked : DataFrame
        As :mod:`migkit.frames` describes them.
    """

    database: str
    started_at: datetime
    seconds: float
    every_ms: float
    samples: int
    longest_gap_ms: float
    locks: pd.DataFrame
    waits: pd.DataFrame
    progress: pd.DataFrame
    incidents: pd.DataFrame
    unchecked: pd.DataFrame

    @property
    def longest_wait_ms(self) -> float | None:
        """How long the longest wait was; ``None`` where nobody waited."""
        waited = self.waits["waited_ms"].dropna()
        return float(waited.max()) if len(waited) else None

    def to_document(self) -> dict[str, Any]:
        """Return the watch as JSON values."""
        document: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        head = {"format": FORMAT, "version": FORMAT_VERSION, "started_at": encode_instant(self.started_at)}
        return head | document | {name: encode_frame(spec, getattr(self, name)) for name, spec in _SPECS.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_document` wrote.

        Raises
        ------
        StateUnreadable
            If the document is none, or of a version this migkit does not know.
        """
        if document.get("format") != FORMAT or document.get("version") != FORMAT_VERSION:
            raise StateUnreadable("This is no saved watch of locks, or one of another version")
        try:
            parts: dict[str, Any] = {name: document[name] for name in _PLAIN}
            parts |= {name: decode_frame(spec, document[name]) for name, spec in _SPECS.items()}
            return cls(started_at=decode_instant(document["started_at"]), **parts)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise StateUnreadable(f"The saved watch is damaged: {type(error).__name__}: {error}") from error

    def save(self, path: str | Path) -> Path:
        """Write the watch as one file, ``*.json`` or ``*.json.zst``."""
        return write_json(Path(path), self.to_document())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote."""
        return cls.from_document(read_json(Path(path)))

    def plot(self) -> Any:
        """Return a matplotlib ``Figure``: who held which lock for how long, and who waited."""
        return swimlane(self.locks, self.waits)

    def card(self) -> Card:
        """Return what the watch shows of itself."""
        sign = BAD if len(self.incidents) else WARN if len(self.waits) else GOOD
        longest = self.longest_wait_ms
        return Card(
            title=f"Locks of {self.database}",
            sign=sign,
            verdict=self._verdict(),
            figures=(
                Fact("watched", duration(self.seconds), f"{plural(self.samples, 'look')}"),
                Fact("longest gap", milliseconds(self.longest_gap_ms), f"every {self.every_ms:g} ms was asked"),
                Fact("longest wait", "none" if longest is None else milliseconds(longest)),
            ),
            lines=tuple(wait_line(row) for row in _longest_first(frames.WAITS.rows(self.waits)))
            + tuple(incident_line(row) for row in frames.INCIDENTS.rows(self.incidents)[:_TOLD]),
            folds=(
                Fold("Waits", self.waits, _WAIT_COLUMNS),
                Fold("Locks", self.locks, ("relation", "mode", "session", "held_ms", "blocks", "query")),
                Fold("Progress", self.progress, ("command", "relation", "phase", "done", "total", "unit", "lasted_ms")),
                Fold("Incidents", self.incidents, ("kind", "session", "blocker", "relation", "waited_ms", "query")),
                Fold("Not checked", self.unchecked, told=True),
            ),
            noun="wait",
        )

    def _verdict(self) -> str:
        waiting = self.waits["waiter"].nunique()
        waited = f"{plural(int(waiting), 'session')} waited" if waiting else "nobody waited"
        if not len(self.incidents):
            return waited
        kinds = self.incidents.groupby("kind")["count"].sum()
        return waited + "".join(f", {count(int(number))} × {kind}" for kind, number in kinds.items())


_WAIT_COLUMNS = (
    "waiter", "blocker", "relation", "mode", "waited_ms", "end", "depth", "root_blocker",
    "waiter_query", "blocker_query",
)  # fmt: skip


def _longest_first(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: -(row["waited_ms"] or 0))[:_TOLD]


def wait_line(row: Mapping[str, Any]) -> Line:
    """Return one wait as a line for people."""
    behind = f", behind {row['root_blocker']}" if (row["depth"] or 1) > 1 else ""
    relation = f" on {row['relation']}" if row["relation"] else ""
    mode = f" ({row['mode']})" if row["mode"] else ""
    doing = f": {row['waiter_query']}" if row["waiter_query"] else ""
    ended = f", {row['end']}" if row["end"] != "granted" else ""
    waited = milliseconds(row["waited_ms"])
    sign = WARN if row["end"] == "granted" else BAD
    text = f"session {row['waiter']} waited {waited} for session {row['blocker']}{behind}{relation}{mode}{ended}{doing}"
    return Line(sign, text)


def incident_line(row: Mapping[str, Any]) -> Line:
    """Return one incident as a line for people."""
    who = "some session" if row["session"] is None else f"session {row['session']}"
    times = f" × {row['count']}" if (row["count"] or 1) > 1 else ""
    relation = f" on {row['relation']}" if row["relation"] else ""
    waited = f" after {milliseconds(row['waited_ms'])}" if row["waited_ms"] is not None else ""
    doing = f": {row['query']}" if row["query"] else ""
    return Line(BAD, f"{row['kind']}{times}, {who}{relation}{waited}{doing}")


class LockWatching:
    """A watch that goes on: a context manager, or stopped with :meth:`stop`.

    Parameters
    ----------
    db : Database
        What to watch.
    every_ms : float
        How long from one look to the next.
    progress : Progress
        Told what is seen, a few times a second; called from the watching thread.
    close : bool
        Close the database's connections at the end.
    """

    def __init__(
        self, db: Database, *, every_ms: float = EVERY_SECONDS * 1000, progress: Progress = SILENT, close: bool = False
    ) -> None:
        self._db = db
        self._every_ms = every_ms
        self._progress = progress
        self._close = close
        self._clock = Clock()
        self._ledger = Ledger()
        self._lock = threading.Lock()
        self._told_at = 0.0
        self._result: LockWatch | None = None
        self._engine = db.dialect.create_engine(db.engine.url, poolclass=NullPool)
        self._sampling = Sampling(db.dialect, self._engine, None, self._look, every_ms / 1000)
        self._started_at, self._begun = self._clock.now(), time.monotonic()

    def start(self) -> Self:
        """Begin, and return after the first look.

        Raises
        ------
        MigkitError
            If the database cannot be reached, or its engine shows nothing.
        """
        self._sampling.start(wait=True)
        failure = self._sampling.failure
        if failure is not None:
            self._end()
            if isinstance(failure, MigkitError):
                raise failure
            raise self._db.dialect.explain_connect_error(failure, self._engine.url) from failure
        return self

    @property
    def is_over(self) -> bool:
        """Whether nobody looks any more: it was stopped, or the connection was lost."""
        return self._sampling.is_over

    @property
    def result(self) -> LockWatch:
        """What was seen until now; after :meth:`stop`, all of it."""
        return self._result or self._collect()

    def stop(self) -> LockWatch:
        """End the watch and return what was seen; once more, and it returns the same."""
        if self._result is None:
            self._sampling.stop()
            self._result = self._collect()
            self._end()
        return self._result

    def news(self) -> list[tuple[str, Row]]:
        """Return what ended since this was asked last, then what goes on, as kinds (``wait``, …) and rows."""
        with self._lock:
            return self._ledger.news()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return repr(self.result)

    def _repr_html_(self) -> str:
        return self.result._repr_html_()

    def _end(self) -> None:
        self._engine.dispose()
        if self._close:
            self._db.close()

    def _look(self, eye: Eye) -> None:
        began = self._clock.now()
        sight = eye.look()
        with self._lock:
            self._ledger.add(sight, began + (self._clock.now() - began) / 2)
            if self._sampling.is_stopping:
                for incident in eye.last_look():
                    self._ledger.add_incident(incident, self._clock.now())
        if self._progress is not SILENT and time.monotonic() - self._told_at > TELL_EVERY_SECONDS:
            self._told_at = time.monotonic()
            for kind, row in self.news():
                tell(self._progress, kind, row)

    def _collect(self) -> LockWatch:
        pace = self._sampling.pace
        with self._lock:
            ledger = self._ledger
            return LockWatch(
                database=self._db.name,
                started_at=self._started_at,
                seconds=time.monotonic() - self._begun,
                every_ms=self._every_ms,
                samples=pace.samples,
                longest_gap_ms=pace.longest_gap_seconds * 1000,
                locks=frames.LOCKS.build(ledger.lock_rows()),
                waits=frames.WAITS.build(ledger.wait_rows()),
                progress=frames.PROGRESS.build(ledger.progress_rows()),
                incidents=frames.INCIDENTS.build(ledger.incident_rows()),
                unchecked=frames.UNCHECKED.build(self._unchecked()),
            )

    def _unchecked(self) -> list[Row]:
        eye = self._sampling.eye
        found = [*eye.unchecked, *eye.beyond] if eye is not None else []
        pace, ledger = self._sampling.pace, self._ledger
        if self._sampling.failure is not None:
            why = f"the watch ended early: {self._db.dialect.explain_error(self._sampling.failure)}"
            found.append(("everything after the last look", why))
        if pace.longest_gap_seconds * 1000 > _NOTABLE_SAMPLES * self._every_ms:
            why = f"once, {milliseconds(pace.longest_gap_seconds * 1000)} passed between two looks"
            found.append(("what was shorter than the longest gap", why))
        if ledger.short_locks:
            why = f"{plural(ledger.short_locks, 'lock')} of everyday traffic showed in one look only, in nobody's way"
            found.append(("locks held for less than a moment", why))
        if ledger.left_out:
            why = f"{plural(ledger.left_out, 'row')} beyond the first {count(len(ledger.wait_rows()))} of a kind"
            found.append(("rows that were left out", why))
        return [{"what": what, "why": why} for what, why in found]
