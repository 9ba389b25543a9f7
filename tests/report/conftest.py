"""Rehearsals on SQLite whose evidence the report tests share; the report itself is rendered once for each."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from migkit.config import Config
from migkit.database import connect
from migkit.migration.loading import load_migration
from migkit.report.archive import report
from migkit.workflow.rehearsal import Rehearsal
from migkit.workflow.trial import rehearse
from tests.display.samples import HOSTILE

_PASSING = '''"""Add profiles."""
metadata = {{"version": "001", "description": {description!r}, "author": "dev-team", "risk": "low"}}

def up(op):
    op.execute("CREATE TABLE profiles (id integer PRIMARY KEY, user_id integer REFERENCES users(id))")
    op.execute("INSERT INTO profiles SELECT id, id FROM users")

def down(op):
    op.execute("DROP TABLE profiles")
'''

_FAILING = '''"""Lose things."""
metadata = {"version": "002", "description": "Lose things", "author": "<b>me</b>"}

def up(op):
    op.execute("DELETE FROM users WHERE id = 1")
    op.execute("UPDATE users SET name = '<script>' WHERE id = 2")

def down(op):
    op.execute("SELECT 1")
'''

_BREAKING = '''"""Break off."""
metadata = {"version": "003"}

def up(op):
    op.execute("ALTER TABLE nowhere ADD COLUMN \\"password=hunter2\\" text")
'''


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with tables of every hostile name; its URL."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE users (id integer PRIMARY KEY, name text)")
        connection.executemany("INSERT INTO users VALUES (?, ?)", [(1, "a"), (2, "b"), (3, "ünï")])
        for name in HOSTILE:
            quoted = '"' + name.replace('"', '""') + '"'
            connection.execute(f'CREATE TABLE {quoted} (id integer PRIMARY KEY, "<script>" text)')
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive that all rehearsals of the session go to."""
    return tmp_path_factory.mktemp("archive")


def _rehearse(source: str, shop: str, archive: Path, folder: Path) -> Rehearsal:
    path = folder / "migration.py"
    path.write_text(source, encoding="utf-8")
    with connect(shop) as database:
        return rehearse(load_migration(path, config=Config()), database, reports=archive)


@pytest.fixture(scope="session")
def passed(shop: str, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """A rehearsal that passed."""
    source = _PASSING.format(description=HOSTILE[1])
    return _rehearse(source, shop, archive, tmp_path_factory.mktemp("passing"))


@pytest.fixture(scope="session")
def failed(shop: str, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """A rehearsal that failed: rows lost, a value changed, nothing came back."""
    return _rehearse(_FAILING, shop, archive, tmp_path_factory.mktemp("failing"))


@pytest.fixture(scope="session")
def broken_off(shop: str, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """A rehearsal whose way up failed at its first statement."""
    return _rehearse(_BREAKING, shop, archive, tmp_path_factory.mktemp("breaking"))


@pytest.fixture(scope="session")
def passed_page(passed: Rehearsal) -> Path:
    """The report of the rehearsal that passed."""
    return report(passed)


@pytest.fixture(scope="session")
def failed_page(failed: Rehearsal) -> Path:
    """The report of the rehearsal that failed."""
    assert failed.evidence is not None
    return report(failed.evidence)
