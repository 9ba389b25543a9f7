"""Looking at everybody's locks, waits and progress on MySQL, through ``performance_schema``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.measuring import (
    Eye,
    IncidentKind,
    SeenIncident,
    SessionLock,
    SessionWait,
    Sight,
    Stage,
    concerning,
    nearest_blockers,
)
from migkit.dialects.mysql.deadlocks import read_deadlock
from migkit.dialects.mysql.locks import MetadataLock, bare_name, blocks, stands_before

_OWN_SCHEMAS = "('performance_schema', 'information_schema', 'mysql', 'sys')"
# An ALTER TABLE builds its new table under a name that nobody else can use.
METADATA_LOCKS = f"""
SELECT IF(m.OBJECT_SCHEMA = DATABASE(), '', m.OBJECT_SCHEMA), m.OBJECT_NAME, m.LOCK_TYPE, m.LOCK_STATUS = 'GRANTED',
       t.PROCESSLIST_ID
  FROM performance_schema.metadata_locks AS m
  JOIN performance_schema.threads AS t ON t.THREAD_ID = m.OWNER_THREAD_ID
 WHERE m.OBJECT_TYPE = 'TABLE' AND m.OBJECT_SCHEMA NOT IN {_OWN_SCHEMAS} AND LEFT(m.OBJECT_NAME, 5) <> '#sql-'
   AND t.PROCESSLIST_ID IS NOT NULL AND t.PROCESSLIST_ID <> CONNECTION_ID()
"""
_ROW_WAITS = """
SELECT w.PROCESSLIST_ID, b.PROCESSLIST_ID, IF(l.OBJECT_SCHEMA = DATABASE(), '', l.OBJECT_SCHEMA), l.OBJECT_NAME,
       l.LOCK_MODE
  FROM performance_schema.data_lock_waits AS d
  JOIN performance_schema.data_locks AS l ON l.ENGINE_LOCK_ID = d.REQUESTING_ENGINE_LOCK_ID
  JOIN performance_schema.threads AS w ON w.THREAD_ID = d.REQUESTING_THREAD_ID
  JOIN performance_schema.threads AS b ON b.THREAD_ID = d.BLOCKING_THREAD_ID
"""
# In one query, because each costs the server and us: the last row counts the sessions that wait for rows.
_ALL_AT_ONCE = f"""
SELECT * FROM ({METADATA_LOCKS}) AS locks
UNION ALL
SELECT NULL, NULL, NULL, NULL, (SELECT VARIABLE_VALUE FROM performance_schema.global_status
                                 WHERE VARIABLE_NAME = 'Innodb_row_lock_current_waits')
"""
_OF_CHANGES = frozenset(("SHARED_UPGRADABLE", "SHARED_NO_WRITE", "SHARED_NO_READ_WRITE", "EXCLUSIVE"))
# A session between two statements has no query, but a last one.
_SESSIONS = """
SELECT t.PROCESSLIST_ID, COALESCE(t.PROCESSLIST_INFO, s.SQL_TEXT, ''),
       IF(s.END_EVENT_ID IS NULL, s.TIMER_WAIT / 1e12, NULL)
  FROM performance_schema.threads AS t
  LEFT JOIN performance_schema.events_statements_current AS s
    ON s.THREAD_ID = t.THREAD_ID AND s.NESTING_EVENT_LEVEL = 0
 WHERE t.PROCESSLIST_ID IN ({sessions})
"""
_LONG_COMMANDS = "^[[:space:]]*(ALTER|CREATE|OPTIMIZE|ANALYZE|REPAIR|LOAD|RENAME|DROP|TRUNCATE)"
_STAGES = f"""
SELECT t.PROCESSLIST_ID, t.PROCESSLIST_INFO, t.PROCESSLIST_STATE, s.EVENT_NAME, s.WORK_COMPLETED, s.WORK_ESTIMATED
  FROM performance_schema.threads AS t
  LEFT JOIN performance_schema.events_stages_current AS s ON s.THREAD_ID = t.THREAD_ID
 WHERE t.PROCESSLIST_COMMAND = 'Query' AND t.PROCESSLIST_DB = DATABASE() AND t.PROCESSLIST_ID <> CONNECTION_ID()
   AND t.PROCESSLIST_INFO REGEXP '{_LONG_COMMANDS}'
"""
_COUNTS_STAGES = "SELECT ENABLED FROM performance_schema.setup_consumers WHERE NAME = 'events_stages_current'"
ERROR_KINDS: dict[int, IncidentKind] = {1213: "deadlock", 1205: "lock timeout", 1317: "cancelled", 3024: "cancelled"}
_NUMBERS = ", ".join(map(str, ERROR_KINDS))
_ERRORS = (
    "SELECT ERROR_NUMBER, SUM_ERROR_RAISED FROM performance_schema.events_errors_summary_global_by_error"
    f" WHERE ERROR_NUMBER IN ({_NUMBERS})"
)
# NOT EXISTS rows of sessions that ended: theirs were added to the global counts.
_ERRORS_BY_SESSION = f"""
SELECT t.PROCESSLIST_ID, t.THREAD_ID, t.PROCESSLIST_DB = DATABASE(), e.ERROR_NUMBER, e.SUM_ERROR_RAISED
  FROM performance_schema.events_errors_summary_by_thread_by_error AS e
  JOIN performance_schema.threads AS t ON t.THREAD_ID = e.THREAD_ID
 WHERE e.ERROR_NUMBER IN ({_NUMBERS}) AND e.SUM_ERROR_RAISED > 0 AND t.PROCESSLIST_ID IS NOT NULL
"""
_FAILED_STATEMENT = """
SELECT SQL_TEXT FROM performance_schema.events_statements_history
 WHERE THREAD_ID = {thread} AND MYSQL_ERRNO = {number} ORDER BY EVENT_ID DESC LIMIT 1
"""
_REMEMBERED_SESSIONS = 10_000
# The counts rise without being asked for at every look, too.
_COUNTS_EVERY_LOOKS = 10
_OF_ENDED = "counted by the whole server; the session has ended"
COUNTED = "performance_schema.events_errors_summary_by_thread_by_error"


class PerformanceSchemaEye(Eye):
    """Sees the sessions of a MySQL server that concern one database.

    Parameters
    ----------
    connection : Connection
        A session of its own, in autocommit.
    session : int, optional
        The connection id that everything has to concern.
    """

    source = "performance_schema.metadata_locks"

    def __init__(self, connection: Connection, session: int | None) -> None:
        super().__init__()
        self._read = Reader(connection)
        self._session = session
        self._queries: dict[int, str] = {}
        self._ages: dict[int, float] = {}
        self._known: set[MetadataLock] = set()
        self._before: tuple[SessionWait, ...] = ()
        # The last wait of each session: its error may be counted a moment after the wait was gone.
        self._lately: dict[int, tuple[SessionWait, str]] = {}
        self._looks = 0
        self._sees_rows = self._may("row locks that sessions wait for", _ROW_WAITS)
        self._sees_errors = self._may("deadlocks, lock timeouts and cancelled statements of others", _ERRORS)
        self._sees_stages = self._may("how far long commands are", _STAGES)
        if self._sees_stages and self._read(_COUNTS_STAGES)[0][0] != "YES":
            self.beyond.append(
                (
                    "how far each phase of a long command is",
                    "the consumer events_stages_current is off; the phases are known, but not their share",
                )
            )
        self._errors = self._count_errors() if self._sees_errors else {}
        self._errors_by_session = self._count_by_session() if self._sees_errors else {}

    def look(self, *, with_locks: bool = True) -> Sight:
        """Return locks, waits and progress as they are now."""
        self._looks += 1
        *rows, (_, _, _, _, row_waiters) = self._read(_ALL_AT_ONCE)
        locks = metadata_locks(rows)
        waits = self._waits(locks, int(row_waiters))
        self._learn(locks, waits)
        vanished = {wait.waiter for wait in self._before} - {wait.waiter for wait in waits}
        self._lately |= {wait.waiter: (wait, self._queries.get(wait.waiter, "")) for wait in waits}
        incidents = self._incidents() if vanished or self._looks % _COUNTS_EVERY_LOOKS == 0 else ()
        self._before = waits
        held = tuple(held_locks(locks, self._session)) if with_locks else ()
        named = {lock.session for lock in held} | {one for wait in waits for one in (wait.waiter, wait.blocker)}
        queries = {session: self._queries.get(session, "") for session in named}
        # Every schema change holds a lock that nothing else takes.
        stages = self._stages() if any(lock.mode in _OF_CHANGES for lock in locks) else ()
        return Sight(held, waits, stages, incidents, queries, self._ages)

    def last_look(self) -> tuple[SeenIncident, ...]:
        """Return what the server counted since the last look."""
        return self._incidents()

    def _may(self, what: str, sql: str) -> bool:
        try:
            self._read(sql)
        except DBAPIError as error:
            self.unchecked.append((what, why_not(error)))
            return False
        return True

    def _waits(self, locks: Sequence[MetadataLock], row_waiters: int) -> tuple[SessionWait, ...]:
        found = metadata_waits(locks, self._session)
        if self._sees_rows and row_waiters:
            rows = self._read(_ROW_WAITS)
            found += row_waits(
                [(int(row[0]), int(row[1]), relation(row[2], row[3]), row[4]) for row in rows], self._session
            )
        return concerning(self._session, found) if self._session is not None else tuple(found)

    def _learn(self, locks: Collection[MetadataLock], waits: Iterable[SessionWait]) -> None:
        now = set(locks)
        asked = {lock.session for lock in now - self._known}
        asked |= {one for wait in waits for one in (wait.waiter, wait.blocker)}
        self._known = now
        self._ages = {}
        if asked:
            if len(self._queries) > _REMEMBERED_SESSIONS:
                self._queries.clear()
                self._lately.clear()
            listed = ", ".join(str(one) for one in sorted(asked))
            for session, text, age in self._read(_SESSIONS.format(sessions=listed)):
                self._queries[int(session)] = text
                self._ages |= {int(session): float(age)} if age is not None else {}

    def _stages(self) -> tuple[Stage, ...]:
        if not self._sees_stages:
            return ()
        found = []
        for session, query, state, event, done, total in self._read(_STAGES):
            if self._session is None or int(session) == self._session:
                phase = str(event).removeprefix("stage/").partition("/")[2] if event else state or "executing"
                unit = None if total is None else "rows" if "copy to tmp table" in phase else "units of work"
                found.append(Stage(int(session), command(query), named_table(query), phase, done, total, unit))
        return tuple(found)

    # --- what went wrong --------------------------------------------------------------------------------------------

    def _count_errors(self) -> dict[int, int]:
        return {int(number): int(count) for number, count in self._read(_ERRORS)}

    def _count_by_session(self) -> dict[tuple[int, int, bool, int], int]:
        rows = self._read(_ERRORS_BY_SESSION)
        return {
            (int(one), int(thread), bool(here), int(number)): int(count) for one, thread, here, number, count in rows
        }

    def _incidents(self) -> tuple[SeenIncident, ...]:
        if not self._sees_errors:
            return ()
        now = self._count_errors()
        risen = {number: count - self._errors.get(number, 0) for number, count in now.items()}
        if not any(risen.values()):
            return ()
        self._errors = now
        by_session = self._count_by_session()
        before, self._errors_by_session = self._errors_by_session, by_session
        found = []
        for key, count in by_session.items():
            more = count - before.get(key, 0)
            risen[key[3]] = risen.get(key[3], 0) - more
            if more > 0 and key[2]:
                found.append(self._of_session(key[0], key[1], key[3], more))
        found += [
            SeenIncident(ERROR_KINDS[number], None, count=count, source=_OF_ENDED)
            for number, count in risen.items()
            if count > 0
        ]
        if self._session is not None:
            found = [one for one in found if one.blocker is not None or one.session == self._session]
        return tuple(found)

    def _of_session(self, session: int, thread: int, number: int, count: int) -> SeenIncident:
        texts = self._read(_FAILED_STATEMENT.format(thread=thread, number=number))
        # Between the error and the end of the statement, it is the session's present one.
        texts = texts or [row[1:] for row in self._read(_SESSIONS.format(sessions=session))]
        query = str(texts[0][0] or "") if texts else self._queries.get(session, "")
        wait, waiting_query = self._lately.pop(session, (None, ""))
        if wait is not None and query[:200] == waiting_query[:200]:
            return SeenIncident(ERROR_KINDS[number], session, wait.blocker, wait.relation, query, count, COUNTED)
        told = self._latest_deadlock() if ERROR_KINDS[number] == "deadlock" else None
        if told is not None and told.session == session:
            return replace(told, count=count)
        return SeenIncident(ERROR_KINDS[number], session, None, named_table(query), query, count, COUNTED)

    def _latest_deadlock(self) -> SeenIncident | None:
        try:
            return read_deadlock(str(self._read("SHOW ENGINE INNODB STATUS")[0][2]))
        except DBAPIError:  # The right PROCESS is missing; the session is known without it.
            return None


class Reader:
    """Sends text to the driver, past SQLAlchemy, and returns all rows: a look has to cost next to nothing."""

    def __init__(self, connection: Connection) -> None:
        self._driver: Any = connection.connection.dbapi_connection
        self._errors: type[Exception] = connection.dialect.loaded_dbapi.Error

    def __call__(self, sql: str) -> list[Any]:
        """Send a text and return all rows."""
        with self._told(sql), self._driver.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    @contextmanager
    def _told(self, sql: str) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise DBAPIError.instance(sql, None, error, self._errors) from error


# --- shared with MariaDB ----------------------------------------------------------------------------------------------


def why_not(error: DBAPIError) -> str:
    """Say which right is missing, or what else the server answered."""
    facts: tuple[Any, ...] = getattr(error.orig, "args", ())
    said = facts[-1] if facts else error.orig
    is_right = bool(facts) and facts[0] in (1044, 1045, 1142, 1143, 1227)
    return f"a right is missing ({said})" if is_right else f"the server does not tell ({said})"


def relation(schema: str, table: str) -> str:
    """Return a table's name as frames have it."""
    return f"{schema}.{table}" if schema else str(table)


def metadata_locks(rows: Iterable[Sequence[Any]]) -> list[MetadataLock]:
    """Return metadata locks from rows of schema, table, mode, whether it is granted, session."""
    return [MetadataLock(row[0], row[1], row[2], bool(row[3]), int(row[4])) for row in rows]


def held_locks(locks: Iterable[MetadataLock], session: int | None) -> list[SessionLock]:
    """Return the metadata locks that are held: in the connected database, or everywhere by one session."""
    return [
        SessionLock(lock.session, relation(lock.schema, lock.table), lock.mode, blocks(lock.mode))
        for lock in dict.fromkeys(locks)
        if lock.granted and (not lock.schema if session is None else lock.session == session)
    ]


def metadata_waits(locks: Sequence[MetadataLock], session: int | None) -> list[SessionWait]:
    """Return who waits for whose metadata lock."""
    pending = {lock.session: lock for lock in locks if not lock.granted}
    if not pending:
        return []
    waiting = {
        waiter: tuple(
            blocker.session for blocker in locks if blocker.session != waiter and stands_before(blocker, lock)
        )
        for waiter, lock in pending.items()
    }
    waiting = {waiter: blockers for waiter, blockers in waiting.items() if blockers}
    return [
        SessionWait(waiter, blocker, relation(pending[waiter].schema, pending[waiter].table), pending[waiter].mode)
        for waiter, blocker in nearest_blockers(waiting, session)
    ]


def row_waits(rows: Iterable[tuple[int, int, str | None, str]], session: int | None) -> list[SessionWait]:
    """Return who waits for whose row, from pairs of waiter and blocker with table and mode."""
    asked: dict[int, tuple[str | None, str]] = {}
    waiting: dict[int, tuple[int, ...]] = {}
    for waiter, blocker, table, mode in rows:
        asked[waiter] = (table, mode)
        waiting[waiter] = (*waiting.get(waiter, ()), blocker)
    return [SessionWait(waiter, blocker, *asked[waiter]) for waiter, blocker in nearest_blockers(waiting, session)]


_NAMED = re.compile(
    r"\b(?:TABLE|INTO|UPDATE|FROM|ON|JOIN)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?((?:`(?:[^`]|``)+`|[\w$]+)(?:\s*\.\s*(?:`(?:[^`]|``)+`|[\w$]+))?)",
    re.IGNORECASE,
)


def named_table(query: str | None) -> str | None:
    """Return the first table that a statement names."""
    found = _NAMED.search(query or "")
    return bare_name(found[1]) if found else None


def command(query: str | None) -> str:
    """Return the first two words of a statement: ``ALTER TABLE``."""
    return " ".join((query or "").split()[:2]).upper()
