"""What watching costs: the same migration and the same load, with a look every 20 ms and without.

Rounds with and without follow each other, in turns, so that whatever else the machine does falls on both; the median of
their ratios counts. The bar: 2 % of a migration's time, and 2 % of a load's throughput. On a machine that does other
things, times differ by more than that from round to round; so processor time is told too, of the watch and of its
sessions on the server, while clients keep all processors busy: what watching takes away from them.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from sqlalchemy import Connection, text

from migkit.config import Config
from migkit.database import Database, connect
from migkit.dialects.local_process import listener
from migkit.migration import runner
from migkit.migration.loading import load_migration
from migkit.observe.lock_watch import LockWatching
from migkit.observe.watcher import Watcher
from migkit.progress import SILENT
from tests.servers import Servers, Unavailable
from tests.servers.process import private_folder
from tests.servers.registry import remove

ENGINES = ("postgresql", "mysql", "mariadb", "sqlite")
# MIGKIT_BENCH_QUICK=1 only shows that it runs.
QUICK = bool(os.environ.get("MIGKIT_BENCH_QUICK"))
ROWS = 2_000 if QUICK else 300_000
ROUNDS = 1 if QUICK else 9
LOAD_SECONDS = 0.5 if QUICK else 4.0
CLIENTS = 4
MAX_COST = 0.02

_UP = """-- migrate:up
ALTER TABLE measured ADD COLUMN b int;
UPDATE measured SET b = a + 1;
CREATE INDEX measured_b ON measured (b);
"""
_DOWN = """-- migrate:down
DROP INDEX measured_b{on};
ALTER TABLE measured DROP COLUMN b;
"""

# One client in a process of its own, straight on the driver; prints how many rows it has fetched.
_CLIENT = """
import random, sys, time
from migkit.database import connect
engine = connect(sys.argv[1]).engine
seconds, rows = float(sys.argv[2]), int(sys.argv[3])
driver = engine.raw_connection()
cursor = driver.cursor()
done = 0
print("ready", flush=True)
sys.stdin.readline()
end = time.monotonic() + seconds
while time.monotonic() < end:
    cursor.execute(f"SELECT a FROM measured WHERE id = {random.randrange(rows)}")
    cursor.fetchall()
    driver.commit()
    done += 1
print(done, flush=True)
"""


class _Blind(Watcher):
    """A watcher that does not look."""

    def start(self, session: int | None) -> None:
        pass


def main() -> bool:
    """Measure, print, and tell whether every bar was reached."""
    folder = private_folder()
    with mock.patch.dict(os.environ, {"MIGKIT_HOME": str(folder / "home")}):
        servers = Servers(folder)
        try:
            reached = [_measure(servers, engine) for engine in ENGINES]
        finally:
            servers.stop()
            remove(folder)
    return all(reached)


def _measure(servers: Servers, engine: str) -> bool:
    try:
        url = servers[engine].create("watching")
    except Unavailable as reason:
        print(f"  · {engine}: {reason}")
        return True
    with connect(url) as db:
        _build(db)
        reached = _told(f"{engine}: a migration of {ROWS:,} rows", _pairs(lambda watched: _migrate(db, watched)))
        if engine != "sqlite":
            # On SQLite the client is the server, and the watch opens no session at all.
            reached = _tell_processor_share(engine, db) and reached
            loads = _pairs(lambda watched: 1 / _load(db, watched))
            reached = _told(f"{engine}: a load of {CLIENTS} clients", loads) and reached
    return reached


def _tell_processor_share(engine: str, db: Database) -> bool:
    """Count the processor time of the watch, and of its sessions on the server, while clients keep everything busy."""
    with _clients(db) as clients, db.engine.connect() as session:
        others = _server_threads(engine, session)
        watching = LockWatching(db).start()
        try:
            _go(clients)
            own = _server_threads(engine, session) - others
            before, begun = time.process_time() + sum(map(_seconds_of, own)), time.monotonic()
            time.sleep(LOAD_SECONDS * 0.8)
            used = time.process_time() + sum(map(_seconds_of, own)) - before
            share = used / (time.monotonic() - begun) / (os.cpu_count() or 1)
        finally:
            watching.stop()
    sign = "✓" if share <= MAX_COST else "✗"
    print(f"  {sign} {engine}: {100 * share:.2f} % of all processors, under load (bar: 2 %)", flush=True)
    return share <= MAX_COST


_THREADS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database()",
    "mysql": "SELECT THREAD_OS_ID FROM performance_schema.threads WHERE PROCESSLIST_ID IS NOT NULL",
    "mariadb": "SELECT TID FROM information_schema.PROCESSLIST",
}


def _server_threads(engine: str, session: Connection) -> set[Path]:
    """Return where the system tells of each session's processor time: a process, or a thread of one."""
    session.rollback()
    numbers = [int(number) for number in session.execute(text(_THREADS[engine])).scalars()]
    if engine == "postgresql":
        return {Path(f"/proc/{number}/stat") for number in numbers}
    server = listener(int(session.execute(text("SELECT @@port")).scalar_one()))
    return {Path(f"/proc/{server}/task/{number}/stat") for number in numbers}


def _seconds_of(stat: Path) -> float:
    fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _build(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE measured (id int PRIMARY KEY, a int NOT NULL)"))
        for first in range(0, ROWS, 10_000):
            values = ", ".join(f"({number}, {number % 1000})" for number in range(first, min(first + 10_000, ROWS)))
            connection.execute(text(f"INSERT INTO measured VALUES {values}"))


def _pairs(measure: Callable[[bool], float]) -> list[tuple[float, float]]:
    """Return pairs of what it takes without and with watching; the one and the other begin in turns."""
    measure(True)
    pairs = []
    for number in range(ROUNDS):
        found = {watched: measure(watched) for watched in ((False, True) if number % 2 else (True, False))}
        pairs.append((found[False], found[True]))
    return pairs


def _told(what: str, pairs: list[tuple[float, float]]) -> bool:
    ratios = sorted(watched / alone for alone, watched in pairs)
    cost = statistics.median(ratios) - 1
    spread = f"{100 * (ratios[0] - 1):+.1f} … {100 * (ratios[-1] - 1):+.1f} %"
    print(
        f"  {'✓' if cost <= MAX_COST else '✗'} {what}: {100 * cost:+.2f} % ({spread} in {len(pairs)} rounds; bar: 2 %)"
    )
    return cost <= MAX_COST


def _migrate(db: Database, watched: bool) -> float:
    with tempfile.TemporaryDirectory() as folder, _watcher(watched):
        path = Path(folder) / "001_measured.sql"
        path.write_text(_UP + _DOWN.format(on=" ON measured" if db.dialect.drops_index_on_table else ""))
        migration = load_migration(path, config=Config())
        up = runner.run(migration, db, journal=False, progress=SILENT)
        down = runner.run(migration, db, direction="down", journal=False, progress=SILENT)
        for run in (up, down):
            if not run.succeeded:
                raise RuntimeError(run.error)
        return up.seconds + down.seconds


@contextmanager
def _watcher(watched: bool) -> Iterator[None]:
    if watched:
        yield
        return
    with mock.patch.object(runner, "Watcher", _Blind):
        yield


def _load(db: Database, watched: bool) -> float:
    """Return how many queries per second all clients together got answered."""
    with _clients(db) as clients:
        watching = LockWatching(db).start() if watched else None
        try:
            begun = time.monotonic()
            _go(clients)
            done = sum(int(_answer(client)) for client in clients)
            return done / (time.monotonic() - begun)
        finally:
            if watching is not None:
                watching.stop()


@contextmanager
def _clients(db: Database) -> Iterator[list[subprocess.Popen[str]]]:
    """Start clients that are connected, and wait for a word."""
    address = db.engine.url.render_as_string(hide_password=False)
    arguments = [sys.executable, "-c", _CLIENT, address, str(LOAD_SECONDS), str(ROWS)]
    clients = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(CLIENTS)
    ]
    try:
        for client in clients:
            _answer(client)
        yield clients
    finally:
        for client in clients:
            client.kill()
            client.communicate()


def _go(clients: Sequence[subprocess.Popen[str]]) -> None:
    for client in clients:
        assert client.stdin is not None
        client.stdin.write("go\n")
        client.stdin.flush()


def _answer(client: subprocess.Popen[str]) -> str:
    assert client.stdout is not None
    line = client.stdout.readline().strip()
    if not line:
        raise RuntimeError("a client of the load has died")
    return line


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
