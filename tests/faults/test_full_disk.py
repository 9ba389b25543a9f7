"""A disk that is full: one sentence, exit code 2, nothing half-written at its final place, the database as it was."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from migkit import verbs
from migkit.database import Database
from migkit.errors import MigkitError
from migkit.progress import SILENT
from tests.faults.support import Door, address, execute, untouched


def _fill(disk: Path, *, leave_bytes: int) -> None:
    free = os.statvfs(disk)
    size = free.f_bavail * free.f_frsize - leave_bytes
    (disk / "ballast").write_bytes(b"\0" * max(0, size))


def test_a_snapshot(migkit: Door, file_shop: Database, tiny_disk: Path) -> None:
    _fill(tiny_disk, leave_bytes=0)
    with untouched(file_shop):
        told = migkit("snapshot", str(tiny_disk / "one.json"), "-d", address(file_shop))
    assert "No space left on device" in told.complaint
    assert "fault in migkit" not in told.complaint
    assert [path.name for path in tiny_disk.iterdir()] == ["ballast"]


def test_an_earlier_snapshot_survives(migkit: Door, file_shop: Database, tiny_disk: Path) -> None:
    path = tiny_disk / "one.json"
    assert migkit("snapshot", str(path), "-d", address(file_shop)).code == 0
    before = path.read_bytes()
    _fill(tiny_disk, leave_bytes=0)
    assert migkit("snapshot", str(path), "-d", address(file_shop)).code == 2
    assert path.read_bytes() == before


@pytest.mark.parametrize("leave_bytes", [0, 12_288])
def test_evidence(migkit: Door, file_shop: Database, tiny_disk: Path, leave_bytes: int) -> None:
    _fill(tiny_disk, leave_bytes=leave_bytes)
    with untouched(file_shop):
        told = migkit("rehearse", "add.py", "-d", address(file_shop), "--reports", str(tiny_disk / "reports"))
    assert "No space left on device" in told.complaint
    assert "fault in migkit" not in told.complaint
    for manifest in (tiny_disk / "reports").glob("*/evidence.json"):
        assert json.loads(manifest.read_text())["status"] != "passed"
    assert file_shop.dialect.list_scratch(None) == []


def test_a_report(file_shop: Database, migkit: Door, tiny_disk: Path) -> None:
    trial = verbs.rehearse("add.py", file_shop, reports=tiny_disk / "reports", progress=SILENT)
    assert trial.passed
    _fill(tiny_disk, leave_bytes=4096)
    told = migkit("report", str(trial.evidence))
    assert "No space left on device" in told.complaint
    assert "fault in migkit" not in told.complaint
    assert trial.evidence is not None
    assert not (trial.evidence / "report.html").exists()
    assert verbs.load(trial.evidence).passed


def test_a_clone(
    file_shop: Database, migkit: Door, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    execute(
        file_shop,
        "CREATE TABLE big AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 2000)"
        " SELECT x, hex(randomblob(500)) AS y FROM n",
    )
    monkeypatch.setenv("TMPDIR", str(tiny_disk))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with untouched(file_shop):
        told = migkit("test", "add.py", "-d", address(file_shop))
        assert "disk is full" in told.complaint
        with pytest.raises(MigkitError):
            verbs.clone(file_shop, progress=SILENT)
    assert list(tiny_disk.glob("*/*")) == []


def test_a_database_without_room(migkit: Door, folder: Path, tiny_disk: Path) -> None:
    (folder / "grow.up.sql").write_text(
        "CREATE TABLE big AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 4000)"
        " SELECT x, hex(randomblob(500)) AS y FROM n;"
    )
    path = tiny_disk / "app.db"
    path.touch()
    told = migkit("run", "grow.up.sql", "-d", f"sqlite:///{path}")
    assert told.code in (1, 2), told.err
    assert "disk is full" in told.out + told.err
    assert "big" not in set(verbs.capture(f"sqlite:///{path}", progress=SILENT).tables["table"])
