"""Migrations, tables and values of a size nobody should have, and somebody has."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from migkit import verbs
from migkit.config import Config
from migkit.database import Database
from migkit.migration.loading import load_migration
from migkit.progress import SILENT
from migkit.state.snapshot import State
from tests.faults.support import execute

STATEMENTS = 20_000


@pytest.fixture
def long_migration(folder: Path) -> Path:
    """Five megabytes of SQL."""
    padding = "x" * 200
    lines = [f"INSERT INTO users VALUES ({n}, '{n}'); -- {padding}" for n in range(10, 10 + STATEMENTS)]
    (folder / "long.up.sql").write_text("\n".join(lines))
    (folder / "long.down.sql").write_text("DELETE FROM users WHERE id >= 10;")
    assert (folder / "long.up.sql").stat().st_size > 4_500_000
    return folder / "long.up.sql"


@pytest.mark.slow
def test_twenty_thousand_statements(file_shop: Database, long_migration: Path) -> None:
    began = time.process_time()
    result = verbs.run(long_migration, file_shop, progress=SILENT)
    assert result.succeeded, result.error
    assert len(result.statements) == STATEMENTS
    assert len(str(result)) < 100_000_000
    # Cutting, recording and journalling a statement are to take the same time however many there are.
    assert time.process_time() - began < 60


def test_cutting_them_takes_time_in_proportion(long_migration: Path, file_shop: Database) -> None:
    program = load_migration(long_migration, config=Config()).program
    began = time.process_time()
    program.check("up", file_shop.dialect)
    assert time.process_time() - began < 20


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_table_as_wide_as_can_be(make_database: Callable[[str], Database], engine: str, folder: Path) -> None:
    db = make_database(engine)
    columns = ", ".join(f"c{n} integer" for n in range(1, 1600))
    execute(db, f"CREATE TABLE wide (id integer PRIMARY KEY, {columns})", "INSERT INTO wide (id, c1599) VALUES (1, 7)")
    before = verbs.capture(db, progress=SILENT)
    execute(db, "UPDATE wide SET c1598 = 8")
    comparison = verbs.compare(before, verbs.capture(db, progress=SILENT))
    changed = comparison.columns[comparison.columns["content"] == "changed"]
    assert list(changed["column"]) == ["c1598"]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_five_hundred_tables(make_database: Callable[[str], Database], engine: str) -> None:
    db = make_database(engine)
    execute(db, *(f"CREATE TABLE t{n} (id integer PRIMARY KEY, v integer)" for n in range(500)))
    execute(db, "INSERT INTO t499 VALUES (1, 1)")
    state = verbs.capture(db, progress=SILENT)
    assert len(state.tables) == 500
    assert state.total_rows == 1


HUGE = 50_000_000


def test_a_value_of_fifty_megabytes(postgresql: Database) -> None:
    """PostgreSQL digests it itself: nothing of it comes to the client."""
    execute(
        postgresql,
        "CREATE TABLE big (id integer PRIMARY KEY, v text)",
        f"INSERT INTO big VALUES (1, repeat('x', {HUGE})), (2, repeat('y', {HUGE}))",
    )
    before, peak = _captured(postgresql)
    assert peak < 20_000_000
    execute(postgresql, "UPDATE big SET v = v || 'z' WHERE id = 2")
    assert not verbs.compare(before, _captured(postgresql)[0]).identical


def test_a_value_of_fifty_megabytes_in_a_file(sqlite: Database) -> None:
    """The client is the server: it holds a row or two at a time, not the table."""
    execute(
        sqlite,
        "CREATE TABLE big (id integer PRIMARY KEY, v blob)",
        *(f"INSERT INTO big VALUES ({n}, zeroblob({HUGE}))" for n in range(6)),
    )
    state, peak = _captured(sqlite)
    assert state.total_rows == 6
    assert peak < 4 * HUGE


def _captured(db: Database) -> tuple[State, int]:
    tracemalloc.start()
    try:
        return verbs.capture(db, progress=SILENT), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
