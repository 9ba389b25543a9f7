"""From a table to the few parts of it that differ, by digests of ever narrower segments on both sides.

A segment that is equal on both sides is never looked at again, so that the work follows the number of differences and
not of rows. Ranges of an integer key are narrowed along the key's index. Slices of a key's hash need a look at each
row, and are therefore narrow from the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migkit.dialects.base import Part, TableContent
from migkit.state.row_sides import Digests, Sides, read_digests

# The first look: about a thousand segments.
FIRST_SEGMENTS = 1024
FIRST_BITS = 10
# The next one: each of them divided by 64.
STEP_BITS = 6
# So few rows are streamed rather than narrowed further, and so are segments of so few rows each.
_FEW_ROWS = 50_000
_NARROW_ENOUGH_ROWS = 64
# Rows looked at in one step: what the client keeps of them is one digest for each narrow segment.
_ROWS_PER_STEP = 1_000_000


def key_shift(smallest: int, largest: int) -> int:
    """Return the narrowest width, as a power of two, that divides a range of keys into :data:`FIRST_SEGMENTS`."""
    shift = 0
    while (largest >> shift) - (smallest >> shift) >= FIRST_SEGMENTS:
        shift += 1
    return shift


def divided(content: TableContent, shift: int | None, bits: int | None, within: tuple[Part, ...] = ()) -> TableContent:
    """Return how to read a table, or parts of it, in segments of a certain width."""
    # Along an index one session is enough; slices are found by reading every block.
    pages = None if any(part.shift is not None for part in within) else content.pages
    return replace(content, shift=shift, slice_bits=None if shift is not None else bits, within=within, pages=pages)


def narrowed(sides: Sides, found: tuple[Digests, Digests], within: tuple[Part, ...]) -> Iterator[tuple[Part, ...]]:
    """Narrow what differs.

    Parameters
    ----------
    sides : pair of Side
        The databases.
    found : pair of Digests
        What was read of both, in segments of one width.
    within : tuple of Part
        Of which parts of the table that was.

    Yields
    ------
    tuple of Part
        Parts of the table in which rows differ, narrow enough to look at each row.
    """
    content = found[0].content
    differing = found[0].differing(found[1])
    if content.shift is None:
        yield from _by_slices(sides, found, differing, within)
        return
    for segments, rows in _steps(differing):
        yield from _by_ranges(sides, (*within, Part(segments, content.shift)), rows)


def _steps(differing: dict[int, int]) -> Iterator[tuple[tuple[int, ...], int]]:
    """Divide segments into steps of bounded numbers of rows."""
    step: list[int] = []
    total = 0
    for segment, rows in differing.items():
        if step and total + rows > _ROWS_PER_STEP:
            yield tuple(step), total
            step, total = [], 0
        step.append(segment)
        total += rows
    if step:
        yield tuple(step), total


def _by_ranges(sides: Sides, within: tuple[Part, ...], rows: int) -> Iterator[tuple[Part, ...]]:
    part = within[-1]
    if _is_narrow_enough(rows, len(part.segments)):
        yield within
        return
    assert part.shift is not None
    if part.shift > 0:
        yield from narrowed(sides, _read(sides, max(0, part.shift - STEP_BITS), None, within), within)
    elif any(len(side.content.key) == 1 for side in sides):
        # Rows of one key: there is nothing to tell them apart by.
        yield within
    else:
        yield from narrowed(sides, _read(sides, None, FIRST_BITS, within), within)


def _by_slices(
    sides: Sides, found: tuple[Digests, Digests], differing: dict[int, int], within: tuple[Part, ...]
) -> Iterator[tuple[Part, ...]]:
    if not differing:
        return
    bits, rows = found[0].content.slice_bits or 0, sum(differing.values())
    parts = (*(part for part in within if part.shift is not None), Part(tuple(differing), None, bits))
    everywhere = 2 * rows > max(one.rows for one in found)
    if bits > FIRST_BITS or _is_narrow_enough(rows, len(differing)) or (everywhere and bits == FIRST_BITS):
        yield parts
        return
    yield from narrowed(sides, _read(sides, None, bits + STEP_BITS, parts), parts)


def _is_narrow_enough(rows: int, segments: int) -> bool:
    return rows <= _FEW_ROWS or rows <= _NARROW_ENOUGH_ROWS * segments


def _read(sides: Sides, shift: int | None, bits: int | None, within: tuple[Part, ...]) -> tuple[Digests, Digests]:
    one, other = (divided(side.content, shift, bits, within) for side in sides)
    return read_digests(sides, (one, other))
