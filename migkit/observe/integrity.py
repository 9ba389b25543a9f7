"""Looking whether the rows still keep what the schema promises: orphans, and constraints that nobody checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from migkit import frames
from migkit.database import Database
from migkit.dialects.base import ForeignKey
from migkit.redaction import redact


@dataclass(frozen=True, eq=False)
class Integrity:
    """What one look at a database's integrity gave.

    Attributes
    ----------
    checked_at : datetime
        In UTC.
    orphans : DataFrame
        As :data:`migkit.frames.ORPHANS` describes it: one row per foreign key.
    not_validated : tuple of str
        Constraints that existing rows were never checked against.
    unchecked : DataFrame
        As :data:`migkit.frames.UNCHECKED` describes it.
    """

    checked_at: datetime
    orphans: pd.DataFrame
    not_validated: tuple[str, ...]
    unchecked: pd.DataFrame

    @property
    def orphaned_records(self) -> int:
        """Rows without a parent, over all foreign keys that could be counted."""
        return int(self.orphans["orphans"].fillna(0).sum())

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "checked_at": self.checked_at.isoformat(),
            "orphaned_records": self.orphaned_records,
            "orphans": frames.ORPHANS.rows(self.orphans),
            "not_validated": list(self.not_validated),
            "unchecked": frames.UNCHECKED.rows(self.unchecked),
        }


def check_integrity(db: Database) -> Integrity:
    """Count the rows without a parent of every foreign key, in one instant; only read.

    Parameters
    ----------
    db : Database
        The database.
    """
    unchecked: list[dict[str, str]] = []
    with db.dialect.snapshot(db.engine, 1) as (connection, *_):
        catalog = db.dialect.read_catalog(connection, db.schemas)
        rows = []
        for key in catalog.foreign_keys:
            number: int | None = None
            try:
                with db.dialect.one_reading(connection):
                    number = db.dialect.count_orphans(connection, key)
            except SQLAlchemyError as error:
                why = redact(db.dialect.explain_error(error))
                unchecked.append({"what": f"orphans of {key.table}.{key.name}", "why": why})
            rows.append(_row(key, number))
    lax = [row for row in catalog.constraints if row.get("validated") is False]
    return Integrity(
        datetime.now(UTC),
        frames.ORPHANS.build(rows),
        tuple(f"{row['table']}.{row['name']}" for row in lax),
        frames.UNCHECKED.build(unchecked),
    )


def _row(key: ForeignKey, orphans: int | None) -> dict[str, Any]:
    return {
        "schema": key.schema,
        "table": key.table,
        "constraint": key.name,
        "columns": json.dumps(list(key.columns), ensure_ascii=False),
        "referenced": key.referenced_table,
        "orphans": orphans,
    }
