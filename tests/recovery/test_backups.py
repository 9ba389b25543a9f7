"""Backups: made by the engine's own tool at the instant of a capture, restored exactly, every damage found."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from migkit.database import Database, connect
from migkit.dialects import tool_process
from migkit.errors import BackupFailed, BackupInvalid, MigkitError, MissingTool
from migkit.recovery import backups as making
from migkit.recovery.backup import Backup
from migkit.recovery.backups import make_backup
from migkit.recovery.catalogue import list_backups, read_catalogue
from migkit.recovery.sealing import SEALS, STATUS, broken_seals
from migkit.recovery.verification import verify_backup
from migkit.state.capture import capture
from migkit.state.comparison import compare
from tests.faults.support import execute, scalar, untouched

POSITIONS = 200
SECRET = "s3cret-wörd%40"


def test_what_is_backed_up_restores_exactly(shop: Database, backups: Path) -> None:
    with untouched(shop):
        backup = make_backup(shop, backups)
        check = verify_backup(backup.id, backups, shop)
    assert check.passed, str(check)
    assert check.backup.verified_at is not None
    assert check.backup.restore_seconds is not None
    assert [one.id for one in list_backups(backups)] == [backup.id]
    assert backup.tools and all(backup.tools.values())
    assert backup.rows == capture(shop).total_rows
    assert compare(backup.state(), capture(shop)).identical
    assert (backup.folder.stat().st_mode & 0o777) == 0o700


@pytest.mark.slow
@pytest.mark.every_postgresql
@pytest.mark.excused("sqlite", why="only PostgreSQL has versions here")
@pytest.mark.excused("mysql", why="only PostgreSQL has versions here")
@pytest.mark.excused("mariadb", why="only PostgreSQL has versions here")
@pytest.mark.excused("postgresql", why="every other test runs on it")
def test_each_postgresql_uses_its_own_tools(shop: Database, backups: Path) -> None:
    backup = make_backup(shop, backups)
    assert backup.tools["pg_dump"] == backup.release
    assert verify_backup(backup, backups, shop).passed


@pytest.mark.slow
def test_dump_and_state_are_of_one_instant_while_others_write(shop: Database, backups: Path) -> None:
    with Writing(shop):
        made = [make_backup(shop, backups) for _ in range(2)]
    assert scalar(shop, "SELECT count(*) FROM users") > 3  # type: ignore[operator]
    for backup in made:
        check = verify_backup(backup, backups, shop)
        assert check.passed, str(check)


class Writing:
    """Rows that come all the time, each in a transaction of its own."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.done = threading.Event()
        self.first = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self) -> None:
        number = 100
        while not self.done.wait(0.002):
            number += 1
            try:
                execute(
                    self.db,
                    f"INSERT INTO users VALUES ({number}, 'x', 1)",
                    f"INSERT INTO orders VALUES ({number}, {number})",
                )
            except DBAPIError:
                if self.db.dialect.name != "sqlite":  # which lets one writer in at a time, and readers before it
                    raise
            self.first.set()

    def __enter__(self) -> None:
        self.thread.start()
        assert self.first.wait(60)

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()


@pytest.fixture
def backup(shop: Database, backups: Path) -> Backup:
    return make_backup(shop, backups)


def test_every_flipped_bit_is_found(backup: Backup) -> None:
    chance = random.Random(6)
    files = sorted(path for path in backup.folder.rglob("*") if path.is_file())
    sizes = [path.stat().st_size for path in files]
    missed = []
    for _ in range(POSITIONS):
        path = chance.choices(files, sizes)[0] if chance.random() < 0.5 else chance.choice(files)
        data = path.read_bytes()
        if not data:
            continue
        position, bit = chance.randrange(len(data)), 1 << chance.randrange(8)
        path.write_bytes(data[:position] + bytes([data[position] ^ bit]) + data[position + 1 :])
        if not broken_seals(backup.folder):
            missed.append((path.name, position, bit))
        path.write_bytes(data)
    assert missed == []
    assert broken_seals(backup.folder) == []


@pytest.mark.slow
def test_every_cut_missing_or_foreign_file_is_found(backup: Backup, backups: Path, shop: Database) -> None:
    for path in sorted(path for path in backup.folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        for damaged in (data[: len(data) // 2], data + b"\0", b""):
            if damaged != data:
                path.write_bytes(damaged)
                assert broken_seals(backup.folder), path
        path.unlink()
        assert broken_seals(backup.folder), path
        path.write_bytes(data)
    (backup.data / "more").write_bytes(b"")
    assert broken_seals(backup.folder) == ["data/more is not part of the backup"]
    (backup.data / "more").unlink()
    assert broken_seals(backup.folder) == []


def test_a_damaged_backup_is_not_verified_and_says_what_is_wrong(sqlite: Database, backups: Path) -> None:
    execute(sqlite, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    backup = make_backup(sqlite, backups)
    (backup.data / "database.db").unlink()
    check = verify_backup(backup, backups, sqlite)
    assert not check.passed
    assert check.problems == ("data/database.db is missing",)
    assert check.backup.verified_at is None


def test_a_manifest_of_another_backup_is_found(sqlite: Database, backups: Path) -> None:
    first, second = (make_backup(sqlite, backups) for _ in range(2))
    for name in ("manifest.json", SEALS, STATUS, "state.json.zst"):
        shutil.copy(first.folder / name, second.folder / name)
    found = read_catalogue(backups)
    assert [one.id for one in found.backups] == [first.id]
    assert [(one.id, first.id in one.why) for one in found.damaged] == [(second.id, True)]
    with pytest.raises(BackupInvalid, match="another backup"):
        verify_backup(second.id, backups, sqlite)


def test_content_that_does_not_match_its_state_is_not_verified(sqlite: Database, backups: Path) -> None:
    """Whole files are not enough: what was restored has to be what was captured."""
    execute(sqlite, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    backup = make_backup(sqlite, backups)
    other = connect(f"sqlite:///{backup.data / 'database.db'}")
    execute(other, "INSERT INTO t VALUES (2)")
    other.close()
    making.seal(backup.folder)
    check = verify_backup(backup, backups, sqlite)
    assert not check.passed
    assert "rows of t" in check.problems[0]


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.excused("sqlite", why="it has no passwords")
def test_no_password_is_an_argument_or_lies_in_a_file(
    shop: Database, backups: Path, monkeypatch: pytest.MonkeyPatch, account: Database
) -> None:
    seen: list[str] = []
    environments: list[str] = []
    start = tool_process.ToolProcess.__enter__

    def watched(self: tool_process.ToolProcess) -> tool_process.ToolProcess:
        started = start(self)
        # A short dump may be over before the processes are looked at.
        seen.extend(map(str, self._command))
        seen.extend(
            path.read_bytes().decode(errors="replace") for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
        )
        environments.extend(self._variables.values())
        return started

    monkeypatch.setattr(tool_process.ToolProcess, "__enter__", watched)
    backup = make_backup(account, backups)
    verify_backup(backup, backups, account)
    assert any("dump" in one for one in seen)
    assert not [one for one in seen if SECRET in one]
    assert SECRET in environments
    written = [path for path in backups.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert written == []


@pytest.fixture
def account(shop: Database) -> Iterator[Database]:
    """The same database, reached by somebody with a password."""
    url = shop.engine.url
    name = f"reader_{str(url.database)[-8:]}"
    if shop.dialect.name == "postgresql":
        execute(shop, f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{SECRET}'")
    else:
        execute(shop, f"CREATE USER {name} IDENTIFIED BY '{SECRET}'", f"GRANT ALL ON *.* TO {name} WITH GRANT OPTION")
    reached = connect(url.set(username=name, password=SECRET))
    yield reached
    reached.close()
    execute(shop, f"DROP {'ROLE' if shop.dialect.name == 'postgresql' else 'USER'} {name}")


@pytest.mark.slow
@pytest.mark.excused("sqlite", why="it has no rights")
@pytest.mark.excused("postgresql", why="readers need no lock there")
def test_without_the_global_lock_the_tables_are_locked(shop: Database, backups: Path) -> None:
    """Managed servers give nobody the global read lock."""
    url = shop.engine.url
    name = f"small_{str(url.database)[-8:]}"
    rights = "SELECT, LOCK TABLES, SHOW VIEW, TRIGGER, EVENT, EXECUTE"
    execute(shop, f"CREATE USER {name}", f"GRANT {rights} ON `{url.database}`.* TO {name}")
    execute(shop, "DROP PROCEDURE forget", "DROP PROCEDURE remember", "DROP VIEW counted", "DROP FUNCTION how_many")
    small = connect(url.set(username=name))
    try:
        with Writing(shop):
            backup = make_backup(small, backups)
        assert "read locks on all tables" in str(backup.instant["method"])
        check = verify_backup(backup, backups, shop)
        assert check.passed, str(check)
    finally:
        small.close()
        execute(shop, f"DROP USER {name}")


# --- bad days ---------------------------------------------------------------------------------------------------------


def test_too_little_room_is_told_before_anything_is_written(
    shop: Database, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(backups.parent)
    monkeypatch.setattr(making.shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(BackupFailed, match=r"takes about .* and 10 B are free"):
        make_backup(shop, backups)
    assert list(backups.iterdir()) == []


@pytest.mark.excused("sqlite", why="its tool is a library that Python brings")
def test_a_missing_tool_is_named_with_its_package(
    shop: Database, backups: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_tools(monkeypatch)
    with pytest.raises(MissingTool, match=r"Install the package \S+") as missing:
        make_backup(shop, backups)
    assert "dump" in missing.value.what
    assert not list_backups(backups)


def without_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("migkit.dialects.postgresql.tools._installed", lambda name: ())


@pytest.mark.excused("sqlite", why="its tool is a library that Python brings")
def test_a_tool_older_than_the_server_is_refused(
    shop: Database, backups: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = {
        "postgresql": "(PostgreSQL) 9.6",
        "mysql": "Ver 5.7.1 for Linux",
        "mariadb": "Ver 10.19 Distrib 5.5.1-MariaDB",
    }
    for name in ("pg_dump", "pg_restore", "mysqldump", "mysql", "mariadb-dump", "mariadb"):
        tool = tmp_path / name
        tool.write_text(f"#!/bin/sh\necho '{name} {said[shop.dialect.name]}'\n")
        tool.chmod(0o755)
    without_tools(monkeypatch)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    if shop.dialect.name == "postgresql":
        tools = __import__("migkit.dialects.postgresql.tools", fromlist=["Tool"])
        monkeypatch.setattr(tools, "_installed", lambda name: (tools.Tool(tmp_path / name, 9),))
    with pytest.raises(MissingTool, match=r"needs .* or later; found"):
        make_backup(shop, backups)


@pytest.mark.slow
def test_a_tool_that_fails_leaves_no_half_backup(
    shop: Database, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(making, "seal", fail)
    with untouched(shop), pytest.raises(BackupFailed, match="No space left on device"):
        make_backup(shop, backups)
    assert list(backups.iterdir()) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of half a megabyte."""
    place = tmp_path / "tiny"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(place)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_a_disk_that_is_full_midway_holds_no_half_backup(
    shop: Database, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody could know before: the tool itself meets the end of the disk."""
    noise = [f"('{random.Random(number).randbytes(400).hex()}')" for number in range(2000)]
    execute(shop, "CREATE TABLE noise (text VARCHAR(800))")
    for start in range(0, len(noise), 500):
        execute(shop, f"INSERT INTO noise VALUES {', '.join(noise[start : start + 500])}")
    usage = shutil.disk_usage(tiny_disk)
    monkeypatch.setattr(making.shutil, "disk_usage", lambda _: usage._replace(free=2**40))
    with pytest.raises((BackupFailed, MigkitError)) as failed:
        make_backup(shop, tiny_disk / "backups")
    assert re.search("No space left|disk is full|full", str(failed.value)), str(failed.value)
    assert list((tiny_disk / "backups").iterdir()) == []


@pytest.mark.parametrize("name", ['we"ird; drop', "Mixed.Case", "ünï"])
def test_databases_of_any_name_can_be_backed_up(name: str, tmp_path: Path, backups: Path) -> None:
    path = tmp_path / f"{name}.db"
    path.touch()
    with connect(f"sqlite:///{path}") as db:
        backup = make_backup(db, backups)
        assert backup.folder.parent == backups
        assert verify_backup(backup, backups, db).passed
