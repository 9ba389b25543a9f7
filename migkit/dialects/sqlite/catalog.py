"""From the answers of the catalog queries to the rows of :mod:`migkit.frames`.

Constraints without a name are described, and told apart by a number where the description repeats. Automatic indexes
belong to their constraints, shadow tables to their virtual table, and statistics (``sqlite_stat1``) to nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from migkit.dialects.base import Catalog, Row
from migkit.dialects.sqlite.catalog_keys import (
    columns_nullable,
    name_constraints,
    resolve_foreign_keys,
    row_key,
    rowid_alias,
)
from migkit.dialects.sqlite.catalog_queries import ColumnFact, Facts, SchemaEntry, read_facts
from migkit.dialects.sqlite.session import driver_connection, reading_errors
from migkit.dialects.sqlite.sqltext import Token, normal_form, normalize, quote_name, tokenize
from migkit.dialects.sqlite.table_text import ConstraintText, TableText, read_table

SCHEMA = "main"
# How rows are digested does not depend on the declared type: SQLite's types belong to values.
CONTENT_TYPE = "value"
_HIDDEN = 1


def read_catalog(connection: Connection, schemas: Sequence[str] | None) -> Catalog:
    """Read all schema facts of the file.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        A session, best that of a snapshot.
    schemas : sequence of str or None
        ``main`` is the only one there is; a list without it gives an empty catalog.
    """
    if schemas is not None and SCHEMA not in schemas:
        return Catalog(SCHEMA)
    session = driver_connection(connection)
    text_factory = session.text_factory
    # Names and texts that are no UTF-8 are shown escaped, not refused.
    session.text_factory = lambda stored: stored.decode("utf-8", "backslashreplace")
    try:
        with reading_errors("the catalog"):
            facts = read_facts(session)
    finally:
        session.text_factory = text_factory
    return _assemble(facts)


def _assemble(facts: Facts) -> Catalog:
    catalog = Catalog(SCHEMA)
    foreign_key_names: dict[str, list[str]] = {}
    own = [entry for entry in facts.entries if not entry.name.lower().startswith("sqlite_")]
    for entry in own:
        kind, _, _ = facts.kinds.get(entry.name, (entry.type, False, False))
        if entry.name in facts.unreadable:
            _add_unreadable(catalog, entry, facts)
        elif entry.type == "table" and kind != "shadow":
            _add_table(catalog, entry, facts, foreign_key_names)
        elif entry.type == "view":
            catalog.columns.extend(_view_columns(entry.name, facts.columns.get(entry.name, [])))
            catalog.objects.append(_object("view", entry.name, None, _without_if_not_exists(entry.sql)))
        elif entry.type == "trigger":
            name = f"{entry.name} on {entry.table}"
            catalog.objects.append(_object("trigger", name, entry.table, _without_if_not_exists(entry.sql)))
    catalog.objects.extend(
        _object("pragma", name, None, value) | {"schema": ""} for name, value in facts.pragmas.items()
    )
    foreign_keys, unresolved = resolve_foreign_keys(facts, foreign_key_names)
    catalog.foreign_keys.extend(foreign_keys)
    catalog.unchecked.extend(unresolved)
    return catalog


def _add_unreadable(catalog: Catalog, entry: SchemaEntry, facts: Facts) -> None:
    """A virtual table whose module is not loaded, or a view over what is gone: only its text is known."""
    kind = "view" if entry.type == "view" else "virtual table"
    catalog.objects.append(_object(kind, entry.name, None, _without_if_not_exists(entry.sql)))
    what = "columns" if kind == "view" else "columns and rows"
    catalog.unchecked.append({"what": f"{what} of {kind} {entry.name}", "why": facts.unreadable[entry.name]})


def _object(kind: str, name: str, parent: str | None, definition: str | None, value: str | None = None) -> Row:
    return {
        "kind": kind,
        "schema": SCHEMA,
        "name": name,
        "parent": parent,
        "definition": definition,
        "value": value,
    }


def _without_if_not_exists(sql: str | None) -> str | None:
    """Normalise a CREATE statement; a name in a schema or an IF NOT EXISTS says nothing about what was made."""
    normal = normalize(sql)
    return normal.replace(" IF NOT EXISTS ", " ", 1) if normal else normal


# --- tables ---------------------------------------------------------------------------------------------------------


def _add_table(catalog: Catalog, entry: SchemaEntry, facts: Facts, foreign_key_names: dict[str, list[str]]) -> None:
    kind, without_rowid, strict = facts.kinds[entry.name]
    virtual = kind == "virtual"
    text = TableText() if virtual else read_table(entry.sql or "")
    columns = [column for column in facts.columns.get(entry.name, []) if column.hidden != _HIDDEN]
    options = [word for word, is_set in (("WITHOUT ROWID", without_rowid), ("STRICT", strict)) if is_set]
    if virtual:
        options.append(_module(tokenize(entry.sql or "")))
    indexes = facts.indexes.get(entry.name, [])
    index_names = [index.name for index in indexes]
    index_bytes = sum(facts.sizes.get(name, 0) for name in index_names)
    catalog.tables.append(
        {
            "schema": SCHEMA,
            "table": entry.name,
            "kind": "virtual" if virtual else "table",
            "options": ", ".join(options + text.options) or None,
            "size_bytes": facts.sizes[entry.name] + index_bytes if entry.name in facts.sizes else None,
            "index_bytes": index_bytes if entry.name in facts.sizes else None,
            "key": () if virtual else row_key(columns, indexes),
            "pages": None,
        }
    )
    alias = None if virtual else rowid_alias(columns, indexes, without_rowid)
    catalog.columns.extend(_column_rows(entry.name, columns, text, alias))
    named = name_constraints(text.constraints)
    catalog.constraints.extend(_constraint_rows(entry.name, named))
    foreign_key_names[entry.name] = [name for name, constraint in named if constraint.kind == "foreign key"]
    catalog.indexes.extend(_index_rows(entry.name, facts))
    if text.autoincrement:
        value = facts.sequences.get(entry.name)
        catalog.objects.append(_object("sequence", entry.name, entry.name, "AUTOINCREMENT", value))


def _module(tokens: list[Token]) -> str:
    start = next((index for index, token in enumerate(tokens) if token.word == "USING"), len(tokens))
    return normal_form(tokens[start:])


def _column_rows(table: str, columns: list[ColumnFact], text: TableText, alias: str | None) -> Iterable[Row]:
    nullable = columns_nullable(columns, alias)
    for position, column in enumerate(columns, start=1):
        written = text.columns.get(column.name.lower())
        identity = ("auto_increment" if text.autoincrement else "rowid") if column.name == alias else None
        yield {
            "schema": SCHEMA,
            "table": table,
            "column": column.name,
            "position": position,
            "type": _type(column.type),
            "nullable": nullable[column.name],
            "default": normalize(column.default),
            "identity": identity,
            "generated": written.generated if written else None,
            "collation": written.collation if written else None,
            "options": ", ".join(written.options) or None if written else None,
            "content_type": CONTENT_TYPE,
        }


def _view_columns(view: str, columns: list[ColumnFact]) -> Iterable[Row]:
    for position, column in enumerate(columns, start=1):
        yield {
            "schema": SCHEMA,
            "table": view,
            "column": column.name,
            "position": position,
            "type": _type(column.type),
            "nullable": True,
        }


def _type(declared: str) -> str:
    """Types mean the same in any case and spacing."""
    return (normalize(declared) or "").upper()


# --- constraints and indexes ----------------------------------------------------------------------------------------


def _constraint_rows(table: str, named: list[tuple[str, ConstraintText]]) -> Iterable[Row]:
    for name, constraint in named:
        # Whether foreign keys are enforced is a setting of each session, not of the database.
        enforced = None if constraint.kind == "foreign key" else True
        yield {
            "schema": SCHEMA,
            "table": table,
            "name": name,
            "kind": constraint.kind,
            "columns": json.dumps(constraint.columns, ensure_ascii=False) if constraint.columns else None,
            "definition": constraint.definition,
            "referenced": _referenced(constraint),
            "on_update": constraint.on_update,
            "on_delete": constraint.on_delete,
            "validated": enforced,
            "enforced": enforced,
        }


def _referenced(constraint: ConstraintText) -> str | None:
    if constraint.referenced_table is None:
        return None
    columns = ", ".join(quote_name(column) for column in constraint.referenced_columns)
    return quote_name(constraint.referenced_table) + (f" ({columns})" if columns else "")


def _index_rows(table: str, facts: Facts) -> Iterable[Row]:
    for index in facts.indexes.get(table, []):
        if index.origin != "c":
            continue
        yield {
            "schema": SCHEMA,
            "table": table,
            "name": index.name,
            "definition": _without_if_not_exists(facts.index_texts.get(index.name)),
            "unique": index.unique,
            "valid": True,
            "size_bytes": facts.sizes.get(index.name),
        }
