"""Taking a migration back: each trigger with each strategy on each engine; only what is identical counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import make_url

from migkit.config import Config
from migkit.database import Database
from migkit.dialects import dialect_for
from migkit.errors import ConfigError
from migkit.migration.loading import load_migration
from migkit.migration.migration import Migration
from migkit.migration.results import Run
from migkit.migration.runner import run
from migkit.recovery import pitr
from migkit.recovery.backups import make_backup
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.state.snapshot import State
from migkit.workflow.taking_back import STRATEGIES, TakenBack, cannot, take_back
from migkit.workflow.triggers import TRIGGERS, triggered
from tests.faults.support import execute
from tests.recovery.conftest import _tools_folder as _tools_folder
from tests.recovery.conftest import server_tools as server_tools

SCHEMA = (
    "CREATE TABLE users (id integer PRIMARY KEY, name varchar(40) NOT NULL, legacy integer)",
    "INSERT INTO users VALUES (1, 'Ann', 7), (2, 'ünï', 8), (3, 'a%b:c', 9)",
)
SLOW_QUERY = {
    "sqlite": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT SLEEP(60)",
    "mariadb": "SELECT SLEEP(60)",
}
FIRST = "CREATE TABLE profiles (id integer PRIMARY KEY)"
UP = {
    "error": [FIRST, "INSERT INTO nowhere VALUES (1)"],
    "timeout": [FIRST, "{slow}"],
    "constraint_violation": [FIRST, "INSERT INTO users VALUES (1, 'again', 0)"],
    "validation_failed": [FIRST, "ALTER TABLE users ADD COLUMN age integer", "DELETE FROM users WHERE id = 2"],
}
DOWN = {
    "error": ["DROP TABLE profiles"],
    "timeout": ["DROP TABLE profiles"],
    "constraint_violation": ["DROP TABLE profiles"],
    "validation_failed": [
        "INSERT INTO users (id, name, legacy) VALUES (2, 'ünï', 8)",
        "ALTER TABLE users DROP COLUMN age",
        "DROP TABLE profiles",
    ],
}


@dataclass
class Situation:
    """A migration that went wrong, and all that is known of it."""

    migration: Migration
    before: State
    result: Run
    names: tuple[str, ...]


def go_wrong(db: Database, trigger: str, folder: Path) -> Situation:
    """Run a migration that pulls a trigger."""
    slow = SLOW_QUERY[db.dialect.name]
    path = folder / f"{trigger}.up.sql"
    path.write_text(";\n".join(UP[trigger]).replace("{slow}", slow) + ";\n", encoding="utf-8")
    (folder / f"{trigger}.down.sql").write_text(";\n".join(DOWN[trigger]) + ";\n", encoding="utf-8")
    migration = load_migration(path, config=Config())
    before = capture(db)
    result = run(migration, db, timeout=1.5 if trigger == "timeout" else None)
    comparison = compare(before, capture(db, like=before)) if result.succeeded else None
    pulled = triggered(TRIGGERS, engine=db.dialect, run=result, comparison=comparison)
    return Situation(migration, before, result, tuple(one.name for one in pulled))


def check(db: Database, strategy: str, folder: Path) -> None:
    """Pull each trigger, and take it back by the strategy."""
    execute(db, *SCHEMA)
    directory = folder / "backups"
    backup = make_backup(db, directory).id if strategy == "backup" else None
    if strategy == "pitr":
        pitr.enable(db, directory)
    try:
        for trigger in TRIGGERS:
            moment = pitr.timestamp(db, directory).moment if strategy == "pitr" else None
            situation = go_wrong(db, trigger, folder)
            assert trigger in situation.names
            taken = _take_back(strategy, db, situation, directory, backup, moment)
            _judge(taken, strategy, db, situation)
            if not taken.restored:
                # The next trigger begins where this one began.
                assert _take_back("down", db, situation, directory, None, None).restored
    finally:
        if strategy == "pitr":
            pitr.disable(db, directory)


def _take_back(
    strategy: str, db: Database, situation: Situation, directory: Path, backup: str | None, moment: datetime | None
) -> TakenBack:
    return take_back(
        strategy,
        db=db,
        migration=situation.migration,
        run=situation.result,
        before=situation.before,
        directory=directory,
        backup_id=backup,
        moment=moment,
    )


def _judge(taken: TakenBack, strategy: str, db: Database, situation: Situation) -> None:
    committed = situation.result.succeeded
    if strategy != "transaction" or (db.dialect.transactional_ddl and not committed):
        assert taken.restored, taken
        assert taken.comparison is not None and taken.comparison.identical
        assert not taken.differences and not taken.commands
        return
    assert not taken.restored and taken.differences
    assert "commit" in (taken.error or "")
    assert any(command.startswith("migkit rollback ") for command in taken.commands)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.slow
def test_each_trigger_with_each_strategy_on_a_file(sqlite: Database, strategy: str, tmp_path: Path) -> None:
    check(sqlite, strategy, tmp_path)


@pytest.mark.slow
@pytest.mark.excused("sqlite", why="it is in the quick suite")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_trigger_with_each_strategy(db: Database, strategy: str, tmp_path: Path) -> None:
    check(db, strategy, tmp_path)


# --- what is not restored -------------------------------------------------------------------------------------------


def test_a_way_down_that_forgets_something_is_no_rollback(sqlite: Database, tmp_path: Path) -> None:
    execute(sqlite, *SCHEMA)
    situation = go_wrong(sqlite, "validation_failed", tmp_path)
    (tmp_path / "validation_failed.down.sql").write_text(
        "ALTER TABLE users DROP COLUMN age; DROP TABLE profiles;", encoding="utf-8"
    )
    forgetful = load_migration(tmp_path / "validation_failed.up.sql", config=Config())
    taken = _take_back("down", sqlite, replace(situation, migration=forgetful), tmp_path, "20261122T1-x", None)
    assert not taken.restored and taken.error is None
    assert any("users" in one for one in taken.differences)
    assert [one for one in taken.commands if one.startswith("migkit restore-backup 20261122T1-x")]
    assert "NOT rolled back" in repr(taken) and "NOT rolled back" in taken._repr_html_()
    assert taken.to_document()["restored"] is False


def test_a_backup_that_is_not_there_is_said(sqlite: Database, tmp_path: Path) -> None:
    execute(sqlite, *SCHEMA)
    situation = go_wrong(sqlite, "validation_failed", tmp_path)
    taken = _take_back("backup", sqlite, situation, tmp_path / "backups", "20261122T104500Z-none-0000", None)
    assert not taken.restored and "20261122T104500Z-none-0000" in (taken.error or "")
    assert taken.differences


def test_what_cannot_be_is_said_before_anything_runs(sqlite: Database, tmp_path: Path) -> None:
    path = tmp_path / "only.sql"
    path.write_text("CREATE TABLE a (id integer);", encoding="utf-8")
    migration = load_migration(path, config=Config())
    reason: Callable[..., str | None] = lambda strategy, **known: cannot(  # noqa: E731
        strategy, db=sqlite, migration=migration, **known
    )
    assert reason("transaction") is None
    assert reason("down") == "only has no way down"
    assert "no backup" in str(reason("backup")) and reason("backup", backup_id="x") is None
    assert "no moment" in str(reason("pitr"))
    with pytest.raises(ConfigError, match="There is no strategy 'hope'"):
        reason("hope")


def test_an_unknown_trigger_is_refused(sqlite: Database) -> None:
    with pytest.raises(ConfigError, match="There is no trigger 'rain'"):
        triggered(["rain"], engine=sqlite.dialect)


def test_nothing_is_triggered_without_facts(sqlite: Database) -> None:
    assert triggered(TRIGGERS, engine=sqlite.dialect) == ()


@pytest.mark.parametrize(
    ("engine", "message", "violated"),
    [
        ("sqlite", "UNIQUE constraint failed: users.id (SQLITE_CONSTRAINT_PRIMARYKEY)", True),
        ("sqlite", "no such table: constraint (SQLITE_ERROR)", False),
        ("postgresql", "duplicate key value violates unique constraint. [23505]", True),
        ("postgresql", 'relation "23505" does not exist. [42P01]', False),
        ("mysql", "Duplicate entry '1' for key 'PRIMARY' (error 1062)", True),
        ("mysql", "Table 'x' doesn't exist (error 1146)", False),
    ],
)
def test_messages_tell_violated_constraints(engine: str, message: str, violated: bool) -> None:
    assert dialect_for(make_url(f"{engine}://x/y")).violates_constraint(message) is violated
