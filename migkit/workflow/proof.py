"""Proof by rows, for tables whose digests cannot tell: which rows came, went or changed, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from migkit.database import Database
from migkit.dialects.base import Row
from migkit.errors import MigkitError
from migkit.state.comparison import Comparison
from migkit.state.content_facts import ProvenRows
from migkit.state.rows import compare_unproven, needs_rows
from migkit.state.segments import TableName
from migkit.state.snapshot import State


@dataclass(frozen=True)
class Proof:
    """What could be proven by rows, and what could not."""

    proven: Mapping[TableName, ProvenRows] = field(default_factory=dict)
    unchecked: tuple[Row, ...] = ()


def needs_proof(comparison: Comparison) -> bool:
    """Tell whether digests leave open which rows of some table differ."""
    return bool(_open_tables(comparison))


def _open_tables(comparison: Comparison) -> list[TableName]:
    return sorted({fact.table for fact in comparison.facts.columns if needs_rows(fact)})


def prove_rows(comparison: Comparison, before: State, source: Database, copy: Database) -> Proof:
    """Compare rows between the source and its migrated clone, where digests alone cannot tell.

    Parameters
    ----------
    comparison : Comparison
        The clone before against the clone now.
    before : State
        The clone before: the source must still hold what the clone held then, or nothing is proven by it.
    source : Database
        Where the clone came from; only read.
    copy : Database
        The clone as it is now.

    Returns
    -------
    Proof
        Per table, rows added, removed and changed.
    """
    proven: dict[TableName, ProvenRows] = {}
    unchecked: list[Row] = []
    for table in _open_tables(comparison):
        try:
            proven[table] = compare_unproven(source, copy, before, comparison.facts, table)
        except (MigkitError, SQLAlchemyError) as error:
            unchecked.append({"what": f"rows of {table[1]}, one by one", "why": str(error)})
    return Proof(proven, tuple(unchecked))
