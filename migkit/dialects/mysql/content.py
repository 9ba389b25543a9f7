"""Reading the rows of a table: counted and digested inside the server, one pass, in ranges of the key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from migkit.dialects.base import SegmentContent, TableContent
from migkit.dialects.mysql.hashing import Hash, RowHash, variables
from migkit.dialects.mysql.parts import conditions, segment_of_key, slice_bits
from migkit.dialects.mysql.sql import execute, literal, quote, rows, scalar

MODULUS = 2**64
# Below this, one grouped query is quicker than one query for each range.
SMALL_PAGES = 64
SHARES = 8
# A table that has grown far beyond the widths it was first read with.
MANY_SEGMENTS = 4096
# Segment numbers are kept as signed 64-bit integers.
LARGEST_SIGNED = 2**63
INTEGER_TYPES = frozenset({"integer", "padded integer"})


@dataclass(frozen=True)
class Share:
    """Every `of`-th key range of a table, beginning with number `number`."""

    number: int
    of: int


def integer_key_range(connection: Connection, content: TableContent) -> tuple[int, int] | None:
    """Return the smallest and largest value of the first key column if it is an integer."""
    if not content.key or dict(content.columns).get(content.key[0]) not in INTEGER_TYPES:
        return None
    key, table = quote(content.key[0]), quote(content.schema, content.table)
    # BIT would come as bytes.
    smallest, largest = rows(connection, f"SELECT MIN({key}) + 0, MAX({key}) + 0 FROM {table}")[0]
    if smallest is None or int(largest) >= LARGEST_SIGNED:
        return None
    return int(smallest), int(largest)


def content_tasks(content: TableContent) -> list[Share]:
    """Divide a table into shares of its key ranges; what is small, or has no integer key, is read in one."""
    if content.shift is None or content.within or (content.pages or 0) <= SMALL_PAGES:
        return [Share(0, 1)]
    return [Share(number, SHARES) for number in range(SHARES)]


def read_content(connection: Connection, content: TableContent, share: Share, by: Hash) -> Iterator[SegmentContent]:
    """Digest the rows of one share.

    Parameters
    ----------
    connection : Connection
        A session of the snapshot.
    content : TableContent
        What is to be read.
    share : Share
        Which of its key ranges.
    by : Hash
        The engine's hashes.

    Yields
    ------
    SegmentContent
        One per key range with rows in it.
    """
    nullable = nullable_columns(connection, content)
    reader = _Reader(connection, content, RowHash(by, content.columns, content.key, nullable))
    execute(connection, variables(len(content.key)))
    if content.shift is None:
        yield from reader.slices() if content.key or content.slice_bits is not None else reader.whole_table()
    elif share.of == 1 or content.within:
        yield from reader.grouped_ranges(content.shift)
    else:
        yield from reader.ranges(content.shift, share)


def nullable_columns(connection: Connection, content: TableContent) -> frozenset[str]:
    """Return the columns that may be NULL, as the server describes an answer without rows."""
    names = [name for name, _ in content.columns]
    listed = ", ".join(quote(name) for name in names) or "1"
    answer = execute(connection, f"SELECT {listed} FROM {quote(content.schema, content.table)} LIMIT 0")
    return frozenset(name for name, told in zip(names, answer.cursor.description, strict=False) if told[6])


class _Reader:
    """Reads one table in one session."""

    def __init__(self, connection: Connection, content: TableContent, hashes: RowHash) -> None:
        self._connection = connection
        self._content = content
        self._hashes = hashes
        self._table = quote(content.schema, content.table)
        self._binding = hashes.binding()

    def whole_table(self) -> Iterator[SegmentContent]:
        """Read a table without a key: columns by themselves, and whole rows."""
        count, sums = self._first(f"SELECT {self._totals()} FROM {self._table}")
        condition, summand = self._hashes.whole_row()
        row_sum = scalar(self._connection, f"SELECT SUM({summand}) FROM {self._table} WHERE {condition}")
        if count:
            yield SegmentContent(0, False, count, sums, int(row_sum or 0) % MODULUS)

    def slices(self) -> Iterator[SegmentContent]:
        """Read a table whose key is no integer: segments are slices of the key's hash, or of the whole row's."""
        number, summand, binding = self._hashes.slice(slice_bits(self._content)), "0", self._binding
        if not self._content.key:
            binding, summand = self._hashes.whole_row()
        sql = f"SELECT {self._totals()}, SUM({summand}), {number} FROM {self._table} WHERE {self._where(binding)}"
        for cells in self._rows(f"{sql} GROUP BY {number}"):
            count, sums = self._readings(cells)
            yield SegmentContent(int(cells[-1]), False, count, sums, int(cells[-2] or 0) % MODULUS)

    def _where(self, binding: str) -> str:
        before, after = conditions(self._content, self._hashes)
        return " AND ".join([*before, binding, *after])

    def grouped_ranges(self, shift: int) -> Iterator[SegmentContent]:
        """Read all key ranges in one query."""
        key = quote(self._content.key[0])
        segment = segment_of_key(key, shift)
        beyond = self._content.beyond
        appended = "0" if beyond is None else f"({key} > {beyond})"
        if self._content.key[0] in self._hashes.nullable:
            segment, appended = f"COALESCE({segment}, 0)", f"COALESCE({appended}, 0)"
        where = self._where(self._binding)
        sql = f"SELECT {self._totals()}, {appended}, {segment} FROM {self._table} WHERE {where}"
        group = f"{appended}, {segment}" if beyond is not None else segment
        for cells in self._rows(f"{sql} GROUP BY {group}"):
            count, sums = self._readings(cells)
            yield SegmentContent(int(cells[-1]), bool(cells[-2]), count, sums)

    def ranges(self, shift: int, share: Share) -> Iterator[SegmentContent]:
        """Read each key range of a share by a query of its own, along the key's index."""
        bounds = integer_key_range(self._connection, self._content)
        if bounds is None:
            return
        smallest, largest = bounds
        first, last = smallest >> shift, largest >> shift
        if last - first >= MANY_SEGMENTS or not self._key_leads_an_index():
            if share.number == 0:
                yield from self.grouped_ranges(shift)
            return
        for segment in range(first + (share.number - first) % share.of, last + 1, share.of):
            low, high = max(smallest, segment << shift), min(largest, ((segment + 1) << shift) - 1)
            for appended, start, end in _split(low, high, self._content.beyond):
                yield from self._range(segment, appended, start, end)

    def _range(self, segment: int, appended: bool, low: int, high: int) -> Iterator[SegmentContent]:
        key = quote(self._content.key[0])
        count, sums = self._first(
            f"SELECT {self._totals()} FROM {self._table} WHERE {key} BETWEEN {low} AND {high} AND {self._binding}"
        )
        if count:
            yield SegmentContent(segment, appended, count, sums)

    def _totals(self) -> str:
        parts = ["COUNT(*)"]
        for (name, _), summand in zip(self._content.columns, self._hashes.sums(), strict=True):
            if name in self._hashes.nullable:
                parts.append(f"COUNT({quote(name)})")
            parts.append(f"SUM({summand})")
        return ", ".join(parts)

    def _first(self, sql: str) -> tuple[int, dict[str, tuple[int, int]]]:
        return self._readings(self._rows(sql)[0])

    def _rows(self, sql: str) -> list[Sequence[Any]]:
        return list(rows(self._connection, sql))

    def _readings(self, cells: Sequence[Any]) -> tuple[int, dict[str, tuple[int, int]]]:
        """Take an answer apart; sums arrive as exact decimals."""
        count, rest = int(cells[0]), iter(cells[1:])
        sums = {}
        for name, _ in self._content.columns:
            present = int(next(rest)) if name in self._hashes.nullable else count
            sums[name] = (present, int(next(rest) or 0) % MODULUS)
        return count, sums

    def _key_leads_an_index(self) -> bool:
        """Whether ranges of the key hold every row, and can be found without reading the whole table each time."""
        if self._content.key[0] in self._hashes.nullable:
            return False
        schema = literal(self._content.schema) if self._content.schema else "DATABASE()"
        found = scalar(
            self._connection,
            "SELECT COUNT(*) FROM information_schema.STATISTICS WHERE SEQ_IN_INDEX = 1 AND NON_UNIQUE = 0"
            f" AND TABLE_SCHEMA = {schema} AND TABLE_NAME = {literal(self._content.table)}"
            f" AND COLUMN_NAME = {literal(self._content.key[0])}",
        )
        return bool(found)


def _split(low: int, high: int, beyond: int | None) -> list[tuple[bool, int, int]]:
    """Divide a key range at the largest key of an earlier state."""
    if beyond is None or high <= beyond:
        return [(False, low, high)]
    if low > beyond:
        return [(True, low, high)]
    return [(False, low, beyond), (True, beyond + 1, high)]
