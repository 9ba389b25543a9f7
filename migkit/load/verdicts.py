"""What a load test says, in sentences: pure functions over its frames and the migration's run."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from migkit.display.units import count, duration, milliseconds, plural
from migkit.frames import LOAD_ERRORS, LOAD_STATEMENTS, LOCKS, STATEMENTS, WAITS
from migkit.load.phases import AFTER, BASELINE, DURING, ROLLBACK, ROLLED_BACK
from migkit.migration.results import Run

Row = dict[str, Any]
Interval = tuple[datetime, datetime]
Stalls = Callable[[str, str], list[Interval]]

_REACHED = 0.98
# What was due last may still be on its way when a phase ends.
_ON_ITS_WAY_SECONDS = 0.5

_QUOTES = re.compile(r'["`\[\]]')
_SLOWER_TIMES = 2.0
_SLOWER_MS = 5.0
_LONGEST_NAMED = 8


def is_reached(rate: float | None, reached: float, seconds: float, *, even: bool) -> bool:
    """Tell whether as many requests were answered per second as were asked for, over so many seconds.

    Independent users do not come evenly: their number varies by itself.
    """
    if rate is None or not seconds:
        return reached > 0
    asked = rate * seconds
    missing = max((1 - _REACHED) * asked, rate * _ON_ITS_WAY_SECONDS, 0.0 if even else 4 * math.sqrt(asked))
    return reached > 0 and reached * seconds >= asked - missing


def rate_sentence(rate: float | None, reached: float, seconds: float, *, even: bool) -> str | None:
    """Say that a rate was not reached; ``None`` if it was, or there was none."""
    if is_reached(rate, reached, seconds, even=even):
        return None
    if rate is None or not reached:
        return "No request was answered before the migration"
    return (
        f"The rate of {rate:,.0f}/s was not reached: {reached:,.0f}/s were answered, so latencies include the time for "
        "which requests waited to be sent"
    )


def change_sentences(statements: pd.DataFrame, run: Run | None, rollback: Run | None, stalls: Stalls) -> list[str]:
    """Say for each statement what the migration changed, and for how long."""
    rows = {(row["phase"], row["statement"]): row for row in LOAD_STATEMENTS.rows(statements)}
    sentences: list[str] = []
    for phase, before, direction in ((DURING, BASELINE, run), (ROLLBACK, AFTER, rollback)):
        if direction is None:
            continue
        compared = [
            (row, rows[before, name])
            for (in_phase, name), row in rows.items()
            if in_phase == phase and (before, name) in rows
        ]
        told = [(row, usual) for row, usual in compared if _is_slower(row, usual)]
        told.sort(key=lambda pair: -pair[0]["blocked_ms"])
        way = " on the way down" if phase == ROLLBACK else ""
        sentences += [
            _change(row, usual, direction, stalls(phase, row["statement"])) + way
            for row, usual in told[:_LONGEST_NAMED]
        ]
        if len(told) > _LONGEST_NAMED:
            sentences.append(f"{len(told) - _LONGEST_NAMED} more statements were slower{way}")
        same = len(compared) - len(told)
        if same and compared:
            others = "other statement" if told else "statement"
            sentences.append(f"{plural(same, others)} of the workload {'was' if same == 1 else 'were'} not slowed{way}")
    return sentences + _lasting_sentences(rows)


def _lasting_sentences(rows: Mapping[tuple[str, str], Row]) -> list[str]:
    """Say which statements went on being slower: half of their requests, which no queue of a moment ago explains."""
    sentences = []
    for phase, since in ((AFTER, "after the migration"), (ROLLED_BACK, "after it was taken back")):
        for (in_phase, name), row in rows.items():
            before, now = rows.get((BASELINE, name), {}).get("p50_ms"), row["p50_ms"]
            if in_phase != phase or before is None or now is None:
                continue
            if now > _SLOWER_TIMES * before and now - before > _SLOWER_MS:
                sentences.append(f"{name}: p50 {_ms(before)} → {_ms(now)} {since}, for as long as was looked")
    return sentences


def _is_slower(row: Row, usual: Row) -> bool:
    if not usual["done"]:
        return False
    if (row["blocked_ms"] or 0) > 0 and (row["max_ms"] or 0) > (usual["max_ms"] or 0):
        return True
    now, before = row["p99_ms"], usual["p99_ms"]
    return now is not None and before is not None and now > _SLOWER_TIMES * before and now - before > _SLOWER_MS


def _change(row: Row, usual: Row, run: Run, stalls: Sequence[Interval]) -> str:
    now = row["p99_ms"] if (row["p99_ms"] or 0) > (usual["p99_ms"] or 0) * 1.05 else None
    figure, before, after = ("p99", usual["p99_ms"], now) if now else ("max", usual["max_ms"], row["max_ms"])
    text = f"{row['statement']}: {figure} {_ms(before)} → {_ms(after)}"
    if row["blocked_ms"]:
        text += f" for {row['blocked_ms'] / 1000:.1f} s"
        culprit = blocker(row["sql"], run, stalls)
        text += f", blocked by {culprit}" if culprit else ""
    return text


def _ms(value: float | None) -> str:
    """Return milliseconds in one unit, so that two figures side by side compare at a look."""
    return milliseconds(value) if value is None or value < 100 else f"{value:,.0f} ms"


def blocker(sql: str, run: Run, stalls: Sequence[Interval]) -> str | None:
    """Say which statement of a migration stalled a statement of the workload, and by which lock if that is known.

    The lock counts that was held longest within the stalls, on a relation that the statement names; else the wait that
    was seen; else the statement of the migration that ran longest meanwhile.
    """
    statements = {row["number"]: row for row in STATEMENTS.rows(run.statements)}
    locks = [
        (_overlap(stalls, row["granted_at"], row["released_at"]), row)
        for row in LOCKS.rows(run.locks)
        if row["statement"] in statements and _names(sql, row["relation"]) and _excludes(row)
    ]
    seconds, lock = max(locks, key=lambda pair: pair[0], default=(0.0, None))
    if lock is not None and seconds > 0:
        return f"{_words(statements[lock['statement']])} ({lock['mode']})"
    wait = _wait_for(sql, run, stalls)
    if wait is not None:
        return f"{_first(wait['blocker_query'])}" + (f" ({wait['mode']} asked for)" if wait["mode"] else "")
    ran = [
        (_overlap(stalls, row["started_at"], _end(row)), row) for row in statements.values() if row["kind"] != "query"
    ]
    seconds, statement = max(ran, key=lambda pair: pair[0], default=(0.0, None))
    return _words(statement) if statement is not None and seconds > 0 else None


def _excludes(lock: Mapping[str, Any]) -> bool:
    return bool(lock["blocks"]) and lock["blocks"] != "schema changes"


def _wait_for(sql: str, run: Run, stalls: Sequence[Interval]) -> Row | None:
    beginning = " ".join(sql.split(":")[0].split()).lower()[:60]
    seen = [
        (_overlap(stalls, row["started_at"], row["ended_at"]), row)
        for row in WAITS.rows(run.waits)
        if " ".join((row["waiter_query"] or "").split()).lower().startswith(beginning)
    ]
    seconds, wait = max(seen, key=lambda pair: pair[0], default=(0.0, None))
    return wait if seconds > 0 else None


def _overlap(stalls: Sequence[Interval], begin: datetime | None, end: datetime | None) -> float:
    if begin is None:
        return 0.0
    end = end or datetime.max.replace(tzinfo=begin.tzinfo)
    return sum(max(0.0, (min(last, end) - max(first, begin)).total_seconds()) for first, last in stalls)


def _end(row: Mapping[str, Any]) -> datetime | None:
    if row["started_at"] is None:
        return None
    end: datetime = row["started_at"] + timedelta(seconds=row["seconds"] or 0.0)
    return end


def _names(sql: str, relation: str | None) -> bool:
    """Tell whether a statement names a relation, whatever its schema and its quotes."""
    name = _QUOTES.sub("", (relation or "").removesuffix(".").rsplit(".", 1)[-1]).lower()
    # As a word of its own: a lock on "user" stalls nobody who asks "user_profiles".
    return bool(name) and re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", _QUOTES.sub("", sql).lower()) is not None


def _words(statement: Mapping[str, Any]) -> str:
    return _first(statement["sql"])


def _first(sql: str | None) -> str:
    """Return a statement's first words: ALTER TABLE orders."""
    words = " ".join((sql or "").split()).split(" ")
    return (
        " ".join(words[:3])[:80] if words[0].upper() in ("ALTER", "DROP", "TRUNCATE", "LOCK") else " ".join(words)[:60]
    )


def compatibility_sentences(errors: pd.DataFrame, *, migrated: bool) -> list[str]:
    """Say which statements of the workload fail since the migration, by their error, and whether they recover."""
    rows = LOAD_ERRORS.rows(errors)
    before = {(row["statement"], row["kind"]) for row in rows if row["phase"] == BASELINE}
    kinds: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        if (row["statement"], row["kind"]) not in before:
            kinds.setdefault((row["statement"], row["kind"]), {})[row["phase"]] = row
    sentences = []
    for (statement, _), phases in kinds.items():
        first = next(iter(phases.values()))
        told = ", ".join(f"{count(row['count'])} {_when(phase)}" for phase, row in phases.items())
        sentences.append(f"{statement} fails: {first['message']} ({told})")
    for row in rows:
        if row["phase"] == BASELINE:
            already = "before the migration already" if migrated else "of the requests"
            sentences.append(f"{row['statement']} fails: {row['message']} ({count(row['count'])} {already})")
    return sentences


def _when(phase: str) -> str:
    return {
        DURING: "while the migration ran",
        AFTER: "after it",
        ROLLBACK: "while it was taken back",
        ROLLED_BACK: "after it was taken back",
    }.get(phase, phase)


def run_sentences(runs: Sequence[Run], rollback: Run | None, is_lock_timeout: Callable[[str], bool]) -> list[str]:
    """Say how the migration itself fared."""
    sentences = []
    if runs:
        last = runs[-1]
        tries = f" in {len(runs)} tries" if len(runs) > 1 else ""
        if last.succeeded:
            sentences.append(f"{last.migration} took {duration(last.seconds)} under load{tries}")
        elif is_lock_timeout(last.error or ""):
            sentences.append(f"{last.migration} never got its lock{tries}: {last.error}")
        else:
            sentences.append(f"{last.migration} failed under load{tries}: {last.error}")
    if rollback is not None:
        way = f"took {duration(rollback.seconds)}" if rollback.succeeded else f"failed: {rollback.error}"
        sentences.append(f"Its way down {way}")
    return sentences
