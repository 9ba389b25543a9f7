"""Every verb on every engine: the same test, the same answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import inspect, text

import migkit as mk
from migkit.database import Database
from migkit.progress import SILENT

ADD_NOTES = """
import sqlalchemy as sa
metadata = {"version": "001", "description": "Add notes", "risk": "low"}
def up(op):
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True),
                    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False, index=True),
                    sa.Column("body", sa.String(200)))
def down(op):
    op.drop_table("notes")
"""


SHORTEN = """
def up(op):
    op.execute("UPDATE users SET email = 'u' WHERE id IN (7, 31)")
def down(op):
    op.execute("SELECT 1")
"""


@pytest.fixture
def users(db: Database) -> Database:
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(100) NOT NULL)"))
        connection.execute(
            text("INSERT INTO users VALUES (:id, :email)"), [{"id": n, "email": f"u{n}@x"} for n in range(1, 51)]
        )
    return db


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "001_add_notes.py"
    path.write_text(ADD_NOTES)
    return path


def test_connect_says_what_it_reached(users: Database) -> None:
    assert users.dialect.label in repr(users) or users.dialect.label.split()[0] in users.server
    assert "password" not in repr(users)
    assert users.name in users._repr_html_()


def test_capture_and_compare(users: Database) -> None:
    state = mk.capture(users, progress=SILENT)
    assert state.total_rows == 50
    assert state.tables["rows"].tolist() == [50]
    assert state.columns["nullable"].tolist() == [False, False] or state.engine == "SQLite"
    assert mk.compare(state, mk.capture(users, progress=SILENT)).identical


def test_run_validate_rollback(users: Database, notes: Path) -> None:
    before = mk.capture(users, progress=SILENT)
    up = mk.run(notes, users, progress=SILENT)
    assert up.succeeded, up.error
    assert up.statements.query("kind == 'ddl'")["outcome"].unique().tolist() == ["applied"]
    assert "✓ Created table notes" in repr(up)
    validation = mk.validate(notes, users, progress=SILENT)
    assert validation.passed, repr(validation)
    assert mk.validate(None, users, expect_version="001", progress=SILENT).passed
    assert not mk.validate(notes, users, expect_absent=True, progress=SILENT).passed
    down = mk.rollback(notes, users, progress=SILENT)
    assert down.succeeded, down.error
    assert mk.validate(notes, users, expect_absent=True, progress=SILENT).passed
    assert mk.compare(before, mk.capture(users, progress=SILENT)).identical


def test_every_attempt_is_logged(users: Database, notes: Path) -> None:
    mk.run(notes, users, progress=SILENT)
    with users.engine.connect() as connection:
        rows = connection.execute(text("SELECT migration, direction, outcome FROM migration_log")).all()
    assert [tuple(row) for row in rows] == [("001_add_notes", "up", "succeeded")]


def test_dry_run_changes_nothing(users: Database, notes: Path) -> None:
    tried = mk.dry_run(notes, users, progress=SILENT)
    assert tried.passed, repr(tried)
    assert any("Table notes was added" in line.text for line in tried.changes)
    assert inspect(users.engine).get_table_names() == ["users"]


def test_clone_is_identical_and_goes_away(users: Database) -> None:
    before = mk.capture(users, progress=SILENT)
    with mk.clone(users, progress=SILENT) as copy:
        assert copy.is_scratch
        comparison = mk.compare(before, mk.capture(copy, progress=SILENT))
        assert comparison.passed
        assert set(comparison.tables["content"]) == {"intact"}
        assert (comparison.constraints["change"] == "unchanged").all()
    with pytest.raises(Exception, match=r"."), copy.engine.connect() as connection:
        connection.execute(text("SELECT count(*) FROM users"))


def test_rehearse_and_open_the_evidence(users: Database, notes: Path, tmp_path: Path) -> None:
    trial = mk.rehearse(notes, users, reports=tmp_path / "reports", progress=SILENT)
    assert trial.passed, trial.explain()
    assert trial.evidence is not None
    again = mk.load(trial.evidence)
    assert isinstance(again, mk.Rehearsal)
    assert again.passed
    assert inspect(users.engine).get_table_names() == ["users"]


def test_rows_that_changed_are_counted_and_a_few_named(users: Database, tmp_path: Path) -> None:
    path = tmp_path / "002_shorten.py"
    path.write_text(SHORTEN)
    trial = mk.rehearse(path, users, reports=tmp_path / "reports", progress=SILENT)
    told = [what for what in trial.findings["what"] if "2 rows of users.email changed" in what]
    assert told
    assert all("such as 31, 7" in what or "such as 7, 31" in what for what in told)
    assert mk.load(trial.evidence).findings["what"].tolist() == trial.findings["what"].tolist()  # type: ignore[union-attr]


def test_a_type_that_keeps_every_value_reads_intact(users: Database, engine_name: str) -> None:
    before = mk.capture(users, progress=SILENT)
    widen = {
        "mysql": "ALTER TABLE users MODIFY id BIGINT NOT NULL",
        "mariadb": "ALTER TABLE users MODIFY id BIGINT NOT NULL",
        "sqlite": "ALTER TABLE users RENAME COLUMN email TO email",
    }.get(engine_name, "ALTER TABLE users ALTER id TYPE BIGINT")
    with users.engine.begin() as connection:
        connection.execute(text(widen))
    comparison = mk.compare(before, mk.capture(users, like=before, progress=SILENT))
    assert comparison.passed, comparison.errors
    assert set(comparison.columns["content"]) <= {"intact", "retyped"}
