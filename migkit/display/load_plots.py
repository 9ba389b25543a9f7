"""Latencies of a load test: over time with the migration's statements marked, and as distributions per phase."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from migkit import frames
from migkit.display import units
from migkit.display.escape import clean_line, shorten
from migkit.display.figure import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    SKY,
    SMALL_POINTS,
    VERMILLION,
    add_panel,
    drawing,
    empty_figure,
    faded,
    sentence_figure,
    write,
)
from migkit.display.lines import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STATEMENT_LIMIT = 5
ALL = ""  # the name under which all statements are counted together

_ACROSS = (0.09, 0.68)
_PANEL_INCHES, _TITLE_INCHES, _FOOT_INCHES, _HEAD_INCHES = 0.86, 0.27, 0.46, 0.46
_PHASES = ("baseline", "during", "after", "rollback", "rolled back")
# Colour, line style and mark of each phase: any two of them alone tell the phases apart.
_PHASE_LOOKS: dict[str, tuple[str, Any, str]] = {
    "baseline": (BLUE, "-", "o"),
    "during": (VERMILLION, (0, (5, 1.5)), "s"),
    "after": (GREEN, (0, (1, 1.2)), "^"),
    "rollback": (ORANGE, (0, (4, 1.2, 1, 1.2)), "D"),
    "rolled back": (SKY, (0, (2, 2)), "v"),
}
_POWERS = (0.01, 0.1, 1, 10, 100, 1_000, 10_000, 100_000)
_NOTHING = "No request was measured."


def latency_over_time(timeline: pd.DataFrame, statements: pd.DataFrame | None = None) -> Figure:
    """Draw latency per second for each statement of the workload, with the migration's statements marked.

    Parameters
    ----------
    timeline : pandas.DataFrame
        :data:`migkit.frames.TIMELINE`.
    statements : pandas.DataFrame, optional
        :data:`migkit.frames.STATEMENTS` of the migration's run; each is a grey band with its number.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per statement, the worst stalled first: p50 as a line, p99 as a dashed line with marks, the longest
        request as a tick; seconds with errors are crossed. Milliseconds grow by powers of ten.
    """
    rows = frames.TIMELINE.rows(timeline)
    panels = _panels(rows)
    with drawing():
        if not panels:
            return sentence_figure(_NOTHING)
        step = _PANEL_INCHES + _TITLE_INCHES
        figure = empty_figure(_HEAD_INCHES + step * len(panels) + _FOOT_INCHES)
        figure.set_label(alt_text_latency_over_time(timeline, statements))
        marks = _migration_spans(rows, statements)
        limits = _limits(rows)
        for number, (name, own) in enumerate(panels):
            axes = add_panel(figure, _HEAD_INCHES + step * number + _TITLE_INCHES, _PANEL_INCHES, _ACROSS)
            _dress_latency(axes, _seconds(rows), limits, last=number == len(panels) - 1)
            _draw_spans(axes, marks, numbered=number == 0)
            _draw_latency(axes, own)
            _draw_words(axes, name, own)
        _draw_phases(figure.axes[0], rows)
        return figure


def _panels(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return the rows of each statement, those with the longest request first."""
    by_statement: dict[str, list[Row]] = {}
    for row in rows:
        by_statement.setdefault(row["statement"] or ALL, []).append(row)
    named = {name: own for name, own in by_statement.items() if name != ALL} or by_statement
    ranked = sorted(named.items(), key=lambda item: (-(_longest(item[1])), item[0]))
    return ranked[:STATEMENT_LIMIT]


def _longest(rows: Sequence[Row]) -> float:
    return max((row["max_ms"] or 0.0 for row in rows), default=0.0)


def _seconds(rows: Sequence[Row]) -> int:
    return max((row["second"] for row in rows), default=0) + 1


def _limits(rows: Sequence[Row]) -> tuple[float, float]:
    """Return the lowest and highest milliseconds to show, with room for numbers below and crosses above."""
    low = min((row["p50_ms"] for row in rows if row["p50_ms"]), default=1.0) / 4
    return low, max(_longest(rows) * 2.2, low * 100)


def _dress_latency(axes: Axes, seconds: int, limits: tuple[float, float], *, last: bool) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    axes.set_xlim(-0.02 * seconds, seconds)
    axes.set_yscale("log")
    axes.set_ylim(*limits)
    ticks = [tick for tick in _POWERS if limits[0] < tick < limits[1]]
    axes.yaxis.set_major_locator(FixedLocator(ticks[-1::-2] if len(ticks) > 3 else ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.grid(axis="y", color=INK, alpha=0.22, linewidth=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if last else ""))
    axes.tick_params(axis="both", labelsize=SMALL_POINTS)
    axes.set_axisbelow(True)
    if last:
        axes.set_xlabel("s since the load began   — p50   ▲ p99   ▂ longest   ✕ errors", labelpad=4)


def _short(milliseconds: float) -> str:
    return f"{milliseconds / 1000:g} s" if milliseconds >= 1000 else f"{milliseconds:g} ms"


def _draw_latency(axes: Axes, rows: Sequence[Row]) -> None:
    whole = _by_second(rows)
    at = [second + 0.5 for second in whole]
    axes.plot(at, [one["p50"] for one in whole.values()], color=BLUE, linewidth=1.6, zorder=3)
    looks: Any = {"color": VERMILLION, "linewidth": 1.1, "linestyle": (0, (4, 1.5)), "marker": "^", "zorder": 4}
    axes.plot(at, [one["p99"] for one in whole.values()], markersize=3.6 if len(at) < 80 else 2.2, **looks)
    axes.plot(at, [one["max"] for one in whole.values()], linestyle="", marker="_", markersize=5, color=INK, zorder=3)
    bad = [second + 0.5 for second, one in whole.items() if one["errors"]]
    _, high = axes.get_ylim()
    axes.plot(bad, [high * 0.78] * len(bad), linestyle="", marker="x", markersize=5, color=INK, clip_on=False, zorder=5)


def _by_second(rows: Sequence[Row]) -> dict[int, dict[str, float]]:
    """Return each second's numbers; a second in which the phase changes has several rows, of which the worst counts."""
    whole: dict[int, dict[str, float]] = {}
    for row in rows:
        one = whole.setdefault(row["second"], {"p50": _NAN, "p99": _NAN, "max": _NAN, "errors": 0})
        for name in ("p50", "p99", "max"):
            value = row[f"{name}_ms"]
            if value is not None:
                one[name] = value if one[name] != one[name] else max(one[name], value)
        one["errors"] += row["errors"] or 0
    return dict(sorted(whole.items()))


_NAN = float("nan")


def _draw_words(axes: Axes, name: str, rows: Sequence[Row]) -> None:
    title = shorten(name or "all statements", 60)
    axes.text(0.0, 1.05, title, transform=axes.transAxes, va="bottom", weight="bold")
    lines = [
        f"{phase} {units.milliseconds(_worst(own, 'p99_ms'))}" + (f", {units.count(errors)} errors" if errors else "")
        for phase in _phases(rows)
        for own in [[row for row in rows if row["phase"] == phase]]
        for errors in [sum(row["errors"] or 0 for row in own)]
    ]
    write(axes, "worst p99 of a second", (1, 1), (8, 0), "fraction fraction", va="top", fontsize=SMALL_POINTS)
    for number, line in enumerate(lines[:5]):
        place = (8, -12.5 * (number + 1))
        write(axes, shorten(line, 34), (1, 1), place, "fraction fraction", va="top", fontsize=SMALL_POINTS)


def _worst(rows: Sequence[Row], name: str) -> float | None:
    return max((row[name] for row in rows if row[name] is not None), default=None)


def _phases(rows: Sequence[Row]) -> list[str]:
    found = {row["phase"] for row in rows}
    return [*(phase for phase in _PHASES if phase in found), *sorted(found - set(_PHASES))]


def _origin(rows: Sequence[Row]) -> tuple[datetime, int] | None:
    known = [(row["started_at"], row["second"]) for row in rows if row["started_at"] is not None]
    return min(known) if known else None


def _migration_spans(rows: Sequence[Row], statements: pd.DataFrame | None) -> list[tuple[int, float, float, Row]]:
    """Return number, first and last second of every statement of the migration, on the clock of the load."""
    origin = _origin(rows)
    if origin is None or statements is None:
        return []
    began, second = origin
    return [
        (row["number"], start, start + (row["seconds"] or 0.0), row)
        for row in frames.STATEMENTS.rows(statements)
        if row["started_at"] is not None
        for start in [(row["started_at"] - began).total_seconds() + second]
    ]


def _draw_spans(axes: Axes, spans: Sequence[tuple[int, float, float, Row]], *, numbered: bool) -> None:
    last = float("-inf")
    low, high = axes.get_xlim()
    for number, start, end, _ in spans:
        if end < low or start > high:
            continue
        axes.axvspan(
            start, max(end, start + 0.002 * (high - low)), facecolor=faded(INK, 0.22), edgecolor="none", zorder=1
        )
        axes.axvline(start, color=INK, alpha=0.6, linewidth=0.7, linestyle=(0, (1, 2)), zorder=2)
        if numbered and start - last >= 0.03 * (high - low):
            last = start
            write(axes, f"#{number}", (start, 0), (2, 2), "data fraction", va="bottom", fontsize=SMALL_POINTS)


def _draw_phases(axes: Axes, rows: Sequence[Row]) -> None:
    """Name the phases above the first panel, with a bracket over the time each took."""
    above = 1 + (_TITLE_INCHES + 0.10) / _PANEL_INCHES
    lower, upper = axes.get_xlim()
    reached = [float("-inf"), float("-inf")]  # how far each of two lines of names is written already
    for phase in _phases(rows):
        start, end = _span(rows, phase)
        left, right = (start - lower) / (upper - lower), (min(end, upper) - lower) / (upper - lower)
        place: Any = {"transform": axes.transAxes, "clip_on": False, "color": INK}
        axes.plot([left + 0.003, right - 0.003], [above, above], linewidth=1.0, **place)
        middle, half = (left + right) / 2, 0.008 * len(phase)
        # A phase too short for its name gives it where there is room, a little higher.
        line = 0 if middle - half >= reached[0] else 1
        reached[line] = middle + half
        place = {"ha": "center", "fontsize": SMALL_POINTS}
        write(axes, phase, (middle, above), (0, 4 + 10 * line), "fraction fraction", **place)


def _span(rows: Sequence[Row], phase: str) -> tuple[float, float]:
    """Return when a phase began and ended; two phases that share a second meet in its middle."""
    own = {row["second"] for row in rows if row["phase"] == phase}
    others = {row["second"] for row in rows if row["phase"] != phase}
    start, end = min(own), max(own) + 1
    if start == end - 1 and start in others:
        return start, end
    return start + 0.5 * (start in others), end - 0.5 * (end - 1 in others)


def alt_text_latency_over_time(timeline: pd.DataFrame, statements: pd.DataFrame | None = None) -> str:
    """Return what :func:`latency_over_time` shows, in words."""
    rows = frames.TIMELINE.rows(timeline)
    panels = _panels(rows)
    if not panels:
        return _NOTHING
    told = [f"{name or 'all statements'}: {_told_phases(own)}" for name, own in panels]
    spans = _migration_spans(rows, statements)
    marked = "; ".join(
        f"{number} at {start:.1f} s for {units.duration(end - start)}" for number, start, end, _ in spans[:10]
    )
    migration = f" The migration's statements: {marked}." if marked else ""
    return clean_line(f"Worst p99 of a second, per phase. {'; '.join(told)}.{migration}")


def _told_phases(rows: Sequence[Row]) -> str:
    parts = []
    for phase in _phases(rows):
        own = [row for row in rows if row["phase"] == phase]
        errors = sum(row["errors"] or 0 for row in own)
        failed = f" with {units.plural(errors, 'error')}" if errors else ""
        parts.append(f"{phase} {units.milliseconds(_worst(own, 'p99_ms'))}{failed}")
    return ", ".join(parts)


def latency_distribution(percentiles: pd.DataFrame, statement: str = ALL) -> Figure:
    """Draw how latencies are distributed before, during and after the migration.

    Parameters
    ----------
    percentiles : pandas.DataFrame
        :data:`migkit.frames.PERCENTILES`.
    statement : str
        The statement; by default all of them together.

    Returns
    -------
    matplotlib.figure.Figure
        One line per phase, each with a style and marks of its own and its name at its end. To the right the last
        percentiles are spread out: every step is ten times rarer.
    """
    curves = _curves(percentiles, statement)
    with drawing():
        if not curves:
            return sentence_figure(_NOTHING)
        figure = empty_figure(2.75)
        figure.set_label(alt_text_latency_distribution(percentiles, statement))
        axes = add_panel(figure, 0.12, 2.12, (0.09, 0.70))
        _dress_distribution(axes, curves)
        ends = []
        for phase, points in curves.items():
            colour, line, mark = _PHASE_LOOKS.get(phase, (INK, "-", "."))
            at, latencies = [_rarity(point[0]) for point in points], [point[1] for point in points]
            every = max(1, len(points) // 6)
            axes.plot(
                at, latencies, color=colour, linestyle=line, linewidth=1.7, marker=mark, markersize=5, markevery=every
            )
            ends.append((latencies[-1], phase))
        _name_curves(axes, ends)
        return figure


def _curves(percentiles: pd.DataFrame, statement: str) -> dict[str, list[tuple[float, float]]]:
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in frames.PERCENTILES.rows(percentiles):
        if (row["statement"] or ALL) == statement and row["latency_ms"] is not None and row["percentile"] is not None:
            curves.setdefault(row["phase"], []).append((row["percentile"], max(row["latency_ms"], 0.01)))
    ordered = [*(phase for phase in _PHASES if phase in curves), *sorted(set(curves) - set(_PHASES))]
    return {phase: _in_sight(sorted(curves[phase])) for phase in ordered}


def _in_sight(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Leave out 100 % and what is rarer than 1 in 100,000: no axis reaches there; the longest request ends the line."""
    seen = [point for point in points if point[0] <= 99.999]
    return [*seen, (min(99.9995, _next(seen)), points[-1][1])] if points[-1] not in seen else seen


def _next(points: Sequence[tuple[float, float]]) -> float:
    return 100 - (100 - points[-1][0]) / 2 if points else 50.0


def _rarity(percentile: float) -> float:
    """Return where a percentile lies: 0 for 0 %, 1 for 90 %, 2 for 99 %, 3 for 99.9 %."""
    return -math.log10(max(1e-6, 1 - percentile / 100))


def _dress_distribution(axes: Axes, curves: dict[str, list[tuple[float, float]]]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    points = [point for curve in curves.values() for point in curve]
    furthest = max(_rarity(point[0]) for point in points)
    known = [(_rarity(50), "50 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9 %"), (4.0, "99.99 %")]
    shown = [(at, words) for at, words in known if at <= furthest + 0.05]
    axes.set_xlim(-0.05, furthest * 1.03)
    axes.set_xticks([at for at, _ in shown], [words for _, words in shown])
    axes.set_yscale("log")
    low, high = min(point[1] for point in points) / 1.5, max(point[1] for point in points) * 1.6
    axes.set_ylim(low, high)
    ticks = [tick for tick in _POWERS if low <= tick <= high]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.tick_params(axis="both", labelsize=SMALL_POINTS)
    axes.grid(color=INK, alpha=0.2, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("share of requests that took no longer", labelpad=4)


def _name_curves(axes: Axes, ends: Sequence[tuple[float, str]]) -> None:
    """Write each phase's name and longest request beside the end of its line, none over another."""
    low, high = (math.log10(limit) for limit in axes.get_ylim())
    heights: list[float] = []
    for latency, phase in sorted(ends, reverse=True):
        height = (math.log10(latency) - low) / (high - low)
        height = min(height, heights[-1] - 0.15) if heights else min(height, 0.97)
        heights.append(height)
        mark = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼"}.get(_PHASE_LOOKS.get(phase, ("", "", ""))[2], "·")
        write(axes, f"{mark} {phase}", (1, height), (8, 3), "fraction fraction", va="center", weight="bold")
        told = f"longest {units.milliseconds(latency)}"
        write(axes, told, (1, height), (20, -8), "fraction fraction", va="center", fontsize=SMALL_POINTS)


def alt_text_latency_distribution(percentiles: pd.DataFrame, statement: str = ALL) -> str:
    """Return what :func:`latency_distribution` shows, in words."""
    curves = _curves(percentiles, statement)
    if not curves:
        return _NOTHING
    told = []
    for phase, points in curves.items():
        parts = [f"p{share:g} {units.milliseconds(_at(points, share))}" for share in (50, 99, 99.9)]
        told.append(f"{phase}: {', '.join(parts)}, longest {units.milliseconds(points[-1][1])}")
    name = f" of {statement}" if statement else ""
    return clean_line(f"Distribution of latencies{name}. {'; '.join(told)}.")


def _at(points: Sequence[tuple[float, float]], share: float) -> float:
    return next((latency for percentile, latency in points if percentile >= share), points[-1][1])
