"""Every result draws itself in JupyterLab: readable in light and dark, nothing from outside runs, axe finds nothing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import nbformat
import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import Notebook, until
from tests.chromium import require

SHOP = """
import os, tempfile
from pathlib import Path
os.chdir(tempfile.mkdtemp())
import migkit as mk
from migkit.cli.shop import build_shop, copy_migrations
Path("shop.db").touch()
db = mk.connect("sqlite:///shop.db")
build_shop(db, scale=0.002)
first, second = copy_migrations(Path("migrations"))
db
"""

# Cell → what its card has to say.
CARDS = {
    SHOP: "Database shop",
    "before = mk.capture(db); before": "State of shop",
    "mk.dry_run(first, db)": "Dry run of 001_add_user_profile",
    "run = mk.run(first, db); run": "001_add_user_profile on shop, the way up",
    "mk.validate(first, db)": "Validation of 001_add_user_profile on shop",
    "diff = mk.compare(before, mk.capture(db)); diff": "nothing was lost or damaged",
    "trial = mk.rehearse(second, db); trial": "002_add_email_verification failed",
    "mk.load(trial.evidence)": "002_add_email_verification failed",
    'mk.compare_rows(db, db, "users")': "identical",
}

HOSTILE = """
import tempfile, sqlite3
import migkit as mk
path = tempfile.mkdtemp() + "/hostile.db"
names = ["<script>window.hurt=1</script>", '"><img src=x onerror="window.hurt=1">', "</details></div><h1>out</h1>",
         "a%b:c", 'order"; drop table x;--', "ünï ‮ right", "`js`", "{{1}}"]
with sqlite3.connect(path) as connection:
    for name in names:
        quoted = '"' + name.replace('"', '""') + '"'
        connection.execute(f"CREATE TABLE {quoted} (id integer PRIMARY KEY, {quoted} text)")
        connection.execute(f"INSERT INTO {quoted} VALUES (1, ?)", [name])
connection.close()
mk.capture(f"sqlite:///{path}")
"""


def test_a_result_draws_itself(notebook: OpenNotebook) -> None:
    book = notebook(SHOP, "mk.capture(db)")
    book.run(0)
    card = book.run(1).locator(".mk")
    assert "State of shop" in card.inner_text()
    assert not card.get_by_text("price_history").first.is_visible(), "what is in detail is folded"
    card.get_by_text("Tables (").first.click()
    assert card.get_by_text("price_history").first.is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_card_is_readable(notebook: OpenNotebook, dark: bool) -> None:
    book = notebook(*CARDS, dark=dark)
    theme = "dark" if dark else "light"
    for number, said in enumerate(CARDS.values()):
        output = book.run(number)
        assert output.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0, output.inner_text()
        card = output.locator(".mk").last  # before it, what was shown while it went on
        assert said in card.inner_text()
        card.screenshot(path=book.picture(f"card-{number}-{theme}"))
    assert violations(book, ".mk") == []


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_plot_is_a_picture(notebook: OpenNotebook, dark: bool) -> None:
    book = notebook(SHOP, "mk.run(second, db).plot()", dark=dark)
    book.run(0)
    picture = book.run(1).locator("img")
    assert picture.evaluate("image => image.naturalWidth") > 400


@pytest.mark.slow
def test_folds_open_with_the_keyboard(notebook: OpenNotebook) -> None:
    book = notebook(SHOP, "mk.capture(db)")
    book.run(0)
    fold = book.run(1).locator(".mk details").first
    fold.locator("summary").focus()
    book.page.keyboard.press("Enter")
    assert fold.get_attribute("open") is not None


@pytest.mark.slow
def test_names_with_markup_are_only_shown(notebook: OpenNotebook) -> None:
    book = notebook(HOSTILE)
    output = book.run(0)
    for fold in output.locator("summary").all():
        fold.click()
    text = output.inner_text()
    assert "<script>window.hurt=1</script>" in text and "</details></div><h1>out</h1>" in text
    assert output.locator("h1, img, script").count() == 0
    assert book.page.evaluate("window.hurt") is None
    book.screenshot("hostile", 0)


@pytest.mark.slow
def test_a_notebook_nobody_trusts_is_readable(notebook: OpenNotebook) -> None:
    """Style is stripped from a notebook that was executed elsewhere; the card has to do without."""
    book = notebook(SHOP, "trial = mk.rehearse(second, db); trial")
    book.run_all()
    book.command("docmanager:save")
    path = book.lab.folder / book.name
    stranger = _saved(book)
    stranger.cells[1].source += "  # by somebody else"
    nbformat.write(stranger, path.with_name(f"stranger_{book.name}"))
    book.name = f"stranger_{book.name}"
    book.show()
    card = book.output(1)
    text = card.inner_text()
    assert card.locator("style").count() == 0, "JupyterLab strips style from notebooks it does not trust"
    assert "002_add_email_verification failed" in text and "Not checked" in text
    book.screenshot("untrusted", 1)


def _saved(book: Notebook) -> Any:
    def read() -> Any:
        document = nbformat.read(book.lab.folder / book.name, as_version=4)
        return document if all(cell.get("outputs") for cell in document.cells) else None

    return until(read, "the notebook is saved with its outputs")


def violations(book: Notebook, within: str) -> list[str]:
    """What axe says against what is shown."""
    require("axe_playwright_python.sync_playwright")
    axe = import_module("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(book.page, context=within).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
