"""``load_test()``: the application's queries before, while and after a migration runs, and when it is taken back."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from migkit.database import Database
from migkit.errors import MigkitError
from migkit.load.crew import Crew, ProcessCrew, crew_for, default_processes
from migkit.load.histogram import require_histograms
from migkit.load.long_reader import Table, long_reader
from migkit.load.parameters import Place
from migkit.load.phases import AFTER, BASELINE, DURING, ROLLBACK, ROLLED_BACK
from migkit.load.plan import LoadPlan
from migkit.load.recording import CELL_SECONDS
from migkit.load.results import LoadInterrupted, LoadResult, Status
from migkit.load.tally import Tally
from migkit.load.worker import Task
from migkit.load.workload import Workload
from migkit.migration.migration import Direction, Migration
from migkit.migration.results import Run
from migkit.progress import SILENT, Progress, tell
from migkit.stopping import is_stopped
from migkit.workflow.limits import Limits
from migkit.workflow.load_migrating import Migrating, tries
from migkit.workflow.load_outcome import Outcome, freeze

_CALIBRATION_SECONDS = 2.0
_SHARE_OF_CAPACITY = 0.5
_LATE_SECONDS = 1.3


def load_test(
    db: Database,
    workload: Workload,
    migration: Migration | None,
    plan: LoadPlan,
    *,
    tables: Sequence[Table] = (),
    limits: Limits | None = None,
    read_only: bool = False,
    confined: bool = False,
    progress: Progress = SILENT,
    stop: threading.Event | None = None,
) -> LoadResult:
    """Measure a workload before, while and after a migration runs.

    Parameters
    ----------
    db : Database
        The database that takes the load and the migration.
    workload : Workload
        What to ask of it, :func:`~migkit.load.sampling.resolved`.
    migration : Migration or None
        What to run meanwhile.
    plan : LoadPlan
        How.
    tables : sequence of (schema, table)
        What a long reader reads.
    limits : Limits, optional
        What the workload has to put up with at the most.
    read_only : bool
        Have the server refuse the workload's writes.
    confined : bool
        Send nothing of the migration that reaches beyond the database.
    progress : Progress
        Told of every phase and second.
    stop : threading.Event, optional
        Set by another thread to end the test early.

    Returns
    -------
    LoadResult
        What was measured; it did not pass where a migration failed, a rate was not reached, or a server died.

    Raises
    ------
    LoadInterrupted
        On Ctrl-C; carries the result so far.
    MigkitError
        If it could not begin.
    """
    plan.check()
    require_histograms()
    test = _LoadTest(db, workload, migration, plan, tuple(tables), limits or Limits(), read_only, confined, progress)
    test.stop = stop
    with test.heeding_interrupts():
        test.go()
    result = test.result()
    if test.was_interrupted:
        raise LoadInterrupted(result)
    return result


class _EndError(Exception):
    """Somebody wants the load test to end now."""


@dataclass
class _LoadTest:
    """A load test while it goes on; :meth:`result` freezes it at any moment."""

    db: Database
    workload: Workload
    migration: Migration | None
    plan: LoadPlan
    tables: tuple[Table, ...]
    limits: Limits
    read_only: bool
    confined: bool
    progress: Progress
    stop: threading.Event | None = None
    was_interrupted: bool = False
    status: Status | None = None
    error: str | None = None
    runs: list[Run] = field(default_factory=list)
    rollback_run: Run | None = None
    rate: float | None = None
    _tally: Tally | None = None
    _crew: Crew | None = None
    _told: int = -1

    @property
    def tally(self) -> Tally:
        """What was counted."""
        return self._tally or Tally(self.workload.entries, time.time())

    # --- the course of it -------------------------------------------------------------------------------------------

    def go(self) -> None:
        """Do all of it, and close every connection whatever happens."""
        try:
            self.rate = None if self.plan.closed else self.plan.rate or self._calibrate()
            self._crew = self._new_crew(self.rate)
            epoch = self._crew.begin(self.plan.warm_up)
            self._tally = Tally(self.workload.entries, epoch)
            self._measure()
        except _EndError:
            self.status = "interrupted"
        except MigkitError as error:
            if self._tally is None:
                raise
            self.status, self.error = "error", str(error)
        finally:
            self.progress.close()
            self._end_crew()
            if self.was_interrupted:
                # It came too late to cut anything short, but what was interrupted is never green.
                self.status = self.status or "interrupted"

    def _measure(self) -> None:
        self.tally.phases.begin(BASELINE, 0.0)
        self._stage("Warming up", self.plan.warm_up, until=0.0)
        self._stage("Baseline", self.plan.duration, until=self.plan.duration)
        if self.migration is None:
            return
        self.tally.fix_limits(BASELINE)
        self._migrate(DURING, "up")
        self._watch_afterwards(AFTER, "After the migration")
        if self.plan.with_rollback and self.migration.has_down and self.runs[-1].succeeded:
            self._migrate(ROLLBACK, "down")
            self._watch_afterwards(ROLLED_BACK, "After taking it back")

    def _calibrate(self) -> float:
        """Find out how many requests are answered, and ask for half as many: what a server is built for."""
        crew = self._new_crew(None)
        try:
            epoch = crew.begin(_CALIBRATION_SECONDS / 2)
            tally = Tally(self.workload.entries, epoch)
            tally.phases.begin(BASELINE, 0.0)
            self._pump(crew, tally, lambda: time.time() >= epoch + _CALIBRATION_SECONDS, live=False)
            for batch in crew.end():
                tally.add(batch)
        finally:
            crew.close()
        tally.phases.end(_CALIBRATION_SECONDS)
        rate = max(1.0, _SHARE_OF_CAPACITY * tally.answered(BASELINE))
        self.progress.note("·", f"The database answers {2 * rate:,.0f} requests a second; {rate:,.0f}/s are asked for")
        return rate

    def _new_crew(self, rate: float | None) -> Crew:
        plan = self.plan
        place = Place(seed=plan.seed)
        task = Task(self.db.engine.url, self.workload.entries, plan.clients, rate, plan.arrivals, place, self.read_only)
        if plan.executor is None:
            return ProcessCrew(task, plan.processes or default_processes(plan.clients))
        return crew_for(task, plan.executor, plan.processes)

    def _stage(self, label: str, seconds: float, *, until: float) -> None:
        """Let the load go on until a moment, seconds since it began to count."""
        self.progress.begin(label, total=max(1, round(seconds)))
        epoch = self.tally.epoch
        self._pump(self._working_crew, self.tally, lambda: time.time() >= epoch + until)

    def _watch_afterwards(self, phase: str, label: str) -> None:
        now = self._now()
        self.tally.phases.begin(phase, now)
        self._stage(label, self.plan.duration, until=now + self.plan.duration)

    def _now(self) -> float:
        return time.time() - self.tally.epoch

    @property
    def _working_crew(self) -> Crew:
        assert self._crew is not None
        return self._crew

    def _pump(self, crew: Crew, tally: Tally, is_over: Callable[[], bool], *, live: bool = True) -> None:
        while not is_over():
            if self._shall_end():
                raise _EndError
            for batch in crew.batches(0.05):
                tally.add(batch)
            if live:
                self._tell_seconds()

    def _shall_end(self) -> bool:
        return self.was_interrupted or is_stopped() or (self.stop is not None and self.stop.is_set())

    def _tell_seconds(self) -> None:
        """Tell each second once workers had the time to hand it over."""
        while self._told + 1 <= self._now() - _LATE_SECONDS - 1:
            self._told += 1
            tell(self.progress, "load", self.tally.second(self._told))
            self.progress.advance()

    # --- the migration ----------------------------------------------------------------------------------------------

    def _migrate(self, phase: str, direction: Direction) -> None:
        assert self.migration is not None
        words = {"up": "Migrating", "down": "Taking it back"}
        with ExitStack() as stack:
            if self.plan.long_reader and direction == "up":
                stack.enter_context(long_reader(self.db, self.plan.long_reader, self.tables))
            self.progress.begin(f"{words[direction]} under load")
            # Phases begin with a cell: what was over before does not count as during.
            begin = math.ceil((self._now() + 0.02) / CELL_SECONDS) * CELL_SECONDS
            self._pump(self._working_crew, self.tally, lambda: self._now() >= begin - 0.01)
            time.sleep(max(0.0, begin - self._now()))
            self.tally.phases.begin(phase, begin, claims=True)
            work = Migrating(lambda: self._tries(direction))
            try:
                self._pump(self._working_crew, self.tally, work.is_over)
            except BaseException:
                work.stop.press()
                raise
            finally:
                work.join()
                self._keep_runs(work.runs, direction)
        if work.error is not None:
            raise work.error

    def _tries(self, direction: Direction) -> Iterator[Run]:
        assert self.migration is not None
        return tries(self.migration, self.db, self.plan, direction, confined=self.confined, progress=self.progress)

    def _keep_runs(self, runs: Sequence[Run], direction: Direction) -> None:
        if direction == "up":
            self.runs += runs
        elif runs:
            self.rollback_run = runs[-1]

    # --- the end ----------------------------------------------------------------------------------------------------

    def _end_crew(self) -> None:
        crew = self._crew
        if crew is None:
            return
        if self._tally is not None:
            self.tally.phases.end(self._now())
        try:
            for batch in crew.end():
                self.tally.add(batch)
        except MigkitError as error:
            if self.status is None:
                self.status, self.error = "error", str(error)
        finally:
            crew.close()

    @contextmanager
    def heeding_interrupts(self) -> Iterator[None]:
        """Have Ctrl-C end the test in order, instead of raising at whatever line it has come to."""
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(before):
            yield
            return

        def heed(*_: object) -> None:
            self.was_interrupted = True

        signal.signal(signal.SIGINT, heed)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def result(self) -> LoadResult:
        """Freeze what there is."""
        return freeze(
            Outcome(
                self.db,
                self.workload,
                self.migration,
                self.plan,
                self.limits,
                self.tally,
                self.rate,
                tuple(self.runs),
                self.rollback_run,
                self.status,
                self.error,
            )
        )
