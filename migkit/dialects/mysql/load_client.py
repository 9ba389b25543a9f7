"""A client of MySQL's binary protocol that does not wait: prepared statements, which PyMySQL does not speak.

PyMySQL connects, encrypts and authenticates; afterwards requests and answers go over its socket as the protocol's
documentation describes them (https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html). Rows are counted
out, not decoded.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from migkit.dialects.mysql.explanations import error_code, explain_error
from migkit.dialects.workloads import ClientError, NamedSql, PolledClient
from migkit.errors import UnsupportedFeature

_QUERY, _PREPARE, _EXECUTE = 0x03, 0x16, 0x17
_IN_TRANSACTION, _MORE_RESULTS = 0x0001, 0x0008
_LONGLONG, _DOUBLE, _STRING, _BLOB, _NULL = 0x08, 0x05, 0xFD, 0xFC, 0x06
_UNSIGNED = 0x8000
_NOT_PREPARABLE, _PREPARE_AGAIN = 1295, 1615
_LOST = frozenset({2006, 2013, 2055, 1053, 1927, 4031})
_WAITING = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_CHUNK = 65_536
_LONGEST_PACKET = 0xFFFFFF


class MySQLClient(PolledClient):
    """One connection to MySQL or MariaDB.

    Parameters
    ----------
    connection : pymysql.Connection
        Connected, in autocommit; this client takes it over.
    kill : callable
        Ends the running statement of a session, from another one.
    """

    def __init__(self, connection: Any, kill: Callable[[int], None]) -> None:
        from pymysql import err

        self._connection = connection
        self._socket: socket.socket = connection._sock
        self._kill = kill
        self._raise = err.raise_mysql_exception
        self._lost_error = err.OperationalError
        self._driver_errors = err.Error
        self._buffer = bytearray()
        self._continued = False
        self._status = 0
        self._state: Callable[[bytes], bool] = self._first_packet
        self._columns = 0
        self._answer: tuple[int, int] = (0, 0)
        self.session = int(connection.thread_id())
        self._socket.setblocking(False)

    # --- requests ---------------------------------------------------------------------------------------------------

    def prepare(self, sql: NamedSql) -> tuple[Any, tuple[str, ...]]:
        """Prepare on the server; what cannot be prepared there, BEGIN say, is sent as text."""
        try:
            self._request(bytes([_PREPARE]) + sql.questioned().encode(), self._prepared_packet)
            self._wait()
        except self._driver_errors as error:
            if error_code(error) != _NOT_PREPARABLE or sql.names:
                raise
            return bytes([_QUERY]) + sql.texts[0].encode(), ()
        number, _ = self._answer
        return struct.pack("<BIBI", _EXECUTE, number, 0, 1), sql.names

    def encode(self, value: Any) -> Any:
        """Return the type and the bytes of a value in the binary protocol; NULL has no bytes."""
        if value is None:
            return _NULL, b""
        if isinstance(value, int):
            kind = _LONGLONG if value < 2**63 else _LONGLONG | _UNSIGNED
            return kind, struct.pack("<q" if value < 2**63 else "<Q", value)
        if isinstance(value, float):
            return _DOUBLE, struct.pack("<d", value)
        data = bytes(value) if isinstance(value, bytes | bytearray | memoryview) else str(value).encode()
        return (_BLOB if isinstance(value, bytes | bytearray | memoryview) else _STRING), _length(data) + data

    def send(self, prepared: Any, values: Sequence[Any]) -> None:
        """Send a request without waiting for its answer."""
        self._request(prepared + _bound(values) if values else prepared, self._first_packet)

    def run(self, prepared: Any, values: Sequence[Any]) -> None:
        """Execute and wait."""
        self.send(prepared, values)
        self._wait()

    def fileno(self) -> int:
        """Return the socket's number."""
        return self._socket.fileno()

    def reset(self) -> None:
        """Roll back; an error carries no status, so the server is told in any case."""
        self._request(bytes([_QUERY]) + b"ROLLBACK", self._first_packet)
        self._wait()

    def explain(self, error: Exception) -> ClientError:
        """Return the server's number and message."""
        if isinstance(error, OSError):
            return ClientError("connection lost", str(error), lost=True)
        if not isinstance(error, self._driver_errors):
            raise error
        code = error_code(error)
        return ClientError(str(code or "connection lost"), explain_error(error), code is None or code in _LOST)

    def must_prepare_again(self, error: ClientError) -> bool:
        """Tell whether the server gave up preparing a statement anew."""
        return error.kind == str(_PREPARE_AGAIN)

    def cancel(self) -> None:
        """Have another session kill the statement."""
        if self.session is not None:
            self._kill(self.session)

    def close(self) -> None:
        """Say goodbye and close."""
        with suppress(OSError):
            self._socket.setblocking(True)
            self._socket.settimeout(1.0)
        with suppress(self._driver_errors):
            self._connection.close()

    def _request(self, payload: bytes, state: Callable[[bytes], bool]) -> None:
        self._state = state
        data = memoryview(struct.pack("<I", len(payload)) + payload)
        while data:
            try:
                data = data[self._socket.send(data) :]
            except _WAITING:
                select.select([], [self._socket], [], 5.0)

    # --- answers ----------------------------------------------------------------------------------------------------

    def receive(self) -> bool:
        """Read what came and tell whether the answer is complete."""
        while True:
            try:
                chunk = self._socket.recv(_CHUNK)
            except _WAITING:
                return False
            if not chunk:
                raise self._lost_error(2013, "Lost connection to the server during a query")
            self._buffer += chunk
            if self._consume():
                return True

    def _wait(self) -> None:
        while not self.receive():
            select.select([self._socket], [], [], 1.0)

    def _consume(self) -> bool:
        buffer, position = self._buffer, 0
        try:
            while len(buffer) - position >= 4:
                length = buffer[position] | buffer[position + 1] << 8 | buffer[position + 2] << 16
                end = position + 4 + length
                if len(buffer) < end:
                    return False
                packet, position = bytes(buffer[position + 4 : end]), end
                continuation, self._continued = self._continued, length == _LONGEST_PACKET
                if not continuation and self._packet(packet):
                    return True
            return False
        finally:
            del buffer[:position]

    def _packet(self, packet: bytes) -> bool:
        if packet[:1] == b"\xff" and self._state != self._definition_packet:
            self._raise(packet)
        return self._state(packet)

    def _first_packet(self, packet: bytes) -> bool:
        if packet[0] == 0x00:
            position = _skip_length(packet, _skip_length(packet, 1))
            return self._ended(struct.unpack_from("<H", packet, position)[0])
        if packet[0] == 0xFB:
            raise UnsupportedFeature("LOAD DATA LOCAL cannot be part of a workload", next_step="Use INSERT.")
        self._columns = packet[0] if packet[0] < 0xFB else struct.unpack_from("<H", packet, 1)[0]
        self._state = self._definition_packet
        return False

    def _definition_packet(self, packet: bytes) -> bool:
        if _is_eof(packet):
            self._state = self._row_packet
        return False

    def _row_packet(self, packet: bytes) -> bool:
        return _is_eof(packet) and self._ended(struct.unpack_from("<H", packet, 3)[0])

    def _ended(self, status: int) -> bool:
        self._status = status
        self._state = self._first_packet
        return not status & _MORE_RESULTS

    def _prepared_packet(self, packet: bytes) -> bool:
        number, columns, parameters = struct.unpack_from("<IHH", packet, 1)
        self._answer = number, parameters
        # Each kind of definitions ends with a packet of its own.
        self._columns = bool(columns) + bool(parameters)
        self._state = self._prepared_definition
        return not self._columns

    def _prepared_definition(self, packet: bytes) -> bool:
        self._columns -= _is_eof(packet)
        return not self._columns


def _is_eof(packet: bytes) -> bool:
    return packet[0] == 0xFE and len(packet) < 9


def _skip_length(packet: bytes, position: int) -> int:
    return position + {0xFC: 3, 0xFD: 4, 0xFE: 9}.get(packet[position], 1)


def _length(data: bytes) -> bytes:
    size = len(data)
    if size < 0xFB:
        return bytes([size])
    return b"\xfc" + struct.pack("<H", size) if size < 65_536 else b"\xfe" + struct.pack("<Q", size)


def _bound(values: Sequence[tuple[int, bytes]]) -> bytes:
    """Write values as COM_STMT_EXECUTE takes them: which are NULL, their types, their bytes."""
    nulls = 0
    for index, (kind, _) in enumerate(values):
        if kind == _NULL:
            nulls |= 1 << index
    head = nulls.to_bytes((len(values) + 7) // 8, "little") + b"\x01"
    return head + b"".join([struct.pack("<H", kind) for kind, _ in values]) + b"".join([data for _, data in values])
