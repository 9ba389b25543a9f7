"""A migration that fails, never gets its lock, or never ends: the database is as it was, or what stands is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from migkit import verbs
from migkit.database import Database
from migkit.migration.journal import applied_statements, history
from migkit.progress import SILENT
from tests.faults.support import ENDLESS, Door, address, only_evidence, scalar, sessions, status, untouched

THREE = """\
CREATE TABLE one (id integer PRIMARY KEY);
INSERT INTO users VALUES (9, 'nine');
INSERT INTO nowhere VALUES (1);
CREATE TABLE two (id integer PRIMARY KEY);
"""


@pytest.fixture
def sql(folder: Path) -> Callable[[str], Path]:
    """Write a migration."""

    def write(text: str, name: str = "x.up.sql") -> Path:
        (folder / name).write_text(text)
        return folder / name

    return write


Sql = Callable[[str], Path]


def test_the_third_statement_fails(shop: Database, sql: Sql, migkit: Door) -> None:
    before = verbs.capture(shop, progress=SILENT)
    result = verbs.run(sql(THREE), shop, progress=SILENT)
    after = verbs.compare(before, verbs.capture(shop, progress=SILENT))
    assert not result.succeeded
    assert "x.up.sql:3" in str(result.error)
    assert "nowhere" in str(result.error)
    [attempt] = history(shop).to_dict("records")
    assert (attempt["outcome"], attempt["error"]) == ("failed", result.error)
    outcomes = list(result.statements["outcome"])
    if shop.dialect.transactional_ddl:
        assert outcomes == ["rolled back", "rolled back", "failed", "not reached"]
        assert after.identical, str(after)
        assert applied_statements(shop, attempt["attempt"]).empty
    else:
        # CREATE TABLE has committed; the row after it was in a transaction of its own.
        assert outcomes == ["applied", "rolled back", "failed", "not reached"]
        assert [row["table"] for _, row in after.tables.iterrows() if row["change"] == "added"] == ["one"]
        assert scalar(shop, "SELECT count(*) FROM users") == 3
        assert list(applied_statements(shop, attempt["attempt"])["sql"]) == [
            "CREATE TABLE one (id integer PRIMARY KEY)"
        ]
        assert "✓ Created table one" in str(result)
        assert "— rolled back" in str(result)
    told = migkit("run", str(sql(THREE.replace("one", "other"))), "-d", address(shop))
    assert told.code == 1
    assert "nowhere" in told.out


def test_a_rehearsal_of_it_fails_and_leaves_the_source_alone(shop: Database, sql: Sql, folder: Path) -> None:
    scratch = shop.dialect.list_scratch(shop.engine.url)
    with untouched(shop):
        trial = verbs.rehearse(sql(THREE), shop, reports=folder / "archive", progress=SILENT)
    assert trial.status == "failed"
    assert "x.up.sql:3" in trial.explain()
    assert status(folder / "archive") == "failed"
    assert shop.dialect.list_scratch(shop.engine.url) == scratch


def test_a_migration_that_does_nothing(shop: Database, folder: Path) -> None:
    path = folder / "nothing.py"
    path.write_text("def up(op):\n    pass\ndef down(op):\n    pass\n")
    trial = verbs.rehearse(path, shop, reports=False, progress=SILENT)
    assert trial.passed, trial.explain()
    assert trial.comparison is not None
    assert trial.comparison.identical


@pytest.mark.parametrize("text", ["", "-- only a comment\n", ";;\n"])
def test_an_sql_file_without_a_statement(file_shop: Database, sql: Sql, migkit: Door, text: str) -> None:
    with untouched(file_shop):
        told = migkit("run", str(sql(text)), "-d", address(file_shop))
    assert "no statement" in told.complaint


@pytest.mark.slow
def test_an_empty_database(db: Database, folder: Path) -> None:
    (folder / "seed.py").write_text(
        "import sqlalchemy as sa\n"
        "def up(op):\n    op.create_table('seed', sa.Column('id', sa.Integer, primary_key=True))\n"
        "def down(op):\n    op.drop_table('seed')\n"
    )
    with untouched(db):
        trial = verbs.rehearse(folder / "seed.py", db, reports=False, progress=SILENT)
    assert trial.passed, trial.explain()
    assert trial.before is not None
    assert trial.before.total_rows == 0


def test_a_table_without_a_key(db: Database, folder: Path) -> None:
    with db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE log (line varchar(20), level integer)"))
        connection.execute(sa.text("INSERT INTO log VALUES ('a', 1), ('a', 1), ('b', 2), (NULL, NULL)"))
    (folder / "change.py").write_text(
        'metadata = {"allow": ["change_data:log.level"]}\n'
        'def up(op):\n    op.execute("UPDATE log SET level = level + 10")\n'
        "def down(op):\n    op.execute(\"UPDATE log SET level = level - 10 WHERE line = 'a'\")\n"
    )
    with untouched(db):
        trial = verbs.rehearse(folder / "change.py", db, reports=False, progress=SILENT)
    assert trial.status == "failed"
    assert "log" in trial.explain()


# --- limits -----------------------------------------------------------------------------------------------------------


@contextmanager
def _held(db: Database) -> Iterator[None]:
    """Another session that works on `users` and does not commit."""
    engine = db.dialect.create_engine(db.engine.url, poolclass=sa.NullPool)
    with engine.connect() as holder:
        holder.exec_driver_sql("UPDATE users SET email = 'held' WHERE id = 1")
        yield
        holder.rollback()


def test_a_lock_that_never_comes(shop: Database, sql: Sql, migkit: Door) -> None:
    path = sql("ALTER TABLE users ADD COLUMN age integer;")
    before = verbs.capture(shop, progress=SILENT)
    with _held(shop):
        told = migkit("run", str(path), "-d", address(shop), "--lock-timeout", "1")
        assert told.code in (1, 2), told.err
        words = (told.out + told.err).lower()
        assert "lock" in words
        assert sessions(shop) == []
    if shop.dialect.sees_waiters:
        assert "users" in words
    assert verbs.compare(before, verbs.capture(shop, progress=SILENT)).identical
    assert set(history(shop)["outcome"]) <= {"failed"}


def test_a_statement_that_never_ends(shop: Database, sql: Sql, engine_name: str) -> None:
    before = verbs.capture(shop, progress=SILENT)
    result = verbs.run(
        sql(f"INSERT INTO users VALUES (8, 'x');\n{ENDLESS[engine_name]};"), shop, timeout=0.5, progress=SILENT
    )
    assert not result.succeeded
    assert str(result.error).startswith("Timed out after 0.5 s")
    assert sessions(shop) == []
    assert verbs.compare(before, verbs.capture(shop, progress=SILENT)).identical


@pytest.mark.slow
def test_a_rehearsal_that_runs_out_of_time(shop: Database, sql: Sql, engine_name: str, folder: Path) -> None:
    scratch = shop.dialect.list_scratch(shop.engine.url)
    with untouched(shop):
        trial = verbs.rehearse(
            sql(f"{ENDLESS[engine_name]};"), shop, timeout=0.5, reports=folder / "archive", progress=SILENT
        )
    assert trial.status != "passed"
    assert "Timed out after 0.5 s" in trial.explain()
    assert verbs.load(only_evidence(folder / "archive")).passed is False
    assert sessions(shop) == []
    assert shop.dialect.list_scratch(shop.engine.url) == scratch
