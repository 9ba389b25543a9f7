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


# Samples of one hold that lie so near to each other are one: the lock was not seen to be gone between them.
_SAMPLES_TOUCH_MS = 60.0


@dataclass(frozen=True)
class Lane:
    """One lane of bars: each from and until in milliseconds since the run began."""

    name: str
    words: str
    effect: str
    bars: tuple[tuple[float, float], ...]
    look: tuple[str, str]
    waits: bool = False

    @property
    def end_ms(self) -> float:
        """The end of the last bar."""
        return max(end for _, end in self.bars)


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
    """Return one row per stretch in which a session held a lock of one mode, the strongest and longest first.

    Parameters
    ----------
    locks : pandas.DataFrame
        :data:`migkit.frames.LOCKS`. A lock taken by several statements of a transaction counts from the first grant
        to the last release; what is held in one transaction after the other is held once in each.
    created : collection of str
        Relations the migration made itself, left out: nobody else knew them.
    """
    merged: dict[tuple[int | None, str, str], list[Row]] = {}
    for row in sorted(frames.LOCKS.rows(locks), key=_begin):
        if row["relation"] not in created:
            stretches = merged.setdefault((row["session"], row["relation"], row["mode"]), [])
            if stretches and _touch(stretches[-1], row):
                stretches[-1] = _union(stretches[-1], row)
            else:
                stretches.append(row)
    found = [row for stretches in merged.values() for row in stretches]
    return sorted(found, key=lambda row: (strength(row), -(row["held_ms"] or 0), row["relation"]))


def _begin(row: Row) -> float:
    return row["granted_at"].timestamp() if row["granted_at"] is not None else 0.0


def _touch(first: Row, second: Row) -> bool:
    if first["released_at"] is None or second["granted_at"] is None:
        return True
    gap_ms = (second["granted_at"] - first["released_at"]).total_seconds() * 1000
    return bool(gap_ms <= (0.0 if second["exact"] else _SAMPLES_TOUCH_MS))


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


def grouped(rows: list[Row]) -> list[list[Row]]:
    """Put the stretches of one session, relation and mode together, the longest first."""
    groups: dict[tuple[int | None, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["session"], row["relation"], row["mode"]), []).append(row)
    return list(groups.values())


def held_words(stretches: list[Row]) -> str:
    """Say how long a lock was held, and how often: ``350 ms``, ``20 × at most 350 ms``."""
    longest = max((row["held_ms"] for row in stretches if row["held_ms"] is not None), default=None)
    about = "about " if any(row["exact"] is False for row in stretches) else ""
    if len(stretches) == 1:
        return f"{about}{units.milliseconds(longest)}"
    return f"{len(stretches)} × at most {about}{units.milliseconds(longest)}"


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
    for stretches in grouped(telling_locks(locks, created))[:LOCK_LIMIT]:
        relation = stretches[0]["relation"]
        lanes.append(_lock_lane(stretches, origin))
        if relation not in told:
            told.add(relation)
            lanes += [_wait_lane(wait, origin) for wait in waiting if wait["relation"] == relation]
    return lanes + [_wait_lane(wait, origin) for wait in waiting if wait["relation"] not in told]


def _lock_lane(stretches: list[Row], origin: datetime | None) -> Lane:
    row = stretches[0]
    return Lane(
        name=row["relation"],
        words=f"{held_words(stretches)}, {row['mode']}",
        effect=f"blocks {row['blocks'] or 'nobody'}"
        + ("" if row["session"] is None else f"; session {row['session']}"),
        bars=tuple(sorted(_bar(one, origin) for one in stretches)),
        look=LOOKS[strength(row)],
    )


def _bar(row: Row, origin: datetime | None) -> tuple[float, float]:
    start = since_ms(origin, row["granted_at"]) or 0.0
    return start, since_ms(origin, row["released_at"]) or start + (row["held_ms"] or 0.0)


def _wait_lane(row: Row, origin: datetime | None) -> Lane:
    start = since_ms(origin, row["started_at"]) or 0.0
    waited = units.milliseconds(row["waited_ms"])
    who = f"session {row['waiter']}" if row["by_migration"] is not False else "the migration"
    return Lane(
        name=f"↳ {who}",
        words=f"waited {waited}",
        effect=shorten_query(row["waiter_query"] or row["mode"] or "", 34),
        bars=((start, max(since_ms(origin, row["ended_at"]) or 0.0, start + (row["waited_ms"] or 0.0))),),
        look=WAITING_LOOK,
        waits=True,
    )
