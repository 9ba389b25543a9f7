"""What two states or two tables held side by side give."""

from __future__ import annotations

from migkit.frames.columns import CHANGE, DETAIL, SCHEMA, TABLE, fact, key, measure
from migkit.framing import TEXT, FrameSpec

TABLE_CHANGES = FrameSpec(
    "tables",
    "One row per table of either state.",
    (
        SCHEMA,
        TABLE,
        CHANGE,
        measure("rows_before", "rows before"),
        measure("rows_after", "rows after"),
        measure("rows_diff", "rows after minus rows before"),
        measure("content", "intact, changed, appended, added, removed, not compared", TEXT),
        measure("renamed_from", "the table's earlier name, recognised by content", TEXT),
        DETAIL,
    ),
)

COLUMN_CHANGES = FrameSpec(
    "columns",
    "One row per column of either state.",
    (
        SCHEMA,
        TABLE,
        key("column", "the column"),
        CHANGE,
        measure("content", "intact, retyped, changed, appended, added, removed, not compared", TEXT),
        measure("renamed_from", "the column's earlier name, recognised by content", TEXT),
        measure("rows_changed", "rows whose value differs; missing where rows were not compared one by one"),
        measure("sample_keys", "the keys of a few of those rows", TEXT),
        measure("where", "the key ranges in which the content differs", TEXT),
        measure("nulls_before", "NULLs before"),
        measure("nulls_after", "NULLs after"),
        DETAIL,
    ),
)

CONSTRAINT_CHANGES = FrameSpec(
    "constraints",
    "One row per constraint of either state.",
    (SCHEMA, TABLE, key("name", "the constraint"), fact("kind", "its kind"), CHANGE, DETAIL),
)

INDEX_CHANGES = FrameSpec(
    "indexes", "One row per index of either state.", (SCHEMA, TABLE, key("name", "the index"), CHANGE, DETAIL)
)

OBJECT_CHANGES = FrameSpec(
    "objects",
    "One row per other object of either state.",
    (
        key("kind", "its kind"),
        key("schema", "the schema"),
        key("name", "the name"),
        fact("parent", "the table it belongs to"),
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
        key("constraint", "the foreign key"),
        measure("referenced", "the referenced table", TEXT),
        measure("orphans_before", "rows without a parent before; missing where unknown"),
        measure("orphans_after", "rows without a parent after; missing where unknown"),
        measure("orphans_new", "after minus before"),
    ),
)

ROW_DIFFERENCES = FrameSpec(
    "rows",
    "One row per value that differs, and one per row that only one of the databases has.",
    (
        fact("change", "added (only b has the row), removed (only a has it), changed"),
        fact("key", "the row's key as text; a JSON list of several columns; missing for a table without a key"),
        fact("column", "the column whose values differ; missing for rows added or removed"),
        measure("value_a", "the value in a, exactly, missing for NULL; of a removed row a JSON object of all", TEXT),
        measure("value_b", "the value in b, exactly, missing for NULL; of an added row a JSON object of all", TEXT),
    ),
)
