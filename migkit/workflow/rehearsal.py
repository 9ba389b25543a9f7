"""The :class:`Rehearsal`: the whole proof, as a result that needs no database any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from migkit.display.card import Card
from migkit.display.lock_plot import lock_durations
from migkit.display.results import Drawn, rehearsal_card
from migkit.errors import UnsupportedFeature
from migkit.framing import plain
from migkit.load.results import LoadResult
from migkit.migration.results import Run
from migkit.state.comparison import Comparison
from migkit.state.snapshot import State
from migkit.workflow.company import Company
from migkit.workflow.limits import Limits
from migkit.workflow.validation import Validation

Status = Literal["running", "passed", "failed", "error", "interrupted"]


@dataclass(frozen=True)
class Step:
    """One step of a rehearsal: what it was, how it ended, how long it took."""

    name: str
    status: Literal["done", "failed", "skipped"]
    seconds: float
    detail: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Rehearsal(Drawn):
    """A migration proven on a clone: up, validated, down, compared, up again.

    Attributes
    ----------
    status : {"running", "passed", "failed", "error", "interrupted"}
        ``passed`` only if every step was done and nothing speaks against the migration.
    migration, database, clone, versions, git : mapping
        What was rehearsed, on what, with what; plain values.
    started_at : datetime
        When it began, in UTC.
    seconds : float
        How long it took.
    steps : tuple of Step
        What was done, in order.
    before, after, rolled_back : State or None
        The clone before, after the way up, and after the way down.
    up, down, again : Run or None
        The runs.
    comparison, rollback : Comparison or None
        Before against after; before against rolled back.
    validation : Validation or None
        Whether the clone holds what the migration promises.
    company : Company or None
        What canaries (and those behind a long reader) went through while the migration went up.
    limits : Limits
        What the migration may do to others at the most.
    load : LoadResult or None
        What a workload went through on a second clone, where one was given.
    findings, unchecked : pandas.DataFrame
        The judgement, and what was not looked at.
    error : str or None
        Why it broke off, if it did.
    evidence : Path or None
        The folder that holds all of this as files.
    """

    status: Status
    migration: Mapping[str, Any]
    database: Mapping[str, Any]
    clone: Mapping[str, Any]
    versions: Mapping[str, Any]
    git: Mapping[str, Any]
    started_at: datetime
    seconds: float
    steps: tuple[Step, ...]
    findings: pd.DataFrame = field(repr=False)
    unchecked: pd.DataFrame = field(repr=False)
    before: State | None = field(default=None, repr=False)
    after: State | None = field(default=None, repr=False)
    rolled_back: State | None = field(default=None, repr=False)
    up: Run | None = field(default=None, repr=False)
    down: Run | None = field(default=None, repr=False)
    again: Run | None = field(default=None, repr=False)
    comparison: Comparison | None = field(default=None, repr=False)
    rollback: Comparison | None = field(default=None, repr=False)
    validation: Validation | None = field(default=None, repr=False)
    company: Company | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
    load: LoadResult | None = field(default=None, repr=False)
    error: str | None = None
    evidence: Path | None = None

    @property
    def passed(self) -> bool:
        """Every step was done, and nothing speaks against the migration."""
        return self.status == "passed"

    def explain(self) -> str:
        """Say in a few sentences why the verdict is what it is."""
        name = self.migration["name"]
        if self.status == "passed":
            return " ".join(
                [f"{name} passed: it does what it promises, and nothing was lost or damaged.", self._way_back()]
            )
        if self.status in ("error", "interrupted", "running"):
            reason = self.error or "it did not come to its end"
            return f"{name} is not proven: {reason}"
        errors = plain(self.findings.loc[self.findings["severity"] == "error", "what"])
        more = f" And {len(errors) - 3} more." if len(errors) > 3 else ""
        return f"{name} failed: " + " ".join(f"{_sentence(error)}" for error in errors[:3]) + more

    def card(self) -> Card:
        """Return what the rehearsal shows of itself."""
        return rehearsal_card(self)

    def plot(self) -> Any:
        """Return a matplotlib ``Figure``: who held which lock for how long during the way up.

        Raises
        ------
        UnsupportedFeature
            If the way up never ran.
        """
        if self.up is None:
            raise UnsupportedFeature("The way up never ran, so there are no locks to draw")
        return lock_durations(self.up.locks, self.up.waits, self.up.statements)

    def _way_back(self) -> str:
        if self.rollback is None:
            return "It has no way down: only a backup brings the database back."
        return "Its way down brought back the state before, row by row and object by object."


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
