"""How a frame is described and built: columns with dtypes and roles, and rows that never pass through floats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pandas as pd

Role = Literal["key", "fact", "measure"]

TEXT = "str"
INTEGER = "Int64"
NUMBER = "Float64"
FLAG = "boolean"
INSTANT = "datetime64[us, UTC]"


@dataclass(frozen=True)
class Column:
    """One column of a frame.

    Parameters
    ----------
    name : str
        The column's name; carries its unit (``held_ms``, ``size_bytes``).
    dtype : str
        The pandas dtype. ``Int64`` and ``boolean`` are nullable, so no integer ever becomes a float.
    role : {"key", "fact", "measure"}
        What the column is for.
    doc : str
        One line for people.
    """

    name: str
    dtype: str
    role: Role
    doc: str


class NamedRows(pd.DataFrame):
    """A DataFrame whose rows can also be asked for by the table they are about: ``diff.columns["users"]``.

    A column of that name comes first; ``frame["main.schema"]`` is never one. Everything made from it is a plain frame.

    Examples
    --------
    >>> frame = NamedRows({"schema": ["main", "main"], "table": ["users", "orders"], "rows": [3, 5]})
    >>> frame["orders"]["rows"].tolist(), frame["rows"].tolist()
    ([5], [3, 5])
    """

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str) and key not in self.columns:
            for names in self._names():
                found = pd.Series([name == key for name in names], index=self.index, dtype=bool)
                if found.any():
                    return pd.DataFrame(super().__getitem__(found))
        return super().__getitem__(key)

    def _ipython_key_completions_(self) -> list[str]:
        named = {name: None for names in self._names() for name in names if name is not None}
        return [*self.columns, *named]

    def _names(self) -> list[list[str | None]]:
        """Return what the rows can be called by: the name alone, then the name with its schema."""
        by = next((name for name in ("table", "relation") if name in self.columns), None)
        if by is None:
            return []
        names = plain(super().__getitem__(by))
        if "schema" not in self.columns:
            return [names]
        schemas = plain(super().__getitem__("schema"))
        return [names, [f"{schema}.{name}" for schema, name in zip(schemas, names, strict=True)]]


@dataclass(frozen=True)
class FrameSpec:
    """The columns of one kind of frame, in order."""

    name: str
    doc: str
    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every column name, in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        return self._with_role("key")

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """The columns whose difference is a change."""
        return self._with_role("fact")

    def _with_role(self, role: Role) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.role == role)

    def build(self, rows: Iterable[Mapping[str, Any] | Sequence[Any]]) -> pd.DataFrame:
        """Build a frame with exactly the columns and dtypes of this contract.

        Parameters
        ----------
        rows : iterable of mappings or sequences
            Mappings may leave columns out (they become missing); sequences follow the order of the columns.

        Returns
        -------
        pandas.DataFrame
            A fresh frame; numbers never pass through floats on the way.
        """
        values: dict[str, list[Any]] = {name: [] for name in self.names}
        for row in rows:
            if isinstance(row, Mapping):
                unknown = row.keys() - values.keys()
                if unknown:
                    raise KeyError(f"{self.name} has no column {sorted(unknown)}")
                for name, cells in values.items():
                    cells.append(row.get(name))
            else:
                for cells, cell in zip(values.values(), row, strict=True):
                    cells.append(cell)
        return NamedRows({column.name: _series(values[column.name], column.dtype) for column in self.columns})

    def rows(self, frame: pd.DataFrame) -> list[dict[str, Any]]:
        """Turn a frame back into plain Python rows: ``int``, ``str``, ``bool``, ``datetime`` or ``None``."""
        columns = {column.name: plain(frame[column.name]) for column in self.columns}
        return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _series(values: list[Any], dtype: str) -> pd.Series[Any]:
    if dtype == TEXT:
        return pd.Series([None if value is None else str(value) for value in values], dtype="str")
    if dtype == INSTANT:
        return pd.Series(pd.to_datetime(values, utc=True).astype(INSTANT), dtype=INSTANT)
    return pd.Series(values, dtype=dtype)


def plain(series: pd.Series[Any]) -> list[Any]:
    """Return a column as plain Python values, with ``None`` for what is missing."""
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        return [None if value is pd.NaT else value.to_pydatetime() for value in series]
    values: list[Any] = series.array.to_numpy(dtype=object, na_value=None).tolist()  # type: ignore[call-arg, unused-ignore]
    return values
