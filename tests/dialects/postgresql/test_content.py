"""Digests of PostgreSQL: exact for every type, the same on every version, blind to what is not content."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from migkit.database import Database
from migkit.dialects.base import ForeignKey, TableContent
from migkit.dialects.postgresql.content import BlockRange
from migkit.dialects.postgresql.sql import quote
from tests.dialects.postgresql.reading import Digests, changed, content_of, digests, digests_of, run

# Type, and pairs of values that PostgreSQL tells apart; many are pairs that its own hash functions do not.
TYPES: Sequence[tuple[str, Sequence[tuple[str, str]]]] = [
    ("int2", [("5", "-5"), ("0", "1")]),
    ("int4", [("5", "-5"), ("2147483647", "-2147483648")]),
    ("int8", [("1", "4294967296"), ("-1", "4294967295"), ("9007199254740993", "9007199254740992")]),
    ("int8", [("9223372036854775807", "-9223372036854775808")]),
    ("bool", [("true", "false")]),
    ("float4", [("1.1", "1.1000001"), ("0", "-0"), ("NaN", "Infinity"), ("Infinity", "-Infinity")]),
    ("float8", [("0.1", "0.10000000000000002"), ("0", "-0"), ("NaN", "0"), ("Infinity", "-Infinity")]),
    ("numeric", [("5", "-5"), ("NaN", "Infinity"), ("Infinity", "-Infinity"), ("1", "10000"), ("0", "NaN")]),
    ("numeric", [("12345678901234567890.00000000000000000001", "12345678901234567890.00000000000000000002")]),
    ("money", [("5", "-5"), ("0.01", "0.02")]),
    ("text", [("a", "A"), ("a", "a "), ("", " "), ("\u00e9", "e\u0301"), ("👩‍🚀", "👩🚀")]),
    ("varchar(40)", [("x", "y"), ("a", "a ")]),
    ("char(5)", [("ab", "ac")]),
    ("name", [("ab", "ac")]),
    ('"char"', [("a", "b")]),
    ("bytea", [(r"\x00", r"\x0000"), (r"\x", r"\x00"), (r"\xff00", r"\xff01")]),
    ("uuid", [("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002")]),
    ("date", [("2024-02-29", "2024-03-01"), ("infinity", "-infinity"), ("5874897-12-31", "5874897-12-30")]),
    ("date", [("4713-01-01 BC", "4713-01-02 BC")]),
    ("time", [("24:00", "00:00"), ("00:00:00", "01:11:34.967297")]),
    ("timetz", [("12:00+01", "11:00+00")]),
    ("timestamp", [("2024-03-31 02:30", "2024-03-31 03:30"), ("infinity", "-infinity")]),
    ("timestamp", [("2000-01-01 00:00:00", "2000-01-01 01:11:34.967297"), ("294276-12-31", "294276-12-30")]),
    ("timestamptz", [("2024-10-27 02:30+02", "2024-10-27 02:30+01"), ("2024-01-01", "2024-01-01 00:00:00.000001")]),
    ("interval", [("1 day", "24:00:00"), ("1 month", "30 days"), ("1 second", "-1 second")]),
    ("json", [('{"a": 1}', '{"a":1}')]),
    ("jsonb", [('{"a": 5}', '{"a": -5}'), ("[[1], 2]", "[[1, 2]]"), ("true", '"true"'), ("null", "[]")]),
    ("int4[]", [("{1,2,3,4}", "{{1,2},{3,4}}"), ("{1}", "[0:0]={1}"), ("{1,NULL}", "{1,0}"), ("{}", "{{1}}")]),
    ("text[]", [("{NULL}", '{"NULL"}'), ('{"a,b"}', "{a,b}")]),
    ("float8[]", [("{0}", "{-0}")]),
    ("numeric[]", [("{5}", "{-5}")]),
    ("int4range", [("[1,5)", "[1,6)"), ("empty", "(,)")]),
    ("tstzrange", [("[2024-01-01,2024-01-02)", "[2024-01-01,2024-01-02]")]),
    ("nummultirange", [("{[1,2]}", "{[1,2)}")]),
    ("bit(4)", [("0101", "0100")]),
    ("varbit", [("01", "010")]),
    ("inet", [("10.0.0.1/24", "10.0.0.1/16"), ("10.0.0.1", "10.0.0.2")]),
    ("cidr", [("10.0.0.0/8", "11.0.0.0/8")]),
    ("macaddr", [("08:00:2b:01:02:03", "08:00:2b:01:02:04")]),
    ("point", [("(0,0)", "(0,-0)"), ("(0.1,0)", "(0.10000000000000002,0)")]),
    ("polygon", [("((0,0),(1,1),(2,0))", "((0,0),(1,1),(2,1))")]),
    ("tsvector", [("a:1 b:2", "a:1 b:3")]),
    ("pg_lsn", [("0/1", "0/2")]),
    ("oid", [("1", "4294967295")]),
    ("mood", [("sad", "happy")]),
    ("pair", [("(1,a)", "(1,b)"), ("(1,)", '(1,"")')]),
    ("positive", [("1", "4294967296")]),
]

SETUP = (
    "CREATE TYPE mood AS ENUM ('sad', 'happy')",
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE DOMAIN positive AS int8 CHECK (VALUE > 0)",
)


def test_every_change_of_a_value_shows_in_its_column_and_nowhere_else(postgresql: Database) -> None:
    run(postgresql, *SETUP)
    for number, (declared, _) in enumerate(TYPES):
        run(postgresql, f"CREATE TABLE t{number} (id int8 PRIMARY KEY, other text, v {declared}, w {declared})")
    with postgresql.dialect.snapshot(postgresql.engine, 1) as (connection,):
        catalog = postgresql.dialect.read_catalog(connection, None)
    for number, (_, pairs) in enumerate(TYPES):
        content = content_of(catalog, f"t{number}", pages=None)
        for old, new in pairs:
            _check_pair(postgresql, content, old, new)


def _check_pair(db: Database, content: TableContent, old: str, new: str) -> None:
    table = content.table
    label = f"{content.columns[2][1]}: {old} → {new}"

    def read() -> Digests:
        return digests_of(db, content)[0]

    values = f"(1, 'x', '{old}', '{old}'), (2, 'x', '{new}', '{new}'), (3, 'x', NULL, NULL)"
    run(db, f"TRUNCATE {table}", f"INSERT INTO {table} VALUES {values}")
    before = read()
    run(db, f"UPDATE {table} SET v = '{new}' WHERE id = 1")
    assert changed(before, read()) == {"v"}, label
    run(db, f"UPDATE {table} SET v = '{old}' WHERE id = 2")
    assert changed(before, read()) == {"v"}, f"rows exchanged {label}"
    run(db, f"UPDATE {table} SET v = '{old}' WHERE id = 1", f"UPDATE {table} SET v = '{new}' WHERE id = 2")
    assert read() == before, label
    run(db, f"UPDATE {table} SET v = '{old}' WHERE id = 3")
    assert changed(before, read()) == {"v"}, f"a NULL became a value of {label}"


def test_digests_are_the_same_on_every_version(make_database: Callable[[str], Database]) -> None:
    readings = []
    for engine in ("postgresql", "postgresql16", "postgresql15"):
        db = make_database(engine)
        columns = ", ".join(f"c{i} {declared}" for i, (declared, _) in enumerate(TYPES))
        run(db, *SETUP, f"CREATE TABLE t (id int8 PRIMARY KEY, {columns})", "CREATE TABLE k (d date, b bytea)")
        run(db, "ALTER TABLE k ADD PRIMARY KEY (d, b)", "INSERT INTO k VALUES ('2024-01-01', '\\x00')")
        for which in (0, 1):
            values = ", ".join(f"'{pairs[0][which]}'" for _, pairs in TYPES)
            run(db, f"INSERT INTO t VALUES ({which}, {values})")
        readings.append((digests(db, "t"), digests(db, "k"), digests(db, "t", key=())))
    assert readings[0] == readings[1] == readings[2]


def test_integers_of_equal_value_hash_alike_whatever_their_width(postgresql: Database) -> None:
    run(
        postgresql,
        "CREATE TABLE t (id int4 PRIMARY KEY, n int2, s varchar(9), f float4, m numeric(9,2))",
        "INSERT INTO t VALUES (1, -7, 'é', 1.5, 2.50), (-2, 32767, '', -0.0, -3)",
    )
    before, _ = digests(postgresql, "t")
    run(
        postgresql,
        "ALTER TABLE t ALTER id TYPE int8, ALTER n TYPE int8, ALTER s TYPE text, ALTER f TYPE float8,"
        " ALTER m TYPE numeric(20,6)",
    )
    assert digests(postgresql, "t")[0] == before


@pytest.mark.parametrize(
    "key",
    ["a text PRIMARY KEY, b int", "a int, b int, PRIMARY KEY (b, a)", "a uuid PRIMARY KEY, b int", "a int, b int"],
)
def test_exchanging_values_between_rows_shows_with_any_key_and_without(postgresql: Database, key: str) -> None:
    first, second = (f"'{'0' * 8}-0000-0000-0000-{number:012}'" for number in (1, 2))
    if "uuid" not in key:
        first, second = "'1'", "'2'"
    run(
        postgresql,
        f"CREATE TABLE t ({key}, v text, n numeric)",
        f"INSERT INTO t VALUES ({first}, 7, 'x', 1), ({second}, 8, 'y', 2)",
    )
    before, rows_before = digests(postgresql, "t")
    run(postgresql, "UPDATE t SET v = CASE v WHEN 'x' THEN 'y' ELSE 'x' END")
    after, rows_after = digests(postgresql, "t")
    if "KEY" in key:
        assert changed(before, after) == {"v"}
    else:
        assert changed(before, after) == set()
        assert rows_before != rows_after


def test_a_scaled_column_does_not_cancel_out(postgresql: Database) -> None:
    """The exponent of a numeric is only XORed into PostgreSQL's hash: sums of pairs would agree half of the time."""
    run(postgresql, "CREATE TABLE t (id int PRIMARY KEY, v numeric)")
    content = TableContent("public", "t", (("id", "int4"), ("v", "numeric")), ("id",))
    for start in range(20):
        run(postgresql, "TRUNCATE t", f"INSERT INTO t SELECT {start} * 2 + g, g FROM generate_series(1, 2) g")
        before, _ = digests_of(postgresql, content)
        run(postgresql, "UPDATE t SET v = v * 10000")
        assert changed(before, digests_of(postgresql, content)[0]) == {"v"}


def test_duplicates_and_nulls_show_without_a_key(postgresql: Database) -> None:
    run(postgresql, "CREATE TABLE t (a int, b int)", "INSERT INTO t VALUES (1, NULL), (NULL, 1), (2, 2), (2, 2)")
    before, rows_before = digests(postgresql, "t")
    run(postgresql, "DELETE FROM t", "INSERT INTO t VALUES (1, 1), (NULL, NULL), (2, 2), (2, 2)")
    after, rows_after = digests(postgresql, "t")
    assert before == after
    assert rows_before != rows_after


HARMLESS = [
    "VACUUM FULL t",
    "CLUSTER t USING by_v",
    "UPDATE t SET v = v",
    "ALTER TABLE t ALTER v SET STORAGE EXTERNAL",
    "REINDEX TABLE t",
    "ALTER DATABASE {db} SET TimeZone = 'Asia/Kolkata'",
    "ALTER DATABASE {db} SET DateStyle = 'German'",
    "ALTER DATABASE {db} SET IntervalStyle = 'iso_8601'",
    "ALTER DATABASE {db} SET extra_float_digits = -15",
    "ALTER DATABASE {db} SET bytea_output = 'escape'",
    "ALTER DATABASE {db} SET search_path = 'nowhere'",
    "ALTER DATABASE {db} SET client_encoding = 'LATIN1'",
    "ALTER DATABASE {db} SET default_transaction_isolation = 'serializable'",
    "ALTER DATABASE {db} SET standard_conforming_strings = off",
    "ALTER DATABASE {db} SET xmlbinary = 'hex'",
    "ALTER DATABASE {db} SET work_mem = '64kB'",
]


@pytest.mark.parametrize("harmless", HARMLESS)
def test_what_is_not_content_does_not_show(postgresql: Database, harmless: str) -> None:
    run(
        postgresql,
        "CREATE TABLE t (id int PRIMARY KEY, v text, i interval, z timestamptz, d daterange, f float8[], b bytea[])",
        "INSERT INTO t SELECT g, 'é' || g, g * interval '1 hour 1 day', '2024-03-31'::timestamptz + g * interval '1 h',"
        " daterange('2024-01-01', '2024-01-02'::date + g), ARRAY[g / 3.0], ARRAY['\\x00ff'::bytea]"
        " FROM generate_series(1, 500) g",
        "CREATE INDEX by_v ON t (v)",
    )
    before = digests(postgresql, "t")
    run(postgresql, harmless.format(db=quote(str(postgresql.engine.url.database))))
    postgresql.engine.dispose()
    assert digests(postgresql, "t") == before


def test_tasks_cover_each_row_once_and_add_up(postgresql: Database) -> None:
    run(
        postgresql,
        "CREATE TABLE t (id int8 PRIMARY KEY, v text)",
        "INSERT INTO t SELECT g, repeat('x', 1900) FROM generate_series(-3000, 20000) g",
        "DELETE FROM t WHERE id % 7 = 0",
    )
    with postgresql.dialect.snapshot(postgresql.engine, 2) as connections:
        content = content_of(postgresql.dialect.read_catalog(connections[0], None), "t", shift=10, beyond=15000)
        tasks = postgresql.dialect.content_tasks(content)
        assert len(tasks) > 1
        found = [one for task in tasks for one in postgresql.dialect.read_content(connections[-1], content, task)]
        whole = list(postgresql.dialect.read_content(connections[0], content, BlockRange()))
        assert postgresql.dialect.integer_key_range(connections[0], content) == (-3000, 20000)
    assert sum(one.rows for one in found) == sum(one.rows for one in whole) == 23001 - 3286
    for one in whole:
        parts = [part for part in found if (part.segment, part.appended) == (one.segment, one.appended)]
        assert sum(part.sums["v"][1] for part in parts) % 2**64 == one.sums["v"][1]
    assert {one.segment for one in whole} == set(range(-3, 20))
    assert sum(one.rows for one in whole if one.appended) == sum(1 for g in range(15001, 20001) if g % 7)


def test_partitions_are_counted_one_by_one(postgresql: Database) -> None:
    run(
        postgresql,
        "CREATE TABLE t (id int8, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
        "CREATE TABLE \"p%1\" PARTITION OF t FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
        "CREATE TABLE p2 PARTITION OF t DEFAULT",
        "INSERT INTO t SELECT g, '2024-01-20'::date + g FROM generate_series(1, 100) g",
    )
    with postgresql.dialect.snapshot(postgresql.engine, 1) as (connection,):
        content = content_of(postgresql.dialect.read_catalog(connection, None), "t", shift=4)
        (task,) = postgresql.dialect.content_tasks(content)
        found = list(postgresql.dialect.read_content(connection, content, task))
    rows: dict[tuple[str, str], int] = {}
    for one in found:
        for name, count in one.partitions.items():
            rows[name] = rows.get(name, 0) + count
    assert rows == {("public", "p%1"): 11, ("public", "p2"): 89}


def test_a_parent_is_read_without_its_children(postgresql: Database) -> None:
    run(
        postgresql,
        "CREATE TABLE t (id int8 PRIMARY KEY)",
        "CREATE TABLE child () INHERITS (t)",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO child VALUES (1), (2)",
    )
    assert digests(postgresql, "t")[0]["id"][0] == 1
    assert digests(postgresql, "child")[0]["id"][0] == 2


def test_sixteen_hundred_columns(postgresql: Database) -> None:
    columns = ", ".join(f"c{number} bool" for number in range(1599))
    run(postgresql, f"CREATE TABLE t (id int PRIMARY KEY, {columns})", "INSERT INTO t (id, c7) VALUES (1, true)")
    for key in (("id",), ("c7", "id"), ()):
        before, row_before = digests(postgresql, "t", key=key)
        assert len(before) == 1600
        run(postgresql, "UPDATE t SET c1598 = true")
        after, row_after = digests(postgresql, "t", key=key)
        assert changed(before, after) == {"c1598"}
        assert (row_before != row_after) == (key == ())
        run(postgresql, "UPDATE t SET c1598 = NULL")


@pytest.mark.parametrize(
    "name", ['order"; drop table x;--', "<script>", "Mixed.Case", "ünï", "50%s :x %(y)s", "back\\slash'"]
)
def test_hostile_names(postgresql: Database, name: str) -> None:
    quoted = quote(name)
    run(
        postgresql,
        f"CREATE SCHEMA {quoted}",
        f"CREATE TABLE {quoted}.{quoted} ({quoted} text PRIMARY KEY, v int)",
        f"CREATE TABLE {quoted}.child (parent text CONSTRAINT {quoted} REFERENCES {quoted}.{quoted})",
        f"INSERT INTO {quoted}.{quoted} VALUES ('a', 1)",
        f"INSERT INTO {quoted}.child VALUES ('a'), (NULL)",
    )
    before, _ = digests(postgresql, name)
    run(postgresql, f"UPDATE {quoted}.{quoted} SET v = 2")
    assert changed(before, digests(postgresql, name)[0]) == {"v"}
    key = ForeignKey(name, "child", name, ("parent",), name, name, (name,))
    with postgresql.dialect.snapshot(postgresql.engine, 1) as (connection,):
        assert postgresql.dialect.count_orphans(connection, key) == 0


def test_rows_wider_than_a_megabyte_and_empty_tables(postgresql: Database) -> None:
    run(
        postgresql,
        "CREATE TABLE t (id int PRIMARY KEY, v text, j jsonb)",
        "CREATE TABLE empty (id int PRIMARY KEY)",
        "CREATE TABLE bare ()",
        "INSERT INTO bare DEFAULT VALUES",
        "INSERT INTO t SELECT 1, string_agg(md5(g::text), ''), jsonb_agg(g) FROM generate_series(1, 100000) g",
    )
    before, _ = digests(postgresql, "t")
    run(postgresql, "UPDATE t SET v = overlay(v placing '!' from 3000000)")
    assert changed(before, digests(postgresql, "t")[0]) == {"v"}
    assert digests(postgresql, "empty")[0] == {}
    assert digests(postgresql, "bare") != ({}, 0)


# --- rows one by one ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [("id",), ("a",), ("a", "id"), ()])
@pytest.mark.parametrize("shift", [None, 3])
def test_rows_one_by_one_add_up_to_the_segments(postgresql: Database, key: tuple[str, ...], shift: int | None) -> None:
    run(
        postgresql,
        "CREATE TABLE t (id int4 PRIMARY KEY, a text, v numeric)",
        "INSERT INTO t SELECT g, 'a' || g, nullif(g % 5, 0) FROM generate_series(-20, 60) g",
    )
    if shift is not None and key != ("id",):
        shift = None
    with postgresql.dialect.snapshot(postgresql.engine, 1) as (connection,):
        content = content_of(postgresql.dialect.read_catalog(connection, None), "t", key=key, shift=shift)
        (task,) = postgresql.dialect.content_tasks(content)
        segments = {one.segment: one for one in postgresql.dialect.read_content(connection, content, task)}
        for number, one in segments.items():
            rows = list(postgresql.dialect.read_rows(connection, content, [number]))
            assert len(rows) == one.rows
            for index, (name, _) in enumerate(content.columns):
                values = [row.digests[index] for row in rows if row.digests[index] is not None]
                assert (len(values), sum(filter(None, values)) % 2**64) == one.sums[name]
        everything = list(postgresql.dialect.read_rows(connection, content, None))
        assert [row.seed for row in everything] == sorted(row.seed for row in everything)
        assert len(everything) == 81
        only_v = content_of(
            postgresql.dialect.read_catalog(connection, None), "t", key=key, shift=shift, columns=(("v", "numeric"),)
        )
        assert len(list(postgresql.dialect.read_rows(connection, only_v, None))) == 81
        assert list(postgresql.dialect.read_rows(connection, content, [])) == []
