"""The contract of every DataFrame migkit hands out: columns, dtypes, units, and what each column is for.

A column's *role* drives comparisons, so that a new fact is compared as soon as it is captured:

- ``key``: identifies the row; two states are joined on it.
- ``fact``: part of what the thing *is*; a difference is a change.
- ``measure``: a size, a count, a digest; compared only where a rule says so, shown otherwise.
"""

from __future__ import annotations

from migkit.framing import FLAG, INSTANT, INTEGER, NUMBER, TEXT, Column, FrameSpec


def _key(name: str, doc: str) -> Column:
    return Column(name, TEXT, "key", doc)


def _fact(name: str, doc: str, dtype: str = TEXT) -> Column:
    return Column(name, dtype, "fact", doc)


def _measure(name: str, doc: str, dtype: str = INTEGER) -> Column:
    return Column(name, dtype, "measure", doc)


SCHEMA = _key("schema", "the schema (MySQL: the database; SQLite: 'main')")
TABLE = _key("table", "the table")

TABLES = FrameSpec(
    "tables",
    "One row per table of a state.",
    (
        SCHEMA,
        TABLE,
        _fact("kind", "table, partitioned, partition, foreign, materialized view, virtual"),
        _fact("owner", "the owning role"),
        _fact("options", "storage and behaviour: reloptions, persistence, row security, engine, STRICT, …"),
        _fact("comment", "the comment"),
        _measure("rows", "rows, counted exactly; missing where they could not be read"),
        _measure("size_bytes", "everything on disk: heap, TOAST, indexes"),
        _measure("index_bytes", "of that, indexes"),
        _measure("key", "the key columns that rows are told apart by, as a JSON list; missing without a key", TEXT),
        _measure("shift", "key segments are 2**shift wide; missing where segments are not key ranges"),
        _measure("key_max", "the largest value of an integer key", TEXT),
        _measure("beyond", "rows with a larger key are digested apart: the key_max of the state captured like", TEXT),
        _measure("row_fingerprint", "digest of whole rows, for tables without a key", TEXT),
        _measure("sample", "which key segments were read, as JSON; missing where all rows were", TEXT),
        _measure("rows_estimated", "the server's own estimate, where rows were not counted"),
    ),
)

COLUMNS = FrameSpec(
    "columns",
    "One row per column of a table or view.",
    (
        SCHEMA,
        TABLE,
        _key("column", "the column"),
        _fact("position", "1-based position among the live columns", INTEGER),
        _fact("type", "the type as the engine writes it, with length and precision"),
        _fact("nullable", "may be NULL", FLAG),
        _fact("default", "the default expression"),
        _fact("identity", "always, by default, auto_increment, rowid; missing otherwise"),
        _fact("generated", "the generation expression, with STORED or VIRTUAL"),
        _fact("collation", "the collation, where it is not the type's default"),
        _fact("options", "storage, compression, statistics target, visibility, character set"),
        _fact("comment", "the comment"),
        _measure("nulls", "rows in which the column is NULL"),
        _measure("fingerprint", "64-bit digest of the content, bound to the key; missing where not computed", TEXT),
    ),
)

CONSTRAINTS = FrameSpec(
    "constraints",
    "One row per constraint.",
    (
        SCHEMA,
        TABLE,
        _key("name", "the constraint's name; a description where it has none"),
        _fact("kind", "primary key, unique, foreign key, check, exclusion, not null"),
        _fact("columns", "the constrained columns as a JSON list"),
        _fact("definition", "the constraint as the engine writes it"),
        _fact("referenced", "foreign keys: the referenced table and columns"),
        _fact("on_update", "foreign keys: the action"),
        _fact("on_delete", "foreign keys: the action"),
        _fact("validated", "existing rows were checked", FLAG),
        _fact("enforced", "new rows are checked", FLAG),
        _fact("comment", "the comment"),
    ),
)

INDEXES = FrameSpec(
    "indexes",
    "One row per index.",
    (
        SCHEMA,
        TABLE,
        _key("name", "the index's name"),
        _fact("definition", "the index as the engine writes it"),
        _fact("unique", "forbids duplicates", FLAG),
        _fact("valid", "usable by queries", FLAG),
        _fact("options", "storage parameters, visibility, clustering, statistics targets"),
        _fact("comment", "the comment"),
        _measure("size_bytes", "on disk"),
    ),
)

OBJECTS = FrameSpec(
    "objects",
    "One row per object that is none of the above: views, triggers, routines, sequences, types, grants, …",
    (
        _key("kind", "view, trigger, function, sequence, enum, domain, grant, policy, extension, …"),
        _key("schema", "the schema; empty for objects of the whole database"),
        _key("name", "the name, with the arguments of a routine or the table of a trigger"),
        _fact("parent", "the table it belongs to"),
        _fact("definition", "everything the object is, as the engine writes it"),
        _fact("owner", "the owning role"),
        _fact("comment", "the comment"),
        _measure("value", "sequences and AUTO_INCREMENT: the value that moves as rows are written", TEXT),
        _measure("fingerprint", "materialized views: digest of the content", TEXT),
    ),
)

ORPHANS = FrameSpec(
    "orphans",
    "One row per foreign key: rows whose parent does not exist, also where the constraint is not enforced.",
    (
        SCHEMA,
        TABLE,
        _key("constraint", "the foreign key"),
        _measure("columns", "the referencing columns as a JSON list", TEXT),
        _measure("referenced", "the referenced table", TEXT),
        _measure("orphans", "rows without a parent; missing where they could not be counted"),
    ),
)

SEGMENTS = FrameSpec(
    "segments",
    "One row per key segment and column: the digests that narrow a change to a range of keys.",
    (
        SCHEMA,
        TABLE,
        Column("segment", INTEGER, "key", "number of the segment: key >> shift, or a slice of the key's hash"),
        Column("appended", FLAG, "key", "rows beyond the largest key of the state this one was captured like"),
        _key("column", "the column"),
        _measure("rows", "rows of the segment"),
        _measure("nulls", "of them, rows in which the column is NULL"),
        _measure("fingerprint", "64-bit digest: the sum of the rows' hashes modulo 2**64, 16 hex digits", TEXT),
    ),
)

UNCHECKED = FrameSpec(
    "unchecked",
    "One row per thing that was not looked at; every verdict lists them.",
    (
        _key("what", "what was not checked"),
        _measure("why", "the reason", TEXT),
    ),
)

STATE_FRAMES = (TABLES, COLUMNS, CONSTRAINTS, INDEXES, OBJECTS, ORPHANS, SEGMENTS, UNCHECKED)

CHANGE = Column("change", TEXT, "fact", "unchanged, added, removed, changed, renamed, …")
DETAIL = Column("detail", TEXT, "measure", "what changed, as 'fact: before → after'")

TABLE_CHANGES = FrameSpec(
    "tables",
    "One row per table of either state.",
    (
        SCHEMA,
        TABLE,
        CHANGE,
        _measure("rows_before", "rows before"),
        _measure("rows_after", "rows after"),
        _measure("rows_diff", "rows after minus rows before"),
        _measure("content", "intact, changed, appended, added, removed, not compared", TEXT),
        _measure("renamed_from", "the table's earlier name, recognised by content", TEXT),
        DETAIL,
    ),
)

COLUMN_CHANGES = FrameSpec(
    "columns",
    "One row per column of either state.",
    (
        SCHEMA,
        TABLE,
        _key("column", "the column"),
        CHANGE,
        _measure("content", "intact, retyped, changed, appended, added, removed, not compared", TEXT),
        _measure("renamed_from", "the column's earlier name, recognised by content", TEXT),
        _measure("rows_changed", "rows whose value differs; missing where rows were not compared one by one"),
        _measure("where", "the key ranges in which the content differs", TEXT),
        _measure("nulls_before", "NULLs before"),
        _measure("nulls_after", "NULLs after"),
        DETAIL,
    ),
)

CONSTRAINT_CHANGES = FrameSpec(
    "constraints",
    "One row per constraint of either state.",
    (SCHEMA, TABLE, _key("name", "the constraint"), _fact("kind", "its kind"), CHANGE, DETAIL),
)

INDEX_CHANGES = FrameSpec(
    "indexes", "One row per index of either state.", (SCHEMA, TABLE, _key("name", "the index"), CHANGE, DETAIL)
)

OBJECT_CHANGES = FrameSpec(
    "objects",
    "One row per other object of either state.",
    (
        _key("kind", "its kind"),
        _key("schema", "the schema"),
        _key("name", "the name"),
        _fact("parent", "the table it belongs to"),
        CHANGE,
        DETAIL,
    ),
)

ORPHAN_CHANGES = FrameSpec(
    "orphans",
    "One row per foreign key of either state.",
    (
        SCHEMA,
        TABLE,
        _key("constraint", "the foreign key"),
        _measure("referenced", "the referenced table", TEXT),
        _measure("orphans_before", "rows without a parent before; missing where unknown"),
        _measure("orphans_after", "rows without a parent after; missing where unknown"),
        _measure("orphans_new", "after minus before"),
    ),
)

FINDINGS = FrameSpec(
    "findings",
    "One row per judgement.",
    (
        _key("id", "stable id of the rule"),
        _fact("severity", "error, warning or note"),
        _key("where", "the object it is about"),
        _fact("what", "what was found"),
        _fact("why", "why it matters"),
        _fact("instead", "what to do"),
    ),
)

STATEMENTS = FrameSpec(
    "statements",
    "One row per statement of a run, in order.",
    (
        Column("number", INTEGER, "key", "1-based position in the run"),
        _fact("kind", "ddl, dml, query or control"),
        _fact("sql", "the statement, parameters inlined as the driver reports them, secrets removed"),
        _fact("summary", "what it does, for people: 'Created table user_profiles'"),
        _measure("started_at", "when it was sent", INSTANT),
        _measure("seconds", "until the server answered", NUMBER),
        _measure("rows", "rows affected; missing where the driver does not know"),
        _fact("transaction", "number of the transaction it ran in; 0 outside any"),
        _fact("outcome", "applied, rolled back, failed, not reached, unknown; skipped: there was nothing to undo"),
        _measure("rewritten", "tables whose storage was replaced, comma-separated", TEXT),
        _measure("algorithm", "how the server alters the table, where it has a choice: 'INPLACE, LOCK=NONE'", TEXT),
        _measure("error", "the server's message, where it failed; why it was skipped", TEXT),
    ),
)

LOCKS = FrameSpec(
    "locks",
    "One row per lock the migration held on a relation.",
    (
        _key("relation", "the relation, schema-qualified where it is not in the default schema"),
        _key("mode", "the lock mode as the engine names it"),
        Column("statement", INTEGER, "key", "number of the statement that took it"),
        _measure("granted_at", "when it was granted at the earliest", INSTANT),
        _measure("released_at", "when it was released", INSTANT),
        _measure("held_ms", "released_at - granted_at in milliseconds", NUMBER),
        _measure("blocks", "what others could not do meanwhile: 'reads and writes', 'writes', 'schema changes'", TEXT),
        _measure("exact", "read from the migration's own session (True) or sampled (False)", FLAG),
    ),
)

WAITS = FrameSpec(
    "waits",
    "One row per session and stretch of time in which it waited.",
    (
        Column("waiter", INTEGER, "key", "session id of who waited"),
        Column("blocker", INTEGER, "key", "session id of who was waited for"),
        _fact("relation", "the relation waited for"),
        _fact("mode", "the lock mode asked for"),
        _fact("waiter_query", "the query that waited"),
        _fact("blocker_query", "the query waited for"),
        _measure("by_migration", "the migration was the blocker (True) or the waiter (False)", FLAG),
        _measure("started_at", "first seen waiting", INSTANT),
        _measure("ended_at", "last seen waiting", INSTANT),
        _measure("waited_ms", "as the server tells, else ended_at - started_at, in milliseconds", NUMBER),
    ),
)

CHECKS = FrameSpec(
    "checks",
    "One row per promise that was checked.",
    (
        _key("check", "what was checked, for people: 'Table user_profiles exists'"),
        _fact("passed", "the database keeps the promise", FLAG),
        _measure("expected", "what the migration promises", TEXT),
        _measure("found", "what the database holds", TEXT),
    ),
)

ROW_DIFFERENCES = FrameSpec(
    "rows",
    "One row per value that differs, and one per row that only one of the databases has.",
    (
        _fact("change", "added (only b has the row), removed (only a has it), changed"),
        _fact("key", "the row's key as text; a JSON list of several columns; missing for a table without a key"),
        _fact("column", "the column whose values differ; missing for rows added or removed"),
        _measure("value_a", "the value in a, exactly, missing for NULL; of a removed row a JSON object of all", TEXT),
        _measure("value_b", "the value in b, exactly, missing for NULL; of an added row a JSON object of all", TEXT),
    ),
)

RUN_FRAMES = (STATEMENTS, LOCKS, WAITS, UNCHECKED)
