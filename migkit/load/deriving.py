"""A workload from the schema alone: what applications usually ask of tables, for those that a migration touches."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from migkit.database import Database
from migkit.dialects.base import Catalog, Dialect, ForeignKey, Row
from migkit.errors import ConfigError
from migkit.load.parameters import Counter, Parameter, Sampled
from migkit.load.workload import Entry, Workload

AUTO = "auto"
Table = tuple[str, str]

_WEIGHTS = {"point": 10.0, "range": 2.0, "by": 4.0, "join": 3.0, "update": 2.0, "insert": 1.0}
_PAGE = 20
_TABLE_LIMIT = 8
_REAL_TABLES = ("table", "partitioned")
INTEGER_TYPE = re.compile(r"^(?:tiny|small|medium|big)?int(?:eger|[248])?\b", re.IGNORECASE)
TEXT_TYPE = re.compile(r"^(?:character varying|varchar|text|nvarchar)(?:\((?P<length>\d+)\))?", re.IGNORECASE)
_SHORTEST_TEXT = 28


def derive_workload(db: Database, tables: Sequence[Table] | None = None) -> Workload:
    """Make a workload of point reads, range reads, reads by foreign key, joins, updates and inserts.

    Parameters
    ----------
    db : Database
        The database; only its catalog is read.
    tables : sequence of (schema, table), optional
        Which tables; by default all, the first eight of them.

    Raises
    ------
    ConfigError
        If there is no table.
    """
    with db.engine.connect() as connection:
        catalog = db.dialect.read_catalog(connection, db.schemas)
        found = _chosen(catalog, tables)
        if not found:
            raise ConfigError("There is no table to derive a workload from", where=db.name)
        entries: list[Entry] = []
        unchecked: list[tuple[str, str]] = []
        for table in found[:_TABLE_LIMIT]:
            shape = _Shape.of(catalog, table, db.dialect)
            entries += _entries(shape, found)
            added = _insert(shape, connection)
            if isinstance(added, str):
                unchecked.append((f"inserts into {table[1]}", added))
            else:
                entries.append(added)
    if len(found) > _TABLE_LIMIT:
        left = ", ".join(name for _, name in found[_TABLE_LIMIT:])
        unchecked.append((f"queries on {left[:300]}", f"a derived workload asks for {_TABLE_LIMIT} tables"))
    return replace(Workload.of(*entries, name=AUTO), unchecked=tuple(unchecked))


def _chosen(catalog: Catalog, tables: Sequence[Table] | None) -> list[Table]:
    known = {(row["schema"], row["table"]) for row in catalog.tables if row["kind"] in _REAL_TABLES}
    ours = [row for row in sorted(known) if not row[1].startswith("migration_log")]
    return ours if tables is None else [table for table in tables if table in known]


@dataclass(frozen=True)
class _Shape:
    """What is known of one table."""

    schema: str
    table: str
    key: tuple[str, ...]
    columns: tuple[Row, ...]
    unique: tuple[tuple[str, ...], ...]
    odd_index: str | None
    parents: tuple[ForeignKey, ...]
    dialect: Dialect

    @classmethod
    def of(cls, catalog: Catalog, table: Table, dialect: Dialect) -> _Shape:
        """Gather what the catalog says of a table."""

        def mine(rows: Collection[Row]) -> list[Row]:
            return [row for row in rows if (row["schema"], row["table"]) == table]

        constraints = mine(catalog.constraints)
        parents = {one.columns: one for one in catalog.foreign_keys if (one.schema, one.table) == table and one.columns}
        return cls(
            *table,
            key=next((tuple(row["key"]) for row in mine(catalog.tables)), ()),
            columns=tuple(row for row in mine(catalog.columns) if not row.get("generated")),
            unique=tuple(
                tuple(json.loads(row["columns"])) for row in constraints if row["kind"] in ("primary key", "unique")
            ),
            odd_index=_odd_index(mine(catalog.indexes), {row["name"] for row in constraints}),
            parents=tuple(parents.values()),
            dialect=dialect,
        )

    @property
    def name(self) -> str:
        """The table, quoted."""
        return self.dialect.quote(*filter(None, (self.schema, self.table)))

    def q(self, column: str) -> str:
        """Quote a column."""
        return self.dialect.quote(column)

    def listed(self, alias: str = "") -> str:
        """List the columns, as applications do."""
        return ", ".join(alias + self.q(row["column"]) for row in self.columns)

    def sampled(self, column: str) -> dict[str, Parameter]:
        """Return real values of a column, under the name k."""
        return {"k": Sampled(self.table, column, self.schema)}

    @property
    def fixed(self) -> set[str]:
        """Columns that other rows depend on."""
        return {column for columns in (*self.unique, *(one.columns for one in self.parents)) for column in columns}


def _odd_index(indexes: Collection[Row], constraints: Collection[str]) -> str | None:
    """Return a unique index that no constraint tells the columns of."""
    return next((row["name"] for row in indexes if row["unique"] and row["name"] not in constraints), None)


def _entries(shape: _Shape, tables: Sequence[Table]) -> Iterator[Entry]:
    name, key, listed = shape.name, shape.key[:1], shape.listed()
    if not key:
        sql = f"SELECT {listed} FROM {name} LIMIT {_PAGE}"
        yield Entry(f"SELECT {shape.table}", _WEIGHTS["point"], (sql,), {})
        return
    first, parameters = shape.q(key[0]), shape.sampled(key[0])
    limit = "" if len(shape.key) == 1 else f" LIMIT {_PAGE}"
    by = f"SELECT {shape.table} by {key[0]}"
    yield Entry(by, _WEIGHTS["point"], (f"SELECT {listed} FROM {name} WHERE {first} = :k{limit}",), parameters)
    sql = f"SELECT {listed} FROM {name} WHERE {first} >= :k ORDER BY {first} LIMIT {_PAGE}"
    yield Entry(f"SELECT {shape.table} range by {key[0]}", _WEIGHTS["range"], (sql,), parameters)
    for parent in shape.parents:
        yield from _by_parent(shape, parent, tables)
    free = [row["column"] for row in shape.columns if row["column"] not in shape.fixed | set(shape.key)]
    if len(shape.key) == 1 and free:
        changed = shape.q(free[-1])
        sql = f"UPDATE {name} SET {changed} = {changed} WHERE {first} = :k"
        yield Entry(f"UPDATE {shape.table}", _WEIGHTS["update"], (sql,), parameters)


def _by_parent(shape: _Shape, parent: ForeignKey, tables: Sequence[Table]) -> Iterator[Entry]:
    column = parent.columns[0]
    quoted = shape.q(column)
    if len(parent.columns) == 1:
        sql = f"SELECT {shape.listed()} FROM {shape.name} WHERE {quoted} = :k LIMIT {_PAGE}"
        yield Entry(f"SELECT {shape.table} by {column}", _WEIGHTS["by"], (sql,), shape.sampled(column))
    referenced = (parent.referenced_schema, parent.referenced_table)
    if referenced not in tables or len(shape.key) != 1:
        return
    other = shape.dialect.quote(*filter(None, referenced))
    on = " AND ".join(
        f"c.{shape.q(one)} = p.{shape.q(two)}"
        for one, two in zip(parent.columns, parent.referenced_columns, strict=True)
    )
    columns = f"{shape.listed('c.')}, {', '.join(f'p.{shape.q(one)}' for one in parent.referenced_columns)}"
    sql = f"SELECT {columns} FROM {shape.name} AS c JOIN {other} AS p ON {on} WHERE c.{shape.q(shape.key[0])} = :k"
    name = f"SELECT {shape.table} join {parent.referenced_table}"
    yield Entry(name, _WEIGHTS["join"], (sql,), shape.sampled(shape.key[0]))


def _insert(shape: _Shape, connection: Connection) -> Entry | str:
    """Copy a row under a new key, so that every other value is one that the table admits; or say why that cannot be."""
    if len(shape.key) != 1:
        return "it has no key of one column"
    if shape.odd_index is not None:
        return f"the unique index {shape.odd_index} may be on expressions"
    given = {row["column"] for row in shape.columns if row.get("identity") or "nextval(" in (row["default"] or "")}
    parents = {column for one in shape.parents for column in one.columns}
    new: dict[str, str] = {}
    parameters = shape.sampled(shape.key[0])
    for columns in shape.unique or (shape.key,):
        if given & set(columns) or set(columns) & set(new):
            continue
        column = next((one for one in columns if one not in parents), None)
        row = next((one for one in shape.columns if one["column"] == column), None)
        value = _new_value(shape, row, connection, f"n{len(new)}") if row is not None else None
        if row is None or value is None:
            return f"nothing is known that is unique in {', '.join(columns)}"
        new[row["column"]], parameter = value
        parameters |= parameter
    copied = [row["column"] for row in shape.columns if row["column"] not in given]
    into = ", ".join(shape.q(one) for one in copied)
    values = ", ".join(new.get(one, shape.q(one)) for one in copied)
    if not copied:
        return "all of its columns are given by the server"
    sql = f"INSERT INTO {shape.name} ({into}) SELECT {values} FROM {shape.name} WHERE {shape.q(shape.key[0])} = :k"
    return Entry(f"INSERT {shape.table}", _WEIGHTS["insert"], (sql,), parameters)


def _new_value(shape: _Shape, row: Row, connection: Connection, name: str) -> tuple[str, dict[str, Parameter]] | None:
    """Return SQL for a value that no row has yet, and its parameter."""
    kind, column = str(row["type"]), row["column"]
    text = TEXT_TYPE.match(kind)
    if INTEGER_TYPE.match(kind):
        largest = _largest(shape, column, connection)
        return (f":{name}", {name: Counter(largest + 1)}) if largest is not None else None
    if text and int(text["length"] or _SHORTEST_TEXT) >= _SHORTEST_TEXT:
        return f":{name}", {name: Counter(1, f"migkit-{secrets.token_hex(4)}-{{}}")}
    return ("gen_random_uuid()", {}) if kind == "uuid" else None


def _largest(shape: _Shape, column: str, connection: Connection) -> int | None:
    sql = f"SELECT max({shape.q(column)}) FROM {shape.name}"
    try:
        found = connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalar()
    except SQLAlchemyError:
        connection.rollback()
        return None
    return int(found) if isinstance(found, int) else 0 if found is None else None
