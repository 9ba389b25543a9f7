"""A restore that is killed between any two instructions: recovering makes one of the two states serve, wholly."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from migkit.database import Database
from migkit.recovery.backup import Backup
from migkit.recovery.backups import make_backup
from migkit.recovery.catalogue import prune, read_catalogue
from migkit.recovery.exactness import compare_restored
from migkit.recovery.journal import StepJournal
from migkit.recovery.restoring import recover_restore
from migkit.state.capture import capture
from migkit.state.snapshot import State
from tests.faults.support import address, execute
from tests.recovery.content import DAMAGE
from tests.recovery.test_restore import others

# The journalled steps, and what the swap itself is made of: the process dies just before it.
WITHIN: dict[str, tuple[str, ...]] = {
    "sqlite": ("sqlite.swapping._copy_aside", "sqlite.swapping._require_same_pages", "sqlite.backing.copy_pages"),
    "postgresql": ("postgresql.swapping._rename", "postgresql.staging.settle"),
    "mysql": (
        "mysql.swapping._drop_triggers",
        "mysql.swapping._rename",
        "mysql.swapping._make_the_rest",
        "mysql.swapping._make",
    ),
}
STEPS = [
    (step, moment) for step in ("fill", "verify", "swap-in", "confirm", "tidy") for moment in ("started", "worked")
]

_CODE = """
import os, signal, sys
from pathlib import Path
import migkit
from migkit.recovery.journal import watched
from migkit.recovery.restoring import restore_backup

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

url, backups, identifier, where = sys.argv[1:]
step, _, moment = where.partition("@")
if not moment:
    module, _, name = ("migkit.dialects." + where).rpartition(".")
    __import__(module)
    setattr(sys.modules[module], name, die)
db = migkit.connect(url)
with watched(lambda now, name: die() if (name, now) == (step, moment) else None):
    restore_backup(identifier, db, directory=Path(backups), patience=5)
"""


def killed(db: Database, backup: Backup, where: str) -> None:
    arguments = [address(db), str(backup.folder.parent), backup.id, where]
    done = subprocess.run([sys.executable, "-c", _CODE, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def is_one_of(db: Database, before: State, after: State) -> bool:
    now = capture(db)
    return any(compare_restored(one, now, dialect=db.dialect, serves=True).exact for one in (before, after))


@pytest.mark.slow
def test_a_killed_restore_is_finished_or_undone(shop: Database, backups: Path) -> None:
    backup = make_backup(shop, backups)
    execute(shop, *DAMAGE)
    before, after = capture(shop), backup.state()
    engine = "mysql" if shop.dialect.name == "mariadb" else shop.dialect.name
    for where in [*(f"{step}@{moment}" for step, moment in STEPS), *WITHIN[engine]]:
        shop.close()
        killed(shop, backup, where)
        [reading] = StepJournal.unfinished(backups)
        assert not reading.is_running
        assert recover_restore(reading, shop)
        assert is_one_of(shop, before, after), where
        assert StepJournal.unfinished(backups) == [], where
        assert others(shop) == [], where


def test_a_killed_restore_of_a_file(sqlite: Database, backups: Path) -> None:
    execute(sqlite, "CREATE TABLE users (id INTEGER PRIMARY KEY)", "INSERT INTO users VALUES (1)")
    backup = make_backup(sqlite, backups)
    execute(sqlite, "INSERT INTO users VALUES (2)")
    before, after = capture(sqlite), backup.state()
    for where in ("swap-in@started", "sqlite.swapping._require_same_pages", "swap-in@worked"):
        killed(sqlite, backup, where)
        [reading] = StepJournal.unfinished(backups)
        told = recover_restore(reading, sqlite)
        assert ("finished" in told) == (where == "swap-in@worked")
        assert is_one_of(sqlite, before, after)
        assert others(sqlite) == []


def test_a_recovery_goes_on_without_the_backup(sqlite: Database, backups: Path) -> None:
    """Nobody needs a killed restore's backup any more, so that it may be pruned before anybody recovers."""
    execute(sqlite, "CREATE TABLE users (id INTEGER PRIMARY KEY)", "INSERT INTO users VALUES (1)")
    backup = make_backup(sqlite, backups)
    killed(sqlite, backup, "swap-in@worked")
    shutil.rmtree(backup.folder)
    [reading] = StepJournal.unfinished(backups)
    assert "finished" in recover_restore(reading, sqlite)


@pytest.mark.slow
def test_a_killed_backup_is_never_listed(shop: Database, backups: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; import migkit\n"
        "from migkit.recovery import backups\n"
        "setattr(backups, sys.argv[3], lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL))\n"
        "backups.make_backup(migkit.connect(sys.argv[1]), Path(sys.argv[2]))"
    )
    for name in ("capture", "_described", "seal", "write_status"):
        done = subprocess.run([sys.executable, "-c", code, address(shop), str(backups), name], check=False)
        assert done.returncode == -signal.SIGKILL
        assert read_catalogue(backups).backups == ()
    assert len(prune(backups).leftovers) == 4
    assert list(backups.iterdir()) == []
    assert make_backup(shop, backups)
