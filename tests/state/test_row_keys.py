"""Which rows are told apart by which key, and when a key is refused."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from migkit.errors import NotComparable
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.state.row_comparison import compare_rows
from tests.conftest import MakeDatabase
from tests.state.test_rows import Pair, both, counts, pair, run, told, users

__all__ = ["pair"]


def test_another_key_can_be_chosen(pair: Pair) -> None:
    users(pair, range(1, 200))
    run(pair[1], "UPDATE users SET id = id + 100000 WHERE id = 50")
    assert counts(compare_rows(*pair, "users")) == (1, 1, 0)
    found = compare_rows(*pair, "users", key=["email"])
    assert counts(found) == (0, 0, 1)
    assert told(found) == {("changed", "user50@example.com", "id", "50", "100050")}
    run(pair[0], "UPDATE users SET email = NULL WHERE id = 3")
    with pytest.raises(NotComparable, match="email is NULL in some rows"):
        compare_rows(*pair, "users", key=["email"])
    assert counts(compare_rows(*pair, "users", key=[])) == (2, 2, 0)


def test_a_chosen_key_that_is_not_unique(pair: Pair) -> None:
    """Rows of one key that exchange their values leave every digest as it was."""
    both(
        pair,
        "CREATE TABLE t (id INTEGER, k VARCHAR(20), v INTEGER)",
        "INSERT INTO t VALUES (1, 'a', 1), (1, 'b', 2), (2, 'b', 3), (NULL, 'c', 4), (NULL, 'c', 5)",
    )
    run(pair[1], "UPDATE t SET v = 3 - v WHERE id = 1")
    for key in (["id"], ["k"]):
        for across in (False, True):
            told_apart = f"Several rows of t have the same {key[0]}"
            with pytest.raises(NotComparable, match=told_apart):
                compare_rows(*pair, "t", key=key, across=across)
    with pytest.raises(NotComparable, match="NULL"):
        compare_rows(*pair, "t", key=["id", "k"])
    both(pair, "DELETE FROM t WHERE id IS NULL")
    assert counts(compare_rows(*pair, "t", key=["id", "k"])) == (0, 0, 2)
    assert counts(compare_rows(*pair, "t", key=[])) == (2, 2, 0)
    run(pair[0], "DELETE FROM t WHERE k = 'a'")
    with pytest.raises(NotComparable, match="Several rows") as refused:
        compare_rows(*pair, "t", key=["id"])
    assert refused.value.where == pair[1].name


def test_a_chosen_key_is_unique_where_its_values_differ_at_all(pair: Pair, engine_name: str) -> None:
    both(
        pair, "CREATE TABLE t (k VARCHAR(20), v INTEGER)", "INSERT INTO t VALUES ('a', 1), ('A', 2), ('a ', 3), ('', 4)"
    )
    run(pair[1], "UPDATE t SET v = 5 WHERE v = 2")
    assert told(compare_rows(*pair, "t", key=["k"])) == {("changed", "A", "v", "2", "5")}


def test_what_has_a_unique_key_is_not_looked_through_for_one(pair: Pair) -> None:
    users(pair, range(1, 50))
    seen: list[str] = []
    for db in pair:
        event.listen(db.engine, "before_cursor_execute", lambda *told: seen.append(told[2]))
    assert compare_rows(*pair, "users", key=["id", "email"]).identical
    assert not [statement for statement in seen if "HAVING" in statement]


def test_null_keys_of_sqlite(make_database: MakeDatabase) -> None:
    pair = make_database("sqlite"), make_database("sqlite")
    both(
        pair,
        "CREATE TABLE t (id TEXT PRIMARY KEY, v)",
        "INSERT INTO t VALUES (NULL, 1), (NULL, 1), (NULL, 2), ('a', 1)",
    )
    assert compare_rows(*pair, "t").identical
    run(pair[1], "UPDATE t SET v = 3 WHERE v = 2", "UPDATE t SET v = 9 WHERE id = 'a'")
    found = compare_rows(*pair, "t")
    assert counts(found) == (1, 1, 1)


def test_text_keys_of_sqlite_that_are_not_utf8(make_database: MakeDatabase) -> None:
    pair = make_database("sqlite"), make_database("sqlite")
    both(
        pair,
        "CREATE TABLE t (id TEXT PRIMARY KEY, v)",
        "INSERT INTO t VALUES (CAST(x'ff' AS TEXT), 1), (CAST(x'fe' AS TEXT), 2)",
    )
    before = capture(pair[1])
    assert compare_rows(*pair, "t").identical
    run(pair[1], "UPDATE t SET v = 3 - v")
    columns = compare(before, capture(pair[1], like=before)).columns
    assert list(columns[columns["content"] == "changed"]["column"]) == ["v"]
    assert counts(compare_rows(*pair, "t")) == (0, 0, 2)


def test_integer_keys_of_sqlite_that_are_texts(make_database: MakeDatabase) -> None:
    pair = make_database("sqlite"), make_database("sqlite")
    both(
        pair,
        "CREATE TABLE t (id INT PRIMARY KEY, v)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
        " INSERT INTO t SELECT i, i FROM n",
        "INSERT INTO t VALUES ('x', 1), (2.5, 1), (x'00', 1)",
    )
    run(pair[1], "UPDATE t SET v = 2 WHERE id IN ('x', 250)")
    assert {row[1] for row in told(compare_rows(*pair, "t"))} == {"x", "250"}
