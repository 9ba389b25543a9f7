"""Reading the binary log from the server, as a replica does: as a stream, never as a whole."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, NullPool
from sqlalchemy.exc import DBAPIError

from migkit.dialects.mysql import session
from migkit.dialects.mysql.binlog_events import FORMAT, HEADER, ROTATE, Event
from migkit.dialects.mysql.explanations import error_code, explain_error
from migkit.dialects.mysql.sql import rows, scalar
from migkit.errors import MigkitError, MomentUnreachable, PermissionMissing

_DUMP = 0x12
_END_AT_END = 1
_DENIED = frozenset({1227, 1045})
_PURGED = frozenset({1236})
_STATUS = ("SHOW BINARY LOG STATUS", "SHOW MASTER STATUS")


def log_position(connection: Connection) -> str | None:
    """Return where the binary log ends now; ``None`` if there is none.

    Raises
    ------
    PermissionMissing
        If the user may not see it.
    """
    for statement in _STATUS:
        try:
            found = rows(connection, statement)
        except DBAPIError as error:
            if error_code(error) in _DENIED:
                raise PermissionMissing(
                    "This user may not see where the binary log stands",
                    next_step="Give the right: GRANT REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO …",
                ) from error
            continue
        return f"{found[0][0]}:{found[0][1]}" if found else None
    return None


def split_position(position: str) -> tuple[str, int]:
    """Return a position as file and offset."""
    file, _, offset = position.rpartition(":")
    return file, int(offset)


def reached(file: str, end: int, position: str) -> bool:
    """Tell whether a place in the log is at or behind a position.

    >>> reached("binlog.000009", 4, "binlog.000010:4"), reached("binlog.1000000", 4, "binlog.999999:9")
    (False, True)
    """
    other, offset = split_position(position)
    return (_number(file), end) >= (_number(other), offset)


def _number(file: str) -> int:
    return int(file.rpartition(".")[2])


class Stream:
    """The binary log from a position until its present end.

    Attributes
    ----------
    format : Event or None
        How the events that come now are written.
    checksums : bool
        Events end with a checksum in the log.
    """

    def __init__(self, raw: Any, file: str, offset: int, *, checksums: bool) -> None:
        self._raw = raw
        self._file = file
        self.format: Event | None = None
        self.checksums = checksums
        number = secrets.randbelow(2**31) + 2**31
        payload = offset.to_bytes(4, "little") + _END_AT_END.to_bytes(2, "little")
        raw._execute_command(_DUMP, payload + number.to_bytes(4, "little") + file.encode())

    def __iter__(self) -> Iterator[Event]:
        while True:
            packet = self._raw._read_packet()
            if packet.is_eof_packet():
                return
            event = self._event(packet.get_all_data()[1:])
            if event.kind == ROTATE:
                self._file = event.data[HEADER + 8 :].decode()
            elif event.kind == FORMAT:
                self.format = event
            else:
                yield event

    def _event(self, data: bytes) -> Event:
        if data[4] == FORMAT:
            # It says of itself, before its own checksum, whether the others have one.
            self.checksums = data[-5] == 1
            return Event(data[:-4], self._file)
        return Event(data[:-4] if self.checksums else data, self._file)


@contextmanager
def open_stream(url: URL, position: str) -> Iterator[Stream]:
    """Open the binary log at a position, for a session of its own.

    Raises
    ------
    PermissionMissing
        If the user may not read it.
    MomentUnreachable
        If the server has thrown away what comes after the position.
    """
    file, offset = split_position(position)
    engine = session.create_engine(url, poolclass=NullPool)
    pooled = engine.raw_connection()
    raw: Any = pooled.dbapi_connection
    try:
        with raw.cursor() as cursor:
            # MariaDB writes for older replicas otherwise.
            for name, value in _REPLICA.items():
                cursor.execute(f"SET @{name} = {value}")
            cursor.execute("SELECT @@global.binlog_checksum = 'CRC32'")
            checksums = bool(cursor.fetchone()[0])
        yield Stream(raw, file, offset, checksums=checksums)
    except raw.Error as error:
        raise _explained(error, position) from error
    finally:
        # In the midst of a stream there is no other way to end it; the pool must not speak to it any more.
        raw._force_close()
        pooled.invalidate()
        engine.dispose()


_REPLICA = {
    "master_binlog_checksum": "@@global.binlog_checksum",
    "source_binlog_checksum": "@@global.binlog_checksum",
    "mariadb_slave_capability": "4",
}


def _explained(error: Exception, position: str) -> MigkitError:
    code = error.args[0] if error.args else None
    if code in _DENIED:
        return PermissionMissing(
            "This user may not read the binary log",
            next_step="Give the right: GRANT REPLICATION SLAVE ON *.* TO …",
        )
    if code in _PURGED:
        return MomentUnreachable(
            f"The server has no binary log from {position} on any more: {explain_error(error)}",
            next_step="migkit pitr status shows what is there; a new base begins anew: migkit pitr enable --new-base.",
        )
    return MigkitError(f"The binary log cannot be read: {explain_error(error)}", where=position)


def logs(connection: Connection) -> dict[str, int]:
    """Return the server's binary logs, with their sizes."""
    return {str(row[0]): int(row[1]) for row in rows(connection, "SHOW BINARY LOGS")}


def setting(connection: Connection, name: str) -> str:
    """Return a setting of the server; empty if it has none of that name."""
    try:
        return str(scalar(connection, f"SELECT @@global.{name}"))
    except DBAPIError:
        return ""
