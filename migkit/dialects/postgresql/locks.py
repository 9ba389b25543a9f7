"""What the sessions of PostgreSQL hold and wait for: exact for a session's own locks, sampled for others'."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from migkit.dialects.base import HeldLock, SessionObserver, StatementFacts, Wait
from migkit.dialects.postgresql.sql import execute

# libpq's numbers for where a session stands.
_IDLE, _IN_TRANSACTION = 0, 2

# What others cannot do to a relation while a lock of this mode is held, by the conflict table of the manual.
_BLOCKS = {
    "AccessShareLock": "nothing but schema changes",
    "RowShareLock": "nothing but schema changes",
    "RowExclusiveLock": "nothing but schema changes",
    "ShareUpdateExclusiveLock": "schema changes",
    "ShareLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ExclusiveLock": "writes",
    "AccessExclusiveLock": "reads and writes",
}

# Tables, partitioned tables, materialized views, foreign tables, indexes, partitioned indexes, sequences.
_KINDS = "'r', 'p', 'm', 'f', 'i', 'I', 'S'"
_STORED_ROWS = ("r", "m")
_NAME = "CASE WHEN n.nspname = current_schema() THEN c.relname::text ELSE n.nspname || '.' || c.relname END"
_USER_RELATION = (
    f"c.relkind IN ({_KINDS}) AND c.relpersistence <> 't'"
    " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
)

_RELATIONS = f"""
SELECT c.oid, {_NAME}, c.relkind::text, c.relfilenode
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE {_USER_RELATION}
"""

# A lock on a relation that was dropped meanwhile has no name any more: the caller may remember it.
_LOCKS = f"""
SELECT l.relation, l.mode, {_NAME}, c.relkind::text, c.relfilenode
  FROM pg_catalog.pg_locks AS l
  LEFT JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
  LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE l.locktype = 'relation' AND l.granted AND l.pid = {{session}}
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
   AND (c.oid IS NULL OR ({_USER_RELATION}))
 ORDER BY l.relation, l.mode
"""

# Waiting sessions are found by their ungranted locks, which every user may see, and only they are asked for their
# blockers, because pg_blocking_pids stops the lock manager for a moment. Who waits for a row holds a lock on the
# tuple meanwhile.
_WAITING = f"""
WITH waiting AS MATERIALIZED (
    SELECT l.pid, min(l.waitstart) AS since, min(l.mode) AS mode, min(l.relation::int8)::oid AS relation
      FROM pg_catalog.pg_locks AS l WHERE NOT l.granted GROUP BY l.pid
), blocked AS MATERIALIZED (
    SELECT w.*, pg_catalog.pg_blocking_pids(w.pid) AS blockers FROM waiting AS w
)
SELECT b.pid, b.blockers, {_NAME}, b.mode, b.since, a.query
  FROM blocked AS b
  LEFT JOIN LATERAL (SELECT l.relation FROM pg_catalog.pg_locks AS l
                      WHERE b.relation IS NULL AND l.pid = b.pid AND l.locktype = 'tuple' LIMIT 1) AS row_lock ON true
  LEFT JOIN pg_catalog.pg_class AS c ON c.oid = coalesce(b.relation, row_lock.relation)
  LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid
 WHERE cardinality(b.blockers) > 0
"""


@dataclass(frozen=True)
class _Relation:
    name: str
    kind: str
    storage: int


class Observer(SessionObserver):
    """Reads the locks of its own session after each statement, and notices tables that got a new file.

    Its queries go to the driver directly, past every hook on the session. Locks are held until the transaction
    ends, so that what it reads is complete; outside a transaction they are gone by then, and :func:`held_locks` has
    to sample them.
    """

    def __init__(self, connection: Connection) -> None:
        self._driver: Any = connection.connection.driver_connection
        self._known = {oid: _Relation(name, kind, storage) for oid, name, kind, storage in self._read(_RELATIONS)}

    def before_statement(self) -> None:
        """Nothing to prepare: what was true after one statement is true before the next."""

    def after_statement(self) -> StatementFacts:
        """Return the locks held now, and the tables whose storage the statement replaced."""
        status = self._driver.info.transaction_status
        if status == _IN_TRANSACTION:
            return self._inside_transaction()
        if status == _IDLE:
            return StatementFacts(rewritten=self._remember(self._read(_RELATIONS)))
        return StatementFacts()

    def _inside_transaction(self) -> StatementFacts:
        rows = self._read(_LOCKS.format(session="pg_catalog.pg_backend_pid()"))
        # Replacing a table's storage takes a lock on it, so that only what is locked can have changed.
        living = {oid: (oid, name, kind, storage) for oid, _, name, kind, storage in rows if name is not None}
        rewritten = self._remember(living.values())
        held = [(self._known[oid].name, mode) for oid, mode, *_ in rows if oid in self._known]
        return StatementFacts(locks=tuple(_held(held)), rewritten=rewritten)

    def _remember(self, rows: Iterable[tuple[int, str, str, int]]) -> tuple[str, ...]:
        rewritten = []
        for oid, name, kind, storage in rows:
            before = self._known.get(oid)
            if before is not None and kind in _STORED_ROWS and before.storage != storage:
                rewritten.append(name)
            self._known[oid] = _Relation(name, kind, storage)
        return tuple(sorted(rewritten))

    def _read(self, sql: str) -> list[Any]:
        was_idle = self._driver.info.transaction_status == _IDLE
        with self._driver.cursor() as cursor:
            rows: list[Any] = cursor.execute(sql).fetchall()
        if was_idle and not self._driver.autocommit:
            # Whoever begins the next transaction may want to choose its isolation level.
            self._driver.rollback()
        return rows


def _held(pairs: Iterable[tuple[str, str]]) -> list[HeldLock]:
    return [HeldLock(name, mode, _BLOCKS[mode]) for name, mode in sorted(set(pairs))]


def held_locks(connection: Connection, session: int) -> list[HeldLock]:
    """Return the locks on relations that another session holds at this moment.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Any other session in the same database.
    session : int
        The backend's process id.
    """
    rows = execute(connection, _LOCKS.format(session=int(session)))
    return _held((name, mode) for _, mode, name, _, _ in rows if name is not None)


# --- waits ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Waiting:
    """A session that waits, and whom it waits for."""

    pid: int
    blockers: tuple[int, ...]
    relation: str | None
    mode: str | None
    since: datetime | None
    query: str


def waits(connection: Connection, session: int) -> list[Wait]:
    """Return who waits for a session now, directly or behind others, and whom it waits for itself.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Any other session in the same database.
    session : int
        The backend's process id.

    Returns
    -------
    list of Wait
        One for each session in the queue behind `session`, naming `session` as the blocker if it stands in the way
        itself, else the one ahead that does; then one for each session that `session` waits for.
    """
    waiting = {one.pid: one for one in _read_waiting(connection)}
    pairs = _queue_behind(session, waiting)
    if session in waiting:
        pairs += [(session, blocker) for blocker in waiting[session].blockers]
    queries = _queries_of(connection, {blocker for _, blocker in pairs}) if pairs else {}
    return [_wait(waiting[waiter], blocker, queries) for waiter, blocker in pairs]


def _read_waiting(connection: Connection) -> list[_Waiting]:
    # Within a transaction the server would repeat what it showed first.
    execute(connection, "SELECT pg_catalog.pg_stat_clear_snapshot()")
    return [
        # A session that runs in parallel is blocked once for each of its processes.
        _Waiting(pid, tuple(dict.fromkeys(blockers)), relation, mode, since, query or "")
        for pid, blockers, relation, mode, since, query in execute(connection, _WAITING)
    ]


def _queue_behind(session: int, waiting: dict[int, _Waiting]) -> list[tuple[int, int]]:
    """Follow the queue outwards: who waits for the session, then who waits for those, each once."""
    pairs: list[tuple[int, int]] = []
    reached, ahead = {session}, [session]
    while ahead:
        behind = []
        for one in waiting.values():
            blocker = next((pid for pid in ahead if pid in one.blockers), None)
            if one.pid not in reached and blocker is not None:
                pairs.append((one.pid, blocker))
                behind.append(one.pid)
        reached.update(behind)
        ahead = behind
    return pairs


def _queries_of(connection: Connection, sessions: set[int]) -> dict[int, str]:
    listed = ", ".join(str(int(pid)) for pid in sorted(sessions))
    rows = execute(connection, f"SELECT pid, query FROM pg_catalog.pg_stat_activity WHERE pid IN ({listed})")
    return {pid: query or "" for pid, query in rows}


def _wait(waiting: _Waiting, blocker: int, queries: dict[int, str]) -> Wait:
    # A prepared transaction has no session; the server calls it 0.
    unknown = "a prepared transaction" if blocker == 0 else ""
    return Wait(
        waiter=waiting.pid,
        blocker=blocker,
        relation=waiting.relation,
        mode=waiting.mode,
        waiter_query=waiting.query,
        blocker_query=queries.get(blocker, unknown),
        since=waiting.since,
    )
