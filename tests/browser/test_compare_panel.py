"""The comparison panel used as a person would: look for what changed, go to a table, see its rows."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import PATIENCE_MS
from tests.browser.test_cards import SHOP, violations

CHANGED = """
copy = mk.clone(db)
run = mk.run(second, copy)
panel = mk.compare_panel(db, copy)
panel
"""


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_change_is_followed_to_its_rows(notebook: OpenNotebook, dark: bool) -> None:
    book = notebook(SHOP, CHANGED, "panel.box.close(); copy.drop()", dark=dark)
    book.page.set_viewport_size({"width": 1200, "height": 1500})
    book.run(0)
    panel = book.run(1).locator(".mk-compare")
    panel.get_by_label("Filter").fill("users")
    panel.get_by_label("Filter").press("Enter")
    panel.locator(".mk-list", has_text="users").wait_for()
    panel.get_by_label("Table", exact=True).select_option("users")
    panel.locator(".mk-detail", has_text="email").wait_for()
    panel.get_by_role("button", name="Rows that differ").click()
    panel.get_by_text("rows differ").first.wait_for(timeout=PATIENCE_MS)
    book.output(1).screenshot(path=book.picture(f"compare-{'dark' if dark else 'light'}"))
    assert violations(book, ".mk-compare") == []
    book.run(2)
