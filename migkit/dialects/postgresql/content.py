"""Digesting rows inside PostgreSQL: one pass over a range of blocks, one aggregate per column and segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.base import SegmentContent, TableContent
from migkit.dialects.postgresql.hashing import is_integer
from migkit.dialects.postgresql.plans import NO_PARTITION, Reading, key_types, plan_reading, relation
from migkit.dialects.postgresql.session import is_permission_error
from migkit.dialects.postgresql.sql import execute, quote

# Digests fit into 64 bits.
MODULUS = 2**64
# Blocks of 8 kB: enough that a task is worth a query, few enough that sessions end together and progress moves.
_PAGES_PER_TASK = 2048
_MAX_TASKS = 256
# A target list holds 1,664 entries at the most, and a column needs two.
_COLUMNS_PER_QUERY = 400
# Kinds whose size in pages says whether there are rows, and that can be read by ranges of blocks.
_HEAPS = ("table", "partition", "materialized view")


@dataclass(frozen=True)
class BlockRange:
    """Blocks of a table from `first` up to, not including, `end`; without an end also those added since."""

    first: int = 0
    end: int | None = None

    @property
    def condition(self) -> str:
        """The range as SQL; empty for all blocks."""
        bounds = []
        if self.first:
            bounds.append(f"ctid >= '({self.first},0)'")
        if self.end is not None:
            bounds.append(f"ctid < '({self.end},0)'")
        return " AND ".join(bounds)


def content_tasks(content: TableContent) -> list[BlockRange]:
    """Divide a table into ranges of blocks; none for a table without blocks."""
    if content.pages is None or content.kind not in _HEAPS:
        return [BlockRange()]
    if content.pages == 0:
        return []
    step = max(_PAGES_PER_TASK, -(-content.pages // _MAX_TASKS))
    starts = range(0, content.pages, step)
    return [BlockRange(start, start + step if start != starts[-1] else None) for start in starts]


def integer_key_range(connection: Connection, content: TableContent) -> tuple[int, int] | None:
    """Return the smallest and largest value of the first key column.

    ``None`` if it is no integer, if there are no rows, or if they may not be read, which :func:`read_content` then
    tells.
    """
    if not content.key or not is_integer(key_types(connection, content)[content.key[0]]):
        return None
    key = quote(content.key[0])
    try:
        with connection.begin_nested():
            sql = f"SELECT min({key}), max({key}) FROM {relation(content)}"
            smallest, largest = execute(connection, sql).one()
    except DBAPIError as error:
        if is_permission_error(error):
            return None
        raise
    return None if smallest is None else (int(smallest), int(largest))


def read_content(connection: Connection, content: TableContent, task: BlockRange) -> Iterator[SegmentContent]:
    """Digest the rows of a range of blocks.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        A session of a snapshot.
    content : TableContent
        What to read.
    task : BlockRange
        One of :func:`content_tasks`.

    Yields
    ------
    SegmentContent
        One for each segment that has rows among these blocks.
    """
    reading = plan_reading(connection, content, task.condition)
    merged: dict[tuple[int, bool], _Sums] = {}
    for start in range(0, len(reading.hashes), _COLUMNS_PER_QUERY) or range(1):
        columns = reading.hashes[start : start + _COLUMNS_PER_QUERY]
        for row in execute(connection, _aggregate(reading, columns, first=start == 0)):
            # A key that lost its NOT NULL since may be NULL.
            sums = merged.setdefault((int(row[0] or 0), bool(row[1])), _Sums())
            sums.add(row, [name for name, _, _ in columns], first=start == 0)
    names = _partition_names(connection, merged)
    for (segment, appended), sums in sorted(merged.items(), key=lambda one: one[0]):
        if sums.rows:
            yield sums.content(segment, appended, names)


def _aggregate(reading: Reading, columns: Sequence[tuple[str, str, str]], *, first: bool) -> str:
    """Return a query of: segment, appended, partition, rows, row sum, then count and sum of each column."""
    keys = [reading.segment, reading.appended, reading.partition]
    row_sum = f"sum({reading.row_hash})" if reading.row_hash and first else "NULL"
    cells = [cell for _, value, hashed in columns for cell in (f"count({value})", f"sum({hashed})")]
    # Constants are not grouped by: then there is one hash table at the most, or none at all.
    constants = ("0", "false", NO_PARTITION)
    grouped = [str(number) for number, key in enumerate(keys, start=1) if key not in constants]
    group_by = f" GROUP BY {', '.join(grouped)}" if grouped else ""
    return f"SELECT {', '.join([*keys, 'count(*)', row_sum, *cells])} FROM {reading.source}{group_by}"


@dataclass
class _Sums:
    """What has been read of one segment so far."""

    rows: int = 0
    sums: dict[str, tuple[int, int]] = field(default_factory=dict)
    row_sum: int = 0
    partitions: dict[int, int] = field(default_factory=dict)

    def add(self, row: Sequence[Any], columns: Sequence[str], *, first: bool) -> None:
        """Add one row of :func:`_aggregate`; the first query of several also counts rows."""
        _, _, partition, rows, row_sum, *values = row
        if first:
            self.rows += rows
            self.row_sum = (self.row_sum + int(row_sum or 0)) % MODULUS
            if partition is not None:
                self.partitions[partition] = self.partitions.get(partition, 0) + rows
        for name, count, total in zip(columns, values[::2], values[1::2], strict=True):
            earlier_count, earlier_total = self.sums.get(name, (0, 0))
            self.sums[name] = (earlier_count + count, (earlier_total + int(total or 0)) % MODULUS)

    def content(self, segment: int, appended: bool, names: dict[int, tuple[str, str]]) -> SegmentContent:
        """Return the sums as the contract has them."""
        partitions = {names[oid]: rows for oid, rows in self.partitions.items()}
        return SegmentContent(segment, appended, self.rows, self.sums, self.row_sum, partitions)


def _partition_names(connection: Connection, merged: dict[tuple[int, bool], _Sums]) -> dict[int, tuple[str, str]]:
    oids = {oid for sums in merged.values() for oid in sums.partitions}
    if not oids:
        return {}
    listed = ", ".join(str(oid) for oid in sorted(oids))
    rows = execute(
        connection,
        "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class AS c"
        f" JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid IN ({listed})",
    )
    return {oid: (schema, table) for oid, schema, table in rows}
