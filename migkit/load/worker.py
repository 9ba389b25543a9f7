"""One worker: opens its clients, generates load, and hands over what it saw a few times a second.

It runs in a process of its own (``python -m migkit.load.worker_process``), or as a task of any executor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import URL

from migkit.database import register_secrets
from migkit.dialects import dialect_for
from migkit.dialects.base import Dialect
from migkit.dialects.workloads import LoadClient
from migkit.errors import ConnectionFailed, MigkitError
from migkit.load.arrivals import Arrivals
from migkit.load.generator import Generator, clock
from migkit.load.parameters import Place
from migkit.load.polled import PolledGenerator
from migkit.load.recording import Batch, Recorder
from migkit.load.seats import Script, Seat, prepare_all, scripts_of
from migkit.load.threaded import ThreadedGenerator
from migkit.load.workload import Entry

BATCH_SECONDS = 0.25
_TURN_SECONDS = 0.1
_DEAD_SECONDS = 5.0
_LATE_SECONDS = 1.0


@dataclass(frozen=True)
class Task:
    """What one worker is to do; it is sent to another process, so it holds plain values.

    Attributes
    ----------
    url : sqlalchemy.URL
        The database.
    entries : tuple of Entry
        The workload.
    clients : int
        How many connections.
    rate : float or None
        Requests per second of this worker; ``None``: as fast as answers come.
    arrivals : {"constant", "poisson"}
        How requests are spaced.
    place : Place
        Which worker it is.
    read_only : bool
        Have the server refuse writes.
    grace : float
        Seconds to wait for answers at the end.
    """

    url: URL = field(repr=False)
    entries: tuple[Entry, ...]
    clients: int
    rate: float | None
    arrivals: Arrivals
    place: Place
    read_only: bool = False
    grace: float = 5.0


class Worker:
    """Clients that are connected, and do nothing yet.

    Parameters
    ----------
    task : Task
        What to do.

    Raises
    ------
    ConnectionFailed
        If the server does not let every client in; those that were in are out again.
    """

    def __init__(self, task: Task) -> None:
        register_secrets(task.url)
        self.task = task
        self._dialect: Dialect = dialect_for(task.url)
        self._steps = [[self._dialect.named_sql(step) for step in entry.steps] for entry in task.entries]
        self.seats: list[Seat] = []
        try:
            for _ in range(task.clients):
                self.seats.append(prepare_all(self._open(), self._steps))
            self._scripts = self._new_scripts()
        except BaseException:
            self.close()
            raise

    def _open(self) -> LoadClient:
        return self._dialect.open_load_client(self.task.url, read_only=self.task.read_only)

    @property
    def sessions(self) -> list[int]:
        """The server's numbers of the sessions."""
        return [seat.client.session for seat in self.seats if seat.client.session is not None]

    def close(self) -> None:
        """Close every connection."""
        for seat in self.seats:
            seat.client.close()

    def generate(
        self, epoch: float, begin: float, until: Callable[[], float | None], emit: Callable[[Batch], None]
    ) -> None:
        """Generate load.

        Parameters
        ----------
        epoch : float
            The moment from which seconds count, in seconds of :func:`time.time`.
        begin : float
            When the first request is due, likewise.
        until : callable
            Returns when to end, likewise, as soon as it is known; asked ten times a second.
        emit : callable
            Takes what was seen, a few times a second; has to return at once.

        Raises
        ------
        ConnectionFailed
            If no client had a connection for some seconds; what was seen has been handed over.
        """
        recorder = Recorder(self.task.place.worker, epoch)
        generator = self._generator(recorder)
        start = max(recorder.begin + begin - epoch, clock())
        generator.begin(self.task.rate, self.task.arrivals, start)
        dead = None
        flush_at = start + BATCH_SECONDS
        while dead is None:
            now = clock()
            end = until()
            if end is not None and now >= recorder.begin + end - epoch:
                break
            stop_at = now + _TURN_SECONDS if end is None else min(now + _TURN_SECONDS, recorder.begin + end - epoch)
            generator.turn(max(stop_at, start) if now < start else stop_at)
            if clock() >= flush_at:
                flush_at += BATCH_SECONDS
                emit(generator.flush(generator.waiting(clock())))
            dead = _dead(generator)
        generator.finish(clock(), 0.0 if dead else self.task.grace)
        emit(generator.flush(0))
        if dead is not None:
            raise dead

    def _generator(self, recorder: Recorder) -> Generator:
        kind = PolledGenerator if self._dialect.polls_clients else ThreadedGenerator
        return kind(self.seats, self._scripts, recorder, self.task.place, self._open)

    def _new_scripts(self) -> list[Script]:
        orders = [
            [_order(prepared, step.names) for prepared, step in zip(several, steps, strict=True)]
            for several, steps in zip(self.seats[0].prepared, self._steps, strict=True)
        ]
        entries, place = self.task.entries, self.task.place
        return scripts_of(entries, self._dialect.named_sql, self.seats[0].client, orders, place)


def _order(prepared: object, names: Sequence[str]) -> tuple[str, ...]:
    return prepared[1] if isinstance(prepared, tuple) else tuple(dict.fromkeys(names))


def _dead(generator: Generator) -> MigkitError | None:
    since = generator.dead_since
    if since is None or clock() - since < _DEAD_SECONDS:
        return None
    said = generator.trouble.message if generator.trouble else "every connection was lost"
    return ConnectionFailed(f"No client could reach the server for {_DEAD_SECONDS:g} s: {said}")


def try_out(task: Task) -> tuple[int, ...]:
    """Connect every client of a task and leave again: what can go wrong does so before anything is measured."""
    worker = Worker(task)
    worker.close()
    return tuple(worker.sessions)


def run_slice(task: Task, epoch: float, begin: float, end: float) -> list[Batch]:
    """Generate load for a stretch of time, as a task of an executor; late, it begins when it can.

    Parameters
    ----------
    task : Task
        What to do.
    epoch, begin, end : float
        Moments of :func:`time.time`: from which seconds count, when to begin, when to end. A task that is begun late,
        because an earlier try was lost say, works as long as it would have.
    """
    worker = Worker(task)
    late = max(0.0, time.time() - begin)
    if late > _LATE_SECONDS:
        begin, end = begin + late, end + late
    batches: list[Batch] = []
    worker.generate(epoch, begin, lambda: end, batches.append)
    return batches


def divided(task: Task, workers: int) -> list[Task]:
    """Share out clients and rate among workers, as evenly as may be."""
    shares = [task.clients // workers + (number < task.clients % workers) for number in range(workers)]
    return [
        replace(
            task,
            clients=share,
            rate=None if task.rate is None else task.rate * share / task.clients,
            place=replace(task.place, worker=number, workers=workers),
        )
        for number, share in enumerate(shares)
        if share
    ]
