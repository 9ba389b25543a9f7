"""Looking at everybody's waits where ``performance_schema`` is off: the process list, InnoDB's own tables, and what a
plugin of MariaDB shows of metadata locks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.measuring import (
    Eye,
    SeenIncident,
    SessionWait,
    Sight,
    Stage,
    concerning,
    nearest_blockers,
)
from migkit.dialects.mysql.deadlocks import read_deadlock
from migkit.dialects.mysql.locks import MetadataLock, bare_name, has_metadata_locks, stands_before
from migkit.dialects.mysql.watching import (
    METADATA_LOCKS,
    Reader,
    command,
    held_locks,
    metadata_locks,
    metadata_waits,
    named_table,
    row_waits,
    why_not,
)

_PROCESSES = """
SELECT ID, IFNULL(DB, '') = DATABASE(), COMMAND, IFNULL(STATE, ''), IFNULL(INFO, ''), {progress}
  FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID()
"""
# Answered from memory, at a tenth of the price of the table above, without ages and stages.
_SHORTER = "SHOW FULL PROCESSLIST"
_PROGRESS, _NO_PROGRESS = "STAGE, MAX_STAGE, PROGRESS, TIME_MS / 1000", "0, 0, 0, NULL"
_REMEMBERED_SESSIONS = 10_000
_METADATA_WAIT = re.compile(r"Waiting for (?:table metadata|stored \w+ metadata|schema metadata|table level) lock")
_PLUGIN = """
SELECT IF(TABLE_SCHEMA = DATABASE(), '', TABLE_SCHEMA), TABLE_NAME, SUBSTRING(LOCK_MODE, 5), 1, THREAD_ID
  FROM information_schema.METADATA_LOCK_INFO
 WHERE LOCK_TYPE = 'Table metadata lock' AND THREAD_ID <> CONNECTION_ID() AND LEFT(TABLE_NAME, 5) <> '#sql-'
"""
_COUNTS = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_deadlocks', 'Innodb_row_lock_current_waits')"
_TRANSACTIONS = "SELECT trx_mysql_thread_id, trx_id FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id <> 0"
_ROW_WAITS = """
SELECT w.trx_mysql_thread_id, b.trx_mysql_thread_id, l.lock_table, l.lock_mode
  FROM information_schema.INNODB_LOCK_WAITS AS d
  JOIN information_schema.INNODB_TRX AS w ON w.trx_id = d.requesting_trx_id
  JOIN information_schema.INNODB_TRX AS b ON b.trx_id = d.blocking_trx_id
  JOIN information_schema.INNODB_LOCKS AS l ON l.lock_id = d.requested_lock_id
"""
# InnoDB answers from what it last collected until nobody has asked for a tenth of a second.
_INNODB_PATIENCE_SECONDS = 0.11
_ROWS_STATEMENT = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|CALL|DO)\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Process:
    session: int
    is_here: bool
    working: bool
    state: str
    query: str
    stage: int
    stages: int
    percent: float
    age: float | None

    @property
    def waits_for_metadata(self) -> bool:
        return self.working and _METADATA_WAIT.match(self.state) is not None


class ProcessListEye(Eye):
    """Sees the sessions of a server that has no ``performance_schema``, or does not let us read it.

    Parameters
    ----------
    connection : Connection
        A session of its own, in autocommit.
    session : int, optional
        The connection id that everything has to concern.
    mariadb : bool
        The server is MariaDB.
    """

    def __init__(self, connection: Connection, session: int | None, *, mariadb: bool) -> None:
        super().__init__()
        self._read = Reader(connection)
        self._session = session
        ((self._own, self._database),) = self._read("SELECT CONNECTION_ID(), DATABASE()")
        self._processes_query = _PROCESSES.format(progress=_PROGRESS if mariadb else _NO_PROGRESS)
        self._metadata_query = self._metadata_source(connection)
        self.source = {METADATA_LOCKS: "performance_schema.metadata_locks", _PLUGIN: "METADATA_LOCK_INFO"}.get(
            self._metadata_query or "", "the process list and InnoDB's lock waits"
        )
        self._sees_rows = mariadb and self._may("row locks that sessions wait for, and open transactions", _ROW_WAITS)
        self._innodb = _InnoDB(self._read)
        self._before: tuple[SessionWait, ...] = ()
        self._queries: dict[int, str] = {}
        self._doubtful: list[tuple[SessionWait, str]] = []
        self._deadlocks = self._counts().get("Innodb_deadlocks", 0)
        self._row_waiters, self._risen_at = 0, 0.0
        self._row_wait_since: dict[int, float] = {}
        self._say_what_is_missing(mariadb)

    def _metadata_source(self, connection: Connection) -> str | None:
        if has_metadata_locks(connection):
            return METADATA_LOCKS
        try:
            self._read(_PLUGIN)
        except DBAPIError:
            self.unchecked.append(
                (
                    "which metadata locks were held, and by whom",
                    "performance_schema is off and the plugin METADATA_LOCK_INFO is not installed; who waits is known,"
                    " for whom is inferred from the open transactions",
                )
            )
            return None
        return _PLUGIN

    def _may(self, what: str, sql: str) -> bool:
        try:
            self._read(sql)
        except DBAPIError as error:
            self.unchecked.append((what, why_not(error)))
            return False
        return True

    def _say_what_is_missing(self, mariadb: bool) -> None:
        if not mariadb:
            self.unchecked.append(("row locks that sessions wait for", "performance_schema is off or not readable"))
            self.unchecked.append(("sessions of other users", "they show only with the right PROCESS"))
        elif not self._sees_rows:
            self.unchecked.append(("sessions of other users", "the right PROCESS is missing"))
        self.beyond.append(
            (
                "lock timeouts and cancelled statements, told apart",
                "the server counts neither by session: it shows who gave up waiting, and not who did not wait at all",
            )
        )

    # --- a look -----------------------------------------------------------------------------------------------------

    def look(self, *, with_locks: bool = True) -> Sight:
        """Return waits and progress as they are now, and locks where a plugin shows them."""
        processes = self._processes()
        counts = self._counts() if self._sees_rows else {}
        locks = self._metadata_locks()
        waiters = {one.session: one for one in processes.values() if one.waits_for_metadata}
        row_waiters = counts.get("Innodb_row_lock_current_waits", 0)
        if row_waiters > self._row_waiters:
            self._risen_at = time.monotonic()
        self._row_waiters, rows_wait = row_waiters, bool(row_waiters)
        if self._sees_rows and (rows_wait or waiters or self._doubtful):
            self._innodb.refresh()
        waits = [*self._metadata_waits(waiters, locks, processes), *self._row_waits(rows_wait, processes)]
        found = concerning(self._session, waits) if self._session is not None else tuple(waits)
        if len(self._queries) > _REMEMBERED_SESSIONS:
            self._queries.clear()
        self._queries |= {one.session: one.query for one in processes.values() if one.query}
        incidents = self._incidents(found, counts, {(lock.session, lock.table) for lock in locks if lock.granted})
        self._before = found
        held = tuple(held_locks(locks, self._session)) if with_locks else ()
        named = {lock.session for lock in held} | {one for wait in found for one in (wait.waiter, wait.blocker)}
        queries = {session: processes[session].query or self._last(session) for session in named & processes.keys()}
        ages = {one.session: one.age for one in processes.values() if one.working and one.age is not None}
        return Sight(held, found, self._stages(processes), incidents, queries, ages)

    def last_look(self) -> tuple[SeenIncident, ...]:
        """Wait until InnoDB tells anew, and judge what was in doubt."""
        if not self._doubtful or not self._sees_rows:
            return ()
        time.sleep(_INNODB_PATIENCE_SECONDS)
        return self.look(with_locks=False).incidents

    def _last(self, session: int) -> str:
        """Return what a session did last, as far as that was seen: between statements it has no query."""
        query = self._queries.get(session)
        return f"idle after: {query}" if query else "idle in a transaction"

    def _processes(self) -> dict[int, _Process]:
        """Return the other sessions; ages and stages only where somebody changes the schema, waits, or holds locks."""
        if self._metadata_query is None:
            found = self._listed()
            if not any(one.working and (one.waits_for_metadata or _changes_schema(one.query)) for one in found):
                return {one.session: one for one in found}
        return self._described()

    def _listed(self) -> list[_Process]:
        found = []
        for number, _, _, database, doing, _, state, query, *_ in self._read(_SHORTER):
            if int(number) != self._own:
                is_here = database == self._database
                found.append(
                    _Process(int(number), is_here, doing == "Query", state or "", query or "", 0, 0, 0.0, None)
                )
        return found

    def _described(self) -> dict[int, _Process]:
        found = {}
        for row in self._read(self._processes_query):
            session, stage, stages, percent = int(row[0]), int(row[5]), int(row[6]), float(row[7])
            age = None if row[8] is None else float(row[8])
            found[session] = _Process(
                session, bool(row[1]), row[2] == "Query", row[3], row[4], stage, stages, percent, age
            )
        return found

    def _counts(self) -> dict[str, int]:
        return {name: int(value) for name, value in self._read(_COUNTS)}

    def _metadata_locks(self) -> list[MetadataLock]:
        if self._metadata_query is None:
            return []
        return metadata_locks(self._read(self._metadata_query))

    # --- who waits --------------------------------------------------------------------------------------------------

    def _metadata_waits(
        self, waiters: Mapping[int, _Process], locks: Sequence[MetadataLock], processes: Mapping[int, _Process]
    ) -> list[SessionWait]:
        if any(not lock.granted for lock in locks):
            return metadata_waits(locks, self._session)
        waiting, asked = {}, {}
        for waiter, process in waiters.items():
            table = named_table(process.query)
            asked[waiter] = (table, None)
            needed = MetadataLock("", table or "", _needed_mode(process.query), granted=False, session=waiter)
            holding = [
                lock.session
                for lock in locks
                if lock.table == table
                and lock.session not in (waiter, *waiters)
                and stands_before(lock, replace(needed, schema=lock.schema))
            ]
            # A statement about rows waits for a schema change: one that runs, or one that waits itself.
            changing = [other for other, one in waiters.items() if other != waiter and _changes_schema(one.query)]
            if _changes_schema(process.query):
                likely = holding or self._innodb.idle_or_working(waiters, waiter)
            else:
                likely = changing or [one.session for one in processes.values() if _runs_change(one, waiters)]
                likely = likely or holding or self._innodb.idle_or_working(waiters, waiter)
            waiting[waiter] = tuple(likely)
        pairs = nearest_blockers({waiter: found for waiter, found in waiting.items() if found}, self._session)
        return [SessionWait(waiter, blocker, *asked[waiter]) for waiter, blocker in pairs]

    def _row_waits(self, rows_wait: bool, processes: Mapping[int, _Process]) -> list[SessionWait]:
        if not rows_wait:
            self._row_wait_since = {}
            return []
        # What InnoDB told is up to a tenth of a second old: whose statement has ended waits no more.
        living = [row for row in self._innodb.waits if row[0] in processes and processes[row[0]].working]
        # The number of waiting sessions is told at once, so that it dates who is new.
        since = {row[0]: self._row_wait_since.get(row[0], self._risen_at) for row in living}
        self._row_wait_since = since
        now = time.monotonic()
        return [replace(wait, waited_seconds=now - since[wait.waiter]) for wait in row_waits(living, self._session)]

    def _stages(self, processes: Mapping[int, _Process]) -> tuple[Stage, ...]:
        found = []
        for one in processes.values():
            concerns = one.is_here if self._session is None else one.session == self._session
            if concerns and one.working and _changes_schema(one.query):
                done, total, unit = (round(one.percent), 100, "percent") if one.stages else (None, None, None)
                phase = f"{one.state} ({one.stage} of {one.stages})" if one.stages else one.state or "executing"
                found.append(Stage(one.session, command(one.query), named_table(one.query), phase, done, total, unit))
        return tuple(found)

    # --- what went wrong --------------------------------------------------------------------------------------------

    def _incidents(
        self, waits: tuple[SessionWait, ...], counts: Mapping[str, int], held: set[tuple[int, str]]
    ) -> tuple[SeenIncident, ...]:
        waiting = {wait.waiter for wait in waits}
        transactions = self._innodb.transactions
        gone = [wait for wait in self._before if wait.waiter not in waiting]
        # A row has no name among metadata locks: for those, only the blocker's transaction tells.
        sure = [wait for wait in gone if wait.waited_seconds is None and (wait.blocker, wait.relation) in held]
        self._doubtful += [
            (wait, transactions[wait.blocker]) for wait in gone if wait not in sure and wait.blocker in transactions
        ]
        deadlocks = self._risen_deadlocks(counts)
        victims = {one.session for one in deadlocks}
        self._doubtful = [one for one in self._doubtful if one[0].waiter not in victims]
        return (*deadlocks, *self._gave_up([wait for wait in sure if wait.waiter not in victims]))

    def _gave_up(self, sure: Sequence[SessionWait]) -> list[SeenIncident]:
        """Judge waits that are gone, as soon as InnoDB has told anew who still is in which transaction."""
        ripe = [one for one in self._doubtful if self._innodb.is_newer(one)]
        self._doubtful = [one for one in self._doubtful if one not in ripe]
        stands = [wait for wait, transaction in ripe if self._innodb.transactions.get(wait.blocker) == transaction]
        return [
            SeenIncident(
                "gave up waiting", wait.waiter, wait.blocker, wait.relation, self._queries.get(wait.waiter, "")
            )
            for wait in {wait.waiter: wait for wait in (*sure, *stands)}.values()
        ]

    def _risen_deadlocks(self, counts: Mapping[str, int]) -> list[SeenIncident]:
        now = counts.get("Innodb_deadlocks", self._deadlocks)
        risen, self._deadlocks = now - self._deadlocks, now
        if risen <= 0:
            return []
        victim = self._latest_deadlock()
        found = [victim] if victim is not None else []
        missing = risen - len(found)
        if missing:
            found.append(SeenIncident("deadlock", None, count=missing, source="Innodb_deadlocks, of the whole server"))
        return found

    def _latest_deadlock(self) -> SeenIncident | None:
        try:
            return read_deadlock(str(self._read("SHOW ENGINE INNODB STATUS")[0][2]))
        except DBAPIError:  # The right PROCESS is missing; the deadlock is still counted.
            return None


def _changes_schema(query: str) -> bool:
    return bool(query) and not _ROWS_STATEMENT.match(query)


def _needed_mode(query: str) -> str:
    """Return the metadata lock that a statement needs at the most."""
    if _changes_schema(query):
        return "EXCLUSIVE"
    return "SHARED_READ" if re.match(r"\s*(?:SELECT|WITH)\b", query, re.IGNORECASE) else "SHARED_WRITE"


def _runs_change(process: _Process, waiters: Mapping[int, _Process]) -> bool:
    return process.working and process.session not in waiters and _changes_schema(process.query)


class _InnoDB:
    """What InnoDB told last of transactions and of who waits for rows."""

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._told_at = float("-inf")
        self._asked_at: dict[Any, float] = {}
        self.transactions: dict[int, str] = {}
        self.waits: list[tuple[int, int, str | None, str]] = []

    def refresh(self) -> None:
        """Ask anew, if the answer would be a new one."""
        if time.monotonic() - self._told_at < _INNODB_PATIENCE_SECONDS:
            return
        self.transactions = {int(session): str(number) for session, number in self._read(_TRANSACTIONS)}
        self.waits = [
            (int(waiter), int(blocker), bare_name(table), mode)
            for waiter, blocker, table, mode in self._read(_ROW_WAITS)
        ]
        self._told_at = time.monotonic()

    def is_newer(self, doubt: Any) -> bool:
        """Tell whether InnoDB has told something since a doubt was first brought here."""
        asked = self._asked_at.setdefault(doubt, time.monotonic())
        if self._told_at < asked:
            return False
        del self._asked_at[doubt]
        return True

    def idle_or_working(self, waiters: Mapping[int, _Process], waiter: int) -> list[int]:
        """Return the sessions with an open transaction that do not wait."""
        return [session for session in self.transactions if session != waiter and session not in waiters]
