"""What deploys, connections and checks of a database's health are told as."""

from __future__ import annotations

from migkit.frames.columns import SCHEMA, TABLE, fact, key, measure
from migkit.framing import FLAG, INSTANT, INTEGER, NUMBER, TEXT, Column, FrameSpec

DEPLOY_STEPS = FrameSpec(
    "deploy_steps",
    "One row per step of a deploy, in the order in which they were begun.",
    (
        Column("number", INTEGER, "key", "1-based position"),
        fact("step", "what was done"),
        fact("status", "done, failed, skipped; killed: the process died in it, and the deploy was recovered"),
        measure("started_at", "when it began", INSTANT),
        measure("seconds", "how long it took, by a clock that never jumps", NUMBER),
        measure("detail", "what came of it, or why it failed", TEXT),
    ),
)

PLANNED_STEPS = FrameSpec(
    "planned_steps",
    "One row per step that a deploy would take.",
    (
        Column("number", INTEGER, "key", "1-based position"),
        fact("step", "what would be done"),
        measure("seconds", "how long it would take; missing where nothing is known", NUMBER),
        measure("basis", "where the estimate comes from", TEXT),
        fact("closed", "the database is closed to writers meanwhile", FLAG),
    ),
)

CONNECTIONS = FrameSpec(
    "connections",
    "One row per other session on the database.",
    (
        Column("session", INTEGER, "key", "the server's number of the session; SQLite: of the process"),
        fact("user", "who connected"),
        fact("client", "from where"),
        fact("program", "how the session calls itself"),
        fact("state", "active, idle, idle in transaction, waiting, unknown"),
        measure("transaction_seconds", "how long its transaction is open; missing without one", NUMBER),
        measure("query", "what it does, or did last", TEXT),
        fact("is_migkit", "migkit opened it", FLAG),
    ),
)

CONSTRAINT_CHECKS = FrameSpec(
    "constraint_checks",
    "One row per constraint that rows can violate.",
    (
        SCHEMA,
        TABLE,
        key("name", "the constraint"),
        fact("kind", "foreign key, check, …"),
        fact("state", "kept, violated, not validated, not enforced, not checked"),
        measure("violations", "rows that violate it; missing where they could not be counted"),
        measure("detail", "the constraint, or why it was not checked", TEXT),
    ),
)

INDEX_CHECKS = FrameSpec(
    "index_checks",
    "One row per index, and per table or file that the engine checks as a whole.",
    (
        SCHEMA,
        TABLE,
        key("name", "the index; empty for what is checked as a whole"),
        fact("state", "sound, invalid, damaged, duplicate"),
        measure("detail", "what was found", TEXT),
    ),
)

RECOVERED = FrameSpec(
    "recovered",
    "One row per piece of work whose process was killed.",
    (
        key("journal", "the journal of its steps; of a scratch database, its server"),
        fact("kind", "deploy, restore, pitr, rollback, scratch database"),
        fact("database", "the database it worked on, or the scratch database"),
        measure("started_at", "when it began", INSTANT),
        fact("stopped_at", "the step it was in"),
        fact("outcome", "done, left alone (its process lives), failed (a person has to see to it)"),
        measure("told", "where it stood, and what was done", TEXT),
    ),
)
