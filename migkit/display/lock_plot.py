"""The lock plot: who held what, for how long, and who waited for it; for one run, or for two under one clock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from migkit import frames
from migkit.display import units
from migkit.display.escape import clean_line, shorten
from migkit.display.figure import (
    INK,
    SMALL_POINTS,
    add_panel,
    drawing,
    empty_figure,
    faded,
    sentence_figure,
    time_axis,
    write,
)
from migkit.display.lock_lanes import (
    LOCK_LIMIT,
    WAIT_LIMIT,
    WEAK,
    Lane,
    grouped,
    held_words,
    lanes_of,
    origin_of,
    since_ms,
    strength,
    telling_locks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LANE_INCHES = 0.37
_HEAD_INCHES, _FOOT_INCHES = 0.24, 0.48
_TITLE_INCHES, _GAP_INCHES = 0.30, 0.10
_NOTHING = "No lock on a relation was recorded."


@dataclass(frozen=True, eq=False)
class RunLocks:
    """What one run locked, under the name it is to be told apart by.

    Parameters
    ----------
    name : str
        ``naive``, ``careful``.
    locks, waits, statements : pandas.DataFrame
        :data:`migkit.frames.LOCKS`, :data:`migkit.frames.WAITS` and :data:`migkit.frames.STATEMENTS` of one run.
    created : collection of str
        Relations the migration made itself: their locks are left out, nobody else knew them.
    """

    name: str
    locks: pd.DataFrame
    waits: pd.DataFrame
    statements: pd.DataFrame
    created: Collection[str] = ()

    def lanes(self) -> list[Lane]:
        """Return the bars of the run."""
        return lanes_of(self.locks, self.waits, self.statements, self.created)

    def origin(self) -> datetime | None:
        """Return the first instant known of the run."""
        return origin_of(self.locks, self.waits, self.statements)


def lock_durations(
    locks: pd.DataFrame, waits: pd.DataFrame, statements: pd.DataFrame, created: Collection[str] = ()
) -> Figure:
    """Draw how long each lock was held and who waited.

    Parameters
    ----------
    locks, waits, statements : pandas.DataFrame
        :data:`migkit.frames.LOCKS`, :data:`migkit.frames.WAITS` and :data:`migkit.frames.STATEMENTS` of one run.
    created : collection of str
        Relations the migration made itself: their locks are left out, nobody else knew them.

    Returns
    -------
    matplotlib.figure.Figure
        One lane per lock, hatched by what it kept others from; sessions that waited below it, hollow. A lock that a
        stronger one on the same relation covers is left out.
    """
    run = RunLocks("", locks, waits, statements, created)
    with drawing():
        if not run.lanes():
            return sentence_figure(_NOTHING)
        return _draw([run], alt_text_lock_durations(locks, waits, created))


def lock_durations_compared(first: RunLocks, second: RunLocks) -> Figure:
    """Draw the locks of two runs under one clock: the naive migration, and below it its careful rewrite.

    Parameters
    ----------
    first, second : RunLocks
        The runs; each begins at its own first statement.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per run, the same scale of time in both; each says how long writes were kept out.
    """
    with drawing():
        return _draw([first, second], alt_text_lock_durations_compared(first, second))


def _draw(runs: Sequence[RunLocks], words: str) -> Figure:
    lanes = [run.lanes() for run in runs]
    title = _TITLE_INCHES if len(runs) > 1 else 0.0
    heights = [_LANE_INCHES * max(1, len(one)) for one in lanes]
    between = (len(runs) - 1) * _GAP_INCHES
    figure = empty_figure(sum(heights) + len(runs) * (title + _HEAD_INCHES) + between + _FOOT_INCHES)
    figure.set_label(words)
    extent = max((lane.end_ms for one in lanes for lane in one), default=0.0) or 1.0
    top = 0.0
    for run, one, height in zip(runs, lanes, heights, strict=True):
        axes = add_panel(figure, top + title + _HEAD_INCHES, height)
        _dress(axes, extent, len(one), last=run is runs[-1])
        for number, lane in enumerate(one):
            _draw_lane(axes, number, lane, extent)
        _mark_statements(axes, run.statements, run.origin(), extent)
        if title:
            _draw_title(axes, run, height, bare=not one)
        top += title + _HEAD_INCHES + height + _GAP_INCHES
    return figure


def _draw_title(axes: Axes, run: RunLocks, height: float, *, bare: bool) -> None:
    above = 1 + (_HEAD_INCHES + 0.08) / height
    name = shorten(run.name, 26)
    axes.text(-0.63, above, name, transform=axes.transAxes, va="bottom", weight="bold")
    axes.text(0.0, above, _verdict(run), transform=axes.transAxes, va="bottom")
    if bare:
        axes.text(0.01, 0.5, _NOTHING, transform=axes.transAxes, va="center")


def _verdict(run: RunLocks) -> str:
    kept_out = kept_out_ms(run)
    told = f"writes kept out for {units.milliseconds(kept_out)}" if kept_out else "writes were never kept out"
    waiters = int(run.waits["waiter"].nunique()) if len(run.waits) else 0
    return f"{told}; {units.plural(waiters, 'session')} waited" if waiters else f"{told}; nobody waited"


def kept_out_ms(run: RunLocks) -> float:
    """Return how long some relation could not be written, overlapping locks counted once, in milliseconds."""
    origin = run.origin()
    held = [row for row in telling_locks(run.locks, run.created) if strength(row) < WEAK]
    spans = sorted(
        (start, max(start + (row["held_ms"] or 0.0), since_ms(origin, row["released_at"]) or 0.0))
        for row in held
        for start in [since_ms(origin, row["granted_at"]) or 0.0]
    )
    total, until = 0.0, 0.0
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _dress(axes: Axes, extent: float, lanes: int, *, last: bool) -> None:
    axes.set_xlim(-0.01 * extent, 1.03 * extent)
    axes.set_ylim(max(1, lanes) - 0.45, -0.55)
    time_axis(axes, extent, "since the first statement" if last else "")


def _draw_lane(axes: Axes, number: int, lane: Lane, extent: float) -> None:
    colour, hatch = lane.look
    for start, end in lane.bars:
        width = max(end - start, 0.006 * extent)
        place: Any = {"y": number, "width": width, "left": start, "height": 0.34 if lane.waits else 0.52}
        if not lane.waits:
            axes.barh(**place, facecolor=faded(colour), edgecolor="none")
        # A hatch takes the opacity of the face it lies on, so it gets a bar of its own.
        axes.barh(**place, facecolor="none", edgecolor=colour, hatch=hatch, linewidth=1.0)
    weight = "normal" if lane.waits else "bold"
    write(axes, shorten(lane.name, 24), (0, number), (-10, 0), "fraction data", ha="right", va="center")
    write(axes, shorten(lane.words, 36), (1, number), (10, 5), "fraction data", va="center", weight=weight)
    write(axes, lane.effect, (1, number), (10, -6), "fraction data", va="center", fontsize=SMALL_POINTS)


def _mark_statements(axes: Axes, statements: pd.DataFrame, origin: datetime | None, extent: float) -> None:
    last = -extent
    for row in frames.STATEMENTS.rows(statements):
        start = since_ms(origin, row["started_at"])
        if start is None or start > extent:
            continue
        axes.axvline(start, color=INK, alpha=0.45, linewidth=0.7, linestyle=(0, (1, 2)))
        if start - last >= 0.045 * extent:
            last = start
            number = str(row["number"])
            place: Any = {"ha": "center", "va": "bottom", "fontsize": SMALL_POINTS}
            write(axes, number, (start, 1), (0, 3), "data fraction", **place)
    if last >= 0:
        place = {"ha": "right", "va": "bottom", "fontsize": SMALL_POINTS}
        write(axes, "statement", (0, 1), (-10, 3), "fraction fraction", **place)


def alt_text_lock_durations(locks: pd.DataFrame, waits: pd.DataFrame, created: Collection[str] = ()) -> str:
    """Return what :func:`lock_durations` shows, in words."""
    held = grouped(telling_locks(locks, created))
    if not held and not len(waits):
        return _NOTHING
    told = [
        f"{row['mode']} on {row['relation']} for {held_words(stretches)}"
        + (f", blocking {row['blocks']}" if row["blocks"] else "")
        for stretches in held[:LOCK_LIMIT]
        for row in stretches[:1]
    ]
    waited = [
        f"session {row['waiter']} waited {units.milliseconds(row['waited_ms'])} for {row['relation']}"
        for row in frames.WAITS.rows(waits)[:WAIT_LIMIT]
    ]
    return clean_line(f"Locks held: {'; '.join(told) or 'none'}. Waiting: {'; '.join(waited) or 'nobody'}.")


def alt_text_lock_durations_compared(first: RunLocks, second: RunLocks) -> str:
    """Return what :func:`lock_durations_compared` shows, in words."""
    told = [
        f"{run.name}: {_verdict(run)}. {alt_text_lock_durations(run.locks, run.waits, run.created)}"
        for run in (first, second)
    ]
    return clean_line(" ".join(told))
