"""What can be known of everybody who uses a SQLite file: the locks that processes hold on it, as the system lists them.

SQLite locks single bytes of the file, far behind any data; in WAL mode, bytes of the file ``-shm``
(https://sqlite.org/lockingv3.html, https://sqlite.org/walformat.html). Linux lists such locks in ``/proc/locks`` with
their owners. The file itself is not opened for that: closing it again would drop this process's own locks on it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from migkit.dialects.local_process import read_process
from migkit.dialects.measuring import Eye, IncidentKind, Measuring, Reading, Readings, SessionLock, SessionWait, Sight
from migkit.dialects.sqlite.files import database_file
from migkit.dialects.sqlite.observer import RELATION
from migkit.errors import UnsupportedFeature

_LOCKS = Path("/proc/locks")
_PENDING, _RESERVED, _SHARED = 0x40000000, 0x40000001, 0x40000002
_WAL_WRITE, _WAL_FIRST_READER, _WAL_LAST_READER = 120, 123, 127
_BLOCKS = {
    "EXCLUSIVE": "reads and writes",
    "PENDING": "writes and new reads",
    "RESERVED": "writes (and reads while committing)",
    "WRITE": "writes",
    "SHARED": "commits of writers",
    "READ": "nothing but emptying the write-ahead log",
}
_KINDS: dict[int, IncidentKind] = {sqlite3.SQLITE_BUSY: "lock timeout", sqlite3.SQLITE_INTERRUPT: "cancelled"}
_KEEPS_WRITERS_OUT = ("EXCLUSIVE", "PENDING", "RESERVED", "WRITE")


class _ByteLock(NamedTuple):
    """A line of ``/proc/locks``."""

    pid: int
    is_write: bool
    first: int
    last: int

    def covers(self, byte: int) -> bool:
        return self.first <= byte <= self.last


class SQLiteEye(Eye):
    """Sees which process holds which lock on a database file.

    Parameters
    ----------
    path : Path
        The file.
    session : int, optional
        The process that everything has to concern.

    Notes
    -----
    Nothing shows that somebody waits. But while another process holds the write lock, a statement of this process that
    changes something (:attr:`~migkit.dialects.measuring.Eye.at_work`) must be waiting.
    """

    source = "the system's list of file locks"

    def __init__(self, path: Path, session: int | None) -> None:
        super().__init__()
        self._path = path
        self._session = session
        self._queries: dict[int, str] = {}
        if not _LOCKS.exists():
            self.unchecked.append(
                ("who held the write lock, and when", "this system does not list file locks (/proc/locks)")
            )
        waited = "who waited for the write lock" if session is None else "who waited for the migration"
        self.unchecked.append((waited, "SQLite does not show which sessions wait for which"))
        self.beyond += [
            ("how far long commands are", "SQLite shows no progress to other sessions"),
            ("lock timeouts of others", "'database is locked' is told to the one session that gets it"),
            ("sessions of one process, told apart", "the system lists locks by process"),
        ]

    def look(self, *, with_locks: bool = True) -> Sight:
        """Return the locks on the file as they are now."""
        held = self._held()
        waits = tuple(
            SessionWait(self._session, pid, RELATION, mode)
            for pid, mode in held.items()
            if self._session not in (None, pid) and mode in _KEEPS_WRITERS_OUT and self.at_work
        )
        if self._session is not None:
            held = {pid: mode for pid, mode in held.items() if pid == self._session}
        named = {*held, *(wait.blocker for wait in waits)}
        locks = tuple(SessionLock(pid, RELATION, mode, _BLOCKS[mode]) for pid, mode in held.items())
        return Sight(locks if with_locks else (), waits, queries={pid: self._process(pid) for pid in named})

    def _held(self) -> dict[int, str]:
        """Return the strongest lock of each process."""
        shared_memory = self._path.with_name(self._path.name + "-shm")
        is_wal = shared_memory.exists()
        held: dict[int, str] = {}
        for lock in _byte_locks(self._path):
            _keep_stronger(held, lock.pid, _mode(lock, is_wal))
        for lock in _byte_locks(shared_memory) if is_wal else []:
            _keep_stronger(held, lock.pid, _wal_mode(lock))
        return held

    def _process(self, pid: int) -> str:
        if pid not in self._queries:
            process = read_process(pid)
            self._queries[pid] = f"process {pid}" + (f" ({process.name})" if process else "")
        return self._queries[pid]


def _keep_stronger(held: dict[int, str], pid: int, mode: str | None) -> None:
    order = list(_BLOCKS)
    if mode is not None and (pid not in held or order.index(mode) < order.index(held[pid])):
        held[pid] = mode


def _mode(lock: _ByteLock, is_wal: bool) -> str | None:
    if lock.is_write:
        if lock.covers(_SHARED):
            return "EXCLUSIVE"
        return "PENDING" if lock.covers(_PENDING) else "RESERVED" if lock.covers(_RESERVED) else None
    # In WAL mode, every session that has read holds it, and it says nothing.
    return "SHARED" if lock.last >= _SHARED and not is_wal else None


def _wal_mode(lock: _ByteLock) -> str | None:
    if lock.is_write:
        return "WRITE" if lock.covers(_WAL_WRITE) else None
    return "READ" if lock.first <= _WAL_LAST_READER and lock.last >= _WAL_FIRST_READER else None


def _byte_locks(path: Path) -> list[_ByteLock]:
    """Return the locks that processes hold on bytes of a file."""
    try:
        found = path.stat()
        lines = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    locks = []
    for line in lines:
        fields = line.split()
        # "1: POSIX ADVISORY WRITE 1234 fe:00:5678 0 EOF"; with "->" somebody who waits.
        if len(fields) == 8 and fields[1] == "POSIX" and _is_file(fields[5], found):
            last = 2**63 if fields[7] == "EOF" else int(fields[7])
            locks.append(_ByteLock(int(fields[4]), fields[3] == "WRITE", int(fields[6]), last))
    return locks


def _is_file(place: str, found: os.stat_result) -> bool:
    major, minor, inode = place.split(":")
    if int(inode) != found.st_ino:
        return False
    # Layered file systems call a file's device differently here and there; its number has to do.
    device = (int(major, 16), int(minor, 16))
    return os.major(found.st_dev) == 0 or device[0] == 0 or device == (os.major(found.st_dev), os.minor(found.st_dev))


class MeasuresSQLite(Measuring):
    """The part of SQLite's contract that looks at everybody."""

    def incident_kind(self, error: Exception) -> IncidentKind | None:
        """Tell by SQLite's code: the lock was not to be had in time, or the statement was interrupted."""
        original = error.orig if isinstance(error, DBAPIError) else error
        return _KINDS.get(getattr(original, "sqlite_errorcode", 0) & 0xFF)

    def watched_session(self, connection: Connection, number: int | None) -> int | None:
        """Return this process: it is what holds locks; ``None`` for a database in memory."""
        return os.getpid() if database_file(connection.engine.url) is not None else None

    @contextmanager
    def open_eye(self, engine: Engine, session: int | None = None) -> Iterator[Eye]:
        """Give an eye on the locks of the file, without a session that would keep the file open."""
        path = database_file(engine.url)
        if path is None:
            raise UnsupportedFeature(
                "A database in memory belongs to one connection, so that there is nobody to watch",
                next_step="Use a file.",
            )
        yield SQLiteEye(path, session)

    def read_metrics(self, connection: Connection) -> Readings:
        """Say of each figure why there is none: SQLite has no server that counts."""
        path = database_file(connection.engine.url)
        log = path.with_name(path.name + "-wal") if path is not None else None
        why = "SQLite has no server that counts"
        names = (
            "active", "transactions", "errors", "statements", "statement_ms", "cache_hits", "cache_reads",
            "deadlocks", "lock_timeouts", "cpu_seconds",
        )  # fmt: skip
        readings = {name: Reading(None, "counter", "", why) for name in names}
        size = float(log.stat().st_size) if log is not None and log.exists() else 0.0
        return readings | {
            "connections": Reading(None, "gauge", "", why),
            "replication_lag_seconds": Reading(None, "gauge", "", "SQLite knows no replicas"),
            "log_bytes": Reading(size, "counter", "growth of the -wal file", "0 without a write-ahead log"),
        }
