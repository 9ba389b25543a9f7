"""Constraints are counted and indexes checked, whatever the catalog says of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from migkit import verbs
from migkit.database import Database
from migkit.errors import MigkitError
from migkit.progress import SILENT
from tests.faults.support import execute
from tests.workflow.deploys import shop


def test_a_sound_database_passes(db: Database) -> None:
    shop(db)
    execute(db, "CREATE INDEX orders_user ON orders (user_id)")
    constraints = verbs.check_constraints(db, progress=SILENT)
    assert constraints.passed, repr(constraints)
    assert constraints.checks["kind"].tolist() == ["foreign key"]
    if db.dialect.name not in ("mysql", "mariadb"):
        assert verbs.check_indexes(db, progress=SILENT).passed


def test_orphans_behind_a_constraint_that_was_never_validated(postgresql: Database) -> None:
    shop(postgresql)
    execute(
        postgresql,
        "ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey",
        "INSERT INTO orders VALUES (12, 99), (13, 98)",
        "ALTER TABLE orders ADD CONSTRAINT late FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID",
        "ALTER TABLE users ADD CONSTRAINT named CHECK (email IS NOT NULL) NOT VALID",
        "ALTER TABLE users ADD CONSTRAINT later CHECK (id > 0) NOT VALID",
    )
    found = {row["name"]: row for row in verbs.check_constraints(postgresql, progress=SILENT).problems}
    assert {name: (row["state"], row["violations"]) for name, row in found.items()} == {
        "late": ("violated", 2),
        "named": ("violated", 1),
        "later": ("not validated", 0),
    }


def test_invalid_and_twin_indexes(postgresql: Database) -> None:
    shop(postgresql)
    execute(postgresql, "CREATE INDEX a ON orders (user_id)", 'CREATE INDEX "b""x" ON orders (user_id)')
    with postgresql.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("INSERT INTO users VALUES (4, 'ann')")
        with pytest.raises(Exception, match="unique"):
            connection.exec_driver_sql("CREATE UNIQUE INDEX CONCURRENTLY broken ON users (email)")
    found = verbs.check_indexes(postgresql, progress=SILENT)
    assert {row["name"]: row["state"] for row in found.problems} == {"broken": "invalid", 'b"x': "duplicate"}
    assert any("amcheck" in why for why in found.unchecked["why"])


def test_a_damaged_index_is_found(sqlite: Database) -> None:
    shop(sqlite)
    execute(sqlite, "CREATE INDEX orders_user ON orders (user_id)")
    with closing(sqlite3.connect(str(sqlite.engine.url.database), isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        # The index now says that it is another, whose entries are not there.
        other = "CREATE INDEX orders_user ON orders (id, user_id)"
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'orders_user'", [other])
    found = verbs.check_indexes(sqlite, progress=SILENT)
    assert not found.passed
    assert "damaged" in {row["state"] for row in found.problems}


def test_a_database_that_is_not_there(sqlite: Database) -> None:
    with pytest.raises(MigkitError):
        verbs.check_constraints(f"sqlite:///{sqlite.engine.url.database}.nowhere", progress=SILENT)
