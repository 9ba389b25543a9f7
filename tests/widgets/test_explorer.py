"""The explorer without a browser: buttons are clicked, and what the panel shows is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

import migkit as mk
from migkit.widgets.explorer import Explorer
from migkit.workflow.dry_run import DryRun

HOSTILE = "<img src=x onerror=alert(1)>"
LONG = 60.0

MIGRATION = '''"""Add nicknames."""
import sqlalchemy as sa

metadata = {"version": "001", "description": "%s", "author": "dev-team", "risk": "low"}

def up(op):
    op.add_column("users", sa.Column("nickname", sa.String(50)))

def down(op):
    op.drop_column("users", "nickname")
'''

WAITING = '''"""Waits until somebody stops it."""
import time

def up(op):
    op.execute("CREATE TABLE waiting (id integer)")
    while True:
        time.sleep(0.02)

def down(op):
    op.execute("DROP TABLE waiting")
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id integer PRIMARY KEY, name text)"))
        connection.execute(text("INSERT INTO users VALUES (1, 'a'), (2, 'b')"))
    engine.dispose()
    (tmp_path / "migkit.toml").write_text(
        f'[databases.shop]\nurl = "sqlite:///{tmp_path / "shop.db"}"\n'
        '[databases.silent]\nurl = "postgresql://app:geheim7@127.0.0.1:9/app"\n',
        encoding="utf-8",
    )
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "001_nicknames.py").write_text(MIGRATION % "Add nicknames", encoding="utf-8")
    (migrations / "002_waiting.py").write_text(WAITING, encoding="utf-8")
    (migrations / "003_hostile.py").write_text(MIGRATION % HOSTILE, encoding="utf-8")
    (migrations / "004_broken.py").write_text("def up(op:\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def panel(project: Path) -> Iterator[Explorer]:
    explorer = mk.explore()
    yield explorer
    explorer.close()
    assert explorer.work.wait(LONG)
    assert explorer.reaching.wait(LONG)


def test_it_offers_aliases_and_migrations(panel: Explorer) -> None:
    assert panel.database.options == ("shop", "silent", "embedded")
    names = ("001_nicknames.py", "002_waiting.py", "003_hostile.py", "004_broken.py")
    assert panel.path.options == tuple(f"migrations/{name}" for name in names)
    assert panel.reaching.wait(LONG)
    assert "SQLite" in panel.connection.value
    assert "Add nicknames" in panel.about.value
    assert "drop_column" in panel.about.value


def test_an_alias_that_does_not_answer_is_told_and_the_panel_stays_alive(panel: Explorer) -> None:
    panel.database.value = "silent"
    assert panel.reaching.wait(LONG)
    assert "✗" in panel.connection.value
    assert "geheim7" not in panel.connection.value
    panel.rehearse.click()
    assert panel.work.wait(LONG)
    assert panel.work.state == "failed"
    assert "broke off" in panel.live.value
    panel.database.value = "shop"
    assert panel.reaching.wait(LONG)
    assert "SQLite" in panel.connection.value
    assert not panel.rehearse.disabled


def test_rehearse_shows_the_result_and_the_run_in_the_history(panel: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("migkit.widgets.explorer.report", asked.append)
    panel.rehearse.click()
    assert panel.work.wait(LONG)
    assert panel.result.passed, panel.work.error
    assert asked == [panel.result]
    assert "001_nicknames passed" in panel.outcome.value
    assert "Rehearsed and reported in" in panel.live.value
    assert "001_nicknames" in panel.history.table.value
    assert not panel.rehearse.disabled
    assert panel.stop.disabled


def test_dry_run_shows_the_sql(panel: Explorer) -> None:
    panel.try_out.click()
    assert panel.work.wait(LONG)
    assert isinstance(panel.result, DryRun)
    assert "ADD COLUMN nickname" in panel.outcome.value


def test_stop_twice_ends_the_rehearsal_and_leaves_the_panel_usable(panel: Explorer, project: Path) -> None:
    panel.path.value = "migrations/002_waiting.py"
    panel.rehearse.click()
    wait_for(lambda: "Learning" in panel.live.value)
    panel.rehearse.click()  # disabled in a browser; from code it changes nothing
    panel.stop.click()
    panel.stop.click()
    assert panel.work.wait(LONG)
    assert panel.work.state == "stopped"
    assert "stopped" in panel.live.value
    assert "interrupted" in panel.history.table.value
    panel.stop.click()
    panel.path.value = "migrations/001_nicknames.py"
    panel.try_out.click()
    assert panel.work.wait(LONG)
    assert panel.result.passed


def test_markup_in_names_and_broken_files_are_text(panel: Explorer) -> None:
    panel.path.value = "migrations/003_hostile.py"
    assert HOSTILE not in panel.about.value
    assert "&lt;img" in panel.about.value
    for wrong in ("migrations/004_broken.py", f"no/{HOSTILE}.py", ""):
        panel.path.value = wrong
        assert panel.rehearse.disabled
        assert HOSTILE not in panel.about.value
    panel.path.value = "migrations/001_nicknames.py"
    assert not panel.rehearse.disabled


def test_two_panels_on_one_database_do_not_disturb_each_other(panel: Explorer) -> None:
    other = mk.explore("shop", "migrations/001_nicknames.py")
    panel.try_out.click()
    other.try_out.click()
    assert panel.work.wait(LONG)
    assert other.work.wait(LONG)
    assert panel.result.passed
    assert other.result.passed
    other.close()


def test_it_shows_itself_and_says_what_it_is_without_widgets(panel: Explorer) -> None:
    bundle = panel._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "Migration explorer" in data["text/plain"]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
