"""What the sessions of PostgreSQL hold and wait for: exact for a session's own locks, sampled for others'."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from migkit.dialects.base import HeldLock, SessionObserver, StatementFacts

# libpq's numbers for where a session stands.
_IDLE, _IN_TRANSACTION = 0, 2

# What others cannot do to a relation while a lock of this mode is held, by the conflict table of the manual.
BLOCKS = {
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
KINDS = "'r', 'p', 'm', 'f', 'i', 'I', 'S'"
_STORED_ROWS = ("r", "m")
NAME = "CASE WHEN n.nspname = current_schema() THEN c.relname::text ELSE n.nspname || '.' || c.relname END"
_USER_RELATION = (
    f"c.relkind IN ({KINDS}) AND c.relpersistence <> 't'"
    " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
)

_RELATIONS = f"""
SELECT c.oid, {NAME}, c.relkind::text, c.relfilenode
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE {_USER_RELATION}
"""

# A lock on a relation that was dropped meanwhile has no name any more: the caller may remember it.
_LOCKS = f"""
SELECT l.relation, l.mode, {NAME}, c.relkind::text, c.relfilenode
  FROM pg_catalog.pg_locks AS l
  LEFT JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
  LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE l.locktype = 'relation' AND l.granted AND l.pid = pg_catalog.pg_backend_pid()
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
   AND (c.oid IS NULL OR ({_USER_RELATION}))
 ORDER BY l.relation, l.mode
"""


@dataclass(frozen=True)
class _Relation:
    name: str
    kind: str
    storage: int


class Observer(SessionObserver):
    """Reads the locks of its own session after each statement, and notices tables that got a new file.

    Its queries go to the driver directly, past every hook on the session. Locks are held until the transaction
    ends, so that what it reads is complete; outside a transaction they are gone by then, and an eye has to sample them.
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
        rows = self._read(_LOCKS)
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
    return [HeldLock(name, mode, BLOCKS[mode]) for name, mode in sorted(set(pairs))]
