"""What a load test measured: requests per second, statement and phase, counted from the moment each was due."""

from __future__ import annotations

from migkit.frames.columns import fact, key, measure
from migkit.frames.states import UNCHECKED
from migkit.framing import INSTANT, INTEGER, NUMBER, Column, FrameSpec

_PHASE = key("phase", "baseline, during, after, rollback (the way down runs) or rolled back (after it)")
_STATEMENT = key("statement", "the workload's name of the statement or transaction")
_ATTEMPTED = measure("attempted", "requests that were due; each was done, or is an error")
_DONE = measure("done", "requests that were answered")
_ERRORS = measure("errors", "requests that failed, or were never answered")


def _milliseconds(name: str, doc: str) -> Column:
    return measure(name, doc, NUMBER)


TIMELINE = FrameSpec(
    "timeline",
    "One row per second, phase and statement; a request counts in the second in which it was due.",
    (
        Column("second", INTEGER, "key", "seconds since the measured load began: 0, 1, 2 …"),
        _PHASE,
        _STATEMENT,
        measure("started_at", "when the second began", INSTANT),
        _ATTEMPTED,
        _DONE,
        _ERRORS,
        _milliseconds("p50_ms", "half of the requests took longer, from the moment they were due to the answer"),
        _milliseconds("p99_ms", "one in a hundred took longer"),
        _milliseconds("max_ms", "the longest"),
        measure("blocked", "requests that were waiting when the second ended, also those that could not be sent yet"),
    ),
)

LOAD_STATEMENTS = FrameSpec(
    "statements",
    "One row per phase and statement of the workload.",
    (
        _PHASE,
        _STATEMENT,
        fact("sql", "the statement, or the statements of the transaction, with :names for parameters"),
        _ATTEMPTED,
        _DONE,
        _ERRORS,
        _milliseconds("p50_ms", "half of the requests took longer, from the moment they were due to the answer"),
        _milliseconds("p90_ms", "one in ten took longer"),
        _milliseconds("p95_ms", "one in twenty took longer"),
        _milliseconds("p99_ms", "one in a hundred took longer"),
        _milliseconds("p999_ms", "one in a thousand took longer"),
        _milliseconds("max_ms", "the longest"),
        _milliseconds("total_ms", "the sum over all requests, failed ones too"),
        _milliseconds("blocked_ms", "how long some request was stalled, taken together; see blocked_over_ms"),
        _milliseconds("blocked_over_ms", "a request that took longer than this counts as stalled"),
    ),
)

LOAD_ERRORS = FrameSpec(
    "errors",
    "One row per phase, statement and kind of error.",
    (
        _PHASE,
        _STATEMENT,
        key("kind", "the engine's code or class: '42703', '1054', 'database is locked', 'never sent'"),
        fact("message", "the first such message"),
        fact("sql", "the statement that failed, of a transaction the one in it"),
        measure("count", "how often"),
        measure("first_at", "when it was first seen", INSTANT),
        measure("last_at", "when it was last seen", INSTANT),
    ),
)

PERCENTILES = FrameSpec(
    "percentiles",
    "The distribution of latencies: one row per phase, statement and percentile; statement '' is all of them.",
    (
        _PHASE,
        _STATEMENT,
        Column("percentile", NUMBER, "key", "0 … 100, denser towards the end"),
        _milliseconds("latency_ms", "that share of the requests took no longer"),
        measure("requests", "how many requests took no longer"),
    ),
)

LOAD_FRAMES = (LOAD_STATEMENTS, TIMELINE, LOAD_ERRORS, PERCENTILES, UNCHECKED)

WORKLOAD = FrameSpec(
    "workload",
    "One row per statement or transaction of a workload.",
    (
        _STATEMENT,
        measure("weight", "how often it comes, compared with the others", NUMBER),
        fact("sql", "the statements, with :names for values"),
        fact("parameters", "where the values come from"),
    ),
)
