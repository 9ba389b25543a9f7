"""Rows as text, with the storage class of each value: in SQLite 1 and '1' are two values of one column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection

from migkit.dialects.base import RowValues, TableContent, ValueFamily
from migkit.dialects.sqlite.content import read_bound

_KINDS = {int: "integer", float: "real", str: "text", bytes: "blob", type(None): "null"}

# By what a declared type contains, as SQLite's own affinities are found; the first match counts.
_FAMILIES: tuple[tuple[str, ValueFamily], ...] = (
    ("bool", "boolean"),
    ("json", "json"),
    ("uuid", "uuid"),
    ("timestamptz", "instant"),
    ("timestamp", "timestamp"),
    ("datetime", "timestamp"),
    ("date", "date"),
    ("time", "time"),
    ("int", "integer"),
    ("char", "text"),
    ("clob", "text"),
    ("text", "text"),
    ("blob", "bytes"),
    ("real", "float"),
    ("floa", "float"),
    ("doub", "float"),
    ("num", "decimal"),
    ("dec", "decimal"),
)


def read_values(connection: Connection, content: TableContent, seeds: Sequence[int] | None) -> Iterator[RowValues]:
    """Yield rows as text: those with these seeds, or all."""
    wanted = None if seeds is None else np.array(list(seeds), dtype=np.uint64)
    for batch, bound in read_bound(connection, content):
        keys = [batch.columns[name] for name in content.key]
        columns = [batch.columns[name] for name, _ in content.columns]
        numbers = range(batch.rows) if wanted is None else np.flatnonzero(np.isin(bound.seed, wanted)).tolist()
        for row in numbers:
            cells = [values[row] for values in columns]
            yield RowValues(
                int(bound.seed[row]),
                tuple(value_text(values[row]) for values in keys),
                tuple(map(value_text, cells)),
                tuple(map(_kind, cells)),
            )


def value_text(value: Any) -> str | None:
    """Write a value exactly: a real with the fewest digits that read back the same, a blob in hex."""
    if value is None:
        return None
    return f"x'{value.hex()}'" if isinstance(value, bytes) else str(value)


def _kind(value: Any) -> str:
    return _KINDS[type(value)]


def value_family(declared: str) -> ValueFamily:
    """Return what a declared type stands for; values may yet be of any other kind."""
    declared = declared.lower()
    return next((family for word, family in _FAMILIES if word in declared), "text")
