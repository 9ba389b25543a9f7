"""What is compared of one table in two databases: the columns both have, and a key that both can tell rows apart by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from sqlalchemy import Connection

from migkit.database import Database
from migkit.dialects.base import Catalog, Row, TableContent, ValueFamily
from migkit.errors import NotComparable
from migkit.state.plan import plan_tables
from migkit.state.row_sides import explained

TableName = tuple[str, str]


@dataclass(frozen=True)
class Target:
    """One table of one database."""

    db: Database
    name: TableName
    columns: dict[str, tuple[str, str]]
    unread: frozenset[str]
    content: TableContent

    def family(self, column: str) -> ValueFamily:
        """Return what the values of a column are."""
        return self.db.dialect.value_family(*self.columns[column])


@dataclass(frozen=True)
class Matched:
    """What is compared on both sides."""

    columns: tuple[str, ...]
    key: tuple[str, ...]
    unchecked: tuple[Row, ...]


def find_target(db: Database, connection: Connection, table: str) -> Target:
    """Look a table up in the catalog.

    Parameters
    ----------
    db : Database
        The database.
    connection : Connection
        A session of it.
    table : str
        Its name; ``schema.table`` outside the default schema.

    Returns
    -------
    Target
        The table, its columns, and how all of it would be read.

    Raises
    ------
    NotComparable
        If there is no such table.
    """
    with explained(db):
        # The names that a dot may divide the text into; a table may be called `a.b` too.
        parts = table.split(".")
        names = [(".".join(parts[:at]), ".".join(parts[at:])) for at in range(1, len(parts))]
        catalog = db.dialect.read_catalog(connection, None)
        default = catalog.default_schema
        known = {(row["schema"], row["table"]): row for row in catalog.tables}
        name = next((one for one in ((default, table), *names) if one in known), None)
        if name is None:
            raise _no_such_table(db, table, [one for schema, one in known if schema == default])
        return _target(db, connection, catalog, name)


def _no_such_table(db: Database, table: str, known: Sequence[str]) -> NotComparable:
    near = get_close_matches(table, known, n=1)
    return NotComparable(
        f"There is no table {table}",
        where=db.name,
        next_step=f"Did you mean {near[0]}?" if near else "A table of another schema is written schema.table.",
    )


def _target(db: Database, connection: Connection, catalog: Catalog, name: TableName) -> Target:
    only = replace(
        catalog,
        tables=[row for row in catalog.tables if (row["schema"], row["table"]) == name],
        columns=[row for row in catalog.columns if (row["schema"], row["table"]) == name],
    )
    plans = plan_tables(db.dialect, connection, only, None)
    if not plans:
        raise NotComparable(f"{name[1]} has no rows of its own", where=db.name, next_step="Compare its table.")
    content = plans[0].content
    return Target(
        db,
        name,
        {row["column"]: (row["content_type"], row["type"]) for row in only.columns if row.get("content_type")},
        frozenset(row["column"] for row in only.columns if not row.get("content_type")),
        content,
    )


def match(
    targets: tuple[Target, Target],
    sessions: tuple[list[Connection], list[Connection]],
    columns: Sequence[str] | None,
    key: Sequence[str] | None,
) -> Matched:
    """Decide which columns are compared, and by which key rows are told apart.

    Parameters
    ----------
    targets : pair of Target
        The tables.
    sessions : pair of list of Connection
        Sessions of their databases.
    columns : sequence of str or None
        Only these.
    key : sequence of str or None
        The key; ``None`` for that of the first table, else that of the second; an empty one compares whole rows.

    Returns
    -------
    Matched
        Columns in the order of the first table, the key first.

    Raises
    ------
    NotComparable
        If a column that was asked for is not in both tables, or the key that was asked for is not unique.
    """
    a, b = targets
    for name in (*(columns or ()), *(key or ())):
        _require_column(a, name)
        _require_column(b, name)
    shared = [name for name in a.columns if name in b.columns]
    chosen = tuple(name for name in shared if columns is None or name in columns)
    found = tuple(key) if key is not None else _shared_key(a, b, set(shared))
    rest = tuple(name for name in chosen if name not in found)
    if not (found or rest):
        raise NotComparable(f"{a.name[1]} has no column in common with {b.name[1]}", where=f"{a.db.name}, {b.db.name}")
    if key:
        _require_unique(targets, sessions, found)
    return Matched((*found, *rest), found, tuple(_unchecked(a, b, columns)))


def _require_unique(
    targets: tuple[Target, Target], sessions: tuple[list[Connection], list[Connection]], key: tuple[str, ...]
) -> None:
    """Refuse a key that several rows share: those could exchange their values without a trace in any digest.

    A key that nobody chose is a constraint of one table: were it not unique in the other, its own digest would show it.
    """
    for target, (session, *_) in zip(targets, sessions, strict=True):
        if _is_repeated(target, session, key):
            raise NotComparable(
                f"Several rows of {target.name[1]} have the same {', '.join(key)}, and cannot be told apart by it",
                where=target.db.name,
                next_step="Name a key that is unique in both tables, or compare whole rows with an empty one.",
            )


def _is_repeated(target: Target, session: Connection, key: tuple[str, ...]) -> bool:
    if target.content.key and set(key).issuperset(target.content.key):
        return False
    columns = tuple((name, target.columns[name][0]) for name in key)
    with explained(target.db):
        content = replace(target.content, columns=columns, key=key, shift=None)
        return target.db.dialect.has_repeated_key(session, content)


def _require_column(target: Target, name: str) -> None:
    if name not in target.columns:
        near = get_close_matches(name, target.columns, n=1)
        raise NotComparable(
            f"{target.name[1]} has no column {name} that can be compared",
            where=target.db.name,
            next_step=f"Did you mean {near[0]}?" if near else f"It has {', '.join(target.columns) or 'none'}.",
        )


def _shared_key(a: Target, b: Target, shared: set[str]) -> tuple[str, ...]:
    for target in (a, b):
        if target.content.key and shared.issuperset(target.content.key):
            return target.content.key
    return ()


def _unchecked(a: Target, b: Target, columns: Sequence[str] | None) -> list[Row]:
    if columns is not None:
        return []
    rows = []
    for one, other in ((a, b), (b, a)):
        for name in one.columns:
            if name not in other.columns and name not in other.unread:
                rows.append({"what": f"column {name}", "why": f"only {one.db.name} has it"})
    for name in sorted(a.unread | b.unread):
        rows.append({"what": f"column {name}", "why": "its values cannot be digested"})
    return rows
