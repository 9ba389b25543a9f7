"""Which servers there are, started when first asked for; databases made on them, and what they leave behind."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, make_url

from tests.servers import mysql, postgresql
from tests.servers.process import Unavailable

# Every engine the tests can ask for; "postgresql" is 18, the embedded one.
ENGINES = ("sqlite", "postgresql", "mysql", "mariadb")
POSTGRESQL_VERSIONS = ("postgresql15", "postgresql16", "postgresql")


class Server(Protocol):
    """Something databases can be made on."""

    url: URL

    def create(self, name: str) -> URL:
        """Create an empty database."""

    def drop(self, url: URL) -> list[str]:
        """Drop a database; return what still held on to it."""

    def stop(self) -> None:
        """End the server, if it is ours."""


class SQLiteFolder:
    """A folder of database files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.url = URL.create("sqlite")

    def create(self, name: str) -> URL:
        """Make an empty file, which is an empty database."""
        path = self.folder / f"{name}.db"
        path.touch()
        return URL.create("sqlite", database=str(path))

    def drop(self, url: URL) -> list[str]:
        """Remove the file; return the handles that are still open on it."""
        path = Path(str(url.database))
        leaks = _open_handles(path)
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        return leaks

    def stop(self) -> None:
        """Nothing runs."""


def _open_handles(path: Path) -> list[str]:
    handles = Path("/proc/self/fd")
    if not handles.is_dir():
        return []
    targets = {str(path), f"{path}-wal", f"{path}-journal"}
    found = []
    for handle in list(handles.iterdir()):
        try:
            target = str(handle.readlink())
        except FileNotFoundError:
            continue
        if target in targets:
            found.append(f"open file {target}")
    return found


class Servers:
    """The servers of one test session.

    Parameters
    ----------
    folder : Path
        Where servers keep their data; every parent can be entered by other users.
    """

    def __init__(self, folder: Path) -> None:
        self._starters: dict[str, Callable[[], Server]] = {
            "sqlite": lambda: SQLiteFolder(folder / "sqlite"),
            "postgresql": postgresql.start_embedded,
            "postgresql15": lambda: postgresql.start_15(folder),
            "postgresql16": lambda: postgresql.start_16(folder),
            "mysql": lambda: mysql.start_mysql(folder),
            "mariadb": lambda: mysql.start_mariadb(folder),
        }
        self._started: dict[str, Server | Unavailable] = {}

    def __getitem__(self, engine: str) -> Server:
        """Return the server of an engine, starting it the first time.

        Raises
        ------
        Unavailable
            If it cannot be had here.
        """
        if engine not in self._started:
            try:
                self._started[engine] = _running(engine) or self._starters[engine]()
            except Unavailable as reason:
                self._started[engine] = reason
        found = self._started[engine]
        if isinstance(found, Unavailable):
            raise Unavailable(f"no {engine}: {found}")
        return found

    def forget(self, engine: str) -> None:
        """Stop a server; the next test that asks for the engine gets a new one. For tests that kill servers."""
        found = self._started.pop(engine, None)
        if found is not None and not isinstance(found, Unavailable):
            found.stop()

    def stop(self) -> None:
        """End every server."""
        postgresql.stop_embedded()
        for engine in list(self._started):
            self.forget(engine)


def _running(engine: str) -> Server | None:
    """The server that ``MIGKIT_TEST_<ENGINE>_URL`` names, which is used and left alone."""
    named = os.environ.get(f"MIGKIT_TEST_{engine.upper()}_URL")
    if not named:
        return None
    url = make_url(named)
    if engine == "sqlite":
        return SQLiteFolder(Path(str(url.database)))
    if engine in POSTGRESQL_VERSIONS:
        return postgresql.PostgreSQLServer(url.set(drivername="postgresql+psycopg"))
    return mysql.MySQLServer(url.set(drivername=f"{engine}+pymysql"))


def unique_name() -> str:
    """Return a database name that nothing else has; unlike any that migkit gives its own scratch databases."""
    return f"t_{uuid.uuid4().hex[:12]}"


def remove(folder: Path) -> None:
    """Remove a session's folder."""
    shutil.rmtree(folder, ignore_errors=True)
