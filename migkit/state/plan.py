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


def plan_tables(
    dialect: Dialect, connection: Connection, catalog: Catalog, like: State | None, *, reads_rows: bool = True
) -> list[PlannedTable]:
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
            key=tuple(table["key"] or ()),
            pages=table.get("pages"),
            kind=table["kind"],
        )
        key = earlier.key(name, ordered)
        is_asked = reads_rows and key not in (None, (), content.key)
        if key is not None and (not is_asked or _tells_apart(dialect, connection, content, key)):
            content = replace(content, key=key)
        plans.append(_with_segments(dialect, connection, content, earlier))
    return plans


def _tells_apart(dialect: Dialect, connection: Connection, content: TableContent, key: tuple[str, ...]) -> bool:
    """Ask whether columns that nothing keeps unique any more are so nevertheless, and hold no NULL."""
    table = dialect.quote(*filter(None, (content.schema, content.table)))
    nulls = " OR ".join(f"{dialect.quote(column)} IS NULL" for column in key)
    try:
        with dialect.one_reading(connection):
            without = f"SELECT 1 FROM {table} WHERE {nulls} LIMIT 1"
            found = connection.exec_driver_sql(without, execution_options=_VERBATIM).first()
            return found is None and not dialect.has_repeated_key(connection, replace(content, key=key))
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
