"""Tables and columns that changed their name, recognised by their content."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from migkit.dialects.base import Row
from migkit.state.segments import TableDigest, TableName, aligned, alike


@dataclass(frozen=True)
class Renames:
    """New names by old ones.

    Attributes
    ----------
    tables : mapping of (schema, table) to (schema, table)
        Tables.
    columns : mapping of (schema, table, column) to str
        Columns, under the *new* name of their table.
    """

    tables: Mapping[TableName, TableName] = field(default_factory=dict)
    columns: Mapping[tuple[str, str, str], str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tables or self.columns)

    def table(self, schema: str, table: str) -> TableName:
        """Return the present name of an earlier table."""
        return self.tables.get((schema, table), (schema, table))

    def column(self, schema: str, table: str, column: str) -> str:
        """Return the present name of a column; `table` is the present name of its table."""
        return self.columns.get((schema, table, column), column)

    def explains(self, owner: TableName | None, before: str, after: str) -> bool:
        """Tell whether two definitions differ only in names that changed.

        Columns are renamed only where the definition belongs to their table or mentions it; literals are never touched.

        Parameters
        ----------
        owner : (schema, table) or None
            The table the definition belongs to, by its present name.
        before, after : str
            The definitions.
        """
        return bool(self) and self.carries(owner, tokens(before), tokens(after))

    def carries(self, owner: TableName | None, before: Sequence[str], after: Sequence[str]) -> bool:
        """Tell of the words of two definitions what :meth:`explains` tells of their text."""
        words = {one[1]: other[1] for one, other in self.tables.items()}
        mentioned = {token for token in after if not token.startswith("'")}
        for (schema, table, column), name in self.columns.items():
            if (schema, table) == owner or table in mentioned:
                words[column] = name
        return [words.get(token, token) for token in before] == list(after)


_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|[\w$]+|\S""")


def tokens(text: str) -> list[str]:
    """Split SQL into words, literals and signs; quotes around identifiers go, those around literals stay."""
    return [
        token[1:-1].replace(token[0] * 2, token[0]) if token[0] in '"`' and len(token) > 1 else token
        for token in _TOKEN.findall(text)
    ]


@dataclass(frozen=True)
class Contents:
    """One state, by table: its row in the catalog, its columns, its digests."""

    tables: Mapping[TableName, Row]
    columns: Mapping[TableName, Mapping[str, Row]]
    digests: Mapping[TableName, TableDigest]


def find_renames(before: Contents, after: Contents) -> Renames:
    """Recognise renamed tables, then renamed columns, by unambiguous equality of content.

    Only content tells: an empty table, or a column that is NULL throughout, matches nothing and reads as removed and
    added.
    """
    tables = _unambiguous(
        {name: _table_signature(before, name) for name in before.tables.keys() - after.tables.keys()},
        {name: _table_signature(after, name) for name in after.tables.keys() - before.tables.keys()},
    )
    columns: dict[tuple[str, str, str], str] = {}
    for old_name, old_columns in before.columns.items():
        name = tables.get(old_name, old_name)
        removed = old_columns.keys() - after.columns.get(name, {}).keys()
        added = after.columns.get(name, {}).keys() - old_columns.keys()
        if removed and added and old_name in before.digests and name in after.digests:
            pairs = _renamed_columns(before.digests[old_name], after.digests[name], removed, added)
            pairs = {
                old: new for old, new in pairs.items() if _same_definition(old_columns, old, after.columns[name], new)
            }
            columns |= {(*name, old): new for old, new in pairs.items()}
    return Renames(tables, columns)


def _same_definition(before: Mapping[str, Row], old: str, after: Mapping[str, Row], new: str) -> bool:
    """Tell whether a column is in all but its name what another was; a rename changes nothing else.

    Content alone cannot tell a renamed column from another with the same constant throughout.
    """
    facts = ("type", "nullable", "default", "identity", "generated", "collation")
    kept = before.keys() & after.keys()
    ranks = [
        sum(columns[other]["position"] < columns[name]["position"] for other in kept)
        for columns, name in ((before, old), (after, new))
    ]
    return ranks[0] == ranks[1] and all(before[old][fact] == after[new][fact] for fact in facts)


def _table_signature(side: Contents, name: TableName) -> Any:
    columns = side.columns.get(name, {}).values()
    digests = frozenset(Counter((row["fingerprint"], row["nulls"]) for row in columns).items())
    return (side.tables[name]["rows"], digests) if side.tables[name]["rows"] else None


def _renamed_columns(
    before: TableDigest, after: TableDigest, removed: AbstractSet[str], added: AbstractSet[str]
) -> dict[str, str]:
    """Pair columns of which each is like exactly one other."""
    old, new = aligned(before, after)
    matches = [
        (one, other)
        for one in removed
        for other in added
        if alike(old.columns.get(one, {}), new.columns.get(other, {}))
    ]
    olds, news = Counter(one for one, _ in matches), Counter(other for _, other in matches)
    return {one: other for one, other in matches if olds[one] == 1 and news[other] == 1}


def _unambiguous(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> dict[Any, Any]:
    """Pair names whose signature occurs exactly once on each side."""
    return {
        _only(before, signature): _only(after, signature)
        for signature in _once(before.values()) & _once(after.values())
    }


def _once(signatures: Iterable[Any]) -> set[Any]:
    return {signature for signature, times in Counter(signatures).items() if times == 1 and signature is not None}


def _only(names: Mapping[Any, Any], signature: Any) -> Any:
    return next(name for name, own in names.items() if own == signature)
