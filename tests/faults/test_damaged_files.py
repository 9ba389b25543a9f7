"""Saved states and evidence that are cut off, changed, or of a later version: refused, with the reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from migkit import verbs
from migkit.database import Database
from migkit.errors import MigkitError
from migkit.progress import SILENT
from tests.faults.support import Door


@pytest.fixture
def snapshot(file_shop: Database, folder: Path) -> Path:
    return verbs.capture(file_shop, progress=SILENT).save(folder / "one.json")


Damage = Callable[[Path], None]


def _edit(change: Callable[[dict[str, object]], object]) -> Damage:
    def damage(path: Path) -> None:
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return damage


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


DAMAGES: dict[str, Damage] = {
    "cut": _cut,
    "empty": lambda path: path.write_bytes(b"") and None,
    "binary": lambda path: path.write_bytes(b"\xff\x00\xfe") and None,
    "a list": lambda path: path.write_text("[]") and None,
    "something else": lambda path: path.write_text("{}") and None,
    "later": _edit(lambda document: document.update(format=99)),
    "a version that is no number": _edit(lambda document: document.update(format="x")),
    "deep": lambda path: path.write_text("[" * 100_000) and None,
}
STATE_DAMAGES = DAMAGES | {
    "without tables": _edit(lambda document: document.pop("tables", None) or document.pop("frames", None)),
    "tables that are none": _edit(lambda document: document.update(tables=[1, 2], frames=[3])),
}


@pytest.mark.parametrize("damage", STATE_DAMAGES)
def test_a_saved_state(migkit: Door, snapshot: Path, damage: str) -> None:
    shutil.copy(snapshot, "two.json")
    STATE_DAMAGES[damage](Path("two.json"))
    told = migkit("compare-snapshots", "one.json", "two.json")
    assert "two.json" in told.complaint
    assert "fault in migkit" not in told.complaint


@pytest.mark.parametrize("damage", ["cut", "empty", "binary"])
def test_a_compressed_state(migkit: Door, file_shop: Database, damage: str) -> None:
    verbs.capture(file_shop, progress=SILENT).save(Path("two.json.zst"))
    DAMAGES[damage](Path("two.json.zst"))
    assert "two.json.zst" in migkit("compare-snapshots", "two.json.zst", "two.json.zst").complaint


@pytest.fixture
def evidence(file_shop: Database, folder: Path) -> Path:
    trial = verbs.rehearse("add.py", file_shop, reports=folder / "archive", progress=SILENT)
    assert trial.evidence is not None
    return trial.evidence


EVIDENCE_DAMAGES: dict[str, Damage] = {
    **{
        f"manifest {name}": (lambda damage: lambda path: damage(path / "evidence.json"))(one)
        for name, one in DAMAGES.items()
    },
    "a state changed": lambda path: _cut(path / "before.json"),
    "a state missing": lambda path: (path / "after.json").unlink(),
    "a verdict turned": lambda path: _edit(lambda document: document.update(steps=[{"x": 1}]))(path / "evidence.json"),
    "no status": lambda path: _edit(lambda document: document.pop("status"))(path / "evidence.json"),
    "a status nobody knows": lambda path: _edit(lambda document: document.update(status="great"))(
        path / "evidence.json"
    ),
}


def test_evidence(migkit: Door, evidence: Path) -> None:
    wrong = []
    for name, damage in EVIDENCE_DAMAGES.items():
        copy = evidence.with_name("copy")
        shutil.copytree(evidence, copy)
        damage(copy)
        try:
            verbs.load(copy)
        except MigkitError as error:
            if "copy" not in str(error):
                wrong.append(f"{name}: does not say where: {error}")
        except Exception as error:
            wrong.append(f"{name}: {error!r}")
        else:
            wrong.append(f"{name}: was read as if nothing were wrong")
        shutil.rmtree(copy)
    assert wrong == []


@pytest.mark.parametrize("name", ["manifest cut", "manifest later", "a state changed"])
def test_a_report_on_it(migkit: Door, evidence: Path, name: str) -> None:
    EVIDENCE_DAMAGES[name](evidence)
    told = migkit("report", str(evidence))
    assert "fault in migkit" not in told.complaint
    assert evidence.name in told.complaint
    assert not (evidence / "report.html").exists()


def test_what_is_no_evidence(migkit: Door, folder: Path) -> None:
    (folder / "empty").mkdir()
    for target in ("empty", "add.py", "nowhere"):
        assert target in migkit("report", target).complaint
