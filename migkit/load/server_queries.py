"""The application's own queries as a workload: from the server's statistics, values guessed from what they meet."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from migkit.database import Database
from migkit.dialects.base import Catalog
from migkit.dialects.workloads import ServerQuery
from migkit.errors import ConfigError
from migkit.load.deriving import INTEGER_TYPE, TEXT_TYPE
from migkit.load.parameters import Constant, Counter, Parameter, Sampled
from migkit.load.workload import Entry, Workload, first_words
from migkit.redaction import unheard_parser

SERVER = "server"

_LIMIT = 50
_PAGE = 20
# Keys that no row of a table of this world has yet, and that a 32-bit column still holds.
_FAR_AWAY = 1_800_000_000
_Unique = Mapping[tuple[str, str, str], str]
_Columns = Mapping[tuple[str, str], frozenset[str]]
_USEFUL = (exp.Select, exp.Insert, exp.Update, exp.Delete, exp.SetOperation)
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.ILike, exp.NullSafeEQ)


class _UnknownError(Exception):
    """A query cannot be part of the workload; says why."""


def workload_from_server(db: Database) -> Workload:
    """Make a workload of what applications asked most often.

    The server's statistics hold no values. Each is drawn from the column it is compared with or written to; queries of
    which that is not known are left out, and :attr:`Workload.unchecked` says so.

    Parameters
    ----------
    db : Database
        The database; only read.

    Raises
    ------
    UnsupportedFeature
        If the server keeps no such statistics.
    ConfigError
        If nothing in them can be used.
    """
    with db.engine.connect() as connection:
        queries = db.dialect.query_statistics(connection, _LIMIT * 4)
        catalog = db.dialect.read_catalog(connection, db.schemas)
    columns, unique = _columns(catalog), _unique(catalog)
    entries: list[Entry] = []
    left_out: list[tuple[str, str]] = []
    for query in queries:
        try:
            entry = _entry(query, columns, unique, db.dialect.sql_dialect)
        except _UnknownError as why:
            left_out.append((first_words(query.sql), str(why)))
            continue
        if entry is not None and len(entries) < _LIMIT:
            entries.append(entry)
    if not entries:
        raise ConfigError(
            "The server's statistics hold no query of an application on these tables",
            where=db.name,
            next_step="Let the application work for a while, or use workload='auto'.",
        )
    return replace(Workload.of(*entries, name=SERVER), unchecked=tuple(left_out[:_LIMIT]))


def _columns(catalog: Catalog) -> _Columns:
    found: dict[tuple[str, str], set[str]] = {(row["schema"], row["table"]): set() for row in catalog.tables}
    for row in catalog.columns:
        found.setdefault((row["schema"], row["table"]), set()).add(row["column"])
    return {table: frozenset(names) for table, names in found.items()}


def _unique(catalog: Catalog) -> _Unique:
    """Return the type of each column that admits a value only once."""
    alone = {
        (row["schema"], row["table"], json.loads(row["columns"])[0])
        for row in catalog.constraints
        if row["kind"] in ("primary key", "unique") and len(json.loads(row["columns"])) == 1
    }
    places = {(row["schema"], row["table"], row["column"]): str(row["type"]) for row in catalog.columns}
    return {place: kind for place, kind in places.items() if place in alone}


def _entry(query: ServerQuery, columns: _Columns, unique: _Unique, sql_dialect: str) -> Entry | None:
    """Return a query as an entry; ``None`` if it is not about these tables, as migkit's own are not."""
    try:
        with unheard_parser():
            parsed = parse(query.sql, dialect=sql_dialect)
    except SqlglotError:
        raise _UnknownError("it cannot be parsed") from None
    tree = parsed[0] if len(parsed) == 1 else None
    if not isinstance(tree, _USEFUL):
        return None
    common = {table.alias for table in tree.find_all(exp.CTE)}
    tables = [table for table in tree.find_all(exp.Table) if table.name not in common]
    known = {table.alias_or_name: _known(table, columns) for table in tables}
    if not known or not all(known.values()):
        return None
    guess = _Guess({alias: table for alias, table in known.items() if table}, columns, unique)
    parameters: dict[str, Parameter] = {}
    for place in tree.find_all(exp.Placeholder):
        parameters[place.name] = guess.parameter(place, tree)
    return Entry(first_words(query.sql), float(query.calls), (query.sql,), parameters)


def _known(table: exp.Table, columns: _Columns) -> tuple[str, str] | None:
    return next((one for one in columns if one[1] == table.name and table.db in ("", one[0])), None)


class _Guess:
    """Finds out which column a left-out value belongs to."""

    def __init__(self, tables: Mapping[str, tuple[str, str]], columns: _Columns, unique: _Unique) -> None:
        self._tables = tables
        self._columns = columns
        self._unique = unique

    def parameter(self, place: exp.Placeholder, tree: exp.Expression) -> Parameter:
        """Return where the values of a placeholder come from."""
        around = place.parent
        while isinstance(around, exp.Paren | exp.Cast):
            around = around.parent
        if isinstance(around, exp.Limit | exp.Fetch):
            return Constant(_PAGE)
        if isinstance(around, exp.Offset):
            return Constant(0)
        if isinstance(around, exp.Add | exp.Sub | exp.Mul) and around.find_ancestor(exp.Interval) is None:
            return Constant(1)
        column = self._compared(around, place) or self._inserted(place, tree)
        if column is None:
            raise _UnknownError(f"what :{place.name} stands for is not known")
        return column

    def _compared(self, around: object, place: exp.Placeholder) -> Sampled | None:
        if isinstance(around, exp.Between | exp.In):
            return self._sampled(around.this)
        if isinstance(around, _COMPARISONS):
            return self._sampled(around.expression if _holds(around.this, place) else around.this)
        return None

    def _sampled(self, column: exp.Expression | None) -> Sampled | None:
        while isinstance(column, exp.Paren | exp.Cast):
            column = column.this
        if not isinstance(column, exp.Column):
            return None
        candidates = [self._tables[column.table]] if column.table in self._tables else list(self._tables.values())
        for table in dict.fromkeys(candidates):
            if column.name in self._columns[table]:
                return Sampled(table[1], column.name, table[0])
        return None

    def _fresh(self, column: str) -> Counter | None:
        """Return values that no row has yet, for a column that admits each only once."""
        kind = next(
            (self._unique[(*table, column)] for table in self._tables.values() if (*table, column) in self._unique), ""
        )
        if INTEGER_TYPE.match(kind):
            return Counter(_FAR_AWAY)
        return Counter(1, f"migkit-{secrets.token_hex(4)}-{{}}") if TEXT_TYPE.match(kind) else None

    def _inserted(self, place: exp.Placeholder, tree: exp.Expression) -> Parameter | None:
        if not isinstance(tree, exp.Insert) or not isinstance(tree.this, exp.Schema):
            return None
        names = [column.name for column in tree.this.expressions]
        for row in tree.find_all(exp.Tuple):
            values = row.expressions
            if len(values) == len(names):
                for name, value in zip(names, values, strict=True):
                    if _bare(value) is place:
                        return self._fresh(name) or self._sampled(exp.column(name))
        return None


def _bare(value: exp.Expr) -> exp.Expr:
    while isinstance(value, exp.Paren | exp.Cast):
        value = value.this
    return value


def _holds(tree: exp.Expression, place: exp.Placeholder) -> bool:
    return any(node is place for node in tree.find_all(exp.Placeholder))
