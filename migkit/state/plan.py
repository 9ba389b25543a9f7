"""What a capture is going to read: the catalog without migkit's own tables, and a reading plan per table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from migkit.bookkeeping import journal_tables
from migkit.dialects.base import Catalog, Dialect, Row, TableContent
from migkit.framing import plain
from migkit.state.content import segment_shift
from migkit.state.snapshot import State, key_columns

# Their rows are read through the table they belong to, or lie in another database.
_VERBATIM = {"no_parameters": True}
WITHOUT_OWN_CONTENT = frozenset({"partition", "shadow", "foreign"})


@dataclass(frozen=True)
class PlannedTable:
    """One table to read, and the largest value its integer key has now."""

    content: TableContent
    key_max: int | None = None


def without_bookkeeping(catalog: Catalog) -> Catalog:
    """Leave migkit's own tables out, with everything that hangs on them."""
    ours = journal_tables((row["schema"], row["table"], row["column"]) for row in catalog.columns)
    if not ours:
        return catalog
    names = {table for _, table in ours}

    def keep(row: Row) -> bool:
        return (row["schema"], row["table"]) not in ours

    return replace(
        catalog,
        tables=[row for row in catalog.tables if keep(row)],
        columns=[row for row in catalog.columns if keep(row)],
        constraints=[row for row in catalog.constraints if keep(row)],
        indexes=[row for row in catalog.indexes if keep(row)],
        objects=[row for row in catalog.objects if row.get("parent") not in names],
        foreign_keys=[key for key in catalog.foreign_keys if (key.schema, key.table) not in ours],
    )


def plan_tables(dialect: Dialect, connection: Connection, catalog: Catalog, like: State | None) -> list[PlannedTable]:
    """Plan the reading of every table that has rows of its own."""
    columns: dict[tuple[str, str], list[Row]] = {}
    for row in catalog.columns:
        columns.setdefault((row["schema"], row["table"]), []).append(row)
    earlier = _Earlier(like)
    plans = []
    for table in catalog.tables:
        if table["kind"] in WITHOUT_OWN_CONTENT:
            continue
        name = (table["schema"], table["table"])
        ordered = sorted(columns.get(name, []), key=lambda row: row["position"])
        content = TableContent(
            schema=name[0],
            table=name[1],
            columns=tuple((row["column"], row["content_type"]) for row in ordered if row.get("content_type")),
            key=_key(dialect, connection, name, tuple(table["key"] or ()), earlier.key(name, ordered)),
            pages=table.get("pages"),
            kind=table["kind"],
        )
        plans.append(_with_segments(dialect, connection, content, earlier))
    return plans


def _key(
    dialect: Dialect,
    connection: Connection,
    name: tuple[str, str],
    own: tuple[str, ...],
    earlier: tuple[str, ...] | None,
) -> tuple[str, ...]:
    """Return by what rows are told apart: by the earlier key as long as it still does, else by the table's own."""
    if earlier is None or earlier == own:
        return own
    return earlier if not earlier or _tells_apart(dialect, connection, name, earlier) else own


def _tells_apart(dialect: Dialect, connection: Connection, name: tuple[str, str], key: tuple[str, ...]) -> bool:
    """Ask whether columns that nothing keeps unique any more are so nevertheless, and hold no NULL."""
    table, columns = dialect.quote(*filter(None, name)), [dialect.quote(column) for column in key]
    without = f"SELECT 1 FROM {table} WHERE {' OR '.join(f'{column} IS NULL' for column in columns)} LIMIT 1"
    twice = f"SELECT 1 FROM {table} GROUP BY {', '.join(columns)} HAVING count(*) > 1 LIMIT 1"
    try:
        with dialect.one_reading(connection):
            return all(
                not connection.exec_driver_sql(sql, execution_options=_VERBATIM).all() for sql in (without, twice)
            )
    except SQLAlchemyError as error:
        if dialect.is_permission_error(error):  # It is told of the table as soon as its rows are read.
            return True
        raise


def _with_segments(dialect: Dialect, connection: Connection, content: TableContent, earlier: _Earlier) -> PlannedTable:
    bounds = dialect.integer_key_range(connection, content) if content.pages != 0 and content.key else None
    if bounds is None:
        return PlannedTable(content)
    beyond = earlier.key_max((content.schema, content.table), content.key)
    return PlannedTable(replace(content, shift=segment_shift(*bounds), beyond=beyond), key_max=bounds[1])


class _Earlier:
    """What an earlier state says about how to tell rows apart."""

    def __init__(self, state: State | None) -> None:
        self._keys: dict[tuple[str, str], tuple[str, ...]] = {}
        self._key_max: dict[tuple[str, str], int] = {}
        if state is None:
            return
        cells = (plain(state.tables[name]) for name in ("schema", "table", "key", "row_fingerprint", "key_max"))
        for schema, table, key, whole_rows, key_max in zip(*cells, strict=True):
            # Of a table that was not read, it is not known by what its rows were told apart.
            if key is not None or whole_rows is not None:
                self._keys[schema, table] = key_columns(key)
            if key_max is not None:
                self._key_max[schema, table] = int(key_max)

    def key(self, table: tuple[str, str], columns: Sequence[Row]) -> tuple[str, ...] | None:
        """Return the earlier key where its columns are still there; ``None`` where they are not, or none is known."""
        key = self._keys.get(table)
        return None if key is None or not {row["column"] for row in columns}.issuperset(key) else key

    def key_max(self, table: tuple[str, str], key: tuple[str, ...]) -> int | None:
        """Return the largest key of the earlier state, where the key is still the same."""
        return self._key_max.get(table) if self._keys.get(table) == key else None
