from __future__ import annotations

import pytest
import sqlalchemy as sa

from migkit.bookkeeping import journal_tables
from migkit.database import Database
from migkit.errors import PermissionMissing
from migkit.migration.journal import applied_statements, history, last_version
from migkit.migration.runner import run
from tests.migration.conftest import Load, tables, value

TWO_WAYS = """-- migkit: version 7
-- migrate:up
CREATE TABLE a (id int);
INSERT INTO a VALUES (1);
-- migrate:down
DROP TABLE a;
"""


def journalled(db: Database) -> list[tuple[object, ...]]:
    with db.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT number, sql, outcome FROM migration_log_statements ORDER BY number"))
        return [tuple(row) for row in rows]


def test_attempts_and_statements(either: Database, load: Load) -> None:
    assert history(either).empty
    assert last_version(either) is None
    migration = load("add_a.sql", TWO_WAYS)
    result = run(migration, either)
    assert journalled(either) == [
        (1, "CREATE TABLE a (id int)", "applied"),
        (2, "INSERT INTO a VALUES (1)", "applied"),
    ]
    assert last_version(either) == "7"
    row = history(either).iloc[0]
    assert (row["attempt"], row["migration"], row["version"]) == (result.attempt, "add_a", "7")
    assert (row["direction"], row["outcome"], row["statements"]) == ("up", "succeeded", 2)
    assert row["checksum"] == migration.checksum
    assert row["started_at"] <= row["ended_at"]
    assert applied_statements(either, str(result.attempt))["number"].tolist() == [1, 2]
    run(migration, either, direction="down")
    assert last_version(either) is None
    assert history(either)["direction"].tolist() == ["up", "down"]


def test_failed_attempt(either: Database, load: Load) -> None:
    result = run(load("x.sql", "CREATE TABLE a (id int);\nDELETE FROM nowhere;\nSELECT 1;"), either)
    assert [row[2] for row in journalled(either)] == ["rolled back", "failed", "not reached"]
    row = history(either).iloc[0]
    assert row["outcome"] == "failed"
    assert row["error"] == result.error
    assert applied_statements(either, str(result.attempt)).empty


def test_statement_is_written_before_it_starts(shop: Database, load: Load) -> None:
    # The migration itself reads the journal through its own session: what it sees was committed by the other one.
    script = "CREATE TABLE a (id int);\nCREATE TABLE seen AS SELECT number, sql, outcome FROM migration_log_statements;"
    run(load("w.sql", "SELECT 1"), shop)
    assert run(load("x.sql", script), shop).succeeded
    seen = value(shop, "SELECT outcome FROM seen WHERE sql LIKE 'CREATE TABLE seen%'")
    assert seen == "running"
    assert value(shop, "SELECT outcome FROM seen WHERE sql LIKE 'CREATE TABLE a%'") == "ran"


def test_without_journal(either: Database, load: Load) -> None:
    result = run(load("x.sql", "CREATE TABLE a (id int)"), either, journal=False)
    assert result.attempt is None
    assert tables(either) == {"users", "a"}


def test_a_users_own_table_is_left_alone(either: Database, load: Load) -> None:
    with either.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE migration_log (id int)"))
    run(load("x.sql", "CREATE TABLE a (id int)"), either)
    assert value(either, "SELECT count(*) FROM migration_log") == 0
    assert value(either, "SELECT count(*) FROM migkit_migration_log") == 1
    assert len(history(either)) == 1
    with either.engine.connect() as connection:
        inspector = sa.inspect(connection)
        names = inspector.get_table_names()
        found = [("s", name, one["name"]) for name in names for one in inspector.get_columns(name)]
    assert journal_tables(found) == {("s", "migkit_migration_log"), ("s", "migkit_migration_log_statements")}


def test_migration_that_drops_the_journal_is_not_stopped_by_it(shop: Database, load: Load) -> None:
    run(load("w.sql", "SELECT 1"), shop)
    result = run(load("x.sql", "DROP TABLE migration_log_statements;\nCREATE TABLE a (id int);"), shop)
    assert result.succeeded, result.error
    assert "a" in tables(shop)
    assert any("journal" in what for what in result.unchecked["what"])


def test_user_without_the_right_to_create(shop: Database, load: Load) -> None:
    name, role = shop.dialect.quote(str(shop.engine.url.database)), f"reader_{shop.engine.url.database}"
    with shop.engine.begin() as connection:
        connection.execute(sa.text(f"CREATE ROLE {role}"))
        connection.execute(sa.text(f"ALTER DATABASE {name} SET role TO {role}"))
    try:
        with pytest.raises(PermissionMissing, match=r"journal.*permission denied"):
            run(load("x.sql", "SELECT 1"), shop)
        assert run(load("x.sql", "SELECT 1"), shop, journal=False).succeeded
    finally:
        with shop.engine.begin() as connection:
            connection.execute(sa.text("SET ROLE none"))
            connection.execute(sa.text(f"ALTER DATABASE {name} RESET role"))
            connection.execute(sa.text(f"DROP ROLE {role}"))


def test_attempts_are_in_order(either: Database, load: Load) -> None:
    run(load("x.sql", "CREATE TABLE a (id int)"), either)
    run(load("y.sql", "CREATE TABLE b (id int)"), either)
    assert history(either)["migration"].tolist() == ["x", "y"]
