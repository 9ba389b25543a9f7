"""What a run of a migration was seen doing."""

from __future__ import annotations

from migkit.frames.columns import fact, key, measure
from migkit.frames.observing import INCIDENTS, PROGRESS
from migkit.frames.states import UNCHECKED
from migkit.framing import FLAG, INSTANT, INTEGER, NUMBER, TEXT, Column, FrameSpec

STATEMENTS = FrameSpec(
    "statements",
    "One row per statement of a run, in order.",
    (
        Column("number", INTEGER, "key", "1-based position in the run"),
        fact("kind", "ddl, dml, query or control"),
        fact("sql", "the statement, parameters inlined as the driver reports them, secrets removed"),
        fact("summary", "what it does, for people: 'Created table user_profiles'"),
        measure("started_at", "when it was sent", INSTANT),
        measure("seconds", "until the server answered", NUMBER),
        measure("rows", "rows affected; missing where the driver does not know"),
        fact("transaction", "number of the transaction it ran in; 0 outside any"),
        fact("outcome", "applied, rolled back, failed, not reached, unknown; skipped: there was nothing to undo"),
        measure("rewritten", "tables whose storage was replaced, comma-separated", TEXT),
        measure("algorithm", "how the server alters the table, where it has a choice: 'INPLACE, LOCK=NONE'", TEXT),
        measure("error", "the server's message, where it failed; why it was skipped", TEXT),
    ),
)

LOCKS = FrameSpec(
    "locks",
    "One row per lock that was held on a relation: by the migration, or by anybody in a watched database.",
    (
        key("relation", "the relation, schema-qualified where it is not in the default schema"),
        key("mode", "the lock mode as the engine names it"),
        Column("statement", INTEGER, "key", "number of the statement that took it"),
        measure("granted_at", "when it was granted at the earliest", INSTANT),
        measure("released_at", "when it was released", INSTANT),
        measure("held_ms", "released_at - granted_at in milliseconds", NUMBER),
        measure("blocks", "what others could not do meanwhile: 'reads and writes', 'writes', 'schema changes'", TEXT),
        measure("exact", "read from the migration's own session (True) or sampled (False)", FLAG),
        measure("session", "the session that held it; missing for the migration's own"),
        measure("query", "what that session was doing when the lock was first seen", TEXT),
    ),
)

WAITS = FrameSpec(
    "waits",
    "One row per session and stretch of time in which it waited.",
    (
        Column("waiter", INTEGER, "key", "session id of who waited"),
        Column("blocker", INTEGER, "key", "session id of who was waited for"),
        fact("relation", "the relation waited for"),
        fact("mode", "the lock mode asked for"),
        fact("waiter_query", "the query that waited"),
        fact("blocker_query", "the query waited for"),
        measure(
            "by_migration", "the migration was the blocker (True) or the waiter (False); missing without one", FLAG
        ),
        measure("started_at", "when the wait began: as the server tells, else within one sample", INSTANT),
        measure("ended_at", "when it ended, within one sample", INSTANT),
        measure("waited_ms", "ended_at - started_at in milliseconds", NUMBER),
        measure("depth", "1: waits for who holds the lock; 2: waits behind one who waits; and so on"),
        measure("root_blocker", "the session at the head of the queue, which waits for nobody"),
        measure("root_query", "what that session was doing", TEXT),
        measure("end", "granted, gave up, or still waiting when nobody looked any more", TEXT),
    ),
)

RUN_FRAMES = (STATEMENTS, LOCKS, WAITS, PROGRESS, INCIDENTS, UNCHECKED)
