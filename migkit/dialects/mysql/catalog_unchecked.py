"""What a reading of the catalog could not see, and why: never an empty result instead."""

from __future__ import annotations

from migkit.dialects.base import Row
from migkit.dialects.mysql.catalog_reader import Reader
from migkit.dialects.mysql.catalog_tables import TABLE_KINDS
from migkit.dialects.mysql.sql import quote, rows

# The catalog leaves these out without a word where the user lacks the right to see them.
_HIDDEN_WITHOUT = (("TRIGGER", "triggers"), ("EVENT", "events"), ("SHOW VIEW", "definitions of views"))


def read_unchecked(reader: Reader) -> list[Row]:
    """Return what was not looked at."""
    return [
        *_outside_the_snapshot(reader),
        *_history(reader),
        *_hidden(reader),
        *_hidden_routines(reader),
        *_hidden_grants(reader),
    ]


def _outside_the_snapshot(reader: Reader) -> list[Row]:
    transactional = reader.transactional_engines
    return [
        {
            "what": f"rows of {row['table_name']}",
            "why": f"not in the snapshot: the engine {row['engine']} has no transactions; they were read as they were"
            " when their turn came",
        }
        for row in reader.tables
        if row["table_type"] in TABLE_KINDS and row["engine"] not in transactional
    ]


def _history(reader: Reader) -> list[Row]:
    return [
        {"what": f"earlier versions of the rows of {row['table_name']}", "why": "only present rows are digested"}
        for row in reader.tables
        if row["table_type"] == "SYSTEM VERSIONED"
    ]


def _hidden(reader: Reader) -> list[Row]:
    places = ("*.*", *(f"{quote(database)}.*" for database in reader.databases))
    lines = [str(row[0]).replace("\\", "") for row in rows(reader.connection, "SHOW GRANTS")]
    grants = " ".join(line for line in lines if any(f" ON {place} " in line for place in places))
    return [
        {"what": what, "why": f"the database user may not see them; the right is {right}"}
        for right, what in _HIDDEN_WITHOUT
        if right not in grants and "ALL PRIVILEGES" not in grants
    ]


def _hidden_routines(reader: Reader) -> list[Row]:
    routines = reader.read("ROUTINES", columns="ROUTINE_NAME, ROUTINE_DEFINITION", of="ROUTINE_SCHEMA")
    return [
        {"what": f"the body of {row['routine_name']}", "why": "the database user may not see it"}
        for row in routines
        if row["routine_definition"] is None
    ]


def _hidden_grants(reader: Reader) -> list[Row]:
    if reader.routine_grants is not None:
        return []
    return [{"what": "rights to routines", "why": "the database user may not read mysql.procs_priv"}]
