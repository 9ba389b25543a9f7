"""Guarding a change on MySQL and MariaDB: read_only or table locks, GET_LOCK, the process list, CHECK TABLE."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from migkit.dialects.guarding import PROGRAM, Closed, Guarding, IndexProblem, Opened, Session, SessionState, first_words
from migkit.dialects.mysql import explanations
from migkit.dialects.mysql import session as driver
from migkit.dialects.mysql.sql import execute, literal, quote, rows, scalar
from migkit.errors import DatabaseInUse, DeployRunning, PermissionMissing

_READ_ONLY_CODE = 1290
_LOCK_TIMEOUT_CODE = 1205
_TABLES = """
SELECT table_name FROM information_schema.tables
 WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY table_name
"""
_PROCESSES = """
SELECT id, user, host, command, state, info, {seconds} FROM information_schema.processlist AS p {join}
 WHERE p.db = DATABASE() AND p.id <> CONNECTION_ID() ORDER BY p.id
"""
_TRANSACTIONS = "LEFT JOIN information_schema.innodb_trx AS t ON t.trx_mysql_thread_id = p.id"
_SINCE = "CASE WHEN t.trx_started IS NOT NULL THEN TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) END"
_PROGRAMS = """
SELECT processlist_id, attr_value FROM performance_schema.session_connect_attrs WHERE attr_name = 'program_name'
"""
_LOCK_NAME = "CONCAT('migkit deploy ', LEFT(SHA2(DATABASE(), 256), 40))"


class GuardingMySQL(Guarding):
    """Guarding on MySQL; MariaDB's differs in the rights that it takes.

    Attributes
    ----------
    exempting : tuple of str
        The rights that let an account write though the server is read-only.
    lasting : bool
        The setting can be kept over a restart of the server.
    """

    read_only_reach = "the whole server, with all its databases"
    open_setting = "0"
    index_check = "CHECK TABLE"
    exempting: tuple[str, ...] = ("SUPER", "CONNECTION_ADMIN")
    lasting = True

    def sessions(self, connection: Connection) -> list[Session]:
        """Read the process list, with how long transactions are open where the account may see that."""
        try:
            found = rows(connection, _PROCESSES.format(seconds=_SINCE, join=_TRANSACTIONS))
        except DBAPIError as error:
            if not explanations.is_permission_error(error):
                raise
            found = rows(connection, _PROCESSES.format(seconds="NULL", join=""))
        programs = _programs(connection)
        return [_session(row, programs.get(int(row[0]), "")) for row in found]

    def write_setting(self, connection: Connection) -> str:
        """Return the server's read_only, and whether it is kept over a restart."""
        value = "1" if scalar(connection, "SELECT @@GLOBAL.read_only") in (1, "ON", "1") else "0"
        return f"{value} persisted" if self.lasting and _is_persisted(connection) else value

    def is_read_only(self, connection: Connection) -> bool:
        """Ask the server's read_only."""
        return self.write_setting(connection).startswith("1")

    def close_to_writers(self, engine: Engine, *, patience: float, terminate: bool) -> Closed:
        """Set the server's read_only; lock the tables where the right to that is missing."""
        with _own_session(engine) as connection:
            setting = self.write_setting(connection)
            if setting.startswith("1"):
                return Closed("read_only = 1 for the whole server, as it was before", 0, self._exempt(connection))
            try:
                self._switch(connection, "1", patience)
                if self._writes_all_the_same(connection, setting, patience):
                    means = "read_only = 1 for the whole server, with all its databases"
                    return Closed(means, 0, self._exempt(connection))
                self._switch(connection, setting, patience)
            except DBAPIError as error:
                if explanations.error_code(error) == _LOCK_TIMEOUT_CODE:
                    raise DatabaseInUse(
                        f"Statements or table locks went on for {patience:g} s, so the server did not become read-only",
                        where=str(engine.url.database),
                        next_step="See them with `migkit db connections`, and wait for them or end them.",
                    ) from None
                if not explanations.is_permission_error(error):
                    raise
        return self._lock_tables(engine, patience)

    def open_to_writers(self, engine: Engine, setting: str, *, patience: float, terminate: bool) -> Opened:
        """Go back to the earlier setting; sessions follow it at once."""
        with _own_session(engine) as connection:
            if self.write_setting(connection) == setting:
                return Opened()
            try:
                self._switch(connection, setting, patience)
            except DBAPIError as error:
                if not explanations.is_permission_error(error):
                    raise
                raise PermissionMissing(
                    f"The server's read_only cannot be switched off: {explanations.explain_error(error)}",
                    where=str(engine.url.database),
                    next_step="As an administrator: SET GLOBAL read_only = 0.",
                ) from error
        return Opened()

    @contextmanager
    def deploy_lock(self, engine: Engine, owner: str) -> Iterator[None]:
        """Hold a named lock in a session whose program bears the owner's name."""
        with _own_session(engine, f"{PROGRAM} deploy by {owner}") as connection:
            if scalar(connection, f"SELECT GET_LOCK({_LOCK_NAME}, 0)") != 1:
                raise _running(connection, str(engine.url.database))
            # Else the server ends a session that says nothing for long, and the lock goes with it.
            execute(connection, "SET SESSION wait_timeout = 604800")
            # Sessions on a database have to leave it before a backup takes its place; this one has to stay.
            execute(connection, "USE information_schema")
            yield
            with suppress(DBAPIError):  # The lock goes with the session.
                execute(connection, "DO RELEASE_ALL_LOCKS()")

    def end_orphans(self, connection: Connection, program: str, statements: Sequence[str]) -> int:
        """End sessions of this account that work on what the dead process was working on."""
        wanted = {" ".join(sql.split()) for sql in statements}
        query = """SELECT id, info FROM information_schema.processlist
 WHERE db = DATABASE() AND id <> CONNECTION_ID() AND info IS NOT NULL
   AND user = SUBSTRING_INDEX(USER(), '@', 1)"""
        ended = 0
        for number, info in rows(connection, query):
            if " ".join(str(info).split()) in wanted:
                with suppress(DBAPIError):  # It may have come to its end meanwhile.
                    execute(connection, f"KILL {int(number)}")
                    ended += 1
        return ended

    def is_lock_trouble(self, told: str) -> bool:
        """Know lock timeouts and deadlocks by their number."""
        return any(f"error {code})" in told for code in (1205, 1213))

    def damaged_indexes(self, connection: Connection, tables: Sequence[tuple[str, str]]) -> list[IndexProblem]:
        """Let the server check each table with its indexes."""
        problems = []
        for schema, table in tables:
            for _, _, kind, text in rows(connection, f"CHECK TABLE {quote(schema, table)} MEDIUM"):
                if str(kind).lower() in ("error", "warning") or (kind == "status" and str(text) != "OK"):
                    problems.append(IndexProblem(schema, table, "", str(text)))
        return problems

    def _switch(self, connection: Connection, setting: str, patience: float) -> None:
        driver.set_lock_timeout(connection, max(1.0, patience))
        value = int(setting[0])
        if self.lasting and (value or "persisted" in setting):
            execute(connection, f"SET PERSIST read_only = {value}")
        else:
            execute(connection, f"SET GLOBAL read_only = {value}")
            if self.lasting:
                execute(connection, "RESET PERSIST IF EXISTS read_only")

    def _writes_all_the_same(self, connection: Connection, setting: str, patience: float) -> bool:
        try:
            return _may_still_write(connection)
        except BaseException:
            self._switch(connection, setting, patience)
            raise

    def _exempt(self, connection: Connection) -> tuple[str, ...]:
        wanted = ", ".join(literal(right) for right in self.exempting)
        query = f"SELECT DISTINCT grantee FROM information_schema.user_privileges WHERE privilege_type IN ({wanted})"
        accounts = sorted(str(row[0]) for row in rows(connection, query))
        return tuple(f"account {one}" for one in accounts if "'mysql." not in one and "mariadb.sys" not in one)

    def _lock_tables(self, engine: Engine, patience: float) -> Closed:
        hold = TableLocks(engine, patience)
        hold.resume()
        right = " or ".join(self.exempting[-1:])
        means = (
            f"table locks, because the account may not set read_only and write all the same (that takes {right}): "
            "writers wait instead of getting an error, and are let in while migkit itself writes"
        )
        return Closed(means, 0, ("whoever makes a new table",), hold)


class TableLocks:
    """Read locks on every table, held by a session of this process."""

    engine: Engine | None = None

    def __init__(self, engine: Engine, patience: float) -> None:
        self._source = engine.pool.recreate()
        self._patience = max(1, round(patience))
        self._held: Any = None

    def lend(self) -> None:
        """Unlock: no other session of ours may write either."""
        self.release()

    def pause(self) -> None:
        """Unlock."""
        self.release()

    def resume(self) -> None:
        """Lock every table there is now."""
        held = self._source.connect()
        cursor = held.cursor()
        try:
            cursor.execute(f"SET SESSION lock_wait_timeout = {self._patience}, wait_timeout = 604800")
            cursor.execute(_TABLES)
            tables = [row[0] for row in cursor.fetchall()]
            if tables:
                cursor.execute("LOCK TABLES " + ", ".join(f"{quote(name)} READ" for name in tables))
        except BaseException:
            held.close()
            self._source.dispose()
            raise
        finally:
            cursor.close()
        self._held = held

    def others_wrote(self) -> bool | None:
        """Return that nobody knows: writers are let in while it is paused."""
        return None

    def release(self) -> None:
        """Unlock, and close the session."""
        held, self._held = self._held, None
        if held is not None:
            held.invalidate()
        self._source.dispose()


def _programs(connection: Connection) -> dict[int, str]:
    try:
        return {int(number): str(name) for number, name in rows(connection, _PROGRAMS)}
    except DBAPIError:  # switched off, or not to be read: sessions then show without a name
        return {}


def _session(row: Sequence[Any], program: str) -> Session:
    number, user, host, command, state, info, seconds = row
    shown: SessionState = "active"
    if "lock" in str(state or "").lower() and "waiting" in str(state or "").lower():
        shown = "waiting"
    elif command == "Sleep":
        shown = "idle" if seconds is None else "idle in transaction"
    since = None if seconds is None else float(seconds)
    return Session(int(number), str(user), str(host).partition(":")[0], program, shown, since, first_words(info))


def _is_persisted(connection: Connection) -> bool:
    query = "SELECT COUNT(*) FROM performance_schema.persisted_variables WHERE variable_name = 'read_only'"
    try:
        return bool(scalar(connection, query))
    except DBAPIError:  # not to be read: then it is not kept either
        return False


@contextmanager
def _own_session(engine: Engine, program: str | None = None) -> Iterator[Connection]:
    """Open a session whose settings go with it."""
    options = {"connect_args": {"program_name": program}} if program else {}
    own = driver.create_engine(engine.url, poolclass=NullPool, **options)
    try:
        with own.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    finally:
        own.dispose()


def _may_still_write(connection: Connection) -> bool:
    """Try a statement that changes nothing, and that a read-only server refuses all the same."""
    try:
        execute(connection, f"DROP TABLE IF EXISTS {quote(f'migkit_no_such_table_{time.monotonic_ns()}')}")
    except DBAPIError as error:
        if explanations.error_code(error) == _READ_ONLY_CODE:
            return False
        raise
    return True


def _running(connection: Connection, database: str) -> DeployRunning:
    number = scalar(connection, f"SELECT IS_USED_LOCK({_LOCK_NAME})")
    query = "SELECT user, host FROM information_schema.processlist WHERE id = {}"
    found = rows(connection, query.format(int(number))) if number is not None else []
    if not found:
        return DeployRunning("Somebody else deploys to this database", where=database, next_step="Try again.")
    owner = _programs(connection).get(int(number), "").removeprefix(f"{PROGRAM} deploy by ")
    user, host = found[0]
    told = f"{owner} deploys" if owner else f"The account {user} deploys"
    return DeployRunning(
        f"{told} to this database (from {host}, session {number})", where=database, next_step="Wait until it is done."
    )
