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

_STAYS = ("unchanged", "changed")


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
        locked = _locked_out(up, comparison)
        if measured is not None and len(measured):
            locked = [one for one in locked if one[0] in _unwatched(company, comparison, gone)]
        findings += judge_limits(limits, measured, locked=locked)
    return findings


def _unwatched(company: Company | None, comparison: Comparison | None, gone: set[str]) -> set[str]:
    """Return the tables that are still there and to which no canary wrote: canaries watch some of many tables only."""
    if company is None or comparison is None:
        return set()
    written = set(company.statements["statement"])
    label, names = comparison.facts.label, [fact.name for fact in comparison.facts.tables if fact.change in _STAYS]
    return {label(name) for name in names if name[1] not in gone and f"writes to {name[1]}" not in written}


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
        # "reads of" and "writes to" are two words; what follows is the name, whatever is in it.
        table = row["statement"].split(" ", 2)[2]
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
