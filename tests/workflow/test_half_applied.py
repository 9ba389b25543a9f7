"""Rehearsals of migrations that fail half-way, and the algorithm by which a server alters each table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

import migkit as mk
from migkit.database import Database
from migkit.findings import Severity
from migkit.progress import SILENT
from migkit.report.sections import statements
from migkit.workflow.evidence import load_evidence
from migkit.workflow.rehearsal import Rehearsal

UP = """
-- migrate:up
CREATE TABLE extra (id INTEGER PRIMARY KEY);
ALTER TABLE users ADD COLUMN nick VARCHAR(50);
ALTER TABLE users ADD COLUMN email VARCHAR(50);
-- migrate:down
"""


def with_users(db: Database) -> Database:
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(100), visits INTEGER)"))
        connection.execute(text("INSERT INTO users VALUES (1, 'a', 1), (2, 'b', 2)"))
    return db


@pytest.fixture
def shop(db: Database) -> Database:
    return with_users(db)


@pytest.fixture(params=["mysql", "mariadb"])
def committing(request: pytest.FixtureRequest, make_database: Callable[[str], Database]) -> Database:
    return with_users(make_database(request.param))


def rehearse(source: str, db: Database, folder: Path) -> Rehearsal:
    path = folder / "001_change.sql"
    path.write_text(source)
    return mk.rehearse(path, db, reports=folder / "reports", progress=SILENT)


def told(trial: Rehearsal, rule: str) -> dict[Severity, str]:
    found = trial.findings[trial.findings["id"] == rule]
    return dict(zip(found["severity"], found["what"], strict=True))


def test_a_way_up_that_stops_half_way_is_taken_back_on_the_clone(shop: Database, tmp_path: Path) -> None:
    down = "ALTER TABLE users DROP COLUMN email; ALTER TABLE users DROP COLUMN nick; DROP TABLE extra;"
    trial = rehearse(UP + down, shop, tmp_path)
    assert trial.status == "failed"
    assert told(trial, "migration-failed")
    if shop.dialect.transactional_ddl:
        assert not told(trial, "half-applied")
        assert trial.down is None
        return
    assert "CREATE TABLE extra" in told(trial, "half-applied")["error"]
    assert "ADD COLUMN nick" in told(trial, "half-applied")["error"]
    assert set(told(trial, "half-applied-rollback")) == {"note"}
    assert trial.rollback is not None
    assert trial.rollback.identical
    assert trial.down is not None
    assert list(trial.down.statements["outcome"]) == ["skipped", "applied", "applied"]
    assert "Stands though the run failed: CREATE TABLE extra" in statements(trial).text
    assert trial.evidence is not None
    again = load_evidence(trial.evidence)
    assert again.up is not None
    assert again.up.standing == trial.up.standing  # type: ignore[union-attr]
    assert again.down is not None
    assert again.down.account == "the schema is identical to that before the attempt"


def test_a_way_down_that_forgets_something_is_no_way_back(committing: Database, tmp_path: Path) -> None:
    trial = rehearse(UP + "DROP TABLE extra;", committing, tmp_path)
    found = told(trial, "half-applied-rollback")
    assert "column users.nick is still there (ALTER TABLE `users` DROP COLUMN `nick`)" in found["error"]


def test_where_only_a_person_can_decide_the_statements_are_offered(committing: Database, tmp_path: Path) -> None:
    source = UP.replace("ALTER TABLE users ADD COLUMN nick VARCHAR(50)", "UPDATE users SET visits = 0")
    trial = rehearse(source + "UPDATE users SET visits = 1; DROP TABLE extra;", committing, tmp_path)
    found = told(trial, "half-applied-rollback")["error"]
    assert "only a person can decide" in found
    assert "DROP TABLE extra" in found
    assert not told(trial, "step-failed")


def test_without_a_way_down_only_what_stands_is_told(committing: Database, tmp_path: Path) -> None:
    trial = rehearse(UP.replace("-- migrate:down", ""), committing, tmp_path)
    assert told(trial, "half-applied")
    assert not told(trial, "half-applied-rollback")


@pytest.mark.slow
def test_the_algorithm_of_each_change_is_found_and_told(committing: Database, tmp_path: Path) -> None:
    source = """
-- migrate:up
CREATE TABLE fresh (id INTEGER PRIMARY KEY);
ALTER TABLE users ADD COLUMN nick VARCHAR(50);
CREATE INDEX by_visits ON users (visits);
UPDATE users SET visits = visits;
ALTER TABLE users MODIFY visits BIGINT;
ALTER TABLE fresh MODIFY id BIGINT;
-- migrate:down
ALTER TABLE users MODIFY visits INTEGER;
DROP INDEX by_visits ON users;
ALTER TABLE users DROP COLUMN nick;
DROP TABLE fresh;
"""
    trial = rehearse(source, committing, tmp_path)
    assert trial.passed, trial.explain()
    assert trial.up is not None
    found = dict(zip(trial.up.statements["summary"], trial.up.statements["algorithm"], strict=True))
    assert found["Added column users.nick"] == "INSTANT"
    assert found["Created index by_visits on users"] in ("INPLACE, LOCK=NONE", "NOCOPY, LOCK=NONE")
    assert found["Changed column users.visits"] == "COPY, LOCK=SHARED"
    # A table the migration makes itself is empty: copying it costs nothing.
    assert list(trial.findings.loc[trial.findings["id"] == "table-copied", "where"]) == ["users"]
    assert "COPY, LOCK=SHARED" in "".join(part.html for part in statements(trial).parts)  # type: ignore[union-attr]


def test_engines_without_algorithms_say_nothing_of_them(sqlite: Database, tmp_path: Path) -> None:
    trial = rehearse("CREATE TABLE fresh (id INTEGER PRIMARY KEY);", with_users(sqlite), tmp_path)
    assert trial.up is not None
    assert trial.up.statements["algorithm"].isna().all()
