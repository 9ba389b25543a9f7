"""Which tables are migkit's own, so that captures leave them out without hiding a user's table of the same name."""

from __future__ import annotations

from collections.abc import Iterable

MARKER_COLUMN = "migkit_attempt"
LOG_NAMES = ("migration_log", "migkit_migration_log", "migkit_migration_log_2")
STATEMENTS_SUFFIX = "_statements"

_NAMES = frozenset(LOG_NAMES) | {name + STATEMENTS_SUFFIX for name in LOG_NAMES}


def journal_tables(columns: Iterable[tuple[str, str, str]]) -> set[tuple[str, str]]:
    """Return the tables that are migkit's journal.

    Parameters
    ----------
    columns : iterable of (schema, table, column)
        Every column of the database.

    Returns
    -------
    set of (schema, table)
        Tables that have one of the journal's names *and* its marker column.

    Examples
    --------
    >>> journal_tables([("main", "migration_log", "migkit_attempt"), ("main", "users", "migkit_attempt")])
    {('main', 'migration_log')}
    """
    return {(schema, table) for schema, table, column in columns if column == MARKER_COLUMN and table in _NAMES}
