"""Clients that share one thread: whoever's answer came is served, and nobody waits."""

from __future__ import annotations

import select
import selectors
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from migkit.dialects.workloads import ClientError, PolledClient
from migkit.load.generator import UNFINISHED, Generator, clock
from migkit.load.seats import Seat

_CANCEL_SECONDS = 2.0
_FEW = 64
_SELECTABLE = 1024


class Poller:
    """Says which clients' sockets have something to read, waiting for fractions of a millisecond where need be."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._fileno = self._selector.fileno() if hasattr(self._selector, "fileno") else None
        self._seats: dict[int, Seat] = {}
        self._numbers: list[int] = []
        self._are_few = True

    def add(self, seat: Seat, fileno: int) -> None:
        """Watch a client."""
        self._selector.register(fileno, selectors.EVENT_READ, seat)
        self._seats[fileno] = seat
        self._count()

    def remove(self, fileno: int) -> None:
        """Watch a client no longer."""
        self._selector.unregister(fileno)
        del self._seats[fileno]
        self._count()

    def _count(self) -> None:
        self._numbers = list(self._seats)
        self._are_few = len(self._numbers) <= _FEW and max(self._numbers, default=0) < _SELECTABLE

    def ready(self, seconds: float) -> list[Seat]:
        """Return the clients that have something to read, waiting `seconds` at the most."""
        if self._are_few:
            # Of few descriptors the oldest call is the quickest.
            found, _, _ = select.select(self._numbers, (), (), max(seconds, 0.0))
            return [self._seats[number] for number in found]
        if self._fileno is not None and seconds > 0:
            # epoll counts whole milliseconds; select does not, and one descriptor costs it nothing.
            select.select([self._fileno], (), (), seconds)
            seconds = 0
        return [key.data for key, _ in self._selector.select(max(seconds, 0))]

    def close(self) -> None:
        """Release the poller."""
        self._selector.close()


class PolledGenerator(Generator):
    """Many clients in one thread."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._poller = Poller()
        self._numbers: dict[Seat, int] = {}
        self._gone: dict[Seat, ClientError] = {}
        self._idle: list[Seat] = []
        for seat in self.seats:
            self._welcome(seat)

    def _welcome(self, seat: Seat) -> None:
        number = cast(PolledClient, seat.client).fileno()
        self._numbers[seat] = number
        self._poller.add(seat, number)
        self._idle.append(seat)

    def turn(self, until: float) -> None:
        """Generate load until a moment of the clock."""
        for seat in self.reopen_lost():
            self._welcome(seat)
        idle, ready, serve = self._idle, self._poller.ready, self._serve
        while True:
            now = clock()
            if now >= until:
                return
            if not self.is_open_loop:
                # Each once: who fails before anything is sent is idle again, and must not keep the others waiting.
                for _ in range(len(idle)):
                    self._send_first(idle.pop(0), now)
            else:
                while idle and self.is_due(now):
                    self._send_first(idle.pop(), self.take())
            # A client that becomes free takes what is due by itself: only free clients wait for the schedule.
            wake = until if not idle else min(until, self.next_due) if self.is_open_loop else now
            for seat in ready(wake - clock()):
                serve(seat)

    def _serve(self, seat: Seat) -> None:
        if seat.entry < 0:
            self._look_after_idle(seat)
            return
        try:
            if not seat.client.receive():  # type: ignore[attr-defined]  # they are PolledClients
                return
        except Exception as error:
            self._fail(seat, error)
            return
        script = self.scripts[seat.entry]
        if seat.step + 1 < len(script.steps):
            seat.step += 1
            self._send_step(seat)
            return
        now = clock()
        self.recorder.record((seat.entry, seat.due, now))
        self._next(seat, now)

    def _look_after_idle(self, seat: Seat) -> None:
        """Read what the server says unasked: a notice, or goodbye."""
        try:
            seat.client.receive()  # type: ignore[attr-defined]
        except Exception as error:
            self.trouble = replace(seat.client.explain(error), lost=True)
            # It stays where it is: an application, too, notices by the next request, which fails.
            self._gone[seat] = self.trouble
            self._poller.remove(self._numbers.pop(seat))

    def _next(self, seat: Seat, now: float) -> None:
        if self.is_due(now):
            self._send_first(seat, self.take())
        elif not self.is_open_loop and now < self.end:
            self._send_first(seat, now)
        else:
            seat.entry = -1
            self._idle.append(seat)

    def _send_first(self, seat: Seat, due: float) -> None:
        number = self.pick()
        script = self.scripts[number]
        seat.entry, seat.step, seat.due = number, 0, due
        if seat in self._gone:
            self._unprepared(seat, self._gone.pop(seat))
            return
        if script.single is None:
            seat.values = script.several()
            self._send_step(seat)
            return
        prepared = seat.prepared[number][0]
        if isinstance(prepared, ClientError):
            self._unprepared(seat, prepared)
            return
        try:
            seat.client.send(prepared[0], script.single())  # type: ignore[attr-defined]
        except Exception as error:
            self._fail(seat, error)

    def _send_step(self, seat: Seat) -> None:
        prepared = seat.prepared[seat.entry][seat.step]
        if isinstance(prepared, ClientError):
            self._unprepared(seat, prepared)
            return
        handle, names = prepared
        try:
            seat.client.send(handle, [seat.values[name] for name in names])  # type: ignore[attr-defined]
        except Exception as error:
            self._fail(seat, error)

    def _unprepared(self, seat: Seat, error: ClientError) -> None:
        """Count a request that could not even be sent; the schema may have changed again since."""
        self.count_failure(seat, error)
        self.recover(seat, error)
        self._after_failure(seat)

    def _fail(self, seat: Seat, error: Exception) -> None:
        self.failed(seat, error)
        self._after_failure(seat)

    def _after_failure(self, seat: Seat) -> None:
        if seat.is_lost:
            if seat in self._numbers:
                self._poller.remove(self._numbers.pop(seat))
        else:
            # Not at once: a statement that always fails must not keep everybody else from being served.
            self._idle.append(seat)

    def waiting(self, now: float) -> int:
        """Return how many requests are due and not answered."""
        return self.backlog(now) + sum(seat.entry >= 0 for seat in self.seats)

    def finish(self, end: float, grace: float) -> None:
        """Serve what was due, wait for answers, cancel the rest."""
        self.end = end
        self._wait_for_answers(end + grace)
        unfinished = self._busy()
        for seat in unfinished:
            self.count_failure(seat, UNFINISHED)
            seat.client.cancel()
        self._forget(unfinished)
        self.give_up_unsent(end)
        for seat in self.seats:
            if not seat.is_lost:
                seat.client.close()
        self._poller.close()

    def _busy(self) -> list[Seat]:
        return [seat for seat in self.seats if seat.entry >= 0 and not seat.is_lost]

    def _wait_for_answers(self, until: float) -> None:
        while clock() < until and (self._busy() or (self.is_due(until) and self._idle)):
            while self._idle and self.is_due(clock()):
                self._send_first(self._idle.pop(), self.take())
            for seat in self._poller.ready(min(0.002, until - clock())):
                if seat.entry >= 0:
                    self._serve(seat)

    def _forget(self, seats: Sequence[Seat]) -> None:
        """Wait until cancelled statements have ended, so that the server holds nothing of them any more."""
        until = clock() + _CANCEL_SECONDS
        for seat in seats:
            seat.step = len(self.scripts[seat.entry].steps)  # nothing is sent after it
        while self._busy() and clock() < until:
            for seat in self._poller.ready(0.05):
                try:
                    done = seat.client.receive()  # type: ignore[attr-defined]
                except Exception as error:
                    seat.is_lost = seat.client.explain(error).lost
                    done = True
                if done:
                    seat.entry = -1
