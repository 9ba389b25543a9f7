"""The catalog queries: a fixed number of them, over ``sqlite_schema`` and the table-valued pragmas joined to it."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

_SCHEMA = "SELECT type, name, tbl_name, sql FROM main.sqlite_schema ORDER BY rowid"
_KINDS = "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'"
_COLUMNS = """
SELECT s.name, x.cid, x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden
FROM main.sqlite_schema s JOIN pragma_table_xinfo(s.name, 'main') x WHERE {which} ORDER BY s.rowid, x.cid
"""
_FOREIGN_KEYS = """
SELECT s.name, x.id, x.seq, x."table", x."from", x."to", x.on_update, x.on_delete
FROM main.sqlite_schema s JOIN pragma_foreign_key_list(s.name, 'main') x
WHERE s.type = 'table' AND s.rootpage > 0 ORDER BY s.rowid, x.id DESC, x.seq
"""
_INDEXES = """
SELECT s.name, x.name, x."unique", x.origin, x.partial, c.seqno, c.cid, c.name
FROM main.sqlite_schema s JOIN pragma_index_list(s.name, 'main') x JOIN pragma_index_xinfo(x.name, 'main') c
WHERE s.type = 'table' AND s.rootpage > 0 AND c."key" = 1 ORDER BY s.rowid, x.name, c.seqno
"""
_PRAGMAS = """
SELECT user_version, application_id, encoding, auto_vacuum, page_size, journal_mode
FROM pragma_user_version, pragma_application_id, pragma_encoding, pragma_auto_vacuum, pragma_page_size,
     pragma_journal_mode
"""
_SIZES = "SELECT name, pgsize FROM dbstat('main', 1)"


@dataclass(frozen=True)
class ColumnFact:
    """One column as the pragmas tell it; `pk` is its place in the primary key, 0 outside."""

    name: str
    type: str
    not_null: bool
    default: str | None
    pk: int
    hidden: int


@dataclass
class IndexFact:
    """One index as the pragmas tell it; expressions have no name."""

    name: str
    unique: bool
    origin: str
    partial: bool
    columns: list[str | None] = field(default_factory=list)


@dataclass
class ForeignKeyFact:
    """One foreign key as the pragmas tell it, in the order of declaration."""

    parent: str
    columns: list[str] = field(default_factory=list)
    parent_columns: list[str | None] = field(default_factory=list)
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"


@dataclass(frozen=True)
class SchemaEntry:
    """One row of ``sqlite_schema``."""

    type: str
    name: str
    table: str
    sql: str | None


@dataclass(frozen=True)
class Facts:
    """Everything the catalog queries returned; tables are keyed by name."""

    entries: list[SchemaEntry]
    kinds: dict[str, tuple[str, bool, bool]]
    columns: dict[str, list[ColumnFact]]
    foreign_keys: dict[str, list[ForeignKeyFact]]
    indexes: dict[str, list[IndexFact]]
    sequences: dict[str, str]
    pragmas: dict[str, str]
    sizes: dict[str, int]
    unreadable: dict[str, str]

    @cached_property
    def index_texts(self) -> dict[str, str | None]:
        """The CREATE statement of each index."""
        return {entry.name: entry.sql for entry in self.entries if entry.type == "index"}


def read_facts(session: sqlite3.Connection) -> Facts:
    """Ask everything there is to ask."""
    entries = [SchemaEntry(*row) for row in session.execute(_SCHEMA)]
    unreadable: dict[str, str] = {}
    columns = _columns(session, "s.type = 'table' AND s.rootpage > 0")
    columns |= _fragile_columns(session, "s.type = 'table' AND s.rootpage = 0", unreadable)
    columns |= _fragile_columns(session, "s.type = 'view'", unreadable)
    return Facts(
        entries=entries,
        kinds={name: (kind, bool(wr), bool(strict)) for name, kind, wr, strict in session.execute(_KINDS)},
        columns=columns,
        foreign_keys=_foreign_keys(session),
        indexes=_indexes(session),
        sequences=_sequences(session, entries),
        pragmas=_pragmas(session),
        sizes=_sizes(session),
        unreadable=unreadable,
    )


def affinity(declared: str) -> str:
    """Return the affinity SQLite gives a declared type."""
    text = declared.upper()
    rules = (
        ("INT", "INTEGER"),
        ("CHAR", "TEXT"),
        ("CLOB", "TEXT"),
        ("TEXT", "TEXT"),
        ("BLOB", "BLOB"),
        ("REAL", "REAL"),
        ("FLOA", "REAL"),
        ("DOUB", "REAL"),
    )
    found = next((result for part, result in rules if part in text), "NUMERIC" if text else "BLOB")
    # The three numeric ones compare alike.
    return "NUMERIC" if found in ("INTEGER", "REAL") else found


def _columns(session: sqlite3.Connection, which: str) -> dict[str, list[ColumnFact]]:
    found: dict[str, list[ColumnFact]] = defaultdict(list)
    for table, _, name, declared, not_null, default, pk, hidden in session.execute(_COLUMNS.format(which=which)):
        found[table].append(ColumnFact(name, declared, bool(not_null), default, pk, hidden))
    return dict(found)


def _fragile_columns(
    session: sqlite3.Connection, which: str, unreadable: dict[str, str]
) -> dict[str, list[ColumnFact]]:
    """Read columns that need a module or other tables; where one fails, each is asked alone."""
    try:
        return _columns(session, which)
    except sqlite3.OperationalError:
        found: dict[str, list[ColumnFact]] = {}
        for (name,) in session.execute(f"SELECT s.name FROM main.sqlite_schema s WHERE {which}").fetchall():
            literal = name.replace("'", "''")
            try:
                found |= _columns(session, f"{which} AND s.name = '{literal}'")
            except sqlite3.OperationalError as error:
                unreadable[name] = str(error)
        return found


def _foreign_keys(session: sqlite3.Connection) -> dict[str, list[ForeignKeyFact]]:
    found: dict[str, dict[int, ForeignKeyFact]] = defaultdict(dict)
    for table, number, _, parent, column, parent_column, on_update, on_delete in session.execute(_FOREIGN_KEYS):
        key = found[table].setdefault(number, ForeignKeyFact(parent, on_update=on_update, on_delete=on_delete))
        key.columns.append(column)
        key.parent_columns.append(parent_column)
    return {table: list(keys.values()) for table, keys in found.items()}


def _indexes(session: sqlite3.Connection) -> dict[str, list[IndexFact]]:
    found: dict[str, dict[str, IndexFact]] = defaultdict(dict)
    for table, name, unique, origin, partial, _, _, column in session.execute(_INDEXES):
        index = found[table].setdefault(name, IndexFact(name, bool(unique), origin, bool(partial)))
        index.columns.append(column)
    return {table: list(indexes.values()) for table, indexes in found.items()}


def _sequences(session: sqlite3.Connection, entries: list[SchemaEntry]) -> dict[str, str]:
    if not any(entry.name == "sqlite_sequence" for entry in entries):
        return {}
    rows = session.execute("SELECT name, max(seq) FROM main.sqlite_sequence WHERE name IS NOT NULL GROUP BY name")
    return {str(name): str(value) for name, value in rows}


def _pragmas(session: sqlite3.Connection) -> dict[str, str]:
    version, application, encoding, auto_vacuum, page_size, journal = session.execute(_PRAGMAS).fetchone()
    return {
        "user_version": str(version),
        "application_id": str(application),
        "encoding": str(encoding),
        "auto_vacuum": ("none", "full", "incremental")[auto_vacuum],
        "page_size": str(page_size),
        # Of the journal modes, only WAL is kept in the file.
        "journal_mode": "wal" if journal == "wal" else "rollback journal",
    }


def _sizes(session: sqlite3.Connection) -> dict[str, int]:
    """Return bytes per table and index; empty where the library was built without ``dbstat``."""
    try:
        return dict(session.execute(_SIZES).fetchall())
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return {}
        raise
