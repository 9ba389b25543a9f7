"""The main path, on every engine: what passes, what fails, and what a rehearsal leaves behind: nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

import migkit as mk
from migkit.database import Database
from migkit.progress import SILENT
from migkit.workflow.evidence import load_evidence
from migkit.workflow.rehearsal import Rehearsal

ADD_PROFILES = """
import sqlalchemy as sa
metadata = {"version": "001", "description": "Add user_profiles", "author": "dev-team", "risk": "low"}

def up(op):
    op.create_table("user_profiles",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("bio", sa.String(500)))

def down(op):
    op.drop_table("user_profiles")
"""


@pytest.fixture
def shop(db: Database) -> Database:
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(100), visits INTEGER)"))
        connection.execute(
            text("INSERT INTO users VALUES (:id, :email, :visits)"),
            [{"id": n, "email": f"User{n}@example.com", "visits": n % 5} for n in range(1, 1001)],
        )
    return db


def rehearse(source: str, db: Database, folder: Path, *, suffix: str = ".py", **options: object) -> Rehearsal:
    path = folder / f"001_change{suffix}"
    path.write_text(source)
    return mk.rehearse(path, db, reports=folder / "reports", progress=SILENT, **options)  # type: ignore[arg-type]


def rules(trial: Rehearsal, severity: str = "error") -> set[str]:
    return set(trial.findings.loc[trial.findings["severity"] == severity, "id"])


def tables(db: Database) -> set[str]:
    return set(inspect(db.engine).get_table_names())


def test_an_additive_migration_passes(shop: Database, tmp_path: Path) -> None:
    trial = rehearse(ADD_PROFILES, shop, tmp_path)
    assert trial.passed, trial.explain()
    assert trial.rollback is not None
    assert trial.rollback.identical
    assert trial.validation is not None
    assert trial.validation.passed
    assert "brought back the state before" in trial.explain()


def test_the_source_is_only_read(shop: Database, tmp_path: Path) -> None:
    before = mk.capture(shop, progress=SILENT)
    rehearse(ADD_PROFILES, shop, tmp_path)
    assert tables(shop) == {"users"}
    assert mk.compare(before, mk.capture(shop, progress=SILENT)).identical


def test_no_scratch_database_stays_behind(shop: Database, tmp_path: Path) -> None:
    with mk.clone(shop, progress=SILENT) as copy:
        home = copy.engine.url
        names = set(shop.dialect.list_scratch(home)) - {home.database}
    rehearse(ADD_PROFILES, shop, tmp_path)
    left = {name for name in shop.dialect.list_scratch(home) if Path(name).stem not in str(home)}
    assert left <= names


def test_a_way_down_that_cannot_restore_values_fails_and_names_them(shop: Database, tmp_path: Path) -> None:
    source = """
metadata = {"allow": ["change_data:users.email"]}
def up(op):
    op.execute("UPDATE users SET email = lower(email) WHERE id <= 10")
def down(op):
    pass
"""
    trial = rehearse(source, shop, tmp_path)
    assert trial.status == "failed"
    assert rules(trial) == {"left-behind"}
    assert "users.email" in trial.explain()


def test_a_way_down_that_leaves_an_index_fails_and_names_it(shop: Database, tmp_path: Path) -> None:
    source = """
def up(op):
    op.create_index("users_by_visits", "users", ["visits"])
def down(op):
    op.execute("UPDATE users SET visits = visits")
"""
    trial = rehearse(source, shop, tmp_path)
    assert "left-behind" in rules(trial)
    assert "users_by_visits" in trial.explain()


def test_undeclared_destruction_fails_and_declared_passes(shop: Database, tmp_path: Path) -> None:
    source = """
import sqlalchemy as sa
{allow}
def up(op):
    with op.batch_alter_table("users") as users:
        users.drop_column("visits")
"""
    bad = rehearse(source.format(allow=""), shop, tmp_path)
    assert rules(bad) == {"column-lost"}
    good = rehearse(source.format(allow='metadata = {"allow": ["drop_column:users.visits"]}'), shop, tmp_path)
    assert good.passed, good.explain()
    assert rules(good, "warning") >= {"irreversible"}


def test_deleted_rows_are_proven_one_by_one(shop: Database, tmp_path: Path) -> None:
    source = """
metadata = {"allow": ["delete_rows:users"]}
def up(op):
    op.execute("DELETE FROM users WHERE id % 10 = 0")
"""
    trial = rehearse(source, shop, tmp_path)
    assert trial.passed, trial.explain()
    assert trial.comparison is not None
    [proven] = trial.comparison.facts.proven.values()
    assert (proven.removed, proven.added, dict(proven.changed)) == (100, 0, {})


def test_a_change_hidden_beside_deleted_rows_is_found(shop: Database, tmp_path: Path) -> None:
    source = """
metadata = {"allow": ["delete_rows:users"]}
def up(op):
    op.execute("DELETE FROM users WHERE id % 10 = 0")
    op.execute("UPDATE users SET visits = 77 WHERE id = 501")
"""
    trial = rehearse(source, shop, tmp_path)
    assert rules(trial) == {"data-changed"}
    assert "1 row of users.visits changed" in trial.explain()


def test_require_down_fails_what_has_none(shop: Database, tmp_path: Path) -> None:
    source = "def up(op):\n    op.execute('CREATE TABLE extra (id INTEGER PRIMARY KEY)')\n"
    assert rehearse(source, shop, tmp_path).passed
    strict = rehearse(source, shop, tmp_path, require_down=True)
    assert rules(strict) == {"irreversible"}


def test_a_migration_that_fails_at_its_third_statement(shop: Database, tmp_path: Path) -> None:
    source = "CREATE TABLE a (id INTEGER);\nCREATE TABLE b (id INTEGER);\nCREATE TABLE a (id INTEGER);\n"
    trial = rehearse(source, shop, tmp_path, suffix=".up.sql")
    assert trial.status == "failed"
    assert "migration-failed" in rules(trial)
    assert "001_change.up.sql:3" in trial.explain()
    assert tables(shop) == {"users"}


def test_a_way_down_that_fails(shop: Database, tmp_path: Path) -> None:
    source = "def up(op):\n    pass\ndef down(op):\n    op.drop_table('never_there')\n"
    trial = rehearse(source, shop, tmp_path)
    assert rules(trial) == {"rollback-failed"}


def test_evidence_reads_back_without_a_database(shop: Database, tmp_path: Path) -> None:
    trial = rehearse(ADD_PROFILES, shop, tmp_path)
    shop.close()
    assert trial.evidence is not None
    again = load_evidence(trial.evidence)
    assert again.passed
    assert again.explain() == trial.explain()
    assert again.rollback is not None
    assert again.rollback.identical
    assert again.up is not None
    assert len(again.up.statements) == len(trial.up.statements)  # type: ignore[union-attr]


def test_evidence_that_was_tampered_with_is_refused(shop: Database, tmp_path: Path) -> None:
    trial = rehearse(ADD_PROFILES, shop, tmp_path)
    assert trial.evidence is not None
    file = trial.evidence / "after.json"
    file.write_text(file.read_text().replace("users", "Users"))
    with pytest.raises(mk.MigkitError, match="changed after the rehearsal"):
        load_evidence(trial.evidence)


def test_a_rehearsal_that_never_ended_reads_as_not_passed(sqlite: Database, tmp_path: Path) -> None:
    from migkit.workflow.evidence_folder import begin_evidence

    head = {"started_at": "2026-01-01T00:00:00Z", "migration": {"name": "m"}, "database": {"name": "d"}}
    folder = begin_evidence(tmp_path, "one", head)
    trial = load_evidence(folder)
    assert trial.status == "running"
    assert not trial.passed
    assert "not proven" in trial.explain()


@pytest.mark.slow
def test_an_empty_database_rehearses(db: Database, tmp_path: Path) -> None:
    up = "def up(op):\n    op.execute('CREATE TABLE t (id INTEGER PRIMARY KEY)')\n"
    assert rehearse(up + "def down(op):\n    op.drop_table('t')\n", db, tmp_path).passed


@pytest.mark.slow
def test_names_that_bite(db: Database, tmp_path: Path) -> None:
    name = 'order"; drop table x;--<script>%s :p'
    quoted = db.dialect.quote(name)
    with db.engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE {quoted} (id INTEGER PRIMARY KEY)", execution_options={"no_parameters": True}
        )
    source = f"""
import sqlalchemy as sa
def up(op):
    op.add_column({name!r}, sa.Column({name!r}, sa.Integer))
def down(op):
    op.drop_column({name!r}, {name!r})
"""
    trial = rehearse(source, db, tmp_path)
    assert trial.passed, trial.explain()


def test_hashes_in_the_evidence_are_those_of_the_files(sqlite: Database, tmp_path: Path) -> None:
    import json

    source = "def up(op):\n    op.execute('CREATE TABLE t (id INTEGER PRIMARY KEY)')\n"
    trial = rehearse(source, sqlite, tmp_path)
    assert trial.evidence is not None
    manifest = json.loads((trial.evidence / "evidence.json").read_text())
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((trial.evidence / name).read_bytes()).hexdigest() == digest
    assert {"before.json", "after.json", "up.json"} <= manifest["files"].keys()
