"""The fixtures hold what they promise: fresh, empty, apart, gone afterwards, and a leak is seen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from migkit.database import Database
from tests.servers import Servers
from tests.servers.chinook import Chinook
from tests.servers.process import _sweep
from tests.servers.registry import unique_name
from tests.source import ROOT


@pytest.mark.every_postgresql
def test_a_database_is_empty_and_writable(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
        assert connection.scalar(text("SELECT count(*) FROM t")) == 0


def test_two_databases_are_apart(engine_name: str, make_database: Callable[[str], Database]) -> None:
    one, other = make_database(engine_name), make_database(engine_name)
    with one.engine.begin() as connection:
        connection.execute(text("CREATE TABLE only_here (a INTEGER)"))
    with other.engine.begin() as connection:
        connection.execute(text("CREATE TABLE only_here (a INTEGER)"))


@pytest.mark.slow
def test_a_connection_left_open_is_seen(db: Database, engine_name: str, servers: Servers) -> None:
    name = unique_name()
    url = servers[engine_name].create(name)
    engine = db.dialect.create_engine(url)
    kept = engine.connect()
    kept.execute(text("CREATE TABLE t (a INTEGER)"))
    kept.commit()
    leaks = servers[engine_name].drop(url)
    kept.invalidate()
    kept.close()
    engine.dispose()
    assert len(leaks) == 1


def test_chinook_loads(db: Database, engine_name: str, chinook: Chinook) -> None:
    chinook.load(db)
    track = "track" if engine_name == "postgresql" else "Track"
    with db.engine.connect() as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM {track}")) == 3503


def test_a_server_dies_with_the_session_that_started_it(tmp_path: Path) -> None:
    program = (
        "import os, signal, time\n"
        "from pathlib import Path\n"
        "from tests.servers.process import start\n"
        f"server = start(['sleep', '600'], log=Path({str(tmp_path / 'log')!r}), stop_signal=signal.SIGKILL)\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    session = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert session.stdout is not None
    server = int(session.stdout.readline())
    # A program asks for the signal first, and then becomes the server: until it has, it may not have asked.
    _wait_until(lambda: Path(f"/proc/{server}/comm").read_text() == "sleep\n")
    session.send_signal(signal.SIGKILL)
    session.communicate()
    _wait_until(lambda: not _runs(server))


def _wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet has ended."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_folders_of_dead_sessions_are_swept(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead, alive = tmp_path / f"migkit-tests-{ended.pid}-x", tmp_path / f"migkit-tests-{os.getpid()}-x"
    dead.mkdir()
    alive.mkdir()
    _sweep(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir()] == [alive.name]
