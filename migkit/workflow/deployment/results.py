"""The :class:`Deployment`: all that happened when a migration went to a real database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from migkit import frames
from migkit.display.card import Card, Fact, Fold
from migkit.display.lines import BAD, GOOD, NOTE, WARN, Line
from migkit.display.lock_plot import lock_durations
from migkit.display.results import Drawn
from migkit.display.units import count, duration, plural
from migkit.errors import UnsupportedFeature
from migkit.migration.results import Run
from migkit.state.comparison import Comparison
from migkit.state.snapshot import State
from migkit.storage import encode_frame, encode_instant
from migkit.workflow.validation import Validation

Status = Literal["running", "deployed", "rolled back", "stopped", "refused", "failed"]

_WORDS: Mapping[str, str] = {
    "deployed": "all clear",
    "rolled back": "rolled back: the database is identical to what it was before",
    "stopped": "stopped before the migration: nothing was changed",
    "refused": "refused by its checks: nothing was changed",
    "failed": "failed",
    "running": "it never came to its end",
}


@dataclass(frozen=True, eq=False, repr=False)
class Deployment(Drawn):
    """A migration that went, or was to go, to a real database.

    Attributes
    ----------
    status : {"running", "deployed", "rolled back", "stopped", "refused", "failed"}
        ``deployed`` only if every step was done. ``rolled back`` only if the state afterwards is identical to the one
        before. ``stopped`` and ``refused``: the migration never ran. ``failed``: something is left; see `commands`.
    migration, database, versions, git : mapping
        What was deployed, where, with what; plain values.
    started_at : datetime
        When it began, in UTC.
    seconds : float
        How long it took, by a clock that never jumps.
    steps, checks : pandas.DataFrame
        What was done (:data:`migkit.frames.DEPLOY_STEPS`), and what was checked before
        (:data:`migkit.frames.CHECKS`).
    smoke_tests, metrics : pandas.DataFrame
        What was tested afterwards (:data:`migkit.frames.CHECKS`), and the server's figures of the watch
        (:data:`migkit.frames.METRICS`).
    unchecked : pandas.DataFrame
        What was not looked at.
    before, after, rolled_back : State or None
        The database before, after the way up, and after it was taken back.
    run : Run or None
        The last run of the way up.
    comparison : Comparison or None
        Before against after.
    validation : Validation or None
        Whether the database holds what the migration promises.
    backup : str or None
        The id of the backup that this deploy can be restored from.
    taken_back : mapping
        How it was taken back: strategy, steps, differences; empty if it was not.
    commands : tuple of str
        What a person has to do, where migkit could not.
    error : str or None
        What went wrong.
    undelivered : tuple of str
        Notifications that could not be delivered.
    evidence : Path or None
        The folder that holds all of this as files.
    """

    status: Status
    migration: Mapping[str, Any]
    database: Mapping[str, Any]
    versions: Mapping[str, Any]
    git: Mapping[str, Any]
    started_at: datetime
    seconds: float
    steps: pd.DataFrame = field(repr=False)
    checks: pd.DataFrame = field(repr=False)
    smoke_tests: pd.DataFrame = field(repr=False)
    metrics: pd.DataFrame = field(repr=False)
    unchecked: pd.DataFrame = field(repr=False)
    before: State | None = field(default=None, repr=False)
    after: State | None = field(default=None, repr=False)
    rolled_back: State | None = field(default=None, repr=False)
    run: Run | None = field(default=None, repr=False)
    comparison: Comparison | None = field(default=None, repr=False)
    validation: Validation | None = field(default=None, repr=False)
    backup: str | None = None
    taken_back: Mapping[str, Any] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    error: str | None = None
    undelivered: tuple[str, ...] = ()
    evidence: Path | None = None

    @property
    def passed(self) -> bool:
        """Every step was done, and nothing spoke against the migration."""
        return self.status == "deployed"

    def explain(self) -> str:
        """Say in a sentence or two how it ended and why."""
        name, database = self.migration["name"], self.database["name"]
        told = f"{name} on {database}: {_WORDS[self.status]}."
        return f"{told} {self.error}" if self.error else told

    def card(self) -> Card:
        """Return what the deployment shows of itself."""
        steps = frames.DEPLOY_STEPS.rows(self.steps)
        failed = self.checks[~self.checks["passed"].fillna(False)]
        return Card(
            title=f"Deployment of {self.migration['name']} to {self.database['name']}",
            sign=GOOD if self.passed else WARN if self.status in ("rolled back", "stopped", "refused") else BAD,
            verdict=f"{_WORDS[self.status]}{f' ({self.error})' if self.error else ''}",
            figures=(
                Fact("took", duration(self.seconds)),
                Fact("backup", self.backup or "none"),
                Fact("not checked", count(len(self.unchecked))),
            ),
            lines=(
                *(Line(BAD, f"{row['step']}: {row['detail']}") for row in steps if row["status"] == "failed"),
                *(Line(BAD, f"{row['check']}: {row['found']}") for row in frames.CHECKS.rows(failed)),
                *(Line(WARN, f"a notification was not delivered: {one}") for one in self.undelivered),
                *(Line(WARN, f"to do by hand: {command}") for command in self.commands),
            ),
            folds=(
                Fold("Steps", self.steps, ("number", "step", "status", "seconds", "detail"), opened=True, told=True),
                Fold("Checks before", self.checks),
                Fold("Smoke tests", self.smoke_tests),
                Fold("The server's figures", self.metrics),
                Fold("Not checked", self.unchecked, told=True),
            ),
            noun="step",
        )

    def plot(self) -> Any:
        """Return a matplotlib ``Figure``: who held which lock for how long while the migration ran.

        Raises
        ------
        UnsupportedFeature
            If it never ran.
        """
        if self.run is None:
            raise UnsupportedFeature("The migration never ran, so there are no locks to draw")
        return lock_durations(self.run.locks, self.run.waits, self.run.statements)

    def to_document(self) -> dict[str, Any]:
        """Return the deployment as JSON values; states and runs lie in files of their own beside it."""
        return {
            "status": self.status,
            "passed": self.passed,
            "explanation": self.explain(),
            "started_at": encode_instant(self.started_at),
            "seconds": self.seconds,
            "migration": {key: value for key, value in self.migration.items() if key != "source"},
            "database": dict(self.database),
            "steps": encode_frame(frames.DEPLOY_STEPS, self.steps),
            "checks": encode_frame(frames.CHECKS, self.checks),
            "smoke_tests": encode_frame(frames.CHECKS, self.smoke_tests),
            "metrics": encode_frame(frames.METRICS, self.metrics),
            "unchecked": encode_frame(frames.UNCHECKED, self.unchecked),
            "backup": self.backup,
            "taken_back": dict(self.taken_back),
            "commands": list(self.commands),
            "error": self.error,
            "undelivered": list(self.undelivered),
            "evidence": str(self.evidence) if self.evidence else None,
        }


@dataclass(frozen=True, eq=False, repr=False)
class DeployPlan(Drawn):
    """The steps that a deploy would take; nothing was done.

    Attributes
    ----------
    migration, database : str
        What would be deployed, where.
    steps : pandas.DataFrame
        The steps with estimates (:data:`migkit.frames.PLANNED_STEPS`).
    checks : pandas.DataFrame
        What speaks for and against it now (:data:`migkit.frames.CHECKS`).
    """

    migration: str
    database: str
    steps: pd.DataFrame = field(repr=False)
    checks: pd.DataFrame = field(repr=False)

    @property
    def passed(self) -> bool:
        """Nothing speaks against it now."""
        return bool(self.checks["passed"].fillna(False).all())

    @property
    def seconds(self) -> float:
        """How long it would take, as far as is known."""
        return float(self.steps["seconds"].fillna(0.0).sum())

    @property
    def closed_seconds(self) -> float:
        """For how long the database would be closed to writers, as far as is known."""
        return float(self.steps.loc[self.steps["closed"].fillna(False).astype(bool), "seconds"].fillna(0.0).sum())

    def card(self) -> Card:
        """Return what the plan shows of itself."""
        against = int((~self.checks["passed"].fillna(False)).sum())
        return Card(
            title=f"Plan of deploying {self.migration} to {self.database}",
            sign=WARN if against else GOOD,
            verdict=f"{plural(against, 'check')} would refuse it now" if against else "nothing was done",
            figures=(
                Fact("would take", duration(self.seconds)),
                Fact("closed to writers", duration(self.closed_seconds)),
            ),
            lines=(
                *(_planned(row) for row in frames.PLANNED_STEPS.rows(self.steps)),
                *(
                    Line(GOOD if row["passed"] else BAD, f"{row['check']}: {row['found']}")
                    for row in frames.CHECKS.rows(self.checks)
                ),
            ),
            noun="step",
        )

    def to_document(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return {
            "migration": self.migration,
            "database": self.database,
            "passed": self.passed,
            "seconds": self.seconds,
            "closed_seconds": self.closed_seconds,
            "steps": frames.PLANNED_STEPS.rows(self.steps),
            "checks": frames.CHECKS.rows(self.checks),
        }


def _planned(row: Mapping[str, Any]) -> Line:
    took = f"about {duration(row['seconds'])}" if row["seconds"] is not None else "of unknown length"
    return Line(NOTE, f"{row['number']}. {row['step']}: {took} ({row['basis']})")
