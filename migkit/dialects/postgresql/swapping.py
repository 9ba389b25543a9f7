"""One database takes the place of another: two renames in one transaction, so that there is nothing in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.backing import KEPT_PREFIX, Swap, SwapStatus
from migkit.dialects.postgresql.scratch import server
from migkit.dialects.postgresql.session import error_code, explain_error, is_permission_error
from migkit.dialects.postgresql.sql import execute, literal, quote
from migkit.errors import ConfigError, DatabaseInUse, PermissionMissing, RestoreFailed
from migkit.progress import Progress
from migkit.stopping import check

_NAME_BYTES = 63
# Where one can always connect to; a database cannot be renamed by a session of its own.
_MAINTENANCE = ("postgres", "template1")
_IN_USE = "55006"
_LOOK_SECONDS = 0.2
# The server itself waits five seconds for sessions to end before it refuses a rename.
_TRIES = 4

_SESSIONS = """
SELECT pid, usename::text, coalesce(nullif(application_name, ''), 'a session')
  FROM pg_catalog.pg_stat_activity
 WHERE datname = {name} AND pid <> pg_catalog.pg_backend_pid()
   AND backend_type NOT IN ('autovacuum worker', 'parallel worker') ORDER BY 1
"""
_OPENNESS = """
SELECT pg_catalog.split_part(one, '=', 2)
  FROM pg_catalog.pg_db_role_setting AS s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS one
 WHERE s.setrole = 0 AND one LIKE 'default_transaction_read_only=%'
   AND s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = {name})
"""
_SUBSCRIPTIONS = """
SELECT s.subname::text FROM pg_catalog.pg_subscription AS s
  JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid WHERE d.datname = {name} ORDER BY 1
"""


def aside_name(target: URL, stamp: str) -> str:
    """Return a name with as much of the old one as there is room for.

    >>> aside_name(URL.create("postgresql", database="shop"), "20261122")
    'migkit_kept_shop_20261122'
    """
    room = _NAME_BYTES - len(KEPT_PREFIX) - len(stamp.encode()) - 1
    old = str(target.database).encode()[:room].decode(errors="ignore")
    return f"{KEPT_PREFIX}{old}_{stamp}"


def swap_in(swap: Swap, *, terminate: bool, patience: float, progress: Progress) -> None:
    """Rename the target aside and the staged database to the target's name, in one transaction.

    Raises
    ------
    DatabaseInUse
        If sessions stay on the target.
    PermissionMissing
        If the user may not rename them.
    RestoreFailed
        If the target has subscriptions, which would go on pulling changes into what is kept aside.
    """
    with _maintenance(swap.target) as connection:
        _require_no_subscription(connection, swap)
        left = _wait_for_leaving(connection, swap, patience, progress)
        if left and not terminate:
            raise _in_use(swap, left)
        for attempt in range(_TRIES):
            try:
                _rename(connection, swap, terminate)
                return
            except DBAPIError as error:
                if error_code(error) != _IN_USE:
                    raise _failure(error, swap) from error
                left = _sessions(connection, swap)
                if attempt == _TRIES - 1 or not terminate:
                    raise _in_use(swap, left) from error


def _rename(connection: Connection, swap: Swap, terminate: bool) -> None:
    target, staged = quote(str(swap.target.database)), quote(str(swap.staged.database))
    with _ending_sessions(swap, terminate):
        execute(connection, "BEGIN")
        try:
            _keep_openness(connection, swap)
            # Who wants to connect waits from here on, until the name leads to the new one.
            execute(connection, f"ALTER DATABASE {target} RENAME TO {quote(swap.aside)}")
            execute(connection, f"ALTER DATABASE {staged} RENAME TO {target}")
            execute(connection, "COMMIT")
        except BaseException:
            with suppress(DBAPIError):
                execute(connection, "ROLLBACK")
            raise


def _keep_openness(connection: Connection, swap: Swap) -> None:
    """Let the new database be as open to writers as the one in place, not as the one that was backed up."""
    name = literal(str(swap.target.database))
    setting = execute(connection, _OPENNESS.format(name=name)).scalar()
    to = "RESET default_transaction_read_only"
    if setting is not None:
        to = f"SET default_transaction_read_only = {literal(str(setting))}"
    execute(connection, f"ALTER DATABASE {quote(str(swap.staged.database))} {to}")


@contextmanager
def _ending_sessions(swap: Swap, terminate: bool) -> Iterator[None]:
    """End the target's sessions from a second session, while the first one waits to rename it."""
    if not terminate:
        yield
        return
    done = threading.Event()
    name = literal(str(swap.target.database))
    trouble: list[Exception] = []

    def work() -> None:
        try:
            with _maintenance(swap.target) as beside:
                while not done.wait(_LOOK_SECONDS):
                    execute(
                        beside,
                        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
                        f" WHERE datname = {name} AND pid <> pg_catalog.pg_backend_pid()"
                        " AND backend_type = 'client backend'",
                    )
        except DBAPIError as error:
            trouble.append(error)

    with _maintenance(swap.target) as first:
        _require_terminable(first, name)
    thread = threading.Thread(target=work, name="migkit-ending-sessions", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _require_terminable(connection: Connection, name: str) -> None:
    foreign = execute(
        connection,
        "SELECT DISTINCT usename::text FROM pg_catalog.pg_stat_activity"
        f" WHERE datname = {name} AND backend_type = 'client backend' AND NOT ("
        "pg_catalog.pg_has_role(current_user, usesysid, 'MEMBER')"
        " OR pg_catalog.pg_has_role(current_user, 'pg_signal_backend', 'MEMBER'))",
    ).scalars()
    names = sorted(str(one) for one in foreign)
    if names:
        raise PermissionMissing(
            f"The user may not end sessions of {', '.join(names)}",
            next_step="GRANT pg_signal_backend TO …, or ask them to leave.",
        )


def _wait_for_leaving(connection: Connection, swap: Swap, patience: float, progress: Progress) -> list[str]:
    deadline = time.monotonic() + patience
    told = False
    while (left := _sessions(connection, swap)) and time.monotonic() < deadline:
        if not told:
            progress.note("·", f"Waiting for {len(left)} to leave {swap.target.database}: {_shown(left)}")
            told = True
        check()
        time.sleep(_LOOK_SECONDS)
    return left


def _sessions(connection: Connection, swap: Swap) -> list[str]:
    rows = execute(connection, _SESSIONS.format(name=literal(str(swap.target.database))))
    return [f"{application} of {user or 'the server'} (process {pid})" for pid, user, application in rows]


def _shown(sessions: list[str]) -> str:
    more = len(sessions) - 3
    return ", ".join(sessions[:3]) + (f" and {more} more" if more > 0 else "")


def _in_use(swap: Swap, left: list[str]) -> DatabaseInUse:
    what = "1 session still uses it" if len(left) == 1 else f"{len(left) or 'Some'} sessions still use it"
    return DatabaseInUse(
        f"{what}: {_shown(left)}" if left else what,
        where=str(swap.target.database),
        next_step="It serves on, unchanged. Stop them, or end them with --terminate (terminate=True).",
    )


def _require_no_subscription(connection: Connection, swap: Swap) -> None:
    try:
        asked = execute(connection, _SUBSCRIPTIONS.format(name=literal(str(swap.target.database))))
        found = [str(one) for one in asked.scalars()]
    except DBAPIError as error:
        if not is_permission_error(error):
            raise
        return  # who may not see them could not have made them; the server then refuses to drop what is kept
    if found:
        raise RestoreFailed(
            f"It subscribes to another server ({', '.join(found)}), and would go on doing so under its other name",
            where=str(swap.target.database),
            next_step="Drop the subscription first, and make it again afterwards.",
        )


def _failure(error: DBAPIError, swap: Swap) -> RestoreFailed | PermissionMissing:
    if is_permission_error(error):
        return PermissionMissing(
            f"The user may not rename it: {explain_error(error)}",
            where=str(swap.target.database),
            next_step="Its owner may, who has the right CREATEDB, and a superuser.",
        )
    return RestoreFailed(
        f"The databases could not be renamed: {explain_error(error)}",
        where=str(swap.target.database),
        next_step="What was there before still serves.",
    )


def swap_status(swap: Swap) -> SwapStatus:
    """Look whether the new database has the target's name: both names change at once, or neither."""
    with _maintenance(swap.target) as connection:
        names = set(execute(connection, "SELECT datname::text FROM pg_catalog.pg_database").scalars())
    return "after" if swap.aside in names and swap.staged.database not in names else "before"


def drop_aside(target: URL, aside: str) -> None:
    """Drop the database kept aside, ending sessions on it; nothing if it is gone.

    Raises
    ------
    ConfigError
        If the name is not one that migkit gives.
    """
    if not aside.startswith(KEPT_PREFIX):
        raise ConfigError(f"{aside} was not kept aside by migkit, so migkit does not drop it")
    with _maintenance(target) as connection:
        try:
            execute(connection, f"DROP DATABASE IF EXISTS {quote(aside)} WITH (FORCE)")
        except DBAPIError as error:
            raise RestoreFailed(
                f"What was kept aside could not be dropped: {explain_error(error)}",
                where=aside,
                next_step=f"Drop it yourself: DROP DATABASE {quote(aside)} WITH (FORCE)",
            ) from error


@contextmanager
def _maintenance(url: URL) -> Iterator[Connection]:
    """Open a session on the server, on neither of the two databases."""
    database = next(name for name in _MAINTENANCE if name != url.database)
    with server(url.set(database=database)) as connection:
        execute(connection, "SET default_transaction_read_only = off")
        yield connection
