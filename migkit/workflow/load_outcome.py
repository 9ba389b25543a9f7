"""From what a load test counted to its result: judgement and sentences, no measuring."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from migkit import frames
from migkit.database import Database
from migkit.findings import Finding, to_frame
from migkit.load.phases import BASELINE
from migkit.load.plan import LoadPlan
from migkit.load.results import LoadResult, PhaseSpan, Status
from migkit.load.tally import Tally
from migkit.load.verdicts import change_sentences, compatibility_sentences, is_reached, rate_sentence, run_sentences
from migkit.load.workload import Workload
from migkit.migration.migration import Migration
from migkit.migration.results import Run
from migkit.redaction import redact
from migkit.workflow.limits import Limits, judge_limits


@dataclass(frozen=True)
class Outcome:
    """What a load test knows at its end."""

    db: Database
    workload: Workload
    migration: Migration | None
    plan: LoadPlan
    limits: Limits
    tally: Tally
    rate: float | None
    runs: tuple[Run, ...]
    rollback_run: Run | None
    status: Status | None
    error: str | None

    @property
    def all_runs(self) -> tuple[Run, ...]:
        """The way up, each try of it, and the way down."""
        return (*self.runs, self.rollback_run) if self.rollback_run else self.runs


def freeze(outcome: Outcome) -> LoadResult:
    """Return the result."""
    tally = outcome.tally
    statements, errors = tally.statements(), tally.errors()
    findings = judge_limits(outcome.limits, statements) if outcome.migration is not None else []
    reached, lasted = tally.answered(BASELINE), tally.lasted(BASELINE)
    even = outcome.plan.arrivals == "constant"
    sentences = [
        *([f"The load test broke off: {outcome.error}"] if outcome.error else []),
        *(["It was interrupted, so nothing is proven"] if outcome.status == "interrupted" else []),
        *filter(None, [rate_sentence(outcome.rate, reached, lasted, even=even)]),
        *run_sentences(outcome.runs, outcome.rollback_run, outcome.db.dialect.tells_lock_timeout),
        *(finding.what for finding in findings),
        *compatibility_sentences(errors, migrated=bool(outcome.runs)),
        *change_sentences(statements, outcome.runs[-1] if outcome.runs else None, outcome.rollback_run, tally.stalls),
    ]
    return LoadResult(
        status=outcome.status
        or _judge(outcome, findings, int(errors["count"].sum()), is_reached(outcome.rate, reached, lasted, even=even)),
        database=outcome.db.name,
        workload=outcome.workload.name,
        clients=outcome.plan.clients,
        rate=outcome.rate,
        arrivals="closed loop" if outcome.rate is None else outcome.plan.arrivals,
        reached_rate=reached,
        started_at=tally.moment(0.0),
        seconds=max((one.end for one in tally.phases.known if math.isfinite(one.end)), default=0.0),
        phases=tuple(_spans(tally)),
        runs=outcome.runs,
        rollback_run=outcome.rollback_run,
        statements=statements,
        timeline=tally.timeline(),
        errors=errors,
        percentiles=tally.percentiles(),
        findings=to_frame(findings),
        unchecked=frames.UNCHECKED.build(_unchecked(outcome)),
        histograms=tally.encoded(),
        verdict=tuple(redact(sentence) for sentence in sentences),
        error=redact(outcome.error) if outcome.error else None,
    )


def _spans(tally: Tally) -> Iterator[PhaseSpan]:
    for phase in tally.phases.known:
        if math.isfinite(phase.end):
            yield PhaseSpan(phase.name, tally.moment(phase.begin), phase.end - phase.begin)


def _judge(outcome: Outcome, findings: Sequence[Finding], errors: int, reached: bool) -> Status:
    """Return the verdict; errors are tolerated only where a limit says how many."""
    is_tolerant = outcome.limits.max_errors is not None and outcome.migration is not None
    last_runs = [*outcome.runs[-1:], *([outcome.rollback_run] if outcome.rollback_run else [])]
    is_wrong = (
        any(finding.severity == "error" for finding in findings)
        or not all(run.succeeded for run in last_runs)
        or (outcome.migration is not None and not outcome.runs)
        or (errors > 0 and not is_tolerant)
        or not reached
    )
    return "failed" if is_wrong else "passed"


def _unchecked(outcome: Outcome) -> list[dict[str, Any]]:
    rows = [{"what": what, "why": why} for what, why in outcome.workload.unchecked]
    for run in outcome.all_runs:
        rows += frames.UNCHECKED.rows(run.unchecked)
    if outcome.rate is None:
        rows.append({"what": "stalls in full", "why": "in a closed loop, clients that are blocked stop asking"})
    if outcome.plan.with_rollback and outcome.migration is not None and outcome.rollback_run is None:
        why = "the way up did not succeed" if outcome.migration.has_down else "the migration has no way down"
        rows.append({"what": "the way back under load", "why": why})
    rows.append({"what": "production's hardware and data", "why": "the load ran on this database, as it is"})
    return list({(row["what"], row["why"]): row for row in rows}.values())
