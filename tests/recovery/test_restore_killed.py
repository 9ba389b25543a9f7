"""A restore that is killed between any two instructions: recovering makes one of the two states serve, wholly."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from migkit.database import Database, connect
from migkit.recovery import backups as making
from migkit.recovery.backup import Backup
from migkit.recovery.backups import make_backup
from migkit.recovery.catalogue import prune, read_catalogue
from migkit.recovery.exactness import compare_restored
from migkit.recovery.journal import StepJournal, watched
from migkit.recovery.keeping import drop, list_kept
from migkit.recovery.restoring import recover_restore, restore_backup
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


def killed(db: Database, backup: Backup, where: str) -> None:
    """Restore in a process of its own, which dies at a step, or instead of calling a function."""
    assert dies(lambda: _restore_and_die(address(db), backup, where))


def _restore_and_die(url: str, backup: Backup, where: str) -> None:
    step, _, moment = where.partition("@")
    if not moment:
        module, _, name = f"migkit.dialects.{where}".rpartition(".")
        setattr(sys.modules[module], name, die)
    with watched(lambda now, name: die() if (name, now) == (step, moment) else None):
        restore_backup(backup.id, connect(url), directory=backup.folder.parent, patience=5)


def die(*_: object, **__: object) -> None:
    """End this process without any last words."""
    os.kill(os.getpid(), signal.SIGKILL)


def dies(work: Callable[[], object]) -> bool:
    """Do something in a copy of this process, and tell whether that was killed; a new one takes seconds to start."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


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
    sqlite.close()
    for where in ("swap-in@started", "sqlite.swapping._require_same_pages", "swap-in@worked"):
        killed(sqlite, backup, where)
        [reading] = StepJournal.unfinished(backups)
        told = recover_restore(reading, sqlite)
        assert ("finished" in told) == (where == "swap-in@worked")
        assert is_one_of(sqlite, before, after)
        assert others(sqlite) == []


def test_a_recovery_goes_on_without_the_backup(sqlite: Database, backups: Path) -> None:
    """Nobody keeps a killed restore's backup from being pruned; what was there before is then not dropped unseen."""
    execute(sqlite, "CREATE TABLE users (id INTEGER PRIMARY KEY)", "INSERT INTO users VALUES (1)")
    backup = make_backup(sqlite, backups)
    killed(sqlite, backup, "swap-in@worked")
    shutil.rmtree(backup.folder)
    [reading] = StepJournal.unfinished(backups)
    told = recover_restore(reading, sqlite)
    assert "finished" in told
    assert "not compared once more" in told
    [kept] = list_kept(backups)
    assert kept.name in told
    drop(sqlite, kept.name)


@pytest.mark.slow
def test_a_killed_backup_is_never_listed(shop: Database, backups: Path) -> None:
    def back_up_and_die(name: str) -> None:
        setattr(making, name, die)
        make_backup(connect(address(shop)), backups)

    shop.close()
    for name in ("capture", "_described", "seal", "write_status"):
        assert dies(lambda name=name: back_up_and_die(name))  # type: ignore[misc]
        assert read_catalogue(backups).backups == ()
    assert len(prune(backups).leftovers) == 4
    assert list(backups.iterdir()) == []
    assert make_backup(shop, backups)
