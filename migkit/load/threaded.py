"""Clients that have a thread each, because their driver does not return before the answer is there."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from migkit.dialects.workloads import ClientError
from migkit.load.generator import UNFINISHED, Generator, clock
from migkit.load.recording import Batch
from migkit.load.seats import Seat

_LOOK_SECONDS = 0.05
_SHORT_SECONDS = 0.002
_JOIN_SECONDS = 10.0


class ThreadedGenerator(Generator):
    """One thread per client."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._raised: list[BaseException] = []

    def turn(self, until: float) -> None:
        """Let the threads work until a moment of the clock; what went wrong in one is raised here."""
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._work, args=(seat,), name="migkit-client", daemon=True)
                for seat in self.seats
            ]
            for thread in self._threads:
                thread.start()
        self._stop.wait(max(0.0, until - clock()))
        if self._raised:
            raise self._raised[0]

    def _work(self, seat: Seat) -> None:
        try:
            while not self._stop.is_set():
                values = self._await_request(seat)
                if values is None:
                    return
                self._execute(seat, values)
        except BaseException as error:  # raised again by the thread that coordinates
            self._raised.append(error)
            self._stop.set()

    def _await_request(self, seat: Seat) -> Mapping[str, Any] | Sequence[Any] | None:
        """Take a request off the schedule, and wait until it is due; return its values."""
        with self._lock:
            due = (self.take() if self.next_due <= self.end else math.inf) if self.is_open_loop else clock()
            number = self.pick()
            script = self.scripts[number]
            values = script.several() if script.single is None else script.single()
        while due <= self.end and (wait := due - clock()) > 0:
            if wait <= _SHORT_SECONDS:
                time.sleep(wait)
            elif self._stop.wait(min(wait, _LOOK_SECONDS)):
                return None
        if due > self.end:
            return None
        seat.due, seat.step, seat.entry = due, 0, number
        return values

    def _execute(self, seat: Seat, values: Mapping[str, Any] | Sequence[Any]) -> None:
        number = seat.entry
        script = self.scripts[number]
        for seat.step, _ in enumerate(script.steps):
            prepared = seat.prepared[number][seat.step]
            if isinstance(prepared, ClientError):
                self._fail(seat, prepared)
                return
            handle, names = prepared
            try:
                seat.client.run(handle, [values[name] for name in names] if isinstance(values, Mapping) else values)
            except Exception as error:
                self._fail(seat, seat.client.explain(error))
                return
        now = clock()
        with self._lock:
            if not seat.is_lost:
                self.recorder.record((number, seat.due, now))
        seat.entry = -1

    def flush(self, waiting: int) -> Batch:
        """Return what was recorded since the last time."""
        with self._lock:
            return self.recorder.flush(waiting)

    def _fail(self, seat: Seat, error: ClientError) -> None:
        with self._lock:
            if seat.is_lost:  # it was counted when it was given up
                return
            self.count_failure(seat, error)
            self.recover(seat, error)

    def waiting(self, now: float) -> int:
        """Return how many requests are due and not answered."""
        return self.backlog(now) + sum(seat.entry >= 0 for seat in self.seats)

    def finish(self, end: float, grace: float) -> None:
        """Wait for answers, interrupt the rest, close every connection."""
        self.end = end
        until = end + grace
        for thread in self._threads:
            thread.join(max(0.0, until - clock()))
        self._stop.set()
        with self._lock:
            for seat in self.seats:
                if seat.entry >= 0:
                    self.count_failure(seat, UNFINISHED)
                    seat.is_lost = True
                    seat.client.cancel()
        until = clock() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - clock()))
        self.give_up_unsent(end)
        for seat in self.seats:
            seat.client.close()
