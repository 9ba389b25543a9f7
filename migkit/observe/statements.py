"""What is known of one statement of a run, and how its text is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import pandas as pd
from sqlalchemy import Connection
from sqlalchemy.engine import ExecutionContext

from migkit import frames
from migkit.observe.describing import Kind, strip_comments, summarize
from migkit.progress import Progress, tell

RAN = "ran"
APPLIED = "applied"
ROLLED_BACK = "rolled back"
FAILED = "failed"
NOT_REACHED = "not reached"
UNKNOWN = "unknown"
SKIPPED = "skipped"


@dataclass
class Statement:
    """One statement while it is being recorded."""

    number: int
    kind: Kind
    sql: str
    started_at: datetime | None = None
    begun: float = 0.0
    seconds: float | None = None
    rows: int | None = None
    transaction: int | None = None
    outcome: str = RAN
    rewritten: tuple[str, ...] = ()
    error: str | None = None
    where: str | None = None

    @property
    def summary(self) -> str:
        """What it does, for people."""
        return summarize(self.sql, self.rows if self.kind == "dml" else None)


class StatementSink(Protocol):
    """Whoever keeps a journal of statements as they happen."""

    def started(self, statement: Statement) -> None:
        """Called before a statement is sent."""

    def ended(self, statements: Sequence[Statement]) -> None:
        """Called when the outcome of statements is known better than before."""


def statements_frame(entries: Iterable[Statement]) -> pd.DataFrame:
    """Return statements as :data:`migkit.frames.STATEMENTS`."""
    return frames.STATEMENTS.build(map(statement_row, entries))


def statement_row(entry: Statement) -> dict[str, Any]:
    """Return a statement as a row of :data:`migkit.frames.STATEMENTS`."""
    return {
        "number": entry.number,
        "kind": entry.kind,
        "sql": entry.sql,
        "summary": entry.summary,
        "started_at": entry.started_at,
        "seconds": entry.seconds,
        "rows": entry.rows,
        "transaction": None if entry.transaction is None else str(entry.transaction),
        "outcome": entry.outcome,
        "rewritten": ", ".join(entry.rewritten) or None,
        "error": entry.error,
    }


def tell_statement(progress: Progress, entry: Statement, noted: str | None) -> str:
    """Tell people of a statement that has ended, unless the same text was told just before with other values.

    Returns
    -------
    str
        What was told, to be given as `noted` the next time.
    """
    tell(progress, "statement", statement_row(entry))
    text = entry.sql.partition("  -- ")[0]
    if entry.outcome == SKIPPED:
        progress.note("·", f"{entry.summary}: {SKIPPED}, {entry.error}")
    elif entry.kind in ("ddl", "dml") and text != noted:
        progress.note("✓", f"{entry.summary} ({entry.seconds:.2f}s)")
    return text


def as_written(sql: str, connection: Connection, context: ExecutionContext | None) -> str:
    """Return the statement as people write it: without the doubled percent signs that some drivers want."""
    compiled = getattr(context, "compiled", None)
    if compiled is not None and connection.dialect.paramstyle in ("format", "pyformat"):
        return sql.replace("%%", "%")
    return sql


def as_exception(error: BaseException) -> Exception:
    """Return an error as one that dialects can explain."""
    return error if isinstance(error, Exception) else RuntimeError(str(error) or type(error).__name__)


BEGINS = re.compile(r"(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
_ENDS = {"commit": APPLIED, "end": APPLIED, "rollback": ROLLED_BACK, "abort": ROLLED_BACK}


def transaction_end(sql: str) -> str | None:
    """Return how the transaction ends if the statement itself ends it, else ``None``."""
    words = strip_comments(sql).rstrip("; \n\t").lower().split()
    if not words or words[0] not in _ENDS or (words[0] == "rollback" and "to" in words):
        return None
    return _ENDS[words[0]]


_SAVEPOINT = re.compile(
    r"(?:(?P<set>SAVEPOINT)|(?P<back>ROLLBACK)(?:\s+(?:TRANSACTION|WORK))?\s+TO(?:\s+SAVEPOINT)?|RELEASE(?:\s+SAVEPOINT)?)"
    r"\s+(?P<name>\S+?)\s*;?\s*",
    re.IGNORECASE,
)


def savepoint_command(sql: str) -> tuple[str, str] | None:
    """Return ``(savepoint | rollback | release, name)`` if the statement is about a savepoint, else ``None``."""
    found = _SAVEPOINT.fullmatch(strip_comments(sql))
    if found is None:
        return None
    return ("savepoint" if found["set"] else "rollback" if found["back"] else "release"), found["name"]
