"""What a lock plot shows: locks merged per relation, weak ones under strong ones left out, waits beside them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from migkit import frames
from migkit.display import units
from migkit.display.escape import shorten_query
from migkit.display.figure import BLUE, INK, ORANGE, VERMILLION
from migkit.display.lines import Row

LOCK_LIMIT = 12
WAIT_LIMIT = 8
WEAK = 2

# By strength: what keeps others from reading, from writing, from neither. Hatches tell them apart without colour.
LOOKS: tuple[tuple[str, str], ...] = ((VERMILLION, "////"), (ORANGE, "\\\\\\"), (BLUE, ""))
WAITING_LOOK = (INK, "|||")


@dataclass(frozen=True)
class Lane:
    """One bar: from and until in milliseconds since the run began."""

    name: str
    words: str
    effect: str
    start_ms: float
    end_ms: float
    look: tuple[str, str]
    waits: bool = False


def origin_of(*parts: pd.DataFrame) -> datetime | None:
    """Return the first instant of locks, waits and statements."""
    columns = ("granted_at", "started_at")
    instants = [frame[name].min() for frame in parts for name in columns if name in frame and len(frame)]
    known = [instant for instant in instants if not pd.isna(instant)]
    return min(known) if known else None


def since_ms(origin: datetime | None, instant: datetime | None) -> float | None:
    """Return how long after `origin` an instant is, in milliseconds."""
    return None if origin is None or instant is None else (instant - origin).total_seconds() * 1000


def merged_locks(locks: pd.DataFrame, created: Collection[str] = ()) -> list[Row]:
    """Return one row per session, relation and mode, the strongest and longest first.

    Parameters
    ----------
    locks : pandas.DataFrame
        :data:`migkit.frames.LOCKS`. A lock taken by several statements counts from the first grant
        to the last release.
    created : collection of str
        Relations the migration made itself, left out: nobody else knew them.
    """
    merged: dict[tuple[int | None, str, str], Row] = {}
    for row in frames.LOCKS.rows(locks):
        if row["relation"] not in created:
            key = (row["session"], row["relation"], row["mode"])
            merged[key] = _union(merged[key], row) if key in merged else row
    return sorted(merged.values(), key=lambda row: (strength(row), -(row["held_ms"] or 0), row["relation"]))


def strength(row: Row) -> int:
    """Return 0 for a lock that keeps others from reading, 1 from writing, ``WEAK`` (2) from neither."""
    blocks = row["blocks"] or ""
    # SQLite: "writes (and reads while committing)" keeps others from writing first of all.
    return 0 if blocks.startswith("reads") else 1 if "writes" in blocks else WEAK


def telling_locks(locks: pd.DataFrame, created: Collection[str]) -> list[Row]:
    """Leave out a lock that a stronger one on the same relation covers from start to end."""
    told: list[Row] = []
    for row in merged_locks(locks, created):
        if not any(_same(one, row) and _covers(one, row) for one in told):
            told.append(row)
    return told


def _same(first: Row, second: Row) -> bool:
    return (first["relation"], first["session"]) == (second["relation"], second["session"])


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


def lanes_of(
    locks: pd.DataFrame, waits: pd.DataFrame, statements: pd.DataFrame, created: Collection[str] = ()
) -> list[Lane]:
    """Return the bars of one run, top to bottom: each lock, and below it the longest waits for its relation."""
    origin = origin_of(locks, waits, statements)
    waiting = sorted(frames.WAITS.rows(waits), key=lambda row: -(row["waited_ms"] or 0))[:WAIT_LIMIT]
    lanes: list[Lane] = []
    told: set[str] = set()
    for row in telling_locks(locks, created)[:LOCK_LIMIT]:
        lanes.append(_lock_lane(row, origin))
        if row["relation"] not in told:
            told.add(row["relation"])
            lanes += [_wait_lane(wait, origin) for wait in waiting if wait["relation"] == row["relation"]]
    return lanes + [_wait_lane(wait, origin) for wait in waiting if wait["relation"] not in told]


def _lock_lane(row: Row, origin: datetime | None) -> Lane:
    start = since_ms(origin, row["granted_at"]) or 0.0
    held = row["held_ms"] or 0.0
    about = "" if row["exact"] is not False else "about "
    return Lane(
        name=row["relation"],
        words=f"{about}{units.milliseconds(row['held_ms'])}, {row['mode']}",
        effect=f"blocks {row['blocks'] or 'nobody'}"
        + ("" if row["session"] is None else f"; session {row['session']}"),
        start_ms=start,
        end_ms=since_ms(origin, row["released_at"]) or start + held,
        look=LOOKS[strength(row)],
    )


def _wait_lane(row: Row, origin: datetime | None) -> Lane:
    start = since_ms(origin, row["started_at"]) or 0.0
    waited = units.milliseconds(row["waited_ms"])
    who = f"session {row['waiter']}" if row["by_migration"] is not False else "the migration"
    return Lane(
        name=f"↳ {who}",
        words=f"waited {waited}",
        effect=shorten_query(row["waiter_query"] or row["mode"] or "", 34),
        start_ms=start,
        end_ms=max(since_ms(origin, row["ended_at"]) or 0.0, start + (row["waited_ms"] or 0.0)),
        look=WAITING_LOOK,
        waits=True,
    )
