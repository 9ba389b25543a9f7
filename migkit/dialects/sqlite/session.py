"""Engines and sessions: transactions begin where SQL says so, a missing file stays missing, captures only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, StaticPool

from migkit.dialects.sqlite.files import OpenMode, is_memory, sqlite_uri, synchronous_url, wait_seconds
from migkit.dialects.sqlite.sqltext import Token, tokenize
from migkit.errors import UnsupportedFeature

OLDEST_VERSION = (3, 37, 0)
_FOREVER_MS = 2**31 - 1

# PRAGMAs that SQLite refuses, or worse ignores, inside a transaction.
_OUTSIDE_PRAGMAS = frozenset(
    (
        "foreign_keys",
        "journal_mode",
        "synchronous",
        "temp_store",
        "wal_checkpoint",
        "locking_mode",
        "page_size",
        "auto_vacuum",
        "incremental_vacuum",
        "mmap_size",
        "secure_delete",
        "legacy_alter_table",
    )
)
# Of them, those that do their work when they are only called.
_OUTSIDE_CALLS = frozenset(("wal_checkpoint", "incremental_vacuum"))
_OUTSIDE_STATEMENTS = frozenset(("VACUUM", "DETACH"))


class Session(sqlite3.Connection):
    """A driver connection that never begins or commits by itself.

    Python's driver commits before some statements and begins before others. Here ``isolation_level`` no longer reaches
    it: the attribute only remembers whether SQLAlchemy asked for ``AUTOCOMMIT``, and BEGIN is sent by the engine.
    """

    autocommits = False

    @property
    def isolation_level(self) -> Any:
        """``None`` while statements commit by themselves, as SQLAlchemy expects it."""
        return None if self.autocommits else ""

    @isolation_level.setter
    def isolation_level(self, level: Any) -> None:
        self.autocommits = level is None


def create_engine(url: URL, *, create: bool = False, **options: Any) -> Engine:
    """Return an engine for the file or memory a URL names.

    Parameters
    ----------
    url : sqlalchemy.URL
        The database.
    create : bool
        Make the file if it does not exist; else connecting to it fails.
    **options
        Passed to :func:`sqlalchemy.create_engine`.
    """
    return _engine(url, "rwc" if create else "rw", options)


def read_only_engine(url: URL) -> Engine:
    """Return an engine whose sessions cannot write."""
    return _engine(url, "ro", {})


def _engine(url: URL, mode: OpenMode, options: dict[str, Any]) -> Engine:
    url = synchronous_url(url)
    # A pooled connection would keep the file open, and so keep others from switching its journal mode.
    options.setdefault("poolclass", StaticPool if is_memory(url) else NullPool)
    arguments = options.pop("connect_args", {})
    engine = sa.create_engine(url, creator=lambda: _open(url, mode, arguments), **options)
    event.listen(engine, "begin", _begin)
    return engine


def _open(url: URL, mode: OpenMode, arguments: dict[str, Any]) -> sqlite3.Connection:
    settings: dict[str, Any] = {"timeout": wait_seconds(url)} | arguments
    connection = sqlite3.connect(
        sqlite_uri(url, mode), uri=True, isolation_level=None, check_same_thread=False, factory=Session, **settings
    )
    if mode == "ro" and not is_memory(url):
        connection.execute("PRAGMA query_only = ON")
    return connection


def _begin(connection: Connection) -> None:
    session = driver_connection(connection)
    if not getattr(session, "autocommits", False) and not session.in_transaction:
        connection.exec_driver_sql("BEGIN")


def driver_connection(connection: Connection) -> sqlite3.Connection:
    """Return the driver's connection; statements sent through it pass no hook and begin no transaction."""
    session = connection.connection.driver_connection
    if not isinstance(session, sqlite3.Connection):
        raise UnsupportedFeature(
            f"migkit works with Python's sqlite3 driver, not with {type(session).__name__}",
            next_step="Give the database's URL instead of an engine.",
        )
    return session


def server_version(connection: Connection) -> str:
    """Return the library's version, having read the file through a read-only connection.

    The session itself does not read it: the last read-write session to leave a WAL file writes it back into the
    database, and connecting must change nothing.

    Raises
    ------
    UnsupportedFeature
        If the library is older than migkit supports.
    sqlalchemy.exc.DBAPIError
        If the file is no database or cannot be read.
    """
    if sqlite3.sqlite_version_info < OLDEST_VERSION:
        raise UnsupportedFeature(
            f"migkit needs SQLite {'.'.join(map(str, OLDEST_VERSION[:2]))} or later, this Python has "
            f"{sqlite3.sqlite_version}",
            next_step="Use a newer Python.",
        )
    url = connection.engine.url
    if not is_memory(url):
        engine = read_only_engine(url)
        with engine.connect() as reader:
            reader.exec_driver_sql("SELECT count(*) FROM sqlite_schema").close()
    return f"SQLite {sqlite3.sqlite_version}"


@contextmanager
def snapshot(engine: Engine) -> Iterator[list[Connection]]:
    """Open one read transaction; a file is opened read-only, memory is read through its own connection."""
    if is_memory(engine.url):
        with engine.connect() as connection, _query_only(connection):
            yield [connection]
        return
    reader = read_only_engine(engine.url)
    with reader.connect() as connection:
        _begin_reading(connection)
        yield [connection]
        connection.rollback()


@contextmanager
def _query_only(connection: Connection) -> Iterator[None]:
    session = driver_connection(connection)
    session.execute("PRAGMA query_only = ON")
    try:
        yield
        connection.rollback()
    finally:
        session.execute("PRAGMA query_only = OFF")


def _begin_reading(connection: Connection) -> None:
    """Fix the instant: BEGIN alone takes no lock, the first read does."""
    connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").close()


def canceller(connection: Connection) -> Callable[[], None]:
    """Return a function that interrupts whatever the connection runs."""
    session = driver_connection(connection)

    def cancel() -> None:
        try:
            session.interrupt()
        except sqlite3.ProgrammingError:
            return  # closed meanwhile: nothing runs any more

    return cancel


def set_lock_timeout(connection: Connection, seconds: float | None) -> None:
    """Limit how long the session waits for the write lock; ``None`` waits as long as it takes."""
    limit_ms = _FOREVER_MS if seconds is None else min(_FOREVER_MS, max(0, round(seconds * 1000)))
    driver_connection(connection).execute(f"PRAGMA busy_timeout = {limit_ms}")


def must_run_outside_transaction(sql: str) -> bool:
    """Tell whether a statement fails, or has no effect, inside a transaction."""
    tokens = tokenize(sql)
    if not tokens:
        return False
    first = tokens[0].word
    if first == "PRAGMA":
        return _changes_outside(tokens[1:])
    return first in _OUTSIDE_STATEMENTS


def _changes_outside(tokens: list[Token]) -> bool:
    """Look at ``[schema .] name [= value | ( value )]``."""
    if len(tokens) > 2 and tokens[1].text == ".":
        tokens = tokens[2:]
    name = tokens[0].text.lower() if tokens else ""
    assigned = len(tokens) > 1 and tokens[1].text in ("=", "(")
    return name in _OUTSIDE_PRAGMAS and (assigned or name in _OUTSIDE_CALLS)


@contextmanager
def reading_errors(statement: str) -> Iterator[None]:
    """Give errors of the driver the class that SQLAlchemy's would have, so that callers know one kind."""
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, None, error, sqlite3.Error) from error
