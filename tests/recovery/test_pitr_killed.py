"""Killed while returning to a moment: afterwards the database is as before or as at the moment, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from migkit.database import Database
from migkit.recovery import pitr
from migkit.recovery.journal import StepJournal
from migkit.recovery.pitr_recovery import recover_pitr
from migkit.storage import encode_instant
from tests.faults.support import execute
from tests.recovery.test_pitr import TABLE, enabled, numbers, write

POINTS = (
    ("started", "recover-beside"),
    ("worked", "recover-beside"),
    ("started", "swap-in"),
    ("worked", "swap-in"),
    ("worked", "keep-old"),
)
CHILD = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from migkit.database import connect
from migkit.recovery.journal import watched
from migkit.recovery.pitr_recovery import recover_to

url, moment, directory, when, step = sys.argv[1:]

def watcher(at, name):
    if (at, name) == (when, step):
        os.kill(os.getpid(), signal.SIGKILL)

with watched(watcher):
    recover_to(connect(url), datetime.fromisoformat(moment), Path(directory))
"""


def kill_at(db: Database, moment: datetime, directory: Path, point: tuple[str, str]) -> None:
    """Return to a moment in a process of its own that is killed at a point."""
    url = db.engine.url.render_as_string(hide_password=False)
    arguments = [sys.executable, "-c", CHILD, url, encode_instant(moment), str(directory), *point]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300, env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL, done.stderr


def check(db: Database, directory: Path, points: tuple[tuple[str, str], ...]) -> None:
    """Kill at each point, recover, and look what is there."""
    execute(db, TABLE[db.dialect.name])
    with enabled(db, directory):
        for number, point in enumerate(points, start=1):
            write(db, number)
            moment = pitr.timestamp(db, directory)
            assert moment.returnable, moment.why_not
            expected = numbers(db)
            write(db, 1000)
            db.close()
            kill_at(db, moment.moment, directory, point)
            (reading,) = StepJournal.unfinished(directory / "pitr")
            said = recover_pitr(reading, db)
            serves = numbers(db)
            assert serves == (expected if "was finished" in said else [*expected, 1000]), said
            assert ("was finished" in said) is (point[1] in ("swap-in", "keep-old") and point[0] == "worked")
            assert not StepJournal.unfinished(directory / "pitr")
            assert reading.facts["staged"] not in db.dialect.list_scratch(db.engine.url)
            assert not Path(reading.facts["room"]).exists()
            if 1000 in serves:
                execute(db, "DELETE FROM written WHERE n = 1000")


def test_a_file_is_whole_after_a_kill(sqlite: Database, tmp_path: Path) -> None:
    check(sqlite, tmp_path, (("worked", "swap-in"),))


@pytest.mark.slow
def test_a_database_is_whole_after_a_kill(db: Database, tmp_path: Path) -> None:
    check(db, tmp_path, POINTS)
