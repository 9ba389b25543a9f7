from __future__ import annotations

import _thread
import threading

import pytest
import sqlalchemy as sa

from migkit.database import Database, connect
from migkit.migration.journal import history
from migkit.migration.results import RunInterrupted
from migkit.migration.runner import run
from tests.migration.conftest import Load, Notes, columns, outcomes, tables, value


def test_timeout_cancels_on_the_server(shop: Database, load: Load) -> None:
    result = run(load("x.sql", "CREATE TABLE a (id int);\nSELECT pg_sleep(600);"), shop, timeout=0.5)
    assert not result.succeeded
    assert str(result.error).startswith("Timed out after 0.5 s")
    assert outcomes(result) == ["rolled back", "failed"]
    assert result.seconds < 30
    assert "a" not in tables(shop)
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND state = 'active'"
    assert value(shop, running) == 0


ENDLESS = "INSERT INTO users WITH RECURSIVE n(x) AS (SELECT 10 UNION ALL SELECT x + 1 FROM n) SELECT x, 'x' FROM n;"


def test_timeout_interrupts_sqlite(shop_file: Database, load: Load) -> None:
    result = run(load("x.sql", f"CREATE TABLE a (id int);\n{ENDLESS}"), shop_file, timeout=0.5)
    assert str(result.error).startswith("Timed out after 0.5 s")
    assert outcomes(result) == ["rolled back", "failed"]
    assert "a" not in tables(shop_file)
    assert value(shop_file, "SELECT count(*) FROM users") == 3


def test_timeout_ends_python_code(either: Database, load: Load) -> None:
    source = 'def up(op):\n    op.execute("DELETE FROM users")\n    while True:\n        pass\n'
    result = run(load("x.py", source), either, timeout=0.3)
    assert str(result.error).startswith("Timed out after 0.3 s")
    assert outcomes(result) == ["rolled back"]
    assert value(either, "SELECT count(*) FROM users") == 3


def test_timeout_between_statements(either: Database, load: Load) -> None:
    source = """
def up(op):
    while True:
        try:
            op.execute("SELECT 1")
        except Exception:
            pass
"""
    result = run(load("x.py", source), either, timeout=0.3)
    assert str(result.error).startswith("Timed out after 0.3 s")


def test_lock_timeout(shop: Database, load: Load) -> None:
    with shop.engine.connect() as other:
        other.execute(sa.text("LOCK TABLE users IN ACCESS EXCLUSIVE MODE"))
        result = run(load("x.sql", "ALTER TABLE users ADD COLUMN bio text"), shop, lock_timeout=0.2)
    assert not result.succeeded
    assert "55P03" in str(result.error)
    waits = result.waits
    assert not waits["by_migration"].iloc[0]
    assert "bio" not in columns(shop, "users")


def test_lock_timeout_on_sqlite(shop_file: Database, load: Load) -> None:
    with connect(shop_file.engine.url).engine.connect() as other:
        other.execute(sa.text("UPDATE users SET name = 'y'"))
        result = run(load("x.sql", "DELETE FROM users"), shop_file, lock_timeout=0.1, journal=False)
        other.rollback()
    assert not result.succeeded
    assert value(shop_file, "SELECT count(*) FROM users") == 3


@pytest.mark.parametrize("engine", ["postgresql", "sqlite"])
def test_ctrl_c_cancels_on_the_server(request: pytest.FixtureRequest, load: Load, engine: str) -> None:
    db: Database = request.getfixturevalue("shop" if engine == "postgresql" else "shop_file")
    slow = "SELECT pg_sleep(600);" if engine == "postgresql" else ENDLESS
    script = load("x.sql", f"CREATE TABLE a (id int);\n{slow}")
    progress = Notes()
    told = threading.Event()
    note = progress.note

    def note_and_interrupt(sign: str, text: str) -> None:
        note(sign, text)
        if "Created table a" in text and not told.is_set():
            told.set()
            _thread.interrupt_main()

    progress.note = note_and_interrupt  # type: ignore[method-assign]
    with pytest.raises(RunInterrupted) as caught:
        run(script, db, progress=progress)
    stopped = caught.value.run
    assert not stopped.succeeded
    assert str(stopped.error).startswith("Interrupted")
    assert outcomes(stopped)[0] == "rolled back"
    assert "a" not in tables(db)
    assert history(db)["outcome"].tolist() == ["cancelled"]


def test_lost_connection(shop: Database, load: Load) -> None:
    source = """
import sqlalchemy as sa

def up(op):
    op.execute("CREATE TABLE a (id integer)")
    op.execute("SELECT pg_terminate_backend(pg_backend_pid())")
"""
    result = run(load("x.py", source), shop)
    assert not result.succeeded
    assert outcomes(result) == ["rolled back", "failed"]
    assert "a" not in tables(shop)


def test_lost_connection_outside_a_transaction_is_unknown(shop: Database, load: Load) -> None:
    source = """
def up(op):
    with op.get_context().autocommit_block():
        op.execute("SELECT pg_terminate_backend(pg_backend_pid())")
"""
    result = run(load("x.py", source), shop)
    assert not result.succeeded
    assert outcomes(result) == ["unknown"]
