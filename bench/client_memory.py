"""The memory a capture of 10,000,000 rows takes of the client, on every engine.

Each capture runs in a process of its own, whose peak is what the system kept count of.
"""

from __future__ import annotations

import resource
import subprocess
import sys

from sqlalchemy import Connection

import migkit
from bench.servers import measure_each
from migkit.database import Database
from migkit.progress import SILENT

ENGINES = ("sqlite", "postgresql", "mysql", "mariadb")
ROWS = 10_000_000
ROWS_PER_STATEMENT = 1_000_000
MAX_CLIENT_MB = 200.0

_TABLE = """CREATE TABLE measured (
    id bigint PRIMARY KEY, customer_id integer NOT NULL, total numeric(12, 2), note varchar(80)
)"""
_DIGITS = f"(SELECT 0 AS d {' '.join(f'UNION ALL SELECT {digit}' for digit in range(1, 10))})"
_PLACES = len(str(ROWS_PER_STATEMENT)) - 1
_NUMBER = " + ".join(f"{10**place} * t{place}.d" for place in range(_PLACES))
_NUMBERS = ", ".join(f"{_DIGITS} AS t{place}" for place in range(_PLACES))
# Numbers put together from their digits: what every engine takes for the same.
_FILL = (
    "INSERT INTO measured SELECT i, i % 200000, i % 100000 / 100.0,"
    " CASE WHEN i % 7 > 0 THEN concat('a note about number ', i) END"
    f" FROM (SELECT {{start}} + {_NUMBER} AS i FROM {_NUMBERS}) AS numbers"
)


def main() -> bool:
    """Measure, print, and tell whether every bar was reached."""
    return measure_each(ENGINES, _measure)


def _measure(engine: str, database: Database) -> bool:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _build(connection)
    url = database.engine.url.render_as_string(hide_password=False)
    done = subprocess.run([sys.executable, "-m", "bench.client_memory"], input=url, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    rows, peak = done.stdout.split()
    reached = float(peak) < MAX_CLIENT_MB
    told = f"{int(rows):,} rows, peak {float(peak):.0f} MB (bar: under {MAX_CLIENT_MB:g} MB)"
    print(f"  {'✓' if reached else '✗'} {engine}: {told}", flush=True)
    return reached and int(rows) == ROWS


def _build(connection: Connection) -> None:
    connection.exec_driver_sql(_TABLE)
    for start in range(0, ROWS, ROWS_PER_STATEMENT):
        fill = _FILL.format(start=start)
        if connection.dialect.name == "sqlite":
            fill = fill.replace("concat('a note about number ', i)", "'a note about number ' || i")
        connection.exec_driver_sql(fill, execution_options={"no_parameters": True})


def _capture_here(url: str) -> None:
    with migkit.connect(url) as database:
        rows = migkit.capture(database, progress=SILENT).total_rows
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(rows, peak / (1024 * 1024 if sys.platform == "darwin" else 1024))


if __name__ == "__main__":
    _capture_here(sys.stdin.read())
