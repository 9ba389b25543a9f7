"""Frames such as results hold, with the names that people should never choose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from migkit import frames
from migkit.framing import FrameSpec

HOSTILE = (
    'order"; drop table x;--',
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "Mixed.Case",
    "ünï 漢字 🙂",
    "$x^2$ \\alpha",
    "100 % :of {this}",
    "red\x1b[31m\u202egnp",
    "' onmouseover='alert(1)",
)
START = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)


def rows_of(spec: FrameSpec, rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Build a frame from rows that give only the first columns."""
    return spec.build(dict(zip(spec.names, row, strict=False)) for row in rows)


def at(milliseconds: float) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def table_changes() -> pd.DataFrame:
    return frames.TABLE_CHANGES.build(
        [
            ("public", "users", "unchanged", 3, 3, 0, "intact", None, None),
            ("public", "orders", "unchanged", 500_000, 499_000, -1000, "rows removed", None, None),
            ("public", "items", "unchanged", 10, 10, 0, "changed", None, None),
            ("public", "profiles", "added", None, 7, 7, "added", None, None),
            ("public", "old", "removed", 3, None, -3, "removed", None, None),
            ("shop", "new_name", "renamed", 3, 3, 0, "intact", "old_name", None),
            *(("public", name, "unchanged", 1, 1, 0, "intact", None, None) for name in HOSTILE),
        ]
    )


def locks() -> pd.DataFrame:
    return rows_of(
        frames.LOCKS,
        [
            ("users", "AccessExclusiveLock", 1, at(4), at(181), 177.0, "reads and writes", True),
            ("users", "AccessShareLock", 1, at(5), at(180), 175.0, "nothing but schema changes", True),
            ("orders", "ShareLock", 2, at(52), at(181), 129.0, "writes", True),
            (HOSTILE[1], "ShareLock", 2, at(52), at(181), 129.0, "writes", True),
            ("profiles", "AccessExclusiveLock", 1, at(3), at(181), 178.0, "reads and writes", True),
        ],
    )


def waits() -> pd.DataFrame:
    query = "SELECT '<b>' FROM users"
    return rows_of(
        frames.WAITS,
        [(4711, 4700, "users", "AccessShareLock", query, "ALTER TABLE users", True, at(60), at(180), 120.0)],
    )


def statements() -> pd.DataFrame:
    return frames.STATEMENTS.build(
        [
            {
                "number": 1,
                "kind": "ddl",
                "sql": "CREATE TABLE profiles (id integer)",
                "summary": "Created table profiles",
                "started_at": at(0),
                "seconds": 0.12,
                "transaction": "1",
                "outcome": "applied",
            },
            {
                "number": 2,
                "kind": "ddl",
                "sql": "ALTER TABLE x RENAME TO y",
                "started_at": at(125),
                "seconds": 0.05,
                "transaction": "1",
                "outcome": "failed",
                "error": "no such table: x <b>",
            },
        ]
    )
