"""The explorer used as a person would: choose, rehearse, watch, stop, look at the server, read the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from migkit.cli.shop import build_shop, copy_migrations
from migkit.database import Database
from tests.browser.conftest import OpenNotebook
from tests.browser.lab import PATIENCE_MS, Notebook, until
from tests.browser.test_cards import violations

# Nobody waits for this to end; it is ended.
SLOW = '''"""Take a very long time."""

metadata = {"description": "Take a very long time", "author": "dev-team", "risk": "high"}


def up(op):
    op.execute("ALTER TABLE users ADD COLUMN slow integer")
    op.execute("SELECT 'migkit browser test', pg_sleep(3600)")


def down(op):
    op.execute("ALTER TABLE users DROP COLUMN slow")
'''
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%browser test%' AND pid <> pg_backend_pid()"
FIRST, SECOND = "migrations/001_add_user_profile.py", "migrations/002_add_email_verification.py"


@pytest.fixture
def workshop(postgresql: Database, tmp_path: Path) -> Path:
    """A folder with two aliases, one of which leads nowhere, and three migrations."""
    build_shop(postgresql, scale=0.005)
    copy_migrations(tmp_path / "migrations")
    (tmp_path / "migrations" / "003_slow.py").write_text(SLOW, encoding="utf-8")
    url = postgresql.engine.url.render_as_string(hide_password=False)
    (tmp_path / "migkit.toml").write_text(
        f'[databases.shop]\nurl = "{url}"\n\n[databases.nowhere]\nurl = "postgresql://nobody@127.0.0.1:1/none"\n',
        encoding="utf-8",
    )
    return tmp_path


def enter(folder: Path) -> str:
    return f"import os; os.chdir({str(folder)!r})\nimport migkit as mk"


def choose(panel: Any, migration: str) -> None:
    field = panel.get_by_label("Migration")
    field.fill(migration)
    field.press("Enter")
    panel.locator(".mk-about", has_text=Path(migration).stem).wait_for()


def asleep(db: Database) -> int:
    with db.engine.connect() as connection:
        return int(connection.execute(sa.text(SLEEPING)).scalar_one())


def opened(notebook: OpenNotebook, folder: Path, *cells: str, dark: bool = False) -> tuple[Notebook, Any]:
    book = notebook(enter(folder), "panel = mk.explore(); panel", *cells, dark=dark)
    book.page.set_viewport_size({"width": 1200, "height": 1500})
    book.run(0)
    return book, book.run(1).locator(".mk-explorer")


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_rehearsal_is_watched_to_its_end_and_its_report_read(
    notebook: OpenNotebook, workshop: Path, dark: bool
) -> None:
    book, panel = opened(notebook, workshop, "panel.result.passed", dark=dark)
    choose(panel, SECOND)
    panel.get_by_role("button", name="Rehearse").click()
    panel.locator(".mk-stage-label").wait_for()
    panel.locator(".mk-outcome .mk").wait_for(timeout=PATIENCE_MS)
    assert "002_add_email_verification failed" in panel.locator(".mk-outcome").inner_text()
    assert "failed" in panel.locator(".mk-history").inner_text()
    assert book.run(2).inner_text().endswith("False")
    panel.get_by_role("button", name="Open report").click()
    report = panel.frame_locator(".mk-report iframe")
    report.get_by_text("002_add_email_verification").first.wait_for(timeout=PATIENCE_MS)
    book.output(1).screenshot(path=book.picture(f"explorer-{'dark' if dark else 'light'}"))
    panel.get_by_role("button", name="Close report").click()
    assert violations(book, ".mk-explorer") == []


@pytest.mark.slow
def test_stop_ends_it_on_the_server_while_other_cells_run(
    notebook: OpenNotebook, workshop: Path, postgresql: Database
) -> None:
    book, panel = opened(notebook, workshop, "6 * 7")
    choose(panel, "migrations/003_slow.py")
    panel.get_by_role("button", name="Rehearse").click()
    until(lambda: asleep(postgresql), "the server works on the migration")
    assert book.run(2).inner_text().endswith("42"), "the kernel stays usable"
    panel.locator(".mk-stage-label").wait_for()
    book.output(1).screenshot(path=book.picture("explorer-running"))
    stop = panel.get_by_role("button", name="Stop")
    stop.click()
    stop.click(force=True)  # whoever is impatient presses twice
    until(lambda: not asleep(postgresql), "the session is gone from the server")
    panel.locator(".mk-work", has_text="stopped").wait_for()
    assert "interrupted" in panel.locator(".mk-history").inner_text()
    book.output(1).screenshot(path=book.picture("explorer-stopped"))
    # It is as alive as before.
    choose(panel, FIRST)
    panel.get_by_role("button", name="Dry run").click()
    panel.locator(".mk-outcome", has_text="Dry run of 001_add_user_profile").wait_for(timeout=PATIENCE_MS)


@pytest.mark.slow
def test_an_alias_that_does_not_answer_is_told_and_the_panel_lives(notebook: OpenNotebook, workshop: Path) -> None:
    book, panel = opened(notebook, workshop)
    panel.get_by_label("Database").select_option("nowhere")
    panel.locator(".mk-connection", has_text="✗").wait_for()
    book.output(1).screenshot(path=book.picture("explorer-nowhere"))
    panel.get_by_label("Database").select_option("shop")
    panel.locator(".mk-connection", has_text="✓").wait_for()


@pytest.mark.slow
def test_a_saved_notebook_holds_no_dead_widget(notebook: OpenNotebook, workshop: Path) -> None:
    book = notebook(enter(workshop), f'trial = mk.rehearse("{FIRST}", "shop"); trial')
    book.run_all()
    assert "001_add_user_profile passed" in book.output(1).inner_text()
    book.command("docmanager:save")
    path = book.lab.folder / book.name
    saved = until(lambda: "001_add_user_profile passed" in path.read_text() and path.read_text(), "it is saved")
    assert "application/vnd.jupyter.widget-view+json" not in saved
