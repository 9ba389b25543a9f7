"""What the tests of deploys share: migrations, options, a small shop."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from migkit.config import AutoRollbackConfig, Config, DeployConfig, NotificationsConfig
from migkit.database import Database
from migkit.migration.loading import load_migration
from migkit.migration.migration import Migration
from migkit.workflow.deployment.execution import deploy
from migkit.workflow.deployment.options import DeployOptions
from migkit.workflow.deployment.results import Deployment
from tests.faults.support import execute

GOOD = """
import sqlalchemy as sa
metadata = {"version": "1"}
def up(op):
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))
def down(op):
    op.drop_table("notes")
"""
LOSING = """
import sqlalchemy as sa
metadata = {"version": "2"}
def up(op):
    op.create_table("parts", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("DELETE FROM users WHERE id = 3")
def down(op):
    op.drop_table("parts")
"""
FAILING = """
import sqlalchemy as sa
metadata = {"version": "3"}
def up(op):
    op.create_table("halves", sa.Column("id", sa.Integer, primary_key=True))
    if op.get_bind().exec_driver_sql("SELECT count(*) FROM users").scalar():
        op.execute("INSERT INTO nowhere VALUES (1)")
def down(op):
    op.drop_table("halves")
"""


def shop(db: Database) -> Database:
    """Users and their orders."""
    execute(
        db,
        "CREATE TABLE users (id integer PRIMARY KEY, email varchar(50))",
        "CREATE TABLE orders (id integer PRIMARY KEY, user_id integer, FOREIGN KEY (user_id) REFERENCES users (id))",
        "INSERT INTO users VALUES (1, 'ann'), (2, 'bob'), (3, NULL)",
        "INSERT INTO orders VALUES (10, 1), (11, 2)",
    )
    return db


def migration(folder: Path, source: str, name: str = "m") -> Migration:
    """Write a migration and load it."""
    path = folder / f"{name}.py"
    path.write_text(textwrap.dedent(source))
    return load_migration(path, config=Config())


def options(folder: Path, **said: Any) -> DeployOptions:
    """Return options that need no rehearsal and watch for no time, changed by sections."""
    rollback = said.pop("rollback", {})
    notifications = said.pop("notifications", {})
    settings = {"rehearsal_hours": None, "watch_seconds": 0, "patience_seconds": 5, "retry_seconds": 0.1, **said}
    return DeployOptions(
        deploy=DeployConfig.model_validate(settings),
        rollback=AutoRollbackConfig.model_validate(rollback),
        notifications=NotificationsConfig.model_validate(notifications),
        reports=folder / "reports",
        backups=folder / "backups",
        timeout=120,
        lock_timeout=5,
    )


def deployed(db: Database, folder: Path, source: str, **said: Any) -> Deployment:
    """Deploy a migration."""
    return deploy(migration(folder, source), db, options(folder, **said))
