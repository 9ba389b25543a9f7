"""From segment readings to digests: the arithmetic that makes readings of disjoint rows add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from migkit.dialects.base import Row, SegmentContent, TableContent
from migkit.frames import SEGMENTS

MODULUS = 2**64
MAX_SEGMENTS = 64


def digest(total: int) -> str:
    """Write a sum of hashes as 16 hex digits; a text, because a 64-bit number does not survive every frame."""
    return f"{total % MODULUS:016x}"


def segment_shift(smallest: int, largest: int) -> int:
    """Return the narrowest power-of-two width that keeps a key range within :data:`MAX_SEGMENTS` segments.

    Widths are powers of two and segments start at multiples of them, so that two states captured months apart can
    be brought to a common width by adding neighbours.

    Examples
    --------
    >>> segment_shift(1, 50), segment_shift(1, 1_000_000)
    (0, 14)
    """
    shift = 0
    while (largest >> shift) - (smallest >> shift) >= MAX_SEGMENTS:
        shift += 1
    return shift


@dataclass
class ContentTotals:
    """What has been read of one table so far; workers add to it one reading at a time."""

    content: TableContent
    segments: dict[tuple[int, bool], _Segment] = field(default_factory=dict)
    row_sum: int = 0
    partitions: dict[tuple[str, str], int] = field(default_factory=dict)
    earlier_rows: str | None = None

    def add(self, reading: SegmentContent) -> None:
        """Add one reading."""
        segment = self.segments.setdefault((reading.segment, reading.appended), _Segment())
        segment.rows += reading.rows
        for column, (present, total) in reading.sums.items():
            known_present, known_total = segment.sums.get(column, (0, 0))
            segment.sums[column] = (known_present + present, (known_total + total) % MODULUS)
        self.row_sum = (self.row_sum + reading.row_sum) % MODULUS
        for partition, rows in reading.partitions.items():
            self.partitions[partition] = self.partitions.get(partition, 0) + rows

    @property
    def rows(self) -> int:
        """Rows read."""
        return sum(segment.rows for segment in self.segments.values())

    def column_digest(self, column: str) -> tuple[int, str]:
        """Return a column's NULLs and digest over all rows."""
        present = total = 0
        for segment in self.segments.values():
            one_present, one_total = segment.sums.get(column, (0, 0))
            present += one_present
            total += one_total
        return self.rows - present, digest(total)

    def segment_rows(self) -> Iterable[Row]:
        """Return the rows of the ``segments`` frame."""
        for (number, appended), segment in sorted(self.segments.items()):
            for column, _ in self.content.columns:
                present, total = segment.sums.get(column, (0, 0))
                yield dict(
                    zip(
                        SEGMENTS.names,
                        (
                            self.content.schema,
                            self.content.table,
                            number,
                            appended,
                            column,
                            segment.rows,
                            segment.rows - present,
                            digest(total),
                        ),
                        strict=True,
                    )
                )


@dataclass
class _Segment:
    rows: int = 0
    sums: dict[str, tuple[int, int]] = field(default_factory=dict)
