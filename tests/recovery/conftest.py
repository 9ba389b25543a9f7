"""What the tests of backups share: the server's own tools on the PATH, a small database with a bit of everything."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from migkit.database import Database
from tests.faults.support import execute
from tests.recovery.content import CONTENT
from tests.servers.tools import path_with, write_tools


@pytest.fixture(scope="session")
def _tools_folder(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    return write_tools(tmp_path_factory.mktemp("bin"))


@pytest.fixture(autouse=True)
def server_tools(_tools_folder: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put MySQL's tools before others of the same name."""
    if _tools_folder is not None:
        monkeypatch.setenv("PATH", path_with(_tools_folder))


@pytest.fixture
def shop(db: Database) -> Database:
    """A small database with hostile names and a bit of everything, on every engine."""
    execute(db, *CONTENT[db.dialect.name])
    return db


@pytest.fixture
def backups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of backups that is not there yet; scratch files lie in a folder of the test's own."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path / "backups"
