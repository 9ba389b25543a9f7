"""How far back a database can be returned to."""

from __future__ import annotations

from migkit.frames.columns import fact, key, measure
from migkit.framing import INSTANT, INTEGER, Column, FrameSpec

PITR_BASES = FrameSpec(
    "bases",
    "One row per copy of everything from which the log is replayed; on SQLite, per restore point.",
    (
        key("base", "its folder's name"),
        fact("moment", "the earliest moment it leads to, on the server's clock", INSTANT),
        measure("size_bytes", "what it takes on the disk", INTEGER),
    ),
)

PITR_MARKS = FrameSpec(
    "marks",
    "One row per moment that `migkit timestamp` noted.",
    (
        Column("moment", INSTANT, "key", "the moment, on the server's clock"),
        fact("position", "where the log stood then, as the engine writes it"),
        fact("remark", "what was noticed, such as a clock that was put back"),
    ),
)

PITR_GAPS = FrameSpec(
    "gaps",
    "One row per piece of the log that is missing: moments after it, up to the next base, cannot be returned to.",
    (
        key("base", "the base whose log it is missing from"),
        fact("what", "what is missing"),
        fact("next_base", "from which moment on one can return again", INSTANT),
    ),
)
