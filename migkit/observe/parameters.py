"""The values a statement was sent with, short enough to read beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_MAX_SETS = 3
_MAX_LENGTH = 200


def with_parameters(sql: str, parameters: Any) -> str:
    """Return a statement followed by its values as a comment.

    Parameters
    ----------
    sql : str
        The statement, with placeholders.
    parameters : Any
        What the driver gets: nothing, one set of values, or a list of sets.

    Returns
    -------
    str
        ``UPDATE t SET a = ?  -- ['x']``; long values are cut, of many sets the first three are shown.

    Examples
    --------
    >>> with_parameters("DELETE FROM t WHERE id = ?", (7,))
    'DELETE FROM t WHERE id = ?  -- [7]'
    """
    if not parameters:
        return sql
    if isinstance(parameters, list):
        shown = ", ".join(_one(one) for one in parameters[:_MAX_SETS])
        more = f" … {len(parameters):,} sets" if len(parameters) > _MAX_SETS else ""
        return f"{sql}  -- {_cut(shown)}{more}"
    return f"{sql}  -- {_cut(_one(parameters))}"


def _one(values: Any) -> str:
    if isinstance(values, Mapping):
        return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in values.items()) + "}"
    if isinstance(values, Sequence):
        return "[" + ", ".join(_value(value) for value in values) + "]"
    return _value(values)


def _value(value: Any) -> str:
    # repr() of a long value would build all of it only to throw it away.
    if isinstance(value, str | bytes) and len(value) > _MAX_LENGTH:
        return repr(value[:_MAX_LENGTH]) + "…"
    return repr(value)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1] + "…"
