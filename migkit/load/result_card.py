"""The card of a load test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from migkit.display.card import Card, Fact, Fold
from migkit.display.lines import BAD, GOOD, NOTE, WARN, Line
from migkit.display.units import count, milliseconds
from migkit.frames import LOAD_STATEMENTS
from migkit.load.phases import BASELINE, DURING

_SIGNS = {"passed": GOOD, "failed": BAD, "interrupted": WARN, "error": BAD}
_SHOWN = ("phase", "statement", "done", "errors", "p50_ms", "p99_ms", "p999_ms", "max_ms", "blocked_ms")


def load_card(result: Any) -> Card:
    """Return what a load test shows of itself."""
    rows = LOAD_STATEMENTS.rows(result.statements)
    worst = {
        phase: max((row["p99_ms"] or 0.0 for row in rows if row["phase"] == phase), default=None)
        for phase in (BASELINE, DURING)
    }
    asked = "closed loop" if result.rate is None else f"asked for {_rate(result.rate)}"
    figures = [
        Fact("reached", _rate(result.reached_rate), asked),
        Fact("p99", _latency(worst[BASELINE]), "of the slowest statement"),
    ]
    if result.runs:
        figures.append(Fact("p99 during", _latency(worst[DURING]), result.runs[-1].migration))
    errors = sum(row["errors"] or 0 for row in rows)
    figures.append(Fact("errors", count(errors)))
    return Card(
        title=f"Load test of {result.database}: {result.workload}, {result.clients} clients",
        sign=_SIGNS[result.status],
        verdict=_verdict(result),
        figures=tuple(figures),
        lines=tuple(Line(_sign(sentence, rows), sentence) for sentence in result.verdict),
        folds=(
            Fold("Statements", result.statements, _SHOWN, told=True),
            Fold("Errors", result.errors, ("phase", "statement", "kind", "count", "message"), told=True),
            Fold("Seconds", result.timeline),
            Fold("Not checked", result.unchecked, told=True),
        ),
        noun="sentence",
    )


def _sign(sentence: str, statements: Sequence[Mapping[str, Any]]) -> str:
    """Return the sign of a sentence: which statement fails, and which was slowed, has to be seen first."""
    names = {row["statement"] for row in statements}
    if any(sentence.startswith(f"{name} fails: ") for name in names):
        return BAD
    return WARN if any(sentence.startswith(f"{name}: ") for name in names) else NOTE


def _verdict(result: Any) -> str:
    if result.status == "passed":
        return "passed"
    return f"{result.status}: {result.error}" if result.error else str(result.status)


def _rate(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:,.1f}/s"


def _latency(value: float | None) -> str:
    return milliseconds(value) if value is not None else "–"
