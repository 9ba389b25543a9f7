"""The lock plot: who held what, for how long, and who waited for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from migkit import frames
from migkit.display import units
from migkit.display.escape import clean_line, shorten
from migkit.display.figure import BLUE, INK, ORANGE, VERMILLION, drawing, new_figure, sentence_figure, write
from migkit.display.lines import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOCK_LIMIT = 12
WAIT_LIMIT = 8
WEAK = 2

_LANE_INCHES = 0.37
_LOOKS: tuple[tuple[str, str], ...] = ((VERMILLION, "////"), (ORANGE, "\\\\\\"), (BLUE, ""))


@dataclass(frozen=True)
class _Lane:
    """One bar: from and until in milliseconds since the run began."""

    name: str
    words: str
    effect: str
    start_ms: float
    end_ms: float
    look: tuple[str, str]
    waits: bool = False


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
    lanes = _lanes(locks, waits, statements, created)
    with drawing():
        if not lanes:
            return sentence_figure("No lock on a relation was recorded.")
        figure, axes = new_figure(0.72 + _LANE_INCHES * len(lanes))
        figure.set_label(alt_text_lock_durations(locks, waits, created))
        inches = float(figure.get_size_inches()[1])
        axes.set_position((0.24, 0.48 / inches, 0.38, 1 - 0.72 / inches))
        extent = max(lane.end_ms for lane in lanes) or 1.0
        _dress(axes, extent, len(lanes))
        for number, lane in enumerate(lanes):
            _draw_lane(axes, number, lane, extent)
        _mark_statements(axes, statements, _origin(locks, waits, statements), extent)
        return figure


def _origin(*parts: pd.DataFrame) -> datetime | None:
    columns = ("granted_at", "started_at")
    instants = [frame[name].min() for frame in parts for name in columns if name in frame and len(frame)]
    known = [instant for instant in instants if not pd.isna(instant)]
    return min(known) if known else None


def _since(origin: datetime | None, instant: datetime | None) -> float | None:
    return None if origin is None or instant is None else (instant - origin).total_seconds() * 1000


def merged_locks(locks: pd.DataFrame, created: Collection[str] = ()) -> list[Row]:
    """Return one row per relation and mode, the strongest and longest first.

    Parameters
    ----------
    locks : pandas.DataFrame
        :data:`migkit.frames.LOCKS`. A lock taken by several statements counts from the first grant
        to the last release.
    created : collection of str
        Relations the migration made itself, left out: nobody else knew them.
    """
    merged: dict[tuple[str, str], Row] = {}
    for row in frames.LOCKS.rows(locks):
        if row["relation"] not in created:
            key = (row["relation"], row["mode"])
            merged[key] = _union(merged[key], row) if key in merged else row
    return sorted(merged.values(), key=lambda row: (strength(row), -(row["held_ms"] or 0), row["relation"]))


def strength(row: Row) -> int:
    """Return 0 for a lock that keeps others from reading, 1 from writing, ``WEAK`` (2) from neither."""
    blocks = row["blocks"] or ""
    # SQLite: "writes (and reads while committing)" keeps others from writing first of all.
    return 0 if blocks.startswith("reads") else 1 if "writes" in blocks else WEAK


def _telling_locks(locks: pd.DataFrame, created: Collection[str]) -> list[Row]:
    """Leave out a lock that a stronger one on the same relation covers from start to end."""
    told: list[Row] = []
    for row in merged_locks(locks, created):
        if not any(one["relation"] == row["relation"] and _covers(one, row) for one in told):
            told.append(row)
    return told


def _covers(strong: Row, weak: Row) -> bool:
    edges = (strong["granted_at"], strong["released_at"], weak["granted_at"], weak["released_at"])
    if any(edge is None for edge in edges):
        return False
    return bool(strong["granted_at"] <= weak["granted_at"] and weak["released_at"] <= strong["released_at"])


def _union(first: Row, second: Row) -> Row:
    starts = [row["granted_at"] for row in (first, second) if row["granted_at"] is not None]
    ends = [row["released_at"] for row in (first, second) if row["released_at"] is not None]
    held = max((row["held_ms"] for row in (first, second) if row["held_ms"] is not None), default=None)
    if starts and ends:
        held = max(held or 0.0, (max(ends) - min(starts)).total_seconds() * 1000)
    return {
        **first,
        "granted_at": min(starts, default=None),
        "released_at": max(ends, default=None),
        "held_ms": held,
    }


def _lanes(locks: pd.DataFrame, waits: pd.DataFrame, statements: pd.DataFrame, created: Collection[str]) -> list[_Lane]:
    origin = _origin(locks, waits, statements)
    waiting = sorted(frames.WAITS.rows(waits), key=lambda row: -(row["waited_ms"] or 0))[:WAIT_LIMIT]
    lanes: list[_Lane] = []
    told: set[str] = set()
    for row in _telling_locks(locks, created)[:LOCK_LIMIT]:
        lanes.append(_lock_lane(row, origin))
        if row["relation"] not in told:
            told.add(row["relation"])
            lanes += [_wait_lane(wait, origin) for wait in waiting if wait["relation"] == row["relation"]]
    return lanes + [_wait_lane(wait, origin) for wait in waiting if wait["relation"] not in told]


def _lock_lane(row: Row, origin: datetime | None) -> _Lane:
    start = _since(origin, row["granted_at"]) or 0.0
    held = row["held_ms"] or 0.0
    about = "" if row["exact"] is not False else "about "
    return _Lane(
        name=row["relation"],
        words=f"{about}{units.milliseconds(row['held_ms'])}, {row['mode']}",
        effect=f"blocks {row['blocks'] or 'nobody'}",
        start_ms=start,
        end_ms=_since(origin, row["released_at"]) or start + held,
        look=_LOOKS[strength(row)],
    )


def _wait_lane(row: Row, origin: datetime | None) -> _Lane:
    start = _since(origin, row["started_at"]) or 0.0
    waited = units.milliseconds(row["waited_ms"])
    who = f"session {row['waiter']}" if row["by_migration"] is not False else "the migration"
    return _Lane(
        name=f"↳ {who}",
        words=f"waited {waited}",
        effect=shorten(row["waiter_query"] or row["mode"] or "", 34),
        start_ms=start,
        end_ms=max(_since(origin, row["ended_at"]) or 0.0, start + (row["waited_ms"] or 0.0)),
        look=(INK, "|||"),
        waits=True,
    )


def _dress(axes: Axes, extent: float, lanes: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlim(-0.01 * extent, 1.03 * extent)
    axes.set_ylim(lanes - 0.45, -0.55)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    unit, divisor = ("s", 1000.0) if extent >= 2000 else ("ms", 1.0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / divisor:g}"))
    axes.set_xlabel(f"{unit} since the first statement", labelpad=4)
    axes.grid(axis="x", color=INK, alpha=0.18, linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_lane(axes: Axes, number: int, lane: _Lane, extent: float) -> None:
    colour, hatch = lane.look
    width = max(lane.end_ms - lane.start_ms, 0.006 * extent)
    place: Any = {"y": number, "width": width, "left": lane.start_ms, "height": 0.34 if lane.waits else 0.52}
    if not lane.waits:
        axes.barh(**place, facecolor=(*_rgb(colour), 0.3), edgecolor="none")
    # A hatch takes the opacity of the face it lies on, so it gets a bar of its own.
    axes.barh(**place, facecolor="none", edgecolor=colour, hatch=hatch, linewidth=1.0)
    weight = "normal" if lane.waits else "bold"
    write(axes, shorten(lane.name, 24), (0, number), (-10, 0), "fraction data", ha="right", va="center")
    write(axes, shorten(lane.words, 40), (1, number), (10, 5), "fraction data", va="center", weight=weight)
    write(axes, lane.effect, (1, number), (10, -6), "fraction data", va="center", fontsize=7.6)


def _rgb(colour: str) -> tuple[float, float, float]:
    return (int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255)


def _mark_statements(axes: Axes, statements: pd.DataFrame, origin: datetime | None, extent: float) -> None:
    last = -extent
    for row in frames.STATEMENTS.rows(statements):
        start = _since(origin, row["started_at"])
        if start is None or start > extent:
            continue
        axes.axvline(start, color=INK, alpha=0.45, linewidth=0.7, linestyle=(0, (1, 2)))
        if start - last >= 0.035 * extent:
            last = start
            write(axes, str(row["number"]), (start, 1), (0, 3), "data fraction", ha="center", va="bottom", fontsize=7)
    if last >= 0:
        write(axes, "statement", (0, 1), (-10, 3), "fraction fraction", ha="right", va="bottom", fontsize=7)


def alt_text_lock_durations(locks: pd.DataFrame, waits: pd.DataFrame, created: Collection[str] = ()) -> str:
    """Return what :func:`lock_durations` shows, in words."""
    held = _telling_locks(locks, created)
    if not held and not len(waits):
        return "No lock on a relation was recorded."
    told = [
        f"{row['mode']} on {row['relation']} for {units.milliseconds(row['held_ms'])}"
        + (f", blocking {row['blocks']}" if row["blocks"] else "")
        for row in held[:LOCK_LIMIT]
    ]
    waited = [
        f"session {row['waiter']} waited {units.milliseconds(row['waited_ms'])} for {row['relation']}"
        for row in frames.WAITS.rows(waits)[:WAIT_LIMIT]
    ]
    return clean_line(f"Locks held: {'; '.join(told) or 'none'}. Waiting: {'; '.join(waited) or 'nobody'}.")
