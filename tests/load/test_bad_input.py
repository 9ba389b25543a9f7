"""What cannot work is said before it begins; what breaks on the way is told, and never passes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import make_url

import migkit as mk
from migkit.database import Database
from migkit.errors import ConfigError, ConnectionFailed, ProtectedDatabase, UnsupportedFeature
from migkit.load.results import LoadInterrupted
from migkit.load.workload import Statement, Transaction, Workload
from tests.faults.support import wait_for
from tests.load.support import BOTH, READS, Told, cell, execute, put_load, sessions, with_items


def _workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "migkit.load.worker_process" in " ".join(child.cmdline())]


def test_a_statement_that_fails_at_once_is_said_before_anything_begins(db: Database, tmp_path: Path) -> None:
    migration = tmp_path / "001_add.sql"
    migration.write_text("ALTER TABLE items ADD COLUMN added integer")
    work = Workload.of(Transaction(["UPDATE items SET n = 0", "SELECT nonsense FROM items"], name="both"), name="mine")
    with pytest.raises(ConfigError, match=r"mine: both fails at once: .*nonsense.*Nothing was started"):
        put_load(with_items(db), work, migration=migration)
    assert not _workers() and sessions(db) == 0
    with db.engine.connect() as connection:
        columns = [row[0] for row in connection.exec_driver_sql("SELECT * FROM items").cursor.description]
        assert columns == ["id", "n", "name"]
        assert connection.exec_driver_sql("SELECT min(n) FROM items").scalar() == 1


def test_a_name_without_a_parameter(sqlite: Database) -> None:
    with pytest.raises(ConfigError, match=r"has no parameter :id.*param id range"):
        put_load(with_items(sqlite), Workload.of("SELECT n FROM items WHERE id = :id"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"clients": 0}, "clients has to be above 0"),
        ({"rate": -1.0}, "rate has to be above 0"),
        ({"rate": 5.0, "closed": True}, "A closed loop has no rate"),
        ({"duration": 0.0}, "duration has to be above 0"),
        ({"long_reader": "soon"}, "long_reader is no stretch of time"),
        ({"workload": "nowhere.sql"}, "cannot be read"),
    ],
)
def test_options_that_make_no_sense(sqlite: Database, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        put_load(with_items(sqlite), **options)


def test_a_database_in_memory_takes_no_load() -> None:
    with mk.connect("sqlite://") as db, pytest.raises(UnsupportedFeature, match="in memory"):
        put_load(db, Workload.of("SELECT 1"))


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_more_clients_than_the_server_lets_in(engine: str, make_database: Any) -> None:
    db = with_items(make_database(engine))
    with pytest.raises(ConfigError, match=r"100000 clients do not fit: the server lets \d+ more sessions in"):
        put_load(db, clients=100_000)


def test_clients_that_the_server_refuses_after_all(postgresql: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # Others may come between the question and the clients.
    monkeypatch.setattr(type(postgresql.dialect), "connection_limit", lambda self, connection: None)
    with_items(postgresql)
    postgresql.close()
    with pytest.raises(ConnectionFailed, match=r"no connection left|too many"):
        put_load(postgresql, clients=300)
    wait_for(lambda: sessions(postgresql) == 0, "the sessions to end")
    assert not _workers()


@pytest.mark.slow
def test_a_rate_that_cannot_be_reached_is_said(sqlite: Database) -> None:
    slow = Workload.of(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300000) SELECT max(x) FROM n"
    )
    result = put_load(with_items(sqlite), slow, rate=2000.0, duration=2.0, clients=2)
    assert not result.passed and result.status == "failed"
    assert 0 < result.reached_rate < 1000
    assert any(sentence.startswith("The rate of 2,000/s was not reached") for sentence in result.verdict)
    assert "never sent" in set(result.errors["kind"])
    assert result.statements["attempted"].sum() == pytest.approx(2000 * result.phases[0].seconds, rel=0.05)


def test_protected_databases_take_reads_only(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_items(sqlite)
    config = tmp_path / "migkit.toml"
    config.write_text(f'[databases.production]\nurl = "{sqlite.engine.url}"\nprotected = true\n')
    monkeypatch.setenv("MIGKIT_CONFIG", str(config))
    with pytest.raises(ProtectedDatabase, match="takes no load that writes"):
        put_load("production", BOTH)  # type: ignore[arg-type]
    (tmp_path / "x.sql").write_text("SELECT 1")
    with pytest.raises(ProtectedDatabase, match="takes no migration"):
        put_load("production", READS, migration=tmp_path / "x.sql")  # type: ignore[arg-type]
    # What only its effect shows to be a write, the server refuses.
    sneaky = Workload.of(Statement("PRAGMA user_version = 7", "sneaky"))
    with pytest.raises(ConfigError, match=r"sneaky fails at once: .*readonly"):
        put_load("production", sneaky)  # type: ignore[arg-type]


def test_a_load_that_names_another_database_stays_out(mysql: Database, make_database: Any) -> None:
    with_items(mysql)
    other = with_items(make_database("mysql"))
    name = other.engine.url.database
    for sql in (f"SELECT n FROM {name}.items", f"UPDATE `{name}`.items SET n = 0"):
        with pytest.raises(mk.MigkitError, match=r"another database|beyond the clone"):
            mk.load_test(mysql, Workload.of(sql), rate=10, duration=0.5)


def test_ctrl_c_keeps_what_was_measured(postgresql: Database) -> None:
    with_items(postgresql)
    told = Told({"second": lambda: os.kill(os.getpid(), signal.SIGINT)})
    with pytest.raises(LoadInterrupted) as caught:
        put_load(postgresql, duration=60.0, progress=told)
    result = caught.value.result
    assert result.status == "interrupted" and not result.passed
    assert "interrupted" in result.explain()
    assert cell(result, "baseline", "read", "done") > 50
    assert not _workers()
    wait_for(lambda: sessions(postgresql) == 0, "the sessions to end")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_cancels_the_migration(postgresql: Database, tmp_path: Path) -> None:
    with_items(postgresql)
    migration = tmp_path / "001_endless.sql"
    migration.write_text("ALTER TABLE items ADD COLUMN added integer;\nSELECT pg_sleep(600);\n")
    told = Told({"Migrating under load": lambda: threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGINT)).start()})
    with pytest.raises(LoadInterrupted) as caught:
        put_load(postgresql, migration=migration, progress=told)
    result = caught.value.result
    assert result.run is not None and not result.run.succeeded and "Interrupted" in str(result.run.error)
    assert cell(result, "during", "read", "attempted") > 0
    assert not _workers()
    wait_for(lambda: sessions(postgresql) == 0, "the sessions to end")


def test_somebody_else_ends_it(sqlite: Database) -> None:
    stop = threading.Event()
    result = put_load(with_items(sqlite), duration=60.0, progress=Told({"second": stop.set}), stop=stop)
    assert result.status == "interrupted" and not result.passed and len(result.timeline)


def test_a_killed_worker_is_told(sqlite: Database) -> None:
    told = Told({"second": lambda: [worker.kill() for worker in _workers()]})
    result = put_load(with_items(sqlite), duration=60.0, progress=told)
    assert result.status == "error" and "worker of the load test died" in str(result.error)
    assert len(result.timeline)


@pytest.mark.slow
def test_a_server_that_goes_away_is_told(postgresql: Database) -> None:
    with_items(postgresql)
    name = postgresql.engine.url.database
    admin = mk.connect(make_url(str(postgresql.engine.url)).set(database="postgres"))

    def close_down() -> None:
        execute(
            admin,
            f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false',
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )

    try:
        result = put_load(postgresql, duration=60.0, progress=Told({"second": close_down}))
    finally:
        execute(admin, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        admin.close()
    assert result.status == "error" and not result.passed
    assert "No client could reach the server" in str(result.error)
    assert cell(result, "baseline", "read", "done") > 0
    assert cell(result, "baseline", "read", "errors") > 0


@pytest.mark.slow
def test_clients_that_are_thrown_out_come_back(postgresql: Database) -> None:
    with_items(postgresql)

    def throw_out() -> None:
        execute(
            postgresql,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'migkit load'",
        )

    result = put_load(postgresql, duration=5.0, progress=Told({"second": throw_out}))
    assert result.status == "failed"
    assert cell(result, "baseline", "read", "done") > 300
    # Each of the four costs a request, also those that had nothing to do just then.
    assert 4 <= cell(result, "baseline", "read", "errors") <= 20
    wait_for(lambda: sessions(postgresql) == 0, "the sessions to end")


@pytest.mark.excused("sqlite", why="its readers let a migration pass")
@pytest.mark.slow
def test_a_migration_that_never_gets_its_lock(db: Database, tmp_path: Path) -> None:
    if db.dialect.name == "mysql":
        pytest.skip("mariadb shows the same, and is quicker")
    with_items(db)
    migration = tmp_path / "001_add.sql"
    migration.write_text("ALTER TABLE items ADD COLUMN added integer")
    result = put_load(
        db, "auto", migration=migration, long_reader="30s", lock_timeout=1, retries=1, duration=0.5, rate=50.0
    )
    assert result.status == "failed" and len(result.runs) == 2
    assert any("never got its lock in 2 tries" in sentence for sentence in result.verdict), result.verdict
    assert cell(result, "during", "SELECT items by id", "max_ms") > 500


def test_a_script_without_a_main_guard(sqlite: Database, tmp_path: Path) -> None:
    with_items(sqlite)
    script = tmp_path / "script.py"
    script.write_text(
        "import migkit as mk\n"
        "print('begun')\n"
        "work = mk.Workload.of('SELECT n FROM items')\n"
        "options = {'rate': 20, 'duration': 0.5, 'warm_up': 0, 'clients': 2, 'processes': 2, 'here': True}\n"
        f"result = mk.load_test({str(sqlite.engine.url)!r}, work, **options)\n"
        "print(result.passed)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["begun", "True"]
