"""Retention: what is expired goes, but never the last verified backup, nor one that somebody needs."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migkit.database import Database
from migkit.errors import BackupInvalid
from migkit.recovery.backup import Backup
from migkit.recovery.backups import make_backup
from migkit.recovery.catalogue import (
    PARTIAL_PREFIX,
    find_backup,
    list_backups,
    needed,
    prune,
    read_catalogue,
    recent_backup,
    retain,
    update,
    who_needs,
)
from migkit.recovery.listing import list_all

NOW = datetime.now(UTC)
MUCH_LATER = NOW + timedelta(days=100)


def make(db: Database, backups: Path, *, verified: bool = False) -> Backup:
    made = make_backup(db, backups)
    return update(made, verified_at=NOW, restore_seconds=0.1) if verified else made


def pruned(backups: Path, now: datetime = MUCH_LATER, redundancy: int = 1) -> tuple[set[str], dict[str, str]]:
    result = prune(backups, redundancy, now)
    return {one.id for one in result.removed}, {one.id: why for one, why in result.spared}


def test_nothing_goes_before_its_time(sqlite: Database, backups: Path) -> None:
    made = make(sqlite, backups)
    assert pruned(backups, NOW + timedelta(days=6)) == (set(), {})
    assert pruned(backups, NOW + timedelta(days=8)) == ({made.id}, {})
    assert list(backups.iterdir()) == []


def test_the_last_verified_one_stays(sqlite: Database, backups: Path) -> None:
    first, second = (make(sqlite, backups, verified=True) for _ in range(2))
    later = make(sqlite, backups)
    removed, spared = pruned(backups)
    assert removed == {first.id, later.id}
    assert spared == {second.id: "the last verified one of its database"}
    assert [one.id for one in list_backups(backups)] == [second.id]


def test_as_many_verified_ones_stay_as_are_asked_for(sqlite: Database, backups: Path) -> None:
    made = [make(sqlite, backups, verified=True) for _ in range(3)]
    removed, spared = pruned(backups, redundancy=2)
    assert removed == {made[0].id}
    assert set(spared) == {made[1].id, made[2].id}


def test_each_database_counts_for_itself(
    sqlite: Database, backups: Path, make_database: object, postgresql: Database
) -> None:
    made = [make(db, backups, verified=True) for db in (sqlite, postgresql)]
    removed, spared = pruned(backups)
    assert (removed, set(spared)) == (set(), {one.id for one in made})


def test_one_that_is_needed_stays_until_it_is_not(sqlite: Database, backups: Path) -> None:
    made = make(sqlite, backups)
    with needed(made, "the deploy of 002_x"):
        assert pruned(backups) == (set(), {made.id: "needed by the deploy of 002_x"})
        assert list_backups(backups)[0].id == made.id
    assert who_needs(made) is None
    assert pruned(backups)[0] == {made.id}


def test_who_was_killed_needs_nothing(sqlite: Database, backups: Path) -> None:
    made = make(sqlite, backups)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from migkit.recovery.catalogue import find_backup, needed\n"
        "with needed(find_backup(Path(sys.argv[1]), sys.argv[2]), 'a deploy'): os._exit(9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(backups), made.id], check=False)
    assert ended.returncode == 9
    assert list(made.folder.glob("needed_by.*"))
    assert pruned(backups)[0] == {made.id}


def test_what_is_retained_stays_longer(sqlite: Database, backups: Path) -> None:
    made = make(sqlite, backups)
    retain(backups, made.id, 200, NOW)
    assert pruned(backups) == (set(), {})
    assert find_backup(backups, made.id).expires_at == NOW + timedelta(days=200)


def test_what_a_killed_process_left_is_swept_and_never_listed(sqlite: Database, backups: Path) -> None:
    make(sqlite, backups)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    half = backups / f"{PARTIAL_PREFIX}{dead.pid}-20261122T000000Z-x-0000"
    alive = backups / f"{PARTIAL_PREFIX}{os.getpid()}-20261122T000000Z-y-0000"
    for folder in (half, alive):
        (folder / "data").mkdir(parents=True)
    assert len(list_all(backups).backups) == 1
    assert prune(backups).leftovers == ("20261122T000000Z-x-0000",)
    assert (half.exists(), alive.exists()) == (False, True)


def test_a_damaged_one_is_told_and_left_alone(sqlite: Database, backups: Path) -> None:
    made = make(sqlite, backups)
    (made.folder / "manifest.json").write_text("{")
    assert [one.id for one in read_catalogue(backups).damaged] == [made.id]
    assert "damaged" in str(list_all(backups))
    assert pruned(backups) == (set(), {})
    assert made.folder.is_dir()


def test_a_recent_backup_is_young_verified_and_of_this_database(
    sqlite: Database, backups: Path, postgresql: Database
) -> None:
    assert recent_backup(backups, sqlite) is None
    made = make(sqlite, backups)
    assert recent_backup(backups, sqlite) is None
    assert recent_backup(backups, sqlite, verified=False) is not None
    update(made, verified_at=NOW)
    found = recent_backup(backups, sqlite)
    assert found is not None and found.id == made.id
    assert recent_backup(backups, postgresql) is None
    assert recent_backup(backups, sqlite, now=NOW + timedelta(hours=25)) is None


def test_an_id_may_be_shortened_and_a_wrong_one_names_the_nearest(sqlite: Database, backups: Path) -> None:
    made = make(sqlite, backups)
    assert find_backup(backups, made.id[:15]).id == made.id
    with pytest.raises(BackupInvalid, match=f"Did you mean {made.id}"):
        find_backup(backups, made.id[:-1] + "_")
    with pytest.raises(BackupInvalid, match="There is no backup called ''"):
        find_backup(backups, "")
    with pytest.raises(BackupInvalid, match="There is no backup"):
        find_backup(backups, "../" + backups.name)


def test_who_comes_to_need_it_at_the_last_moment_gets_it_back(
    sqlite: Database, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(sqlite, backups)
    monkeypatch.setattr("migkit.recovery.catalogue._why_spared", lambda *_: None)
    with needed(made, "a deploy"):
        assert pruned(backups) == (set(), {made.id: "needed by a deploy"})
    assert find_backup(backups, made.id).id == made.id


def test_a_backup_of_tomorrow_is_not_recent(sqlite: Database, backups: Path) -> None:
    """A clock that jumped and was put right again: nobody knows how old it is."""
    made = make(sqlite, backups, verified=True)
    assert recent_backup(backups, sqlite, now=made.created_at - timedelta(minutes=1)) is not None
    assert recent_backup(backups, sqlite, now=made.created_at - timedelta(hours=1)) is None
