"""A deploy while it goes on: everything it has done and learned so far, frozen into a result at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from migkit import frames
from migkit.database import Database
from migkit.dialects.base import Row
from migkit.display.units import duration
from migkit.errors import MigkitError
from migkit.migration.migration import Migration
from migkit.migration.results import Run
from migkit.progress import Progress
from migkit.recovery.journal import StepJournal
from migkit.redaction import redact
from migkit.state.comparison import Comparison
from migkit.state.snapshot import State
from migkit.workflow.deployment.options import DeployOptions
from migkit.workflow.deployment.results import Deployment, Status
from migkit.workflow.evidence_folder import git_state, versions
from migkit.workflow.validation import Validation

Result = TypeVar("Result")

RUN = "run"
"""The step in which the migration runs."""


@dataclass
class Record:
    """What a deploy has done so far."""

    migration: Migration
    db: Database
    options: DeployOptions
    progress: Progress
    journal: StepJournal
    evidence: Path
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: Status = "running"
    error: str | None = None
    steps: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)
    smoke_tests: list[Row] = field(default_factory=list)
    metrics: pd.DataFrame = field(default_factory=lambda: frames.METRICS.build([]))
    unchecked: list[Row] = field(default_factory=list)
    states: dict[str, State] = field(default_factory=dict)
    run: Run | None = None
    comparison: Comparison | None = None
    validation: Validation | None = None
    has_run: bool = False
    backup: str | None = None
    moment: datetime | None = None
    taken_back: dict[str, Any] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    undelivered: tuple[str, ...] = ()
    _begun: float = field(default_factory=time.monotonic)

    def step(
        self,
        name: str,
        words: str,
        work: Callable[[dict[str, Any]], Result],
        *,
        required: bool = True,
        **facts: Any,
    ) -> Result:
        """Do a step between its two lines in the journal, and tell how it went.

        Parameters
        ----------
        name : str
            As the journal has it.
        words : str
            For people.
        work : callable
            Takes what is noted at the step's end: a mapping to put facts into; ``detail`` is shown.
        required : bool
            Do not begin what could not be noted.
        **facts
            What finishing or undoing it takes.
        """
        started_at, begun = datetime.now(UTC), time.monotonic()
        row: Row = {"number": len(self.steps) + 1, "step": words, "status": "failed", "started_at": started_at}
        self.steps.append(row)
        try:
            with self.journal.step(name, required=required, **facts) as learned:
                self.has_run = self.has_run or name == RUN
                result = work(learned)
        except BaseException as error:
            row["seconds"] = time.monotonic() - begun
            row["detail"] = redact(str(error) or type(error).__name__)
            self.progress.note("✗", f"{words} ({duration(row['seconds'])})")
            raise
        row |= {"status": "done", "seconds": time.monotonic() - begun, "detail": learned.get("detail")}
        detail = f": {row['detail']}" if row["detail"] else ""
        self.progress.note("✓", f"{words} ({duration(row['seconds'])}){detail}")
        return result

    def skip(self, words: str, why: str) -> None:
        """Note a step that is not done, and why."""
        self.steps.append({"number": len(self.steps) + 1, "step": words, "status": "skipped", "detail": why})
        self.progress.note("·", f"{words}: {why}")

    def capture_failed(self, what: str, error: MigkitError) -> None:
        """Note what could not be looked at."""
        self.unchecked.append({"what": what, "why": str(error)})

    def head(self) -> dict[str, Any]:
        """What is known before anything starts."""
        return {
            "kind": "deployment",
            "started_at": self.started_at.isoformat(),
            "migration": describe_migration(self.migration),
            "database": describe_database(self.db),
        }

    def result(self) -> Deployment:
        """Freeze what there is."""
        return Deployment(
            status=self.status,
            migration=describe_migration(self.migration),
            database=describe_database(self.db),
            versions=versions(),
            git=git_state(self.migration.path),
            started_at=self.started_at,
            seconds=time.monotonic() - self._begun,
            steps=frames.DEPLOY_STEPS.build(self.steps),
            checks=frames.CHECKS.build(self.checks),
            smoke_tests=frames.CHECKS.build(self.smoke_tests),
            metrics=self.metrics,
            unchecked=frames.UNCHECKED.build(self._unchecked()),
            before=self.states.get("before"),
            after=self.states.get("after"),
            rolled_back=self.states.get("rolled_back"),
            run=self.run,
            comparison=self.comparison,
            validation=self.validation,
            backup=self.backup,
            taken_back=self.taken_back,
            commands=tuple(self.commands),
            error=self.error,
            undelivered=self.undelivered,
            evidence=self.evidence,
        )

    def _unchecked(self) -> list[Row]:
        rows = [*self.unchecked]
        if self.comparison is not None:
            rows += frames.UNCHECKED.rows(self.comparison.unchecked)
        if self.run is not None:
            rows += frames.UNCHECKED.rows(self.run.unchecked)
        rows += [{"what": what, "why": why} for what, why in self.db.dialect.outside_database]
        if self.journal.trouble:
            rows.append({"what": "the journal of steps", "why": self.journal.trouble})
        return list({(row["what"], row["why"]): row for row in rows}.values())


def describe_migration(migration: Migration) -> dict[str, Any]:
    """Return a migration as plain values."""
    metadata = migration.metadata
    return {
        "name": migration.name,
        "kind": migration.kind,
        "version": metadata.version,
        "description": metadata.description,
        "author": metadata.author,
        "risk": metadata.risk,
        "estimated_duration": metadata.estimated_duration,
        "allow": list(metadata.allow),
        "bookkeeping": list(migration.bookkeeping_tables),
        "checksum": migration.checksum,
        "path": migration.path.name,
        "source": redact(migration.source),
        "has_down": migration.has_down,
    }


def describe_database(db: Database) -> dict[str, Any]:
    """Return a database as plain values."""
    return {"name": db.name, "url": db.url, "engine": db.dialect.label, "server": db.server}
