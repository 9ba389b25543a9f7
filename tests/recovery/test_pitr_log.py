"""The logs themselves: segments and their holes, events and what is done again of them."""

from __future__ import annotations

import struct

import pytest

from migkit.dialects.mysql import binlog_events as events
from migkit.dialects.mysql import reach
from migkit.dialects.mysql.binlog_events import Event
from migkit.dialects.mysql.binlog_stream import reached, split_position
from migkit.dialects.postgresql.wal import Segment, holes, lsn_number, segments

MEGABYTE = 2**20


def _names(*numbers: int, size: int = 16 * MEGABYTE, timeline: int = 1) -> list[str]:
    return [Segment(timeline, number).name(size) for number in numbers]


@pytest.mark.parametrize("size", [1 * MEGABYTE, 16 * MEGABYTE, 1024 * MEGABYTE])
def test_a_segment_is_known_by_its_name(size: int) -> None:
    for number in (0, 1, 3, 4, 255, 256, 4095, 4096, 100_000):
        segment = Segment(7, number)
        assert Segment.of(segment.name(size), size) == segment
        assert Segment.of(segment.name(size) + ".partial", size) == segment


def test_other_files_are_no_segments() -> None:
    for name in ("00000002.history", "archive_status", "00000001000000000000000g", "0" * 25, ""):
        assert Segment.of(name, 16 * MEGABYTE) is None


def test_holes_are_found() -> None:
    size = 16 * MEGABYTE
    found = segments([*_names(2, 3, 6, 9), "00000002.history"], size)
    told = [(begin.number, end.number) for begin, end in holes(found, Segment(1, 2), Segment(1, 10))]
    assert told == [(4, 5), (7, 8), (10, 10)]
    assert list(holes(found, Segment(1, 9), Segment(1, 9))) == []
    assert [begin.number for begin, _ in holes([], Segment(1, 4), Segment(1, 4))] == [4]


def test_a_failover_is_no_hole() -> None:
    size = 16 * MEGABYTE
    found = segments([*_names(2, 3), *_names(3, 4, timeline=2)], size)
    assert list(holes(found, Segment(1, 2), Segment(1, 4))) == []


def test_positions_are_numbers() -> None:
    assert lsn_number("0/3000028") < lsn_number("0/3000120") < lsn_number("1/0")
    assert Segment.at("1/2000000", 1, 16 * MEGABYTE).number == 258
    with pytest.raises(ValueError, match="is no position"):
        lsn_number("0/xyz")


# --- the binary log ---------------------------------------------------------------------------------------------------


def _event(kind: int, body: bytes, seconds: int = 1_795_346_064) -> Event:
    head = struct.pack("<IBIIIH", seconds, kind, 1, 19 + len(body), 500, 0)
    return Event(head + body, "binlog.000001")


def _table_map(database: str, table: str) -> Event:
    name, other = database.encode(), table.encode()
    body = (
        (90).to_bytes(6, "little") + b"\1\0" + bytes([len(name)]) + name + b"\0" + bytes([len(other)]) + other + b"\0"
    )
    return _event(events.TABLE_MAP, body)


@pytest.mark.parametrize("name", ["shop", "ünï", 'order"; drop table x;--', "Mixed.Case", "a%b:c", "a/*!*/;\nDROP"])
def test_a_table_is_moved_to_another_database(name: str) -> None:
    moved = events.moved(_table_map(name, name), "migkit_scratch_restore_1")
    assert events.database_of(_table_map(name, name)) == name
    assert events.database_of(moved) == "migkit_scratch_restore_1"
    assert moved.table_id == 90 and moved.data.endswith(name.encode() + b"\0")
    sealed = moved.sealed(checksum=True)
    assert int.from_bytes(sealed[9:13], "little") == len(sealed)


def test_rows_end_their_statement_where_others_are_left_out() -> None:
    rows = _event(30, (90).to_bytes(6, "little") + b"\0\0" + b"row")
    assert not rows.ends_statement and rows.as_last().ends_statement


def _query(database: str, sql: str, status: bytes = b"") -> Event:
    head = struct.pack("<IIBHH", 1, 0, len(database.encode()), 0, len(status))
    return _event(events.QUERY, head + status + database.encode() + b"\0" + sql.encode())


def test_a_statement_comes_with_its_settings() -> None:
    status = (
        b"\0"
        + struct.pack("<I", 1 << 26)
        + b"\1"
        + struct.pack("<Q", 5)
        + b"\6\3std"
        + b"\4"
        + struct.pack("<HHH", 45, 46, 47)
    )
    status += b"\x0d" + (123).to_bytes(3, "little") + b"\x0b\1a\1b"
    query = events.read_query(_query("shop", "CREATE TABLE `a/*!*/;\nDROP TABLE b` (i int)", status))
    assert query.database == "shop" and query.client == 45
    assert query.sql.decode() == "CREATE TABLE `a/*!*/;\nDROP TABLE b` (i int)"
    assert query.settings[0] == "timestamp = 1795346064.000123"
    assert {"foreign_key_checks = 0", "unique_checks = 1", "sql_mode = 5", "collation_connection = 46"} <= set(
        query.settings
    )


def test_positions_of_the_binary_log_are_ordered() -> None:
    assert split_position("binlog.000003:1234") == ("binlog.000003", 1234)
    assert reached("binlog.000003", 1234, "binlog.000003:1234")
    assert not reached("binlog.000003", 1233, "binlog.000003:1234")
    assert reached("binlog.1000000", 4, "binlog.999999:1234")


@pytest.mark.parametrize(
    ("sql", "renamed"),
    [
        ("ALTER TABLE shop.users ADD a int", "ALTER TABLE `s`.users ADD a int"),
        ("ALTER TABLE `shop`.`users` ADD a int", "ALTER TABLE `s`.`users` ADD a int"),
        ("ALTER TABLE users ADD shop int", "ALTER TABLE users ADD shop int"),
        (
            "CREATE TABLE t (a varchar(9) DEFAULT 'shop.users') -- shop.x",
            "CREATE TABLE t (a varchar(9) DEFAULT 'shop.users') -- shop.x",
        ),
        (
            "CREATE VIEW v AS SELECT a.shop.x FROM SHOP . users /* shop.y */",
            "CREATE VIEW v AS SELECT a.shop.x FROM `s` . users /* shop.y */",
        ),
        ("CREATE DEFINER=root@shop.example VIEW v AS SELECT 1", "CREATE DEFINER=root@shop.example VIEW v AS SELECT 1"),
    ],
)
def test_what_a_database_qualifies_is_renamed(sql: str, renamed: str) -> None:
    assert reach.renamed(sql, "shop", "s") == renamed


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("/* a */ CREATE DEFINER=`a b`@`%` EVENT `e` ON SCHEDULE EVERY 1 DAY DO SELECT 1", ("CREATE", "EVENT")),
        ("DROP EVENT IF EXISTS e", ("DROP", "EVENT")),
        ("create or replace table event (event int)", ("CREATE", "TABLE")),
        ("ALTER SCHEMA `x` COLLATE utf8mb4_bin", ("ALTER", "SCHEMA")),
        ("INSERT INTO t VALUES ('CREATE EVENT')", ("INSERT", "")),
        ("", ("", "")),
    ],
)
def test_what_a_statement_defines_is_told(sql: str, told: tuple[str, str]) -> None:
    assert reach.definition(sql) == told
