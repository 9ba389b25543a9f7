"""The generator: hands requests that are due to clients that are free, and times each from the moment it was due.

Two kinds of clients, two loops over the same schedule: clients that need not be waited for share one thread
(:mod:`migkit.load.polled`); the others have a thread each (:mod:`migkit.load.threaded`).
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from migkit.dialects.workloads import ClientError, LoadClient
from migkit.errors import MigkitError
from migkit.load.arrivals import Arrivals, schedule
from migkit.load.parameters import Place
from migkit.load.recording import Batch, Recorder
from migkit.load.seats import Script, Seat, prepare_one
from migkit.load.workload import Entry

NEVER_SENT = ClientError("never sent", "every client was busy until the end")
UNFINISHED = ClientError("unfinished", "no answer had come when the load ended")

_REOPEN_SECONDS = 0.2

clock = time.perf_counter


class Generator(ABC):
    """One worker's clients, kept busy.

    Parameters
    ----------
    seats : sequence of Seat
        The clients.
    scripts : sequence of Script
        What they execute.
    recorder : Recorder
        Where requests are noted.
    place : Place
        Which worker it is.
    reopen : callable
        Opens a connection for a client that lost its own.
    """

    def __init__(
        self,
        seats: Sequence[Seat],
        scripts: Sequence[Script],
        recorder: Recorder,
        place: Place,
        reopen: Callable[[], LoadClient],
    ) -> None:
        self.seats = list(seats)
        self.scripts = list(scripts)
        self.recorder = recorder
        self.place = place
        self.dead_since: float | None = None
        self.trouble: ClientError | None = None
        self.next_due = math.inf
        self.end = math.inf
        self._open_anew = reopen
        self._picks = _picks([script.entry for script in scripts], place).__next__
        self._dues: Callable[[], float] = lambda: math.inf
        self.is_open_loop = False
        self._rate = 0.0
        self._reopen_at = 0.0

    def begin(self, rate: float | None, arrivals: Arrivals, at: float) -> None:
        """Set the schedule; without a rate, each client sends its next request when the last is answered."""
        self.is_open_loop = rate is not None
        if rate is not None:
            self._rate = rate
            chance = np.random.default_rng((self.place.seed, self.place.worker, 1 << 20))
            # Workers take turns.
            first = at + self.place.worker % self.place.workers / (rate * self.place.workers)
            self._dues = schedule(rate, arrivals, chance, first).__next__
            self.next_due = self._dues()

    @abstractmethod
    def turn(self, until: float) -> None:
        """Generate load until a moment of the clock."""

    @abstractmethod
    def finish(self, end: float, grace: float) -> None:
        """Send nothing that was due after `end`, wait for answers for `grace` seconds, cancel the rest."""

    @abstractmethod
    def waiting(self, now: float) -> int:
        """Return how many requests are due and not answered."""

    def flush(self, waiting: int) -> Batch:
        """Return what was recorded since the last time."""
        return self.recorder.flush(waiting)

    def backlog(self, now: float) -> int:
        """Return how many requests are due and not sent, as the schedule has it."""
        if not self.is_open_loop or self.next_due > now:
            return 0
        return int((now - self.next_due) * self._rate) + 1

    def is_due(self, now: float) -> bool:
        """Tell whether a request has to be sent now."""
        return self.next_due <= now and self.next_due <= self.end

    def take(self) -> float:
        """Take the next request off the schedule."""
        due = self.next_due
        self.next_due = self._dues()
        return due

    def pick(self) -> int:
        """Choose which entry the next request is."""
        return self._picks()

    def give_up_unsent(self, end: float) -> None:
        """Count requests that were due and never sent."""
        while self.is_open_loop and self.next_due <= end and self.next_due < math.inf:
            self.recorder.failed(self.pick(), self.take(), end, NEVER_SENT, "")

    # --- failures ---------------------------------------------------------------------------------------------------

    def failed(self, seat: Seat, error: Exception) -> None:
        """Count a request that failed, and bring its client into shape again."""
        explained = seat.client.explain(error)
        self.count_failure(seat, explained)
        self.recover(seat, explained)

    def count_failure(self, seat: Seat, explained: ClientError) -> None:
        """Count a request that failed."""
        step = self.scripts[seat.entry].steps[seat.step]
        self.recorder.failed(seat.entry, seat.due, clock(), explained, step.text)

    def recover(self, seat: Seat, explained: ClientError) -> None:
        """End the transaction of a failed request, prepare anew what went stale, notice a lost connection."""
        client = seat.client
        if not explained.lost:
            try:
                client.reset()
                prepared = seat.prepared[seat.entry]
                if client.must_prepare_again(explained) or isinstance(prepared[seat.step], ClientError):
                    prepared[seat.step] = prepare_one(client, self.scripts[seat.entry].steps[seat.step])
            except Exception as error:  # `explain` raises again what is not the driver's
                explained = client.explain(error)
        if explained.lost:
            seat.is_lost, self.trouble = True, explained
            client.close()
        seat.entry = -1

    def reopen_lost(self) -> list[Seat]:
        """Try to bring one lost client back, not too often; return it if it came."""
        lost = [seat for seat in self.seats if seat.is_lost]
        now = clock()
        self.dead_since = (self.dead_since or now) if len(lost) == len(self.seats) else None
        if not lost or now < self._reopen_at:
            return []
        self._reopen_at = now + (_REOPEN_SECONDS if self.dead_since else 0.02)
        try:
            client = self._open_anew()
        except MigkitError as error:
            self.trouble = ClientError(type(error).__name__, str(error), lost=True)
            return []
        seat = lost[0]
        seat.client, seat.is_lost = client, False
        seat.prepared = [[prepare_one(client, step) for step in script.steps] for script in self.scripts]
        return [seat]


def _picks(entries: Sequence[Entry], place: Place) -> Iterator[int]:
    chance = np.random.default_rng((place.seed, place.worker, 1 << 21))
    weights = np.array([entry.weight for entry in entries])
    limits = np.cumsum(weights / weights.sum())
    while True:
        # Rounding may leave the last limit a little below 1.
        yield from np.minimum(np.searchsorted(limits, chance.random(256)), len(entries) - 1).tolist()
