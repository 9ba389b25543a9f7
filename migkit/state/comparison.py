"""``compare()``: two states held side by side. Pure: it never asks a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from migkit import frames
from migkit.allowances import Allowance, parse_allowance
from migkit.display.card import Card
from migkit.display.plots import row_count_diff
from migkit.display.results import Drawn, comparison_card
from migkit.errors import NotComparable
from migkit.findings import Finding, to_frame
from migkit.framing import plain
from migkit.state.content_facts import ColumnFact, ProvenRows, TableFact
from migkit.state.facts import ComparisonFacts, gather_facts
from migkit.state.judgement import CONTENT_RULES, judge
from migkit.state.segments import TableName
from migkit.state.snapshot import State


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Drawn):
    """Two states held side by side, with a verdict.

    Attributes
    ----------
    before, after : str
        Which states were compared.
    identical : bool
        Nothing differs: no row, no definition, no object. A sequence that merely advanced does not count.
    tables, columns, constraints, indexes, objects, orphans : pandas.DataFrame
        What happened to each, described in :mod:`migkit.frames` (``*_CHANGES``).
    findings : pandas.DataFrame
        The judgement, errors first (:data:`migkit.frames.FINDINGS`).
    unchecked : pandas.DataFrame
        What was not looked at (:data:`migkit.frames.UNCHECKED`).
    facts : ComparisonFacts
        What differs, as plain objects, for rules.
    judgement : tuple of Finding
        The findings, as plain objects.
    """

    before: str
    after: str
    identical: bool
    tables: pd.DataFrame = field(repr=False)
    columns: pd.DataFrame = field(repr=False)
    constraints: pd.DataFrame = field(repr=False)
    indexes: pd.DataFrame = field(repr=False)
    objects: pd.DataFrame = field(repr=False)
    orphans: pd.DataFrame = field(repr=False)
    findings: pd.DataFrame = field(repr=False)
    unchecked: pd.DataFrame = field(repr=False)
    facts: ComparisonFacts = field(repr=False)
    judgement: tuple[Finding, ...] = field(default=(), repr=False)

    @property
    def passed(self) -> bool:
        """Nothing was lost or damaged beyond what was declared."""
        return not self.errors

    @cached_property
    def errors(self) -> list[str]:
        """What fails the verdict, one sentence each."""
        return plain(self.findings.loc[self.findings["severity"] == "error", "what"])

    @property
    def row_count_diff(self) -> int:
        """Rows after minus rows before, over all tables."""
        return int(self.tables["rows_diff"].fillna(0).sum())

    @property
    def integrity_check(self) -> bool:
        """Every row and value that was there before is there after, or its change was declared."""
        failed = self.findings["id"].isin(CONTENT_RULES) & (self.findings["severity"] == "error")
        partly_read = self.columns["content"].isin(["not read", "sampled"])
        return not bool(failed.any() or partly_read.any())

    @property
    def constraint_violations(self) -> int:
        """Constraints that hold no longer: foreign keys with new orphans, and constraints no longer validated."""
        return self.facts.constraint_violations

    @property
    def orphaned_records(self) -> int:
        """Rows that lost their parent since."""
        return int(self.orphans["orphans_new"].clip(lower=0).fillna(0).sum())

    def card(self) -> Card:
        """Return what the comparison shows of itself."""
        return comparison_card(self)

    def plot(self) -> Any:
        """Return a matplotlib ``Figure`` of the rows of each table before and after."""
        return row_count_diff(self.tables)


def compare(
    before: State,
    after: State,
    *,
    allow: Iterable[str | Allowance] = (),
    bookkeeping: Iterable[str] = (),
    proven: Mapping[TableName, ProvenRows] | None = None,
) -> Comparison:
    """Hold two states side by side.

    Parameters
    ----------
    before, after : State
        The states, captured or loaded.
    allow : iterable of str or Allowance
        Intended destruction, as a migration declares it: ``drop_column:users.legacy_flag``.
    bookkeeping : iterable of str
        Tables in which the migration's own tool notes what is applied: they may change, and count for `identical`.
    proven : mapping, optional
        Results of comparing rows one by one, for tables whose digests alone cannot tell.

    Returns
    -------
    Comparison
        What changed, and whether anything was lost or damaged beyond `allow`.

    Raises
    ------
    NotComparable
        If the states are of different engines.

    Examples
    --------
    >>> import migkit as mk
    >>> db = mk.connect("sqlite://")
    >>> mk.compare(mk.capture(db), mk.capture(db)).identical
    True
    """
    if before.engine != after.engine:
        raise NotComparable(
            f"A state of {before.engine} and one of {after.engine} cannot be compared",
            where=f"{before.database}, {after.database}",
            next_step="Compare states of one engine.",
        )
    facts = gather_facts(before, after, proven or {})
    allowances = [one if isinstance(one, Allowance) else parse_allowance(one) for one in allow]
    return _assemble(before, after, facts, judge(facts, allowances, frozenset(bookkeeping)))


def _assemble(before: State, after: State, facts: ComparisonFacts, findings: list[Finding]) -> Comparison:
    return Comparison(
        before=_describe(before),
        after=_describe(after),
        identical=facts.identical,
        tables=frames.TABLE_CHANGES.build(_table_row(fact) for fact in facts.tables),
        columns=frames.COLUMN_CHANGES.build(_column_row(fact) for fact in facts.columns),
        constraints=frames.CONSTRAINT_CHANGES.build(
            (*pair.key, (pair.after or pair.before or {})["kind"], pair.change, pair.detail)
            for pair in facts.constraints
        ),
        indexes=frames.INDEX_CHANGES.build((*pair.key, pair.change, pair.detail) for pair in facts.indexes),
        objects=frames.OBJECT_CHANGES.build(
            (*pair.key, (pair.after or pair.before or {})["parent"], pair.change, pair.detail) for pair in facts.objects
        ),
        orphans=frames.ORPHAN_CHANGES.build(
            (*one.key, one.referenced, one.before, one.after, one.new) for one in facts.orphans
        ),
        findings=to_frame(findings),
        unchecked=frames.UNCHECKED.build(facts.unchecked),
        facts=facts,
        judgement=tuple(findings),
    )


def _describe(state: State) -> str:
    return f"{state.database} at {state.captured_at:%Y-%m-%d %H:%M:%S} UTC"


def _table_row(fact: TableFact) -> tuple[object, ...]:
    return (
        *fact.name,
        fact.change,
        fact.rows_before,
        fact.rows_after,
        fact.rows_diff,
        fact.content,
        fact.renamed_from,
        fact.detail,
    )


def _column_row(fact: ColumnFact) -> tuple[object, ...]:
    return (
        *fact.table,
        fact.column,
        fact.change,
        fact.content,
        fact.renamed_from,
        fact.changed_rows,
        ", ".join(fact.sample_keys) or None,
        fact.where,
        fact.nulls_before,
        fact.nulls_after,
        fact.detail,
    )
