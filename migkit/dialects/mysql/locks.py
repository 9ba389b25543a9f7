"""What sessions hold and wait for: from ``performance_schema`` where it is on, else InnoDB and the process list."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.base import HeldLock, SessionObserver, StatementFacts, Wait
from migkit.dialects.mysql.sql import literal, rows, scalar

# What others cannot do to a table while a metadata lock of this type is held.
_BLOCKS = {
    "SHARED_READ_ONLY": "writes",
    "SHARED_NO_WRITE": "writes",
    "SHARED_NO_READ_WRITE": "reads and writes",
    "EXCLUSIVE": "reads and writes",
}
_BLOCKS_DDL = "schema changes"
_WEAK = frozenset({"SHARED", "SHARED_HIGH_PRIO", "SHARED_READ"})
_WRITING = frozenset({"SHARED_WRITE", "SHARED_WRITE_LOW_PRIO"})
_STRONG = frozenset({"EXCLUSIVE", "SHARED_NO_READ_WRITE"})

_OWN_SCHEMAS = "('performance_schema', 'information_schema', 'mysql', 'sys')"
# An ALTER TABLE builds its new table under a name that nobody else can use.
_ON_TABLES = f"m.OBJECT_TYPE = 'TABLE' AND m.OBJECT_SCHEMA NOT IN {_OWN_SCHEMAS} AND LEFT(m.OBJECT_NAME, 5) <> '#sql-'"
_INSTRUMENT = "SELECT ENABLED FROM performance_schema.setup_instruments WHERE NAME = 'wait/lock/metadata/sql/mdl'"

_HELD = f"""
SELECT IF(m.OBJECT_SCHEMA = DATABASE(), '', m.OBJECT_SCHEMA), m.OBJECT_NAME, m.LOCK_TYPE
  FROM performance_schema.metadata_locks AS m
  JOIN performance_schema.threads AS t ON t.THREAD_ID = m.OWNER_THREAD_ID
 WHERE t.PROCESSLIST_ID = {{session}} AND m.LOCK_STATUS = 'GRANTED' AND {_ON_TABLES}
"""
_CONTESTED = f"""
SELECT m.OBJECT_SCHEMA, m.OBJECT_NAME, m.LOCK_TYPE, m.LOCK_STATUS, t.PROCESSLIST_ID, t.PROCESSLIST_INFO
  FROM performance_schema.metadata_locks AS m
  JOIN performance_schema.threads AS t ON t.THREAD_ID = m.OWNER_THREAD_ID
 WHERE {_ON_TABLES} AND t.PROCESSLIST_ID IS NOT NULL
"""
_IS_ANYONE_PENDING = "SELECT COUNT(*) FROM performance_schema.metadata_locks WHERE LOCK_STATUS = 'PENDING'"
_ROW_WAITS = """
SELECT w.PROCESSLIST_ID, b.PROCESSLIST_ID, l.OBJECT_NAME, l.LOCK_MODE, w.PROCESSLIST_INFO, b.PROCESSLIST_INFO
  FROM performance_schema.data_lock_waits AS d
  JOIN performance_schema.data_locks AS l ON l.ENGINE_LOCK_ID = d.REQUESTING_ENGINE_LOCK_ID
  JOIN performance_schema.threads AS w ON w.THREAD_ID = d.REQUESTING_THREAD_ID
  JOIN performance_schema.threads AS b ON b.THREAD_ID = d.BLOCKING_THREAD_ID
"""
_ROW_WAITS_MARIADB = """
SELECT w.trx_mysql_thread_id, b.trx_mysql_thread_id, l.lock_table, l.lock_mode, w.trx_query, b.trx_query
  FROM information_schema.INNODB_LOCK_WAITS AS d
  JOIN information_schema.INNODB_TRX AS w ON w.trx_id = d.requesting_trx_id
  JOIN information_schema.INNODB_TRX AS b ON b.trx_id = d.blocking_trx_id
  JOIN information_schema.INNODB_LOCKS AS l ON l.lock_id = d.requested_lock_id
"""
_METADATA_WAITERS = """
SELECT ID, INFO FROM information_schema.PROCESSLIST
 WHERE STATE LIKE 'Waiting for %metadata lock' OR STATE = 'Waiting for table level lock'
"""
_QUERY_OF = "SELECT INFO FROM information_schema.PROCESSLIST WHERE ID = {session}"
_OPEN_TRANSACTIONS = """
SELECT trx_mysql_thread_id, trx_query FROM information_schema.INNODB_TRX
 WHERE trx_mysql_thread_id <> 0 ORDER BY trx_started
"""


def has_metadata_locks(connection: Connection) -> bool:
    """Tell whether ``performance_schema.metadata_locks`` is filled, and may be read."""
    try:
        return bool(scalar(connection, "SELECT @@performance_schema")) and scalar(connection, _INSTRUMENT) == "YES"
    except DBAPIError:
        return False


def lock_source(connection: Connection) -> str:
    """Say where lock facts come from, for people."""
    if has_metadata_locks(connection):
        return "performance_schema.metadata_locks"
    return (
        "the process list and InnoDB's lock waits: performance_schema.metadata_locks is off or not readable, so that"
        " who waited is known, but not which metadata locks were held"
    )


def held_locks(connection: Connection, session: int) -> list[HeldLock]:
    """Return the metadata locks that a session holds now; none where they are not shown."""
    if not has_metadata_locks(connection):
        return []
    held = set(rows(connection, _HELD.format(session=session)))
    return [HeldLock(_relation(schema, table), mode, _blocks(mode)) for schema, table, mode in sorted(held)]


def _relation(schema: str, table: str) -> str:
    return f"{schema}.{table}" if schema else str(table)


def _blocks(mode: str) -> str:
    return _BLOCKS.get(mode, _BLOCKS_DDL)


class Observer(SessionObserver):
    """Looks at the session's own metadata locks, and at which tables got a new storage.

    Parameters
    ----------
    connection : Connection
        The session.
    table_ids : str
        The view of ``information_schema`` with InnoDB's tables.
    """

    def __init__(self, connection: Connection, table_ids: str) -> None:
        self._connection = connection
        self._view = table_ids
        self._session = int(scalar(connection, "SELECT CONNECTION_ID()"))
        self._database = str(scalar(connection, "SELECT DATABASE()") or "")
        self._shows_locks = has_metadata_locks(connection)
        self._tables: dict[str, int] = {}

    def before_statement(self) -> None:
        """Remember which storage the tables have."""
        self._tables = self._table_ids()

    def after_statement(self) -> StatementFacts:
        """Return what the session still holds, and the tables whose storage is another."""
        locks = held_locks(self._connection, self._session) if self._shows_locks else []
        now = self._table_ids()
        known = self._tables
        replaced = {name.split("#")[0] for name, number in now.items() if known.get(name, number) != number}
        return StatementFacts(tuple(locks), tuple(sorted(_from_file_name(name) for name in replaced)))

    def _table_ids(self) -> dict[str, int]:
        folder = _file_name(self._database)
        if folder is None:
            return {}
        names = f"SUBSTRING_INDEX(NAME, '/', 1) = {literal(folder)}"
        try:
            found = rows(self._connection, f"SELECT NAME, TABLE_ID FROM information_schema.{self._view} WHERE {names}")
        except DBAPIError:
            # The right PROCESS is missing; who may not look learns nothing about storage.
            return {}
        return {name.partition("/")[2]: int(number) for name, number in found}


def _file_name(name: str) -> str | None:
    """Spell a name as InnoDB's files do, ``order@0022``; letters beyond ASCII have codes of their own."""
    if not name.isascii():
        return None
    return re.sub(r"[^A-Za-z0-9_]", lambda match: f"@{ord(match[0]):04x}", name)


def _from_file_name(name: str) -> str:
    return re.sub("@([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), name)


# --- who waits for whom -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lock:
    schema: str
    table: str
    mode: str
    granted: bool
    session: int
    query: str


def waits(connection: Connection, session: int, *, mariadb: bool) -> list[Wait]:
    """Return who waits for `session` now, directly or behind others, and whom it waits for itself."""
    found = _metadata_waits(connection) if has_metadata_locks(connection) else _guessed_waits(connection, session)
    found += _row_waits(connection, _ROW_WAITS_MARIADB if mariadb else _ROW_WAITS)
    return _about(session, found)


def _metadata_waits(connection: Connection) -> list[Wait]:
    if not scalar(connection, _IS_ANYONE_PENDING):
        return []
    locks = [
        _Lock(row[0], row[1], row[2], row[3] == "GRANTED", int(row[4]), row[5] or "")
        for row in rows(connection, _CONTESTED)
    ]
    return [
        Wait(waiter.session, blocker.session, waiter.table, waiter.mode, waiter.query, blocker.query)
        for waiter in locks
        if not waiter.granted
        for blocker in locks
        if blocker.session != waiter.session and _stands_before(blocker, waiter)
    ]


def _stands_before(blocker: _Lock, waiter: _Lock) -> bool:
    """Whether a lock, held or asked for earlier, keeps another from being granted."""
    if (blocker.schema, blocker.table) != (waiter.schema, waiter.table):
        return False
    if not blocker.granted:
        # A strong lock in the queue goes first: that is how one migration stops everybody behind one slow query.
        return blocker.mode in _STRONG and waiter.mode not in _STRONG
    if waiter.mode == "EXCLUSIVE" or blocker.mode == "EXCLUSIVE":
        return True
    if waiter.mode in _WEAK:
        return blocker.mode == "SHARED_NO_READ_WRITE"
    if waiter.mode in _WRITING:
        return blocker.mode in _BLOCKS
    return blocker.mode not in _WEAK


def _row_waits(connection: Connection, query: str) -> list[Wait]:
    try:
        found = rows(connection, query)
    except DBAPIError:
        # The right PROCESS is missing.
        return []
    return [
        Wait(int(waiter), int(blocker), _bare(table), mode, asked or "", held or "")
        for waiter, blocker, table, mode, asked, held in found
    ]


def _bare(table: str | None) -> str | None:
    """Return the table of InnoDB's qualified and quoted name."""
    return table.rpartition(".")[2].strip("`").replace("``", "`") if table else None


def _guessed_waits(connection: Connection, session: int) -> list[Wait]:
    """Name the likely blocker where the server says only that a session waits for a metadata lock.

    Who waits while the migration does not is taken to wait for the migration; while the migration waits itself, it
    waits for the open transactions, and everybody else waits behind it.
    """
    waiting = {int(row[0]): row[1] or "" for row in rows(connection, _METADATA_WAITERS)}
    if not waiting:
        return []
    own_query = scalar(connection, _QUERY_OF.format(session=session)) or ""
    others = [(waiter, query) for waiter, query in waiting.items() if waiter != session]
    found = [Wait(waiter, session, None, None, query, own_query) for waiter, query in others]
    if session in waiting:
        found += [
            Wait(session, blocker, None, None, own_query, query)
            for blocker, query in _open_transactions(connection)
            if blocker != session and blocker not in waiting
        ]
    return found


def _open_transactions(connection: Connection) -> Iterable[tuple[int, str]]:
    try:
        return [(int(row[0]), row[1] or "") for row in rows(connection, _OPEN_TRANSACTIONS)]
    except DBAPIError:
        return []


def _about(session: int, found: Iterable[Wait]) -> list[Wait]:
    """Keep the waits of `session`, of those who wait for it, and of those behind them."""
    unique = {(wait.waiter, wait.blocker, wait.relation, wait.mode): wait for wait in found}
    behind = {session}
    while True:
        more = {wait.waiter for wait in unique.values() if wait.blocker in behind} - behind
        if not more:
            return [wait for wait in unique.values() if wait.waiter in behind]
        behind |= more
