"""Canaries and a long reader: they tell who stalls, change nothing, and are in nobody's way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import migkit as mk
from migkit import frames
from migkit.database import Database
from migkit.progress import SILENT
from migkit.workflow.evidence import load_evidence
from migkit.workflow.rehearsal import Rehearsal

NO_CANARIES = "one lock guards the whole file; canaries would be in the migration's way"


@pytest.fixture
def shop(db: Database) -> Database:
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)"))
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY)"))
        connection.execute(text("INSERT INTO orders VALUES (1, 10), (2, 20)"))
    return db


def sleep(db: Database, seconds: float) -> str:
    return f"SELECT pg_sleep({seconds})" if db.dialect.transactional_ddl else f"SELECT sleep({seconds})"


def rehearse(db: Database, folder: Path, *statements: str, **options: Any) -> Rehearsal:
    path = folder / "001_change.py"
    lines = "".join(f"    op.execute({statement!r})\n" for statement in statements)
    metadata = options.pop("metadata", {})
    path.write_text(f"metadata = {metadata!r}\ndef up(op):\n{lines}def down(op):\n    op.execute('SELECT 1')\n")
    return mk.rehearse(path, db, progress=SILENT, reports=folder / "reports", **options)


def found(trial: Rehearsal, rule: str) -> list[str]:
    return [row["what"] for row in frames.FINDINGS.rows(trial.findings) if row["id"] == rule]


def stalling(db: Database) -> tuple[str, ...]:
    """Statements that lock the table orders for longer than a second, on every engine with a server."""
    if db.dialect.transactional_ddl:
        return ("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE", sleep(db, 1.2))
    return ("LOCK TABLES orders WRITE", sleep(db, 1.2), "UNLOCK TABLES")


@pytest.mark.excused("sqlite", why=NO_CANARIES)
@pytest.mark.slow
def test_a_stall_is_told_with_its_length_and_its_cause(shop: Database, tmp_path: Path) -> None:
    trial = rehearse(shop, tmp_path, *stalling(shop))
    assert trial.passed, trial.explain()
    told = found(trial, "stalled")
    assert {what.split(" stalled")[0] for what in told} == {"reads of orders", "writes to orders"}
    assert all(" behind " in what for what in told)
    stalled = frames.STALLS.rows(trial.company.stalls)  # type: ignore[union-attr]
    assert min(row["stalled_ms"] for row in stalled if row["stalled_ms"] > 500) > 1000


@pytest.mark.excused("sqlite", why=NO_CANARIES)
@pytest.mark.slow
def test_rows_changed_and_then_a_table_altered_is_no_deadlock(shop: Database, tmp_path: Path) -> None:
    statements = ("UPDATE orders SET total = total", sleep(shop, 0.8), "ALTER TABLE orders ADD COLUMN note VARCHAR(9)")
    trial = rehearse(shop, tmp_path, *statements)
    assert trial.up is not None
    assert trial.up.succeeded, trial.up.error
    if shop.dialect.transactional_ddl:
        assert any(what.startswith("writes to orders stalled") for what in found(trial, "stalled"))
        assert not any(what.startswith("reads of orders") for what in found(trial, "stalled"))


@pytest.mark.slow
@pytest.mark.excused("sqlite", why=NO_CANARIES)
def test_canaries_change_nothing(shop: Database, tmp_path: Path) -> None:
    trial = rehearse(shop, tmp_path, "UPDATE orders SET total = total", sleep(shop, 0.4))
    assert trial.passed, trial.explain()
    assert trial.comparison is not None
    assert trial.comparison.identical
    statements = frames.LOAD_STATEMENTS.rows(trial.company.statements)  # type: ignore[union-attr]
    assert {row["statement"] for row in statements} == {"reads of orders", "writes to orders"}
    assert sum(row["attempted"] for row in statements) > 8
    assert sum(row["errors"] for row in statements) == 0


def test_a_trigger_hears_nothing_of_canaries(postgresql: Database, tmp_path: Path) -> None:
    with postgresql.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1); CREATE TABLE heard (what text);"
            "CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN INSERT INTO heard VALUES (TG_OP); RETURN NULL; END';"
            "CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH STATEMENT EXECUTE FUNCTION hear()"
        )
    trial = rehearse(postgresql, tmp_path, "LOCK TABLE orders IN SHARE MODE", "SELECT pg_sleep(0.3)")
    assert trial.passed, trial.explain()
    assert trial.after is not None
    assert trial.comparison is not None
    assert trial.comparison.identical


def test_sqlite_says_why_there_are_none(sqlite: Database, tmp_path: Path) -> None:
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    trial = rehearse(sqlite, tmp_path, "ALTER TABLE orders ADD COLUMN x int")
    why = {row["what"]: row["why"] for row in frames.UNCHECKED.rows(trial.unchecked)}
    assert "one lock for the whole file" in why["who stalls while the migration runs"]


@pytest.mark.parametrize(
    ("statement", "why"),
    [("SELECT id FROM orders FOR UPDATE SKIP LOCKED", "SKIP LOCKED"), ("LOCK TABLE orders NOWAIT", "NOWAIT")],
)
def test_who_feels_locks_is_left_alone(postgresql: Database, tmp_path: Path, statement: str, why: str) -> None:
    with postgresql.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id int PRIMARY KEY)")
    trial = rehearse(postgresql, tmp_path, statement)
    assert trial.company is not None
    assert trial.company.statements.empty
    assert any(why in (row["why"] or "") for row in frames.UNCHECKED.rows(trial.unchecked))


def test_canaries_can_be_left_out(postgresql: Database, tmp_path: Path) -> None:
    with postgresql.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id int PRIMARY KEY)")
    trial = rehearse(postgresql, tmp_path, "ALTER TABLE orders ADD COLUMN x int", canaries=False)
    assert trial.company is not None
    assert trial.company.statements.empty


def test_a_dropped_table_is_not_the_canaries_to_judge(postgresql: Database, tmp_path: Path) -> None:
    with postgresql.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id int PRIMARY KEY)")
    declared = {"allow": ["drop_table:orders"], "limits": {"max_errors": 0}}
    trial = rehearse(postgresql, tmp_path, "DROP TABLE orders", "SELECT pg_sleep(0.2)", metadata=declared)
    assert trial.company is not None
    assert trial.company.errors["count"].sum() > 0
    assert not found(trial, "canary-failed")
    assert not found(trial, "limit-errors")


@pytest.mark.slow
@pytest.mark.excused("sqlite", why="a reader that stays longer than the lock timeout fails the commit there")
def test_a_long_reader_builds_the_queue(shop: Database, tmp_path: Path) -> None:
    trial = rehearse(shop, tmp_path, "ALTER TABLE orders DROP COLUMN total", long_reader="1500ms")
    [told] = found(trial, "queued-behind-reader")
    assert told.startswith("With a transaction open for 1.5 s, the migration waited for orders")
    assert "others behind it stalled" in told
    assert any(what.startswith("reads of orders stalled") for what in found(trial, "stalled"))


@pytest.mark.slow
@pytest.mark.excused("sqlite", why=NO_CANARIES)
def test_limits_fail_the_rehearsal_and_its_evidence_says_why(shop: Database, tmp_path: Path) -> None:
    limits = {"max_blocked_ms": 500, "max_p99_ms": 300}
    trial = rehearse(shop, tmp_path, *stalling(shop), metadata={"limits": limits})
    assert trial.status == "failed"
    assert "max_blocked_ms is 500" in trial.explain()
    assert {"limit-blocked", "limit-p99"} <= set(trial.findings["id"])
    assert trial.evidence is not None
    again = load_evidence(trial.evidence)
    assert again.explain() == trial.explain()
    assert again.limits == trial.limits
    assert len(again.company.stalls) == len(trial.company.stalls)  # type: ignore[union-attr]


def test_a_limit_holds_where_no_canary_watches_too(postgresql: Database, tmp_path: Path) -> None:
    tables = [f"part_{number}" for number in range(1, 6)]
    with postgresql.engine.begin() as connection:
        for table in tables:
            connection.execute(text(f"CREATE TABLE {table} (id integer PRIMARY KEY)"))
    *watched, last = (f"ALTER TABLE {table} ADD COLUMN n integer" for table in tables)
    trial = rehearse(
        postgresql,
        tmp_path,
        *(last, sleep(postgresql, 0.8), *watched),
        metadata={"limits": {"max_blocked_ms": 600}},
    )
    assert "part_5" in str(trial.unchecked["what"].tolist())
    (told,) = found(trial, "limit-blocked")
    assert told.startswith("Writes to part_5 were locked out for")


def test_a_limit_of_sqlite_counts_the_lock_of_the_file(sqlite: Database, tmp_path: Path) -> None:
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    strict = {"limits": {"max_blocked_ms": 0}}
    trial = rehearse(sqlite, tmp_path, "ALTER TABLE orders ADD COLUMN x int", metadata=strict)
    assert "limit-blocked" in set(trial.findings["id"])
    unknown = rehearse(sqlite, tmp_path, "ALTER TABLE orders ADD COLUMN x int", metadata={"limits": {"max_p99_ms": 1}})
    assert unknown.status == "failed"
    assert "limit-not-measured" in set(unknown.findings["id"])


@pytest.mark.slow
def test_a_workload_asks_a_second_clone_and_what_it_breaks_fails_the_rehearsal(
    postgresql: Database, tmp_path: Path
) -> None:
    with postgresql.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id int PRIMARY KEY, total int)")
        connection.exec_driver_sql("INSERT INTO orders SELECT n, n FROM generate_series(1, 100) n")
    workload = tmp_path / "shop.sql"
    workload.write_text("SELECT total FROM orders WHERE id = 7;\n")
    path = tmp_path / "002_drop.up.sql"
    path.write_text("-- migkit: allow drop_column:orders.total\nALTER TABLE orders DROP COLUMN total;\n")
    trial = mk.rehearse(path, postgresql, progress=SILENT, reports=False, workload=workload)
    assert trial.load is not None
    assert not trial.load.passed
    assert trial.status == "failed"
    [told] = found(trial, "under-load")
    assert "total" in told


@pytest.mark.slow
def test_a_workload_that_is_answered_leaves_the_proof_as_it_was(postgresql: Database, tmp_path: Path) -> None:
    with postgresql.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id int PRIMARY KEY, total int)")
        connection.exec_driver_sql("INSERT INTO orders SELECT n, n FROM generate_series(1, 100) n")
    workload = tmp_path / "shop.sql"
    workload.write_text("UPDATE orders SET total = total + 1 WHERE id = 7;\n")
    trial = rehearse(postgresql, tmp_path, "UPDATE orders SET total = total", workload=workload)
    assert trial.comparison is not None
    assert trial.comparison.identical
    assert trial.load is not None
    assert ("under-load" in set(trial.findings["id"])) is not trial.load.passed
    assert load_evidence(trial.evidence).load.status == trial.load.status  # type: ignore[arg-type, union-attr]
