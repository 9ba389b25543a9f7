"""A process that dies or is interrupted: nothing reads as passed, the source is as it was, and work can go on."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from migkit import embedded, verbs
from migkit.database import Database
from migkit.dialects import dialect_for
from migkit.migration.journal import history
from migkit.progress import SILENT
from tests.faults.support import ENDLESS, Told, address, only_evidence, scalar, sessions, status, untouched, wait_for

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def slow(folder: Path, engine_name: str) -> Callable[[str], str]:
    """Write a migration one of whose ways never ends, once there are rows; a file tells that it has begun."""

    def write(way: str) -> str:
        bodies = {name: [f"{folder}/{name}.began"] if name == way else [] for name in ("up", "down")}
        lines = ["from pathlib import Path", "import sqlalchemy as sa"]
        for name, began in bodies.items():
            lines += [
                f"def {name}(op):",
                "    rows = op.get_bind().execute(sa.text('SELECT count(*) FROM users')).scalar()",
            ]
            lines += ["    op.execute('UPDATE users SET email = email')"]
            for path in began:
                lines += [
                    "    if rows:",
                    f"        Path({path!r}).touch()",
                    f"        op.execute({ENDLESS[engine_name]!r})",
                ]
        (folder / "slow.py").write_text("\n".join(lines) + "\n")
        return "slow.py"

    return write


Slow = Callable[[str], str]


@pytest.fixture
def home(shop: Database) -> Iterator[sa.URL | None]:
    """Where the scratch databases of a rehearsal are made; none are left there in the end."""
    homes = {"embedded": embedded.server_url, "file": lambda: None, "server": lambda: shop.engine.url}
    url = homes[shop.dialect.scratch_home]()
    yield url
    for name in _scratch(shop, url):
        _drop(shop, url, name)
    assert _scratch(shop, url) == []


def _scratch(shop: Database, home: sa.URL | None) -> list[str]:
    return shop.dialect.list_scratch(home)


def _drop(shop: Database, home: sa.URL | None, name: str) -> None:
    if home is None:
        folder = Path(str(shop.dialect.create_scratch(None, "migkit_scratch_probe").database))
        folder.unlink()
        url = sa.URL.create("sqlite", database=str(folder.with_name(f"{name}.db")))
    else:
        url = home.set(database=name)
    shop.dialect.drop_scratch(url)


def _active(shop: Database) -> list[str]:
    return [] if shop.dialect.name == "sqlite" else sessions(shop)


EXCUSE = "its rehearsal differs from MySQL's in nothing that matters here"


@pytest.mark.excused("mariadb", why=EXCUSE)
@pytest.mark.slow
@pytest.mark.parametrize("way", ["up", "down"])
def test_killed_while_rehearsing(
    shop: Database, home: sa.URL | None, slow: Slow, start: Start, folder: Path, way: str
) -> None:
    before = set(_scratch(shop, home))
    with untouched(shop):
        process = start("rehearse", slow(way), "-d", address(shop))
        wait_for((folder / f"{way}.began").exists, f"the way {way} began")
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert status(folder / "reports") == "running"
    evidence = verbs.load(only_evidence(folder / "reports"))
    assert not evidence.passed
    assert "not proven" in evidence.explain()
    left = set(_scratch(shop, home)) - before
    assert left, "what a crash leaves behind has to be found"
    for name in left:
        _drop(shop, home, name)
    assert set(_scratch(shop, home)) == before
    wait_for(lambda: _active(shop) == [], "the sessions of the killed process end")
    again = verbs.rehearse("add.py", shop, reports=False, progress=SILENT)
    assert again.passed, again.explain()


def test_killed_while_running(shop: Database, slow: Slow, start: Start, folder: Path) -> None:
    process = start("run", slow("up"), "-d", address(shop))
    wait_for((folder / "up.began").exists, "the way up began")
    if shop.dialect.journals_beside:
        written = "SELECT count(*) FROM migration_log_statements WHERE outcome = 'running'"
        wait_for(lambda: scalar(shop, written), "the statement is journalled")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    for query in ("KILL", "pg_terminate_backend"):
        _end_orphans(shop, query)
    wait_for(lambda: _active(shop) == [], "the sessions of the killed process end")
    [attempt] = history(shop).to_dict("records")
    assert attempt["outcome"] == "running"
    result = verbs.run("add.py", shop, progress=SILENT)
    assert result.succeeded, result.error
    assert scalar(shop, "SELECT count(*) FROM users WHERE email = 'x'") == 0


def _end_orphans(shop: Database, verb: str) -> None:
    """A server goes on with a statement whose client has died; end it as an administrator would."""
    with shop.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if shop.dialect.name == "postgresql" and verb != "KILL":
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%%'"
            )
        if shop.dialect.name in ("mysql", "mariadb") and verb == "KILL":
            query = "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT sleep%%'"
            for (number,) in connection.exec_driver_sql(query).all():
                connection.exec_driver_sql(f"KILL {int(number)}")


def _interrupted(process: subprocess.Popen[str]) -> Told:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return Told(process.returncode, out, err)


def test_interrupted_while_running(shop: Database, slow: Slow, start: Start, folder: Path) -> None:
    before = verbs.capture(shop, progress=SILENT)
    process = start("run", slow("up"), "-d", address(shop))
    wait_for((folder / "up.began").exists, "the way up began")
    told = _interrupted(process)
    assert "nterrupted" in told.last_word
    assert _active(shop) == []
    [attempt] = history(shop).to_dict("records")
    assert attempt["outcome"] == "cancelled"
    assert verbs.compare(before, verbs.capture(shop, progress=SILENT)).identical


@pytest.mark.excused("mariadb", why=EXCUSE)
@pytest.mark.slow
@pytest.mark.parametrize("way", ["up", "down"])
def test_interrupted_while_rehearsing(
    shop: Database, home: sa.URL | None, slow: Slow, start: Start, folder: Path, way: str
) -> None:
    before = _scratch(shop, home)
    with untouched(shop):
        process = start("rehearse", slow(way), "-d", address(shop))
        wait_for((folder / f"{way}.began").exists, f"the way {way} began")
        told = _interrupted(process)
    assert "nterrupted" in told.last_word
    assert status(folder / "reports") == "interrupted"
    assert not verbs.load(only_evidence(folder / "reports")).passed
    assert _scratch(shop, home) == before
    assert _active(shop) == []


def test_interrupted_while_cloning(postgresql: Database, start: Start, folder: Path) -> None:
    """The copy waits for a lock; Ctrl-C ends it, its programs and its scratch database."""
    dialect, home = dialect_for(embedded.server_url()), embedded.server_url()
    before = dialect.list_scratch(home)
    with closing(postgresql.engine.connect()) as holder:
        holder.exec_driver_sql("CREATE TABLE users (id integer)")
        holder.commit()
        holder.exec_driver_sql("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        process = start("rehearse", "add.py", "-d", address(postgresql))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'migkit'"
        wait_for(lambda: scalar(postgresql, waiting), "pg_dump waits for the lock")
        told = _interrupted(process)
    assert "nterrupted" in told.last_word
    assert dialect.list_scratch(home) == before
    wait_for(lambda: sessions(postgresql) == [], "the sessions of pg_dump end")
    assert json.loads((only_evidence(folder / "reports") / "evidence.json").read_text())["status"] == "interrupted"
