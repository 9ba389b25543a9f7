"""The few numbers of a rehearsal that its report's head and the archive's index both show."""

from __future__ import annotations

from typing import Any

import pandas as pd

from migkit.display.lines import Row
from migkit.display.lock_lanes import WEAK, merged_locks, strength


def created_relations(comparison: Any) -> frozenset[str]:
    """Return the relations a migration made itself: whatever it locks there, nobody else used them yet.

    Parameters
    ----------
    comparison : Comparison or None
        Before against after.

    Returns
    -------
    frozenset of str
        Tables, indexes and sequences, by their bare and by their qualified name.
    """
    if comparison is None:
        return frozenset()
    objects: pd.DataFrame = comparison.objects
    parts = (
        (comparison.tables, "table"),
        (comparison.indexes, "name"),
        (objects[objects["kind"] == "sequence"], "name"),
    )
    added = [
        (row["schema"], row[name])
        for frame, name in parts
        for row in frame[frame["change"] == "added"].to_dict("records")
    ]
    return frozenset({name for _, name in added} | {f"{schema}.{name}" for schema, name in added})


def longest_write_lock(locks: pd.DataFrame, comparison: Any) -> Row | None:
    """Return the lock that kept others from writing for longest, on a relation that was there before."""
    held = [row for row in merged_locks(locks, created_relations(comparison)) if strength(row) < WEAK]
    return max(held, key=lambda row: row["held_ms"] or 0.0, default=None)


def summarize(rehearsal: Any) -> dict[str, Any]:
    """Return the numbers the index shows, as JSON values.

    Parameters
    ----------
    rehearsal : Rehearsal
        At any moment; what is not known yet is ``None``.

    Returns
    -------
    dict
        ``rows`` before; ``lock_ms``, the longest lock against writes while it went up (0.0: none).
    """
    rows = None if rehearsal.before is None else int(rehearsal.before.total_rows or 0)
    if rehearsal.up is None:
        return {"rows": rows, "lock_ms": None}
    longest = longest_write_lock(rehearsal.up.locks, rehearsal.comparison)
    return {"rows": rows, "lock_ms": float(longest["held_ms"] or 0.0) if longest else 0.0}
