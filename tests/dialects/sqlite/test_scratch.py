"""Scratch files: private, whole, and the source as it was, byte for byte."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL

from migkit.errors import CloneFailed, UnsupportedFeature
from migkit.storage import sha256
from tests.dialects.sqlite.support import DIALECT, change, digests, make, schema_facts
from tests.dialects.sqlite.test_catalog import SCHEMA

NAME = 'clone of or"der/..; ü'


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[URL]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    url = DIALECT.create_scratch(None, NAME)
    yield url
    DIALECT.drop_scratch(url)
    assert DIALECT.list_scratch(None) == []


def test_scratch_files_are_private_listed_and_dropped(scratch: URL) -> None:
    path = Path(str(scratch.database))
    assert DIALECT.scratch_home == "file"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert DIALECT.list_scratch(None) == [NAME]
    with pytest.raises(CloneFailed, match="exists"):
        DIALECT.create_scratch(None, NAME)
    change(scratch, "PRAGMA journal_mode = wal; CREATE TABLE t (a)")
    DIALECT.drop_scratch(scratch)
    assert list(path.parent.iterdir()) == []


def test_nothing_else_is_ever_deleted(tmp_path: Path, scratch: URL) -> None:
    url = make(tmp_path / "mine.db", "CREATE TABLE t (a)")
    for other in (url, URL.create("sqlite"), URL.create("sqlite", database=f"{scratch.database}/../../mine.db")):
        with pytest.raises(CloneFailed, match="no scratch database"):
            DIALECT.drop_scratch(other)
    assert (tmp_path / "mine.db").exists()


def test_a_folder_of_somebody_else_is_refused(scratch: URL) -> None:
    folder = Path(str(scratch.database)).parent
    folder.chmod(0o777)
    try:
        with pytest.raises(CloneFailed, match="open to others"):
            DIALECT.create_scratch(None, "other")
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_copy_is_whole_and_the_source_untouched(tmp_path: Path, scratch: URL, journal: str) -> None:
    source = make(tmp_path / "source.db")
    with closing(sqlite3.connect(tmp_path / "source.db")) as writer:
        writer.executescript(f"PRAGMA journal_mode = {journal}; {SCHEMA}")
        files = [file for file in tmp_path.glob("source.db*") if not file.name.endswith("-shm")]
        before = {file: sha256(file) for file in files}
        DIALECT.copy(source, scratch)
        assert {file: sha256(file) for file in files} == before
        assert len(files) == (2 if journal == "wal" else 1)
    assert schema_facts(scratch) == schema_facts(source)
    assert digests(scratch, "users") == digests(source, "users")


def test_a_schema_is_copied_without_rows(tmp_path: Path, scratch: URL) -> None:
    source = make(
        tmp_path / "source.db", "PRAGMA page_size = 8192; PRAGMA encoding = 'UTF-16le';" + SCHEMA + "ANALYZE;"
    )
    DIALECT.copy(source, scratch, schema_only=True)
    wanted, found = schema_facts(source), schema_facts(scratch)
    wanted["objects"] = [row.replace("'value': '2'", "'value': None") for row in wanted["objects"]]
    assert found == wanted
    assert sum(rows for rows, _, _ in digests(scratch, "users").values()) == 0


def test_copies_are_refused_where_they_cannot_be_made(tmp_path: Path, scratch: URL) -> None:
    source = make(tmp_path / "source.db", SCHEMA)
    with pytest.raises(UnsupportedFeature, match="in memory"):
        DIALECT.copy(URL.create("sqlite"), scratch)
    with pytest.raises(CloneFailed, match="has to be empty"):
        DIALECT.copy(scratch, source)
    with pytest.raises(CloneFailed, match="unable to open"):
        DIALECT.copy(URL.create("sqlite", database=str(tmp_path / "missing.db")), scratch)
    assert not os.path.lexists(tmp_path / "missing.db")
