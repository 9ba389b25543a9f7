"""What others wrote is never lost to a way back, and nothing is called done that nobody knows to be done."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from migkit.config import Config
from migkit.database import Database
from migkit.errors import ConnectionFailed, DatabaseInUse, RestoreFailed
from migkit.progress import SILENT
from migkit.recovery import pitr
from migkit.recovery.journal import StepJournal, watched
from migkit.recovery.read_only import ReadOnly, close_to_writers, is_read_only
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.workflow import recover as recovering
from migkit.workflow.deployment import undoing
from migkit.workflow.deployment import window as windows
from migkit.workflow.deployment.results import Deployment
from migkit.workflow.deployment.window import Window
from migkit.workflow.evidence import load_evidence
from migkit.workflow.recover import Recovery, recover
from tests.faults.support import address, execute, scalar
from tests.recovery.conftest import _tools_folder as _tools_folder
from tests.recovery.conftest import server_tools as server_tools
from tests.workflow.deploys import GOOD, LOSING, deployed, migration, shop

pytestmark = pytest.mark.usefixtures("server_tools")

BROKEN = [{"name": "never", "sql": "SELECT 0"}]
NEW_ROW = "INSERT INTO users VALUES (4, 'dee')"
# On the empty copy, where what it promises is learned, nobody dies.
DYING_BETWEEN_ROWS = """
import os, signal
metadata = {"version": "9", "allow": ["change_data:users.email"]}
def up(op):
    with op.get_context().autocommit_block():
        op.execute("UPDATE users SET email = 'x' WHERE id = 1")
        if op.get_bind().exec_driver_sql("SELECT count(*) FROM users").scalar():
            os.kill(os.getpid(), signal.SIGKILL)
        op.execute("UPDATE users SET email = 'y' WHERE id = 2")
"""
DYING_AFTER_ROWS = """
import os, signal
import sqlalchemy as sa
metadata = {"version": "8"}
def up(op):
    with op.get_context().autocommit_block():
        op.execute("DELETE FROM users WHERE id = 3")
        if op.get_bind().exec_driver_sql("SELECT count(*) FROM users").scalar():
            os.kill(os.getpid(), signal.SIGKILL)
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))
"""
VICTIM = """
import os, signal, sys
import migkit as mk
from migkit.progress import SILENT
from migkit.recovery import pitr
from migkit.recovery.journal import watched
from tests.faults.support import execute

ROW = sys.argv[3]

def happens(moment, name):
    if ROW and (moment, name) == ("ended", "read-only-off"):
        with mk.connect(sys.argv[2]) as user:
            execute(user, ROW)
    if ROW and (moment, name) == ("started", "take-back"):
        os.kill(os.getpid(), signal.SIGKILL)

with watched(happens):
    mk.deploy(sys.argv[1], sys.argv[2], require_rehearsal=False, watch_seconds=0, progress=SILENT,
              strategy=["down", "backup"], smoke_tests=[{"name": "never", "sql": "SELECT 0"}])
"""


def killed(db: Database, folder: Path, source: str, row: str = "") -> None:
    """Deploy in a process that dies."""
    path = migration(folder, source).path
    command = [sys.executable, "-c", VICTIM, str(path), address(db), row]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    db.close()


def recovered(db: Database, folder: Path) -> Recovery:
    return recover(Config(), roots=(folder / "reports", folder / "backups"), db=db, progress=SILENT)


def test_a_row_written_just_before_the_database_is_closed_again(sqlite: Database, tmp_path: Path) -> None:
    """Whether others wrote is looked at once nobody can any more."""
    shop(sqlite)
    closings = []

    def user(moment: str, name: str) -> None:
        if (moment, name) == ("before", "read-only-on"):
            closings.append(name)
            if len(closings) == 2:
                execute(sqlite, NEW_ROW)

    with watched(user):
        result = deployed(sqlite, tmp_path, GOOD, smoke_tests=BROKEN, rollback={"strategy": ["backup"]})
    assert len(closings) == 2
    assert scalar(sqlite, "SELECT email FROM users WHERE id = 4") == "dee"
    assert result.status == "failed"
    assert "rows were written since" in result.taken_back["tried"][0]["why_not"]


def test_a_second_restore_is_not_tried_over_what_others_wrote_into_the_first(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    real = undoing.take_back

    def then_somebody_writes(strategy: str, **said: Any) -> Any:
        tried.append(strategy)
        done = real(strategy, **said)
        return undoing.replace(done, restored=False, differences=("a row more",))

    monkeypatch.setattr(undoing, "take_back", then_somebody_writes)
    monkeypatch.setattr(undoing, "_is_as_before", lambda *_: False)
    strategy = {"strategy": ["backup", "pitr"]}
    result = deployed(shop(sqlite), tmp_path, LOSING, rollback=strategy)
    assert tried == ["backup"]
    assert "put another database in place" in result.taken_back["tried"][1]["why_not"]


@pytest.mark.slow
def test_rows_written_between_two_closings_outlive_a_kill(postgresql: Database, tmp_path: Path) -> None:
    """The database is read-only when it is recovered; it was not all the time."""
    shop(postgresql)
    killed(postgresql, tmp_path, GOOD, NEW_ROW)
    assert is_read_only(postgresql)
    found = recovered(postgresql, tmp_path)
    assert scalar(postgresql, "SELECT email FROM users WHERE id = 4") == "dee"
    assert not found.passed
    assert "rows were written since" in repr(found)


def test_half_of_the_rows_changed_is_not_called_deployed(sqlite: Database, tmp_path: Path) -> None:
    """The schema is all as promised: that says nothing of rows."""
    killed(shop(sqlite), tmp_path, DYING_BETWEEN_ROWS)
    assert scalar(sqlite, "SELECT email FROM users WHERE id = 1") == "x"
    found = recovered(sqlite, tmp_path)
    assert not found.passed, repr(found)
    [folder] = (tmp_path / "reports").iterdir()
    evidence = load_evidence(folder)
    assert isinstance(evidence, Deployment)
    assert evidence.status == "failed"
    assert "nothing says that it ran to its end" in str(evidence.error)


def test_rows_deleted_before_the_schema_was_changed_are_not_called_untouched(sqlite: Database, tmp_path: Path) -> None:
    killed(shop(sqlite), tmp_path, DYING_AFTER_ROWS)
    found = recovered(sqlite, tmp_path)
    assert not found.passed, repr(found)
    assert "Nothing of the migration stands" not in repr(found)


def test_a_closing_that_was_broken_off_leaves_nobody_locked_out(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop(postgresql)
    real = windows.close_to_writers

    def breaks_off(*args: Any, **said: Any) -> ReadOnly:
        real(*args, **said)
        raise ConnectionFailed("The connection was lost")

    monkeypatch.setattr(windows, "close_to_writers", breaks_off)
    result = deployed(postgresql, tmp_path, GOOD)
    assert result.status == "stopped"
    assert is_read_only(postgresql) is False


def test_ctrl_c_while_sessions_are_waited_for_leaves_it_open(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("migkit.dialects.postgresql.guarding._end_older", interrupted)
    with pytest.raises(KeyboardInterrupt):
        postgresql.dialect.close_to_writers(postgresql.engine, patience=1, terminate=False)
    assert is_read_only(postgresql) is False


def test_a_server_is_open_again_where_nobody_could_tell_whether_migkit_may_write(
    mysql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise ConnectionFailed("The connection was lost")

    monkeypatch.setattr("migkit.dialects.mysql.guarding._may_still_write", refused)
    with pytest.raises(ConnectionFailed):
        mysql.dialect.close_to_writers(mysql.engine, patience=1, terminate=False)
    assert is_read_only(mysql) is False


def test_table_locks_prove_nothing_for_the_time_in_which_migkit_works(sqlite: Database) -> None:
    shop(sqlite)
    locks = SimpleNamespace(closed=SimpleNamespace(hold=object()), others_wrote=lambda: None)
    window = Window(cast(Any, SimpleNamespace(db=sqlite)), "migkit")
    window.held, window.were_let_in = cast(Any, locks), True
    assert "only table locks" in str(window.others_wrote(capture(sqlite)))


def test_a_deploy_waits_for_the_restore_that_it_began(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> dict[str, str]:
        raise RestoreFailed("The server is away")

    monkeypatch.setitem(cast(Any, recovering._HANDLERS), "restore", fails)
    for kind in ("restore", "deploy"):
        StepJournal.create(
            tmp_path / "reports" / kind,
            kind=cast(Any, kind),
            database=sqlite.name,
            place=sqlite.url,
        ).close()
    found = recovered(sqlite, tmp_path)
    assert found.work["outcome"].tolist() == ["failed", "failed"]
    assert "has to be settled first" in found.work["told"].iloc[1]


def test_whoever_holds_the_lock_when_it_is_wanted_back_may_have_written(sqlite: Database) -> None:
    shop(sqlite)
    held = close_to_writers(sqlite, patience=0.1).closed.hold
    assert held is not None
    held.pause()
    with closing(sqlite3.connect(str(sqlite.engine.url.database), isolation_level=None)) as user:
        user.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseInUse):
            held.resume()
    assert held.others_wrote()
    held.release()


@pytest.mark.slow
def test_a_closed_server_is_returned_to_a_moment(postgresql: Database, tmp_path: Path) -> None:
    """Point in time works through the read-only window, and what it puts in place is closed until the window ends."""
    before = capture(shop(postgresql))
    pitr.enable(postgresql, tmp_path / "backups")
    seen: list[bool | None] = []

    def look(moment: str, name: str) -> None:
        if (moment, name) == ("ended", "swap-in"):
            postgresql.close()
            seen.append(is_read_only(postgresql))

    try:
        with watched(look):
            result = deployed(postgresql, tmp_path, LOSING, rollback={"strategy": ["pitr"]})
        assert result.status == "rolled back", repr(result)
        assert seen == [True]
        assert is_read_only(postgresql) is False
        assert compare(before, capture(postgresql)).identical
    finally:
        pitr.disable(postgresql, tmp_path / "backups")
