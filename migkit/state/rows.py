"""Rows of one table in two databases, one by one: a merge of two streams ordered by the hash of the key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from sqlalchemy import Connection

from migkit.database import Database
from migkit.dialects.base import RowDigest, TableContent
from migkit.errors import NotComparable
from migkit.state.content import MODULUS
from migkit.state.content_facts import ColumnFact, ProvenRows
from migkit.state.facts import ComparisonFacts
from migkit.state.plan import plan_tables
from migkit.state.segments import TableName, table_digests
from migkit.state.snapshot import State

_SAMPLES = 5


class RowsNotComparable(NotComparable):
    """Rows could not be compared in a way that proves anything."""


@dataclass
class RowMerge:
    """What merging two ordered streams of rows has shown so far."""

    columns: Sequence[str]
    added: int = 0
    removed: int = 0
    changed: dict[str, int] = field(default_factory=dict)
    samples: dict[str, list[tuple[str | None, ...]]] = field(default_factory=dict)

    def run(self, left: Iterator[RowDigest], right: Iterator[RowDigest]) -> None:
        """Merge; both streams are ordered by seed."""
        lefts, rights = groupby(left, lambda row: row.seed), groupby(right, lambda row: row.seed)
        one, other = next(lefts, None), next(rights, None)
        while one is not None or other is not None:
            if other is None or (one is not None and one[0] < other[0]):
                assert one is not None
                self._only_left(list(one[1]))
                one = next(lefts, None)
            elif one is None or other[0] < one[0]:
                self._only_right(list(other[1]))
                other = next(rights, None)
            else:
                self._same_seed(list(one[1]), list(other[1]))
                one, other = next(lefts, None), next(rights, None)

    def _only_left(self, rows: list[RowDigest]) -> None:
        self.removed += len(rows)
        for row in rows:
            self._sample("removed", row.key)

    def _only_right(self, rows: list[RowDigest]) -> None:
        self.added += len(rows)
        for row in rows:
            self._sample("added", row.key)

    def _same_seed(self, lefts: list[RowDigest], rights: list[RowDigest]) -> None:
        if not (lefts[0].key and rights[0].key):
            # Without a key the seed is the whole row: equal seeds are equal rows, and only their number can differ.
            self._only_left(lefts[len(rights) :])
            self._only_right(rights[len(lefts) :])
            return
        # Rows of equal key hash; nearly always one on each side.
        unmatched = list(rights)
        for left in lefts:
            match = next((row for row in unmatched if row.key == left.key), None)
            if match is None:
                self._only_left([left])
                continue
            unmatched.remove(match)
            for column, before, after in zip(self.columns, left.digests, match.digests, strict=True):
                if before != after:
                    self.changed[column] = self.changed.get(column, 0) + 1
                    self._sample(column, left.key)
        self._only_right(unmatched)

    def _sample(self, what: str, key: tuple[str | None, ...]) -> None:
        known = self.samples.setdefault(what, [])
        if len(known) < _SAMPLES:
            known.append(key)


def compare_unproven(
    source: Database, copy: Database, before: State, facts: ComparisonFacts, table: TableName
) -> ProvenRows:
    """Compare the rows of those segments of a table whose digests differ.

    Parameters
    ----------
    source : Database
        Holds the table as it was; only read.
    copy : Database
        Holds the table as it is.
    before : State
        What the digests of the source have to add up to; otherwise it changed since, and proves nothing.
    facts : ComparisonFacts
        What differs.
    table : (schema, table)
        The table, by its present name.

    Returns
    -------
    ProvenRows
        Rows added and removed, and per column the rows changed.

    Raises
    ------
    RowsNotComparable
        If the source changed since the clone was made, or the table cannot be read row by row.
    """
    columns = [fact for fact in facts.columns if fact.table == table and fact.pair.before and fact.pair.after]
    old_table = next((old for old, new in facts.renames.tables.items() if new == table), table)
    old_columns = tuple(fact.renamed_from or fact.column for fact in columns)
    new_columns = tuple(fact.column for fact in columns)
    segments = sorted({number for fact in columns for number in fact.segments})
    shift = next((fact.shift for fact in columns if fact.shift is not None), None)
    with source.dialect.snapshot(source.engine, 1) as (left,), copy.dialect.snapshot(copy.engine, 1) as (right,):
        old = _content(source, left, before, old_table, old_columns, shift)
        new = _content(copy, right, before, table, new_columns, shift)
        checked = _Checked(source.dialect.read_rows(left, old, segments), old_columns)
        merge = RowMerge(new_columns)
        merge.run(iter(checked), copy.dialect.read_rows(right, new, segments))
    _require_unchanged(before, old_table, checked, segments, shift)
    return ProvenRows(merge.added, merge.removed, merge.changed)


def _content(
    db: Database, connection: Connection, before: State, table: TableName, columns: tuple[str, ...], shift: int | None
) -> TableContent:
    catalog = db.dialect.read_catalog(connection, [table[0]])
    only = replace(catalog, tables=[row for row in catalog.tables if (row["schema"], row["table"]) == table])
    plans = plan_tables(db.dialect, connection, only, before)
    if not plans:
        raise RowsNotComparable(f"Table {table[1]} is not there", where=db.name)
    content = plans[0].content
    types = dict(content.columns)
    if not types.keys() >= set(columns):
        raise RowsNotComparable(f"Table {table[1]} has other columns than before", where=db.name)
    return replace(content, columns=tuple((column, types[column]) for column in columns), shift=shift)


class _Checked:
    """Passes rows on and adds their digests up."""

    def __init__(self, rows: Iterator[RowDigest], columns: Sequence[str]) -> None:
        self._rows = rows
        self.rows = 0
        self.sums = dict.fromkeys(columns, 0)

    def __iter__(self) -> Iterator[RowDigest]:
        names = list(self.sums)
        totals = [0] * len(names)
        for row in self._rows:
            self.rows += 1
            for index, digest in enumerate(row.digests):
                totals[index] += digest or 0
            yield row
        self.sums = {name: total % MODULUS for name, total in zip(names, totals, strict=True)}


def _require_unchanged(
    before: State, table: TableName, checked: _Checked, segments: Sequence[int], shift: int | None
) -> None:
    digest = table_digests(before)[table].folded().widened(shift)
    wanted = set(segments)
    for column, total in checked.sums.items():
        cells = [cell for (number, _), cell in digest.columns.get(column, {}).items() if number in wanted]
        if sum(cell.total for cell in cells) % MODULUS != total or sum(cell.rows for cell in cells) != checked.rows:
            raise RowsNotComparable(
                f"{table[1]} changed in the source since it was cloned",
                next_step="Rehearse on a source that is at rest, or on a copy of it.",
            )


def needs_rows(fact: ColumnFact) -> bool:
    """Tell whether a column's digests leave open which rows differ."""
    return fact.content in ("unproven", "changed")
