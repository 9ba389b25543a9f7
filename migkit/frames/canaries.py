"""What canaries and a long reader saw while a migration was rehearsed."""

from __future__ import annotations

from migkit.frames.columns import SCHEMA, TABLE, fact, key, measure
from migkit.framing import INSTANT, NUMBER, FrameSpec

STALLS = FrameSpec(
    "stalls",
    "One row per stretch of time in which a table could not be read or written.",
    (
        SCHEMA,
        TABLE,
        key("operation", "reads of or writes to"),
        measure("started_at", "when the first request was due that had to wait", INSTANT),
        measure("ended_at", "when the last of them was answered", INSTANT),
        measure("stalled_ms", "ended_at - started_at in milliseconds", NUMBER),
        fact("ended", "answered, failed, or given up when the migration was over"),
    ),
)
