"""The rules a rehearsal is judged by, beside those of its comparisons (:mod:`migkit.state.rules`)."""

from __future__ import annotations

from migkit.findings import Rule

MIGRATION_FAILED = Rule(
    "migration-failed",
    "error",
    "The way up failed.",
    "In production it would fail at the same place, after having held its locks until then.",
    "Mend the statement that failed and rehearse again.",
    bad="ALTER TABLE users ADD COLUMN email text  -- exists already",
    good="a migration that rehearses",
)
PROMISE_BROKEN = Rule(
    "promise-broken",
    "error",
    "The database does not hold what the migration does to an empty copy of the schema.",
    "The migration behaves differently on real data, or was applied only in part.",
    "Look at the check that failed, and at what the migration does depending on data.",
    bad="an index that exists on the empty copy and not on the clone",
    good="every check passes",
)
ROLLBACK_FAILED = Rule(
    "rollback-failed",
    "error",
    "The way down failed.",
    "After a bad deploy, only a backup would bring the database back.",
    "Mend the way down and rehearse again.",
    bad="down() drops a table that up() did not make",
    good="a way down that runs",
)
HALF_APPLIED = Rule(
    "half-applied",
    "error",
    "The way up failed, and statements of it stand, because the engine commits at every DDL statement.",
    "In production the database would be left between two versions.",
    "Mend what fails; put statements that may fail first, or each into a migration of its own.",
    bad="CREATE TABLE a …; ALTER TABLE users ADD COLUMN name …  -- exists already",
    good="two migrations of one statement each",
)
HALF_APPLIED_ROLLBACK = Rule(
    "half-applied-rollback",
    "note",
    "The way down was tried from where the failed way up had stopped.",
    "If the migration fails there in production, this is the way back.",
    "Where it does not restore everything, take back by hand what is left.",
    bad="down() changes rows that up() had not changed yet",
    good="down() drops what up() made, in reverse order",
)
LEFT_BEHIND = Rule(
    "left-behind",
    "error",
    "The way down leaves the database other than it was.",
    "Rolling back looks like it worked, and is not a way back.",
    "Let the way down restore it, or leave the way down out and plan on a backup.",
    bad="up() normalises e-mail addresses; down() cannot know what they were",
    good="up() writes a new column; down() drops it",
)
SEQUENCE_ADVANCED = Rule(
    "sequence-advanced",
    "note",
    "A sequence is further on than before.",
    "Numbers were used up; no row is affected.",
    "Nothing.",
    bad="",
    good="",
)
IRREVERSIBLE = Rule(
    "irreversible",
    "warning",
    "The migration has no way down.",
    "Once applied, only a backup or point-in-time recovery brings the database back.",
    "Write a way down, or plan the deploy on a verified backup.",
    bad="def up(op): op.drop_column('users', 'phone')",
    good="def down(op): op.add_column('users', sa.Column('phone', sa.Text))",
)
AGAIN_FAILED = Rule(
    "up-again-failed",
    "error",
    "After rolling back, the way up fails.",
    "A second attempt at the deploy would fail.",
    "Let the way down remove everything that the way up creates.",
    bad="up() creates a type that down() does not drop",
    good="DROP TYPE order_status in down()",
)
REWRITTEN = Rule(
    "table-rewritten",
    "warning",
    "A statement wrote a table anew.",
    "It takes time and disk in proportion to the table, under a lock that keeps everyone out.",
    "Add a new column, fill it in batches, and switch over.",
    bad="ALTER TABLE orders ALTER id TYPE bigint",
    good="ALTER TABLE orders ADD id_new bigint; batched UPDATE; swap",
)
TABLE_COPIED = Rule(
    "table-copied",
    "warning",
    "The server alters an existing table by copying it (ALGORITHM=COPY).",
    "It takes time and disk in proportion to the table, and nobody can write to it meanwhile.",
    "Use a change that the server does in place, or an online schema change tool.",
    bad="ALTER TABLE orders MODIFY id bigint",
    good="ALTER TABLE orders ADD COLUMN note text  -- INSTANT",
)
BLOCKED_OTHERS = Rule(
    "blocked-others",
    "warning",
    "A lock that keeps out reads or writes was held on an existing table for longer than half a second.",
    "Every query on the table waits that long, and those behind them too.",
    "Split the migration, build indexes concurrently, and set a lock_timeout.",
    bad="CREATE INDEX ON orders (placed_at)",
    good="CREATE INDEX CONCURRENTLY ON orders (placed_at)",
)
OUTSIDE_TRANSACTION = Rule(
    "outside-transaction",
    "note",
    "A statement ran outside the migration's transaction, because the engine refuses it inside one.",
    "If a later statement fails, what came before it stays.",
    "Keep such a statement in a migration of its own.",
    bad="CREATE INDEX CONCURRENTLY … beside three other statements",
    good="a migration with nothing but CREATE INDEX CONCURRENTLY",
)
STATEMENT_FAILED = Rule(
    "statement-failed",
    "warning",
    "A statement failed, and the migration went on.",
    "Whatever it was to do is not done, and nothing says so in production.",
    "Ask for the condition first instead of trying and ignoring the error.",
    bad="try: op.execute(…) except Exception: pass",
    good="if not inspector.has_table('users'): op.create_table('users', …)",
)
STEP_FAILED = Rule(
    "step-failed",
    "error",
    "A step of the rehearsal could not be done.",
    "Nothing is proven about what that step was to show.",
    "See the reason, mend it, and rehearse again.",
    bad="the server went away during the capture",
    good="every step is done",
)

STALLED = Rule(
    "stalled",
    "warning",
    "A table could not be read or written for longer than half a second while the migration ran.",
    "The application's queries stall for as long, and fill its connection pool meanwhile.",
    "Split the migration, build indexes concurrently, add constraints NOT VALID first, and set a lock_timeout.",
    bad="writes to orders stalled 1,840 ms behind ALTER TABLE orders (AccessExclusiveLock)",
    good="ADD COLUMN id_new bigint; batched UPDATE; swap",
)
CANARY_FAILED = Rule(
    "canary-failed",
    "warning",
    "A table that is still there could not be read or written.",
    "Queries of the application may fail in the same way.",
    "Look at the error: a missing right, a row policy, a trigger.",
    bad="reads of orders failed after its owner had been changed",
    good="GRANT SELECT together with ALTER TABLE … OWNER TO",
)
QUEUED = Rule(
    "queued-behind-reader",
    "warning",
    "The migration waited behind a transaction that had only read, and whoever came later waited behind the migration.",
    "One forgotten session, one long report, and the whole application stands still.",
    "Give the migration a short lock_timeout and retry it; look for long transactions before it starts.",
    bad="ALTER TABLE waits behind a report of an hour",
    good="SET lock_timeout = '2s', and try again every minute",
)

UNDER_LOAD = Rule(
    "under-load",
    "error",
    "The migration ran under the given workload, and the load test did not pass.",
    "The application's own queries stall, fail or break a limit while it runs, or afterwards.",
    "Read what stalled and what failed in the load test; expand first, contract after the application has changed.",
    bad="SELECT users by id fails: column legacy_flag does not exist",
    good="every query of the workload is answered before, during and after",
)

RULES = (
    MIGRATION_FAILED,
    PROMISE_BROKEN,
    ROLLBACK_FAILED,
    HALF_APPLIED,
    HALF_APPLIED_ROLLBACK,
    LEFT_BEHIND,
    SEQUENCE_ADVANCED,
    IRREVERSIBLE,
    AGAIN_FAILED,
    REWRITTEN,
    TABLE_COPIED,
    BLOCKED_OTHERS,
    OUTSIDE_TRANSACTION,
    STATEMENT_FAILED,
    STEP_FAILED,
    STALLED,
    CANARY_FAILED,
    QUEUED,
    UNDER_LOAD,
)

BLOCKED_TOO_LONG_MS = 500.0
