"""From the facts of a rehearsal to its findings: pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from migkit import frames
from migkit.display.results import changed_lines
from migkit.display.units import milliseconds
from migkit.findings import Finding
from migkit.load.results import LoadResult
from migkit.migration.inverses import table_altered, things_made
from migkit.migration.results import Run
from migkit.state.comparison import Comparison
from migkit.workflow import rules
from migkit.workflow.company import Company
from migkit.workflow.company_judgement import judge_company
from migkit.workflow.limits import Limits
from migkit.workflow.rehearsal import Step
from migkit.workflow.under_load import judge_load
from migkit.workflow.validation import Validation

NO_LIMITS = Limits()
RUN_STEPS = {"up": "Ran up", "down": "Ran down", "again": "Ran up again"}


def judge_rehearsal(
    *,
    has_down: bool,
    require_down: bool,
    runs: Mapping[str, Run],
    comparison: Comparison | None,
    rollback: Comparison | None,
    validation: Validation | None,
    steps: Sequence[Step],
    company: Company | None = None,
    limits: Limits = NO_LIMITS,
    load: LoadResult | None = None,
) -> list[Finding]:
    """Judge a rehearsal by what it brought to light; a step that was not done never counts in its favour.

    Parameters
    ----------
    has_down, require_down : bool
        Whether there is a way down, and whether there has to be one.
    runs : mapping
        The runs by name: ``up``, ``down``, ``again``.
    comparison, rollback : Comparison or None
        Before against after, before against rolled back.
    validation : Validation or None
        The promises.
    steps : sequence of Step
        What was done.
    company : Company or None
        What canaries saw.
    limits : Limits
        What the migration may do to others at the most.
    load : LoadResult or None
        What a workload went through, where one was given.

    Returns
    -------
    list of Finding
        The judgement.
    """
    findings = [*_runs(runs), *_swallowed(runs), *_steps(steps, runs), *_half_applied(runs, rollback, steps)]
    if comparison is not None:
        findings += comparison.judgement
    if validation is not None:
        findings += _broken_promises(validation)
    if rollback is not None:
        findings += _left_behind(rollback)
    if not has_down:
        irreversible = rules.IRREVERSIBLE.finding("down", "The migration has no way down")
        findings.append(replace(irreversible, severity="error") if require_down else irreversible)
    if "up" in runs:
        existing = _existing_tables(comparison)
        findings += [*_rewrites(runs["up"], existing), *_copies(runs["up"])]
        findings += [*_long_locks(runs["up"], existing), *_outside(runs["up"])]
    findings += judge_company(company, runs.get("up"), comparison, limits)
    return findings + judge_load(load)


def _runs(runs: Mapping[str, Run]) -> Iterator[Finding]:
    for name, rule in (
        ("up", rules.MIGRATION_FAILED),
        ("down", rules.ROLLBACK_FAILED),
        ("again", rules.AGAIN_FAILED),
    ):
        run = runs.get(name)
        if run is not None and not run.succeeded:
            direction = {"up": "The way up", "down": "The way down", "again": "The second way up"}[name]
            yield rule.finding(run.direction, f"{direction} failed: {run.error}")


def _swallowed(runs: Mapping[str, Run]) -> Iterator[Finding]:
    for run in runs.values():
        failed = run.statements[run.statements["outcome"] == "failed"] if run.succeeded else run.statements[:0]
        for row in frames.STATEMENTS.rows(failed):
            yield rules.STATEMENT_FAILED.finding(
                f"statement {row['number']}", f"{row['summary']} failed and was passed over: {row['error']}"
            )


def _steps(steps: Sequence[Step], runs: Mapping[str, Run]) -> Iterator[Finding]:
    judged = {RUN_STEPS[name] for name in runs}
    if _stopped_half_way(runs):
        judged.add(RUN_STEPS["down"])
    for step in steps:
        if step.status == "failed" and step.name not in judged:
            yield rules.STEP_FAILED.finding(step.name, f"{step.name}: {step.detail}")


def _stopped_half_way(runs: Mapping[str, Run]) -> bool:
    return "up" in runs and bool(runs["up"].standing)


def _half_applied(runs: Mapping[str, Run], rollback: Comparison | None, steps: Sequence[Step]) -> Iterator[Finding]:
    """Say what a failed way up left standing, and whether the way down takes it back from there."""
    if not _stopped_half_way(runs):
        return
    standing = [" ".join(sql.split()) for sql in runs["up"].standing]
    yield rules.HALF_APPLIED.finding("up", f"The way up failed half-way; what stands: {'; '.join(standing)}")
    failed = [step.detail for step in steps if step.name == RUN_STEPS["down"] and step.status == "failed"]
    if rollback is not None and rollback.identical and not failed:
        told = "The way down, run from there, brought back the state before"
        yield rules.HALF_APPLIED_ROLLBACK.finding("down", told)
    elif failed or rollback is not None:
        why = failed[0] if failed else "the state is not identical to the one before"
        finding = rules.HALF_APPLIED_ROLLBACK.finding("down", f"The way down, run from there, is no way back: {why}")
        yield replace(finding, severity="error")


def _broken_promises(validation: Validation) -> Iterator[Finding]:
    for row in frames.CHECKS.rows(validation.checks):
        if not row["passed"]:
            told = f": expected {row['expected']}, found {row['found']}" if row["expected"] or row["found"] else ""
            yield rules.PROMISE_BROKEN.finding(row["check"], f"{row['check']}{told}")


def _left_behind(rollback: Comparison) -> Iterator[Finding]:
    if rollback.identical:
        for pair in rollback.facts.objects:
            if pair.before and pair.after and pair.before["value"] != pair.after["value"]:
                yield rules.SEQUENCE_ADVANCED.finding(
                    pair.key[2],
                    f"The {pair.key[0]} {pair.key[2]} advanced: {pair.before['value']} → {pair.after['value']}",
                )
        return
    lines = changed_lines(rollback)
    for line in lines:
        yield rules.LEFT_BEHIND.finding("down", f"After rolling back: {line.text}")
    if not lines:
        yield rules.LEFT_BEHIND.finding("down", "After rolling back, the state is not identical to the one before")


def _existing_tables(comparison: Comparison | None) -> set[str]:
    if comparison is None:
        return set()
    return {
        comparison.facts.label(fact.name) for fact in comparison.facts.tables if fact.change in ("unchanged", "changed")
    }


def _rewrites(run: Run, existing: set[str]) -> Iterator[Finding]:
    for row in frames.STATEMENTS.rows(run.statements):
        for table in (row["rewritten"] or "").split(", "):
            if table in existing:
                yield rules.REWRITTEN.finding(
                    table, f"Statement {row['number']} wrote table {table} anew: {row['summary']}"
                )


def _copies(run: Run) -> Iterator[Finding]:
    """Name the tables that were there before and are altered by copying them."""
    rows = frames.STATEMENTS.rows(run.statements)
    made = {thing.table for row in rows for thing in things_made(row["sql"]) if thing.kind == "table"}
    for row in rows:
        table = table_altered(row["sql"])
        if table and table not in made and (row["algorithm"] or "").startswith("COPY"):
            told = f"Statement {row['number']} copies table {table} ({row['algorithm']}): {row['summary']}"
            yield rules.TABLE_COPIED.finding(table, told)


def _long_locks(run: Run, existing: set[str]) -> Iterator[Finding]:
    for row in frames.LOCKS.rows(run.locks):
        held = row["held_ms"]
        if held is None or held < rules.BLOCKED_TOO_LONG_MS or row["relation"] not in existing:
            continue
        if "writes" in (row["blocks"] or ""):
            yield rules.BLOCKED_OTHERS.finding(
                row["relation"], f"{row['mode']} on {row['relation']} kept out {row['blocks']} for {milliseconds(held)}"
            )


def _outside(run: Run) -> Iterator[Finding]:
    for row in frames.STATEMENTS.rows(run.statements):
        if row["transaction"] == "0" and row["kind"] in ("ddl", "dml"):
            yield rules.OUTSIDE_TRANSACTION.finding(
                f"statement {row['number']}", f"{row['summary']} ran outside the transaction"
            )
