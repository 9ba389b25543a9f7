from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from migkit.database import Database, connect
from migkit.errors import MigrationInvalid, UnsupportedFeature
from migkit.migration.journal import history
from migkit.migration.results import Run
from migkit.migration.runner import run
from migkit.redaction import register_secret
from tests.migration.conftest import Load, Notes, outcomes, tables, value

PROFILE = '''"""Add user_profiles."""
import sqlalchemy as sa

metadata = {"version": "001", "allow": ["drop_table:x"]}


def up(op):
    op.create_table(
        "user_profiles",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), index=True),
    )
    op.execute("UPDATE users SET name = 'x'")


def down(op):
    op.drop_table("user_profiles")
'''

THIRD_FAILS = """
CREATE TABLE a (id integer);
INSERT INTO a VALUES (1);
INSERT INTO nowhere VALUES (1);
CREATE TABLE b (id integer);
"""


def test_up_and_down(either: Database, load: Load) -> None:
    migration = load("001_profile.py", PROFILE)
    notes = Notes()
    result = run(migration, either, progress=notes)
    assert result.succeeded, result.error
    assert "user_profiles" in tables(either)
    assert [text.rsplit(" (")[0] for _, text in notes.notes] == [
        "Created table user_profiles",
        "Created index ix_user_profiles_user_id on user_profiles",
        "Updated 3 rows of users",
    ]
    assert set(outcomes(result)) == {"applied"}
    assert result.transactions == 1
    assert list(result.statements["number"]) == list(range(1, len(result.statements) + 1))
    assert "✓ Created table user_profiles" in repr(result)
    assert "✓ 001_profile up" in repr(result)
    back = run(migration, either, direction="down")
    assert back.succeeded
    assert "user_profiles" not in tables(either)


def test_failing_third_statement_leaves_everything_as_it_was(either: Database, load: Load) -> None:
    result = run(load("x.up.sql", THIRD_FAILS), either)
    assert not result.succeeded
    assert outcomes(result) == ["rolled back", "rolled back", "failed", "not reached"]
    assert result.error is not None
    assert "x.up.sql:4: statement 3: " in result.error
    assert "nowhere" in result.error
    assert "\n" not in result.error
    assert tables(either) - {"migration_log", "migration_log_statements"} == {"users"}
    assert history(either)["outcome"].tolist() == ["failed"]


def test_python_error_names_the_line(either: Database, load: Load) -> None:
    source = 'def up(op):\n    op.execute("DELETE FROM users")\n    raise ValueError("no such thing")\n'
    result = run(load("x.py", source), either)
    assert not result.succeeded
    assert result.error is not None
    assert result.error.endswith("x.py:3: ValueError: no such thing")
    assert outcomes(result) == ["rolled back"]
    assert value(either, "SELECT count(*) FROM users") == 3


def test_sql_error_in_python_names_the_line(either: Database, load: Load) -> None:
    result = run(load("x.py", 'def up(op):\n    op.execute("DELETE FROM nowhere")\n'), either)
    assert result.error is not None
    assert "x.py:2: statement 1: " in result.error


def test_swallowed_error_in_a_savepoint(either: Database, load: Load) -> None:
    source = """
import sqlalchemy as sa

def up(op):
    bind = op.get_bind()
    op.execute("UPDATE users SET name = 'kept'")
    try:
        with bind.begin_nested():
            bind.execute(sa.text("DELETE FROM users"))
            bind.execute(sa.text("DELETE FROM nowhere"))
    except sa.exc.DBAPIError:
        pass
"""
    result = run(load("x.py", source), either)
    assert result.succeeded, result.error
    dml = result.statements[result.statements["kind"] == "dml"]
    assert list(dml["outcome"]) == ["applied", "rolled back", "failed"]
    assert value(either, "SELECT name FROM users WHERE id = 1") == "kept"


def test_swallowed_error_without_savepoint_is_not_green(shop: Database, load: Load) -> None:
    source = """
import sqlalchemy as sa

def up(op):
    op.execute("CREATE TABLE lost (id integer)")
    try:
        op.execute("DELETE FROM nowhere")
    except sa.exc.DBAPIError:
        pass
"""
    result = run(load("x.py", source), shop)
    assert not result.succeeded
    assert "savepoint" in str(result.error)
    assert outcomes(result) == ["rolled back", "failed"]
    assert "lost" not in tables(shop)


def test_deferred_constraint_fails_at_commit(shop: Database, load: Load) -> None:
    child = "CREATE TABLE child (id int REFERENCES users DEFERRABLE INITIALLY DEFERRED);"
    result = run(load("x.sql", f"{child}\nINSERT INTO child VALUES (99);"), shop)
    assert not result.succeeded
    assert outcomes(result) == ["rolled back", "rolled back"]
    assert "child" not in tables(shop)


def test_no_way_down(either: Database, load: Load) -> None:
    with pytest.raises(MigrationInvalid, match="no way down"):
        run(load("x.py", "def up(op): pass\n"), either, direction="down")


def test_unclosed_quote_runs_nothing(either: Database, load: Load) -> None:
    with pytest.raises(MigrationInvalid, match=r"x\.up\.sql:2: A quote"):
        run(load("x.up.sql", "CREATE TABLE a (id int);\nSELECT 'oops;"), either)
    assert tables(either) == {"users"}


@pytest.mark.parametrize("name", ['order"; drop table users;--', "Mixed.Case", "ünï", "<script>", "50%", ":x", "a b"])
def test_hostile_names(either: Database, load: Load, name: str) -> None:
    source = f"""
import sqlalchemy as sa

def up(op):
    op.create_table({name!r}, sa.Column({name!r}, sa.Integer))
    op.execute(sa.table({name!r}, sa.column({name!r})).insert().values({{{name!r}: 1}}))

def down(op):
    op.drop_table({name!r})
"""
    migration = load("x.py", source)
    result = run(migration, either)
    assert result.succeeded, result.error
    assert name in tables(either)
    assert value(either, "SELECT count(*) FROM users") == 3
    assert name in result.statements["summary"].iloc[0]
    quoted = either.dialect.quote(name)
    sql = load("y.sql", f"ALTER TABLE {quoted} ADD COLUMN more integer;\nINSERT INTO {quoted} (more) VALUES (5 % 3);")
    result = run(sql, either)
    assert result.succeeded, result.error
    assert quoted in result.statements["sql"].iloc[0]
    assert run(migration, either, direction="down").succeeded


def test_secrets_stay_out(either: Database, load: Load) -> None:
    register_secret("hunter2-secret")
    script = "CREATE TABLE a (x text);\nINSERT INTO a VALUES ('hunter2-secret');\nSELECT hunter2-secret;"
    result = run(load("x.sql", script), either)
    assert not result.succeeded
    for text in (repr(result), str(result.to_document()), result.statements.to_string()):
        assert "hunter2-secret" not in text
    rows = value(either, "SELECT count(*) FROM migration_log_statements WHERE sql LIKE '%hunter2%'")
    assert rows == 0


def test_saved_run_reads_back(either: Database, load: Load, tmp_path: Path) -> None:
    result = run(load("x.up.sql", THIRD_FAILS), either)
    again = Run.load(result.save(tmp_path / "run.json.zst"))
    assert again.to_document() == result.to_document()
    assert repr(again) == repr(result)


def test_script_with_its_own_transactions(either: Database, load: Load) -> None:
    first, second = "CREATE TABLE a (id int);", "CREATE TABLE b (id int);"
    result = run(load("x.sql", f"BEGIN;\n{first}\nCOMMIT;\nBEGIN;\n{second}\n{first}\nCOMMIT;"), either)
    assert outcomes(result) == ["applied", "rolled back", "failed", "not reached"]
    assert result.transactions == 2
    assert "a" in tables(either)
    assert "b" not in tables(either)


def test_autocommit_block(either: Database, load: Load) -> None:
    source = """
def up(op):
    op.execute("CREATE TABLE a (id integer)")
    with op.get_context().autocommit_block():
        op.execute("CREATE TABLE b (id integer)")
    op.execute("CREATE TABLE c (id integer)")
"""
    result = run(load("x.py", source), either)
    assert result.succeeded, result.error
    ddl = result.statements[result.statements["kind"] == "ddl"]
    assert list(ddl["transaction"]) == ["1", "0", "2"]
    assert {"a", "b", "c"} <= tables(either)


@pytest.mark.parametrize(
    "step",
    [
        'op.create_index("ix_name", "users", ["name"], postgresql_concurrently=True)',
        'op.execute("CREATE INDEX CONCURRENTLY ix_name ON users (name)")',
    ],
)
def test_concurrent_index_leaves_the_transaction_by_itself(shop: Database, load: Load, step: str) -> None:
    source = f"""
def up(op):
    op.execute("CREATE TABLE a (id integer)")
    {step}
    op.execute("CREATE TABLE b (id integer)")
"""
    result = run(load("x.py", source), shop)
    assert result.succeeded, result.error
    assert list(result.statements["transaction"]) == ["1", "0", "2"]
    assert value(shop, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_name'::regclass") is True


def test_statement_after_a_concurrent_index_fails(shop: Database, load: Load) -> None:
    index = "CREATE INDEX CONCURRENTLY ix ON users (name);"
    result = run(load("x.sql", f"CREATE TABLE a (id int);\n{index}\nCREATE TABLE b (id int);\nSELECT 1/0;"), shop)
    assert outcomes(result) == ["applied", "applied", "rolled back", "failed"]
    assert "b" not in tables(shop)
    assert "a" in tables(shop)


def test_vacuum_on_sqlite(shop_file: Database, load: Load) -> None:
    twice = "CREATE TABLE b (id int);\n" * 2
    result = run(load("x.sql", f"CREATE TABLE a (id int);\nVACUUM;\n{twice}"), shop_file)
    assert outcomes(result) == ["applied", "applied", "rolled back", "failed"]
    assert {"a"} <= tables(shop_file)
    assert "b" not in tables(shop_file)


def test_own_commit_inside_a_migration(either: Database, load: Load) -> None:
    source = """
def up(op):
    op.execute("CREATE TABLE a (id integer)")
    op.get_bind().commit()
    op.execute("CREATE TABLE b (id integer)")
    raise RuntimeError("stop")
"""
    result = run(load("x.py", source), either)
    assert not result.succeeded
    assert outcomes(result) == ["applied", "rolled back"]
    assert "a" in tables(either)
    assert "b" not in tables(either)


def test_in_memory_database(load: Load) -> None:
    db = connect("sqlite://")
    try:
        assert run(load("x.sql", "CREATE TABLE a (id int)"), db).succeeded
        assert "a" in tables(db)
    finally:
        db.close()


def test_memory_of_one_thread_is_refused(load: Load) -> None:
    engine = sa.create_engine("sqlite://")
    db = connect(engine)
    try:
        with pytest.raises(UnsupportedFeature, match="single thread"):
            run(load("x.sql", "CREATE TABLE a (id int)"), db)
    finally:
        db.close()


def test_locks_are_exact_and_held_until_commit(shop: Database, load: Load) -> None:
    add, retype = "ALTER TABLE users ADD COLUMN bio text;", "ALTER TABLE users ALTER COLUMN id TYPE bigint;"
    result = run(load("x.sql", f"{add}\nSELECT pg_sleep(0.2);\n{retype}"), shop)
    assert result.succeeded, result.error
    held = result.locks.set_index(["relation", "mode"]).loc[("users", "AccessExclusiveLock")]
    assert held["statement"] == 1
    assert held["exact"]
    assert held["held_ms"] >= 200
    assert "users" in str(result.statements["rewritten"].iloc[2])


def test_rows_and_parameters(either: Database, load: Load) -> None:
    source = """
import sqlalchemy as sa

def up(op):
    users = sa.table("users", sa.column("id"), sa.column("name"))
    op.bulk_insert(users, [{"id": 10 + n, "name": "100%"} for n in range(5)])
    op.execute(sa.text("UPDATE users SET name = :name").bindparams(name="a'b"))
"""
    result = run(load("x.py", source), either)
    assert result.succeeded, result.error
    assert list(result.statements["rows"]) == [5, 8]
    assert "a'b" in result.statements["sql"].iloc[1]


def test_a_single_statement_on_sqlite_held_the_write_lock(shop_file: Database, load: Load) -> None:
    result = run(load("x.sql", "CREATE TABLE only_one (id int);"), shop_file)
    (lock,) = result.locks.to_dict("records")
    assert (lock["relation"], lock["mode"], lock["exact"]) == ("database file", "RESERVED", True)
