"""Digests: exact about every value, its type and its row; the same everywhere; bounded in memory."""

from __future__ import annotations

import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from migkit.dialects.base import RowDigest
from migkit.dialects.sqlite import SQLite, row_digests
from migkit.dialects.sqlite.hashing import hash_values
from tests.dialects.sqlite.support import DIALECT, catalog, change, content_of, digests, make, sums

HOSTILE = "or\"der'; drop table x;--%s:x <script> ünï"


def _table_of(path: Path, value: Any) -> tuple[int, int]:
    url = make(path, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", {"INSERT INTO t VALUES (1, ?)": [(value,)]})
    return sums(url, "t")["v"]


def test_every_storage_class_and_value_has_a_digest_of_its_own(tmp_path: Path) -> None:
    values = [
        0,
        1,
        -1,
        2**53,
        2**53 + 1,
        2**63 - 1,
        -(2**63),
        1.0,
        0.5,
        float("inf"),
        float("-inf"),
        1e300,
        "",
        "1",
        "1.0",
        "a",
        "A",
        "a ",
        "a\0",
        "a\0b",
        "é",
        "e\u0301",
        "😀",
        b"",
        b"1",
        b"a",
        b"a\0",
        b"\xff",
        None,
    ]
    found = [_table_of(tmp_path / f"{index}.db", value) for index, value in enumerate(values)]
    assert len(set(found)) == len(values)
    assert found[-1] == (0, 0)


def test_minus_zero_differs_from_zero_where_sqlite_keeps_it() -> None:
    assert hash_values([0.0], {float})[0] != hash_values([-0.0], {float})[0]


def _siphash(data: bytes, key: bytes) -> int:
    """SipHash-2-4 as its authors describe it, and what pandas puts behind it: the last steps of splitmix64."""
    mask = 2**64 - 1
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotate(word: int, bits: int) -> int:
        return (word << bits | word >> (64 - bits)) & mask

    def rounds(number: int) -> None:
        for _ in range(number):
            v[0] = (v[0] + v[1]) & mask
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    word = v[0] ^ v[1] ^ v[2] ^ v[3]
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & mask
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & mask
    return word ^ (word >> 31)


@pytest.mark.parametrize("text", ["", "a", "12345678", "naïve 😀", "x" * 1000, "nul\0inside"])
def test_text_and_blob_hashes_are_the_documented_siphash(text: str) -> None:
    stored = text.encode()
    assert int(hash_values([text], {str})[0]) == _siphash(stored, b"migkit-text-0001")
    assert int(hash_values([stored], {bytes})[0]) == _siphash(stored, b"migkit-blob-0001")


def test_digests_do_not_depend_on_the_process(tmp_path: Path) -> None:
    script = (
        "from migkit.dialects.sqlite.hashing import hash_values; print(*hash_values([1, 1.5, 'a', b'a', None], "
        "{int, float, str, bytes, type(None)}))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1
    assert SQLite.fingerprint_method == "sqlite-siphash-splitmix-1"


@pytest.mark.parametrize(
    "key",
    [
        "id INTEGER PRIMARY KEY, v",
        "id TEXT PRIMARY KEY, v",
        "id, v",
        "a DEFAULT 7, id, v, PRIMARY KEY (a, id)",
        "id TEXT PRIMARY KEY NOT NULL, v) WITHOUT ROWID--",
    ],
)
def test_two_rows_that_exchange_a_value_are_seen(tmp_path: Path, key: str) -> None:
    url = make(
        tmp_path / "a.db",
        f"CREATE TABLE t ({key}\n" + (");" if "--" not in key else ";"),
        {"INSERT INTO t (id, v) VALUES (?, ?)": [(1, "x"), (2, "y"), (3, "z")]},
    )
    before = digests(url, "t")
    change(url, "UPDATE t SET v = CASE v WHEN 'x' THEN 'y' WHEN 'y' THEN 'x' ELSE v END")
    assert digests(url, "t") != before


def test_values_turned_round_among_rows_that_point_at_each_other_are_seen(tmp_path: Path) -> None:
    rows = {"INSERT INTO t VALUES (?, ?)": [(1, 2), (2, 3), (3, 1)]}
    other = {"INSERT INTO t VALUES (?, ?)": [(1, 3), (3, 2), (2, 1)]}
    script = "CREATE TABLE t (id INTEGER PRIMARY KEY, parent INTEGER)"
    assert sums(make(tmp_path / "a.db", script, rows), "t") != sums(make(tmp_path / "b.db", script, other), "t")


def test_rows_without_a_known_key_are_bound_to_themselves(tmp_path: Path) -> None:
    script = "CREATE TABLE t (id TEXT PRIMARY KEY, v, w)"
    insert = "INSERT INTO t VALUES (?, ?, ?)"
    one = make(tmp_path / "a.db", script, {insert: [(None, 1, 1), (None, 2, 2), ("k", 3, 3)]})
    other = make(tmp_path / "b.db", script, {insert: [(None, 1, 2), (None, 2, 1), ("k", 3, 3)]})
    assert digests(one, "t") != digests(other, "t")


def test_the_physical_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    rows = [(f"k{index}", index % 7, None if index % 3 else "x") for index in range(3000)]
    script = "CREATE TABLE t (id TEXT PRIMARY KEY, v, w); CREATE TABLE u (a, b, c)"
    one = make(tmp_path / "a.db", script, {"INSERT INTO t VALUES (?,?,?)": rows, "INSERT INTO u VALUES (?,?,?)": rows})
    rows.reverse()
    other = make(
        tmp_path / "b.db", script, {"INSERT INTO t VALUES (?,?,?)": rows, "INSERT INTO u VALUES (?,?,?)": rows}
    )
    assert digests(one, "t") == digests(other, "t")
    assert digests(one, "u") == digests(other, "u")
    assert sum(rows for rows, _, _ in digests(one, "t").values()) == 3000


def test_segments_follow_integer_keys_and_set_appended_rows_apart(tmp_path: Path) -> None:
    rows = [(number, str(number)) for number in [-5, 0, 3, 4, 9, 2**62, 2**63 - 1]]
    url = make(tmp_path / "a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", {"INSERT INTO t VALUES (?, ?)": rows})
    found = digests(url, "t", shift=2, beyond=4)
    counts = {segment: rows for segment, (rows, _, _) in found.items()}
    assert counts == {
        (-2, False): 1,
        (0, False): 2,
        (1, False): 1,
        (2, True): 1,
        (2**60, True): 1,
        (2**61 - 1, True): 1,
    }
    assert {segment for segment, _ in digests(url, "t", shift=0)} == {number for number, _ in rows}


def test_text_among_integer_keys_is_read(tmp_path: Path) -> None:
    url = make(
        tmp_path / "a.db",
        "CREATE TABLE t (id INT PRIMARY KEY, v)",
        {"INSERT INTO t VALUES (?, 1)": [(1,), ("x",), (2.5,), (None,), (b"y",), (3,)]},
    )
    found = digests(url, "t", shift=0, beyond=2)
    assert sum(rows for rows, _, _ in found.values()) == 6
    with DIALECT.snapshot(DIALECT.create_engine(url), 1) as (session,):
        assert DIALECT.integer_key_range(session, content_of(catalog(url), "t")) is None


def test_text_that_is_no_utf8_is_digested_as_stored(tmp_path: Path) -> None:
    script = """CREATE TABLE t (id INTEGER PRIMARY KEY, v);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
    INSERT INTO t SELECT i, 'é' FROM n;"""
    url = make(tmp_path / "a.db", script)
    seen = [sums(url, "t")["v"]]
    for stored in ("x'ff61'", "x'fe61'"):
        change(url, f"UPDATE t SET v = CAST({stored} AS TEXT) WHERE id = 2500")
        seen.append(sums(url, "t")["v"])
    assert len(set(seen)) == 3
    assert {present for present, _ in seen} == {3000}


def test_hostile_names(tmp_path: Path) -> None:
    name = '"' + HOSTILE.replace('"', '""') + '"'
    url = make(
        tmp_path / "a.db",
        f"CREATE TABLE {name} ({name} INTEGER PRIMARY KEY, v)",
        {f"INSERT INTO {name} VALUES (?, ?)": [(1, HOSTILE)]},
    )
    assert sums(url, HOSTILE)[HOSTILE][0] == 1


def test_generated_columns_strict_tables_and_full_text_are_read(tmp_path: Path) -> None:
    url = make(
        tmp_path / "a.db",
        """
        CREATE TABLE g (id INTEGER PRIMARY KEY, a INT, b INT AS (a * 2) STORED, c INT AS (a + 1));
        INSERT INTO g (id, a) VALUES (1, 5);
        CREATE TABLE s (id INT PRIMARY KEY, v ANY) STRICT; INSERT INTO s VALUES (1, '1');
        CREATE VIRTUAL TABLE f USING fts5 (title, body); INSERT INTO f VALUES ('t', 'b'), ('u', NULL);""",
    )
    assert {name: present for name, (present, _) in sums(url, "g").items()} == {"id": 1, "a": 1, "b": 1, "c": 1}
    assert sums(url, "s")["v"][0] == 1
    assert {name: present for name, (present, _) in sums(url, "f").items()} == {"title": 2, "body": 1}


def test_rows_stream_in_order_and_add_up_to_the_sums(tmp_path: Path) -> None:
    rows = [(number, None if number % 5 == 0 else f"v{number}") for number in range(2500)]
    url = make(tmp_path / "a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", {"INSERT INTO t VALUES (?, ?)": rows})
    with DIALECT.snapshot(DIALECT.create_engine(url), 1) as (session,):
        content = content_of(DIALECT.read_catalog(session, None), "t", shift=8)
        found = list(DIALECT.read_rows(session, content, None))
        part = list(DIALECT.read_rows(session, content, [0, 3]))
    assert [row.seed for row in found] == sorted(row.seed for row in found)
    totals = sums(url, "t")
    assert sum(row.digests[1] or 0 for row in found) % 2**64 == totals["v"][1]
    assert sum(row.digests[1] is None for row in found) == 500
    assert {int(row.key[0] or -1) >> 8 for row in part if row.key[0] != "0"} == {0, 3}
    assert len(part) == 512


@pytest.mark.parametrize(
    "key", ["number", "'k' || number", "CASE number % 3 WHEN 0 THEN 'k' || number ELSE number END"]
)
def test_rows_sorted_in_many_runs_are_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    url = make(
        tmp_path / "a.db",
        f"""CREATE TABLE t (id ANY PRIMARY KEY, v, w);
        WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < 5000)
        INSERT INTO t SELECT {key}, nullif(number % 7, 0), 'w' FROM n;""",
    )

    def read() -> list[RowDigest]:
        with DIALECT.snapshot(DIALECT.create_engine(url), 1) as (session,):
            return list(DIALECT.read_rows(session, content_of(DIALECT.read_catalog(session, None), "t"), None))

    in_memory = read()
    monkeypatch.setattr(row_digests, "RUN_BYTES", 1)
    assert read() == in_memory
    assert len(in_memory) == 5000


def test_memory_stays_bounded_with_wide_rows(tmp_path: Path) -> None:
    url = make(
        tmp_path / "a.db",
        """
        CREATE TABLE t (id INTEGER PRIMARY KEY, v);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, i FROM n;
        WITH RECURSIVE n(i) AS (SELECT 3001 UNION ALL SELECT i + 1 FROM n WHERE i < 3150)
        INSERT INTO t SELECT i, CASE i % 2 WHEN 0 THEN zeroblob(1100000) ELSE hex(zeroblob(550000)) END FROM n;""",
    )
    tracemalloc.start()
    try:
        assert sums(url, "t")["v"][0] == 3150
        assert tracemalloc.get_traced_memory()[1] < 150_000_000
    finally:
        tracemalloc.stop()
