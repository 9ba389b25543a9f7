"""All workers of a load test: processes of our own, or tasks of somebody's executor."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO, cast

from migkit.errors import ConnectionFailed, MigkitError
from migkit.load.messages import Begin, Broken, End, Finished, Ready, receive, send
from migkit.load.recording import Batch
from migkit.load.worker import Task, divided, run_slice, try_out

START_SECONDS = 60.0
LEAD_SECONDS = 0.3
_END_SECONDS = 30.0
_ROUND_SECONDS = 4.0
_ROUND_LEAD_SECONDS = 1.5
_MOST_ROUNDS = 4096


class Crew(ABC):
    """The workers, as one."""

    sessions: tuple[int, ...] = ()

    @abstractmethod
    def begin(self, warm_up: float) -> float:
        """Let the load begin; return the epoch: when it counts, in seconds of :func:`time.time`."""

    @abstractmethod
    def batches(self, seconds: float) -> list[Batch]:
        """Return what came in, waiting for something as long as that at the most.

        Raises
        ------
        MigkitError
            If a worker cannot go on.
        """

    @abstractmethod
    def end(self) -> list[Batch]:
        """End the load, close every connection, and return what else there is."""

    @abstractmethod
    def close(self) -> None:
        """Make sure that nothing of it is left, whatever happened."""


class ProcessCrew(Crew):
    """Workers in processes of our own.

    Parameters
    ----------
    task : Task
        What all of them are to do together.
    processes : int
        How many.
    """

    def __init__(self, task: Task, processes: int) -> None:
        self._workers: list[subprocess.Popen[bytes]] = []
        self._inbox: queue.Queue[tuple[int, object]] = queue.Queue()
        self._listeners: list[threading.Thread] = []
        self._open: set[int] = set()
        try:
            for number, part in enumerate(divided(task, processes)):
                self._start(number, part)
            self.sessions = tuple(number for ready in self._all_ready() for number in ready.sessions)
        except BaseException:
            self.close()
            raise

    def _start(self, number: int, task: Task) -> None:
        # A session of its own: Ctrl-C in the terminal reaches the coordinator alone, which ends the workers in order.
        worker = subprocess.Popen(
            [sys.executable, "-m", "migkit.load.worker_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._workers.append(worker)
        self._open.add(number)
        listener = threading.Thread(target=self._listen, args=(number, worker.stdout), name="migkit-load", daemon=True)
        listener.start()
        self._listeners.append(listener)
        self._tell(worker, task)

    def _listen(self, number: int, stream: BinaryIO) -> None:
        while (message := receive(stream)) is not None:
            self._inbox.put((number, message))
        self._inbox.put((number, None))

    def _tell(self, worker: subprocess.Popen[bytes], message: Task | Begin | End) -> None:
        # One that is gone is noticed where it is listened to.
        with suppress(BrokenPipeError):
            send(cast(BinaryIO, worker.stdin), message)

    def _all_ready(self) -> list[Ready]:
        ready: dict[int, Ready] = {}
        deadline = time.monotonic() + START_SECONDS
        while len(ready) < len(self._workers):
            try:
                number, message = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise ConnectionFailed(f"The clients were not connected within {START_SECONDS:g} s") from None
            if isinstance(message, Ready):
                ready[number] = message
            else:
                _raise_for(message)
        return [ready[number] for number in sorted(ready)]

    def begin(self, warm_up: float) -> float:
        """Let the load begin."""
        at = time.time() + LEAD_SECONDS
        for worker in self._workers:
            self._tell(worker, Begin(at + warm_up, at))
        return at + warm_up

    def batches(self, seconds: float) -> list[Batch]:
        """Return what came in."""
        found: list[Batch] = []
        with suppress(queue.Empty):
            self._take(self._inbox.get(timeout=seconds), found)
            while True:
                self._take(self._inbox.get_nowait(), found)
        return found

    def _take(self, received: tuple[int, object], found: list[Batch]) -> None:
        number, message = received
        if isinstance(message, Batch):
            found.append(message)
        elif isinstance(message, Finished):
            self._open.discard(number)
        elif message is not None or number in self._open:
            self._open.discard(number)
            _raise_for(message)

    def end(self) -> list[Batch]:
        """End the load."""
        at = time.time()
        for worker in self._workers:
            self._tell(worker, End(at))
        found: list[Batch] = []
        deadline = time.monotonic() + _END_SECONDS
        while self._open and time.monotonic() < deadline:
            with suppress(queue.Empty):
                self._take(self._inbox.get(timeout=0.1), found)
        missing = len(self._open)
        self.close()
        if missing:
            # What it had counted last is lost with it, errors among it perhaps.
            raise MigkitError(f"{missing} of {len(self._workers)} workers did not end within {_END_SECONDS:g} s")
        return found

    def close(self) -> None:
        """Close the pipes, at which the workers end; who does not is killed."""
        for worker in self._workers:
            with suppress(BrokenPipeError):
                cast(BinaryIO, worker.stdin).close()
        for worker in self._workers:
            try:
                worker.wait(_END_SECONDS / 3)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        for worker, listener in zip(self._workers, self._listeners, strict=True):
            listener.join()
            cast(BinaryIO, worker.stdout).close()


def _raise_for(message: object) -> None:
    if isinstance(message, Broken):
        raise ConnectionFailed(message.what, where=message.where, next_step=message.next_step)
    raise MigkitError("A worker of the load test died", next_step="See the standard error stream for why.")


class ExecutorCrew(Crew):
    """Workers as tasks of an executor; each task is a stretch of time, so that a lost one costs no more than that.

    Parameters
    ----------
    task : Task
        What all of them are to do together.
    executor : Executor
        Where to do it: ``Client.get_executor()`` of Dask, say. While one round of tasks works, the next connects, so it
        has to hold twice as many as there are workers.
    workers : int
        How many tasks share the clients at a time.
    """

    def __init__(self, task: Task, executor: Executor, workers: int) -> None:
        self._task, self._executor = task, executor
        self._count = workers
        self._running: list[tuple[float, Future[list[Batch]]]] = []
        self._epoch = 0.0
        self._round = 0
        self._round_ends = 0.0
        # Whoever has not imported this program yet does so now.
        for trial in [executor.submit(try_out, part) for part in divided(task, workers)]:
            _answer(trial)

    def begin(self, warm_up: float) -> float:
        """Let the load begin."""
        self._round_ends = time.time() + LEAD_SECONDS + _ROUND_LEAD_SECONDS
        self._epoch = self._round_ends + warm_up
        self._next_round()
        return self._epoch

    def _next_round(self) -> None:
        begin, end = self._round_ends, self._round_ends + _ROUND_SECONDS
        for part in divided(self._task, self._count):
            # Nobody counts from where another round did.
            number = part.place.worker + self._count * self._round
            work = replace(part, place=replace(part.place, worker=number, workers=self._count * _MOST_ROUNDS))
            self._running.append((begin, self._executor.submit(run_slice, work, self._epoch, begin, end)))
        self._round += 1
        self._round_ends = end

    def batches(self, seconds: float) -> list[Batch]:
        """Return what came in, and submit the next stretch in time."""
        deadline = time.monotonic() + seconds
        while not any(future.done() for _, future in self._running) and time.monotonic() < deadline:
            time.sleep(min(0.02, seconds))
        if time.time() > self._round_ends - _ROUND_LEAD_SECONDS:
            self._round_ends = max(self._round_ends, time.time())
            self._next_round()
        return self._collect([pair for pair in self._running if pair[1].done()])

    def _collect(self, done: list[tuple[float, Future[list[Batch]]]]) -> list[Batch]:
        self._running = [pair for pair in self._running if pair not in done]
        return [batch for _, future in done for batch in _answer(future)]

    def end(self) -> list[Batch]:
        """Take back the stretches that wait for a worker, and wait for the others.

        One whose time has not come is connected already, perhaps. Which ones are, executors of the standard library
        know; others (Dask) call off what goes on all the same.
        """
        if isinstance(self._executor, ThreadPoolExecutor | ProcessPoolExecutor):
            now = time.time()
            self._running = [(begin, future) for begin, future in self._running if begin <= now or not future.cancel()]
        wait([future for _, future in self._running])
        return self._collect(self._running)

    def close(self) -> None:
        """Take back what was not begun."""
        for _, future in self._running:
            future.cancel()


def _answer(future: Future[Any]) -> Any:
    """Return what a task came to, or say why there is nothing."""
    try:
        return future.result()
    except MigkitError:
        raise
    except Exception as error:  # of whatever class the executor has for a worker that died
        raise MigkitError(f"A task of the load test was lost: {type(error).__name__}: {error}") from error


def default_processes(clients: int) -> int:
    """Return how many processes generate load: half the processors, the server needs the others."""
    return max(1, min(clients, (os.cpu_count() or 2) // 2))


def crew_for(task: Task, executor: Executor | None, processes: int | None) -> Crew:
    """Return the workers for a task."""
    count = processes or default_processes(task.clients)
    return ProcessCrew(task, count) if executor is None else ExecutorCrew(task, executor, count)
