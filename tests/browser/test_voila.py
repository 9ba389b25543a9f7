"""The dashboard as a page for people without Python: Voila shows the explorer, and no code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migkit.cli.shop import build_shop, copy_migrations
from migkit.database import connect
from tests.browser.lab import PATIENCE_MS, SCREENSHOTS, Web, start_voila
from tests.chromium import require
from tests.source import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Web]:
    """The dashboard over a small shop in a file."""
    require("voila")
    folder = tmp_path / "project"
    copy_migrations(folder / "migrations")
    shop = folder / "shop.db"
    shop.touch()
    with connect(f"sqlite:///{shop}") as db:
        build_shop(db, scale=0.002)
    (folder / "migkit.toml").write_text(f'[databases.shop]\nurl = "sqlite:///{shop}"\n', encoding="utf-8")
    # The page's kernel stands where the notebook lies.
    page = folder / "dashboard.ipynb"
    page.write_bytes((ROOT / "notebooks" / "dashboard.ipynb").read_bytes())
    server = start_voila(page, tmp_path / "private", folder)
    yield server
    server.stop()


def test_somebody_without_python_rehearses_a_migration(page: Any, dashboard: Web) -> None:
    page.goto(dashboard.url)
    panel = page.locator(".mk-explorer")
    panel.wait_for(timeout=PATIENCE_MS)
    assert page.get_by_text("import migkit").count() == 0, "no code is shown"
    panel.get_by_label("Migration").fill("migrations/001_add_user_profile.py")
    panel.get_by_label("Migration").press("Enter")
    panel.locator(".mk-about", has_text="001_add_user_profile").wait_for()
    panel.get_by_role("button", name="Rehearse").click()
    panel.locator(".mk-outcome .mk").wait_for(timeout=PATIENCE_MS)
    assert "001_add_user_profile passed" in panel.locator(".mk-outcome").inner_text()
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "voila.png", full_page=True)
