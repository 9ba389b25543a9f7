"""From what canaries and a long reader saw to findings: pure functions."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from migkit import frames
from migkit.display.lock_lanes import WEAK, merged_locks, strength
from migkit.display.summary import created_relations
from migkit.display.units import plural
from migkit.findings import Finding
from migkit.load.verdicts import blocker
from migkit.migration.results import Run
from migkit.state.comparison import Comparison
from migkit.workflow import rules
from migkit.workflow.company import Company
from migkit.workflow.limits import Limits, exact_ms, judge_limits

_GONE = ("removed", "renamed")


def judge_company(
    company: Company | None, up: Run | None, comparison: Comparison | None, limits: Limits
) -> list[Finding]:
    """Judge what others would have gone through while the migration went up.

    Parameters
    ----------
    company : Company or None
        What canaries saw; ``None`` where the way up never ran, or for evidence from before there were any.
    up : Run or None
        The way up.
    comparison : Comparison or None
        Before against after: tables that are gone on purpose are not the canaries' to judge.
    limits : Limits
        What is allowed.
    """
    if up is None:
        return []
    findings: list[Finding] = []
    gone = _gone_tables(comparison)
    if company is not None:
        findings += [*_stalls(company, up), *_failures(company, gone), *_queues(company, up)]
    if limits or limits.loosened:
        measured = None if company is None else _without(company.statements, gone)
        findings += judge_limits(limits, measured, locked=_locked_out(up, comparison))
    return findings


def _gone_tables(comparison: Comparison | None) -> set[str]:
    if comparison is None:
        return set()
    changes = frames.TABLE_CHANGES.rows(comparison.tables)
    removed = {row["table"] for row in changes if row["change"] == "removed"}
    return removed | {row["renamed_from"] for row in changes if row["renamed_from"]}


def _without(statements: pd.DataFrame, gone: set[str]) -> pd.DataFrame:
    names = {f"{operation} {table}" for table in gone for operation in ("reads of", "writes to")}
    return statements[~statements["statement"].isin(names)]


def _stalls(company: Company, up: Run) -> Iterator[Finding]:
    told: set[tuple[str, str]] = set()
    for row in frames.STALLS.rows(company.stalls):
        key = (row["table"], row["operation"])
        if row["stalled_ms"] < rules.BLOCKED_TOO_LONG_MS or key in told:
            continue
        told.add(key)
        what = f"{row['operation']} {row['table']} stalled {exact_ms(row['stalled_ms'])}"
        culprit = blocker(row["table"], up, [(row["started_at"], row["ended_at"])])
        yield rules.STALLED.finding(row["table"], f"{what} behind {culprit}" if culprit else what)


def _failures(company: Company, gone: set[str]) -> Iterator[Finding]:
    for row in frames.LOAD_ERRORS.rows(company.errors):
        table = row["statement"].partition(" of ")[2] or row["statement"].partition(" to ")[2]
        if table not in gone:
            told = f"{row['statement']} failed {plural(row['count'], 'time')} ({row['phase']}): {row['message']}"
            yield rules.CANARY_FAILED.finding(table, told)


def _queues(company: Company, up: Run) -> Iterator[Finding]:
    if company.reader_seconds is None:
        return
    waits = [row for row in frames.WAITS.rows(up.waits) if row["by_migration"] is False]
    longest = max(waits, key=lambda row: row["waited_ms"] or 0.0, default=None)
    if longest is None or (longest["waited_ms"] or 0.0) < rules.BLOCKED_TOO_LONG_MS:
        return
    others = max((row["stalled_ms"] for row in frames.STALLS.rows(company.stalls)), default=0.0)
    queue = f", and others behind it stalled {exact_ms(others)}" if others else ""
    relation = longest["relation"] or "a lock"
    told = f"With a transaction open for {company.reader_seconds:g} s, the migration waited for {relation}"
    yield rules.QUEUED.finding(relation, f"{told} for {exact_ms(longest['waited_ms'])}{queue}")


def _locked_out(up: Run, comparison: Comparison | None) -> list[tuple[str, float]]:
    """Return how long each relation that was there before was certainly closed to writers."""
    created = created_relations(comparison)
    return [
        (row["relation"], row["held_ms"] or 0.0)
        for row in merged_locks(up.locks, created)
        if strength(row) < WEAK and row["session"] is None
    ]
