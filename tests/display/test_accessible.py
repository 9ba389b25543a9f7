"""Every card in a real browser, light and dark: what an accessibility checker finds, and that nothing in it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import migkit as mk
from migkit.display.card import Card, Fact, Fold, card_html
from migkit.display.lines import Line
from migkit.display.live import Live
from migkit.display.live_view import ended_html, live_html
from migkit.widgets.toolkit import error_html, state_html
from tests.display.samples import HOSTILE, at, table_changes

pytestmark = pytest.mark.slow

MIGRATION = '''"""Add nicknames."""
import sqlalchemy as sa

metadata = {"description": "%s", "author": "dev-team", "risk": "low"}

def up(op):
    op.add_column("users", sa.Column("nickname", sa.String(50)))

def down(op):
    op.drop_column("users", "nickname")
'''
# Text colour and ground of JupyterLab and VS Code, light and dark, and of a plain page.
GROUNDS = {
    "jupyter light": ("rgba(0,0,0,.87)", "#fff"),
    "jupyter dark": ("#fff", "#111"),
    "code light": ("#3b3b3b", "#fff"),
    "code dark": ("#ccc", "#1f1f1f"),
    "plain": ("#000", "#fff"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("cards")
    (folder / "shop.db").touch()
    path = folder / "001_nicknames.py"
    path.write_text(MIGRATION % HOSTILE[2], encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, mk.connect(f"sqlite:///{folder / 'shop.db'}") as db:
        patch.chdir(folder)
        with db.engine.begin() as connection:
            connection.exec_driver_sql(f'CREATE TABLE users (id integer PRIMARY KEY, "{HOSTILE[1]}" text)')
            connection.exec_driver_sql("INSERT INTO users VALUES (1, 'a'), (2, 'b')")
        before = mk.capture(db)
        dry, trial = mk.dry_run(path, db), mk.rehearse(path, db, reports=False)
        run, validation = mk.run(path, db), mk.validate(path, db)
        after = mk.capture(db)
        nouns = (db, before, mk.compare(before, after), mk.compare(after, before), dry, trial, run, validation)
        cards = {type(noun).__name__ + str(number): noun._repr_html_() for number, noun in enumerate(nouns)}
        cards["failed"] = card_html(_failed_card())
        yield cards | _moments()


def _failed_card() -> Card:
    return Card(
        title=HOSTILE[1],
        sign="✗",
        verdict=f"failed: {HOSTILE[2]}",
        figures=(Fact("rows", "200,000", HOSTILE[0]), Fact("errors", "1"), Fact("warnings", "2")),
        lines=tuple(Line(sign, HOSTILE[4]) for sign in "✓⚠✗+·"),
        folds=(Fold("Tables", table_changes(), opened=True),),
        texts=(("Source", HOSTILE[2]),),
    )


def _moments() -> dict[str, str]:
    live = Live()
    live.note("✓", HOSTILE[1])
    live.note("✗", HOSTILE[2])
    live.begin(HOSTILE[3], 10)
    live.advance(4)
    lock = {"relation": HOSTILE[1], "mode": "AccessExclusiveLock", "blocks": "reads and writes", "granted_at": at(0)}
    live.fact("lock", lock | {"released_at": at(900), "held_ms": 900.0})
    live.fact("lock", lock | {"relation": "orders", "blocks": "writes", "released_at": at(700)})
    wait = {"waiter": 7, "relation": "users", "waiter_query": HOSTILE[2], "started_at": at(100), "ended_at": at(800)}
    live.fact("wait", wait | {"waited_ms": 700.0, "by_migration": True})
    for second in range(5):
        row = {"second": second, "phase": "during" if second > 2 else "baseline", "statement": "", "started_at": at(0)}
        live.fact("load", row | {"done": 100, "p50_ms": 1.5, "p99_ms": 9.0, "blocked": second})
    moment = live.moment()
    return {
        "running": live_html(moment),
        "ended": ended_html(moment, "done"),
        "interrupted": ended_html(moment, "interrupted"),
        "error": error_html(mk.MigkitError(HOSTILE[1], next_step="Do something else.")),
        "state": state_html("✓", "reached", HOSTILE[2]),
    }


@pytest.mark.parametrize("ground", GROUNDS)
def test_a_checker_finds_nothing(results: dict[str, str], browser: Any, ground: str, tmp_path: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    colour, background = GROUNDS[ground]
    body = "".join(f"<article>{html.replace('<details>', '<details open>')}</article>" for html in results.values())
    path = tmp_path / "cards.html"
    path.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Cards</title></head>'
        f'<body style="background:{background};color:{colour};font:14px sans-serif"><main><h1>Cards</h1>{body}</main>',
        encoding="utf-8",
    )
    page = browser.new_page()
    said: list[str] = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    found = axe.run(page)
    folder = os.environ.get("MIGKIT_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"cards-{ground.replace(' ', '-')}.png"), full_page=True)
    page.close()
    assert not found.response["violations"], found.generate_report()
    assert not said, "something in a card ran"
    assert asked == [path.as_uri()], "a card loads nothing"


def test_every_fold_is_reached_by_the_keyboard(results: dict[str, str], browser: Any) -> None:
    page = browser.new_page()
    page.set_content(results["Rehearsal5"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")
    page.close()
