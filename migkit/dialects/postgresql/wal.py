"""The write-ahead log as files: positions, segments, and whether a row of them has holes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PARTIAL = ".partial"
_NAME = re.compile(r"[0-9A-F]{24}")
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


def lsn_number(text: str) -> int:
    """Return a position as a number.

    >>> lsn_number("1/A0")
    4294967456
    """
    found = _LSN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no position in a write-ahead log")
    return (int(found[1], 16) << 32) + int(found[2], 16)


@dataclass(frozen=True, order=True)
class Segment:
    """A file of the log: its timeline, and its number counted from the beginning of the log."""

    timeline: int
    number: int

    @classmethod
    def of(cls, name: str, segment_bytes: int) -> Segment | None:
        """Return the segment that a file holds, also one that is still being written; ``None`` for other files."""
        name = name.removesuffix(PARTIAL)
        if not _NAME.fullmatch(name):
            return None
        in_one = 2**32 // segment_bytes
        return cls(int(name[:8], 16), int(name[8:16], 16) * in_one + int(name[16:], 16))

    @classmethod
    def at(cls, lsn: str, timeline: int, segment_bytes: int) -> Segment:
        """Return the segment that holds a position."""
        return cls(timeline, lsn_number(lsn) // segment_bytes)

    def name(self, segment_bytes: int) -> str:
        """Return its file's name.

        >>> Segment(1, 257).name(16 * 2**20)
        '000000010000000100000001'
        """
        in_one = 2**32 // segment_bytes
        return f"{self.timeline:08X}{self.number // in_one:08X}{self.number % in_one:08X}"


def segments(names: Iterable[str], segment_bytes: int) -> list[Segment]:
    """Return the segments that these files hold, in order, each once."""
    found = {Segment.of(name, segment_bytes) for name in names}
    return sorted((one for one in found if one is not None), key=lambda one: (one.number, one.timeline))


def holes(found: Iterable[Segment], first: Segment, last: Segment | None = None) -> Iterator[tuple[Segment, Segment]]:
    """Yield each hole in the log from `first` on, as the first and the last segment missing.

    Timelines do not count: after a failover the same number is on both.

    Parameters
    ----------
    found : iterable of Segment
        What is there.
    first : Segment
        Where the log has to begin.
    last : Segment, optional
        Up to where it has to reach.
    """
    numbers = sorted({one.number for one in found if one.number >= first.number})
    expected = first.number
    for number in numbers:
        if number > expected:
            yield Segment(first.timeline, expected), Segment(first.timeline, number - 1)
        expected = number + 1
    if last is not None and expected <= last.number:
        yield Segment(first.timeline, expected), last
