"""``rehearse()``: the main path on a clone: up, capture, compare, validate, down, compare, up again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL

from migkit import frames
from migkit.clone.scratch import clone
from migkit.database import Database
from migkit.dialects.base import Row
from migkit.display.units import duration
from migkit.errors import MigkitError
from migkit.findings import Finding, to_frame
from migkit.load.canary import Seen
from migkit.load.results import LoadResult
from migkit.migration.half_applied import OnlyAPersonCanDecide
from migkit.migration.migration import Direction, Migration
from migkit.migration.results import Run, RunInterrupted
from migkit.migration.runner import run
from migkit.progress import SILENT, Progress
from migkit.redaction import redact
from migkit.state.capture import capture
from migkit.state.comparison import Comparison, compare
from migkit.state.snapshot import State
from migkit.stopping import check
from migkit.workflow.algorithms import find_algorithms, with_algorithms
from migkit.workflow.company import Company, company
from migkit.workflow.evidence_folder import begin_evidence, folder_name, git_state, versions
from migkit.workflow.judgement import NO_LIMITS, RUN_STEPS, judge_rehearsal
from migkit.workflow.limits import Limits
from migkit.workflow.promise import Promise, learn_promise
from migkit.workflow.proof import needs_proof, prove_rows
from migkit.workflow.rehearsal import Rehearsal, Status, Step
from migkit.workflow.rehearsal_evidence import finish_rehearsal
from migkit.workflow.touched import feels_locks, touched_tables
from migkit.workflow.under_load import Load
from migkit.workflow.validation import Validation, validate_state

Result = TypeVar("Result")

_ALWAYS_UNCHECKED: tuple[tuple[str, str], ...] = (
    ("waiting and lock queues under production load", "nobody worked on the clone but, where there were any, canaries"),
    ("durations on production hardware", "the clone runs on this machine, freshly loaded and without bloat"),
)


def rehearse(
    migration: Migration,
    db: Database,
    *,
    into: str | URL | Database | None = None,
    require_down: bool = False,
    timeout: float | None = None,
    lock_timeout: float | None = None,
    reports: Path | None = None,
    limits: Limits = NO_LIMITS,
    canaries: bool = True,
    long_reader: float | None = None,
    load: Load | None = None,
    progress: Progress = SILENT,
) -> Rehearsal:
    """Prove a migration on a clone: what it changes, what it locks, and whether the way back restores everything.

    Parameters
    ----------
    migration : Migration
        The migration.
    db : Database
        The database to clone; only read.
    into, require_down, timeout, lock_timeout, canaries, long_reader
        As for :func:`migkit.rehearse`; times in seconds.
    reports : Path, optional
        The archive to put an evidence folder into; by default nothing is archived.
    limits : Limits
        What the migration may do to others at the most.
    load : Load, optional
        What shall ask a second clone while the migration goes up there.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Rehearsal
        The whole proof. A migration that fails gives a failed rehearsal, not an exception.
    """
    asked = (limits, canaries, long_reader, load)
    trial = _Trial(migration, db, into, require_down, timeout, lock_timeout, progress, *asked)
    if reports is not None:
        name = folder_name(migration.name, "rehearsal", trial.started_at)
        trial.evidence = begin_evidence(reports, name, trial.head())
    try:
        trial.go()
    except BaseException as error:
        trial.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
        trial.error = redact(str(error) or type(error).__name__)
        # Evidence that cannot be finished goes on saying "running", which is not passed; what went wrong first counts.
        with suppress(MigkitError):
            finish_rehearsal(trial.result())
        if isinstance(error, MigkitError):
            error.evidence = trial.evidence
        raise
    rehearsal = trial.result()
    finish_rehearsal(rehearsal)
    return rehearsal


class _StopError(Exception):
    """A step failed for which the migration is to blame; what comes after it cannot be done."""


@dataclass
class _Trial:
    """The rehearsal while it goes on; :meth:`result` freezes it at any moment."""

    migration: Migration
    source: Database
    into: str | URL | Database | None
    require_down: bool
    timeout: float | None
    lock_timeout: float | None
    progress: Progress
    limits: Limits
    canaries: bool
    long_reader: float | None
    load: Load | None
    status: Status = "running"
    error: str | None = None
    evidence: Path | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _clock: float = field(default_factory=time.perf_counter)
    steps: list[Step] = field(default_factory=list)
    clone: dict[str, Any] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    comparison: Comparison | None = None
    rollback: Comparison | None = None
    validation: Validation | None = None
    unproven: list[Row] = field(default_factory=list)
    company: Company | None = None
    loaded: LoadResult | None = None
    unseen: list[dict[str, str]] = field(default_factory=list)

    def head(self) -> dict[str, Any]:
        """What is known before anything starts."""
        return {
            "kind": "rehearsal",
            "started_at": self.started_at.isoformat(),
            "migration": self._migration(),
            "database": self._database(),
        }

    def go(self) -> None:
        """Do every step; stop at the first that leaves nothing to go on with."""
        began = time.perf_counter()
        with self._step("Clone", lambda: clone(self.source, into=self.into, progress=self.progress)) as copy:
            self.clone = {"server": copy.server, "seconds": time.perf_counter() - began}
            try:
                self._prove(copy)
            except _StopError as reason:
                self.error = str(reason) or None
        if self.load is not None and not self._errors():
            self.loaded = self._step("Ran up under load, on a second clone", partial(self._put_load, self.load))
        self.status = "failed" if self._errors() else "passed"

    def _prove(self, copy: Database) -> None:
        self.migration.prepare(copy)
        self._capture("before", "Captured before", copy)
        promise = self._learn(copy)
        algorithms = self._find_algorithms(copy, promise)
        try:
            self._run_up(copy, promise)
        except _StopError:
            self._take_back_half(copy)
            raise
        finally:
            self._note_algorithms(algorithms)
        self._capture("after", "Captured after", copy)
        self.comparison = self._compare(
            "after",
            "after with before",
            copy,
            allow=self.migration.metadata.allow,
            bookkeeping=self.migration.bookkeeping_tables,
        )
        self.validation = self._step("Validated", lambda: self._validate(promise))
        if not self.migration.has_down:
            self.steps.append(Step("Roll back", "skipped", 0.0, "the migration has no way down"))
            self.progress.note("·", "No way down: nothing to roll back")
            return
        self._run("down", "down", copy)
        self._capture("rolled_back", "Captured after rolling back", copy)
        self.rollback = self._compare("rolled_back", "rolled back with before", copy)
        self._run("again", "up", copy)

    def _run_up(self, copy: Database, promise: Promise) -> None:
        """Run the way up in the company of canaries, which see what others would go through."""
        alone = None if self.canaries else "canaries were not asked for"
        if self.canaries and feels_locks(self.migration, promise):
            alone = "the migration says NOWAIT or SKIP LOCKED, and would do otherwise because of them"
        tables = touched_tables(self.migration, promise, self.states["before"])
        seen = Seen()
        try:
            with company(copy, tables, seen, alone=alone, reader_seconds=self.long_reader):
                self._run("up", "up", copy)
        finally:
            self.company = Company.of(seen, self.long_reader)
            self.unseen = seen.unchecked

    def _put_load(self, load: Load) -> LoadResult:
        return load.put_on(self.migration, self.source, into=self.into, limits=self.limits, progress=self.progress)

    def _take_back_half(self, copy: Database) -> None:
        """Try the way back from where a failed way up stopped, on engines that do not roll it back themselves."""
        if self.runs["up"].standing and self.migration.has_down:
            self._run("down", "down", copy)
            self._capture("rolled_back", "Captured after rolling back", copy)
            self.rollback = self._compare("rolled_back", "rolled back with before", copy)

    def _find_algorithms(self, copy: Database, promise: Promise) -> dict[str, str]:
        if not copy.dialect.algorithms:
            return {}
        return self._step("Found the algorithms", lambda: find_algorithms(self.migration, copy, promise.run))

    def _note_algorithms(self, algorithms: Mapping[str, str]) -> None:
        if "up" in self.runs:
            self.runs["up"] = with_algorithms(self.runs["up"], algorithms)

    def _validate(self, promise: Promise) -> Validation:
        return validate_state(self.migration, promise, self.states["before"], self.states["after"])

    def _learn(self, copy: Database) -> Promise:
        def learn() -> Promise:
            return learn_promise(self.migration, copy, timeout=self.timeout, lock_timeout=self.lock_timeout)

        self.progress.begin("Learning what the migration promises, on an empty copy")
        return self._step("Learned the promise", learn)

    def _capture(self, name: str, words: str, copy: Database) -> None:
        like = self.states.get("before")
        self.states[name] = self._step(words, lambda: capture(copy, like=like, progress=self.progress))

    def _compare(self, name: str, words: str, copy: Database, **declared: Any) -> Comparison:
        before, after = self.states["before"], self.states[name]
        comparison = self._step(f"Compared {words}", lambda: compare(before, after, **declared))
        if not needs_proof(comparison):
            return comparison
        proof = self._step("Compared rows one by one", lambda: prove_rows(comparison, before, self.source, copy))
        self.unproven += proof.unchecked
        return compare(before, after, proven=proof.proven, **declared)

    def _run(self, name: str, direction: Direction, copy: Database) -> None:
        def execute() -> Run:
            return run(
                self.migration,
                copy,
                direction=direction,
                timeout=self.timeout,
                lock_timeout=self.lock_timeout,
                progress=self.progress,
                confined=True,
            )

        words = RUN_STEPS[name]
        self.progress.begin(f"Running {self.migration.name} {direction}")
        began = time.perf_counter()
        try:
            result = self.runs[name] = execute()
        except RunInterrupted as interrupted:
            self.runs[name] = interrupted.run
            raise
        except OnlyAPersonCanDecide as undecided:
            self._done(Step(words, "failed", time.perf_counter() - began, str(undecided)))
            raise _StopError from undecided
        self._done(
            Step(words, "done" if result.succeeded else "failed", time.perf_counter() - began, result.error or "")
        )
        if not result.succeeded:
            raise _StopError

    def _step(self, name: str, work: Callable[[], Result]) -> Result:
        began = time.perf_counter()
        try:
            check()
            result = work()
        except BaseException as error:
            self.steps.append(Step(name, "failed", time.perf_counter() - began, redact(str(error))))
            raise
        self._done(Step(name, "done", time.perf_counter() - began))
        return result

    def _done(self, step: Step) -> None:
        self.steps.append(step)
        self.progress.note("✓" if step.status == "done" else "✗", f"{step.name} ({duration(step.seconds)})")

    def _errors(self) -> bool:
        return any(finding.severity == "error" for finding in self._findings())

    def _findings(self) -> list[Finding]:
        return judge_rehearsal(
            has_down=self.migration.has_down,
            require_down=self.require_down,
            runs=self.runs,
            comparison=self.comparison,
            rollback=self.rollback,
            validation=self.validation,
            steps=self.steps,
            company=self.company,
            limits=self.limits,
            load=self.loaded,
        )

    def result(self) -> Rehearsal:
        """Freeze what there is."""
        return Rehearsal(
            status=self.status,
            migration=self._migration(),
            database=self._database(),
            clone=self.clone,
            versions=versions(),
            git=git_state(self.migration.path),
            started_at=self.started_at,
            seconds=time.perf_counter() - self._clock,
            steps=tuple(self.steps),
            findings=to_frame(self._findings()),
            unchecked=frames.UNCHECKED.build(self._unchecked()),
            before=self.states.get("before"),
            after=self.states.get("after"),
            rolled_back=self.states.get("rolled_back"),
            up=self.runs.get("up"),
            down=self.runs.get("down"),
            again=self.runs.get("again"),
            comparison=self.comparison,
            rollback=self.rollback,
            validation=self.validation,
            company=self.company,
            limits=self.limits,
            load=self.loaded,
            error=self.error,
            evidence=self.evidence,
        )

    def _unchecked(self) -> list[Row]:
        rows: dict[tuple[str, str], Row] = {}
        sources = [
            *(frames.UNCHECKED.rows(one.unchecked) for one in (self.comparison, self.rollback) if one is not None),
            *(frames.UNCHECKED.rows(one.unchecked) for one in self.runs.values()),
            self.unproven,
            self.unseen,
            [{"what": what, "why": why} for what, why in (*self.source.dialect.outside_database, *_ALWAYS_UNCHECKED)],
        ]
        if self.loaded is None:
            why = "no workload was given" if self.load is None else "the migration had failed before"
            sources.append([{"what": "the application's queries against the new schema", "why": why}])
        for source in sources:
            for row in source:
                rows.setdefault((row["what"], row["why"]), row)
        return list(rows.values())

    def _migration(self) -> dict[str, Any]:
        metadata = self.migration.metadata
        return {
            "name": self.migration.name,
            "kind": self.migration.kind,
            "version": metadata.version,
            "description": metadata.description,
            "author": metadata.author,
            "risk": metadata.risk,
            "estimated_duration": metadata.estimated_duration,
            "allow": list(metadata.allow),
            "bookkeeping": list(self.migration.bookkeeping_tables),
            "checksum": self.migration.checksum,
            "path": self.migration.path.name,
            "source": redact(self.migration.source),
            "has_down": self.migration.has_down,
        }

    def _database(self) -> dict[str, Any]:
        return {
            "name": self.source.name,
            "url": self.source.url,
            "engine": self.source.dialect.label,
            "server": self.source.server,
        }
