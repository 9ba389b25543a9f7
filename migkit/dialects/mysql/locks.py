"""What sessions hold and wait for: from ``performance_schema`` where it is on, else InnoDB and the process list."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.base import HeldLock, SessionObserver, StatementFacts
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


def has_metadata_locks(connection: Connection) -> bool:
    """Tell whether ``performance_schema.metadata_locks`` is filled, and may be read."""
    try:
        return bool(scalar(connection, "SELECT @@performance_schema")) and scalar(connection, _INSTRUMENT) == "YES"
    except DBAPIError:
        return False


def held_locks(connection: Connection, session: int) -> list[HeldLock]:
    """Return the metadata locks that a session holds now; none where they are not shown."""
    if not has_metadata_locks(connection):
        return []
    held = set(rows(connection, _HELD.format(session=session)))
    return [HeldLock(_relation(schema, table), mode, blocks(mode)) for schema, table, mode in sorted(held)]


def _relation(schema: str, table: str) -> str:
    return f"{schema}.{table}" if schema else str(table)


def blocks(mode: str) -> str:
    """Return what others cannot do while a metadata lock of this mode is held."""
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
class MetadataLock:
    """A metadata lock on a table, held or asked for; the connected database has the empty name."""

    schema: str
    table: str
    mode: str
    granted: bool
    session: int


def stands_before(blocker: MetadataLock, waiter: MetadataLock) -> bool:
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


def bare_name(table: str | None) -> str | None:
    """Return the table of InnoDB's qualified and quoted name."""
    return table.rpartition(".")[2].strip("`").replace("``", "`") if table else None
