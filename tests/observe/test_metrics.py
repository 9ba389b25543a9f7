from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import migkit as mk
from migkit import frames
from migkit.config import Config
from migkit.database import Database
from migkit.dialects.local_process import cpu_seconds, listener, read_process
from migkit.dialects.measuring import Reading, Readings
from migkit.errors import ConfigError
from migkit.migration.loading import load_migration
from migkit.observe.metrics import Counters, Metrics, difference, read_counters
from tests.observe.situations import until

NAMES = ("connections", "active", "transactions", "errors", "statements", "statement_ms", "cache_hits", "cache_reads",
         "log_bytes", "replication_lag_seconds", "cpu_seconds", "deadlocks", "lock_timeouts")  # fmt: skip


def reading(seconds: float, **values: float | None) -> Counters:
    readings: Readings = {
        name: Reading(values.get(name), "counter", f"the {name}", "" if name in values else "not counted")
        for name in NAMES
    }
    return Counters(readings, datetime(2026, 11, 22, tzinfo=UTC), seconds)


def test_the_difference_of_two_readings() -> None:
    before = reading(
        10.0, transactions=100, errors=1, statements=1000, statement_ms=500.0, cache_hits=90, cache_reads=10
    )
    after = reading(
        12.0, transactions=140, errors=3, statements=1400, statement_ms=900.0, cache_hits=180, cache_reads=20
    )
    measured = difference(before, after, "shop")
    assert measured.transactions_per_second == 20.0
    assert measured.error_rate == 5.0
    assert measured.avg_response_ms == 1.0
    assert measured.value("cache_hit_rate") == 90.0
    assert measured.cpu_percent is None
    assert "not known" in repr(measured)


def test_a_server_started_again_is_not_a_negative_rate() -> None:
    measured = difference(reading(0.0, transactions=100, errors=0), reading(1.0, transactions=3, errors=0))
    assert measured.transactions_per_second is None
    (row,) = [row for row in frames.METRICS.rows(measured.frame) if row["name"] == "transactions_per_second"]
    assert "started again" in row["note"]


def test_nothing_happened_is_no_error() -> None:
    quiet = reading(0.0, transactions=5, errors=1, statements=5, statement_ms=1.0)
    measured = difference(quiet, reading(1.0, transactions=5, errors=1, statements=5, statement_ms=1.0))
    assert measured.error_rate == 0.0
    assert measured.avg_response_ms is None


def test_every_figure_has_a_value_or_a_reason(db: Database) -> None:
    measured = mk.metrics(db, seconds=0.05)
    assert isinstance(measured, Metrics)
    for row in frames.METRICS.rows(measured.frame):
        assert row["value"] is not None or row["note"], row
        assert row["value"] is None or row["value"] >= 0, row
    assert measured.to_document()["database"] == db.name
    assert "<table" in measured._repr_html_() or measured.frame["value"].notna().all()


@pytest.mark.excused("sqlite", why="has no server that counts")
def test_what_goes_on_is_counted(db: Database) -> None:
    with db.engine.connect() as connection:
        connection.execute(sa.text("CREATE TABLE v (id int PRIMARY KEY)"))
        connection.commit()
        before = _read(db)
        for number in range(200):
            connection.execute(sa.text("INSERT INTO v VALUES (:n)"), {"n": number})
            connection.commit()
        if db.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_stat_force_next_flush()"))
            connection.commit()
            connection.execute(sa.text("SELECT 1"))
            connection.commit()
        measured = difference(before, _read(db), db.name)
    assert measured.connections is not None and measured.connections >= 1
    rate = measured.transactions_per_second
    assert rate is not None and rate * measured.seconds >= 150
    # MySQL counts its log when it writes it out, which it does once a second.
    until(lambda: (difference(before, _read(db), db.name).value("log_bytes_per_second") or 0) > 0, "the log to grow")


def test_with_pg_stat_statements_the_response_time_is_that_of_statements(make_database: Any) -> None:
    db: Database = make_database("postgresql15")
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("CREATE EXTENSION pg_stat_statements"))
        before = _read(db)
        for _ in range(20):
            connection.execute(sa.text("SELECT pg_sleep(0.01)"))
        after = _read(db)
    measured = difference(before, after, db.name)
    assert measured.value("statements_per_second") * measured.seconds >= 20
    assert before.readings["statement_ms"].source == "pg_stat_statements"
    spent = after.readings["statement_ms"].value - before.readings["statement_ms"].value
    assert spent >= 200


def _read(db: Database) -> Counters:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return read_counters(db.dialect, connection)


@pytest.mark.excused("sqlite", why="has no server")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
def test_the_processor_of_a_server_on_this_machine(db: Database) -> None:
    measured = mk.metrics(db, seconds=0.2)
    assert measured.cpu_percent is not None
    assert 0 <= measured.cpu_percent <= 110


def test_processes_that_are_not_there() -> None:
    assert read_process(2**22 + 1) is None
    assert cpu_seconds(2**22 + 1) is None
    assert listener(1) is None


def test_no_time_is_no_interval(sqlite: Database) -> None:
    with pytest.raises(ConfigError, match="seconds"):
        mk.metrics(sqlite, seconds=0)


def test_stats_of_a_run(db: Database, tmp_path: Path) -> None:
    with db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE v (id int PRIMARY KEY, a int)"))
        connection.execute(sa.text("INSERT INTO v VALUES (1, 1), (2, 2), (3, 3)"))
    assert mk.stats(db).run == "no run was ever journalled here"
    path = tmp_path / "001_x.sql"
    path.write_text("UPDATE v SET a = 7;\nCREATE INDEX ix ON v (a);")
    result = mk.run(load_migration(path, config=Config()), db)
    assert result.succeeded, result.error
    found = mk.stats(db, result)
    assert found.rows_affected == 3
    assert found.lock_duration_ms is not None and found.lock_duration_ms >= 0
    rows = {row["table"]: row for row in frames.TABLE_SIZES.rows(found.tables)}
    assert "v" in rows
    if found.table_size_bytes is not None:
        assert found.table_size_bytes > 0
        # InnoDB counts the pages of a new index a moment later.
        assert found.index_size_bytes is not None and found.index_size_bytes >= 0
    without = mk.stats(db)
    assert (without.rows_affected, without.lock_duration_ms) == (None, None)
    assert "001_x" in without.run
    assert "Stats of" in repr(found) and found.to_document()["rows_affected"] == 3
