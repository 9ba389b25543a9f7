"""What a killed deploy leaves behind is said, and finished or undone; whoever still lives is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from migkit import verbs
from migkit.config import Config
from migkit.database import Database
from migkit.progress import SILENT
from migkit.recovery.journal import StepJournal
from migkit.recovery.read_only import is_read_only
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.workflow.evidence import load_evidence
from migkit.workflow.recover import Recovery, recover
from tests.faults.support import address, execute, scalar
from tests.workflow.deploys import GOOD, LOSING, deployed, migration, shop

VICTIM = """
import os, signal, sys
import migkit as mk
from migkit.progress import SILENT
from migkit.recovery.journal import watched

def die(moment, name):
    if [moment, name] == sys.argv[3:5]:
        os.kill(os.getpid(), signal.SIGKILL)

with watched(die):
    mk.deploy(sys.argv[1], sys.argv[2], require_rehearsal=False, watch_seconds=0, progress=SILENT)
"""


def killed(db: Database, folder: Path, source: str, moment: str, step: str) -> None:
    """Deploy in a process that is killed."""
    path = migration(folder, source).path
    command = [sys.executable, "-c", VICTIM, str(path), address(db), moment, step]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    db.close()


def recovered(db: Database | None, folder: Path) -> Recovery:
    return recover(Config(), roots=(folder / "reports", folder / "backups"), db=db, progress=SILENT)


@pytest.mark.parametrize(
    ("moment", "step", "applied"),
    [
        ("started", "read-only-on", False),
        ("worked", "read-only-on", False),
        ("started", "run", False),
        ("worked", "run", True),
        ("ended", "validate", True),
    ],
)
@pytest.mark.slow
def test_a_killed_deploy(postgresql: Database, tmp_path: Path, moment: str, step: str, applied: bool) -> None:
    before = capture(shop(postgresql))
    killed(postgresql, tmp_path, GOOD, moment, step)
    found = recovered(postgresql, tmp_path)
    assert found.passed, repr(found)
    assert len(found.work) == 1
    assert is_read_only(postgresql) is False
    assert sa.inspect(postgresql.engine).has_table("notes") is applied
    if not applied:
        assert compare(before, capture(postgresql)).identical
    assert recovered(postgresql, tmp_path).work.empty
    [folder] = (tmp_path / "reports").iterdir()
    status = load_evidence(folder).status
    assert status == ("deployed" if applied else "rolled back" if step == "run" else "stopped")


@pytest.mark.slow
def test_killed_between_the_run_and_taking_back(postgresql: Database, tmp_path: Path) -> None:
    before = capture(shop(postgresql))
    killed(postgresql, tmp_path, LOSING, "worked", "run")
    found = recovered(postgresql, tmp_path)
    assert found.passed, repr(found)
    assert compare(before, capture(postgresql)).identical


def test_rows_written_since_are_kept(sqlite: Database, tmp_path: Path) -> None:
    """On SQLite, nobody is kept out once the process is dead."""
    shop(sqlite)
    killed(sqlite, tmp_path, GOOD, "worked", "run")
    execute(sqlite, "INSERT INTO users VALUES (4, 'dee')")
    found = recovered(None, tmp_path)
    assert found.passed, repr(found)
    assert scalar(sqlite, "SELECT email FROM users WHERE id = 4") == "dee"
    assert sa.inspect(sqlite.engine).has_table("notes")


@pytest.mark.slow
def test_what_only_a_person_can_decide_is_said_and_not_tried_again(sqlite: Database, tmp_path: Path) -> None:
    shop(sqlite)
    killed(sqlite, tmp_path, LOSING, "worked", "run")
    execute(sqlite, "INSERT INTO orders VALUES (12, 2)")
    for _ in range(2):
        found = recovered(sqlite, tmp_path)
        assert not found.passed
        assert "migkit restore-backup" in repr(found)
        assert scalar(sqlite, "SELECT count(*) FROM orders") == 3
    refused = deployed(sqlite, tmp_path, GOOD)
    assert refused.status == "refused"
    assert "migkit recover" in str(refused.error)
    accepted = recover(Config(), roots=(tmp_path / "reports",), db=sqlite, accept=True)
    assert accepted.passed
    assert StepJournal.unfinished(tmp_path / "reports") == []


def test_a_file_that_was_changed_since_is_not_used(sqlite: Database, tmp_path: Path) -> None:
    shop(sqlite)
    killed(sqlite, tmp_path, GOOD, "worked", "run")
    migration(tmp_path, GOOD + "\n")
    found = recovered(sqlite, tmp_path)
    assert not found.passed
    assert "was changed since" in repr(found)


def test_whoever_lives_is_left_alone(sqlite: Database, tmp_path: Path) -> None:
    with closing(StepJournal.create(tmp_path / "reports" / "x", kind="deploy", database=sqlite.name, place=sqlite.url)):
        found = recovered(sqlite, tmp_path)
        assert found.passed
        assert f"process {os.getpid()}" in repr(found)


def test_nothing_to_recover(sqlite: Database, tmp_path: Path) -> None:
    found = verbs.recover(sqlite, reports=tmp_path / "reports", backups=tmp_path / "backups", progress=SILENT)
    assert found.passed
    assert "nothing was left half done" in repr(found)
