"""What the stop square and a restart of the kernel leave on the server: nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from migkit.database import Database
from tests.browser.conftest import OpenNotebook
from tests.browser.lab import until
from tests.browser.test_explorer import asleep, enter, workshop

__all__ = ["workshop"]

pytestmark = pytest.mark.slow
STOP_SQUARE = '[data-command="notebook:interrupt-kernel"]'


@pytest.mark.parametrize("verb", ["run", "rehearse"])
def test_the_stop_square_cancels_on_the_server(
    notebook: OpenNotebook, workshop: Path, postgresql: Database, verb: str
) -> None:
    book = notebook(enter(workshop), f'done = mk.{verb}("migrations/003_slow.py", "shop"); done', "1 + 1")
    book.run(0)
    before = book.count(1)
    book.start(1)
    until(lambda: asleep(postgresql), "the server works on the migration")
    book.page.locator(".mk-live.mk-running").wait_for()
    book.screenshot(f"interrupt-{verb}-before", 1)
    book.page.locator(STOP_SQUARE).first.click()
    book.wait_count(1, before)
    until(lambda: not asleep(postgresql), "the session is gone from the server")
    output = book.output(1)
    assert "interrupted" in output.inner_text().lower()
    assert output.locator(".mk-running").count() == 0, "nothing pretends to go on"
    book.screenshot(f"interrupt-{verb}-after", 1)
    assert book.run(2).inner_text().endswith("2"), "the kernel is as good as before"


def test_a_restart_of_the_kernel_leaves_no_session(
    notebook: OpenNotebook, workshop: Path, postgresql: Database
) -> None:
    book = notebook(enter(workshop), 'mk.rehearse("migrations/003_slow.py", "shop")')
    book.run(0)
    book.start(1)
    until(lambda: asleep(postgresql), "the server works on the migration")
    book.page.locator('[data-command="notebook:restart-kernel"]').first.click()
    book.page.locator(".jp-Dialog button.jp-mod-accept").click()
    until(lambda: not asleep(postgresql), "the session is gone from the server")
