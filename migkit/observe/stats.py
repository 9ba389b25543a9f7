"""``Stats``: how large tables and indexes are, and what the last run did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from migkit import frames
from migkit.database import Database
from migkit.display.card import Card, Fact, Fold
from migkit.display.lines import NOTE
from migkit.display.results import Drawn
from migkit.display.units import count, milliseconds, size


@dataclass(frozen=True, eq=False, repr=False)
class Stats(Drawn):
    """How large a database is, and what its last run did.

    Attributes
    ----------
    database : str
        The database's name.
    table_size_bytes, index_size_bytes : int or None
        Of all tables together; ``None`` where the engine does not tell.
    lock_duration_ms : float or None
        How long the run held its longest lock that kept others from reading or writing; ``None`` if that is not known.
    rows_affected : int or None
        Rows that the run's statements changed, as the server counted them; ``None`` if that is not known.
    run : str
        Which run that was, or why it is not known.
    tables : DataFrame
        As :data:`migkit.frames.TABLE_SIZES` describes it.
    """

    database: str
    table_size_bytes: int | None
    index_size_bytes: int | None
    lock_duration_ms: float | None
    rows_affected: int | None
    run: str
    tables: pd.DataFrame

    def to_document(self) -> dict[str, Any]:
        """Return the stats as JSON values."""
        return {
            "database": self.database,
            "table_size_bytes": self.table_size_bytes,
            "index_size_bytes": self.index_size_bytes,
            "lock_duration_ms": self.lock_duration_ms,
            "rows_affected": self.rows_affected,
            "run": self.run,
            "tables": frames.TABLE_SIZES.rows(self.tables),
        }

    def card(self) -> Card:
        """Return what the stats show of themselves."""

        def told(value: Any, unit: Any) -> str:
            return "not known" if value is None else str(unit(value))

        return Card(
            title=f"Stats of {self.database}",
            sign=NOTE,
            verdict=self.run,
            figures=(
                Fact("tables", told(self.table_size_bytes, size)),
                Fact("indexes", told(self.index_size_bytes, size)),
                Fact("longest lock", told(self.lock_duration_ms, milliseconds)),
                Fact("rows affected", told(self.rows_affected, count)),
            ),
            folds=(Fold("Tables", self.tables, ("schema", "table", "table_bytes", "index_bytes"), told=True),),
            noun="table",
        )


def table_sizes(db: Database) -> pd.DataFrame:
    """Return :data:`migkit.frames.TABLE_SIZES` of a database, the largest table first."""
    with db.dialect.snapshot(db.engine, 1) as (connection, *_):
        rows = [_size_row(row) for row in db.dialect.read_catalog(connection, db.schemas).tables]
    rows.sort(key=lambda row: -(row["size_bytes"] or 0))
    return frames.TABLE_SIZES.build(rows)


def _size_row(row: Mapping[str, Any]) -> dict[str, Any]:
    size_bytes, index_bytes = row.get("size_bytes"), row.get("index_bytes")
    rows_bytes = None if size_bytes is None else size_bytes - (index_bytes or 0)
    return {
        "schema": row["schema"],
        "table": row["table"],
        "table_bytes": rows_bytes,
        "index_bytes": index_bytes,
        "size_bytes": size_bytes,
    }


def total(column: Iterable[int | None]) -> int | None:
    """Add sizes up; ``None`` if one of them is not known."""
    values = list(column)
    return None if any(value is None for value in values) else sum(value for value in values if value is not None)


def longest_lock_ms(locks: pd.DataFrame) -> float:
    """Return how long the longest lock of a run was held that kept others from reading or writing."""
    held = [row["held_ms"] or 0.0 for row in frames.LOCKS.rows(locks) if _hurts(row["blocks"])]
    return max(held, default=0.0)


def _hurts(blocks: str | None) -> bool:
    return "reads" in (blocks or "") or "writes" in (blocks or "")
