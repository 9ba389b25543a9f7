"""What differs between two states, as plain facts; nothing here says whether that is good or bad."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from migkit import frames
from migkit.dialects.base import Row
from migkit.framing import FrameSpec
from migkit.state.changes import Difference, Pair, pair_rows, shared_positions
from migkit.state.content_facts import ColumnFact, ContentComparison, ProvenRows, TableFact
from migkit.state.orphan_facts import Movements, OrphanFact, pair_orphans
from migkit.state.renames import Contents, Renames, find_renames
from migkit.state.schema_digest import Elsewhere, differing_statements, why_not_compared
from migkit.state.schemas import in_common
from migkit.state.segments import TableName, table_digests
from migkit.state.sequences import movement
from migkit.state.snapshot import State


@dataclass(frozen=True)
class ComparisonFacts:
    """Everything that differs between two states."""

    default_schema: str
    renames: Renames
    tables: tuple[TableFact, ...]
    columns: tuple[ColumnFact, ...]
    constraints: tuple[Pair, ...]
    indexes: tuple[Pair, ...]
    objects: tuple[Pair, ...]
    orphans: tuple[OrphanFact, ...]
    unchecked: tuple[Row, ...] = ()
    proven: Mapping[TableName, ProvenRows] = field(default_factory=dict)
    elsewhere: tuple[Elsewhere, ...] = ()
    same_scope: bool = True

    def label(self, table: TableName) -> str:
        """Name a table for people: qualified only outside the default schema."""
        return table[1] if table[0] == self.default_schema else f"{table[0]}.{table[1]}"

    @cached_property
    def identical(self) -> bool:
        """Whether nothing differs; advanced sequences aside."""
        return (
            self.same_scope
            and not self.elsewhere
            and self.same_schema
            and all(not fact.rows_diff and fact.content == "intact" for fact in self.tables)
            and all(fact.content == "intact" for fact in self.columns)
            and all(fact.before == fact.after for fact in self.orphans)
        )

    @cached_property
    def same_schema(self) -> bool:
        """Whether no definition differs, whatever became of the content."""
        return (
            all(fact.change == "unchanged" for fact in self.tables)
            and all(fact.change == "unchanged" for fact in self.columns)
            and all(pair.change == "unchanged" for pair in (*self.constraints, *self.indexes, *self.objects))
        )

    @property
    def constraint_violations(self) -> int:
        """Foreign keys with new orphans, and constraints that lost their validation or enforcement."""
        violated = sum(1 for fact in self.orphans if (fact.new or 0) > 0)
        weakened = sum(
            1
            for pair in self.constraints
            if pair.before
            and pair.after
            and any(pair.before[fact] and pair.after[fact] is False for fact in ("validated", "enforced"))
        )
        return violated + weakened


def gather_facts(before: State, after: State, proven: Mapping[TableName, ProvenRows]) -> ComparisonFacts:
    """Find everything that differs between two states.

    Parameters
    ----------
    before, after : State
        The states.
    proven : mapping
        Tables whose rows were compared one by one, by their present name.

    Returns
    -------
    ComparisonFacts
        The facts.
    """
    before, after, left_out = in_common(before, after)
    old, new = _contents(before), _contents(after)
    renames = find_renames(old, new)
    content = ContentComparison(old, new, renames, proven, before.fingerprint_method == after.fingerprint_method)
    columns = tuple(content.column(pair) for pair in _column_pairs(old, new, renames))
    by_table: dict[TableName, list[ColumnFact]] = defaultdict(list)
    for fact in columns:
        by_table[fact.table].append(fact)
    tables = tuple(
        content.table(pair, by_table.get((pair.key[0], pair.key[1]), []))
        for pair in pair_rows(frames.TABLES, old.tables.values(), new.tables.values(), renames)
    )
    constraints = _pairs(frames.CONSTRAINTS, before.constraints, after.constraints, renames)
    orphans = pair_orphans(before, after, renames)
    exchanged = Movements(tables, columns, constraints, proven).exchanged_orphans(orphans)
    facts = ComparisonFacts(
        default_schema=after.default_schema,
        renames=renames,
        tables=tables,
        columns=columns,
        constraints=constraints,
        indexes=_pairs(frames.INDEXES, before.indexes, after.indexes, renames),
        objects=tuple(_with_value(pair) for pair in _pairs(frames.OBJECTS, before.objects, after.objects, renames)),
        orphans=orphans,
        same_scope=not left_out,
        unchecked=(*_unchecked(before, after), *left_out, *content.unchecked, *exchanged),
        proven=proven,
    )
    if not facts.same_schema:
        # Then it is dumped differently, too.
        return facts
    return replace(facts, elsewhere=differing_statements(before.schema_dump, after.schema_dump))


def _contents(state: State) -> Contents:
    tables = {(row["schema"], row["table"]): row for row in frames.TABLES.rows(state.tables)}
    columns: dict[TableName, dict[str, Row]] = defaultdict(dict)
    for row in frames.COLUMNS.rows(state.columns):
        columns[row["schema"], row["table"]][row["column"]] = row
    return Contents(tables, columns, table_digests(state))


def _pairs(spec: FrameSpec, before: object, after: object, renames: Renames) -> tuple[Pair, ...]:
    return tuple(pair_rows(spec, spec.rows(before), spec.rows(after), renames))  # type: ignore[arg-type]


def _column_pairs(old: Contents, new: Contents, renames: Renames) -> list[Pair]:
    pairs = pair_rows(
        frames.COLUMNS,
        (row for columns in old.columns.values() for row in columns.values()),
        (row for columns in new.columns.values() for row in columns.values()),
        renames,
        ignore=frozenset({"position"}),
    )
    moved = _moved_columns(old, new, renames)
    return [
        replace(pair, differences=(*pair.differences, moved[pair.key])) if pair.key in moved else pair for pair in pairs
    ]


def _moved_columns(old: Contents, new: Contents, renames: Renames) -> dict[tuple[str, ...], Difference]:
    """Find columns whose order among the columns of both states has changed."""
    moved: dict[tuple[str, ...], Difference] = {}
    for old_name, columns in old.columns.items():
        name = renames.table(*old_name)
        renamed = {renames.column(*name, column): row for column, row in columns.items()}
        after = new.columns.get(name, {})
        ranks, ranks_after = shared_positions(renamed, after), shared_positions(after, renamed)
        for column, rank in ranks.items():
            if rank != ranks_after[column]:
                moved[(*name, column)] = Difference("position", rank, ranks_after[column])
    return moved


def _with_value(pair: Pair) -> Pair:
    """A sequence that was set back is a change; one that advanced is not."""
    if pair.before is None or pair.after is None or movement(pair) in ("none", "forward"):
        return pair
    difference = Difference("value", pair.before["value"], pair.after["value"])
    return replace(pair, differences=(*pair.differences, difference))


def _unchecked(before: State, after: State) -> list[Row]:
    rows = {
        (row["what"], row["why"]): row for state in (before, after) for row in frames.UNCHECKED.rows(state.unchecked)
    }
    noted = list(rows.values())
    return [*noted, *why_not_compared(before.schema_dump, after.schema_dump, noted)]
