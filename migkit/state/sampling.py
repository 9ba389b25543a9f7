"""Which rows a capture reads: all of them, a sample of whole key segments, or none.

A sample is chosen by a seed, and kept in the state: a capture like it reads the same segments again, so that their
digests compare. What is outside of it is listed as unchecked, and no comparison with it calls anything identical.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from migkit.dialects.base import Dialect, Part, Row, TableContent
from migkit.framing import plain
from migkit.state.content_facts import NOTHING_READ
from migkit.state.plan import PlannedTable
from migkit.state.row_narrowing import FIRST_BITS, key_shift
from migkit.state.snapshot import RowsMode, State, TableName

# One segment in so many is read.
SHARE = 16
# Tables of up to so many rows are read whole.
WHOLE_ROWS = 100_000
NOTHING = NOTHING_READ


@dataclass(frozen=True)
class Sample:
    """What of a table's rows is read.

    Parameters
    ----------
    plan : PlannedTable
        How.
    rows : int or None
        How many rows there are; ``None`` where counting them is part of reading all, or was not asked for.
    estimate : int or None
        The server's own estimate, where rows were not counted.
    text : str or None
        What the state keeps of it; ``None`` where every row is read.
    """

    plan: PlannedTable
    rows: int | None = None
    estimate: int | None = None
    text: str | None = None

    @property
    def reads_rows(self) -> bool:
        """Whether any row is read."""
        return self.text != NOTHING


def sampled(
    dialect: Dialect, connection: Connection, plans: list[PlannedTable], mode: RowsMode, seed: int, like: State | None
) -> list[Sample]:
    """Decide what is read of every table.

    Parameters
    ----------
    dialect, connection
        The engine, and a session of the snapshot.
    plans : list of PlannedTable
        How all rows would be read.
    mode : {"exact", "sample", "estimate"}
        How much to read.
    seed : int
        What chooses the segments.
    like : State or None
        A state whose segments are read again.

    Returns
    -------
    list of Sample
        One for each plan.
    """
    if mode == "exact":
        return [Sample(plan) for plan in plans]
    if mode == "estimate":
        return [Sample(plan, estimate=dialect.estimate_rows(connection, plan.content), text=NOTHING) for plan in plans]
    earlier = _samples(like)
    return [_choose(dialect, connection, plan, seed, earlier) for plan in plans]


def unchecked(samples: list[Sample], seed: int) -> Iterator[Row]:
    """List what is outside the samples."""
    for sample in samples:
        table = sample.plan.content.table
        if sample.text == NOTHING:
            yield {"what": f"rows of {table}", "why": "rows='estimate' reads none"}
        elif sample.text is not None:
            (part,) = sample.plan.content.within
            yield {
                "what": f"rows of {table} outside the sample",
                "why": f"rows='sample' read {len(part.segments):,} key segments, about one in {SHARE} (seed {seed})",
            }


def _samples(like: State | None) -> dict[TableName, str | None]:
    if like is None:
        return {}
    cells = (plain(like.tables[name]) for name in ("schema", "table", "sample"))
    return {(schema, table): sample for schema, table, sample in zip(*cells, strict=True)}


def _choose(
    dialect: Dialect, connection: Connection, plan: PlannedTable, seed: int, earlier: dict[TableName, str | None]
) -> Sample:
    content = plan.content
    name = (content.schema, content.table)
    if name in earlier:
        part = _read(earlier[name])
        if part is None:
            return Sample(plan)
    else:
        rows = 0 if content.pages == 0 else dialect.count_rows(connection, content)
        if not content.key or rows <= WHOLE_ROWS:
            return Sample(plan)
        part = _new_part(dialect, connection, content, seed)
        return Sample(_within(plan, part), rows, text=_written(part))
    return Sample(_within(plan, part), dialect.count_rows(connection, content), text=_written(part))


def _new_part(dialect: Dialect, connection: Connection, content: TableContent, seed: int) -> Part:
    bounds = dialect.integer_key_range(connection, content) if content.shift is not None else None
    if bounds is None:
        return Part(tuple(_chosen(0, 2**FIRST_BITS - 1, seed)), None, FIRST_BITS)
    shift = key_shift(*bounds)
    return Part(tuple(_chosen(bounds[0] >> shift, bounds[1] >> shift, seed)), shift)


def _chosen(first: int, last: int, seed: int) -> list[int]:
    chosen = [number for number in range(first, last + 1) if _draw(seed, number) % SHARE == 0]
    return chosen or [first + _draw(seed, first) % (last - first + 1)]


def _draw(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}/{number}".encode(), digest_size=8).digest(), "big")


def _within(plan: PlannedTable, part: Part) -> PlannedTable:
    content = replace(
        plan.content,
        shift=part.shift,
        slice_bits=part.slice_bits,
        within=(part,),
        # Ranges are found along the key's index; slices by looking at every block.
        pages=None if part.shift is not None else plan.content.pages,
    )
    return replace(plan, content=content)


def _written(part: Part) -> str:
    return json.dumps({"shift": part.shift, "bits": part.slice_bits, "segments": part.segments})


def _read(text: str | None) -> Part | None:
    if text is None or text == NOTHING:
        return None
    cells = json.loads(text)
    return Part(tuple(cells["segments"]), cells["shift"], cells["bits"])
