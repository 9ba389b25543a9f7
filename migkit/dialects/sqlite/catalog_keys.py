"""Keys: what rows are told apart by, and where foreign keys lead."""

from __future__ import annotations

from collections import Counter

from migkit.dialects.base import ForeignKey, Row
from migkit.dialects.sqlite.catalog_queries import ColumnFact, Facts, ForeignKeyFact, IndexFact
from migkit.dialects.sqlite.sqltext import quote_name
from migkit.dialects.sqlite.table_text import ConstraintText

SCHEMA = "main"
_LONGEST_DESCRIPTION = 80


def primary_key(columns: list[ColumnFact]) -> list[str]:
    """Return the columns of the primary key in its order."""
    return [column.name for column in sorted(columns, key=lambda one: one.pk) if column.pk]


def rowid_alias(columns: list[ColumnFact], indexes: list[IndexFact], without_rowid: bool) -> str | None:
    """Return the column that is another name of the rowid: a lone INTEGER PRIMARY KEY that needs no index."""
    key = [column for column in columns if column.pk]
    if without_rowid or len(key) != 1 or key[0].type.upper() != "INTEGER":
        return None
    return None if any(index.origin == "pk" for index in indexes) else key[0].name


def columns_nullable(columns: list[ColumnFact], alias: str | None) -> dict[str, bool]:
    """Tell of each column whether it can hold NULL; the rowid never does."""
    return {column.name: not column.not_null and column.name != alias for column in columns}


def row_key(columns: list[ColumnFact], indexes: list[IndexFact]) -> tuple[str, ...]:
    """Return the primary key, else the shortest unique key that cannot hold NULL, else nothing.

    The rowid of a table without a key does not count: VACUUM renumbers it.
    """
    key = primary_key(columns)
    if key:
        return tuple(key)
    not_null = {column.name for column in columns if column.not_null}
    candidates = [
        tuple(name for name in index.columns if name is not None)
        for index in indexes
        if index.unique and not index.partial and not_null.issuperset(index.columns)
    ]
    return min(candidates, key=lambda names: (len(names), names), default=())


def describe(constraint: ConstraintText) -> str:
    """Return what an unnamed constraint is called: ``fk(user_id → users.id)``, ``unique(email)``."""
    columns = ", ".join(constraint.columns)
    if constraint.kind == "foreign key":
        parents = ", ".join(constraint.referenced_columns)
        return f"fk({columns} → {constraint.referenced_table}{f'.{parents}' if parents else ''})"
    if constraint.kind == "check":
        text = constraint.definition.removeprefix("CHECK (").removesuffix(")")
        return f"check({text if len(text) <= _LONGEST_DESCRIPTION else text[:_LONGEST_DESCRIPTION] + '…'})"
    return f"{'pk' if constraint.kind == 'primary key' else 'unique'}({columns})"


def name_constraints(constraints: list[ConstraintText]) -> list[tuple[str, ConstraintText]]:
    """Give every constraint a name of its own; unnamed ones are described, repeated names get a number.

    SQLite lets a name occur twice. The numbers follow the definitions, not the order in which they are written.
    """
    seen: Counter[str] = Counter()
    names: dict[int, str] = {}
    for index in sorted(range(len(constraints)), key=lambda one: _rank(constraints[one])):
        name = constraints[index].name or describe(constraints[index])
        seen[name] += 1
        names[index] = name if seen[name] == 1 else f"{name} #{seen[name]}"
    return [(names[index], constraint) for index, constraint in enumerate(constraints)]


def _rank(constraint: ConstraintText) -> tuple[bool, str, str, str, str]:
    """Named constraints first: a description gives way to a name."""
    actions = (constraint.on_update or "", constraint.on_delete or "")
    return (constraint.name is None, constraint.kind, constraint.definition, *actions)


def resolve_foreign_keys(facts: Facts, names: dict[str, list[str]]) -> tuple[list[ForeignKey], list[Row]]:
    """Return every foreign key ready for counting orphans, and those that lead nowhere SQLite could follow.

    Parameters
    ----------
    facts : Facts
        What the catalog queries returned.
    names : dict of str to list of str
        Per table, the names of its foreign keys in the order of declaration.
    """
    tables = {name.lower(): name for name, (kind, _, _) in facts.kinds.items() if kind == "table"}
    resolved: list[ForeignKey] = []
    unresolved: list[Row] = []
    for table, table_names in names.items():
        for name, key in zip(table_names, facts.foreign_keys.get(table, []), strict=True):
            parent = tables.get(key.parent.lower())
            parent_columns = _parent_columns(key, facts.columns.get(parent, []) if parent else [])
            if parent and len(parent_columns) != len(key.columns):
                unresolved.append(_mismatch(table, name, parent))
                continue
            columns = tuple(key.columns)
            resolved.append(ForeignKey(SCHEMA, table, name, columns, SCHEMA, parent or key.parent, parent_columns))
    return resolved, unresolved


def _parent_columns(key: ForeignKeyFact, columns: list[ColumnFact]) -> tuple[str, ...]:
    """Return the referenced columns by their own spelling; left out in SQL they are the primary key."""
    if not columns:
        return ()
    if all(name is None for name in key.parent_columns):
        return tuple(primary_key(columns))
    spelled = {column.name.lower(): column.name for column in columns}
    return tuple(spelled[name.lower()] for name in key.parent_columns if name and name.lower() in spelled)


def _mismatch(table: str, name: str, parent: str) -> Row:
    return {
        "what": f"orphans of {name} on {table}",
        "why": f"the foreign key does not name a key of {quote_name(parent)} (foreign key mismatch)",
    }
