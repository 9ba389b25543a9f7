from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from migkit.cli.program import program
from migkit.cli.watch_commands import Duration
from migkit.database import Database
from tests.observe.situations import actors, until, until_waiting


def address(db: Database) -> str:
    return db.engine.url.render_as_string(hide_password=False)


def monitor(db: Database, *arguments: str) -> str:
    done = CliRunner().invoke(program, ["monitor", "-d", address(db), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("5m", 300), ("1h", 3600), ("2", 2), ("0.5 s", 0.5)])
def test_durations(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0s", "soon", "-3s", "5 parsecs"])
def test_no_durations(sqlite: Database, text: str) -> None:
    done = CliRunner().invoke(program, ["monitor", "-d", address(sqlite), "--check-every", text])
    assert done.exit_code == 2
    assert "is no duration" in done.stderr


def test_a_quiet_database(db: Database) -> None:
    printed = monitor(db, "--seconds", "0.2")
    assert f"Watching {db.name}" in printed
    assert f"Locks of {db.name}: nobody waited" in printed
    assert "Not checked" in printed


def test_orphans_are_counted_again_and_again(sqlite: Database) -> None:
    with sqlite.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE p (id INTEGER PRIMARY KEY)"))
        connection.execute(sa.text("CREATE TABLE c (id INTEGER PRIMARY KEY, p INT REFERENCES p (id))"))
        connection.execute(sa.text("INSERT INTO c VALUES (1, 77), (2, 78)"))
    document = json.loads(monitor(sqlite, "--seconds", "0.6", "--check-every", "0.1s", "--json"))
    assert len(document["integrity"]) >= 2
    assert {check["orphaned_records"] for check in document["integrity"]} == {2}
    assert document["format"] == "migkit-lock-watch"
    assert document["metrics"]["error_rate"] is None
    assert "2 orphans" in monitor(sqlite, "--seconds", "0.1", "--check-every", "60s")


def test_waits_are_shown_while_they_last_and_summed_up_at_ctrl_c(postgresql: Database, tmp_path: Path) -> None:
    with actors(postgresql, 3) as (holder, reader, asker):
        holder.do('CREATE TABLE "<b>v" (id int)', "BEGIN", 'LOCK TABLE "<b>v" IN ACCESS EXCLUSIVE MODE')
        process = subprocess.Popen(
            [sys.executable, "-m", "migkit", "monitor", "-d", address(postgresql)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        lines: list[str] = []
        assert process.stdout is not None
        reading = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
        reading.start()
        try:
            reader.begin('SELECT count(*) FROM "<b>v"')
            until_waiting(asker, postgresql, reader.session)
            until(lambda: any("waits now" in line for line in lines), "the wait on the screen")
            until(lambda: any("holds AccessExclusiveLock" in line for line in lines), "the lock on the screen")
            holder.do("COMMIT")
            reader.join()
            until(lambda: any("waited" in line and "waits now" not in line for line in lines), "its end")
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(30)
            reading.join()
            process.stdout.close()
            assert process.stderr is not None
            complaints = process.stderr.read()
            process.stderr.close()
    printed = "".join(lines)
    assert code == 0, complaints
    assert f"session {reader.session} waited" in printed
    assert f"for session {holder.session} on <b>v (AccessShareLock)" in printed
    assert "1 session waited" in printed
    assert f"session {holder.session} holds AccessExclusiveLock on <b>v" in printed


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "migkit", "monitor", "-d", f"sqlite:///{tmp_path / 'none.db'}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "none.db" in done.stderr
