"""``validate()``: whether a database holds what a migration promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd

from migkit import frames
from migkit.database import Database
from migkit.dialects.base import Row
from migkit.display.card import Card
from migkit.display.results import Drawn, validation_card
from migkit.errors import MigrationInvalid
from migkit.migration.journal import history, last_version
from migkit.migration.migration import Migration
from migkit.progress import SILENT, Progress
from migkit.state.capture import capture
from migkit.state.snapshot import State
from migkit.storage import decode_frame, encode_frame
from migkit.workflow.promise import Promise, check_promise, learn_promise


@dataclass(frozen=True, eq=False, repr=False)
class Validation(Drawn):
    """Whether a database holds what a migration promises.

    Attributes
    ----------
    migration : str
        The migration.
    database : str
        The database.
    checks : pandas.DataFrame
        One row per promise (:data:`migkit.frames.CHECKS`).
    """

    migration: str
    database: str
    checks: pd.DataFrame = field(repr=False)

    @property
    def passed(self) -> bool:
        """Every promise was checked and is kept."""
        return len(self.checks) > 0 and bool(self.checks["passed"].fillna(False).all())

    def card(self) -> Card:
        """Return what the validation shows of itself."""
        return validation_card(self)

    def to_document(self) -> dict[str, Any]:
        """Return the validation as JSON values."""
        return {
            "migkit": "validation",
            "migration": self.migration,
            "database": self.database,
            "checks": encode_frame(frames.CHECKS, self.checks),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Validation:
        """Read what :meth:`to_document` wrote."""
        checks = decode_frame(frames.CHECKS, document["checks"])
        return cls(document["migration"], document["database"], checks)


def validate(
    migration: Migration | None,
    db: Database,
    *,
    expect_absent: bool = False,
    expect_version: str | None = None,
    timeout: float | None = None,
    lock_timeout: float | None = None,
    progress: Progress = SILENT,
) -> Validation:
    """Hold a database against what a migration promises.

    What it promises is learned by applying it to an empty copy of the database's schema.

    Parameters
    ----------
    migration : Migration or None
        The migration; ``None`` to check only the version.
    db : Database
        The database; only read.
    expect_absent : bool
        Expect the state after a rollback: what the migration creates is gone, what it drops is back.
    expect_version : str, optional
        Expect this to be the version applied last.
    timeout, lock_timeout : float, optional
        Limits of each run on the empty copy, in seconds.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Validation
        One check per promise.

    Raises
    ------
    MigrationInvalid
        If there is neither a migration nor a version to check.
    """
    if migration is None and expect_version is None:
        raise MigrationInvalid("There is nothing to validate", next_step="Give a migration or expect_version.")
    rows: list[Row] = []
    if expect_version is not None:
        found = last_version(db)
        rows.append(
            {
                "check": f"The version applied last is {expect_version}",
                "passed": found == expect_version,
                "expected": expect_version,
                "found": found or "none",
            }
        )
    if migration is not None:
        progress.begin(f"Learning what {migration.name} promises")
        learn = partial(learn_promise, migration, db, timeout=timeout, lock_timeout=lock_timeout)
        promise = _promise_of(learn, expect_absent=expect_absent or not migration.has_down)
        rows += check_promise(promise, capture(db, progress=progress), expect_absent=expect_absent)
        if promise.facts is not None and promise.facts.same_schema:
            rows.append(_journal_check(migration, db, expect_absent))
    return _validation(migration.name if migration else f"version {expect_version}", db.name, rows)


def _journal_check(migration: Migration, db: Database, expect_absent: bool) -> Row:
    """Ask the journal about a migration that changes no schema: an empty copy shows nothing of what it does."""
    attempts = history(db)
    done = attempts[(attempts["migration"] == migration.name) & (attempts["outcome"] == "succeeded")]
    last = "never" if done.empty else str(done["direction"].iloc[-1])
    wanted = ("never", "down") if expect_absent else ("up",)
    words = "taken back" if expect_absent else "applied"
    return {
        "check": f"{migration.name} changes no schema; migration_log says it is {words}",
        "passed": last in wanted,
        "expected": " or ".join(wanted),
        "found": last,
    }


def validate_state(migration: Migration, promise: Promise, before: State, after: State) -> Validation:
    """Hold a captured state against a promise that is known already."""
    return _validation(migration.name, after.database, check_promise(promise, after, before=before))


def _validation(migration: str, database: str, rows: list[Row]) -> Validation:
    return Validation(migration, database, frames.CHECKS.build(rows))


def _promise_of(learn: Callable[..., Promise], *, expect_absent: bool) -> Promise:
    """Learn the promise from a database that stands before (`expect_absent`) or after the migration."""
    if expect_absent:
        return learn()
    applied = learn(way="down then up")
    if applied.facts is not None:
        return applied
    # Perhaps it was never applied; then the way up tells what is missing.
    fresh = learn()
    return fresh if fresh.facts is not None else applied
