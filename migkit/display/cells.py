"""How a cell of a frame reads: its unit is in its column's name, its kind in the column's dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from migkit.display import units
from migkit.framing import plain

Render = Callable[[Any], str]

_BY_SUFFIX: tuple[tuple[str, Render], ...] = (
    ("_bytes", units.size),
    ("_ms", units.milliseconds),
    ("seconds", units.duration),
    ("_diff", units.signed),
    ("_new", units.signed),
)


def header(name: str) -> str:
    """Return a column's name for people: without its unit, which the cells carry."""
    return name.removesuffix("_bytes").removesuffix("_ms").replace("_", " ")


def is_number(series: pd.Series[Any]) -> bool:
    """Whether a column is read by comparing digits, and therefore set flush right."""
    return pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype)


def cell_texts(series: pd.Series[Any], name: str) -> list[str]:
    """Return every cell of a column as text for people; not escaped yet."""
    render = _render_for(series, name)
    return [units.MISSING if value is None else render(value) for value in plain(series)]


def _render_for(series: pd.Series[Any], name: str) -> Render:
    if is_number(series):
        by_unit = next((render for suffix, render in _BY_SUFFIX if name.endswith(suffix)), None)
        return by_unit or (units.count if pd.api.types.is_integer_dtype(series.dtype) else _number)
    if pd.api.types.is_bool_dtype(series.dtype):
        return units.yes_no
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return units.instant
    return str


def _number(value: float) -> str:
    return f"{value:,.6g}".replace("-", units.MINUS)
