"""Losses that hide behind something else; each of them was green once, or could be."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text

import migkit as mk
from migkit.database import Database
from migkit.progress import SILENT

KEYED = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(20))",
    "INSERT INTO t VALUES (1,'a'),(2,'b'),(3,'c'),(5,'e')",
)
KEYLESS = ("CREATE TABLE k (a INTEGER, b INTEGER)", "INSERT INTO k VALUES (1, 1), (2, 2)")
FLAGS = (
    "CREATE TABLE p (id INTEGER PRIMARY KEY, n INTEGER, opt_in INTEGER DEFAULT 0, z INTEGER)",
    "INSERT INTO p VALUES (1, 1, 0, 5), (2, 3, 0, 6)",
)


class Case(NamedTuple):
    """A migration, and the rules it has to break; none for one that is harmless."""

    name: str
    setup: tuple[str, ...]
    up: str
    down: str | None
    rules: frozenset[str]


CASES = (
    Case(
        "a rollback that deletes another row",
        KEYED,
        "INSERT INTO t VALUES (11, 'x');",
        "DELETE FROM t WHERE id = 1; DELETE FROM t WHERE id = 999;",
        frozenset({"left-behind", "up-again-failed"}),
    ),
    Case(
        "a deletion beside a declared change",
        KEYED,
        "-- migkit: allow change_data:t.v\nUPDATE t SET v = 'z' WHERE id = 1;\nDELETE FROM t WHERE id = 5;",
        None,
        frozenset({"rows-lost"}),
    ),
    Case(
        "an exchange between rows without a key, beside an added column",
        KEYLESS,
        "ALTER TABLE k ADD COLUMN z INTEGER;\nUPDATE k SET b = CASE b WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE b END;",
        None,
        frozenset({"data-changed"}),
    ),
    Case(
        "a column dropped while another of the same content is added",
        FLAGS,
        "ALTER TABLE p DROP COLUMN opt_in;\nALTER TABLE p ADD COLUMN is_admin INTEGER DEFAULT 0;",
        None,
        frozenset({"column-lost"}),
    ),
    Case(
        "rows added without a key", KEYLESS, "INSERT INTO k VALUES (3, 3);", "DELETE FROM k WHERE a = 3;", frozenset()
    ),
    Case(
        "a column added without a key",
        KEYLESS,
        "ALTER TABLE k ADD COLUMN z INTEGER;",
        "ALTER TABLE k DROP COLUMN z;",
        frozenset(),
    ),
    Case(
        "rows deleted without a key, as declared",
        KEYLESS,
        "-- migkit: allow delete_rows:k\nDELETE FROM k WHERE a = 2;",
        None,
        frozenset(),
    ),
    Case(
        "a column renamed and back",
        KEYED,
        "ALTER TABLE t RENAME COLUMN v TO w;",
        "ALTER TABLE t RENAME COLUMN w TO v;",
        frozenset(),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict(db: Database, tmp_path: Path, case: Case) -> None:
    with db.engine.begin() as connection:
        for statement in case.setup:
            connection.execute(text(statement))
    up = tmp_path / "001_case.up.sql"
    up.write_text(case.up)
    if case.down is not None:
        (tmp_path / "001_case.down.sql").write_text(case.down)
    trial = mk.rehearse(up, db, reports=False, progress=SILENT)
    errors = set(trial.findings.loc[trial.findings["severity"] == "error", "id"])
    assert errors == case.rules, trial.explain()
    assert trial.passed == (not case.rules)


def test_a_replaced_row_is_not_identical_by_rows_either(sqlite: Database, tmp_path: Path) -> None:
    with sqlite.engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT)"))
        connection.execute(text("INSERT INTO t (v) VALUES ('a'), ('b'), ('c')"))
    (tmp_path / "m.up.sql").write_text("INSERT INTO t (v) VALUES ('x');")
    (tmp_path / "m.down.sql").write_text("DELETE FROM t WHERE id = 1;")
    trial = mk.rehearse(tmp_path / "m.up.sql", sqlite, reports=False, progress=SILENT)
    assert not trial.passed
    assert trial.rollback is not None
    assert not trial.rollback.identical


def test_a_swallowed_error_is_told(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(
        "import sqlalchemy as sa\n"
        "def up(op):\n"
        "    try:\n"
        "        with op.get_bind().begin_nested():\n"
        "            op.execute('SELECT * FROM nothing_of_that_name')\n"
        "    except sa.exc.SQLAlchemyError:\n"
        "        pass\n"
        "def down(op):\n"
        "    pass\n"
    )
    trial = mk.rehearse(path, db, reports=False, progress=SILENT)
    assert "statement-failed" in set(trial.findings["id"])


def test_schemas_left_out_are_listed(postgresql: Database) -> None:
    state = mk.capture(postgresql, schemas=["public"], progress=SILENT)
    assert "schemas other than public" in set(state.unchecked["what"])


def test_a_migration_that_changes_no_schema_is_validated_by_the_journal(db: Database, tmp_path: Path) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY)"))
    path = tmp_path / "m.py"
    path.write_text("def up(op):\n    op.execute('DELETE FROM t')\ndef down(op):\n    pass\n")
    assert not mk.validate(path, db, progress=SILENT).passed
    mk.run(path, db, progress=SILENT)
    assert mk.validate(path, db, progress=SILENT).passed
