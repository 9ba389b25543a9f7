"""Guarding a change on SQLite: a held write lock, a lock file for deploys, who has the file open, integrity_check."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import StaticPool

from migkit.dialects.guarding import Closed, Guarding, IndexProblem, Opened, Session
from migkit.dialects.sqlite import session as driver
from migkit.dialects.sqlite import standing
from migkit.dialects.sqlite.files import database_file
from migkit.errors import DatabaseInUse, DeployRunning, MigkitError, UnsupportedFeature

try:
    import fcntl
except ImportError:  # Windows keeps two deploys apart by the file alone
    fcntl = None  # type: ignore[assignment]

_PROCESSES = Path("/proc")


class GuardingSQLite(Guarding):
    """Guarding on SQLite, where whoever holds the write lock keeps everybody else from writing."""

    read_only_reach = "the file, for as long as this process lives"
    open_setting = "open"
    read_only_lasts = False
    index_check = "PRAGMA integrity_check"

    def sessions(self, connection: Connection) -> list[Session]:
        """Return the other processes that have the file open, where the system shows them."""
        path = database_file(connection.engine.url)
        if path is None:
            return []
        if not _PROCESSES.is_dir():
            raise UnsupportedFeature("Who has a SQLite file open is seen only where there is /proc")
        return [
            Session(number, _owner(number), "this machine", _program(number), "unknown", None, None)
            for number in _processes_with(path)
        ]

    def write_setting(self, connection: Connection) -> str:
        """Return that there is no setting: read-only lasts only as long as a lock is held."""
        return "open"

    def is_read_only(self, connection: Connection) -> bool:
        """Tell whether somebody holds the write lock now."""
        session = driver.driver_connection(connection)
        if session.in_transaction:
            return False
        waits = session.execute("PRAGMA busy_timeout").fetchone()[0]
        session.execute("PRAGMA busy_timeout = 0")
        try:
            session.execute("BEGIN IMMEDIATE")
            session.rollback()
        except sqlite3.OperationalError:
            return True
        finally:
            session.execute(f"PRAGMA busy_timeout = {int(waits)}")
        return False

    def close_to_writers(self, engine: Engine, *, patience: float, terminate: bool) -> Closed:
        """Hold the write lock; readers go on reading until migkit itself writes."""
        if database_file(engine.url) is None:
            raise UnsupportedFeature(
                "A database in memory has nobody to be closed to", next_step="Nobody else can write to it."
            )
        hold = WriteLock(engine, patience)
        try:
            hold.resume()
        except BaseException:
            hold.release()
            raise
        means = (
            "the file's write lock, held by this process: writers get 'database is locked', readers go on reading; "
            "while the migration writes, readers wait, too"
        )
        return Closed(means, hold=hold)

    def open_to_writers(self, engine: Engine, setting: str, *, patience: float, terminate: bool) -> Opened:
        """Nothing is to be set back: the lock goes with whoever holds it."""
        return Opened()

    @contextmanager
    def deploy_lock(self, engine: Engine, owner: str) -> Iterator[None]:
        """Hold a locked file beside the database that says who deploys."""
        path = database_file(engine.url)
        if path is None or fcntl is None:
            yield
            return
        lock = path.with_name(f"{path.name}-migkit-deploy")
        handle = _locked(lock, str(path))
        try:
            os.ftruncate(handle, 0)
            os.write(handle, owner.encode())
            yield
        finally:
            # While it is still locked, so that nobody waits on a file that has no name any more.
            lock.unlink(missing_ok=True)
            os.close(handle)

    def is_lock_trouble(self, told: str) -> bool:
        """Know that somebody else held the file."""
        return "database is locked" in told or "database table is locked" in told

    def damaged_indexes(self, connection: Connection, tables: Sequence[tuple[str, str]]) -> list[IndexProblem]:
        """Let SQLite check the whole file: pages, rows, and that each index has each row."""
        found = driver.driver_connection(connection).execute("PRAGMA integrity_check").fetchall()
        return [IndexProblem("main", "", "", str(text)) for (text,) in found if text != "ok"]


class WriteLock:
    """The write lock of a file, held by one session that may itself write.

    Attributes
    ----------
    engine : Engine
        All its connections are that one session.
    """

    def __init__(self, engine: Engine, patience: float) -> None:
        own = driver.create_engine(engine.url, poolclass=StaticPool)
        # What reads first and writes later would not get the lock while others write.
        event.listen(own, "begin", _begin_writing, insert=True)
        self.engine: Engine | None = own
        self._place = str(database_file(engine.url))
        self._patience = patience
        self._session: sqlite3.Connection | None = None
        self._version: int | None = None
        self._others_wrote = False
        self._keeps = False

    def lend(self) -> None:
        """Keep the lock from transaction to transaction; in WAL mode that is not to be had, so that it is let go."""
        session = self._open()
        self._keeps = session.execute("PRAGMA journal_mode").fetchone()[0].lower() != "wal"
        if self._keeps:
            session.execute("PRAGMA locking_mode = EXCLUSIVE")
        self.pause()

    def pause(self) -> None:
        """Let go of the lock, and keep the session."""
        if self._session is not None and self._session.in_transaction:
            self._session.rollback()

    def resume(self) -> None:
        """Take the lock, and see whether anybody else wrote since it was held last."""
        session = self._open()
        if session.in_transaction:
            session.rollback()
        session.execute(f"PRAGMA busy_timeout = {max(0, round(self._patience * 1000))}")
        try:
            if self._keeps:
                self._keeps = False
                session.execute("PRAGMA locking_mode = NORMAL")
                # The end of this transaction gives back what keeps out readers, too.
                session.execute("BEGIN IMMEDIATE")
                session.rollback()
            session.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            # They may commit before anybody holds it again to count.
            self._others_wrote |= self._version is not None
            raise DatabaseInUse(
                f"Somebody else held the write lock for {self._patience:g} s: {error}",
                where=self._place,
                next_step="Wait for the writer, or end it; `migkit db connections` shows who has the file open.",
            ) from None
        version = int(session.execute("PRAGMA data_version").fetchone()[0])
        self._others_wrote |= self._version is not None and version != self._version
        self._version = version
        standing.stand(Path(self._place), self)

    def others_wrote(self) -> bool | None:
        """Tell by SQLite's own count of foreign commits."""
        return self._others_wrote

    def release(self) -> None:
        """Let go of the lock, and close the session."""
        standing.leave(Path(self._place))
        self.pause()
        self._session = None
        if self.engine is not None:
            self.engine.dispose()

    def _open(self) -> sqlite3.Connection:
        assert self.engine is not None
        if self._session is None:
            with self.engine.connect() as connection:
                self._session = driver.driver_connection(connection)
        return self._session


def _begin_writing(connection: Connection) -> None:
    session = driver.driver_connection(connection)
    if not getattr(session, "autocommits", False) and not session.in_transaction:
        session.execute("BEGIN IMMEDIATE")


def _locked(lock: Path, database: str) -> int:
    """Open the lock file and lock it; try again if its last holder removed it meanwhile."""
    while True:
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise MigkitError(
                f"The lock that keeps two deploys apart cannot be made: {error.strerror}",
                where=str(lock),
                next_step="Give the right to write into the database's folder.",
            ) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(handle, 300).decode(errors="replace") or "Somebody else"
            os.close(handle)
            raise DeployRunning(
                f"{owner} deploys to this database", where=database, next_step="Wait until it is done."
            ) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), lock.stat()):
                return handle
        os.close(handle)


def _processes_with(path: Path) -> list[int]:
    """Return the numbers of other processes that have a file open."""
    wanted = path.stat()
    found = []
    for folder in _PROCESSES.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with suppress(OSError):  # It ended meanwhile, or belongs to somebody else.
            if any(_is_same(handle, wanted) for handle in (folder / "fd").iterdir()):
                found.append(int(folder.name))
    return sorted(found)


def _is_same(handle: Path, wanted: os.stat_result) -> bool:
    with suppress(OSError):
        seen = handle.stat()
        return stat.S_ISREG(seen.st_mode) and os.path.samestat(seen, wanted)
    return False


def _program(number: int) -> str:
    with suppress(OSError):
        words = (_PROCESSES / str(number) / "cmdline").read_bytes().split(b"\0")
        return " ".join(word.decode(errors="replace") for word in words if word)[:120]
    return ""


def _owner(number: int) -> str:
    # The process may have ended, its account may have no name, and the system may know no owners.
    with suppress(OSError, KeyError, NotImplementedError):
        return (_PROCESSES / str(number)).owner()
    return ""
