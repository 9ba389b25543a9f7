from __future__ import annotations

import pytest

from migkit.observe.describing import statement_kind, summarize
from migkit.observe.parameters import with_parameters
from migkit.observe.statements import savepoint_command, transaction_end


@pytest.mark.parametrize(
    ("sql", "kind", "summary"),
    [
        ('CREATE TABLE IF NOT EXISTS "a""b;--" (id int)', "ddl", 'Created table a"b;--'),
        ("create unique index concurrently on users (a)", "ddl", "Created an index on users"),
        ("CREATE INDEX ix ON s.t (a)", "ddl", "Created index ix on s.t"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "ddl", "Created view v"),
        ("CREATE TYPE mood AS ENUM ('a')", "ddl", "Created type mood"),
        ("ALTER TABLE users ADD COLUMN bio varchar", "ddl", "Added column users.bio"),
        ("ALTER TABLE users ADD bio varchar", "ddl", "Added column users.bio"),
        ("ALTER TABLE ONLY public.users DROP CONSTRAINT x", "ddl", "Dropped constraint x of public.users"),
        ("ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b", "ddl", "Added foreign key f to t"),
        ("ALTER TABLE `o`.`t` RENAME TO b", "ddl", "Renamed table o.t to b"),
        ("ALTER TABLE t RENAME COLUMN a TO b", "ddl", "Renamed column t.a to b"),
        ("ALTER TABLE t ALTER COLUMN c TYPE bigint", "ddl", "Changed the type of t.c"),
        ("ALTER TABLE t ALTER COLUMN c SET NOT NULL", "ddl", "Made t.c NOT NULL"),
        ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "ddl", "Changed table t"),
        ("ALTER TYPE mood ADD VALUE 'x'", "ddl", "Changed type mood"),
        ("DROP MATERIALIZED VIEW IF EXISTS v", "ddl", "Dropped materialized view v"),
        ('DROP TABLE "Mixed.Case"', "ddl", "Dropped table Mixed.Case"),
        ("GRANT SELECT ON x TO y", "ddl", "GRANT SELECT ON x TO y"),
        ("-- why\n/* how */ UPDATE users SET x = 1", "dml", "Updated 500 rows of users"),
        ("INSERT INTO t(a) VALUES (1)", "dml", "Inserted 500 rows into t"),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT 1", "dml", "Inserted 500 rows into t"),
        ("DELETE FROM ünï", "dml", "Deleted 500 rows of ünï"),
        ("TRUNCATE TABLE t", "dml", "Emptied table t"),
        ("SELECT 1", "query", "SELECT 1"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "query", "WITH x AS (SELECT 1) SELECT * FROM x"),
        ("SET search_path TO x", "control", "SET search_path TO x"),
        ("", "ddl", ""),
    ],
)
def test_statement(sql: str, kind: str, summary: str) -> None:
    assert statement_kind(sql) == kind
    assert summarize(sql, 500) == summary


def test_long_text_is_cut() -> None:
    assert len(summarize("EXPLAIN " + "x" * 500)) == 60


def test_one_row_is_one_row() -> None:
    assert summarize("DELETE FROM t", 1) == "Deleted 1 row of t"
    assert summarize("DELETE FROM t") == "Deleted rows of t"


@pytest.mark.parametrize(
    ("sql", "command"),
    [
        ("SAVEPOINT a", ("savepoint", "a")),
        ("ROLLBACK TO SAVEPOINT a;", ("rollback", "a")),
        ("rollback transaction to a", ("rollback", "a")),
        ("RELEASE a", ("release", "a")),
        ("ROLLBACK", None),
    ],
)
def test_savepoints(sql: str, command: tuple[str, str] | None) -> None:
    assert savepoint_command(sql) == command


def test_transaction_ends() -> None:
    assert transaction_end("COMMIT;") == "applied"
    assert transaction_end("ROLLBACK") == "rolled back"
    assert transaction_end("ROLLBACK TO SAVEPOINT a") is None
    assert transaction_end("UPDATE t SET a = 1") is None


def test_parameters() -> None:
    assert with_parameters("DELETE FROM t", ()) == "DELETE FROM t"
    assert with_parameters("X", {"a": "it's\n"}) == 'X  -- {a: "it\'s\\n"}'
    many = with_parameters("X", [(n,) for n in range(5000)])
    assert many == "X  -- [0], [1], [2] … 5,000 sets"
    assert len(with_parameters("X", ("y" * 10_000_000,))) < 300
