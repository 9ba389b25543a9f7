"""Who uses a database of MySQL's or MariaDB's: waiting for them to leave, and ending their sessions."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import URL, Connection, NullPool
from sqlalchemy.exc import DBAPIError

from migkit.dialects.backing import Swap
from migkit.dialects.mysql import session
from migkit.dialects.mysql.sql import execute, literal, rows
from migkit.errors import DatabaseInUse
from migkit.progress import Progress
from migkit.stopping import check

_LOOK_SECONDS = 0.2
_LOCK_SECONDS = 10


def wait_for_leaving(connection: Connection, swap: Swap, patience: float, progress: Progress) -> list[str]:
    """Wait until nobody uses the target, and return who still does then."""
    deadline, told = time.monotonic() + patience, False
    while (left := _sessions(connection, swap)) and time.monotonic() < deadline:
        if not told:
            progress.note("·", f"Waiting for {len(left)} to leave {swap.target.database}: {', '.join(left[:3])}")
            told = True
        check()
        time.sleep(_LOOK_SECONDS)
    return left


def _sessions(connection: Connection, swap: Swap) -> list[str]:
    found = rows(
        connection,
        "SELECT ID, USER, COMMAND FROM information_schema.PROCESSLIST"
        f" WHERE DB = {literal(str(swap.target.database))} AND ID <> CONNECTION_ID() ORDER BY ID",
    )
    return [f"{user} (session {number}, {str(command).lower()})" for number, user, command in found]


def in_use(swap: Swap, left: list[str]) -> DatabaseInUse:
    """Say who stays on the target."""
    what = "1 session still uses it" if len(left) == 1 else f"{len(left)} sessions still use it"
    more = f" and {len(left) - 3} more" if len(left) > 3 else ""
    return DatabaseInUse(
        f"{what}: {', '.join(left[:3])}{more}",
        where=str(swap.target.database),
        next_step="It serves on, unchanged. Stop them, or end them with --terminate (terminate=True).",
    )


@contextmanager
def ending_sessions(swap: Swap, terminate: bool) -> Iterator[None]:
    """End the target's sessions from a session of its own, while the tables are being renamed."""
    if not terminate:
        yield
        return
    done = threading.Event()
    name = str(swap.target.database)
    with open_session(swap.target._replace(database=None)) as beside:

        def work() -> None:
            with suppress(DBAPIError):
                while not done.wait(_LOOK_SECONDS):
                    end_sessions(beside, name)

        thread = threading.Thread(target=work, name="migkit-ending-sessions", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def end_sessions(connection: Connection, database: str) -> None:
    """End all sessions on a database but the asking one."""
    query = f"SELECT ID FROM information_schema.PROCESSLIST WHERE DB = {literal(database)} AND ID <> CONNECTION_ID()"
    for number in [int(row[0]) for row in rows(connection, query)]:
        with suppress(DBAPIError):  # It may have ended meanwhile.
            execute(connection, f"KILL {number}")


@contextmanager
def open_session(url: URL) -> Iterator[Connection]:
    """Open a session whose statements commit at once, and that waits for locks for seconds only."""
    engine = session.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            execute(connection, f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS}")
            yield connection
    finally:
        engine.dispose()
