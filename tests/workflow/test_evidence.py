"""Evidence that says passed is believed only where everything in it says so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import migkit as mk
from migkit.database import Database
from migkit.errors import StateUnreadable
from migkit.progress import SILENT
from migkit.workflow.evidence import load_evidence

Document = dict[str, Any]

ADD = """
import sqlalchemy as sa
def up(op):
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))
def down(op):
    op.drop_table("notes")
"""
LOSE = "def up(op):\n    op.drop_table('users')\n"


def rehearsed(db: Database, folder: Path, source: str) -> Path:
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY)"))
    path = folder / "001_change.py"
    path.write_text(source)
    trial = mk.rehearse(path, db, reports=folder / "reports", progress=SILENT)
    assert trial.evidence is not None
    return trial.evidence


def edit(evidence: Path, change: Callable[[Document], object], *, seal: bool) -> None:
    manifest = evidence / "evidence.json"
    document = json.loads(manifest.read_text())
    change(document)
    if seal:
        unsealed = {key: value for key, value in document.items() if key != "seal"}
        document["seal"] = hashlib.sha256(json.dumps(unsealed, sort_keys=True).encode()).hexdigest()
    manifest.write_text(json.dumps(document))


def test_a_manifest_that_was_edited_is_refused(sqlite: Database, tmp_path: Path) -> None:
    evidence = rehearsed(sqlite, tmp_path, ADD)
    assert load_evidence(evidence).passed
    edit(evidence, lambda document: document["migration"].update(author="somebody else"), seal=False)
    with pytest.raises(StateUnreadable, match="changed after the rehearsal"):
        load_evidence(evidence)


@pytest.mark.parametrize("findings", ["kept", "emptied"])
def test_a_failed_rehearsal_is_not_passed_by_saying_so(sqlite: Database, tmp_path: Path, findings: str) -> None:
    evidence = rehearsed(sqlite, tmp_path, LOSE)
    assert not load_evidence(evidence).passed

    def whitewash(document: Document) -> None:
        document["status"] = "passed"
        if findings == "emptied":
            document["findings"]["rows"] = []

    edit(evidence, whitewash, seal=True)
    with pytest.raises(StateUnreadable, match=r"contradicts itself: it says passed, but .*users"):
        load_evidence(evidence)


@pytest.mark.parametrize("name", ["before", "after", "rolled_back", "up", "down", "again", "validation"])
def test_a_passed_rehearsal_needs_all_of_its_files(sqlite: Database, tmp_path: Path, name: str) -> None:
    evidence = rehearsed(sqlite, tmp_path, ADD)
    (evidence / f"{name}.json").unlink()
    edit(evidence, lambda document: document["files"].pop(f"{name}.json"), seal=True)
    with pytest.raises(StateUnreadable, match=rf"contradicts itself.*{name}\.json is missing"):
        load_evidence(evidence)


def test_a_run_that_failed_is_no_part_of_what_passed(sqlite: Database, tmp_path: Path) -> None:
    evidence = rehearsed(sqlite, tmp_path, ADD)
    run = json.loads((evidence / "down.json").read_text())
    run.update(succeeded=False, error="no such table")
    (evidence / "down.json").write_text(json.dumps(run))
    digest = hashlib.sha256((evidence / "down.json").read_bytes()).hexdigest()
    edit(evidence, lambda document: document["files"].update({"down.json": digest}), seal=True)
    with pytest.raises(StateUnreadable, match="contradicts itself"):
        load_evidence(evidence)


def test_evidence_from_before_there_was_a_seal_is_read(sqlite: Database, tmp_path: Path) -> None:
    evidence = rehearsed(sqlite, tmp_path, ADD)

    def unseal(document: Document) -> None:
        document["format"] = 1
        del document["seal"]

    edit(evidence, unseal, seal=False)
    assert load_evidence(evidence).passed


SECRETS = """
def up(op):
    op.execute("INSERT INTO users (id) SELECT 7 WHERE 'x' <> 'CREATE ROLE r PASSWORD ''hunter2'''")
def down(op):
    op.execute("DELETE FROM users WHERE id = 7 -- ALTER USER r IDENTIFIED BY 'hunter2'")
"""


def test_passwords_in_statements_are_in_no_file(sqlite: Database, tmp_path: Path) -> None:
    evidence = rehearsed(sqlite, tmp_path, SECRETS)
    leaking = [path.name for path in evidence.iterdir() if b"hunter2" in path.read_bytes()]
    assert leaking == []


def test_a_password_in_a_routine_is_not_archived(postgresql: Database, tmp_path: Path) -> None:
    body = "BEGIN EXECUTE 'CREATE ROLE r PASSWORD ''tops3cret'''; END"
    with postgresql.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $x${body}$x$")
    path = tmp_path / "m.py"
    path.write_text("def up(op):\n    op.execute('CREATE TABLE t (id int)')\n")
    trial = mk.rehearse(path, postgresql, reports=tmp_path / "reports", progress=SILENT)
    assert trial.evidence is not None
    assert [file.name for file in trial.evidence.iterdir() if "tops3cret" in file.read_text()] == []
