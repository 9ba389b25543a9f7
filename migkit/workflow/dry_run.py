"""``dry_run()``: what a migration would change, without touching the database: on an empty copy of its schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd

from migkit import frames
from migkit.database import Database
from migkit.display.card import Card
from migkit.display.lines import Line
from migkit.display.results import Drawn, changed_lines, dry_run_card
from migkit.migration.migration import Migration
from migkit.migration.results import Run
from migkit.migration.runner import run
from migkit.progress import SILENT, Progress
from migkit.state.capture import capture
from migkit.state.comparison import Comparison, compare
from migkit.state.snapshot import State
from migkit.workflow.promise import empty_copy


@dataclass(frozen=True, eq=False, repr=False)
class DryRun(Drawn):
    """What a migration would change in a schema.

    Attributes
    ----------
    migration : mapping
        Name, description, risk and estimated duration, as the migration declares them.
    up, down : Run or None
        The runs on the empty copy.
    comparison : Comparison or None
        What the way up changes.
    rollback : Comparison or None
        What the way down leaves changed.
    checks : pandas.DataFrame
        What was tried (:data:`migkit.frames.CHECKS`).
    """

    migration: dict[str, Any]
    up: Run
    down: Run | None
    comparison: Comparison | None
    rollback: Comparison | None
    checks: pd.DataFrame = field(repr=False)

    @property
    def passed(self) -> bool:
        """Up and down run on the empty schema, up loses nothing undeclared, and down restores the schema."""
        return bool(self.checks["passed"].all())

    def card(self) -> Card:
        """Return what the dry run shows of itself."""
        return dry_run_card(self)

    @property
    def changes(self) -> list[Line]:
        """What would change, one line each."""
        return changed_lines(self.comparison) if self.comparison else []


def dry_run(
    migration: Migration,
    db: Database,
    *,
    timeout: float | None = None,
    lock_timeout: float | None = None,
    progress: Progress = SILENT,
) -> DryRun:
    """Apply a migration to an empty copy of a database's schema, and take it back there.

    Parameters
    ----------
    migration : Migration
        The migration.
    db : Database
        The database; only its schema is read.
    timeout, lock_timeout : float, optional
        Limits of each run, in seconds.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    DryRun
        What would change. Nothing is said about data, locks or durations: that takes a rehearsal.
    """
    progress.begin(f"Trying {migration.name} on an empty copy of {db.name}")
    with empty_copy(migration, db) as copy:
        migration.prepare(copy)
        before = capture(copy)
        execute = partial(
            run, migration, copy, timeout=timeout, lock_timeout=lock_timeout, journal=False, confined=True
        )
        up = execute()
        comparison = _declared_compare(migration, before, capture(copy)) if up.succeeded else None
        down = execute(direction="down") if up.succeeded and migration.has_down else None
        rollback = compare(before, capture(copy)) if down and down.succeeded else None
    progress.close()
    return DryRun(
        migration=_described(migration),
        up=up,
        down=down,
        comparison=comparison,
        rollback=rollback,
        checks=frames.CHECKS.build(_checks(up, comparison, down, rollback)),
    )


def _described(migration: Migration) -> dict[str, Any]:
    metadata = migration.metadata
    return {
        "name": migration.name,
        "description": metadata.description,
        "risk": metadata.risk,
        "estimated_duration": metadata.estimated_duration,
    }


def _declared_compare(migration: Migration, before: State, after: State) -> Comparison:
    return compare(before, after, allow=migration.metadata.allow, bookkeeping=migration.bookkeeping_tables)


def _checks(
    up: Run, comparison: Comparison | None, down: Run | None, rollback: Comparison | None
) -> list[tuple[str, bool, str | None, str | None]]:
    rows: list[tuple[str, bool, str | None, str | None]] = [
        ("The way up runs on the empty schema", up.succeeded, "no error", up.error or "no error")
    ]
    if comparison is not None:
        lost = "; ".join(comparison.errors)
        rows.append(("It loses nothing that is not declared", comparison.passed, "nothing", lost or "nothing"))
    if down is not None:
        rows.append(("The way down runs on the empty schema", down.succeeded, "no error", down.error or "no error"))
    if rollback is not None:
        left = "; ".join(line.text for line in changed_lines(rollback))
        rows.append(("The way down restores the schema", rollback.identical, "identical", left or "identical"))
    return rows
