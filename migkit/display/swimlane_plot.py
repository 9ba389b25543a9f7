"""The swimlane: one lane per session, what it held and whom it waited for, over time; queues show as stairs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from migkit import frames
from migkit.display import units
from migkit.display.escape import clean_line, shorten, shorten_query
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
from migkit.display.lines import Row
from migkit.display.lock_lanes import LOOKS, WAITING_LOOK, WEAK, origin_of, since_ms, strength, telling_locks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SESSION_LIMIT = 16

_LANE_INCHES = 0.40
_FOOT_INCHES = 0.74
_NOBODY = "Nobody held anybody up: no lock and no wait was recorded."
_KEY = (("reads and writes kept out", LOOKS[0]), ("writes kept out", LOOKS[1]), ("waiting", WAITING_LOOK))


@dataclass(frozen=True)
class _Bar:
    """A stretch of time in a lane, in milliseconds since the start."""

    start_ms: float
    end_ms: float
    look: tuple[str, str]
    behind: int | None = None  # the session waited for


@dataclass(frozen=True)
class _Swimmer:
    """A session: its bars, and what is said of it."""

    session: int | None
    name: str
    words: str
    detail: str
    bars: tuple[_Bar, ...]


def swimlane(
    locks: pd.DataFrame, waits: pd.DataFrame, statements: pd.DataFrame | None = None, created: Collection[str] = ()
) -> Figure:
    """Draw holders and waiters over time, one lane per session.

    Parameters
    ----------
    locks, waits : pandas.DataFrame
        :data:`migkit.frames.LOCKS` and :data:`migkit.frames.WAITS` of one run, or of a database that was watched.
    statements : pandas.DataFrame, optional
        :data:`migkit.frames.STATEMENTS` of the run; none where nobody migrated.
    created : collection of str
        Relations the migration made itself: their locks are left out, nobody else knew them.

    Returns
    -------
    matplotlib.figure.Figure
        The migration first, then the sessions in the order in which they began to wait. A thin line leads from where a
        session began to wait up or down to the session it waited for.
    """
    swimmers = _swimmers(locks, waits, statements, created)
    with drawing():
        if not swimmers:
            return sentence_figure(_NOBODY)
        shown = swimmers[:SESSION_LIMIT]
        height = _LANE_INCHES * len(shown)
        figure = empty_figure(0.14 + height + _FOOT_INCHES)
        figure.set_label(alt_text_swimlane(locks, waits, statements, created))
        axes = add_panel(figure, 0.14, height)
        extent = max(bar.end_ms for swimmer in swimmers for bar in swimmer.bars) or 1.0
        axes.set_xlim(-0.01 * extent, 1.03 * extent)
        axes.set_ylim(len(shown) - 0.45, -0.55)
        time_axis(axes, extent, _since_when(statements))
        places = {swimmer.session: number for number, swimmer in enumerate(shown)}
        for number, swimmer in enumerate(shown):
            _draw_swimmer(axes, number, swimmer, places, extent)
        _draw_key(axes, height, len(swimmers) - len(shown))
        return figure


def _is_run(statements: pd.DataFrame | None) -> bool:
    return statements is not None and len(statements) > 0


def _since_when(statements: pd.DataFrame | None) -> str:
    return "since the first statement" if _is_run(statements) else "since the first lock or wait"


def _swimmers(
    locks: pd.DataFrame, waits: pd.DataFrame, statements: pd.DataFrame | None, created: Collection[str]
) -> list[_Swimmer]:
    origin = origin_of(locks, waits, *([] if statements is None else [statements]))
    rows = sorted(frames.WAITS.rows(waits), key=lambda row: since_ms(origin, row["started_at"]) or 0.0)
    migration = _migration_session(rows)
    by_waiter: dict[int, list[Row]] = {}
    for row in rows:
        by_waiter.setdefault(row["waiter"], []).append(row)
    swimmers = []
    held = telling_locks(locks, created)
    own_locks = [row for row in held if row["session"] is None]
    if own_locks or (migration is not None and (_is_run(statements) or migration in by_waiter)):
        own = [] if migration is None else by_waiter.pop(migration, [])
        swimmers.append(_holder(migration, "the migration", own_locks, own, origin))
    others = {row["session"] for row in held} - {None}
    for session in dict.fromkeys(row["session"] for row in held if row["session"] is not None):
        taken = [row for row in held if row["session"] == session]
        swimmers.append(_holder(session, f"session {session}", taken, by_waiter.pop(session, []), origin))
    for session, blocked in _silent_blockers(rows, migration):
        if session not in others:
            swimmers.append(_outsider(session, blocked, origin))
    return swimmers + [_waiter(session, own, migration, origin) for session, own in by_waiter.items()]


def _migration_session(waits: Sequence[Row]) -> int | None:
    """Return the migration's session: the one that waited itself, else the one most others waited for."""
    own = [row["waiter"] for row in waits if row["by_migration"] is False]
    waiters = {row["waiter"] for row in waits}
    heads = [row["blocker"] for row in waits if row["by_migration"] and row["blocker"] not in waiters]
    counted = Counter(own or heads or [row["blocker"] for row in waits if row["by_migration"]])
    return counted.most_common(1)[0][0] if counted else None


def _silent_blockers(waits: Sequence[Row], migration: int | None) -> list[tuple[int, list[Row]]]:
    """Return sessions that somebody waited for and that never waited themselves, other than the migration."""
    waiters = {row["waiter"] for row in waits}
    blocking: dict[int, list[Row]] = {}
    for row in waits:
        if row["blocker"] is not None and row["blocker"] != migration and row["blocker"] not in waiters:
            blocking.setdefault(row["blocker"], []).append(row)
    return list(blocking.items())


def _holder(
    session: int | None, name: str, held: Sequence[Row], waits: Sequence[Row], origin: datetime | None
) -> _Swimmer:
    strong = [row for row in held if strength(row) < WEAK] or list(held)
    told = [f"{row['mode']} on {row['relation']}" for row in strong]
    more = f" +{len(told) - 1}" if len(told) > 1 else ""
    longest = max((row["held_ms"] or 0.0 for row in strong), default=0.0)
    waited = sum(row["waited_ms"] or 0.0 for row in waits)
    words = [f"held {units.milliseconds(longest)}"] if strong else []
    words += [f"waited {units.milliseconds(waited)}"] if waits else []
    return _Swimmer(
        session=session,
        name=name,
        words=", ".join(words),
        detail=(shorten(told[0], 34) + more) if told else "",
        bars=(*_strongest([_held_bar(row, origin) for row in strong]), *(_wait_bar(row, origin) for row in waits)),
    )


def _held_bar(row: Row, origin: datetime | None) -> _Bar:
    start = since_ms(origin, row["granted_at"]) or 0.0
    end = since_ms(origin, row["released_at"]) or 0.0
    return _Bar(start, max(end, start + (row["held_ms"] or 0.0)), LOOKS[strength(row)])


def _strongest(bars: Sequence[_Bar]) -> list[_Bar]:
    """Cut overlapping bars up, so that each moment shows the strongest lock that was held then."""
    ranks = {look: rank for rank, look in enumerate(LOOKS)}
    edges = sorted({edge for bar in bars for edge in (bar.start_ms, bar.end_ms)})
    cut: list[_Bar] = []
    for start, end in itertools.pairwise(edges):
        held = [bar for bar in bars if bar.start_ms <= start and end <= bar.end_ms]
        if not held:
            continue
        look = min((bar.look for bar in held), key=lambda look: ranks[look])
        if cut and cut[-1].look == look and cut[-1].end_ms == start:
            cut[-1] = replace(cut[-1], end_ms=end)
        else:
            cut.append(_Bar(start, end, look))
    return cut or list(bars[:1])


def _wait_bar(row: Row, origin: datetime | None) -> _Bar:
    end = since_ms(origin, row["ended_at"]) or 0.0
    start = since_ms(origin, row["started_at"]) or 0.0
    # The server may know of a longer wait than was seen; it began earlier then.
    return _Bar(max(0.0, min(start, end - (row["waited_ms"] or 0.0))), end, WAITING_LOOK, row["blocker"])


def _outsider(session: int, waits: Sequence[Row], origin: datetime | None) -> _Swimmer:
    """Return the lane of a session known only because others waited for it: they show from when to when."""
    bars = [_wait_bar(row, origin) for row in waits]
    start, end = min(bar.start_ms for bar in bars), max(bar.end_ms for bar in bars)
    return _Swimmer(
        session=session,
        name=f"session {session}",
        words=f"in the way for {units.milliseconds(end - start)}",
        detail=shorten_query(waits[0]["blocker_query"] or "idle in a transaction", 36),
        bars=(_Bar(start, end, (INK, "")),),
    )


def _waiter(session: int, waits: Sequence[Row], migration: int | None, origin: datetime | None) -> _Swimmer:
    bars = tuple(_wait_bar(row, origin) for row in waits)
    longest = max(waits, key=lambda row: row["waited_ms"] or 0.0)
    behind = dict.fromkeys("the migration" if row["blocker"] == migration else str(row["blocker"]) for row in waits)
    return _Swimmer(
        session=session,
        name=f"session {session}",
        words=f"waited {units.milliseconds(_together(bars))} for {shorten(' and '.join(behind), 16)}",
        detail=shorten_query(longest["waiter_query"] or longest["mode"] or "", 36),
        bars=bars,
    )


def _together(bars: Sequence[_Bar]) -> float:
    total, until = 0.0, 0.0
    for bar in sorted(bars, key=lambda bar: bar.start_ms):
        total += max(0.0, bar.end_ms - max(bar.start_ms, until))
        until = max(until, bar.end_ms)
    return total


def _draw_swimmer(axes: Axes, number: int, swimmer: _Swimmer, places: Mapping[int | None, int], extent: float) -> None:
    both = len({bar.look == WAITING_LOOK for bar in swimmer.bars}) > 1
    for bar in swimmer.bars:
        colour, hatch = bar.look
        waits = bar.look == WAITING_LOOK
        # Who holds one lock while waiting for another shows both, one above the other.
        middle, height = ((number + 0.2, 0.2) if waits else (number - 0.12, 0.36)) if both else (number, 0.46)
        width = max(bar.end_ms - bar.start_ms, 0.006 * extent)
        place: Any = {"y": middle, "width": width, "left": bar.start_ms, "height": height}
        if not waits:
            axes.barh(**place, facecolor=faded(colour), edgecolor="none")
        axes.barh(**place, facecolor="none", edgecolor=colour, hatch=hatch, linewidth=1.0)
        if bar.behind in places and places[bar.behind] != number:
            _draw_link(axes, bar.start_ms, middle, places[bar.behind])
    name = shorten(swimmer.name, 24)
    bold = "bold" if swimmer.name == "the migration" else "normal"
    write(axes, name, (0, number), (-10, 0), "fraction data", ha="right", va="center", weight=bold)
    write(axes, shorten(swimmer.words, 38), (1, number), (10, 5), "fraction data", va="center", weight=bold)
    write(axes, swimmer.detail, (1, number), (10, -6), "fraction data", va="center", fontsize=SMALL_POINTS)


def _draw_link(axes: Axes, at: float, waiter: float, blocker: int) -> None:
    axes.plot([at, at], [waiter, blocker], color=INK, linewidth=0.8, alpha=0.55, zorder=1)
    axes.plot([at], [blocker], marker="o", markersize=3.2, color=INK, zorder=4)


def _draw_key(axes: Axes, height: float, left_out: int) -> None:
    """Say what the hatches mean, below the axis: words beside each sample."""
    from matplotlib.patches import Rectangle

    below, size = -(_FOOT_INCHES - 0.14) / height, 0.13 / height
    start = -0.60
    for words, (colour, hatch) in _KEY:
        box: Any = {"transform": axes.transAxes, "clip_on": False}
        if words != "waiting":
            axes.add_patch(Rectangle((start, below), 0.055, size, facecolor=faded(colour), edgecolor="none", **box))
        axes.add_patch(
            Rectangle(
                (start, below), 0.055, size, facecolor="none", edgecolor=colour, hatch=hatch, linewidth=1.0, **box
            )
        )
        axes.text(start + 0.075, below + size / 2, words, transform=axes.transAxes, va="center", fontsize=SMALL_POINTS)
        start += 0.13 + 0.021 * len(words)
    place: Any = {"transform": axes.transAxes, "va": "center", "fontsize": SMALL_POINTS}
    axes.text(start, below + size / 2, "—• waiting for that session", **place)
    if left_out:
        more = f"and {units.plural(left_out, 'more session')}"
        axes.text(1.035, -0.16 / height, more, **place)


def alt_text_swimlane(
    locks: pd.DataFrame, waits: pd.DataFrame, statements: pd.DataFrame | None = None, created: Collection[str] = ()
) -> str:
    """Return what :func:`swimlane` shows, in words."""
    swimmers = _swimmers(locks, waits, statements, created)
    if not swimmers:
        return _NOBODY
    told = [
        f"{swimmer.name} {swimmer.words}" + (f" ({swimmer.detail})" if swimmer.detail else "")
        for swimmer in swimmers[:SESSION_LIMIT]
    ]
    left = len(swimmers) - len(told)
    more = f"; and {units.plural(left, 'more session')}" if left else ""
    return clean_line(f"Sessions over time: {'; '.join(told)}{more}.")
