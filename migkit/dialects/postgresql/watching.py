"""Looking at everybody's locks, waits and progress through one session, a few prepared queries a look."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.measuring import (
    Eye,
    SeenIncident,
    SessionLock,
    SessionWait,
    Sight,
    Stage,
    concerning,
    in_circle,
    nearest_blockers,
)
from migkit.dialects.postgresql.locks import BLOCKS, KINDS, NAME

# Relations of the engine itself have smaller numbers.
_FIRST_OF_USERS = 16384

# Who waits for a row holds, or waits for, a lock on the tuple meanwhile; the lock of a session on its own transaction
# (virtualxid) shows that the transaction still goes on. pg_blocking_pids stops the lock manager for a moment, so only
# who waits is asked for.
_LOCKS = f"""
SELECT l.pid, l.locktype, l.relation::int8, l.mode, l.granted, l.virtualtransaction,
       extract(epoch FROM clock_timestamp() - l.waitstart)::float8,
       CASE WHEN NOT l.granted THEN pg_catalog.pg_blocking_pids(l.pid) END
  FROM pg_catalog.pg_locks AS l
 WHERE l.pid <> pg_catalog.pg_backend_pid()
   AND (NOT l.granted OR l.locktype IN ('tuple', 'virtualxid')
        OR l.locktype = 'relation' AND l.relation::int8 >= {_FIRST_OF_USERS})
   AND (l.database IS NULL OR l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d
                                             WHERE d.datname = pg_catalog.current_database()))
"""
_NAMES = f"""
SELECT c.oid::int8, {NAME}, c.relkind::text
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.oid = ANY(%s::oid[]) AND c.relkind IN ({KINDS}) AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""
# Autovacuum and others without a client have no query to show, or say in it what they do.
_SESSIONS = """
SELECT a.pid, a.leader_pid, a.datname IS NOT DISTINCT FROM pg_catalog.current_database(),
       coalesce(nullif(a.query, ''), a.backend_type, ''),
       extract(epoch FROM clock_timestamp() - a.query_start)::float8
  FROM pg_catalog.pg_stat_activity AS a WHERE a.pid = ANY(%s::int[])
"""
_HERE = "datname = pg_catalog.current_database()"
_PROGRESS = f"""
SELECT pid, command, relid::int8, phase,
       CASE WHEN lockers_total > 0 THEN lockers_done WHEN blocks_total > 0 THEN blocks_done ELSE tuples_done END,
       CASE WHEN lockers_total > 0 THEN lockers_total WHEN blocks_total > 0 THEN blocks_total ELSE tuples_total END,
       CASE WHEN lockers_total > 0 THEN 'sessions waited for' WHEN blocks_total > 0 THEN 'blocks'
            WHEN tuples_total > 0 THEN 'rows' END,
       current_locker_pid
  FROM pg_catalog.pg_stat_progress_create_index WHERE {_HERE}
UNION ALL
SELECT pid, command, relid::int8, phase,
       CASE WHEN heap_blks_scanned > 0 THEN heap_blks_scanned ELSE heap_tuples_written END,
       CASE WHEN heap_blks_scanned > 0 THEN heap_blks_total END,
       CASE WHEN heap_blks_scanned > 0 THEN 'blocks' ELSE 'rows' END, NULL
  FROM pg_catalog.pg_stat_progress_cluster WHERE {_HERE}
UNION ALL
SELECT pid, 'VACUUM', relid::int8, phase, heap_blks_scanned, heap_blks_total, 'blocks', NULL
  FROM pg_catalog.pg_stat_progress_vacuum WHERE {_HERE}
UNION ALL
SELECT pid, 'ANALYZE', relid::int8, phase, sample_blks_scanned, sample_blks_total, 'blocks', NULL
  FROM pg_catalog.pg_stat_progress_analyze WHERE {_HERE}
UNION ALL
SELECT pid, command, relid::int8, 'copying rows', tuples_processed, NULL, 'rows', NULL
  FROM pg_catalog.pg_stat_progress_copy WHERE {_HERE}
"""
_DEADLOCKS = f"SELECT deadlocks FROM pg_catalog.pg_stat_database WHERE {_HERE}"
_MAY_SEE_ALL = "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')"
_TABLES = ("r", "p", "m", "f")
# What commands like CREATE INDEX CONCURRENTLY keep from one of their transactions to the next.
_KEPT = "ShareUpdateExclusiveLock"
# A renamed table is noticed within so many looks.
_NAMES_LAST_LOOKS = 50
_REMEMBERED_SESSIONS = 10_000
_PROGRESS_EVERY_LOOKS = 10
_OF_COMMANDS = frozenset((_KEPT, "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"))


@dataclass(frozen=True)
class _Seen:
    """A row of ``pg_locks``."""

    pid: int
    locktype: str
    relation: int | None
    mode: str
    granted: bool
    transaction: str
    waited_seconds: float | None
    blockers: list[int] | None


class PostgreSQLEye(Eye):
    """Sees the sessions of one database.

    Parameters
    ----------
    connection : Connection
        A session of its own in that database, in autocommit.
    session : int, optional
        The backend that everything has to concern.
    """

    source = "pg_locks"

    def __init__(self, connection: Connection, session: int | None) -> None:
        super().__init__()
        self._driver: Any = connection.connection.driver_connection
        self._session = session
        self._relations: dict[int, tuple[str, str] | None] = {}
        self._leaders: dict[int, int | None] = {}
        self._strangers: set[int] = set()
        self._queries: dict[int, str] = {}
        self._ages: dict[int, float] = {}
        self._known: set[tuple[Any, ...]] = set()
        self._before: tuple[SessionWait, ...] = ()
        self._held_before: Mapping[int, str] = {}
        self._looks = 0
        self._is_working = False
        self._deadlocks_seen = 0
        self._deadlocks_at_start = self._count_deadlocks()
        if not self._rows(_MAY_SEE_ALL)[0][0]:
            self.unchecked.append(
                (
                    "queries and progress of other users' sessions",
                    "the right is missing: GRANT pg_monitor (or pg_read_all_stats) to this user",
                )
            )
        self.beyond.append(
            (
                "cancelled statements of others that were not waiting for a lock",
                "PostgreSQL counts no cancelled statements, and names only deadlocks in its statistics",
            )
        )

    def look(self, *, with_locks: bool = True) -> Sight:
        """Return locks, waits and progress as they are now."""
        self._looks += 1
        seen = [_Seen(*row) for row in self._rows(_LOCKS)]
        waiting = {one.pid: tuple(one.blockers) for one in seen if not one.granted and one.blockers}
        self._learn(seen, waiting)
        waits = self._waits(seen, waiting)
        locks = self._locks(seen) if with_locks else ()
        going_on = {one.pid: one.transaction for one in seen}
        incidents = self._gave_up(waits, seen, going_on)
        self._before, self._held_before = waits, going_on
        named = {lock.session for lock in locks} | {pid for wait in waits for pid in (wait.waiter, wait.blocker)}
        queries = {pid: self._queries.get(pid, "") for pid in named}
        return Sight(locks, waits, self._stages(seen), incidents, queries, self._ages)

    def last_look(self) -> tuple[SeenIncident, ...]:
        """Return the deadlocks that were counted, but not seen."""
        self._driver.execute("SELECT pg_catalog.pg_stat_clear_snapshot()")
        missed = self._count_deadlocks() - self._deadlocks_at_start - self._deadlocks_seen
        if missed <= 0 or self._session is not None:
            return ()
        return (SeenIncident("deadlock", None, count=missed, source="pg_stat_database.deadlocks"),)

    # --- reading ----------------------------------------------------------------------------------------------------

    def _rows(self, sql: str, parameters: tuple[Any, ...] | None = None) -> list[Any]:
        # Past SQLAlchemy, and prepared: a look every 20 ms has to cost next to nothing.
        with told_as_sqlalchemy(sql), self._driver.cursor() as cursor:
            rows: list[Any] = cursor.execute(sql, parameters, prepare=True).fetchall()
        return rows

    def _count_deadlocks(self) -> int:
        return int(self._rows(_DEADLOCKS)[0][0])

    def _learn(self, seen: Iterable[_Seen], waiting: Mapping[int, Collection[int]]) -> None:
        """Ask for the names of relations and the queries of sessions that were not known yet."""
        if self._looks % _NAMES_LAST_LOOKS == 0:
            self._relations.clear()
        unknown = {one.relation for one in seen if one.relation is not None} - self._relations.keys()
        if unknown:
            found = {oid: (name, kind) for oid, name, kind in self._rows(_NAMES, (sorted(unknown),))}
            # What cannot be seen yet may be committed later; what is no relation of the user's never is one.
            self._relations |= found
        holding = {(one.pid, one.transaction, one.relation, one.mode) for one in seen if one.granted}
        asked = {key[0] for key in holding - self._known}
        asked |= set(waiting) | {pid for blockers in waiting.values() for pid in blockers}
        self._known = holding
        self._ages = {}
        if asked:
            self._forget()
            for pid, leader, is_here, query, age in self._rows(_SESSIONS, (sorted(asked),)):
                self._leaders[pid], self._queries[pid] = leader, query
                self._ages |= {pid: age} if age is not None else {}
                (self._strangers.discard if is_here else self._strangers.add)(pid)
            # A prepared transaction has no session; the server calls it 0.
            self._queries[0] = "a prepared transaction"

    def _forget(self) -> None:
        """Bound what is remembered of sessions: who watches for days sees many."""
        if len(self._queries) > _REMEMBERED_SESSIONS:
            for memory in (self._queries, self._leaders, self._strangers):
                memory.clear()

    def _name(self, oid: int | None) -> str | None:
        known = self._relations.get(oid) if oid is not None else None
        return known[0] if known else None

    # --- what it means ----------------------------------------------------------------------------------------------

    def _locks(self, seen: Iterable[_Seen]) -> tuple[SessionLock, ...]:
        return tuple(
            SessionLock(one.pid, name, one.mode, BLOCKS[one.mode], one.transaction if one.mode != _KEPT else "")
            for one in seen
            if one.granted
            and one.locktype == "relation"
            and one.pid not in self._strangers
            # A parallel worker holds what its leader holds.
            and self._leaders.get(one.pid) is None
            and (self._session is None or one.pid == self._session)
            for name in [self._name(one.relation)]
            if name is not None
        )

    def _waits(self, seen: list[_Seen], waiting: Mapping[int, tuple[int, ...]]) -> tuple[SessionWait, ...]:
        asked = {one.pid: one for one in seen if not one.granted}
        found = []
        for waiter, blocker in nearest_blockers(waiting, self._session):
            if waiter in self._strangers:
                continue
            one = asked[waiter]
            relation = self._name(one.relation) or self._relation_between(waiter, blocker, seen)
            found.append(SessionWait(waiter, blocker, relation, one.mode, one.waited_seconds))
        return concerning(self._session, found) if self._session is not None else tuple(found)

    def _relation_between(self, waiter: int, blocker: int, seen: list[_Seen]) -> str | None:
        """Find the table of somebody who waits for a row, or for a transaction to end."""
        tuples = [one.relation for one in seen if one.pid == waiter and one.locktype == "tuple"]
        if tuples:
            return self._name(tuples[0])
        tables: dict[int, set[int]] = {}
        for one in seen:
            known = self._relations.get(one.relation) if one.relation is not None else None
            if one.granted and known is not None and known[1] in _TABLES and one.relation is not None:
                tables.setdefault(one.pid, set()).add(one.relation)
        common = tables.get(waiter, set()) & tables.get(blocker, set()) or tables.get(waiter, set())
        return self._name(next(iter(common))) if len(common) == 1 else None

    def _gave_up(
        self, waits: tuple[SessionWait, ...], seen: list[_Seen], going_on: Mapping[int, str]
    ) -> tuple[SeenIncident, ...]:
        """Find who waits no more while what it waited for still stands in the way."""
        waiting = {one.pid for one in seen if not one.granted}
        holding = {(one.pid, self._name(one.relation)) for one in seen if one.granted or one.blockers}
        incidents: dict[int, SeenIncident] = {}
        broken, unknown = self._broken_circle(waits, going_on)
        for wait in self._before:
            blocker = self._held_before.get(wait.blocker)
            stands = blocker is not None and going_on.get(wait.blocker) == blocker
            holds_on = wait.relation is None or (wait.blocker, wait.relation) in holding
            is_over = wait.waiter not in waiting and stands and holds_on
            if wait.waiter in incidents or not (is_over or wait.waiter in broken):
                continue
            incidents[wait.waiter] = SeenIncident(
                kind="deadlock" if wait.waiter in broken else "gave up waiting",
                session=wait.waiter,
                blocker=wait.blocker,
                relation=wait.relation,
                query=self._queries.get(wait.waiter, ""),
            )
        found = [*incidents.values(), *([unknown] if unknown else [])]
        self._deadlocks_seen += sum(one.kind == "deadlock" for one in found)
        return tuple(found)

    def _broken_circle(
        self, waits: tuple[SessionWait, ...], going_on: Mapping[int, str]
    ) -> tuple[set[int], SeenIncident | None]:
        """Return who had to give way, of sessions that waited for each other and do so no more.

        Where the others have ended their transactions since, too, that is not known any more.
        """
        circle = {wait.waiter: wait for wait in self._before if in_circle(wait.waiter, self._before)}
        if not circle or any(in_circle(session, waits) for session in circle):
            return set(), None
        ended = {session for session in circle if going_on.get(session) != self._held_before.get(session)}
        if len(ended) == 1:
            return ended, None
        who = " and ".join(str(session) for session in sorted(circle))
        source = f"sessions {who} waited for each other; which of them had to give way was not seen"
        return set(), SeenIncident("deadlock", None, relation=next(iter(circle.values())).relation, source=source)

    def _stages(self, seen: Iterable[_Seen]) -> tuple[Stage, ...]:
        # Long commands but COPY hold locks that everyday traffic does not: else it is enough to ask now and then.
        may_work = self._is_working or any(one.mode in _OF_COMMANDS for one in seen if one.locktype == "relation")
        if not may_work and self._looks % _PROGRESS_EVERY_LOOKS:
            return ()
        rows = self._rows(_PROGRESS)
        self._is_working = bool(rows)
        if rows:
            unknown = {row[2] for row in rows if row[2]} - self._relations.keys()
            self._relations |= {oid: (name, kind) for oid, name, kind in self._rows(_NAMES, (sorted(unknown),))}
        return tuple(
            Stage(pid, command, self._name(relation), phase, done, total, unit, locker or None)
            for pid, command, relation, phase, done, total, unit, locker in rows
            # Without the right to see it, a row has no more than its session.
            if phase is not None and (self._session is None or pid == self._session)
        )


@contextmanager
def told_as_sqlalchemy(statement: str) -> Iterator[None]:
    """Give errors of the driver the class that SQLAlchemy's would have, so that callers know one kind."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError.instance(statement, None, error, psycopg.Error) from error
