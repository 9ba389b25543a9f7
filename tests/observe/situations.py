"""Sessions that hold, wait and fail on purpose, with stamps of their own: the truth that watches are held against."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from migkit.database import Database

PATIENCE_SECONDS = 30.0
TOLERANCE_MS = 50.0


@dataclass(frozen=True)
class Measured:
    """A duration that was reported, and how far it is from the truth."""

    situation: str
    engine: str
    off_ms: float


MEASURED: list[Measured] = []


def agrees(reported_ms: float, truth_ms: float, longest_gap_ms: float) -> bool:
    """Tell whether a duration is right within 50 ms, and what a loaded machine let pass between two looks."""
    test, _, name = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")
    engine = name.partition("[")[2].partition("]")[0] if "sqlite" not in test else "sqlite"
    MEASURED.append(Measured(name.partition(" ")[0], engine, abs(reported_ms - truth_ms)))
    gap = 0.0 if os.environ.get("MIGKIT_STRICT_SITUATIONS") else 2 * longest_gap_ms
    return abs(reported_ms - truth_ms) <= TOLERANCE_MS + gap


@dataclass
class Deed:
    """One statement of an actor: when it was sent, when it came back, and how."""

    sql: str
    sent: float = 0.0
    back: float = 0.0
    error: DBAPIError | None = None

    @property
    def took_ms(self) -> float:
        """From sending to coming back."""
        return (self.back - self.sent) * 1000


class Actor:
    """A session in a thread of its own, which does what it is told, one statement after the other.

    Parameters
    ----------
    db : Database
        Where.
    """

    def __init__(self, db: Database) -> None:
        self._engine = db.dialect.create_engine(db.engine.url, poolclass=NullPool)
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self.session = db.dialect.session_id(self._connection) or 0
        self._threads: list[threading.Thread] = []

    def do(self, *statements: str) -> Deed:
        """Do statements and wait for the last; errors are kept in the deed."""
        deed = Deed("")
        for sql in statements:
            deed = Deed(sql)
            self._carry_out(deed)
        return deed

    def begin(self, sql: str) -> Deed:
        """Send a statement and do not wait for it."""
        deed = Deed(sql)
        sent = threading.Event()
        thread = threading.Thread(target=self._carry_out, args=(deed, sent))
        thread.start()
        sent.wait(PATIENCE_SECONDS)
        self._threads.append(thread)
        return deed

    def join(self) -> None:
        """Wait for everything that was begun."""
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), "a statement never came back"
        self._threads.clear()

    def close(self) -> None:
        """End the session."""
        self.join()
        with suppress(DBAPIError):
            self._connection.close()
        self._engine.dispose()

    def _carry_out(self, deed: Deed, sent: threading.Event | None = None) -> None:
        deed.sent = time.monotonic()
        if sent is not None:
            sent.set()
        try:
            result = self._connection.exec_driver_sql(deed.sql, execution_options={"no_parameters": True})
            if result.returns_rows:
                result.all()
            result.close()
        except DBAPIError as error:
            deed.error = error
        deed.back = time.monotonic()


@contextmanager
def actors(db: Database, number: int) -> Iterator[list[Actor]]:
    """Have sessions, closed at the end."""
    made: list[Actor] = []
    try:
        for _ in range(number):
            made.append(Actor(db))
        yield made
    finally:
        for actor in made:
            actor.close()


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition and return what it gave."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError(f"never came: {what}")


_WAITING = {
    "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = {session}",
    "mysql": """SELECT COUNT(*) FROM performance_schema.threads AS t
                 WHERE t.PROCESSLIST_ID = {session} AND (t.PROCESSLIST_STATE LIKE 'Waiting for %lock'
                   OR EXISTS (SELECT 1 FROM performance_schema.data_lock_waits AS w
                               WHERE w.REQUESTING_THREAD_ID = t.THREAD_ID))""",
    # InnoDB's own table is not asked: whoever asks it keeps its answer old for everybody.
    "mariadb": """SELECT COUNT(*) FROM information_schema.PROCESSLIST
                   WHERE ID = {session} AND (STATE LIKE 'Waiting for %lock' OR
                     (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS
                       WHERE VARIABLE_NAME = 'INNODB_ROW_LOCK_CURRENT_WAITS') > 0)""",
}


def until_waiting(asker: Actor, db: Database, session: int) -> None:
    """Wait until the server says that a session waits."""
    sql = _WAITING[db.dialect.name].format(session=session)

    def waits() -> bool:
        found = asker._connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalar()
        return bool(found)

    until(waits, f"session {session} waiting")
