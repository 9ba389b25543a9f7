"""Capturing 5,000 empty tables on every engine, and comparing two such states."""

from __future__ import annotations

import sys
import time

import migkit
from bench.servers import measure_each
from migkit.database import Database
from migkit.progress import SILENT

ENGINES = ("sqlite", "postgresql", "mysql", "mariadb")
TABLES = 5_000
MAX_CAPTURE_SECONDS = 20.0
MAX_COMPARE_SECONDS = 2.0
_TABLE = "CREATE TABLE t{0} (id integer PRIMARY KEY, name varchar(40) NOT NULL, price numeric(8, 2), at timestamp NULL)"


def main() -> bool:
    """Measure, print, and tell whether every bar was reached."""
    return measure_each(ENGINES, _measure)


def _measure(engine: str, database: Database) -> bool:
    with database.engine.begin() as connection:
        for number in range(TABLES):
            connection.exec_driver_sql(_TABLE.format(number))
    begun = time.perf_counter()
    before = migkit.capture(database, progress=SILENT)
    captured = time.perf_counter()
    after = migkit.capture(database, like=before, progress=SILENT)
    again = time.perf_counter()
    assert migkit.compare(before, after).identical
    compared = time.perf_counter()
    capture, compare = min(captured - begun, again - captured), compared - again
    reached = capture < MAX_CAPTURE_SECONDS and compare < MAX_COMPARE_SECONDS
    print(
        f"  {'✓' if reached else '✗'} {engine}: captured in {capture:.1f} s (bar: {MAX_CAPTURE_SECONDS:g} s), compared"
        f" in {compare:.1f} s (bar: {MAX_COMPARE_SECONDS:g} s)",
        flush=True,
    )
    return reached


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
