"""Scratch databases of killed processes are dropped; those that somebody may still use are left alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from migkit import clone, embedded
from migkit.config import Config
from migkit.database import Database
from migkit.errors import ConnectionFailed
from migkit.ownership import Owner, owner_of, scratch_name
from migkit.progress import SILENT
from migkit.recovery.journal import StepJournal
from migkit.workflow.recover import Recovery, recover
from tests.faults.support import address, execute

_KILLED = """
import os, signal, sys
import migkit as mk
from migkit.progress import SILENT
copy = mk.clone(sys.argv[1], progress=SILENT)
print(copy.dialect.database_name(copy.engine.url), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def home(db: Database) -> sa.URL | None:
    """Where the engine's clones are made."""
    if db.dialect.scratch_home == "embedded":
        return embedded.server_url()
    return db.engine.url if db.dialect.scratch_home == "server" else None


@pytest.fixture
def left(db: Database, home: sa.URL | None) -> Iterator[str]:
    """A clone whose process was killed."""
    execute(db, "CREATE TABLE t (id integer PRIMARY KEY)")
    before = set(db.dialect.list_scratch(home))
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, address(db)], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    (name,) = set(db.dialect.list_scratch(home)) - before
    yield name
    db.dialect.drop_scratch(db.dialect.stage_url(home or db.engine.url, name))


def told(db: Database, folder: Path) -> dict[str, str]:
    """Recover, and return the outcome of each scratch database."""
    found: Recovery = recover(Config(), roots=(folder,), db=db, progress=SILENT)
    work = found.work[found.work["kind"] == "scratch database"]
    return dict(zip(work["database"], work["outcome"], strict=True))


def test_what_a_killed_process_left_is_dropped(db: Database, home: sa.URL | None, left: str, tmp_path: Path) -> None:
    assert owner_of(left) is Owner.GONE
    assert told(db, tmp_path)[left] == "done"
    assert left not in db.dialect.list_scratch(home)
    assert left not in told(db, tmp_path)


@pytest.mark.slow
def test_what_a_living_process_uses_stays(db: Database, tmp_path: Path) -> None:
    execute(db, "CREATE TABLE t (id integer PRIMARY KEY)")
    with clone(db, progress=SILENT) as copy:
        assert not told(db, tmp_path)
        with copy.engine.connect() as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM t")).scalar() == 0


@pytest.mark.slow
def test_what_unfinished_work_needs_stays(db: Database, home: sa.URL | None, left: str, tmp_path: Path) -> None:
    with StepJournal.create(tmp_path / "one", kind="restore", database="x", place="y", staged=left):
        assert left not in told(db, tmp_path)
    assert left in db.dialect.list_scratch(home)


@pytest.mark.parametrize(
    "name", ["migkit_scratch_0123456789ab", "migkit_scratch_restore_abcdef_1_000000_01234567", "x"]
)
def test_what_another_machine_made_is_not_known(name: str) -> None:
    assert owner_of(name) is Owner.UNKNOWN


def test_a_process_with_the_number_of_a_dead_one_is_not_its_owner() -> None:
    *before, _, chance = scratch_name().split("_")
    assert owner_of("_".join((*before, "000000", chance))) is Owner.GONE


def test_an_unknown_one_is_told_and_left_alone(sqlite: Database, tmp_path: Path) -> None:
    url = sqlite.dialect.create_scratch(None, "migkit_scratch_0123456789ab")
    try:
        assert told(sqlite, tmp_path) == {"migkit_scratch_0123456789ab": "left alone"}
    finally:
        sqlite.dialect.drop_scratch(url)


def test_a_server_that_cannot_be_looked_at_costs_nothing_else(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> bool:
        raise ConnectionFailed("The embedded PostgreSQL did not start")

    monkeypatch.setattr(embedded, "is_set_up", broken)
    found = recover(Config(), roots=(tmp_path,), db=sqlite, progress=SILENT)
    assert found.passed
    assert found.work["outcome"].tolist() == ["left alone"]
    assert "did not start" in repr(found)
