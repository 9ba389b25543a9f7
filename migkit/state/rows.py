"""Proof by rows: which rows came, went or changed where the digests of two states leave that open."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from migkit.database import Database
from migkit.dialects.base import Dialect, Part, TableContent
from migkit.display.escape import shorten
from migkit.errors import NotComparable
from migkit.state.content import MODULUS
from migkit.state.content_facts import ColumnFact, ProvenRows
from migkit.state.facts import ComparisonFacts
from migkit.state.plan import plan_tables
from migkit.state.row_merge import RowDifference
from migkit.state.row_narrowing import FIRST_BITS, STEP_BITS, divided, narrowed
from migkit.state.row_sides import Digests, Side, Sides, opened, read_digests, row_differences
from migkit.state.segments import TableName, table_digests
from migkit.state.snapshot import State, key_columns

SAMPLE_KEYS = 3
SAMPLE_KEY_LENGTH = 60
# Slices of the key's hash, as captures number them.
_SLICE_BITS = 4


class RowsNotComparable(NotComparable):
    """Rows could not be compared in a way that proves anything."""


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
    columns, without = _columns_to_read(facts, table)
    old_table = next((old for old, new in facts.renames.tables.items() if new == table), table)
    old_columns = tuple(fact.renamed_from or fact.column for fact in columns)
    new_columns = tuple(fact.column for fact in columns)
    forms = _forms(source.dialect, columns, keyless=not _key(facts, table))
    segments = tuple(sorted({number for fact in columns for number in fact.segments}))
    shift = next((fact.shift for fact in columns if fact.shift is not None), None)
    with opened(source, copy) as (left, right):
        sides = (
            Side(source, left, _content(source, left[0], before, old_table, (old_columns, {}), shift)),
            Side(copy, right, _content(copy, right[0], before, table, (new_columns, forms), shift)),
        )
        within, found = _digests(sides, segments, shift)
        _require_unchanged(before, old_table, found[0], segments, shift)
        return replace(_proven(sides, within, found, new_columns), without=without)


def _columns_to_read(facts: ComparisonFacts, table: TableName) -> tuple[list[ColumnFact], frozenset[str]]:
    """Return the columns to read again, and those left out.

    With a key, those left open are read, and the key. Without one, rows are told apart by all that is not known to have
    changed: what stays besides is still in the same rows, if the rows are the same without what changed.
    """
    shared = [fact for fact in facts.columns if fact.table == table and fact.pair.before and fact.pair.after]
    key = _key(facts, table)
    if not key:
        kept = [fact for fact in shared if fact.content != "changed"] or shared
        return kept, frozenset({fact.column for fact in shared} - {fact.column for fact in kept})
    # A row whose key holds a NULL is told apart by all of its columns, like the rows of a table without a key.
    if any(fact.nulls_before or fact.nulls_after for fact in shared if fact.column in key):
        return shared, frozenset()
    return [fact for fact in shared if needs_rows(fact) or fact.column in key], frozenset()


def _key(facts: ComparisonFacts, table: TableName) -> tuple[str, ...]:
    pair = next(fact.pair for fact in facts.tables if fact.name == table)
    return key_columns(pair.after["key"] if pair.after else None)


def _forms(dialect: Dialect, columns: Sequence[ColumnFact], *, keyless: bool) -> dict[str, str]:
    """Return the forms in which columns of another type than before are digested."""
    forms: dict[str, str] = {}
    for fact in columns:
        assert fact.pair.before and fact.pair.after
        before, now = fact.pair.before["read_as"], fact.pair.after["read_as"]
        if now:
            # With a key, the capture has found out which form agrees; without one it cannot where rows came or went.
            others = dialect.other_forms(before, now) if keyless and before not in (None, now) else ()
            forms[fact.column] = others[0] if others else now
    return forms


def _content(
    db: Database,
    connection: Connection,
    before: State,
    table: TableName,
    columns_as: tuple[tuple[str, ...], dict[str, str]],
    shift: int | None,
) -> TableContent:
    columns, forms = columns_as
    # The connected database of some engines has no name of its own as a schema.
    catalog = db.dialect.read_catalog(connection, [table[0]] if table[0] else None)
    only = replace(catalog, tables=[row for row in catalog.tables if (row["schema"], row["table"]) == table])
    plans = plan_tables(db.dialect, connection, only, before)
    if not plans:
        raise RowsNotComparable(f"Table {table[1]} is not there", where=db.name)
    content = plans[0].content
    types = dict(content.columns) | forms
    if not types.keys() >= set(columns):
        raise RowsNotComparable(f"Table {table[1]} has other columns than before", where=db.name)
    return replace(content, columns=tuple((column, types[column]) for column in columns), shift=shift)


def _digests(
    sides: Sides, segments: tuple[int, ...], shift: int | None
) -> tuple[tuple[Part, ...], tuple[Digests, Digests]]:
    """Read the segments that differ once more, divided into narrower ones."""
    if shift is None:
        bits = _SLICE_BITS if sides[0].content.key else 0
        within: tuple[Part, ...] = (Part(segments, None, bits),)
    else:
        within = (Part(segments, shift),)
    narrower = None if shift is None else max(0, shift - STEP_BITS)
    one, other = (divided(side.content, narrower, FIRST_BITS, within) for side in sides)
    return within, read_digests(sides, (one, other))


def _proven(
    sides: Sides, within: tuple[Part, ...], found: tuple[Digests, Digests], columns: Sequence[str]
) -> ProvenRows:
    counts: Counter[str] = Counter()
    changed: Counter[int] = Counter()
    samples: defaultdict[int, list[str]] = defaultdict(list)
    removed: list[str] = []
    for part in narrowed(sides, found, within):
        for difference in row_differences(sides, part):
            counts[difference.change] += 1
            changed.update(difference.columns)
            for index in difference.columns:
                _sample(samples[index], difference)
            if difference.change == "removed":
                _sample(removed, difference)
    by_column = {columns[index]: rows for index, rows in sorted(changed.items())}
    keys = {columns[index]: tuple(found) for index, found in sorted(samples.items())}
    return ProvenRows(counts["added"], counts["removed"], by_column, keys, tuple(removed))


def _sample(keys: list[str], difference: RowDifference) -> None:
    """Keep the keys of the first few rows; they come ordered by hash, so that these are from all over the table."""
    if len(keys) < SAMPLE_KEYS and difference.key:
        parts = ["NULL" if part is None else shorten(part, SAMPLE_KEY_LENGTH) for part in difference.key]
        keys.append(parts[0] if len(parts) == 1 else f"({', '.join(parts)})")


def _require_unchanged(
    before: State, table: TableName, found: Digests, segments: Sequence[int], shift: int | None
) -> None:
    digest = table_digests(before)[table].folded().widened(shift)
    wanted = set(segments)
    rows, _, *totals = found.total()
    for (column, _), total in zip(found.content.columns, totals[1::2], strict=True):
        cells = [cell for (number, _), cell in digest.columns.get(column, {}).items() if number in wanted]
        if sum(cell.total for cell in cells) % MODULUS != total or sum(cell.rows for cell in cells) != rows:
            raise RowsNotComparable(
                f"{table[1]} changed in the source since it was cloned",
                next_step="Rehearse on a source that is at rest, or on a copy of it.",
            )


def needs_rows(fact: ColumnFact) -> bool:
    """Tell whether a column's digests leave open which rows differ."""
    return fact.content in ("unproven", "changed")
