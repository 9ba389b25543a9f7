"""The lock timeline as HTML: cheap enough to draw several times a second, readable where style is stripped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from migkit.display import units
from migkit.display.escape import clean_line, escape, shorten
from migkit.display.live import Facts, Moment
from migkit.display.lock_lanes import WEAK, strength

LANE_LIMIT = 8
WAIT_LIMIT = 5
QUERY_LIMIT = 80  # more than fits: the style sheet ends it with dots

_MOMENT = timedelta(milliseconds=50)
_TONES = ("mk-lock-reads", "mk-lock-writes")


@dataclass(frozen=True)
class _Lane:
    name: str
    words: str
    tone: str
    spans: tuple[tuple[datetime, datetime], ...]

    @property
    def start(self) -> datetime:
        return min(start for start, _ in self.spans)

    @property
    def end(self) -> datetime:
        return max(end for _, end in self.spans)


def timeline_html(moment: Moment, *, is_over: bool = False) -> str:
    """Return who held which lock and who waited, as lanes over time; nothing where no lock kept anybody out.

    Parameters
    ----------
    moment : Moment
        Its facts of the kinds ``lock``, ``wait`` and ``statement`` are drawn.
    is_over : bool
        Nothing is held any more; else a lock without an end is held now.
    """
    now = _last(moment) if is_over else moment.at
    lanes = _lanes(moment, now)
    if not lanes:
        return ""
    begin = min(lane.start for lane in lanes)
    extent = max((max(lane.end for lane in lanes) - begin).total_seconds(), 1e-3)
    rows = "".join(_lane_html(lane, begin, extent, moment.of("statement")) for lane in lanes)
    return (
        '<div class="mk-scroll"><table class="mk-timeline"><caption>Locks held, and who waited for them '
        f"({escape(units.duration(extent))} from left to right)</caption>"
        '<thead class="mk-unseen"><tr><th scope="col">Relation</th><th scope="col">When</th>'
        f'<th scope="col">What</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _last(moment: Moment) -> datetime:
    ends = [row.get("released_at") for row in moment.of("lock")] + [row.get("ended_at") for row in moment.of("wait")]
    return max((end for end in ends if end is not None), default=moment.at)


def _lanes(moment: Moment, now: datetime) -> list[_Lane]:
    own = {str(row.get("summary") or "").partition(" on ")[0] for row in moment.of("statement")}
    locks = [
        row
        for row in moment.of("lock")
        if row.get("granted_at") and strength(_blocks(row)) < WEAK and not _is_own(row, own)
    ]
    locks.sort(key=lambda row: (strength(_blocks(row)), row["granted_at"]))
    locks = [row for number, row in enumerate(locks) if not any(_covers(one, row, now) for one in locks[:number])]
    together: dict[tuple[str, str], list[Facts]] = {}
    for row in sorted(locks, key=lambda row: row["granted_at"]):
        together.setdefault((str(row["relation"]), _tone(row)), []).append(row)
    longest = sorted(together.values(), key=lambda rows: -sum(_seconds(row, now) for row in rows))[:LANE_LIMIT]
    lanes = [_lock_lane(rows, now) for rows in together.values() if any(rows is one for one in longest)]
    waits = sorted(moment.of("wait"), key=lambda row: -(row.get("waited_ms") or 0))[:WAIT_LIMIT]
    return lanes + [_wait_lane(row, now) for row in waits if row.get("started_at")]


def _is_own(row: Facts, summaries: set[str]) -> bool:
    """Whether the migration made the relation itself: whatever it locks there, nobody else used it yet."""
    return any(f"Created {kind} {row.get('relation')}" in summaries for kind in ("table", "index", "unique index"))


def _blocks(row: Facts) -> dict[str, Any]:
    return {"blocks": row.get("blocks")}


def _covers(strong: Facts, weak: Facts, now: datetime) -> bool:
    """Whether one lock on a relation says all that another one does."""
    return bool(
        strong["relation"] == weak["relation"]
        and strong["granted_at"] - _MOMENT <= weak["granted_at"]
        and (strong.get("released_at") or now) + _MOMENT >= (weak.get("released_at") or now)
    )


def _seconds(row: Facts, now: datetime) -> float:
    return float(((row.get("released_at") or now) - row["granted_at"]).total_seconds())


def _tone(row: Facts) -> str:
    return _TONES[min(strength(_blocks(row)), 1)]


def _lock_lane(rows: Sequence[Facts], now: datetime) -> _Lane:
    """Return the lane of a relation: in a rehearsal, which goes up, down and up again, it is locked several times."""
    held = units.milliseconds(sum(_seconds(row, now) for row in rows) * 1000)
    times = f" ({len(rows)}×)" if len(rows) > 1 else ""
    still = "" if rows[-1].get("released_at") else " so far"
    return _Lane(
        name=str(rows[0]["relation"]),
        words=f"{held}{times}{still}, blocks {rows[0].get('blocks') or 'nobody'}",
        tone=_tone(rows[0]),
        spans=tuple((row["granted_at"], row.get("released_at") or now) for row in rows),
    )


def _wait_lane(row: Facts, now: datetime) -> _Lane:
    who = "the migration" if row.get("by_migration") is False else f"session {row.get('waiter')}"
    query = clean_line(row.get("waiter_query") or row.get("mode") or "")[:QUERY_LIMIT]
    return _Lane(
        name=f"↳ {who}",
        words=f"waited {units.milliseconds(row.get('waited_ms'))}" + (f": {query}" if query else ""),
        tone="mk-waited",
        spans=((row["started_at"], row.get("ended_at") or now),),
    )


def _lane_html(lane: _Lane, begin: datetime, extent: float, statements: Sequence[Facts]) -> str:
    ticks = "".join(_tick(row, begin, extent) for row in statements)
    bars = "".join(_bar(lane.tone, start, end, begin, extent) for start, end in lane.spans)
    return (
        f'<tr><th scope="row">{escape(shorten(lane.name, 40))}</th>'
        f'<td class="mk-track" aria-hidden="true">{ticks}{bars}</td><td>{escape(lane.words)}</td></tr>'
    )


def _bar(tone: str, start: datetime, end: datetime, begin: datetime, extent: float) -> str:
    width = max(0.6, 100 * (end - start).total_seconds() / extent)
    left = min(100 * (start - begin).total_seconds() / extent, 100 - width)
    return f'<span class="{tone}" style="left:{left:.2f}%;width:{width:.2f}%"></span>'


def _tick(statement: Facts, begin: datetime, extent: float) -> str:
    started = statement.get("started_at")
    if started is None:
        return ""
    place = 100 * (started - begin).total_seconds() / extent
    return f'<i style="left:{place:.2f}%"></i>' if 0 <= place <= 100 else ""
