"""What the tests of load share: a small table, a workload on it, and renderers that act when something is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.pool import NullPool

import migkit as mk
from migkit.database import Database
from migkit.load.workload import Statement, Workload

ROWS = 200
READ = Statement("SELECT n FROM items WHERE id = :id", "read", 4, {"id": range(1, ROWS)})
WRITE = Statement("UPDATE items SET n = n + 1 WHERE id = :id", "write", 1, {"id": range(1, ROWS)})
READS = Workload.of(READ, name="reads")
BOTH = Workload.of(READ, WRITE, name="both")

LOCK = {
    "postgresql": ("BEGIN", "LOCK TABLE items IN ACCESS EXCLUSIVE MODE", "COMMIT"),
    "mysql": ("LOCK TABLES items WRITE", "UNLOCK TABLES"),
    "mariadb": ("LOCK TABLES items WRITE", "UNLOCK TABLES"),
    "sqlite": ("BEGIN EXCLUSIVE", "COMMIT"),
}


def execute(db: Database, *statements: str) -> None:
    """Execute statements as they stand, each by itself."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT", no_parameters=True) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def with_items(db: Database) -> Database:
    """Make the table ``items``."""
    rows = ", ".join(f"({number}, {number}, 'item {number}')" for number in range(1, ROWS + 1))
    execute(
        db,
        "CREATE TABLE items (id integer PRIMARY KEY, n integer, name varchar(60))",
        f"INSERT INTO items VALUES {rows}",
    )
    return db


class Told:
    """A renderer that keeps what it is told, and acts at the first of something."""

    def __init__(self, act: Mapping[str, Callable[[], None]] | None = None) -> None:
        self.facts: list[dict[str, Any]] = []
        self.labels: list[str] = []
        self._act = dict(act or {})

    def _at(self, what: str) -> None:
        act = self._act.pop(what, None)
        if act is not None:
            act()

    def begin(self, label: str, total: int | None = None) -> None:
        self.labels.append(label)
        self._at(label)

    def advance(self, amount: int = 1) -> None: ...

    def note(self, sign: str, text: str) -> None: ...

    def close(self) -> None: ...

    def fact(self, kind: str, facts: Mapping[str, Any]) -> None:
        if kind == "load":
            self.facts.append(dict(facts))
            self._at("second")


@contextmanager
def frozen_once(db: Database, seconds: float) -> Iterator[tuple[Callable[[], None], list[float]]]:
    """Give a function that freezes the table for some seconds from another thread, and how long it really was."""
    lasted: list[float] = []
    threads: list[threading.Thread] = []

    def freeze() -> None:
        *lock, release = LOCK[db.dialect.name]
        engine = db.dialect.create_engine(db.engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in lock:
                connection.exec_driver_sql(statement)
            began = time.monotonic()
            time.sleep(seconds)
            connection.exec_driver_sql(release)
            lasted.append(time.monotonic() - began)

    def start() -> None:
        threads.append(threading.Thread(target=freeze))
        threads[-1].start()

    try:
        yield start, lasted
    finally:
        for thread in threads:
            thread.join()


def put_load(db: Database, workload: Workload = READS, **options: Any) -> mk.LoadResult:
    """Put load on the database itself, shortly."""
    chosen: dict[str, Any] = {"clients": 4, "rate": 100, "warm_up": 0.2, "duration": 1.0, "here": True} | options
    return mk.load_test(db, workload, **chosen)


def cell(result: mk.LoadResult, phase: str, statement: str, column: str) -> Any:
    """Return one figure of a result."""
    rows = result.statements
    found = rows[(rows["phase"] == phase) & (rows["statement"] == statement)][column]
    assert len(found) == 1, result
    return found.iloc[0]


def sessions(db: Database) -> int:
    """Count the sessions of load tests that the server still has."""
    sql = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'migkit load'"
        " AND datname = current_database()",
        "sqlite": "SELECT 0",
    }.get(
        db.dialect.name,
        "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
    )
    with db.engine.connect() as connection:
        return int(connection.exec_driver_sql(sql).scalar_one())
