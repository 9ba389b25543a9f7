"""What a second session sees of a database: how far long work is, what went wrong for whom, what the server counts."""

from __future__ import annotations

from migkit.frames.columns import SCHEMA, TABLE, fact, key, measure
from migkit.framing import INSTANT, INTEGER, NUMBER, TEXT, Column, FrameSpec

PROGRESS = FrameSpec(
    "progress",
    "One row per phase of a long command, as the server tells how far it is.",
    (
        Column("session", INTEGER, "key", "the session that works"),
        Column("statement", INTEGER, "key", "number of the run's statement; missing for others' commands"),
        key("command", "CREATE INDEX CONCURRENTLY, VACUUM, COPY FROM, alter table, …"),
        fact("relation", "the relation worked on"),
        key("phase", "the phase, as the server names it"),
        measure("done", "units done when last seen"),
        measure("total", "units there are to do; missing where the server does not know"),
        measure("unit", "what is counted: blocks, rows, bytes, sessions waited for, percent", TEXT),
        measure("waits_for", "the session that the phase waited for when last seen"),
        measure("started_at", "when the phase began, within one sample", INSTANT),
        measure("ended_at", "when it ended, within one sample", INSTANT),
        measure("lasted_ms", "ended_at - started_at in milliseconds", NUMBER),
    ),
)

INCIDENTS = FrameSpec(
    "incidents",
    "One row per deadlock, lock timeout or cancelled statement, or per number of them that is only known as a count.",
    (
        key("kind", "deadlock, lock timeout, cancelled; gave up waiting: the server does not tell which of them"),
        Column("at", INSTANT, "key", "when it was seen"),
        Column("session", INTEGER, "key", "who suffered it; missing where the server only counts"),
        fact("query", "the statement that failed"),
        fact("relation", "the relation it waited for"),
        measure("blocker", "the session it waited for"),
        measure("waited_ms", "how long it had waited, in milliseconds", NUMBER),
        measure("count", "how many; 1 where the session is known"),
        measure("source", "how it is known", TEXT),
    ),
)

METRICS = FrameSpec(
    "metrics",
    "One row per figure of the server, over the interval between two readings.",
    (
        key("name", "connections, transactions_per_second, …"),
        measure("value", "the figure; missing where it cannot be known", NUMBER),
        measure("unit", "its unit: sessions, 1/s, ms, percent, bytes, s", TEXT),
        measure("source", "where the server says so", TEXT),
        measure("note", "what it leaves out, or why it is missing", TEXT),
    ),
)

TABLE_SIZES = FrameSpec(
    "tables",
    "One row per table: what it takes on disk.",
    (
        SCHEMA,
        TABLE,
        measure("table_bytes", "rows, with what is stored beside them; missing where the engine does not tell"),
        measure("index_bytes", "indexes"),
        measure("size_bytes", "both"),
    ),
)
