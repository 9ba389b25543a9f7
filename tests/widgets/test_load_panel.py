"""The load panel without a browser: started, watched, stopped, and its result read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

import migkit as mk
from migkit.widgets.load_panel import LoadPanel

LONG = 90.0


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id integer PRIMARY KEY, name text)"))
        connection.execute(
            text(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) "
                "INSERT INTO users SELECT i, 'n' || i FROM n"
            )
        )
    engine.dispose()
    (tmp_path / "001.sql").write_text(
        "-- migrate:up\nALTER TABLE users ADD COLUMN nickname text;\n"
        "-- migrate:down\nALTER TABLE users DROP COLUMN nickname;\n",
        encoding="utf-8",
    )
    (tmp_path / "workloads").mkdir()
    (tmp_path / "workloads" / "read.sql").write_text("SELECT name FROM users WHERE id = 7;\n", encoding="utf-8")
    return url


@pytest.fixture
def panel(shop: str) -> Iterator[LoadPanel]:
    made = mk.load_panel(shop)
    made.clients.value, made.rate.value, made.duration.value = 2, 20, 1
    yield made
    made.close()
    assert made.work.wait(LONG)


def test_it_offers_workloads_and_migrations(panel: LoadPanel) -> None:
    assert panel.workload.options == ("auto", "server", "workloads/read.sql")
    assert panel.migration.options == ("001.sql",)
    assert panel.stop.disabled


@pytest.mark.slow
def test_start_measures_and_leaves_the_result(panel: LoadPanel) -> None:
    panel.workload.value = "workloads/read.sql"
    panel.migration.value = "001.sql"
    panel.start.click()
    assert panel.start.disabled
    assert panel.work.wait(LONG)
    assert isinstance(panel.result, mk.LoadResult), panel.work.error
    assert "Load test of" in panel.outcome.value
    assert "Added column users.nickname" in panel.live.value
    assert not panel.start.disabled


@pytest.mark.slow
def test_stop_twice_keeps_what_was_measured(panel: LoadPanel) -> None:
    panel.workload.value = "workloads/read.sql"
    panel.duration.value = 600
    panel.start.click()
    wait_for(lambda: "throughput" in panel.live.value)
    assert "waiting" in panel.live.value
    panel.stop.click()
    panel.stop.click()
    assert panel.work.wait(LONG)
    assert panel.work.state == "stopped"
    assert panel.result.status == "interrupted"
    assert "interrupted" in panel.outcome.value


def test_what_cannot_be_read_is_told_and_the_panel_stays_alive(panel: LoadPanel) -> None:
    panel.workload.value = "no/<script>.sql"
    panel.start.click()
    assert panel.work.wait(LONG)
    assert panel.work.state == "failed"
    assert "<script>" not in panel.live.value
    assert "broke off" in panel.live.value
    assert not panel.start.disabled


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
