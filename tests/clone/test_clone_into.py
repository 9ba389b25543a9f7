"""``clone_into``: clones and empty copies go to a server that has what the source has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

import migkit as mk
from migkit.clone.scratch import clone
from migkit.config import Config, DatabaseConfig
from migkit.database import Database, connect
from migkit.errors import CloneFailed, ConfigError
from migkit.progress import SILENT
from migkit.state.capture import capture
from migkit.state.comparison import compare

MIGRATION = """
metadata = {"version": "001", "allow": ["change_data:words.v"]}
def up(op):
    op.execute("UPDATE words SET v = upper(v) WHERE k = 'KEY3'")
    op.execute("CREATE INDEX words_v ON words (v)")
def down(op):
    op.execute("DROP INDEX words_v")
    op.execute("UPDATE words SET v = 'value 3' WHERE k = 'key3'")
"""


@pytest.fixture
def words(make_database: Callable[[str], Database]) -> Database:
    """Words that are equal in upper and lower case, which only a server with ICU can have; Debian's is one."""
    db = make_database("postgresql15")
    with db.engine.begin() as connection:
        for statement in (
            "CREATE COLLATION careless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            "CREATE TABLE words (k text COLLATE careless PRIMARY KEY, v text COLLATE careless, x xml)",
            "INSERT INTO words SELECT 'Key' || i, 'value ' || i, ('<a>' || i || '</a>')::xml"
            " FROM generate_series(1, 100) AS i",
        ):
            connection.exec_driver_sql(statement)
    return db


def configured(db: Database, clone_into: str | None) -> Config:
    url = db.engine.url.render_as_string(hide_password=False)
    return Config(databases={"words": DatabaseConfig(url=url, clone_into=clone_into)})


def test_what_the_embedded_server_lacks_is_named_with_the_way_out(words: Database) -> None:
    with pytest.raises(CloneFailed, match=r"ICU is not supported.*clone_into in migkit\.toml"):
        clone(words, schema_only=True)


@pytest.mark.slow
def test_a_rehearsal_on_a_server_like_the_source(words: Database, tmp_path: Path) -> None:
    file = tmp_path / "m001.py"
    file.write_text(MIGRATION)
    with connect("words", config=configured(words, "words")) as db:
        trial = mk.rehearse(file, db, reports=tmp_path / "reports", progress=SILENT)
    assert trial.passed, trial.explain()


def test_a_value_that_only_its_case_tells_apart_is_found(words: Database) -> None:
    before = mk.capture(words, progress=SILENT)
    with words.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE words SET v = 'VALUE 7' WHERE k = 'key7'")
        connection.exec_driver_sql("UPDATE words SET x = '<a> 8</a>' WHERE k = 'key8'")
    comparison = mk.compare(before, mk.capture(words, like=before, progress=SILENT))
    assert comparison.columns.set_index("column")["content"].to_dict() == {
        "k": "intact",
        "v": "changed",
        "x": "changed",
    }


def test_copies_of_a_copy_lie_next_to_it(words: Database) -> None:
    with clone(words, into=words, schema_only=True) as copy, clone(copy, schema_only=True) as empty:
        assert empty.engine.url.set(database="") == words.engine.url.set(database="")
        assert empty.engine.url.database not in (copy.engine.url.database, words.engine.url.database)


def test_the_embedded_server_can_be_named(postgresql: Database) -> None:
    with (
        connect("words", config=configured(postgresql, "embedded")) as db,
        clone(db, schema_only=True) as copy,
    ):
        assert copy.engine.url.set(database="") == postgresql.engine.url.set(database="")


def test_an_alias_that_nobody_knows(postgresql: Database) -> None:
    with connect("words", config=configured(postgresql, "nowhere")) as db:
        assert mk.capture(db, progress=SILENT).total_rows == 0
        with pytest.raises(ConfigError, match="nowhere"):
            clone(db, schema_only=True)


def test_a_server_of_another_engine(postgresql: Database, sqlite: Database) -> None:
    with pytest.raises(CloneFailed, match="cannot be copied to a server of SQLite"):
        clone(replace(postgresql, clone_into=sqlite.engine.url), schema_only=True)


def test_a_clone_on_the_same_server_is_identical(postgresql: Database) -> None:
    with postgresql.engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)"))
        connection.execute(text("INSERT INTO t VALUES (1, 'a'), (2, 'b')"))
    with clone(postgresql) as copy:
        comparison = compare(capture(postgresql), capture(copy))
        assert comparison.identical
        assert comparison.findings.empty


def test_the_comment_of_a_database_is_captured(postgresql: Database) -> None:
    before = capture(postgresql)
    with postgresql.engine.begin() as connection:
        connection.execute(text(f"COMMENT ON DATABASE {postgresql.engine.url.database} IS 'the shop'"))
    assert not compare(before, capture(postgresql)).identical
