"""Keeping a run inside its database: what would change the server, or another database on it, is not sent."""

from __future__ import annotations

import re

from sqlalchemy import Connection

from migkit.dialects.base import Dialect
from migkit.errors import UnsupportedFeature
from migkit.observe.describing import statement_kind, strip_comments

_SHOWN_CHARACTERS = 60


class ReachesBeyond(UnsupportedFeature):  # named as its siblings are
    """A statement of a run on a clone would have changed more than the clone."""


class Confinement:
    """Looks at each statement of a run on a clone before it is sent.

    Parameters
    ----------
    dialect : Dialect
        The engine that is run on.

    Attributes
    ----------
    refusal : ReachesBeyond or None
        What was raised. A migration that swallows it has not run, so nothing after it is sent either.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.refusal: ReachesBeyond | None = None
        self._dialect = dialect
        self._neighbours: frozenset[str] = frozenset()
        self._ways_out: re.Pattern[str] | None = None

    def look_around(self, connection: Connection) -> None:
        """Ask the server what else there is, before the run begins."""
        self._neighbours = self._dialect.neighbours(connection)
        names = self._dialect.ways_out(connection, self._neighbours)
        if names:
            self._ways_out = re.compile(rf"(?<![\w$])(?:{'|'.join(map(re.escape, names))})(?![\w$])", re.IGNORECASE)

    def check(self, sql: str, where: str | None) -> None:
        """Let a statement pass, or raise.

        Raises
        ------
        ReachesBeyond
            If the statement, or one before it, reaches beyond the clone.
        """
        if self.refusal is None and self._reaches(sql):
            self.refusal = ReachesBeyond(
                f"This statement reaches beyond the clone: {_shown(sql)}",
                where=where,
                next_step="Run it separately before the migration, or rehearse on a server of its own with into=.",
            )
        if self.refusal is not None:
            raise self.refusal

    def _reaches(self, sql: str) -> bool:
        leads_out = self._ways_out is not None and statement_kind(sql) == "dml" and self._ways_out.search(sql)
        return bool(leads_out) or self._dialect.reaches_beyond_database(sql, self._neighbours)


def _shown(sql: str) -> str:
    """Return how the statement begins, up to the first value: it may be a password."""
    beginning = re.split(r"['$]", " ".join(strip_comments(sql).split()), maxsplit=1)[0]
    return f"{beginning[:_SHOWN_CHARACTERS].strip()} …"
