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
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.state.snapshot import State
from migkit.workflow.deployment.execution import deploy
from migkit.workflow.taking_back import STRATEGIES, TakenBack, cannot, take_back
from tests.faults.support import execute
from tests.recovery.conftest import _tools_folder as _tools_folder
from tests.recovery.conftest import server_tools as server_tools
from tests.workflow.deploys import options

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
# The last one is found out only after all is committed.
TRIGGERS = ("error", "timeout", "constraint_violation", "validation_failed")
FIRST = "CREATE TABLE profiles (id integer PRIMARY KEY)"
# What a copy of the schema without rows does not show: a deploy tries it there first.
UP = {
    "error": [FIRST, "{rows}INSERT INTO nowhere VALUES (1)"],
    "timeout": [FIRST, "{rows}{slow}"],
    "constraint_violation": [FIRST, "INSERT INTO users SELECT id, 'again', 0 FROM users"],
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


def written(db: Database, trigger: str, folder: Path) -> Migration:
    """Write a migration that pulls a trigger."""
    lines = ["def up(op):", "    rows = op.get_bind().exec_driver_sql('SELECT count(*) FROM users').scalar()"]
    for statement in UP[trigger]:
        sql = statement.replace("{slow}", SLOW_QUERY[db.dialect.name])
        lines.append(f"    {'if rows: ' * sql.startswith('{rows}')}op.execute({sql.removeprefix('{rows}')!r})")
    lines += ["def down(op):", *(f"    op.execute({statement!r})" for statement in DOWN[trigger])]
    path = folder / f"{trigger}.py"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load_migration(path, config=Config())


def go_wrong(db: Database, trigger: str, folder: Path) -> Situation:
    """Run a migration that pulls a trigger."""
    migration, before = written(db, trigger, folder), capture(db)
    return Situation(migration, before, run(migration, db, timeout=1.5 if trigger == "timeout" else None))


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


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_trigger_takes_a_deploy_back_by_each_strategy(db: Database, strategy: str, tmp_path: Path) -> None:
    execute(db, *SCHEMA)
    if strategy == "pitr":
        pitr.enable(db, tmp_path / "backups")
    try:
        for trigger in TRIGGERS:
            _deploy_and_judge(db, strategy, trigger, tmp_path)
    finally:
        if strategy == "pitr":
            pitr.disable(db, tmp_path / "backups")


def _deploy_and_judge(db: Database, strategy: str, trigger: str, folder: Path) -> None:
    migration = written(db, trigger, folder)
    before = capture(db)
    # Every other trigger is switched off.
    told = options(folder, rollback={"strategy": [strategy], "triggers": [trigger]})
    result = deploy(migration, db, replace(told, timeout=1.5 if trigger == "timeout" else 120))
    if strategy == "transaction" and not db.dialect.transactional_ddl:
        assert result.status == "refused" and "no transaction undoes it" in result.explain()
    elif strategy == "transaction" and trigger == "validation_failed":
        # It was committed before anybody could look: a person is told how to go on.
        assert result.status == "failed", result.explain()
        assert any(command.startswith("migkit rollback ") for command in result.commands), result.commands
        return
    else:
        assert result.status == "rolled back", result.explain()
    assert compare(before, capture(db, like=before)).identical


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_trigger_that_is_switched_off_takes_nothing_back(sqlite: Database, trigger: str, tmp_path: Path) -> None:
    execute(sqlite, *SCHEMA)
    others = [one for one in TRIGGERS if one != trigger]
    told = options(tmp_path, rollback={"strategy": ["down"], "triggers": others})
    result = deploy(
        written(sqlite, trigger, tmp_path), sqlite, replace(told, timeout=1.5 if trigger == "timeout" else 120)
    )
    # What the engine takes back by itself, nobody has to.
    assert result.status == ("failed" if trigger == "validation_failed" else "rolled back"), result.explain()
    if trigger == "validation_failed":
        assert f"{trigger} is none of the triggers" in result.explain()


# --- what is not restored -------------------------------------------------------------------------------------------


def test_a_way_down_that_forgets_something_is_no_rollback(sqlite: Database, tmp_path: Path) -> None:
    execute(sqlite, *SCHEMA)
    situation = go_wrong(sqlite, "validation_failed", tmp_path)
    path = tmp_path / "validation_failed.py"
    path.write_text(path.read_text().replace("INSERT INTO users (id", "SELECT 2 --"), encoding="utf-8")
    forgetful = load_migration(path, config=Config())
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
