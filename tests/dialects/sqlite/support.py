"""What the tests of this engine share: a database from a script, its catalog, and the digests of a table."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine

from migkit.dialects.base import Catalog, TableContent
from migkit.dialects.sqlite import SQLite

DIALECT = SQLite()


def make(path: Path, script: str = "", rows: dict[str, list[tuple[Any, ...]]] | None = None) -> URL:
    """Make a database file with the plain driver."""
    with closing(sqlite3.connect(path)) as session:
        session.executescript(script)
        for insert, values in (rows or {}).items():
            session.executemany(insert, values)
        session.commit()
    return URL.create("sqlite", database=str(path))


def change(url: URL, script: str) -> None:
    """Run a script with the plain driver."""
    with closing(sqlite3.connect(str(url.database))) as session:
        session.executescript(script)


def catalog(source: URL | Engine) -> Catalog:
    """Read the catalog in a snapshot."""
    engine = source if isinstance(source, Engine) else DIALECT.create_engine(source)
    with DIALECT.snapshot(engine, 1) as (session,):
        return DIALECT.read_catalog(session, None)


def schema_facts(source: URL) -> dict[str, Any]:
    """Return what two states are compared by: no sizes."""
    found = catalog(source)
    sizes = {"size_bytes", "index_bytes"}
    parts = {
        "tables": found.tables,
        "columns": found.columns,
        "constraints": found.constraints,
        "indexes": found.indexes,
        "objects": found.objects,
        "foreign_keys": found.foreign_keys,
    }
    return {
        name: sorted(
            str({key: value for key, value in row.items() if key not in sizes} if isinstance(row, dict) else row)
            for row in rows
        )
        for name, rows in parts.items()
    }


def content_of(found: Catalog, table: str, **changes: Any) -> TableContent:
    """Plan the reading of a table the way a capture does."""
    row = next(row for row in found.tables if row["table"] == table)
    columns = tuple((one["column"], one["content_type"]) for one in found.columns if one["table"] == table)
    return replace(TableContent("main", table, columns, key=row["key"], kind=row["kind"]), **changes)


def digests(
    url: URL, table: str, **changes: Any
) -> dict[tuple[int, bool], tuple[int, dict[str, tuple[int, int]], int]]:
    """Return rows, column sums and row sum by segment."""
    totals: dict[tuple[int, bool], tuple[int, dict[str, tuple[int, int]], int]] = {}
    with DIALECT.snapshot(DIALECT.create_engine(url), 1) as (session,):
        content = content_of(DIALECT.read_catalog(session, None), table, **changes)
        for part in DIALECT.read_content(session, content, None):
            rows, sums, row_sum = totals.get((part.segment, part.appended), (0, {}, 0))
            merged = {
                name: (sums.get(name, (0, 0))[0] + present, (sums.get(name, (0, 0))[1] + total) % 2**64)
                for name, (present, total) in part.sums.items()
            }
            totals[part.segment, part.appended] = (rows + part.rows, merged, (row_sum + part.row_sum) % 2**64)
    return totals


def sums(url: URL, table: str) -> dict[str, tuple[int, int]]:
    """Return present values and digest of each column over all rows."""
    totals: dict[str, tuple[int, int]] = {}
    for _, columns, _ in digests(url, table).values():
        for name, (present, total) in columns.items():
            known = totals.get(name, (0, 0))
            totals[name] = (known[0] + present, (known[1] + total) % 2**64)
    return totals
