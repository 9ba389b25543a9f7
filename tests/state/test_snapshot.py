"""Saved states: one file, readable years later, refused when damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from migkit.database import Database
from migkit.errors import StateUnreadable
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.state.snapshot import FORMAT, load_state


@pytest.fixture
def filled(db: Database) -> Database:
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20))"))
        connection.execute(text("INSERT INTO t VALUES (9007199254740993, 'ünï'), (-5, NULL)"))
    return db


@pytest.mark.parametrize("name", ["state.json", "state.json.zst"])
def test_a_saved_state_reads_back_identical(filled: Database, tmp_path: Path, name: str) -> None:
    state = capture(filled)
    again = load_state(state.save(tmp_path / name))
    assert compare(state, again).identical
    assert again.captured_at == state.captured_at
    assert again.total_rows == 2
    assert again.tables["key_max"].dropna().tolist() in (["9007199254740993"], [])


def test_a_cut_off_file_is_refused(filled: Database, tmp_path: Path) -> None:
    path = capture(filled).save(tmp_path / "state.json")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StateUnreadable, match="damaged"):
        load_state(path)


def test_a_cut_off_compressed_file_is_refused(filled: Database, tmp_path: Path) -> None:
    path = capture(filled).save(tmp_path / "state.json.zst")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StateUnreadable, match="damaged"):
        load_state(path)


def test_a_state_of_a_later_version_is_refused(sqlite: Database, tmp_path: Path) -> None:
    document = capture(sqlite).to_document() | {"format": FORMAT + 1}
    path = tmp_path / "state.json"
    path.write_text(json.dumps(document))
    with pytest.raises(StateUnreadable, match="Upgrade migkit"):
        load_state(path)


@pytest.mark.parametrize("content", ["[]", "{}", '{"migkit": "other"}', "no json"])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(content)
    with pytest.raises(StateUnreadable):
        load_state(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateUnreadable, match="does not exist"):
        load_state(tmp_path / "nothing.json")
