"""Curves of a load test as small SVGs with the figures beside them: throughput, latency, waiting requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from migkit.display import units
from migkit.display.escape import escape, shorten
from migkit.display.live import Facts

SECONDS_SHOWN = 120
_WIDTH, _HEIGHT = 300.0, 48.0


def curves_html(rows: Sequence[Facts], statements: Sequence[Facts] = ()) -> str:
    """Return what a load test measured so far, second by second.

    Parameters
    ----------
    rows : sequence of mappings
        Rows of :data:`migkit.frames.TIMELINE`; the statements of one second are taken together.
    statements : sequence of mappings
        Rows of :data:`migkit.frames.STATEMENTS`: those of the migration are marked where they began.
    """
    if not rows:
        return ""
    seconds = sorted({_place(row) for row in rows})[-SECONDS_SHOWN:]
    groups = [[row for row in rows if _place(row) == second] for second in seconds]
    marks = [*_phase_changes(groups), *_statement_marks(groups, statements)]
    curves = (
        ("throughput", [_sum(group, "done") for group in groups], lambda value: f"{units.count(round(value))}/s"),
        ("p50", [_worst(group, "p50_ms") for group in groups], units.milliseconds),
        ("p99", [_worst(group, "p99_ms") for group in groups], units.milliseconds),
        ("requests waiting", [_worst(group, "blocked") for group in groups], lambda value: units.count(round(value))),
    )
    figures = "".join(_curve(name, values, words, marks) for name, values, words in curves)
    return f'<div class="mk-curves">{figures}</div>'


def _place(row: Facts) -> int:
    return int(row.get("second") or 0)


def _sum(group: Sequence[Facts], name: str) -> float:
    return float(sum(row.get(name) or 0 for row in group))


def _worst(group: Sequence[Facts], name: str) -> float:
    return float(max((row.get(name) or 0 for row in group), default=0))


def _statement_marks(groups: Sequence[Sequence[Facts]], statements: Sequence[Facts]) -> list[tuple[float, str]]:
    """Return where the statements of the migration began."""
    first = groups[0][0].get("started_at")
    if first is None:
        return []
    marks = []
    for row in statements:
        started = row.get("started_at")
        place = -1.0 if started is None else (started - first).total_seconds()
        if 0 <= place <= len(groups) - 1 and row.get("kind") in ("ddl", "dml"):
            marks.append((place, shorten(row.get("summary") or row.get("sql") or "", 80)))
    return marks


def _phase_changes(groups: Sequence[Sequence[Facts]]) -> list[tuple[float, str]]:
    """Return where a phase begins: the migration starts, ends, and is taken back."""
    changes: list[tuple[float, str]] = []
    before = None
    for number, group in enumerate(groups):
        phase = str(group[0].get("phase") or "")
        if before is not None and phase != before:
            changes.append((number, phase))
        before = phase
    return changes


def _curve(
    name: str, values: Sequence[float], words: Callable[[float], str], marks: Sequence[tuple[float, str]]
) -> str:
    top = max(values) or 1.0
    step = _WIDTH / max(1, len(values) - 1)
    heights = [_HEIGHT - 2 - (_HEIGHT - 6) * value / top for value in values]
    points = " ".join(f"{number * step:.1f},{height:.1f}" for number, height in enumerate(heights))
    lines = "".join(
        f'<line x1="{number * step:.1f}" x2="{number * step:.1f}" y1="0" y2="{_HEIGHT:.0f}"><title>{escape(phase)}'
        "</title></line>"
        for number, phase in marks
    )
    now, most = words(values[-1]), words(top if max(values) else 0.0)
    label = f"{name} over {units.plural(len(values), 'second')}: {now} now, at most {most}"
    return (
        f'<figure><figcaption><span class="mk-quiet">{escape(name)}</span> <strong>{escape(now)}</strong></figcaption>'
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{lines}<polyline points="{points}"/></svg></figure>'
    )
