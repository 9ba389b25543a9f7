"""Two states that did not look at the same schemas: what only one of them can know of is left out, and listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from migkit import frames
from migkit.dialects.base import Row
from migkit.errors import NotComparable
from migkit.framing import plain
from migkit.state.snapshot import State

# What belongs to the database as a whole has this for a schema.
_WHOLE = ""
_FRAMES = tuple(spec.name for spec in frames.STATE_FRAMES if "schema" in spec.names)


def in_common(before: State, after: State) -> tuple[State, State, list[Row]]:
    """Reduce two states to the schemas that both looked at.

    Parameters
    ----------
    before, after : State
        The states.

    Returns
    -------
    tuple of (State, State, list of rows)
        The states, without what the other did not look at; and the schemas left out, as rows of
        :data:`migkit.frames.UNCHECKED`.

    Raises
    ------
    NotComparable
        If nothing is left of what they hold.
    """
    if before.schemas == after.schemas:
        return before, after, []
    only_before, only_after = _not_of(before, after), _not_of(after, before)
    why = {
        **dict.fromkeys(only_before, f"only the earlier state looked at it ({before.database})"),
        **dict.fromkeys(only_after, f"only the later state looked at it ({after.database})"),
    }
    unchecked = [{"what": f"schema {name}", "why": why[name]} for name in sorted(why)]
    left, right = _without(before, only_before), _without(after, only_after)
    if left.tables.empty and right.tables.empty and not (before.tables.empty and after.tables.empty):
        raise NotComparable(
            "The two states looked at different schemas, and have no table in common",
            where=f"{before.database}, {after.database}",
            next_step="Capture both of the same schemas.",
        )
    return left, right, unchecked


def _not_of(state: State, other: State) -> set[str]:
    """Return the schemas of which a state holds something, and at which the other one did not look."""
    if other.schemas is None and other.default_schema != _WHOLE:
        return set()
    # Where a database is called by the empty name, it alone is looked at unless others are asked for.
    return _known(state) - set(other.schemas or ()) - {_WHOLE}


def _known(state: State) -> set[str]:
    """Return the schemas of which a state holds something."""
    kinds, names = plain(state.objects["kind"]), plain(state.objects["name"])
    held = {name for frame in _FRAMES for name in plain(getattr(state, frame)["schema"])}
    return held | {name for kind, name in zip(kinds, names, strict=True) if kind == "schema"}


def _without(state: State, schemas: set[str]) -> State:
    if not schemas:
        return state
    reduced: dict[str, Any] = {frame: _rows_elsewhere(getattr(state, frame), schemas) for frame in _FRAMES}
    objects = reduced["objects"]
    rights = tuple(f"schema {name} → " for name in schemas)
    # A schema itself, and who may use it, belong to the database as a whole.
    about = [
        (kind == "schema" and name in schemas) or (kind == "grant" and name.startswith(rights))
        for kind, name in zip(plain(objects["kind"]), plain(objects["name"]), strict=True)
    ]
    reduced["objects"] = objects.loc[~np.array(about, dtype=np.bool_)]
    return replace(state, **reduced)


def _rows_elsewhere(frame: pd.DataFrame, schemas: set[str]) -> pd.DataFrame:
    return pd.DataFrame(frame[~frame["schema"].isin(schemas)])
