"""How the server does an ``ALTER TABLE``: found by demanding each algorithm, the cheapest first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.mysql.explanations import error_code
from migkit.dialects.mysql.sql import execute

_NAME = r"(?:`(?:[^`]|``)+`|[^\s`.(]+)"
_ALTER = re.compile(
    rf"\s*ALTER\s+(?:ONLINE\s+)?(?:IGNORE\s+)?TABLE\s+(?:IF\s+EXISTS\s+)?{_NAME}(?:\s*\.\s*{_NAME})?\s+", re.IGNORECASE
)
_INDEX = re.compile(r"\s*(CREATE(\s+\w+)*?|DROP)\s+INDEX\s", re.IGNORECASE)
_STATED = re.compile(r"\bALGORITHM\s*=?\s*(INSTANT|NOCOPY|INPLACE|COPY)\b", re.IGNORECASE)
_LOCKS = ("NONE", "SHARED", "EXCLUSIVE")
# "ALGORITHM=… is not supported", with and without a reason, or the lock level is not, or the grammar takes none here.
_NOT_THIS_WAY = frozenset({1845, 1846, 1800, 1064, 1221})


def alter_algorithm(connection: Connection, sql: str, algorithms: Sequence[str]) -> str | None:
    """Apply a statement by the cheapest algorithm that the server accepts.

    Parameters
    ----------
    connection : Connection
        A session on a database without rows; the statement takes effect there.
    sql : str
        The statement.
    algorithms : sequence of str
        The engine's algorithms, cheapest first.

    Returns
    -------
    str or None
        Algorithm and lock level: ``INPLACE, LOCK=NONE``; ``None`` for statements that have none.
    """
    text = sql.strip().rstrip(";")
    stated = _STATED.search(text)
    if stated is None:
        for algorithm, lock in _choices(algorithms):
            for variant in _variants(text, algorithm, lock):
                if _accepts(connection, variant):
                    return algorithm if lock is None else f"{algorithm}, LOCK={lock}"
    execute(connection, text)
    return f"{stated[1].upper()} (as the statement demands)" if stated else None


def _choices(algorithms: Sequence[str]) -> list[tuple[str, str | None]]:
    choices: list[tuple[str, str | None]] = []
    for algorithm in algorithms:
        choices += [(algorithm, None)] if algorithm == "INSTANT" else [(algorithm, lock) for lock in _LOCKS]
    return choices


def _variants(text: str, algorithm: str, lock: str | None) -> list[str]:
    """Write the demand where the grammar takes it: before the changes, or where that is refused, behind them."""
    alter = _ALTER.match(text)
    if alter:
        demand = f"ALGORITHM={algorithm}" + (f", LOCK={lock}" if lock else "")
        head, changes = text[: alter.end()], text[alter.end() :]
        return [f"{head}{demand}, {changes}", f"{head}{demand} {changes}"]
    if _INDEX.match(text):
        return [f"{text} ALGORITHM={algorithm}" + (f" LOCK={lock}" if lock else "")]
    return []


def _accepts(connection: Connection, sql: str) -> bool:
    try:
        execute(connection, sql)
    except DBAPIError as error:
        if error_code(error) in _NOT_THIS_WAY:
            return False
        raise
    return True
