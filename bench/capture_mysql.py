"""Capturing 1,000,000 rows of 7 columns on MySQL and MariaDB.

Against ``CHECKSUM TABLE`` of the same table, which reads every column too, and boils all of it down to 32 bits.
"""

from __future__ import annotations

import sys

from sqlalchemy import text

import migkit
from bench.capture_postgresql import _best
from bench.servers import measure_each
from migkit.database import Database
from migkit.progress import SILENT

ROWS = 1_000_000
MAX_SLOWER_THAN_CHECKSUM = 2.0

# The same rows as on PostgreSQL, as far as types allow.
_DEPTH = {"mysql": "cte_max_recursion_depth", "mariadb": "max_recursive_iterations"}
_BUILD = (
    """CREATE TABLE measured (
    id bigint PRIMARY KEY, customer_id integer NOT NULL, total numeric(12, 2) NOT NULL, note text,
    created_at datetime NOT NULL, paid boolean NOT NULL, reference bigint
)""",
    f"""INSERT INTO measured
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
SELECT i, i * 7919 % 200000, i % 100000 / 100, CASE WHEN i % 7 > 0 THEN REPEAT(LEFT(SHA2(i, 256), 32), 1 + i % 2) END,
       TIMESTAMPADD(SECOND, i * 37, '2020-01-01'), i % 3 = 0, i * 48271 % 2147483647 * 65537
  FROM n""",
    "ANALYZE TABLE measured",
)


def main() -> bool:
    """Measure, print, and tell whether every bar was reached."""
    return measure_each(_DEPTH, _measure)


def _measure(engine: str, database: Database) -> bool:
    _build(engine, database)
    checksum = _best(lambda: _run(database, "CHECKSUM TABLE measured"))
    capture = _best(lambda: migkit.capture(database, progress=SILENT))
    reached = capture <= MAX_SLOWER_THAN_CHECKSUM * checksum
    print(
        f"  {'✓' if reached else '✗'} {engine}: CHECKSUM TABLE {checksum:.2f} s, capture {capture:.2f} s:"
        f" {capture / checksum:.1f} × (bar: at most {MAX_SLOWER_THAN_CHECKSUM:g} ×)"
    )
    return reached


def _build(engine: str, database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (f"SET SESSION {_DEPTH[engine]} = {ROWS}", *_BUILD):
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _run(database: Database, sql: str) -> None:
    with database.engine.connect() as connection:
        connection.execute(text(sql)).all()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
