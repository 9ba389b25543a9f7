"""What the same work gave on each database of a fleet."""

from __future__ import annotations

from migkit.frames.columns import fact, key, measure
from migkit.framing import FLAG, NUMBER, TEXT, Column, FrameSpec

FLEET = FrameSpec(
    "databases",
    "One row per database, in the order in which they were given.",
    (
        key("database", "alias or name"),
        key("url", "where it is, without secrets"),
        fact("passed", "the work came to its end and nothing speaks against it", FLAG),
        fact("status", "passed, failed, error (it could not be done) or interrupted (nobody did it)"),
        Column("seconds", NUMBER, "measure", "how long it took; missing where it was not done"),
        measure("findings", "how many findings, or differences, there are"),
        measure("explanation", "why the verdict is what it is", TEXT),
        fact("error", "why it could not be done"),
        measure("evidence", "the folder of its evidence", TEXT),
    ),
)
