"""The company a migration has while it is rehearsed: canaries on the tables it touches, and perhaps a long reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd

from migkit import frames
from migkit.database import Database
from migkit.errors import ConnectionFailed
from migkit.framing import FrameSpec
from migkit.load.canary import WHAT, Seen, canaries
from migkit.load.long_reader import long_reader
from migkit.state.segments import TableName
from migkit.storage import decode_frame, encode_frame

_FRAMES: tuple[FrameSpec, ...] = (frames.LOAD_STATEMENTS, frames.TIMELINE, frames.LOAD_ERRORS, frames.STALLS)


@dataclass(frozen=True, eq=False)
class Company:
    """What others would have gone through while the migration went up.

    Attributes
    ----------
    statements, timeline, errors, stalls : pandas.DataFrame
        :data:`migkit.frames.LOAD_STATEMENTS`, :data:`migkit.frames.TIMELINE`, :data:`migkit.frames.LOAD_ERRORS` and
        :data:`migkit.frames.STALLS` of the canaries.
    reader_seconds : float or None
        How long a transaction that had read the touched tables was to stay open.
    """

    statements: pd.DataFrame
    timeline: pd.DataFrame
    errors: pd.DataFrame
    stalls: pd.DataFrame
    reader_seconds: float | None = None

    @classmethod
    def of(cls, seen: Seen, reader_seconds: float | None) -> Company:
        """Freeze what canaries saw."""
        return cls(seen.statements, seen.timeline, seen.errors, seen.stalls, reader_seconds)

    def to_document(self) -> dict[str, Any]:
        """Return the company as JSON values."""
        encoded = {spec.name: encode_frame(spec, getattr(self, spec.name)) for spec in _FRAMES}
        return encoded | {"reader_seconds": self.reader_seconds}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Company:
        """Read what :meth:`to_document` wrote."""
        decoded = {spec.name: decode_frame(spec, document[spec.name]) for spec in _FRAMES}
        return cls(**decoded, reader_seconds=document.get("reader_seconds"))


@contextmanager
def company(
    copy: Database, tables: Sequence[TableName], seen: Seen, *, alone: str | None, reader_seconds: float | None
) -> Iterator[None]:
    """Keep a migration company.

    Parameters
    ----------
    copy : Database
        The clone.
    tables : sequence of (schema, table)
        What the migration touches.
    seen : Seen
        Where canaries put what they see; complete when the block is over, however it ends.
    alone : str or None
        Why there are to be no canaries; ``None`` where there are.
    reader_seconds : float or None
        How long a transaction that has read the tables stays open.
    """
    with ExitStack() as stack:
        if alone is None and tables:
            stack.enter_context(canaries(copy, tables, seen=seen))
        else:
            why = alone or "the migration touches no table that was there before"
            seen.unchecked.append({"what": WHAT, "why": why})
        if reader_seconds is not None:
            _read_along(stack, copy, tables, reader_seconds, seen)
        yield


def _read_along(stack: ExitStack, copy: Database, tables: Sequence[TableName], seconds: float, seen: Seen) -> None:
    try:
        stack.enter_context(long_reader(copy, seconds, tables))
    except ConnectionFailed as error:
        seen.unchecked.append({"what": "the queue behind a long reader", "why": error.what})
