"""What a state is made of."""

from __future__ import annotations

from migkit.frames.columns import SCHEMA, TABLE, fact, key, measure
from migkit.framing import FLAG, INTEGER, TEXT, Column, FrameSpec

TABLES = FrameSpec(
    "tables",
    "One row per table of a state.",
    (
        SCHEMA,
        TABLE,
        fact("kind", "table, partitioned, partition, foreign, materialized view, virtual"),
        fact("owner", "the owning role"),
        fact("options", "storage and behaviour: reloptions, persistence, row security, engine, STRICT, …"),
        fact("comment", "the comment"),
        measure("rows", "rows, counted exactly; missing where they could not be read"),
        measure("size_bytes", "everything on disk: heap, TOAST, indexes"),
        measure("index_bytes", "of that, indexes"),
        measure("key", "the key columns that rows are told apart by, as a JSON list; missing without a key", TEXT),
        measure("shift", "key segments are 2**shift wide; missing where segments are not key ranges"),
        measure("key_max", "the largest value of an integer key", TEXT),
        measure("beyond", "rows with a larger key are digested apart: the key_max of the state captured like", TEXT),
        measure("row_fingerprint", "digest of whole rows, for tables without a key", TEXT),
        measure(
            "earlier_rows", "the same by the columns of the state captured like, where it had others, as JSON", TEXT
        ),
        measure("sample", "which key segments were read, as JSON; missing where all rows were", TEXT),
        measure("rows_estimated", "the server's own estimate, where rows were not counted"),
    ),
)

COLUMNS = FrameSpec(
    "columns",
    "One row per column of a table or view.",
    (
        SCHEMA,
        TABLE,
        key("column", "the column"),
        fact("position", "1-based position among the live columns", INTEGER),
        fact("type", "the type as the engine writes it, with length and precision"),
        fact("nullable", "may be NULL", FLAG),
        fact("default", "the default expression"),
        fact("identity", "always, by default, auto_increment, rowid; missing otherwise"),
        fact("generated", "the generation expression, with STORED or VIRTUAL"),
        fact("collation", "the collation, where it is not the type's default"),
        fact("options", "storage, compression, statistics target, visibility, character set"),
        fact("comment", "the comment"),
        measure("read_as", "the form in which its values were digested; missing where none were", TEXT),
        measure("nulls", "rows in which the column is NULL"),
        measure("fingerprint", "64-bit digest of the content, bound to the key; missing where not computed", TEXT),
    ),
)

CONSTRAINTS = FrameSpec(
    "constraints",
    "One row per constraint.",
    (
        SCHEMA,
        TABLE,
        key("name", "the constraint's name; a description where it has none"),
        fact("kind", "primary key, unique, foreign key, check, exclusion, not null"),
        fact("columns", "the constrained columns as a JSON list"),
        fact("definition", "the constraint as the engine writes it"),
        fact("referenced", "foreign keys: the referenced table and columns"),
        fact("on_update", "foreign keys: the action"),
        fact("on_delete", "foreign keys: the action"),
        fact("validated", "existing rows were checked", FLAG),
        fact("enforced", "new rows are checked", FLAG),
        fact("comment", "the comment"),
    ),
)

INDEXES = FrameSpec(
    "indexes",
    "One row per index.",
    (
        SCHEMA,
        TABLE,
        key("name", "the index's name"),
        fact("definition", "the index as the engine writes it"),
        fact("unique", "forbids duplicates", FLAG),
        fact("valid", "usable by queries", FLAG),
        fact("options", "storage parameters, visibility, clustering, statistics targets"),
        fact("comment", "the comment"),
        measure("size_bytes", "on disk"),
    ),
)

OBJECTS = FrameSpec(
    "objects",
    "One row per object that is none of the above: views, triggers, routines, sequences, types, grants, …",
    (
        key("kind", "view, trigger, function, sequence, enum, domain, grant, policy, extension, …"),
        key("schema", "the schema; empty for objects of the whole database"),
        key("name", "the name, with the arguments of a routine or the table of a trigger"),
        fact("parent", "the table it belongs to"),
        fact("definition", "everything the object is, as the engine writes it"),
        fact("owner", "the owning role"),
        fact("comment", "the comment"),
        measure("value", "sequences and AUTO_INCREMENT: the value that moves as rows are written", TEXT),
        measure("fingerprint", "materialized views: digest of the content", TEXT),
    ),
)

ORPHANS = FrameSpec(
    "orphans",
    "One row per foreign key: rows whose parent does not exist, also where the constraint is not enforced.",
    (
        SCHEMA,
        TABLE,
        key("constraint", "the foreign key"),
        measure("columns", "the referencing columns as a JSON list", TEXT),
        measure("referenced", "the referenced table", TEXT),
        measure("orphans", "rows without a parent; missing where they could not be counted"),
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
        key("column", "the column"),
        measure("rows", "rows of the segment"),
        measure("nulls", "of them, rows in which the column is NULL"),
        measure("fingerprint", "64-bit digest: the sum of the rows' hashes modulo 2**64, 16 hex digits", TEXT),
    ),
)

UNCHECKED = FrameSpec(
    "unchecked",
    "One row per thing that was not looked at; every verdict lists them.",
    (
        key("what", "what was not checked"),
        measure("why", "the reason", TEXT),
    ),
)

STATE_FRAMES = (TABLES, COLUMNS, CONSTRAINTS, INDEXES, OBJECTS, ORPHANS, SEGMENTS, UNCHECKED)
