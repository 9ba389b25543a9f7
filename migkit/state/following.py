"""What goes with something else: constraints, indexes and objects of a table or column that is gone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from migkit.dialects.base import Row
from migkit.state.facts import ComparisonFacts
from migkit.state.segments import TableName

# What hangs on a table goes with it; declaring the table is enough.
_FOLLOWS_ITS_TABLE = frozenset(
    {"trigger", "rule", "policy", "sequence", "grant", "statistics", "auto_increment", "column grant", "type"}
)
_WORD = re.compile(r'"((?:[^"]|"")+)"|`((?:[^`]|``)+)`|([\w$]+)')


@dataclass(frozen=True)
class Gone:
    """Tables and columns that a migration removed.

    Attributes
    ----------
    tables : frozenset of (schema, table)
        Tables.
    labels : frozenset of str
        The same as people name them.
    columns : mapping of (schema, table) to frozenset of str
        Columns of tables that are still there.
    kept : mapping of (schema, table) to frozenset of str
        The columns that were there and still are.
    """

    tables: frozenset[TableName]
    labels: frozenset[str]
    columns: Mapping[TableName, frozenset[str]]
    kept: Mapping[TableName, frozenset[str]]

    def takes_along(self, table: TableName, row: Row) -> bool:
        """Tell whether a constraint or index had no column but removed ones, and so went with them."""
        named = self._named(row)
        return bool(named & self.columns.get(table, frozenset())) and not named & self.kept.get(table, frozenset())

    def tears(self, table: TableName, row: Row) -> bool:
        """Tell whether a constraint or index lost some of its columns, and so went although others are still there."""
        return bool(self._named(row) & self.columns.get(table, frozenset()))

    def takes_object(self, kind: str, row: Row) -> bool:
        """Tell whether an object went with its table."""
        return kind in _FOLLOWS_ITS_TABLE and row.get("parent") in self.labels

    @staticmethod
    def _named(row: Row) -> set[str]:
        if row.get("columns"):
            return set(json.loads(row["columns"]))
        _, _, inside = (row.get("definition") or "").partition("(")
        return {
            (double or backtick or plain).replace('""', '"').replace("``", "`")
            for double, backtick, plain in _WORD.findall(inside)
        }


def find_gone(facts: ComparisonFacts) -> Gone:
    """Collect what a migration removed.

    Parameters
    ----------
    facts : ComparisonFacts
        What differs.

    Returns
    -------
    Gone
        Tables and columns.
    """
    tables = frozenset(fact.name for fact in facts.tables if fact.change == "removed")
    columns: dict[TableName, set[str]] = {}
    kept: dict[TableName, set[str]] = {}
    for fact in facts.columns:
        if fact.pair.before is not None:
            # Constraints and indexes of before name columns as they were called before.
            (columns if fact.change == "removed" else kept).setdefault(fact.table, set()).add(
                fact.pair.before["column"]
            )
    return Gone(
        tables=tables,
        labels=frozenset(facts.label(table) for table in tables),
        columns={table: frozenset(names) for table, names in columns.items() if table not in tables},
        kept={table: frozenset(names) for table, names in kept.items()},
    )
