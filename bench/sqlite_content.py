"""How long digesting a table takes on SQLite, against reading its columns in SQL, in the same run.

Every number is CPU time of this process, the best of three: other work on the machine does not count.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL

from migkit.dialects.base import TableContent
from migkit.dialects.sqlite import SQLite

ROWS = 1_000_000
COLUMNS = ("id", "user_id", "amount", "status", "note", "created", "flag")
_FILL = f"""
CREATE TABLE t (id INTEGER PRIMARY KEY, user_id INT, amount REAL, status TEXT, note TEXT, created TEXT, flag INT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
INSERT INTO t SELECT i, i * 7919 % 200000, i * 0.37, CASE i % 3 WHEN 0 THEN 'paid' WHEN 1 THEN 'open' ELSE 'ünï' END,
  CASE WHEN i % 5 > 0 THEN 'note number ' || i || ' with some text' END, datetime(1700000000 + i * 13, 'unixepoch'),
  i % 2
FROM n;
"""


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        with closing(sqlite3.connect(path)) as writer:
            writer.executescript(_FILL)
        dialect = SQLite()
        content = TableContent("main", "t", tuple((name, "value") for name in COLUMNS), key=("id",), shift=14)
        with dialect.snapshot(dialect.create_engine(URL.create("sqlite", database=str(path))), 1) as (session,):
            driver = session.connection.driver_connection
            assert driver is not None

            def touch(expression: str) -> Callable[[], object]:
                columns = ", ".join(expression.format(name) for name in COLUMNS)
                return lambda: driver.execute(f"SELECT {columns} FROM t").fetchall()

            def fetch() -> None:
                cursor = driver.execute("SELECT * FROM t")
                while cursor.fetchmany(1024):
                    pass

            digest = _best(lambda: list(dialect.read_content(session, content, None)))
            yardsticks = {
                "count(column)": _best(touch("count({})")),
                "sum(length(column))": _best(touch("sum(length({}))")),
                "max(cast(column AS BLOB))": _best(touch("max(cast({} AS BLOB))")),
                "fetching the rows": _best(fetch),
            }
    for name, seconds in yardsticks.items():
        ratio = f"{digest / seconds:.1f} × {name} ({seconds:.2f} s)"
        print(f"sqlite content {ROWS:,} × {len(COLUMNS)}: {digest:.2f} s, {ratio}")


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


if __name__ == "__main__":
    main()
