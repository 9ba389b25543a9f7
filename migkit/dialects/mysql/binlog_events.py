"""Events of the binary log, as bytes: what is needed to do them again in another database. Pure.

The log is read as the server writes it, with the length of every part given, never as the text that tools make of it:
what stands in a name, a comment or a value cannot be mistaken for a statement.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import zstandard

from migkit.errors import UnsupportedFeature

HEADER = 19
QUERY, STOP, ROTATE, INTVAR, RAND, USER_VAR = 2, 3, 4, 5, 13, 14
FORMAT, XID, TABLE_MAP = 15, 16, 19
GTID, ANONYMOUS_GTID, PAYLOAD, TAGGED_GTID = 33, 34, 40, 42
MARIADB_GTID = 162
ROWS = frozenset({20, 21, 22, 23, 24, 25, 30, 31, 32, 39, 166, 167, 168, 169, 170, 171})
_COMPRESSED_QUERY, _START_ENCRYPTION = 165, 164
_ROWS_END_OF_STATEMENT = 1
_STANDALONE = 1
_COMMIT_TIME_AT = HEADER + 42
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes
    ----------
    data : bytes
        All of it, without its checksum.
    file : str
        The log it stands in.
    """

    data: bytes
    file: str

    @property
    def kind(self) -> int:
        """The number of its type."""
        return self.data[4]

    @property
    def seconds(self) -> int:
        """When its statement began, in seconds."""
        return int.from_bytes(self.data[:4], "little")

    @property
    def end(self) -> int:
        """Where in its file it ends."""
        return int.from_bytes(self.data[13:17], "little")

    @property
    def position(self) -> str:
        """Where it ends, as people write it."""
        return f"{self.file}:{self.end}"

    @property
    def table_id(self) -> int:
        """The number that a table map gave to a table, and events of rows refer to."""
        return int.from_bytes(self.data[HEADER : HEADER + 6], "little")

    @property
    def ends_statement(self) -> bool:
        """Whether an event of rows is the last one of its statement."""
        return bool(self.data[HEADER + 6] & _ROWS_END_OF_STATEMENT)

    def as_last(self) -> Event:
        """Return an event of rows as the last one of its statement."""
        data = bytearray(self.data)
        data[HEADER + 6] |= _ROWS_END_OF_STATEMENT
        return replace(self, data=bytes(data))

    def sealed(self, *, checksum: bool) -> bytes:
        """Return the event as a server takes it: with its size, and its checksum where the log has them."""
        size = len(self.data) + (4 if checksum else 0)
        data = self.data[:9] + size.to_bytes(4, "little") + self.data[13:]
        return data + zlib.crc32(data).to_bytes(4, "little") if checksum else data


def commit_moment(event: Event) -> datetime | None:
    """Return when the transaction that begins here was committed, to the microsecond; ``None`` if that is not told."""
    if event.kind not in (GTID, ANONYMOUS_GTID) or len(event.data) < _COMMIT_TIME_AT + 7:
        return None
    stamp = int.from_bytes(event.data[_COMMIT_TIME_AT : _COMMIT_TIME_AT + 7], "little") & ~(1 << 55)
    return _EPOCH + timedelta(microseconds=stamp)


def second_of(event: Event) -> datetime:
    """Return the second in which the event's statement began."""
    return _EPOCH + timedelta(seconds=event.seconds)


def stands_alone(event: Event) -> bool:
    """Tell whether MariaDB says of a transaction that it is one statement, which nothing ends."""
    return bool(event.data[HEADER + 12] & _STANDALONE)


# --- tables -----------------------------------------------------------------------------------------------------------


def database_of(event: Event) -> str:
    """Return the database of a table map."""
    length = event.data[HEADER + 8]
    return event.data[HEADER + 9 : HEADER + 9 + length].decode("utf-8")


def moved(event: Event, database: str) -> Event:
    """Return a table map that names another database."""
    name, length = database.encode(), event.data[HEADER + 8]
    rest = event.data[HEADER + 9 + length :]
    return replace(event, data=event.data[: HEADER + 8] + bytes([len(name)]) + name + rest)


def unpacked(event: Event) -> Iterator[Event]:
    """Return the events of a transaction that MySQL has written compressed.

    Raises
    ------
    UnsupportedFeature
        If it is compressed in a way that migkit does not know.
    """
    fields, body = _payload(event.data)
    if fields.get(2, 255) == 255:
        content = body
    elif fields[2] == 0:
        content = zstandard.ZstdDecompressor().decompressobj().decompress(body)
    else:
        raise UnsupportedFeature(f"A transaction in the binary log is compressed in an unknown way ({fields[2]})")
    position = 0
    while position < len(content):
        size = int.from_bytes(content[position + 9 : position + 13], "little")
        data = bytearray(content[position : position + size])
        # Inside, events have no place of their own.
        data[13:17] = event.data[13:17]
        yield Event(bytes(data), event.file)
        position += size


def _payload(data: bytes) -> tuple[dict[int, int], bytes]:
    fields: dict[int, int] = {}
    position = HEADER
    while True:
        kind, position = _packed(data, position)
        if kind == 0:
            return fields, data[position:]
        length, position = _packed(data, position)
        fields[kind], _ = _packed(data, position)
        position += length


def _packed(data: bytes, position: int) -> tuple[int, int]:
    first = data[position]
    width = {252: 2, 253: 3, 254: 8}.get(first, 0)
    if not width:
        return first, position + 1
    return int.from_bytes(data[position + 1 : position + 1 + width], "little"), position + 1 + width


# --- statements -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Query:
    """A statement, and the settings of the session it was run in.

    Attributes
    ----------
    database : str
        The session's database; empty if it had none.
    sql : bytes
        The text, in the client's character set.
    settings : tuple of str
        Assignments for ``SET``.
    client : int or None
        The client's character set: the number of a collation.
    """

    database: str
    sql: bytes
    settings: tuple[str, ...]
    client: int | None


_FOREIGN_KEYS_OFF, _UNIQUE_OFF, _AUTO_IS_NULL = 1 << 26, 1 << 27, 1 << 14
# How long each variable of a statement's status is; those with a length of their own are read apart.
_WIDTHS = {0: 4, 1: 8, 3: 4, 4: 6, 7: 2, 8: 2, 9: 8, 10: 4, 13: 3, 14: 14, 15: 12, 16: 1, 17: 8, 18: 2, 19: 1, 20: 1}
_MARIADB_WIDTHS = {128: 3, 129: 8}


def read_query(event: Event) -> Query:
    """Return the statement of an event.

    Raises
    ------
    UnsupportedFeature
        If it is written in a way that migkit does not know.
    """
    data = event.data
    name_length, status_length = data[HEADER + 8], int.from_bytes(data[HEADER + 11 : HEADER + 13], "little")
    body = HEADER + 13
    status = data[body : body + status_length]
    name_at = body + status_length
    database = data[name_at : name_at + name_length].decode("utf-8")
    sql = data[name_at + name_length + 1 :]
    if event.kind == _COMPRESSED_QUERY:
        raise UnsupportedFeature(
            "The binary log holds compressed statements (log_bin_compress)",
            next_step="Switch it off, then take a new base: migkit pitr enable --new-base.",
        )
    settings, client = _settings(status, event.seconds)
    return Query(database, sql, settings, client)


def _settings(status: bytes, seconds: int) -> tuple[tuple[str, ...], int | None]:
    found: list[str] = []
    client: int | None = None
    micros, position = 0, 0
    while position < len(status):
        kind = status[position]
        position += 1
        if kind in (5, 6):
            value = status[position + 1 : position + 1 + status[position]]
            position += 1 + status[position]
            if kind == 5:
                found.append(f"time_zone = {_literal(value)}")
            continue
        width = _WIDTHS.get(kind) or _MARIADB_WIDTHS.get(kind)
        if width is None:
            # The rest tells of accounts and tables, which are no settings.
            break
        value = status[position : position + width]
        position += width
        if kind == 13 or kind == 128:
            micros = int.from_bytes(value, "little")
        elif kind == 4:
            client, connection, server = struct.unpack("<HHH", value)
            found += [f"collation_connection = {connection}", f"collation_server = {server}"]
        else:
            found += _one_setting(kind, int.from_bytes(value, "little"))
    return (f"timestamp = {seconds}.{micros:06d}", *found), client


def _one_setting(kind: int, number: int) -> list[str]:
    if kind == 0:
        return [
            f"foreign_key_checks = {int(not number & _FOREIGN_KEYS_OFF)}",
            f"unique_checks = {int(not number & _UNIQUE_OFF)}",
            f"sql_auto_is_null = {int(bool(number & _AUTO_IS_NULL))}",
        ]
    names = {1: "sql_mode", 8: "collation_database", 16: "explicit_defaults_for_timestamp"}
    names |= {18: "default_collation_for_utf8mb4", 19: "sql_require_primary_key"}
    if kind == 3:
        return [f"auto_increment_increment = {number & 0xFFFF}", f"auto_increment_offset = {number >> 16}"]
    return [f"{names[kind]} = {number}"] if kind in names else []


def _literal(value: bytes) -> str:
    return f"_utf8mb4 0x{value.hex()}" if value else "''"


def last_insert(event: Event) -> str:
    """Return the assignment that an event before a statement makes: the number it was given, or a seed."""
    if event.kind == INTVAR:
        name = {1: "last_insert_id", 2: "insert_id"}[event.data[HEADER]]
        return f"{name} = {int.from_bytes(event.data[HEADER + 1 : HEADER + 9], 'little')}"
    first, second = struct.unpack("<QQ", event.data[HEADER : HEADER + 16])
    return f"rand_seed1 = {first}, rand_seed2 = {second}"
