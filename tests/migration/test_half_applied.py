"""A migration that fails half-way, where DDL commits at once and where it does not: what stands, and the way back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from migkit.database import Database
from migkit.migration.half_applied import NO_INVERSE, OnlyAPersonCanDecide
from migkit.migration.inverses import inverse, things_dropped, written
from migkit.migration.journal import history
from migkit.migration.results import Run
from migkit.migration.runner import run
from migkit.state.capture import capture
from migkit.state.comparison import compare
from tests.migration.conftest import Load, columns, outcomes, tables, value, with_users

FAILS_AT_THE_THIRD = """
CREATE TABLE "pro%files: a" (id integer PRIMARY KEY);
ALTER TABLE users ADD COLUMN email varchar(50);
ALTER TABLE users ADD COLUMN name varchar(50);
CREATE TABLE never (id integer);
"""
ITS_WAY_DOWN = """
DROP TABLE never;
ALTER TABLE users DROP COLUMN name;
ALTER TABLE users DROP COLUMN email;
DROP TABLE "pro%files: a";
"""


@pytest.fixture
def shop(db: Database) -> Database:
    return with_users(db)


@pytest.fixture(params=["mysql", "mariadb"])
def committing(request: pytest.FixtureRequest, make_database: Callable[[str], Database]) -> Database:
    """A shop on an engine that commits at every DDL statement."""
    return with_users(make_database(request.param))


def sections(db: Database, up: str, down: str = "") -> str:
    text = f"-- migrate:up\n{up}\n" + (f"-- migrate:down\n{down}\n" if down else "")
    return text if db.dialect.quote("x") == '"x"' else text.replace('"', "`")


def fail(load: Load, db: Database, up: str, down: str = "") -> tuple[Run, Callable[[], Run]]:
    """Run a migration up, which fails; return that, and what takes it back."""
    migration = load("001_change.sql", sections(db, up, down))
    failed = run(migration, db)
    assert not failed.succeeded
    return failed, lambda: run(migration, db, direction="down")


def test_a_failed_run_says_what_stands(shop: Database, load: Load) -> None:
    failed, _ = fail(load, shop, FAILS_AT_THE_THIRD)
    if shop.dialect.transactional_ddl:
        assert outcomes(failed) == ["rolled back", "rolled back", "failed", "not reached"]
        assert failed.standing == ()
        assert tables(shop) >= {"users"}
        assert "email" not in columns(shop, "users")
    else:
        assert outcomes(failed) == ["applied", "applied", "failed", "not reached"]
        assert [sql.split("(")[0].split()[0] for sql in failed.standing] == ["CREATE", "ALTER"]
        assert "⚠ stands: ALTER TABLE users ADD COLUMN email" in repr(failed)
        assert "email" in columns(shop, "users")
    assert "statement 3" in str(failed.error)
    assert Run.from_document(failed.to_document()).standing == failed.standing


def test_rows_before_a_failing_ddl_statement_stand_with_it(committing: Database, load: Load) -> None:
    failed, _ = fail(load, committing, "CREATE TABLE a (id int); UPDATE users SET name = 'y'; CREATE TABLE a (i int);")
    # The engine commits before it looks whether the table exists.
    assert outcomes(failed) == ["applied", "applied", "failed"]
    assert value(committing, "SELECT count(*) FROM users WHERE name = 'y'") == 3


def test_rows_before_a_statement_that_is_no_sql_are_rolled_back(committing: Database, load: Load) -> None:
    failed, _ = fail(load, committing, "CREATE TABLE a (id int); UPDATE users SET name = 'y'; CREATE TABLE;")
    # What the server cannot read commits nothing.
    assert outcomes(failed) == ["applied", "rolled back", "failed"]
    assert value(committing, "SELECT count(*) FROM users WHERE name = 'y'") == 0


def test_emptying_a_table_is_final_at_once(committing: Database, load: Load) -> None:
    failed, _ = fail(load, committing, "TRUNCATE TABLE users; INSERT INTO users VALUES (9, 'z'); SELECT missing;")
    assert outcomes(failed) == ["applied", "rolled back", "failed"]
    assert failed.standing == ("TRUNCATE TABLE users",)
    assert value(committing, "SELECT count(*) FROM users") == 0


def test_taking_back_undoes_only_what_was_done(committing: Database, load: Load) -> None:
    before = capture(committing)
    _, back = fail(load, committing, FAILS_AT_THE_THIRD, ITS_WAY_DOWN)
    undone = back()
    assert undone.succeeded, undone.error
    assert outcomes(undone) == ["skipped", "skipped", "applied", "applied"]
    # The column that was there before the migration is the reason for its failure; it stays, with its rows.
    assert columns(committing, "users") == ["id", "name"]
    assert undone.account == "the schema is identical to that before the attempt"
    assert compare(before, capture(committing)).identical
    assert list(history(committing)["outcome"]) == ["failed", "succeeded"]


def test_what_was_there_before_is_never_dropped(committing: Database, load: Load) -> None:
    up = "CREATE TABLE IF NOT EXISTS users (id int); CREATE TABLE fresh (id int); CREATE TABLE fresh (id int);"
    _, back = fail(load, committing, up, "DROP TABLE fresh; DROP TABLE users;")
    undone = back()
    assert outcomes(undone) == ["applied", "skipped"]
    assert value(committing, "SELECT count(*) FROM users") == 3


def test_a_column_that_merely_moved_is_not_dropped(committing: Database, load: Load) -> None:
    up = "ALTER TABLE users ADD COLUMN nick varchar(9) FIRST; ALTER TABLE users ADD COLUMN name varchar(50);"
    _, back = fail(load, committing, up, "ALTER TABLE users DROP COLUMN name; ALTER TABLE users DROP COLUMN nick;")
    undone = back()
    assert outcomes(undone) == ["skipped", "applied"]
    assert value(committing, "SELECT count(name) FROM users") == 2
    assert undone.succeeded, undone.error


def test_a_table_that_was_replaced_comes_back_with_its_rows(committing: Database, load: Load) -> None:
    up = "RENAME TABLE users TO old_users; CREATE TABLE users (id bigint); CREATE TABLE users (id bigint);"
    before = capture(committing)
    _, back = fail(load, committing, up, "DROP TABLE users; RENAME TABLE old_users TO users;")
    undone = back()
    assert undone.succeeded, undone.error
    assert outcomes(undone) == ["applied", "applied"]
    assert compare(before, capture(committing)).identical


def test_a_renamed_table_is_never_offered_for_dropping(committing: Database, load: Load) -> None:
    up = "RENAME TABLE users TO old_users; CREATE TABLE a (id int); CREATE TABLE a (id int);"
    _, back = fail(load, committing, up, "DROP TABLE a;")
    undone = back()
    assert f"table old_users is still there ({NO_INVERSE})" in str(undone.error)
    assert "DROP TABLE" not in str(undone.error)


def test_content_that_was_dropped_is_said_to_be_gone(committing: Database, load: Load) -> None:
    up = "ALTER TABLE users DROP COLUMN name; CREATE TABLE a (id int); CREATE TABLE a (id int);"
    _, back = fail(load, committing, up, "DROP TABLE a; ALTER TABLE users ADD COLUMN name varchar(50);")
    assert "what was in column users.name is not brought back" in str(back().account)


def test_python_migrations_are_taken_back_too(committing: Database, load: Load) -> None:
    source = """
import sqlalchemy as sa
def up(op):
    op.create_table("a", sa.Column("id", sa.Integer, primary_key=True),
                    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), index=True))
    op.add_column("users", sa.Column("nick", sa.String(9)))
    op.create_index("by_%", "users", ["nick", "missing:x"])
    op.drop_column("users", "name")
def down(op):
    op.add_column("users", sa.Column("name", sa.String(50)))
    op.drop_index("by_%", "users")
    op.drop_column("users", "nick")
    op.drop_table("a")
"""
    migration = load("001_change.py", source)
    before = capture(committing)
    assert len(run(migration, committing).standing) == 3
    undone = run(migration, committing, direction="down")
    assert undone.succeeded, undone.error
    assert outcomes(undone) == ["skipped", "skipped", "applied", "applied"]
    assert compare(before, capture(committing)).identical


def test_rows_of_its_own_tables_and_columns_go_with_them(committing: Database, load: Load) -> None:
    up = """
    CREATE TABLE fresh (id int); INSERT INTO fresh VALUES (1); ALTER TABLE users ADD COLUMN nick varchar(9);
    UPDATE users SET nick = 'a, b' WHERE id > 0; CREATE TABLE fresh (id int);
    """
    _, back = fail(load, committing, up, "ALTER TABLE users DROP COLUMN nick; DROP TABLE fresh;")
    undone = back()
    assert undone.succeeded, undone.error
    assert undone.account == "the schema is identical to that before the attempt"


def test_changed_rows_are_for_a_person_to_decide(committing: Database, load: Load) -> None:
    up = "UPDATE users SET name = 'x'; CREATE TABLE a (id int); CREATE TABLE a (id int);"
    _, back = fail(load, committing, up, "UPDATE users SET name = 'y'; DROP TABLE a;")
    with pytest.raises(OnlyAPersonCanDecide, match="rows were changed by UPDATE users") as told:
        back()
    assert len(told.value.standing) == 2
    assert told.value.offered[0] == "DROP TABLE a"
    assert NO_INVERSE in told.value.offered[1]
    assert value(committing, "SELECT count(*) FROM users WHERE name = 'x'") == 3


def test_a_way_down_that_changes_rows_stops_before_it_does(committing: Database, load: Load) -> None:
    up = "CREATE TABLE a (id int); CREATE TABLE a (id int); UPDATE users SET id = id + 10;"
    _, back = fail(load, committing, up, "UPDATE users SET id = id - 10; DROP TABLE a;")
    with pytest.raises(OnlyAPersonCanDecide, match="no rule tells which were changed"):
        back()
    assert value(committing, "SELECT max(id) FROM users") == 3


def test_without_a_way_down_the_statements_are_offered(committing: Database, load: Load) -> None:
    up = "CREATE TABLE a (id int); ALTER TABLE users DROP COLUMN name; CREATE TABLE a (id int);"
    _, back = fail(load, committing, up)
    with pytest.raises(OnlyAPersonCanDecide) as told:
        back()
    assert "there is no way down" in str(told.value)
    assert told.value.offered == (f"({NO_INVERSE}: ALTER TABLE users DROP COLUMN name)", "DROP TABLE a")


def test_what_a_way_down_forgets_is_named_and_offered(committing: Database, load: Load) -> None:
    up = "CREATE TABLE a (id int); CREATE INDEX by_name ON users (name); CREATE TABLE a (id int);"
    _, back = fail(load, committing, up, "DROP TABLE a;")
    undone = back()
    assert not undone.succeeded
    assert "index users.by_name is still there (DROP INDEX `by_name` ON `users`)" in str(undone.error)
    again = back()
    assert outcomes(again) == ["skipped"]
    assert not again.succeeded


@pytest.mark.slow
def test_attempts_since_the_last_success_add_up(committing: Database, load: Load) -> None:
    before = capture(committing)
    _, back = fail(load, committing, "CREATE TABLE a (id int); CREATE TABLE a (id int);", "DROP TABLE a;")
    fail(load, committing, "CREATE TABLE a (id int); CREATE TABLE b (id int);", "DROP TABLE a;")
    undone = back()
    assert undone.succeeded, undone.error
    assert compare(before, capture(committing)).identical


def test_after_a_success_the_way_down_is_the_ordinary_one(committing: Database, load: Load) -> None:
    migration = load("001_change.sql", sections(committing, "CREATE TABLE a (id int);", "DROP TABLE a; DROP TABLE a;"))
    assert run(migration, committing).succeeded
    undone = run(migration, committing, direction="down")
    assert not undone.succeeded
    assert outcomes(undone) == ["applied", "failed"]
    assert undone.account is None


def test_what_stands_outside_a_transaction_is_taken_back_too(postgresql: Database, load: Load) -> None:
    shop = with_users(postgresql)
    up = "CREATE INDEX CONCURRENTLY by_name ON users (name); CREATE TABLE a (id int); CREATE TABLE a (id int);"
    failed, back = fail(load, shop, up, "DROP TABLE a; DROP INDEX by_name; ALTER TABLE users DROP COLUMN name;")
    assert outcomes(failed) == ["applied", "rolled back", "failed"]
    assert len(failed.standing) == 1
    undone = back()
    assert undone.succeeded, undone.error
    assert outcomes(undone) == ["skipped", "applied", "skipped"]
    assert columns(shop, "users") == ["id", "name"]
    assert "whether the schema is as it was" in set(undone.unchecked["what"])


def test_metadata_locks_are_sampled_while_ddl_runs(mysql: Database, load: Load) -> None:
    shop = with_users(mysql)
    migration = load("001_change.sql", "ALTER TABLE users ADD COLUMN email varchar(50);")
    with shop.engine.connect() as other:
        other.execute(sa.text("SELECT count(*) FROM users")).close()
        blocked = run(migration, shop, lock_timeout=1)
    assert not blocked.succeeded
    assert set(blocked.locks["relation"]) == {"users"}
    assert not blocked.locks["exact"].any()
    assert blocked.unchecked["why"].str.contains("performance_schema.metadata_locks").any()


def test_a_server_without_metadata_locks_says_where_it_looked(mariadb: Database, load: Load) -> None:
    done = run(load("001_change.sql", "CREATE TABLE a (id int);"), mariadb)
    assert done.unchecked["why"].str.contains("the process list").any()


@pytest.mark.parametrize(
    ("sql", "back"),
    [
        ("CREATE TABLE a (id int)", "DROP TABLE a"),
        ("\nCREATE TABLE `a``; b` (\n id int)", "DROP TABLE `a``; b`"),
        ("CREATE TABLE IF NOT EXISTS a (id int)", None),
        ("CREATE VIEW v AS SELECT 1", "DROP VIEW v"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", None),
        ("CREATE UNIQUE INDEX i ON t (a)", "DROP INDEX i ON t"),
        ("ALTER TABLE t ADD COLUMN x varchar(9) DEFAULT 'a,b'", "ALTER TABLE t DROP COLUMN x"),
        ("ALTER TABLE t ADD x int, ADD INDEX i (x, y)", "ALTER TABLE t DROP INDEX i, DROP COLUMN x"),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", "ALTER TABLE t DROP CONSTRAINT c"),
        ("ALTER TABLE t ADD CHECK (a > 0)", None),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS x int", None),
        ("ALTER TABLE t ADD PRIMARY KEY (a)", None),
        ("ALTER TABLE t ADD x int, DROP y", None),
        ("ALTER TABLE t RENAME COLUMN a TO b", "ALTER TABLE t RENAME COLUMN b TO a"),
        ("ALTER TABLE t RENAME TO u", "ALTER TABLE u RENAME TO t"),
        ("RENAME TABLE a TO b, b TO c", "RENAME TABLE c TO b, b TO a"),
        ("DROP TABLE a", None),
        ("UPDATE a SET b = 1", None),
    ],
)  # fmt: skip
def test_inverses(sql: str, back: str | None) -> None:
    assert inverse(sql, drops_index_on_table=True) == back


def test_an_index_has_its_schema_where_it_is_dropped_by_name() -> None:
    sql = "CREATE INDEX CONCURRENTLY i ON s.t (a)"
    assert inverse(sql, drops_index_on_table=False) == "DROP INDEX CONCURRENTLY s.i"


def test_what_a_statement_drops_and_writes() -> None:
    dropped = things_dropped("ALTER TABLE `a b` DROP COLUMN x, DROP INDEX i, DROP FOREIGN KEY f, DROP PRIMARY KEY")
    assert [(one.kind, one.name) for one in dropped] == [
        ("column", "x"), ("index", "i"), ("constraint", "f"), ("constraint", "PRIMARY")
    ]  # fmt: skip
    assert written("UPDATE `a b` SET x = 1, a.y = '2, 3' WHERE z = 4") == ("a b", ("x", "y"))
    assert written("INSERT INTO t SELECT 1") == ("t", ())
    assert written("UPDATE a JOIN b ON a.x = b.x SET a.y = 1") is None
