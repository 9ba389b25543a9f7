from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migkit.errors import MigrationInvalid
from migkit.migration.sql_splitting import split_statements

POSTGRES, SQLITE, MYSQL = "postgres", "sqlite", "mysql"


def split(text: str, dialect: str) -> list[str]:
    return [one.sql for one in split_statements(text, dialect, where="f.sql")]


@pytest.mark.parametrize(
    ("dialect", "whole"),
    [
        (POSTGRES, "SELECT 'a;b'"),
        (POSTGRES, "SELECT 'it''s;'"),
        (POSTGRES, r"SELECT E'it\';'"),
        (POSTGRES, r"SELECT 'c:\'"),
        (POSTGRES, 'CREATE TABLE "a;""b" (x int)'),
        (POSTGRES, "SELECT $$;$$"),
        (POSTGRES, "SELECT $a$ $$ ; $b$ $a$"),
        (POSTGRES, "SELECT $1, a[1], '{}'::jsonb #> '{a}'"),
        (POSTGRES, "SELECT 1 /* ; /* ; */ ; */ + 1"),
        (POSTGRES, "SELECT 1 -- ; '\n + 1"),
        (POSTGRES, "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END"),
        (POSTGRES, "DO $do$ BEGIN PERFORM 1; END $do$"),
        (POSTGRES, "SELECT price$"),
        (SQLITE, "CREATE TRIGGER t AFTER UPDATE ON x BEGIN UPDATE y SET a = CASE WHEN 1 THEN 2 END; SELECT 1; END"),
        (SQLITE, "CREATE TEMP TRIGGER IF NOT EXISTS [t;] AFTER INSERT ON x WHEN new.a BEGIN SELECT new.end; END"),
        (SQLITE, "SELECT [a;b], `c;d`"),
        (SQLITE, 'CREATE TABLE t (begin int, "end" int)'),
        (MYSQL, r"SELECT 'it\';'"),
        (MYSQL, "SELECT 1 # ; '\n + 1"),
        (MYSQL, "SELECT 5--1"),
        (MYSQL, "SELECT `a;b`"),
        (MYSQL, "CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF; WHILE 0 DO SELECT 2; END WHILE; END"),
        (MYSQL, "CREATE PROCEDURE p() BEGIN CASE 1 WHEN 1 THEN SELECT 1; END CASE; SELECT 2; END"),
    ],
)
def test_one_statement_stays_whole(dialect: str, whole: str) -> None:
    assert split(f"{whole};\nSELECT 'next'", dialect) == [whole, "SELECT 'next'"]


def test_lines_are_those_of_the_file() -> None:
    text = "-- one\n\nSELECT 1;\n/* x\n */ SELECT 2;\n\n  SELECT\n3"
    assert [(one.line, one.sql) for one in split_statements(text, SQLITE, where="f.sql")] == [
        (3, "SELECT 1"),
        (5, "SELECT 2"),
        (7, "SELECT\n3"),
    ]


def test_empty_statements_and_comments_are_none() -> None:
    assert split(";; -- a\n ; /* b */ ;\n", POSTGRES) == []
    assert split("\ufeffSELECT 1", POSTGRES) == ["SELECT 1"]
    assert split("SELECT 1;\r\nSELECT 2;\r\n", POSTGRES) == ["SELECT 1", "SELECT 2"]


def test_delimiter() -> None:
    text = "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END//\nDELIMITER ;\nSELECT 2;"
    assert split(text, MYSQL) == ["CREATE PROCEDURE p() BEGIN SELECT 1; END", "SELECT 2"]


@pytest.mark.parametrize(
    ("dialect", "text", "message"),
    [
        (POSTGRES, "SELECT 1;\nSELECT 'a", r"f\.sql:2: A quote \('\) is never closed"),
        (POSTGRES, 'SELECT "a', "never closed"),
        (POSTGRES, "SELECT $x$ $$", r"\$x\$"),
        (POSTGRES, "/* /* */", "comment"),
        (POSTGRES, "\\copy t from x", r"\\copy is a command"),
        (SQLITE, "CREATE TRIGGER t AFTER UPDATE ON x BEGIN SELECT 1;", "never closed by END"),
    ],
)
def test_what_is_never_closed_is_refused(dialect: str, text: str, message: str) -> None:
    with pytest.raises(MigrationInvalid, match=message):
        split(text, dialect)


TEXTS = st.text(alphabet=st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)


@given(st.lists(TEXTS, max_size=5))
def test_any_text_in_quotes_survives(values: list[str]) -> None:
    statements = ["SELECT '" + value.replace("'", "''") + "'" for value in values]
    for dialect in (POSTGRES, SQLITE):
        assert split(";\n".join(statements), dialect) == statements
