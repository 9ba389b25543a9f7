"""The load panel used as a person would: start, watch, stop, read the result; and a kernel that is restarted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from migkit.cli.shop import build_shop, copy_migrations
from migkit.database import Database
from tests.browser.conftest import OpenNotebook
from tests.browser.lab import PATIENCE_MS, until
from tests.browser.test_cards import violations
from tests.browser.test_explorer import enter

pytestmark = pytest.mark.slow

WORKLOAD = "-- migkit: name read\n-- migkit: param id range 1 900\nSELECT name FROM users WHERE id = :id;\n"
# Whoever is connected to a copy of the shop, or to the shop itself, besides this test.
SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%FROM users WHERE id =%' AND pid <> pg_backend_pid()"
)


@pytest.fixture
def project(postgresql: Database, tmp_path: Path) -> Path:
    """A folder with an alias, two migrations and a workload."""
    build_shop(postgresql, scale=0.005)
    copy_migrations(tmp_path / "migrations")
    (tmp_path / "reads.sql").write_text(WORKLOAD, encoding="utf-8")
    url = postgresql.engine.url.render_as_string(hide_password=False)
    (tmp_path / "migkit.toml").write_text(f'[databases.shop]\nurl = "{url}"\n', encoding="utf-8")
    return tmp_path


def sessions(db: Database) -> int:
    with db.engine.connect() as connection:
        return int(connection.execute(sa.text(SESSIONS)).scalar_one())


def filled(panel: Any, seconds: int, migration: str = "") -> None:
    for label, value in (("Clients", "4"), ("Rate", "40"), ("Seconds", str(seconds))):
        field = panel.get_by_label(label)
        field.fill(value)
        field.press("Enter")
    if migration:
        panel.get_by_label("Migration").fill(migration)
        panel.get_by_label("Migration").press("Enter")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_watched_to_its_end(notebook: OpenNotebook, project: Path, dark: bool) -> None:
    book = notebook(
        enter(project), 'panel = mk.load_panel("shop", "reads.sql"); panel', "panel.result.run.succeeded", dark=dark
    )
    book.page.set_viewport_size({"width": 1200, "height": 1500})
    book.run(0)
    panel = book.run(1).locator(".mk-load")
    filled(panel, 3, "migrations/001_add_user_profile.py")
    panel.get_by_role("button", name="Start").click()
    panel.locator(".mk-curves").wait_for(timeout=PATIENCE_MS)
    book.output(1).screenshot(path=book.picture(f"load-running-{'dark' if dark else 'light'}"))
    panel.locator(".mk-outcome .mk").wait_for(timeout=PATIENCE_MS)
    assert "Load test" in panel.locator(".mk-outcome").inner_text()
    book.output(1).screenshot(path=book.picture(f"load-done-{'dark' if dark else 'light'}"))
    assert book.run(2).inner_text().endswith("True")
    assert violations(book, ".mk-load") == []


def test_stop_ends_it_and_keeps_what_was_measured(notebook: OpenNotebook, project: Path, postgresql: Database) -> None:
    book = notebook(enter(project), 'panel = mk.load_panel("shop", "reads.sql"); panel', "panel.result.status")
    book.run(0)
    panel = book.run(1).locator(".mk-load")
    filled(panel, 900)
    panel.get_by_role("button", name="Start").click()
    until(lambda: sessions(postgresql), "the server is asked")
    panel.locator(".mk-curves").wait_for(timeout=PATIENCE_MS)
    panel.get_by_role("button", name="Stop").click()
    panel.locator(".mk-outcome .mk").wait_for(timeout=PATIENCE_MS)
    until(lambda: not sessions(postgresql), "the sessions are gone from the server")
    assert "interrupted" in book.run(2).inner_text()


def test_a_restart_of_the_kernel_during_a_load_test_leaves_no_session(
    notebook: OpenNotebook, project: Path, postgresql: Database
) -> None:
    book = notebook(enter(project), 'mk.load_test("shop", "reads.sql", rate=40, clients=4, duration=900)')
    book.run(0)
    book.start(1)
    until(lambda: sessions(postgresql), "the server is asked")
    book.page.locator('[data-command="notebook:restart-kernel"]').first.click()
    book.page.locator(".jp-Dialog button.jp-mod-accept").click()
    until(lambda: not sessions(postgresql), "the sessions are gone from the server")
