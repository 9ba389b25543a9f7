"""The sections of a load test's report, each a pure function of its result: what is missing is said, never skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from migkit import frames
from migkit.display import lines, units
from migkit.display.card import Fact, Fold, figures_html, sign_html, tone
from migkit.display.escape import clean_line, escape, shorten
from migkit.display.lines import BAD, GOOD, NOTE, Line
from migkit.display.load_plots import (
    alt_text_latency_distribution,
    alt_text_latency_over_time,
    latency_distribution,
    latency_over_time,
)
from migkit.display.swimlane_plot import alt_text_swimlane, swimlane
from migkit.display.tables import frame_html, frame_text
from migkit.load.results import LoadResult
from migkit.report.parts import finding_html, folds_fragment, lines_fragment, sentence
from migkit.report.provenance import made_with
from migkit.report.section import Fragment, Plot, Section
from migkit.workflow.evidence_folder import EvidenceFolder, open_evidence

__all__ = [
    "compatibility",
    "latency",
    "limits",
    "provenance",
    "stalls",
    "statements",
    "unchecked",
    "verdict",
]

_WORDS = {"passed": "Passed", "failed": "Failed", "interrupted": "Interrupted", "error": "Not finished"}
_LATENCIES = ("phase", "statement", "done", "errors", "p50_ms", "p99_ms", "p999_ms", "max_ms", "blocked_ms")
_ERRORS = ("phase", "statement", "kind", "count", "message")
_LIMIT = 200
_NO_MIGRATION = "No migration ran: the load was measured by itself."


def verdict(result: LoadResult) -> Section:
    """Return the verdict: the words, what it says, what was asked of what, and the figures that matter."""
    sign = GOOD if result.passed else BAD
    words = _WORDS.get(result.status, "Not finished")
    subject = result.run.migration if result.run else f"workload {result.workload}"
    about = list(_about(result))
    first = _why(result)
    html = (
        f'<header class="mk-verdict {tone(sign)}"><p class="mk-kind">Load test</p>'
        f"<h1>{sign_html(sign)}{escape(words)}</h1>"
        f'<p class="mk-subject"><strong>{escape(subject)}</strong></p><p class="mk-why">{escape(first)}</p>'
        f"{figures_html(_figures(result))}</header>"
        '<dl class="mk-about">'
        + "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in about)
        + "</dl>"
    )
    text = [f"{sign} {words}: {subject}", first, *(f"{label}: {value}" for label, value in about)]
    return Section((Fragment(html, "\n".join(clean_line(line) for line in text if line)),))


def _why(result: LoadResult) -> str:
    """Return the sentence that decides: what broke off, a limit broken, a stall, else the first that was said."""
    broken = frames.FINDINGS.rows(result.findings)
    told = [f"The load test broke off: {result.error}"] if result.error else []
    told += [row["what"] for row in broken if row["severity"] == "error"][:1]
    told += [*_broken_queries(result)[:1], *_slowed(result)[:1], *result.verdict[:1]]
    return told[0] if told else "Nothing was measured."


def _slowed(result: LoadResult) -> list[str]:
    """Return the sentences that are told nowhere else: not broken limits, not queries that fail."""
    limits_told = {row["what"] for row in frames.FINDINGS.rows(result.findings)}
    failing = set(_broken_queries(result))
    return [one for one in result.verdict if one not in limits_told and one not in failing]


def _broken_queries(result: LoadResult) -> list[str]:
    return [one for one in result.verdict if " fails: " in one]


def _figures(result: LoadResult) -> tuple[Fact, ...]:
    rows = frames.LOAD_STATEMENTS.rows(result.statements)
    worst = max(rows, key=lambda row: row["blocked_ms"] or 0.0, default=None)
    blocked = worst["blocked_ms"] or 0.0 if worst else 0.0
    later = [row for row in rows if row["phase"] != "baseline"]
    errors = sum(row["errors"] or 0 for row in later or rows)
    during = max((row["p99_ms"] or 0.0 for row in later), default=None)
    usual = max((row["p99_ms"] or 0.0 for row in rows if row["phase"] == "baseline"), default=None)
    where = shorten(worst["statement"], 40) if worst and blocked else ""
    now = usual if during is None else during
    return (
        Fact("Longest stall", units.milliseconds(blocked) if blocked else "none", where),
        Fact("Worst p99", units.milliseconds(now), f"{units.milliseconds(usual)} before" if later else ""),
        Fact("Failed requests", units.count(errors), "while the migration ran and after" if later else ""),
    )


def _about(result: LoadResult) -> Iterator[tuple[str, str]]:
    yield "Database", result.database
    asked = (
        "as fast as they were answered" if result.rate is None else f"{result.rate:,.4g} requests/s, {result.arrivals}"
    )
    yield "Asked", f"{result.workload}: {units.plural(result.clients, 'client')}, {asked}"
    yield "Reached", f"{result.reached_rate:,.4g} requests/s before the migration"
    yield "Started", units.instant(result.started_at)
    yield "Took", units.duration(result.seconds)
    told = ", ".join(f"{phase.name} {units.duration(phase.seconds)}" for phase in result.phases)
    if told:
        yield "Phases", told


def stalls(result: LoadResult) -> Section:
    """Return what stalled and why: the sentences, then who held what and who waited, over time."""
    told = lines_fragment([Line(NOTE, text) for text in _slowed(result)] or [Line(NOTE, "Nothing to say.")])
    run = result.run
    if run is None:
        return Section((told,))
    plot = Plot(swimlane(run.locks, run.waits, run.statements), alt_text_swimlane(run.locks, run.waits, run.statements))
    folds = folds_fragment([Fold("Every lock", run.locks), Fold("Every wait", run.waits)])
    return Section((told, plot, folds))


def latency(result: LoadResult) -> Section:
    """Return latency over time with the migration's statements marked, and its distribution in each phase."""
    statements = result.run.statements if result.run else None
    over_time = Plot(
        latency_over_time(result.timeline, statements), alt_text_latency_over_time(result.timeline, statements)
    )
    spread = Plot(latency_distribution(result.percentiles), alt_text_latency_distribution(result.percentiles))
    measured = Fragment(
        '<p class="mk-quiet">Measured from the moment each request was due, so a stall shows in full.</p>',
        "Measured from the moment each request was due.",
    )
    return Section((measured, over_time, _heading("How latencies are distributed"), spread))


def _heading(text: str) -> Fragment:
    return Fragment(f"<h3>{escape(text)}</h3>", text)


def statements(result: LoadResult) -> Section:
    """Return the figures of every statement of the workload, and the migration's statements."""
    side_by_side = _by_statement(result.statements)
    parts = [Fragment(frame_html(side_by_side, limit=_LIMIT), frame_text(side_by_side, limit=_LIMIT))]
    if result.run is not None:
        told = lines.statement_lines(result.run.statements)
        parts.append(lines_fragment(told, "The migration's statements"))
    sql = result.statements.drop_duplicates("statement").loc[:, ["statement", "sql"]]
    every = result.statements.loc[:, list(_LATENCIES)]
    parts.append(folds_fragment([Fold("Every figure", every), Fold("The workload", sql)]))
    return Section(tuple(parts))


def _by_statement(statements: pd.DataFrame) -> pd.DataFrame:
    """Return one row per statement, its phases side by side; the longest stalled first."""
    rows = frames.LOAD_STATEMENTS.rows(statements)
    phases = list(dict.fromkeys(row["phase"] for row in rows))
    table: dict[str, dict[str, Any]] = {}
    for row in rows:
        one = table.setdefault(row["statement"], {"statement": row["statement"], "blocked": 0.0, "errors": 0})
        one[f"p99 {row['phase']}"] = units.milliseconds(row["p99_ms"])
        one["blocked"] = max(one["blocked"], row["blocked_ms"] or 0.0)
        one["errors"] += row["errors"] or 0
    ranked = sorted(table.values(), key=lambda one: (-one["blocked"], -one["errors"], one["statement"]))
    for one in ranked:
        one["longest stall"] = units.milliseconds(one["blocked"]) if one["blocked"] else "none"
    columns = ["statement", *(f"p99 {phase}" for phase in phases), "longest stall", "errors"]
    return pd.DataFrame(ranked, columns=columns).fillna(units.MISSING)


def compatibility(result: LoadResult) -> Section:
    """Return requests that failed: queries that the new schema breaks show here, by their error."""
    if not len(result.errors):
        asked = int(result.statements["attempted"].sum())
        return sentence(f"No request failed, of {units.count(asked)}: before, during and after.")
    own = result.errors.loc[:, list(_ERRORS)]
    told = lines_fragment([Line(BAD, text) for text in _broken_queries(result)])
    return Section(
        (
            told,
            Fragment(frame_html(own, limit=_LIMIT), frame_text(own, limit=_LIMIT)),
        )
    )


def limits(result: LoadResult) -> Section:
    """Return which limits were broken."""
    rows = frames.FINDINGS.rows(result.findings)
    if result.run is None:
        return sentence(_NO_MIGRATION)
    if not rows:
        return sentence("No limit was broken; limits are set under [limits] in migkit.toml or in the migration.")
    items = "".join(finding_html(row) for row in rows[:_LIMIT])
    return Section(
        (Fragment(f'<ul class="mk-findings">{items}</ul>', lines.join(lines.finding_lines(result.findings))),)
    )


def unchecked(result: LoadResult) -> Section:
    """Return what was not measured; the verdict does not speak for it."""
    frame: pd.DataFrame = result.unchecked
    if result.run is not None and len(result.run.unchecked):
        frame = pd.concat([frame, result.run.unchecked], ignore_index=True).drop_duplicates()
    if not len(frame):
        return sentence("Nothing was left out.")
    return Section((Fragment(frame_html(frame, limit=_LIMIT), frame_text(frame, limit=_LIMIT)),))


def provenance(evidence: EvidenceFolder | str) -> Section:
    """Return the versions and the digests of the evidence's files."""
    opened = open_evidence(evidence) if isinstance(evidence, str) else evidence
    return made_with(opened.document.get("versions", {}), opened.document.get("files", {}))
