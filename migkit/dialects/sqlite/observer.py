"""What the migration's own session says after each statement: the write lock it holds, and tables that were replaced.

SQLite has one lock for the whole file, taken by the first statement that writes (even if it changes no row) and kept
until the transaction ends. The driver does not tell the state of the lock; the statements do.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from migkit.dialects.base import HeldLock, SessionObserver, StatementFacts
from migkit.dialects.sqlite.files import is_memory
from migkit.dialects.sqlite.session import Session, driver_connection
from migkit.dialects.sqlite.sqltext import Token, tokenize

RELATION = "database file"

_WRITES_ROWS = frozenset(("INSERT", "UPDATE", "DELETE", "REPLACE"))
_WRITES = _WRITES_ROWS | {"CREATE", "DROP", "ALTER", "REINDEX", "ANALYZE", "VACUUM"}
_WITHOUT_LOCK = frozenset(("PRAGMA", "SAVEPOINT", "RELEASE", "BEGIN"))
_LEADING_CHARACTERS = 100_000


class WriteLockObserver(SessionObserver):
    """Watches one session.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        The session that runs the migration.
    """

    def __init__(self, connection: Connection) -> None:
        self._session = driver_connection(connection)
        with _without_read_lock(connection, self._session):
            self._wal = _scalar(self._session, "PRAGMA journal_mode") == "wal"
            self._moves_roots = _scalar(self._session, "PRAGMA auto_vacuum") != 0
            self._schema_version = _scalar(self._session, "PRAGMA schema_version")
            self._roots: dict[str, int | None] = dict(_root_pages(self._session))
        self._mode: str | None = None
        self._statements: list[str] = []
        self._changes = self._session.total_changes
        event.listen(connection, "before_cursor_execute", self._remember)
        event.listen(connection, "commit", self._released)
        event.listen(connection, "rollback", self._released)

    def _remember(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        self._statements.append(statement)

    def _released(self, _connection: Any) -> None:
        self._mode = None

    def before_statement(self) -> None:
        """Forget what ran before."""
        self._statements.clear()
        self._changes = self._session.total_changes

    def after_statement(self) -> StatementFacts:
        """Return the write lock, if the open transaction holds it, and the tables whose rows were moved."""
        tokens = [tokenize(statement[:_LEADING_CHARACTERS]) for statement in self._statements]
        # Of the statement during which it was made, the observer heard nothing.
        if tokens and self._session.in_transaction and all(map(_locks_nothing, tokens)):
            # Reading now would take a lock that the migration has not; see below.
            return StatementFacts(locks=self._locks())
        version = _scalar(self._session, "PRAGMA schema_version")
        schema_changed = version != self._schema_version
        wrote = schema_changed or self._session.total_changes != self._changes
        self._follow_lock(tokens, wrote)
        rewritten = self._replaced() if schema_changed else []
        rewritten += [table for table in map(_column_dropped_from, tokens) if table and table not in rewritten]
        self._schema_version = version
        self.before_statement()
        return StatementFacts(locks=self._locks(), rewritten=tuple(rewritten))

    def _follow_lock(self, statements: list[list[Token]], wrote: bool) -> None:
        if not self._session.in_transaction:
            self._mode = None
            return
        if any(_is_exclusive(tokens) for tokens in statements) and not self._wal:
            self._mode = "EXCLUSIVE"
        elif self._mode is None and (wrote or any(map(_takes_write_lock, statements))):
            self._mode = "WRITE" if self._wal else "RESERVED"

    def _locks(self) -> tuple[HeldLock, ...]:
        if self._mode is None:
            return ()
        blocks = {
            "WRITE": "writes",
            "RESERVED": "writes (and reads while committing)",
            "EXCLUSIVE": "reads and writes",
        }
        return (HeldLock(RELATION, self._mode, blocks[self._mode]),)

    def _replaced(self) -> list[str]:
        """Compare where tables begin: a table rebuilt under another name, or made anew, begins elsewhere."""
        present = _root_pages(self._session)
        pages = set(present.values())
        for name, page in self._roots.items():
            if page not in pages and (name not in present or not self._moves_roots):
                self._roots[name] = None
        replaced = [name for name, page in present.items() if self._begins_elsewhere(name, page)]
        self._roots.update(present)
        return replaced

    def _begins_elsewhere(self, name: str, page: int) -> bool:
        if name not in self._roots or self._roots[name] == page:
            return False
        # A file that vacuums itself moves the roots of tables nobody touched.
        return self._roots[name] is None or not self._moves_roots


# Sessions that were looked at before, and so may have begun something.
_observed: weakref.WeakSet[sqlite3.Connection] = weakref.WeakSet()


@contextmanager
def _without_read_lock(connection: Connection, session: sqlite3.Connection) -> Iterator[None]:
    """Read before the first statement of a session without keeping a lock from it.

    A transaction that has read waits for no write lock: SQLite answers "database is locked" at once, because two of
    them would wait for each other for ever (https://sqlite.org/c3ref/busy_handler.html). Without our reading, the first
    write of a migration would wait as long as it may.
    """
    is_first = session not in _observed
    _observed.add(session)
    # Where somebody else begins transactions, they may hold more than a plain BEGIN takes.
    is_ours = isinstance(session, Session) and not session.autocommits and not is_memory(connection.engine.url)
    if not (is_first and is_ours and session.in_transaction):
        yield
        return
    # Nothing was done in it yet.
    session.execute("ROLLBACK")
    try:
        yield
    finally:
        session.execute("BEGIN")


def _locks_nothing(tokens: list[Token]) -> bool:
    words = [token.word for token in tokens]
    return not words or (words[0] in _WITHOUT_LOCK and not _takes_write_lock(tokens))


def _scalar(session: sqlite3.Connection, sql: str) -> Any:
    return session.execute(sql).fetchone()[0]


def _root_pages(session: sqlite3.Connection) -> dict[str, int]:
    sql = "SELECT name, rootpage FROM main.sqlite_schema WHERE type = 'table' AND rootpage > 0"
    return dict(session.execute(sql).fetchall())


def _takes_write_lock(tokens: list[Token]) -> bool:
    words = [token.word for token in tokens]
    if not words:
        return False
    if words[0] == "WITH":
        return not _WRITES_ROWS.isdisjoint(words)
    if words[0] == "PRAGMA":
        return _names_file_pragma(tokens)
    return words[0] in _WRITES or words[:2] == ["BEGIN", "IMMEDIATE"]


def _names_file_pragma(tokens: list[Token]) -> bool:
    texts = [token.text.lower() for token in tokens]
    return not {"user_version", "application_id"}.isdisjoint(texts) and not {"=", "("}.isdisjoint(texts)


def _is_exclusive(tokens: list[Token]) -> bool:
    return [token.word for token in tokens[:2]] == ["BEGIN", "EXCLUSIVE"]


def _column_dropped_from(tokens: list[Token]) -> str | None:
    """Return the table of ``ALTER TABLE … DROP COLUMN``, which writes every row anew in place."""
    words = [token.word for token in tokens]
    if words[:2] != ["ALTER", "TABLE"] or "DROP" not in words[3:6]:
        return None
    table = words.index("DROP", 3) - 1
    return tokens[table].name
