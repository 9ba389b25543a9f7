"""Comparing the rows of two tables of 2,000,000 rows, 10 of which differ, on the embedded PostgreSQL.

Against capturing both, and against reladiff (``pip install reladiff``) on the same tables in the same run.
"""

from __future__ import annotations

import importlib.util
import sys

from sqlalchemy import text

import migkit
from bench.capture_postgresql import _BUILD, ROWS, _best, embedded
from migkit.database import Database
from migkit.progress import SILENT
from migkit.state.row_comparison import RowComparison, compare_rows

MAX_SLOWER_THAN_CAPTURES = 1.5
CHANGED, REMOVED, ADDED = 6, 2, 2
_INJURIES = (
    "UPDATE measured SET total = total + 0.01 WHERE id IN (7, 400001, 800002, 1200003)",
    "UPDATE measured SET note = NULL WHERE id = 1600009",
    f"UPDATE measured SET paid = NOT paid WHERE id = {ROWS}",
    "DELETE FROM measured WHERE id IN (1000, 1999000)",
    f"INSERT INTO measured SELECT {ROWS} + i, i, i, 'new', timestamptz '2026-01-01 00:00+00', true, i"
    " FROM generate_series(1, 2) AS i",
)


def main() -> bool:
    """Measure, print, and tell whether every bar was reached."""
    with embedded() as source, migkit.connect("embedded:copy") as copy:
        print(f"  building 2 × {ROWS:,} rows …", flush=True)
        for database, statements in ((source, ()), (copy, _INJURIES)):
            _build(database, statements)
        _check(compare_rows(source, copy, "measured"))
        captures = _best(lambda: [migkit.capture(one, progress=SILENT) for one in (source, copy)])
        rows = _best(lambda: compare_rows(source, copy, "measured"))
        identical = _best(lambda: compare_rows(source, source, "measured"))
        peer = _time_peer(source, copy)
    return _tell(captures, rows, identical, peer)


def _build(database: Database, injuries: tuple[str, ...]) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (*_BUILD.split(";"), *injuries):
            connection.execute(text(statement.replace(":", r"\:")))


def _check(found: RowComparison) -> None:
    assert (found.changed, found.removed, found.added) == (CHANGED, REMOVED, ADDED), found


def _time_peer(source: Database, copy: Database) -> float | None:
    """Return reladiff's seconds for the same question; ``None`` where it is not installed."""
    if importlib.util.find_spec("reladiff") is None:
        return None
    import reladiff

    columns = ("customer_id", "total", "note", "created_at", "paid", "reference")
    urls = [database.engine.url.set(drivername="postgresql") for database in (source, copy)]

    def diff() -> None:
        tables = [reladiff.connect_to_table(_plain(url), "measured", "id", extra_columns=columns) for url in urls]
        # It sorts what it found, and cannot sort NULLs.
        found = list(reladiff.diff_tables(*tables, skip_sort_results=True))
        assert len(found) == 2 * CHANGED + REMOVED + ADDED, found
        for table in tables:
            table.database.close()

    return _best(diff)


def _plain(url: object) -> dict[str, object]:
    return {
        "driver": "postgresql",
        "user": url.username,  # type: ignore[attr-defined]
        "host": url.query["host"],  # type: ignore[attr-defined]
        "database": url.database,  # type: ignore[attr-defined]
    }


def _tell(captures: float, rows: float, identical: float, peer: float | None) -> bool:
    print(f"  both captures                {captures:8.2f} s")
    print(f"  compare_rows, 10 differences {rows:8.2f} s")
    print(f"  compare_rows, none           {identical:8.2f} s")
    ratio = rows / captures
    reached = ratio <= MAX_SLOWER_THAN_CAPTURES
    print(f"  {'✓' if reached else '✗'} {ratio:.2f} × the captures (bar: at most {MAX_SLOWER_THAN_CAPTURES} ×)")
    if peer is None:
        print("  · reladiff is not installed: nothing to compare with (pip install reladiff)")
        return reached
    print(f"  reladiff                     {peer:8.2f} s")
    faster = rows < peer
    print(f"  {'✓' if faster else '✗'} {peer / rows:.1f} × as fast as reladiff (bar: faster)")
    return reached and faster


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
