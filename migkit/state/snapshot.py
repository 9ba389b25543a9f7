"""The :class:`State` of a database at one instant, and its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from migkit import frames
from migkit.display.card import Card
from migkit.display.results import Drawn, state_card
from migkit.errors import StateUnreadable
from migkit.framing import FrameSpec
from migkit.state.schema_digest import SchemaDigest
from migkit.storage import decode_frame, decode_instant, encode_frame, encode_instant, read_json, write_json

FORMAT = 1
_FRAMES: dict[str, FrameSpec] = {spec.name: spec for spec in frames.STATE_FRAMES}


RowsMode = Literal["exact", "sample", "estimate"]
TableName = tuple[str, str]


@dataclass(frozen=True, eq=False, repr=False)
class State(Drawn):
    """All that was true of a database at one instant.

    Attributes
    ----------
    database : str
        The alias or name it was captured from.
    server : str
        The server's version.
    engine : str
        What people call the engine.
    captured_at : datetime
        The instant, in UTC.
    fingerprint_method : str
        Names how digests were computed; only equal methods compare.
    default_schema : str
        The schema that needs no qualification.
    tables, columns, constraints, indexes, objects, orphans, segments, unchecked : pandas.DataFrame
        Described in :mod:`migkit.frames`.
    schema_dump : SchemaDigest or None
        The schema as the engine's own tool writes it, as hashes; ``None`` where there was no tool for it.
    rows : {"exact", "sample", "estimate"}
        Which rows were read: all, those of some key segments of large tables, none. All but the first list what was
        not read in ``unchecked``, and never compare as identical.
    seed : int
        What chose the key segments of a sample.
    schemas : tuple of str or None
        The schemas that were looked at, where not all were to be.
    """

    database: str
    server: str
    engine: str
    captured_at: datetime
    fingerprint_method: str
    default_schema: str
    tables: pd.DataFrame = field(repr=False)
    columns: pd.DataFrame = field(repr=False)
    constraints: pd.DataFrame = field(repr=False)
    indexes: pd.DataFrame = field(repr=False)
    objects: pd.DataFrame = field(repr=False)
    orphans: pd.DataFrame = field(repr=False)
    segments: pd.DataFrame = field(repr=False)
    unchecked: pd.DataFrame = field(repr=False)
    schema_dump: SchemaDigest | None = field(default=None, repr=False)
    rows: RowsMode = "exact"
    seed: int = 0
    schemas: tuple[str, ...] | None = None

    @property
    def total_rows(self) -> int:
        """Rows of all tables; partitions count once, through their table."""
        own = self.tables[self.tables["kind"] != "partition"]
        return int(own["rows"].fillna(0).sum())

    def save(self, path: str | Path) -> Path:
        """Write the state as one JSON file.

        Parameters
        ----------
        path : str or Path
            ``*.json``, or ``*.json.zst`` to compress it.

        Returns
        -------
        Path
            The file.
        """
        return write_json(Path(path), self.to_document())

    def to_document(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "migkit": "state",
            "format": FORMAT,
            "database": self.database,
            "server": self.server,
            "engine": self.engine,
            "captured_at": encode_instant(self.captured_at),
            "fingerprint_method": self.fingerprint_method,
            "default_schema": self.default_schema,
            "schema_dump": self.schema_dump and self.schema_dump.to_document(),
            "rows": self.rows,
            "seed": self.seed,
            "schemas": None if self.schemas is None else list(self.schemas),
            "frames": {name: encode_frame(spec, getattr(self, name)) for name, spec in _FRAMES.items()},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str = "state") -> State:
        """Read what :meth:`to_document` wrote.

        Raises
        ------
        StateUnreadable
            If it is no state, is damaged, or was written by a later version.
        """
        if document.get("migkit") != "state":
            raise StateUnreadable("This is not a saved state", where=where)
        if not isinstance(document.get("format"), int) or document["format"] > FORMAT:
            raise StateUnreadable(
                f"This state has format {document.get('format')!r}; this migkit reads up to {FORMAT}",
                where=where,
                next_step="Upgrade migkit.",
            )
        try:
            return cls(
                database=document["database"],
                server=document["server"],
                engine=document["engine"],
                captured_at=decode_instant(document["captured_at"]),
                fingerprint_method=document["fingerprint_method"],
                default_schema=document["default_schema"],
                schema_dump=SchemaDigest.from_document(document.get("schema_dump")),
                rows=document.get("rows", "exact"),
                seed=document.get("seed", 0),
                # States of earlier versions do not say it.
                schemas=None if document.get("schemas") is None else tuple(document["schemas"]),
                **{name: decode_frame(spec, document["frames"][name]) for name, spec in _FRAMES.items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateUnreadable(f"The state is damaged: {error!r}", where=where) from None

    def card(self) -> Card:
        """Return what the state shows of itself."""
        return state_card(self)


def load_state(path: str | Path) -> State:
    """Read a saved state; no database is needed.

    Parameters
    ----------
    path : str or Path
        A file that :meth:`State.save` wrote.

    Returns
    -------
    State
        The state as it was captured.

    Raises
    ------
    StateUnreadable
        If the file is missing, damaged, no state, or of a later version.
    """
    return State.from_document(read_json(Path(path)), where=str(path))


def key_columns(cell: str | None) -> tuple[str, ...]:
    """Read the ``key`` cell of a tables frame."""
    return tuple(json.loads(cell)) if cell else ()
