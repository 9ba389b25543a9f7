from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest

from migkit.database import Database
from migkit.dialects.mysql import content, hashing
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.state.row_comparison import compare_rows
from migkit.state.snapshot import State
from tests.dialects.mysql.conftest import HOSTILE

Run = Callable[..., None]

TYPES = {
    "big": "BIGINT",
    "ubig": "BIGINT UNSIGNED",
    "tiny": "TINYINT(1)",
    "filled": "INT ZEROFILL",
    "num": "DECIMAL(65,30)",
    "dbl": "DOUBLE",
    "flt": "FLOAT",
    "bits": "BIT(64)",
    "txt": "VARCHAR(50)",
    "lat": "VARCHAR(50) CHARACTER SET latin1",
    "ucs": "VARCHAR(50) CHARACTER SET utf16",
    "gbk": "VARCHAR(50) CHARACTER SET gbk",
    "bin": "VARBINARY(50)",
    "fixed": "BINARY(4)",
    "chr": "CHAR(10)",
    "big_text": "LONGTEXT",
    "big_blob": "LONGBLOB",
    "js": "JSON",
    "en": "ENUM('a','b')",
    "st": "SET('p','q','r')",
    "dt": "DATETIME",
    "dt6": "DATETIME(6)",
    "ts": "TIMESTAMP NULL",
    "ts6": "TIMESTAMP(6) NULL",
    "d": "DATE",
    "t": "TIME",
    "t6": "TIME(6)",
    "y": "YEAR",
    "geo": "GEOMETRY",
}
# Column, two values that a careless reading takes for one.
PAIRS = [
    ("big", "9007199254740992", "9007199254740993"),
    ("big", "-1", "4294967295"),
    ("big", "-5", "5"),
    ("ubig", "18446744073709551615", "18446744073709551614"),
    ("tiny", "0", "1"),
    ("filled", "42", "43"),
    ("num", "0.000000000000000000000000000001", "0.000000000000000000000000000002"),
    ("num", "99999999999999999999999999999999999", "99999999999999999999999999999999998"),
    ("dbl", "0.1e0", "0.1e0 + 0.00000000000000002e0"),
    ("dbl", "1.7976931348623157e308", "1.7976931348623155e308"),
    ("flt", "16777216", "16777215"),
    ("flt", "0.1", "0.10000001"),
    ("bits", "b'0'", "b'1000000000000000000000000000000000000000000000000000000000000000'"),
    ("txt", "'a'", "'A'"),
    ("txt", "'a'", "'a '"),
    ("txt", "''", "NULL"),
    ("txt", "'é'", "'e\u0301'"),
    ("txt", "'😀'", "'😁'"),
    ("txt", "'ab'", "'ba'"),
    ("lat", "'é'", "'è'"),
    ("ucs", "'😀'", "'😁'"),
    ("gbk", "'中'", "'国'"),
    ("bin", "x'00'", "x'0000'"),
    ("bin", "x'ff00fe'", "x'ff00ff'"),
    ("bin", "x''", "NULL"),
    ("fixed", "x'01'", "x'02'"),
    ("chr", "'x'", "'X'"),
    ("big_text", "repeat('x', 1100000)", "concat(repeat('x', 1099999), 'y')"),
    ("big_blob", "repeat(x'00', 1100000)", "concat(x'01', repeat(x'00', 1099999))"),
    ("js", """'{"a": 1}'""", """'{"a": 1.0}'"""),
    ("js", """'null'""", "NULL"),
    ("en", "'a'", "'b'"),
    ("st", "'p'", "'p,r'"),
    ("dt", "'0000-00-00 00:00:00'", "NULL"),
    ("dt", "'2020-00-00 00:00:00'", "'2020-01-00 00:00:00'"),
    ("dt6", "'2020-01-01 00:00:00.000001'", "'2020-01-01 00:00:00.000002'"),
    ("ts", "'2020-10-25 01:00:00'", "'2020-10-25 02:00:00'"),
    ("ts6", "'2020-10-25 01:00:00.5'", "'2020-10-25 01:00:00.25'"),
    ("d", "'0000-00-00'", "'0001-01-01'"),
    ("t", "'-12:00:00'", "'12:00:00'"),
    ("t6", "'-00:00:00.5'", "'00:00:00.5'"),
    ("y", "'1901'", "'2155'"),
    ("geo", "POINT(1, 2)", "POINT(2, 1)"),
]


def fingerprints(db: Database, table: str = "v") -> dict[str, str]:
    columns = capture(db).columns
    own = columns[columns["table"] == table]
    return dict(zip(own["column"], own["fingerprint"], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("key", ["PRIMARY KEY", ""], ids=["with a key", "without a key"])
def test_values_that_bite_are_told_apart_and_nothing_else_changes(db: Database, run: Run, key: str) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    run(f"CREATE TABLE v (id INT {key}, {columns}) CHARACTER SET utf8mb4", "INSERT INTO v (id) VALUES (1), (2)")
    for column, one, other in PAIRS:
        run(f"UPDATE v SET {column} = {one} WHERE id = 1", mode="")
        before = fingerprints(db)
        # MySQL takes 1 and 1.0 in a JSON value for equal, and writes nothing for an update from the one to the other.
        run(f"UPDATE v SET {column} = NULL WHERE id = 1", mode="")
        run(f"UPDATE v SET {column} = {other} WHERE id = 1", mode="")
        after = fingerprints(db)
        changed = {name for name, digest in after.items() if before[name] != digest}
        assert changed == {column}, f"{column}: {one} → {other}"


def test_negative_zero_is_not_zero_where_the_server_can_hold_it(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY, x DOUBLE)", "INSERT INTO v VALUES (1, 0)")
    before = fingerprints(db)
    run("UPDATE v SET x = '-0'")
    with db.engine.connect() as connection:
        held = connection.exec_driver_sql("SELECT CAST(x AS CHAR) FROM v").scalar_one()
    assert (fingerprints(db)["x"] != before["x"]) == (held == "-0")


KEYS = ["id INT PRIMARY KEY", "id VARCHAR(20) PRIMARY KEY", "id INT, k INT, PRIMARY KEY (id, k)"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("kind", ["INT", "VARCHAR(20)", "DECIMAL(10,2)", "DATETIME", "DOUBLE"])
def test_two_rows_that_exchange_values_are_found(db: Database, run: Run, key: str, kind: str) -> None:
    columns = "id, k, a, b" if " k " in key else "id, a, b"
    row = "({0}, 7, {1}, {1})" if " k " in key else "({0}, {1}, {1})"
    run(f"CREATE TABLE v ({key}, a {kind}, b {kind})")
    values = {number: f"'2020010{number}'" for number in range(1, 7)}
    run(f"INSERT INTO v ({columns}) VALUES " + ", ".join(row.format(number, value) for number, value in values.items()))
    before = fingerprints(db)
    run(f"UPDATE v SET a = CASE id WHEN 2 THEN {values[5]} WHEN 5 THEN {values[2]} ELSE a END")
    after = fingerprints(db)
    assert {name for name in after if after[name] != before[name]} == {"a"}


def test_a_column_equal_to_its_key_still_notices_changes(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id VARCHAR(20) PRIMARY KEY, copy VARCHAR(20))", "INSERT INTO v VALUES ('x', 'x'), ('y', 'y')")
    before = fingerprints(db)
    run("UPDATE v SET copy = IF(id = 'x', 'y', 'x')")
    assert fingerprints(db)["copy"] != before["copy"]


def test_keys_that_are_regrouped_are_found(db: Database, run: Run) -> None:
    """{1, 2} and {0, 3} have the same sum and the same bits."""
    run("CREATE TABLE v (id INT PRIMARY KEY)", "INSERT INTO v VALUES (1), (2)")
    before = fingerprints(db)
    run("DELETE FROM v", "INSERT INTO v VALUES (0), (3)", mode="NO_AUTO_VALUE_ON_ZERO")
    assert fingerprints(db)["id"] != before["id"]


def test_a_table_without_a_key_is_compared_by_whole_rows(db: Database, run: Run) -> None:
    run("CREATE TABLE v (a INT, b VARCHAR(5))", "INSERT INTO v VALUES (1, 'x'), (2, 'y'), (2, 'y'), (NULL, NULL)")
    before = capture(db)
    run("DELETE FROM v", "INSERT INTO v VALUES (2, 'y'), (NULL, NULL), (1, 'x'), (2, 'y')")
    assert compare(before, capture(db)).identical
    run("DELETE FROM v", "INSERT INTO v VALUES (2, 'x'), (NULL, NULL), (1, 'y'), (2, 'y')")
    exchanged = capture(db)
    assert not compare(before, exchanged).identical
    run("DELETE FROM v WHERE a = 2 AND b = 'y' LIMIT 1", "INSERT INTO v VALUES (1, 'y')")
    assert not compare(exchanged, capture(db)).identical


RETYPED = [
    ("INT", "BIGINT", "(-5), (7), (2147483647)"),
    ("TINYINT(1)", "INT UNSIGNED", "(0), (1)"),
    ("VARCHAR(20)", "LONGTEXT", "('a'), (''), ('ü😀')"),
    ("VARCHAR(20) CHARACTER SET latin1", "VARCHAR(20) CHARACTER SET utf8mb4", "('é'), ('a')"),
    ("DECIMAL(10,2)", "DECIMAL(30,10)", "(1.50), (-0.01), (100), (0)"),
    ("DECIMAL(10,0)", "DECIMAL(12,4)", "(150), (-1), (0)"),
    ("DATETIME", "DATETIME(6)", "('2020-01-02 03:04:05'), ('1999-12-31 23:59:59')"),
    ("DATETIME", "TIMESTAMP NULL", "('2020-01-02 03:04:05'), ('1999-12-31 23:59:59')"),
    ("DATE", "DATETIME", "('2020-01-02'), ('1999-12-31')"),
    ("TIME", "TIME(3)", "('10:00:00'), ('-01:02:03')"),
    ("FLOAT", "DOUBLE", "(1.5), (-0.25), (16777216)"),
    ("ENUM('b','a')", "VARCHAR(5)", "('a'), ('b')"),
    ("BIT(8)", "BIT(16)", "(b'101'), (b'0')"),
    ("CHAR(10)", "VARCHAR(10)", "('x'), ('')"),
]


@pytest.mark.parametrize(("before", "after", "values"), RETYPED, ids=[f"{one[0]}-{one[1]}" for one in RETYPED])
def test_a_type_that_keeps_every_value_reads_alike(
    db: Database, run: Run, before: str, after: str, values: str
) -> None:
    run(f"CREATE TABLE v (id INT PRIMARY KEY AUTO_INCREMENT, x {before})", f"INSERT INTO v (x) VALUES {values}")
    digest = fingerprints(db)["x"]
    run("SET time_zone = '+00:00'", f"ALTER TABLE v MODIFY x {after}")
    assert fingerprints(db)["x"] == digest


def fill(run: Run, rows: int, key: str = "INT") -> None:
    run(
        f"CREATE TABLE v (id {key} PRIMARY KEY, a VARCHAR(30) NOT NULL)",
        "INSERT INTO v WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
        f"SELECT a.i + (b.i - 1) * 1000, CONCAT('row ', a.i, b.i) FROM n AS a, n AS b WHERE b.i <= {rows // 1000}",
        "ANALYZE TABLE v",
    )


def segments(state: State) -> dict[tuple[int, bool, str], tuple[int, str]]:
    frame = state.segments
    names = ("segment", "appended", "column", "rows", "fingerprint")
    return {tuple(cells[:3]): tuple(cells[3:]) for cells in zip(*(frame[name] for name in names), strict=True)}


def test_ranges_and_one_grouped_query_give_the_same_digests(
    db: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(run, 30_000)
    run("UPDATE v SET id = -id WHERE id > 20000")
    early = capture(db)
    run("INSERT INTO v VALUES (20001, 'appended'), (31000, 'appended'), (-70000, 'not appended')")
    monkeypatch.setattr(content, "SMALL_PAGES", 10**9)
    grouped = segments(capture(db, like=early))
    monkeypatch.setattr(content, "SMALL_PAGES", 0)
    ranges = segments(capture(db, like=early))
    assert grouped == ranges
    assert sum(rows for (_, appended, column), (rows, _) in ranges.items() if appended and column == "a") == 2


def test_a_change_is_narrowed_to_its_key_range(db: Database, run: Run) -> None:
    fill(run, 10_000)
    before = segments(capture(db))
    run("UPDATE v SET a = 'changed' WHERE id = 7000")
    after = segments(capture(db))
    changed = {key for key in after if after[key] != before[key]}
    assert {column for _, _, column in changed} == {"a"}
    assert len(changed) == 1


def test_slices_of_a_text_key_keep_a_change_in_place(db: Database, run: Run) -> None:
    fill(run, 2_000, key="VARCHAR(20)")
    before = segments(capture(db))
    assert len({segment for segment, _, _ in before}) == 2**hashing.SLICE_BITS
    run("UPDATE v SET a = 'changed' WHERE id = '700'")
    after = segments(capture(db))
    assert len([key for key in after if after[key] != before[key]]) == 1


def test_unsigned_keys_beyond_63_bits(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id BIGINT UNSIGNED PRIMARY KEY, a INT)")
    run("INSERT INTO v VALUES (18446744073709551615, 1), (18446744073709551614, 2)")
    before = fingerprints(db)
    run("UPDATE v SET a = 3 - a")
    assert fingerprints(db)["a"] != before["a"]


@pytest.mark.parametrize("key", ["b", "b, x", "x, b"])
def test_keys_that_are_bits(db: Database, run: Run, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run(f"CREATE TABLE v (b BIT(20) NOT NULL, x INT NOT NULL, a INT, PRIMARY KEY ({key}))")
    run("INSERT INTO v VALUES (0, 1, 1), (1, 1, 2), (10, 1, 3), (255, 1, 4), (1048575, 1, 5)")
    before = capture(db)
    monkeypatch.setattr(content, "SMALL_PAGES", 0)
    assert compare(before, capture(db, like=before)).identical
    run("INSERT INTO v VALUES (1000, 1, 6)")
    assert capture(db, like=before).total_rows == 6
    run("DELETE FROM v WHERE b = 1000", "UPDATE v SET a = 5 - a WHERE b IN (1, 10)")
    for pages in (0, 10**9):
        monkeypatch.setattr(content, "SMALL_PAGES", pages)
        columns = compare(before, capture(db, like=before)).columns
        assert list(columns[columns["content"] == "changed"]["column"]) == ["a"]
    assert compare_rows(db, db, "v").identical


def test_a_key_of_64_bits(db: Database, run: Run) -> None:
    run("CREATE TABLE v (b BIT(64) PRIMARY KEY, a INT)")
    run("INSERT INTO v VALUES (18446744073709551615, 1), (18446744073709551614, 2)")
    before = fingerprints(db)
    run("UPDATE v SET a = 3 - a")
    assert fingerprints(db)["a"] != before["a"]


def test_a_key_that_became_nullable_loses_no_rows(db: Database, run: Run) -> None:
    run("CREATE TABLE v (id INT PRIMARY KEY, a INT)", "INSERT INTO v VALUES (1, 1), (2, 2)")
    before = capture(db)
    run("ALTER TABLE v DROP PRIMARY KEY, MODIFY id INT NULL", "INSERT INTO v VALUES (NULL, 3)")
    assert capture(db, like=before).total_rows == 3


def test_the_servers_digest_is_the_documented_arithmetic(db: Database, run: Run) -> None:
    """Recomputed here: variables are assigned before anything is summed up, whatever the server's version."""
    run("CREATE TABLE v (id INT PRIMARY KEY, n INT)", "INSERT INTO v VALUES (1, 10), (2, -20), (30, 5)")
    if db.dialect.fingerprint_method.endswith("crc32c/2"):
        with db.engine.connect() as connection:
            second = {key: connection.exec_driver_sql(f"SELECT CRC32C({key})").scalar_one() for key in (1, 2, 30)}
    else:
        second = {key: zlib.crc32(str(key)[::-1].encode()) for key in (1, 2, 30)}
    total = 0
    for key, value in ((1, 10), (2, -20), (30, 5)):
        a = (zlib.crc32(str(key).encode()) * hashing.SPREAD_A) >> 16 & hashing.WORD
        b = (second[key] * hashing.SPREAD_B) >> 16 & hashing.WORD
        total += ((value & hashing.WORD) ^ a) * (((value % 2**64) >> 32) ^ b)
    assert fingerprints(db)["n"] == f"{total % 2**64:016x}"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(db: Database, run: Run, name: str) -> None:
    q = db.dialect.quote
    run(
        f"CREATE TABLE {q(name)} ({q(name)} INT PRIMARY KEY, {q(name + '2')} VARCHAR(20))",
        f"INSERT INTO {q(name)} VALUES (1, 'x'), (2, 'y')",
    )
    before = capture(db)
    run(f"UPDATE {q(name)} SET {q(name + '2')} = 'z' WHERE {q(name)} = 2")
    changes = compare(before, capture(db)).columns
    assert list(changes[changes["content"] == "changed"]["column"]) == [name + "2"]


HARMLESS = [
    "OPTIMIZE TABLE v",
    "ANALYZE TABLE v",
    "ALTER TABLE v FORCE",
    "ALTER TABLE v ENGINE=InnoDB",
    "FLUSH TABLES",
    "CHECK TABLE v",
    "INSERT INTO v VALUES (5000, 'x')|DELETE FROM v WHERE id = 5000",
    "CREATE TABLE w LIKE v|INSERT INTO w SELECT * FROM v ORDER BY a DESC|DROP TABLE v|RENAME TABLE w TO v",
]


@pytest.mark.parametrize("sql", HARMLESS)
def test_harmless_things_read_identical(db: Database, run: Run, sql: str) -> None:
    fill(run, 1_000)
    before = capture(db)
    with db.engine.connect() as connection:
        for statement in sql.split("|"):
            answer = connection.exec_driver_sql(statement)
            if answer.returns_rows:
                answer.all()
        connection.commit()
    assert compare(before, capture(db)).identical
