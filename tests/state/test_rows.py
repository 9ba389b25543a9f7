"""Which rows differ between two databases, on every engine, and what it takes to find out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, text

from migkit.database import Database
from migkit.errors import NotComparable
from migkit.state import row_narrowing
from migkit.state.row_comparison import compare_rows
from migkit.state.row_results import RowComparison
from tests.conftest import MakeDatabase

Pair = tuple[Database, Database]
USERS = "CREATE TABLE users (id BIGINT PRIMARY KEY, email VARCHAR(100), visits INTEGER, price NUMERIC(12,3))"


@pytest.fixture
def pair(engine_name: str, make_database: MakeDatabase) -> Pair:
    return make_database(engine_name), make_database(engine_name)


def run(db: Database, *statements: str) -> None:
    with db.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def both(pair: Pair, *statements: str) -> None:
    for db in pair:
        run(db, *statements)


def insert(db: Database, table: str, columns: int, rows: list[tuple[Any, ...]]) -> None:
    names = [f"v{number}" for number in range(columns)]
    values = ", ".join(f":{name}" for name in names)
    with db.engine.begin() as connection:
        parameters = [dict(zip(names, row, strict=True)) for row in rows]
        connection.execute(text(f"INSERT INTO {table} VALUES ({values})"), parameters)


def user(number: int) -> tuple[Any, ...]:
    return number, f"user{number}@example.com", number % 7, (number % 1000) / 4


def users(pair: Pair, numbers: Iterator[int] | range) -> None:
    both(pair, USERS)
    rows = [user(number) for number in numbers]
    for db in pair:
        insert(db, "users", 4, rows)


def told(found: RowComparison) -> set[tuple[Any, ...]]:
    cells = found.rows.astype(object).where(found.rows.notna(), None)
    return {tuple(row) for row in cells.itertuples(index=False)}


def counts(found: RowComparison) -> tuple[int, int, int]:
    return found.added, found.removed, found.changed


def test_two_equal_tables_are_identical(pair: Pair) -> None:
    users(pair, range(1, 301))
    found = compare_rows(*pair, "users")
    assert found.identical
    assert (found.rows_a, found.rows_b, found.differences) == (300, 300, 0)
    assert found.rows.empty
    assert found.key == ("id",)
    assert "identical" in str(found)


def test_added_removed_and_changed_rows_come_with_their_values(pair: Pair) -> None:
    users(pair, range(1, 3001))
    run(
        pair[1],
        "UPDATE users SET visits = NULL, price = 0.125 WHERE id = 77",
        "UPDATE users SET email = '' WHERE id = 2999",
        "DELETE FROM users WHERE id = 1500",
        "INSERT INTO users VALUES (9007199254740993, NULL, -1, 99999999.999)",
    )
    found = compare_rows(*pair, "users")
    assert counts(found) == (1, 1, 2)
    assert found.changed_by_column == {"email": 1, "visits": 1, "price": 1}
    rows = told(found)
    assert ("changed", "77", "visits", "0", None) in rows
    assert ("changed", "2999", "email", "user2999@example.com", "") in rows
    [price] = [row for row in rows if row[2] == "price"]
    assert (Decimal(price[3]), Decimal(price[4])) == (Decimal("19.25"), Decimal("0.125"))
    [removed] = [row for row in rows if row[0] == "removed"]
    assert removed[1:3] == ("1500", None)
    assert json.loads(removed[3])["email"] == "user1500@example.com"
    [added] = [row for row in rows if row[0] == "added"]
    assert added[1] == "9007199254740993"
    assert json.loads(added[4])["email"] is None
    assert not found.identical


@pytest.mark.parametrize("key", ["VARCHAR(50)", "CHAR(36)"])
def test_keys_that_are_texts(pair: Pair, key: str) -> None:
    both(pair, f"CREATE TABLE t (id {key} PRIMARY KEY, v INTEGER)")
    rows = [(f"{number:08x}-Ünï\U0001f600-'\"\\%:", number) for number in range(2000)]
    for db in pair:
        insert(db, "t", 2, rows)
    run(pair[1], "UPDATE t SET v = -1 WHERE v = 5", "DELETE FROM t WHERE v = 6")
    insert(pair[1], "t", 2, [("new", 1)])
    found = compare_rows(*pair, "t")
    assert counts(found) == (1, 1, 1)
    [changed] = [row for row in told(found) if row[0] == "changed"]
    assert changed == ("changed", rows[5][0], "v", "5", "-1")


@pytest.mark.parametrize(
    ("first", "second"), [("INTEGER", "INTEGER"), ("INTEGER", "VARCHAR(20)"), ("VARCHAR(20)", "BIGINT")]
)
@pytest.mark.slow
def test_composite_keys(pair: Pair, first: str, second: str) -> None:
    both(pair, f"CREATE TABLE t (a {first} NOT NULL, b {second} NOT NULL, v INTEGER, PRIMARY KEY (a, b))")

    def cell(kind: str, number: int) -> Any:
        return str(number) if kind.startswith("VARCHAR") else number

    rows = [(cell(first, n % 3), cell(second, n), n) for n in range(1500)]
    for db in pair:
        insert(db, "t", 3, rows)
    run(pair[1], "UPDATE t SET v = NULL WHERE v = 700", "DELETE FROM t WHERE v = 701")
    found = compare_rows(*pair, "t")
    assert counts(found) == (0, 1, 1)
    assert ("changed", '["1", "700"]', "v", "700", None) in told(found)


def test_a_skewed_composite_key_is_divided_by_its_hash(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_narrowing, "_FEW_ROWS", 100)
    both(pair, "CREATE TABLE t (a INTEGER NOT NULL, b INTEGER NOT NULL, v INTEGER, PRIMARY KEY (a, b))")
    for db in pair:
        insert(db, "t", 3, [(1, number, 0) for number in range(2000)])
    run(pair[1], "UPDATE t SET v = 1 WHERE b = 44", "UPDATE t SET a = 2 WHERE b = 45")
    found = compare_rows(*pair, "t")
    assert counts(found) == (1, 1, 1)


def test_a_table_without_a_key_is_a_multiset(pair: Pair) -> None:
    both(pair, "CREATE TABLE log (a INTEGER, b VARCHAR(20))")
    for db in pair:
        insert(db, "log", 2, [(n % 50, None if n % 3 else "x") for n in range(900)])
    assert compare_rows(*pair, "log").identical
    run(pair[1], "INSERT INTO log VALUES (1, 'x'), (1, 'x')", "UPDATE log SET b = 'y' WHERE a = 7 AND b IS NOT NULL")
    found = compare_rows(*pair, "log")
    assert found.key == ()
    assert counts(found) == (2 + 6, 6, 0)
    added = [json.loads(row[4]) for row in told(found) if row[0] == "added"]
    assert {"a": "1", "b": "x"} in added
    assert {"a": "7", "b": "y"} in added


def test_values_that_change_places_between_rows_are_found(pair: Pair) -> None:
    users(pair, range(1, 200))
    run(pair[1], "UPDATE users SET visits = CASE id WHEN 8 THEN 2 ELSE 1 END WHERE id IN (8, 9)")
    found = compare_rows(*pair, "users")
    assert {row[1:] for row in told(found)} == {("8", "visits", "1", "2"), ("9", "visits", "2", "1")}


@pytest.mark.parametrize("few", [0, 50])
@pytest.mark.slow
def test_narrowing_step_by_step_finds_the_same(pair: Pair, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(row_narrowing, "_FEW_ROWS", few)
    monkeypatch.setattr(row_narrowing, "_NARROW_ENOUGH_ROWS", 0)
    monkeypatch.setattr(row_narrowing, "_ROWS_PER_STEP", 300)
    numbers = [*range(-500, 1500), -(2**63), 2**62, 2**63 - 1]
    users(pair, iter(numbers))
    run(
        pair[1],
        "UPDATE users SET visits = 99 WHERE id IN (-500, 0, 64, 1499, 9223372036854775807)",
        "DELETE FROM users WHERE id IN (-1, 4611686018427387904)",
    )
    found = compare_rows(*pair, "users")
    assert counts(found) == (0, 2, 5)
    keys = {row[1] for row in told(found)}
    assert keys == {"-500", "0", "64", "1499", "9223372036854775807", "-1", "4611686018427387904"}


def test_one_empty_side(pair: Pair) -> None:
    users(pair, range(1, 50))
    run(pair[0], "DELETE FROM users")
    assert counts(compare_rows(*pair, "users")) == (49, 0, 0)
    assert counts(compare_rows(pair[1], pair[0], "users")) == (0, 49, 0)
    run(pair[1], "DELETE FROM users")
    assert compare_rows(*pair, "users").identical


def test_every_row_changed_is_counted_beyond_the_limit(pair: Pair) -> None:
    users(pair, range(1, 501))
    run(pair[1], "UPDATE users SET visits = visits + 1")
    found = compare_rows(*pair, "users", limit=10)
    assert counts(found) == (0, 0, 500)
    assert len(found.rows) == 10
    assert "490 more rows that differ, not listed" in str(found)


def test_columns_of_one_side_are_listed_as_not_checked(pair: Pair) -> None:
    users(pair, range(1, 50))
    run(pair[1], "ALTER TABLE users ADD COLUMN flag INTEGER DEFAULT 1", "ALTER TABLE users DROP COLUMN price")
    found = compare_rows(*pair, "users")
    assert counts(found) == (0, 0, 0)
    assert not found.identical
    assert set(found.unchecked["what"]) == {"column price", "column flag"}
    assert compare_rows(*pair, "users", columns=["email"]).identical
    with pytest.raises(NotComparable, match=r"no column flag"):
        compare_rows(*pair, "users", columns=["flag"])
    with pytest.raises(NotComparable, match=r"Did you mean users\?"):
        compare_rows(*pair, "user")


@pytest.mark.parametrize(
    "name", ['order"; drop table x;--', "<script>", "Mixed.Case", "ünï", "a:b %s", "back\\slash`'"]
)
@pytest.mark.slow
def test_names_that_bite(pair: Pair, name: str, engine_name: str) -> None:
    for db in pair:
        table = db.dialect.quote(name)
        run(
            db,
            f"CREATE TABLE {table} ({table} INTEGER PRIMARY KEY, v INTEGER)",
            f"INSERT INTO {table} VALUES (1, 1), (2, 2)",
        )
    run(pair[1], f"UPDATE {pair[1].dialect.quote(name)} SET v = 3 WHERE v = 2")
    found = compare_rows(*pair, name)
    assert told(found) == {("changed", "2", "v", "2", "3")}
    assert "<script>" not in found._repr_html_()


def test_the_databases_are_only_read(pair: Pair) -> None:
    users(pair, range(1, 50))
    run(pair[1], "UPDATE users SET visits = 99 WHERE id = 5")
    seen: list[str] = []
    for db in pair:
        event.listen(db.engine, "before_cursor_execute", lambda *told: seen.append(told[2]))
    compare_rows(*pair, "users")
    words = {statement.split()[0].upper() for statement in seen}
    assert not words & {"INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER"}, words


Check = Callable[[RowComparison], None]

# Type and two values that must not be taken for each other, with how they read.
BITING: dict[str, list[tuple[str, str, str]]] = {
    "postgresql": [
        ("int8", "9007199254740992", "9007199254740993"),
        ("numeric", "1e-30", "2e-30"),
        ("numeric", "'NaN'", "'Infinity'"),
        ("float8", "0.1", "0.1::float8 + 1e-17::float8 + 2e-17::float8"),
        ("float8", "'-0'", "0"),
        ("float4", "'NaN'", "'-Infinity'"),
        ("bytea", r"'\x00ff'", r"'\x00fe'"),
        ("jsonb", "'{\"a\": [1, 2]}'", "'{\"a\": [[1, 2]]}'"),
        ("json", "'{\"a\":1}'", "'{\"a\": 1}'"),
        ("int[]", "'{1,2}'", "'{{1,2}}'"),
        ("interval", "'1 day'", "'24 hours'"),
        ("timestamptz", "'2020-10-25 02:30+02'", "'2020-10-25 02:30+01'"),
        ("date", "'infinity'", "'-infinity'"),
        ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'"),
        ("text", "'e'||chr(769)", "chr(233)"),
        ("text", "'a'", "'a '"),
        ("text", "''", "NULL"),
        ("point", "'(1,2)'", "'(2,1)'"),
        ("int4range", "'[1,5)'", "'[1,6)'"),
    ],
    "mysql": [
        ("BIGINT UNSIGNED", "18446744073709551615", "18446744073709551614"),
        ("DECIMAL(65,30)", "0.000000000000000000000000000001", "0.000000000000000000000000000002"),
        ("DOUBLE", "0.1", "0.1 + 3e-17"),
        ("FLOAT", "0.1", "0.10000001"),
        ("VARBINARY(20)", "x'00ff'", "x'00fe'"),
        ("DATETIME(6)", "'2020-01-01 00:00:00.000001'", "'2020-01-01 00:00:00.000002'"),
        ("VARCHAR(20)", "'a'", "'A'"),
        ("VARCHAR(20)", "'a'", "'a '"),
        ("VARCHAR(20)", "''", "NULL"),
        ("VARCHAR(20)", "'\U0001f600'", "'\U0001f601'"),
        ("BIT(64)", "b'1'", "b'10'"),
        ("ENUM('a', 'b')", "'a'", "'b'"),
        ("TIME(3)", "'-12:00:00.001'", "'12:00:00.001'"),
        ("JSON", "'{\"a\": [1, 2]}'", "'{\"a\": [[1, 2]]}'"),
    ],
    "sqlite": [
        ("", "1", "'1'"),
        ("", "1", "1.0"),
        ("", "'a'", "x'61'"),
        ("", "9007199254740992", "9007199254740993"),
        ("", "0.1", "0.1 + 3e-17"),
        ("", "''", "NULL"),
        ("", "x'00'", "x'01'"),
        ("", "CAST(x'ff' AS TEXT)", "CAST(x'fe' AS TEXT)"),
    ],
}
BITING["mariadb"] = BITING["mysql"]


def test_values_that_bite(pair: Pair, engine_name: str) -> None:
    values = BITING[engine_name]
    columns = ", ".join(f"c{number} {kind}" for number, (kind, _, _) in enumerate(values))
    both(pair, f"CREATE TABLE t (id INTEGER PRIMARY KEY, {columns})")
    run(pair[0], f"INSERT INTO t VALUES (1, {', '.join(one for _, one, _ in values)})")
    run(pair[1], f"INSERT INTO t VALUES (1, {', '.join(other for _, _, other in values)})")
    found = compare_rows(*pair, "t")
    assert set(found.changed_by_column) == {f"c{number}" for number in range(len(values))}
    for row in told(found):
        assert row[3] != row[4], row
    assert compare_rows(pair[0], pair[0], "t").identical


def test_wide_rows(db: Database, make_database: MakeDatabase, engine_name: str) -> None:
    other = make_database(engine_name)
    wide = "a" * 1_500_000
    kind = "LONGTEXT" if engine_name in ("mysql", "mariadb") else "TEXT"
    for one, end in ((db, "x"), (other, "y")):
        run(one, f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {kind})")
        insert(one, "t", 2, [(1, wide + end)])
    found = compare_rows(db, other, "t")
    [row] = told(found)
    assert row[3:] == (wide + "x", wide + "y")
    assert len(str(found)) < 2_000


@pytest.mark.every_postgresql
def test_partitioned_and_inherited_tables(every_postgresql: Database) -> None:
    run(
        every_postgresql,
        "CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (10000)",
        "INSERT INTO p SELECT i, 'v' || i FROM generate_series(1, 3000) i",
        'CREATE SCHEMA "odd.one"',
        'CREATE TABLE "odd.one"."p.q" AS SELECT * FROM p',
        'UPDATE "odd.one"."p.q" SET v = \'new\' WHERE id = 2000',
    )
    assert compare_rows(every_postgresql, every_postgresql, "p").identical
    assert compare_rows(every_postgresql, every_postgresql, "odd.one.p.q").identical
