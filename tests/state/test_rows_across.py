"""Rows of one table in two engines: values that mean the same read the same, all others are found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from migkit.database import Database
from migkit.dialects.base import ValueFamily
from migkit.errors import NotComparable
from migkit.state.row_canon import canonical, common_family
from migkit.state.row_comparison import compare_rows
from tests.conftest import MakeDatabase

PAIRS = [("postgresql", "mysql"), ("postgresql", "sqlite"), ("mariadb", "sqlite"), ("mysql", "mariadb")]
COLUMNS = {
    "postgresql": "id bigint PRIMARY KEY, name text, price numeric(12, 4), ok boolean, at timestamptz, day date,"
    " raw bytea, doc jsonb, real4 float4, real8 float8, tag uuid",
    "mysql": "id BIGINT PRIMARY KEY, name TEXT, price DECIMAL(14, 5), ok TINYINT(1), at DATETIME(6), day DATE,"
    " raw BLOB, doc JSON, real4 FLOAT, real8 DOUBLE, tag CHAR(36)",
    "sqlite": "id INTEGER PRIMARY KEY, name TEXT, price NUMERIC, ok BOOLEAN, at TEXT, day TEXT,"
    " raw BLOB, doc JSON, real4 REAL, real8 REAL, tag TEXT",
}
COLUMNS["mariadb"] = COLUMNS["mysql"]
TAG = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
DOC = {"postgresql": '\'{"b": 1, "a": [1.0, null]}\'', "sqlite": '\'{"a":[1,null],"b":1}\''}


def run(db: Database, *statements: str) -> None:
    with db.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def fill(db: Database, engine: str) -> None:
    ok = "true" if engine == "postgresql" else "1"
    raw = r"'\x00ff61'" if engine == "postgresql" else "x'00ff61'"
    doc = DOC.get(engine, '\'{"a": [1, null], "b": 1}\'')
    run(
        db,
        f"CREATE TABLE t ({COLUMNS[engine]})",
        f"INSERT INTO t VALUES (1, 'Ünï\U0001f600', 1.50, {ok}, '2020-01-02 03:04:05.5', '2020-01-02', {raw}, {doc},"
        f" 0.1, 0.1, '{TAG}')",
        "INSERT INTO t VALUES (9007199254740993, '', -0.0001, NULL, NULL, NULL, NULL, NULL, NULL, 1e100, NULL)",
        "INSERT INTO t VALUES (-5, NULL, 99999999.9999, NULL, NULL, NULL, NULL, NULL, -2.5, -0.5, NULL)",
    )


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_values_read_the_same_whichever_engine_holds_them(one: str, other: str, make_database: MakeDatabase) -> None:
    a, b = make_database(one), make_database(other)
    fill(a, one)
    fill(b, other)
    with pytest.raises(NotComparable, match="across=True"):
        compare_rows(a, b, "t")
    found = compare_rows(a, b, "t", across=True)
    assert found.identical, found
    run(
        b,
        "UPDATE t SET price = 1.51, name = NULL WHERE id = 1",
        "DELETE FROM t WHERE id = -5",
        "INSERT INTO t (id, name) VALUES (9007199254740992, 'new')",
    )
    found = compare_rows(a, b, "t", across=True)
    assert (found.added, found.removed, found.changed) == (1, 1, 1)
    rows = {tuple(None if cell != cell else cell for cell in row) for row in found.rows.itertuples(index=False)}
    assert ("changed", "1", "price", "1.5", "1.51") in rows
    assert ("changed", "1", "name", "Ünï\U0001f600", None) in rows
    [added] = [row for row in rows if row[0] == "added"]
    assert added[1] == "9007199254740992"
    assert json.loads(added[4])["name"] == "new"


def test_a_multiset_across_engines(make_database: MakeDatabase) -> None:
    a, b = make_database("postgresql"), make_database("sqlite")
    for db in (a, b):
        run(db, "CREATE TABLE log (a INTEGER, b VARCHAR(10))", "INSERT INTO log VALUES (1, 'x'), (1, 'x'), (2, NULL)")
    assert compare_rows(a, b, "log", across=True).identical
    run(b, "INSERT INTO log VALUES (1, 'x')", "DELETE FROM log WHERE a = 2")
    found = compare_rows(a, b, "log", across=True)
    assert (found.added, found.removed, found.changed) == (1, 1, 0)


CASES: list[tuple[ValueFamily, ValueFamily, str, str]] = [
    ("boolean", "integer", "true", "1"),
    ("decimal", "decimal", "1.50", "1.5"),
    ("decimal", "integer", "100", "1E+2"),
    ("decimal", "decimal", "-0.00", "0"),
    ("float", "decimal", "0.5", "0.50"),
    ("float4", "float", "0.1", "0.10000000149011612"),
    ("timestamp", "text", "2020-01-01 00:00:00", "2020-01-01T00:00:00"),
    ("instant", "timestamp", "2020-01-01 00:00:00.5+00", "2020-01-01 00:00:00.500000"),
    ("uuid", "bytes", TAG, "0x" + TAG.replace("-", "").upper()),
    ("bytes", "bytes", r"\x00ff", "x'00ff'"),
    ("json", "text", '{"a": 1.0}', '{"a":1}'),
    ("json", "json", '{"b": [1e2, -0.0], "a": 0.10}', '{"a":1E-1,"b":[100,0]}'),
    ("json", "json", '{"a": 1e100}', '{"a":1' + "0" * 100 + "}"),
    ("json", "json", '["é", true, null]', '["\\u00e9",true,null]'),
    ("float", "decimal", "100", "100.00"),
    ("float", "decimal", "1e+100", "1" + "0" * 100),
    ("float", "boolean", "1", "true"),
    ("float", "decimal", "NaN", "NaN"),
    ("float", "decimal", "-Infinity", "-Infinity"),
    ("float4", "decimal", "0.1", "0.10"),
    ("float4", "decimal", "0.10000000149011612", "0.1"),
    ("float4", "float", "0.1", "0.1"),
    ("float4", "integer", "16777216", "16777216"),
    ("float4", "float", "3.4028235e+38", "3.4028234663852886e+38"),
    ("decimal", "decimal", "1e500", "1" + "0" * 500),
    ("time", "time", "12:00:00.500", "12:00:00.5"),
]


@pytest.mark.parametrize(("one", "other", "left", "right"), CASES)
def test_one_form_for_all(one: ValueFamily, other: ValueFamily, left: str, right: str) -> None:
    shared = common_family(one, other)
    assert canonical(one, shared)(left) == canonical(other, shared)(right)


UNEQUAL: list[tuple[ValueFamily, ValueFamily, str, str]] = [
    ("json", "json", '{"a": 12345678901234567.25}', '{"a": 12345678901234567.75}'),
    ("json", "json", '{"a": 12345678901234567.25}', '{"a": 1.2345678901234568e16}'),
    ("json", "json", "[1e400]", "[1e401]"),
    ("json", "json", "[1e999999999]", "[2e999999999]"),
    ("json", "json", "[1]", "[true]"),
    ("json", "json", "[0.5]", '["0.5"]'),
    ("float4", "decimal", "1", "1.00000001"),
    ("float4", "float", "1", "1.00000001"),
    ("float4", "float", "0.1", "0.1000000001"),
    ("float4", "integer", "16777216", "16777217"),
    ("float4", "float", "Infinity", "1e+300"),
    ("float", "decimal", "0.1", "0.1000000000000000055511151231257827"),
    ("float", "integer", "9007199254740992", "9007199254740993"),
    ("float", "decimal", "Infinity", "1e400"),
    ("decimal", "decimal", "1e999999999", "1e999999998"),
]


@pytest.mark.parametrize(("one", "other", "left", "right"), UNEQUAL)
def test_what_is_not_shown_to_be_equal_reads_different(
    one: ValueFamily, other: ValueFamily, left: str, right: str
) -> None:
    shared = common_family(one, other)
    assert canonical(one, shared)(left) != canonical(other, shared)(right)


NUMBERS = [
    # The declared type on either side, with a value that only the first can hold.
    ("postgresql", "jsonb", "mysql", "JSON", """'{"a": 12345678901234567.25}'""", """'{"a": 12345678901234567.75}'"""),
    ("postgresql", "jsonb", "sqlite", "JSON", """'{"a": 12345678901234567.25}'""", """'{"a": 12345678901234567.75}'"""),
    ("postgresql", "numeric", "sqlite", "REAL", "9007199254740993", "9007199254740992"),
    ("postgresql", "numeric", "mysql", "FLOAT", "1.00000001", "1"),
    ("mariadb", "DECIMAL(20,9)", "postgresql", "real", "1.00000001", "1"),
    ("mysql", "BIGINT", "postgresql", "float8", "9007199254740993", "9007199254740992"),
]


@pytest.mark.parametrize(("engine", "kind", "target", "lesser", "exact", "cut"), NUMBERS)
def test_numbers_that_another_engine_cut(
    engine: str, kind: str, target: str, lesser: str, exact: str, cut: str, make_database: MakeDatabase
) -> None:
    a, b = make_database(engine), make_database(target)
    run(a, f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {kind})", f"INSERT INTO t VALUES (1, {exact}), (2, {exact})")
    run(b, f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {lesser})", f"INSERT INTO t VALUES (1, {exact}), (2, {cut})")
    found = compare_rows(a, b, "t", across=True)
    # SQLite keeps JSON as text, and so every digit.
    assert found.changed == (1 if (target, lesser) == ("sqlite", "JSON") else 2)
    assert not found.identical


@pytest.mark.parametrize("value", [str(2**200), "0." + "0" * 60 + "1", "123456789012345678901234567890.5"])
def test_long_decimals_keep_every_digit(value: str) -> None:
    assert canonical("decimal", "decimal")(value) == value


def test_what_cannot_be_read_stays_as_it_is() -> None:
    shown: dict[ValueFamily, Any] = {"decimal": "abc", "timestamp": "0000-00-00 00:00:00", "json": "{", "float": "x"}
    for family, value in shown.items():
        assert canonical(family, family)(value) == value
