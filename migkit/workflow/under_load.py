"""A rehearsal under load: on a second clone, because what an application writes would blur the proof on the first."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import URL

from migkit.database import Database
from migkit.findings import Finding
from migkit.load.plan import LoadPlan
from migkit.load.results import LoadResult
from migkit.migration.migration import Migration
from migkit.progress import SILENT, Progress
from migkit.workflow import rules
from migkit.workflow.limits import Limits
from migkit.workflow.load_preparation import AnyWorkload, prepared
from migkit.workflow.load_test import load_test

_WARM_UP_SECONDS, _SECONDS = 1.0, 5.0


@dataclass(frozen=True)
class Load:
    """What shall ask the clone while the migration goes up.

    Attributes
    ----------
    workload : str, Path or Workload
        As for :func:`migkit.load_test`.
    long_reader : float or None
        For how many seconds a transaction that has read the touched tables stays open meanwhile.
    timeout, lock_timeout : float or None
        Limits of the run.
    """

    workload: AnyWorkload
    long_reader: float | None = None
    timeout: float | None = None
    lock_timeout: float | None = None

    def put_on(
        self,
        migration: Migration,
        source: Database,
        *,
        into: str | URL | Database | None,
        limits: Limits,
        progress: Progress = SILENT,
    ) -> LoadResult:
        """Clone once more, and run the migration there while the workload asks."""
        plan = LoadPlan(
            warm_up=_WARM_UP_SECONDS,
            duration=_SECONDS,
            long_reader=self.long_reader,
            timeout=self.timeout,
            lock_timeout=self.lock_timeout,
        )
        with prepared(source, self.workload, migration, plan, into=into, progress=progress) as ready:
            return load_test(
                ready.db,
                ready.workload,
                migration,
                plan,
                tables=ready.tables,
                limits=limits,
                confined=True,
                progress=progress,
            )


def judge_load(result: LoadResult | None) -> list[Finding]:
    """Return the judgement on a load that did not pass, and on every limit it broke."""
    if result is None or result.passed:
        return []
    return [rules.UNDER_LOAD.finding(result.workload, f"Under load it does not pass: {result.explain()}")]
