"""``Run``: one execution of a migration, statement by statement, with locks and waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd

from migkit.display.card import Card
from migkit.display.lock_plot import RunLocks, lock_durations, lock_durations_compared
from migkit.display.results import DrawnInNotebooks, run_card
from migkit.errors import StateUnreadable
from migkit.frames import INCIDENTS, LOCKS, PROGRESS, STATEMENTS, UNCHECKED, WAITS
from migkit.storage import decode_frame, decode_instant, encode_frame, encode_instant, read_json, write_json

FORMAT = "migkit-run"
FORMAT_VERSION = 1
_SIGNS = {"applied": "✓", "failed": "✗", "rolled back": "·", "not reached": "·", "unknown": "⚠", "skipped": "·"}
_SPECS = {"statements": STATEMENTS, "locks": LOCKS, "waits": WAITS, "unchecked": UNCHECKED}
# Runs saved before these were watched are read without them.
_LATER_SPECS = {"progress": PROGRESS, "incidents": INCIDENTS}


@dataclass(frozen=True, eq=False, repr=False)
class Run(DrawnInNotebooks):
    """One execution of a migration.

    Attributes
    ----------
    migration : str
        Its name.
    direction : {"up", "down"}
        Which way.
    database : str
        The database's name.
    succeeded : bool
        Everything was done and committed.
    error : str or None
        What went wrong, in one line, with file and line or the number of the statement.
    started_at : datetime
        In UTC.
    seconds : float
        From start to end.
    statements, locks, waits, unchecked, progress, incidents : DataFrame
        As :mod:`migkit.frames` describes them.
    transactions : int
        How many transactions it took; statements outside any not counted.
    attempt : str or None
        Its id in the journal; ``None`` if it was not journalled.
    account : str or None
        After taking back a half-applied migration: whether the schema is as it was, or what is left and how to drop it.
    """

    migration: str
    direction: Literal["up", "down"]
    database: str
    succeeded: bool
    error: str | None
    started_at: datetime
    seconds: float
    statements: pd.DataFrame
    locks: pd.DataFrame
    waits: pd.DataFrame
    unchecked: pd.DataFrame
    transactions: int
    attempt: str | None = None
    account: str | None = None
    progress: pd.DataFrame = field(default_factory=lambda: PROGRESS.build([]))
    incidents: pd.DataFrame = field(default_factory=lambda: INCIDENTS.build([]))

    @property
    def standing(self) -> tuple[str, ...]:
        """The statements of a failed run that stand in the database, or may do so; empty where all was rolled back."""
        if self.succeeded:
            return ()
        rows = STATEMENTS.rows(self.statements)
        return tuple(
            row["sql"] for row in rows if row["kind"] in ("ddl", "dml") and row["outcome"] in ("applied", "unknown")
        )

    def to_document(self) -> dict[str, Any]:
        """Return the run as JSON values."""
        document: dict[str, Any] = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "migration": self.migration,
            "direction": self.direction,
            "database": self.database,
            "succeeded": self.succeeded,
            "error": self.error,
            "started_at": encode_instant(self.started_at),
            "seconds": self.seconds,
            "transactions": self.transactions,
            "attempt": self.attempt,
            "account": self.account,
        }
        specs = _SPECS | _LATER_SPECS
        return document | {name: encode_frame(spec, getattr(self, name)) for name, spec in specs.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_document` wrote.

        Raises
        ------
        StateUnreadable
            If the document is no run, or of a version this migkit does not know.
        """
        if document.get("format") != FORMAT:
            raise StateUnreadable("This is no saved run")
        if document.get("version") != FORMAT_VERSION:
            raise StateUnreadable(
                f"The run was saved in version {document.get('version')}, this migkit reads {FORMAT_VERSION}",
                next_step="Use the migkit that wrote it, or a newer one.",
            )
        try:
            fields: dict[str, Any] = {key: document[key] for key in _PLAIN} | {"account": document.get("account")}
            fields |= {name: decode_frame(spec, document[name]) for name, spec in _SPECS.items()}
            later = {name: spec for name, spec in _LATER_SPECS.items() if name in document}
            fields |= {name: decode_frame(spec, document[name]) for name, spec in later.items()}
            return cls(started_at=decode_instant(document["started_at"]), **fields)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise StateUnreadable(f"The saved run is damaged: {type(error).__name__}: {error}") from error

    def save(self, path: str | Path) -> Path:
        """Write the run as one file.

        Parameters
        ----------
        path : str or Path
            ``*.json`` or ``*.json.zst``.
        """
        return write_json(Path(path), self.to_document())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote."""
        return cls.from_document(read_json(Path(path)))

    def card(self) -> Card:
        """Return what the run shows of itself in a notebook."""
        return run_card(self)

    def plot(self, beside: Run | None = None) -> Any:
        """Return a matplotlib ``Figure``: who held which lock for how long, and who waited.

        Parameters
        ----------
        beside : Run, optional
            Another run, drawn below this one on the same scale of time: the careful rewrite of a naive migration.
        """
        if beside is None:
            return lock_durations(self.locks, self.waits, self.statements)
        runs = [RunLocks(run.migration, run.locks, run.waits, run.statements) for run in (self, beside)]
        return lock_durations_compared(*runs)

    def __repr__(self) -> str:
        lines = [_line(row) for row in STATEMENTS.rows(self.statements) if row["kind"] in ("ddl", "dml")]
        return "\n".join([*lines, self._summary()])

    def _summary(self) -> str:
        counted = f"{len(self.statements)} statement{'s' * (len(self.statements) != 1)} in {self.seconds:.2f}s"
        waited = f", {len(self.waits)} waits" if len(self.waits) else ""
        account = f"; {self.account}" if self.account else ""
        what = f"{self.migration} {self.direction} on {self.database}"
        if self.succeeded:
            return f"✓ {what}: {counted}{waited}{account}"
        stands = "".join(f"\n⚠ stands: {' '.join(sql.split())}" for sql in self.standing)
        return f"✗ {what} failed: {self.error} ({counted}{waited}){stands}"


_PLAIN = ("migration", "direction", "database", "succeeded", "error", "seconds", "transactions", "attempt")


def _line(row: Mapping[str, Any]) -> str:
    took = f" ({row['seconds']:.2f}s)" if row["seconds"] is not None else ""
    outcome = "" if row["outcome"] == "applied" else f" — {row['outcome']}"
    return f"{_SIGNS.get(row['outcome'], '·')} {row['summary']}{took}{outcome}"


class RunInterrupted(KeyboardInterrupt):  # it is no error: it is Ctrl-C, with what had happened until then
    """A run was interrupted; it was cancelled on the server before this is raised.

    Attributes
    ----------
    run : Run
        What had happened until then.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(str(run.error or f"{run.migration} was interrupted"))

    def _render_traceback_(self) -> list[str]:
        """What notebooks show instead of a traceback."""
        return [repr(self.run), "Interrupted; what happened until then is sys.last_value.run."]
