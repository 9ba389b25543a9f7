"""What lies in the catalogue of backups."""

from __future__ import annotations

from migkit.frames.columns import fact, key, measure
from migkit.framing import FLAG, INSTANT, INTEGER, NUMBER, TEXT, FrameSpec

BACKUPS = FrameSpec(
    "backups",
    "One row per backup, newest first.",
    (
        key("id", "what commands call it"),
        fact("database", "the alias or name it was made of"),
        fact("server", "the server's version"),
        fact("created_at", "the instant it holds", INSTANT),
        measure("size_bytes", "of its data", INTEGER),
        measure("rows", "rows of the database at that instant", INTEGER),
        measure("seconds", "how long it took to make", NUMBER),
        measure("verified_at", "when it was last restored and found exact; missing if never", INSTANT),
        measure("restore_seconds", "how long restoring it took then", NUMBER),
        measure("expires_at", "from when on it may be pruned", INSTANT),
        measure("readable", "its manifest can be read", FLAG),
        measure("problem", "why it cannot", TEXT),
    ),
)
