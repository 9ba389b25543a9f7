"""What happened to tables, columns and their content, by their digests, or by rows where those cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from migkit.dialects.base import Row
from migkit.state.changes import Pair
from migkit.state.plan import WITHOUT_OWN_CONTENT
from migkit.state.renames import Contents, Renames
from migkit.state.segments import (
    ColumnContent,
    TableDigest,
    TableName,
    aligned,
    appended_rows,
    comparable,
    compare_column,
    describe_segments,
)
from migkit.state.whole_rows import whole_rows


@dataclass(frozen=True)
class ProvenRows:
    """What comparing the rows of a table one by one has shown.

    Parameters
    ----------
    added, removed : int
        Rows whose key is in one state only.
    changed : mapping of str to int
        Per column: rows whose value differs, among those in both states.
    samples : mapping of str to tuple of str
        Per column: the keys of a few of those rows.
    removed_samples : tuple of str
        The keys of a few of the rows removed.
    without : frozenset of str
        Columns that were left out, because their values are known to have changed: rows of a table without a key are
        told apart by the others.
    """

    added: int
    removed: int
    changed: Mapping[str, int]
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removed_samples: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()


@dataclass(frozen=True)
class TableFact:
    """What happened to a table."""

    pair: Pair
    renamed_from: str | None
    content: str

    @property
    def name(self) -> TableName:
        """Its present name."""
        return (self.pair.key[0], self.pair.key[1])

    @property
    def change(self) -> str:
        """What happened to it."""
        return "renamed" if self.renamed_from else self.pair.change

    @property
    def rows_before(self) -> int | None:
        """Rows before."""
        return self.pair.before["rows"] if self.pair.before else None

    @property
    def rows_after(self) -> int | None:
        """Rows after."""
        return self.pair.after["rows"] if self.pair.after else None

    @property
    def rows_diff(self) -> int | None:
        """Rows after minus rows before; partitions count through their table. ``None`` if one side was not counted."""
        sides = [row for row in (self.pair.before, self.pair.after) if row]
        if sides[-1].get("kind") == "partition":
            return 0
        if any(row["rows"] is None for row in sides):
            return None
        return (self.rows_after or 0) - (self.rows_before or 0)

    @property
    def detail(self) -> str | None:
        """What differs."""
        return self.pair.detail


@dataclass(frozen=True)
class ColumnFact:
    """What happened to a column, and to its content."""

    pair: Pair
    renamed_from: str | None
    content: str
    where: str | None = None
    changed_rows: int | None = None
    segments: tuple[int, ...] = ()
    shift: int | None = None
    sample_keys: tuple[str, ...] = ()

    @property
    def table(self) -> TableName:
        """The table's present name."""
        return (self.pair.key[0], self.pair.key[1])

    @property
    def column(self) -> str:
        """Its present name."""
        return self.pair.key[2]

    @property
    def change(self) -> str:
        """What happened to it."""
        return "renamed" if self.renamed_from else self.pair.change

    @property
    def nulls_before(self) -> int | None:
        """NULLs before."""
        return self.pair.before["nulls"] if self.pair.before else None

    @property
    def nulls_after(self) -> int | None:
        """NULLs after."""
        return self.pair.after["nulls"] if self.pair.after else None

    @property
    def detail(self) -> str | None:
        """What differs."""
        return self.pair.detail


# What a state says of a table none of whose rows it read.
NOTHING_READ = '{"read": "nothing"}'


class ContentComparison:
    """Compares the content of tables and columns, and keeps what it could not."""

    def __init__(
        self,
        old: Contents,
        new: Contents,
        renames: Renames,
        proven: Mapping[TableName, ProvenRows],
        same_method: bool,
    ) -> None:
        self._new = new
        self._proven = proven
        self._same_method = same_method
        self._renames = renames
        self._old_names = {renames.table(*name): name for name in old.tables}
        self._old_columns = {(*name[:2], new_name): name[2] for name, new_name in renames.columns.items()}
        self._pairs: dict[TableName, tuple[TableDigest, TableDigest] | None] = {}
        self._old = old
        self._rows: dict[TableName, tuple[str, str] | None] = {}
        self._with_changes: dict[TableName, bool] = {}
        self._other_samples: set[TableName] = set()
        self.unchecked: list[Row] = []

    def column(self, pair: Pair) -> ColumnFact:
        """Compare one column."""
        schema, table, column = pair.key
        renamed_from = self._old_columns.get((schema, table, column))
        if pair.before is None or pair.after is None:
            return ColumnFact(pair, None, "added" if pair.before is None else "removed")
        if not self._same_sample((schema, table)):
            return ColumnFact(pair, renamed_from, "not compared")
        if self._sample(self._new, (schema, table)) == NOTHING_READ:
            return ColumnFact(pair, renamed_from, "not read")
        if pair.before["fingerprint"] is None and pair.after["fingerprint"] is None:
            return ColumnFact(pair, renamed_from, "intact" if self._is_view((schema, table)) else "not compared")
        digests = self._digests((schema, table))
        if digests is None or pair.before["fingerprint"] is None or pair.after["fingerprint"] is None:
            return ColumnFact(pair, renamed_from, "not compared")
        old, new = digests
        if not new.key:
            return ColumnFact(pair, renamed_from, self._keyless_content(pair, renamed_from, digests), segments=(0,))
        result = compare_column(old.columns.get(renamed_from or column, {}), new.columns.get(column, {}))
        if result.verdict != "intact" and _read_in_other_forms(pair.before, pair.after) and not pair.difference("type"):
            # One of the states was captured like one in which the column had another type.
            return ColumnFact(pair, renamed_from, "not compared")
        return self._column_fact(pair, renamed_from, result, new)

    def _keyless_content(self, pair: Pair, renamed_from: str | None, digests: tuple[TableDigest, TableDigest]) -> str:
        """Compare a column of a table without a key: rows are a multiset, so only whole rows can be compared."""
        schema, table, column = pair.key
        before = self._old.tables[self._old_names.get((schema, table), (schema, table))]
        after = self._new.tables[schema, table]
        rows = self._whole_rows((schema, table))
        intact = "retyped" if pair.difference("type") else "intact"
        # Where no row was, none can be damaged, and what went with the last is told of the table.
        if (rows is not None and rows[0] == rows[1]) or 0 in (before["rows"], after["rows"]):
            return intact
        old, new = (
            one.columns.get(name, {}) for one, name in zip(digests, (renamed_from or column, column), strict=True)
        )
        proven = self.proven((schema, table))
        if proven is not None:
            # Rows went and others came: this column's values are among the changed ones.
            replaced = column in proven.without or min(proven.added, proven.removed) > 0
            return "changed" if replaced and old != new else intact
        if rows is None or before["rows"] != after["rows"]:
            return "unproven"
        if old != new:
            return "changed"
        # The same values; whether they are still in the same rows cannot be told beside others that changed.
        return "unproven" if self._some_column_changed((schema, table), digests) else intact

    def _some_column_changed(self, name: TableName, digests: tuple[TableDigest, TableDigest]) -> bool:
        if name not in self._with_changes:
            old, new = digests
            names = {self._old_columns.get((*name, column), column): column for column in new.columns}
            self._with_changes[name] = any(
                old.columns[was] != new.columns[now] for was, now in names.items() if was in old.columns
            )
        return self._with_changes[name]

    def _column_fact(
        self, pair: Pair, renamed_from: str | None, result: ColumnContent, digest: TableDigest
    ) -> ColumnFact:
        schema, table, column = pair.key
        proven = self.proven((schema, table))
        if proven is not None and digest.key:
            rows = proven.changed.get(column, 0)
            result = replace(result, verdict="changed" if rows else "intact", segments=result.segments if rows else ())
        else:
            rows = None
        content: str = result.verdict
        if content == "intact" and pair.difference("type"):
            content = "retyped"
        if content in ("intact", "retyped") and self._sample(self._new, (schema, table)) is not None:
            content = "sampled"
        where = describe_segments(digest, result.segments) or None
        keys = proven.samples.get(column, ()) if rows and proven else ()
        return ColumnFact(pair, renamed_from, content, where, rows, result.differing, digest.shift, keys)

    def proven(self, name: TableName) -> ProvenRows | None:
        """Return what comparing rows has shown, where it accounts for the number of rows; else it proves nothing."""
        proven = self._proven.get(name)
        if proven is None:
            return None
        before = self._old.tables[self._old_names.get(name, name)]["rows"] or 0
        after = self._new.tables[name]["rows"] or 0
        digests = self._digests(name)
        appended = appended_rows(digests[1]) if digests else 0
        return proven if proven.added - proven.removed + appended == after - before else None

    def table(self, pair: Pair, columns: list[ColumnFact]) -> TableFact:
        """Sum up one table from its columns."""
        name = (pair.key[0], pair.key[1])
        old_name = self._old_names.get(name, name)
        renamed_from = old_name[1] if old_name != name else None
        return TableFact(pair, renamed_from, self._table_content(pair, columns))

    def _table_content(self, pair: Pair, columns: list[ColumnFact]) -> str:
        if pair.before is None or pair.after is None:
            return "added" if pair.before is None else "removed"
        found = {fact.content for fact in columns}
        for verdict in ("changed", "unproven", "not compared", "not read", "sampled"):
            if verdict in found:
                return verdict
        proven = self.proven((pair.key[0], pair.key[1]))
        rows = self._whole_rows((pair.key[0], pair.key[1]))
        as_many = pair.before["rows"] == pair.after["rows"]
        if proven is None and as_many and rows is not None and rows[0] != rows[1]:
            return "changed"
        if proven is not None and proven.removed:
            return "rows replaced" if proven.added else "rows removed"
        before, after = pair.before["rows"], pair.after["rows"]
        if proven is not None and proven.added:
            return "appended"
        return "appended" if (after or 0) > (before or 0) else "intact" if before == after else "rows removed"

    def _whole_rows(self, name: TableName) -> tuple[str, str] | None:
        if name not in self._rows:
            old_name = self._old_names.get(name, name)
            self._rows[name] = whole_rows(self._old, self._new, self._renames, old_name, name)
        return self._rows[name]

    def _sample(self, contents: Contents, name: TableName) -> str | None:
        row = contents.tables.get(name)
        sample: str | None = row["sample"] if row else None
        return sample

    def _same_sample(self, name: TableName) -> bool:
        """Tell whether both states read the same rows of a table, if any; list it where they did not."""
        before = self._sample(self._old, self._old_names.get(name, name))
        after = self._sample(self._new, name)
        if before != after and name not in self._other_samples:
            self._other_samples.add(name)
            self.unchecked.append({"what": f"rows of {name[1]}", "why": "the two states did not read the same rows"})
        return before == after

    def _is_view(self, name: TableName) -> bool:
        return name not in self._new.tables or self._new.tables[name]["kind"] in WITHOUT_OWN_CONTENT

    def _digests(self, name: TableName) -> tuple[TableDigest, TableDigest] | None:
        if name not in self._pairs:
            self._pairs[name] = self._find_digests(name)
        return self._pairs[name]

    def _find_digests(self, name: TableName) -> tuple[TableDigest, TableDigest] | None:
        old = self._old.digests.get(self._old_names.get(name, name))
        new = self._new.digests.get(name)
        if old is None or new is None or not self._same_method:
            return None
        if old == new:
            return old, new
        if not comparable(old, self._with_old_names(name, new)):
            return None
        return aligned(old, new)

    def _with_old_names(self, name: TableName, digest: TableDigest) -> TableDigest:
        back = {column: old for (schema, table, column), old in self._old_columns.items() if (schema, table) == name}
        columns = {back.get(column, column): cells for column, cells in digest.columns.items()}
        return replace(digest, key=tuple(back.get(column, column) for column in digest.key), columns=columns)


def _read_in_other_forms(before: Row, after: Row) -> bool:
    return bool(before["read_as"] and after["read_as"] and before["read_as"] != after["read_as"])
