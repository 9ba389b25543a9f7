"""``LoadResult``: what a load test measured, and what that says about the migration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd

from migkit.display.card import Card
from migkit.display.load_plots import latency_over_time
from migkit.display.results import Drawn
from migkit.errors import StateUnreadable
from migkit.frames import FINDINGS, LOAD_ERRORS, LOAD_STATEMENTS, PERCENTILES, TIMELINE, UNCHECKED
from migkit.load.result_card import load_card
from migkit.migration.results import Run
from migkit.storage import decode_frame, decode_instant, encode_frame, encode_instant, read_json, write_json

FORMAT = "migkit-load"
FORMAT_VERSION = 1

Status = Literal["passed", "failed", "interrupted", "error"]

_SPECS = {
    "statements": LOAD_STATEMENTS,
    "timeline": TIMELINE,
    "errors": LOAD_ERRORS,
    "percentiles": PERCENTILES,
    "findings": FINDINGS,
    "unchecked": UNCHECKED,
}
_PLAIN = (
    "status",
    "database",
    "workload",
    "clients",
    "rate",
    "arrivals",
    "reached_rate",
    "seconds",
    "error",
    "histograms",
)


@dataclass(frozen=True)
class PhaseSpan:
    """When a phase of a load test was."""

    name: str
    started_at: datetime
    seconds: float


@dataclass(frozen=True, eq=False, repr=False)
class LoadResult(Drawn):
    """What a load test measured.

    Attributes
    ----------
    status : {"passed", "failed", "interrupted", "error"}
        ``passed`` only if it came to its end, the rate was reached, the migration succeeded, and no request failed.
    database, workload : str
        What was asked, and by what.
    clients : int
        How many connections asked at a time.
    rate : float or None
        Requests per second that were due; ``None``: each client asked as soon as it was answered.
    arrivals : str
        How requests were spaced: ``constant``, ``poisson`` or ``closed loop``.
    reached_rate : float
        Requests per second that were answered before the migration.
    started_at : datetime
        When the measured load began, in UTC.
    seconds : float
        How long it lasted.
    phases : tuple of PhaseSpan
        baseline, during, after, rollback, rolled back.
    runs : tuple of Run
        The migration's way up, each try of it.
    rollback_run : Run or None
        Its way down.
    statements, timeline, errors, percentiles, findings, unchecked : pandas.DataFrame
        As :mod:`migkit.frames` describes them (``LOAD_STATEMENTS``, ``TIMELINE``, ``LOAD_ERRORS``, ``PERCENTILES``);
        findings are limits that were broken.
    histograms : mapping
        By phase and statement ('' is all of them), as HdrHistogram's tools read them.
    verdict : tuple of str
        What it all says, one sentence each.
    error : str or None
        Why it broke off, if it did.
    """

    status: Status
    database: str
    workload: str
    clients: int
    rate: float | None
    arrivals: str
    reached_rate: float
    started_at: datetime
    seconds: float
    phases: tuple[PhaseSpan, ...]
    runs: tuple[Run, ...]
    rollback_run: Run | None
    statements: pd.DataFrame = field(repr=False)
    timeline: pd.DataFrame = field(repr=False)
    errors: pd.DataFrame = field(repr=False)
    percentiles: pd.DataFrame = field(repr=False)
    findings: pd.DataFrame = field(repr=False)
    unchecked: pd.DataFrame = field(repr=False)
    histograms: Mapping[str, Mapping[str, str]] = field(repr=False)
    verdict: tuple[str, ...] = ()
    error: str | None = None

    @property
    def passed(self) -> bool:
        """It came to its end, and nothing speaks against the migration."""
        return self.status == "passed"

    @property
    def run(self) -> Run | None:
        """The migration's way up: the last try of it."""
        return self.runs[-1] if self.runs else None

    def explain(self) -> str:
        """Say in a few sentences what came of it."""
        return " ".join(sentence if sentence.endswith((".", "!", "?")) else f"{sentence}." for sentence in self.verdict)

    def card(self) -> Card:
        """Return what the result shows of itself."""
        return load_card(self)

    def plot(self) -> Any:
        """Return a matplotlib ``Figure``: latency over time, with the migration's statements marked."""
        return latency_over_time(self.timeline, self.run.statements if self.run else None)

    def to_document(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        document: dict[str, Any] = {"format": FORMAT, "version": FORMAT_VERSION}
        document |= {name: getattr(self, name) for name in _PLAIN}
        document |= {
            "passed": self.passed,
            "verdict": list(self.verdict),
            "started_at": encode_instant(self.started_at),
            "phases": [
                {"name": one.name, "started_at": encode_instant(one.started_at), "seconds": one.seconds}
                for one in self.phases
            ],
            "runs": [run.to_document() for run in self.runs],
            "rollback_run": self.rollback_run.to_document() if self.rollback_run else None,
        }
        return document | {name: encode_frame(spec, getattr(self, name)) for name, spec in _SPECS.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_document` wrote.

        Raises
        ------
        StateUnreadable
            If the document is no load test, or of a version this migkit does not know.
        """
        if document.get("format") != FORMAT:
            raise StateUnreadable("This is no saved load test")
        if document.get("version") != FORMAT_VERSION:
            raise StateUnreadable(
                f"The load test was saved in version {document.get('version')}, this migkit reads {FORMAT_VERSION}",
                next_step="Use the migkit that wrote it, or a newer one.",
            )
        try:
            rollback = document["rollback_run"]
            fields: dict[str, Any] = {name: document[name] for name in _PLAIN}
            fields |= {name: decode_frame(spec, document[name]) for name, spec in _SPECS.items()}
            return cls(
                started_at=decode_instant(document["started_at"]),
                phases=tuple(
                    PhaseSpan(one["name"], decode_instant(one["started_at"]), one["seconds"])
                    for one in document["phases"]
                ),
                runs=tuple(Run.from_document(run) for run in document["runs"]),
                rollback_run=Run.from_document(rollback) if rollback else None,
                verdict=tuple(document["verdict"]),
                **fields,
            )
        except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise StateUnreadable(f"The saved load test is damaged: {type(error).__name__}: {error}") from error

    def save(self, path: str | Path) -> Path:
        """Write the result as one file.

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


class LoadInterrupted(KeyboardInterrupt):  # it is no error: it is Ctrl-C, with what had been measured until then
    """A load test was interrupted; its workers are gone and its migration was cancelled before this is raised.

    Attributes
    ----------
    result : LoadResult
        What had been measured until then; not passed.
    """

    def __init__(self, result: LoadResult) -> None:
        self.result = result
        super().__init__("The load test was interrupted")
