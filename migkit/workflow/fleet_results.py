"""What the same work gave on each database of a fleet: one frame, one verdict, and evidence like of other work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from migkit import frames
from migkit.display.card import Card, Fact, Fold
from migkit.display.lines import BAD, GOOD, Line
from migkit.display.results import Drawn
from migkit.display.units import count, duration, plural
from migkit.redaction import redact
from migkit.state.comparison import Comparison
from migkit.state.snapshot import State
from migkit.storage import decode_frame, decode_instant, encode_frame, encode_instant
from migkit.workflow.evidence_folder import EvidenceFolder, finish_evidence
from migkit.workflow.rehearsal import Status

FLEET = "fleet"
_TOLD = 12


@dataclass(frozen=True, eq=False, repr=False)
class FleetResult(Drawn):
    """The same work on many databases.

    Attributes
    ----------
    work : str
        ``rehearsal``, ``capture`` or ``comparison``.
    databases : pandas.DataFrame
        One row per database (:data:`migkit.frames.FLEET`).
    seconds : float
        How long all of it took.
    """

    work: str
    databases: pd.DataFrame = field(repr=False)
    seconds: float

    @property
    def passed(self) -> bool:
        """Every database passed; there is at least one."""
        return bool(len(self.databases)) and bool(self.databases["passed"].fillna(False).all())

    @property
    def failed(self) -> pd.DataFrame:
        """The rows of the databases that did not pass."""
        return self.databases[~self.databases["passed"].fillna(False)]

    def explain(self) -> str:
        """Say in a sentence or two how many passed, and what is wrong with the first that did not."""
        total, failed = len(self.databases), frames.FLEET.rows(self.failed)
        told = f"{self.work.capitalize()} on {plural(total, 'database')}: {count(total - len(failed))} passed"
        if not failed:
            return f"{told}."
        first = failed[0]
        why = first["error"] or first["explanation"] or first["status"]
        return f"{told}, {count(len(failed))} did not. {first['database']}: {why}"

    def to_document(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "work": self.work,
            "passed": self.passed,
            "seconds": self.seconds,
            "databases": encode_frame(frames.FLEET, self.databases),
        }

    def card(self) -> Card:
        """Return what the result shows of itself."""
        failed = frames.FLEET.rows(self.failed)
        lines = [Line(BAD, f"{row['database']}: {row['error'] or row['explanation']}") for row in failed[:_TOLD]]
        if len(failed) > _TOLD:
            lines.append(Line(BAD, f"and {plural(len(failed) - _TOLD, 'more database')}"))
        slowest = self.databases["seconds"].max()
        return Card(
            title=f"Fleet {self.work}",
            sign=GOOD if self.passed else BAD,
            verdict="passed on every database" if self.passed else f"{count(len(failed))} did not pass",
            figures=(
                Fact("Databases", count(len(self.databases))),
                Fact("Passed", count(len(self.databases) - len(failed))),
                Fact(
                    "Took", duration(self.seconds), f"slowest {duration(None if pd.isna(slowest) else float(slowest))}"
                ),
            ),
            lines=tuple(lines),
            folds=(Fold("Databases", self.databases, ("database", "status", "seconds", "findings", "error", "url")),),
            noun="database",
        )


@dataclass(frozen=True, eq=False, repr=False)
class FleetCapture(FleetResult):
    """States of many databases.

    Attributes
    ----------
    states : mapping
        Each database's :class:`State` by its name; those that could not be captured are missing.
    """

    states: Mapping[str, State] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class FleetComparison(FleetResult):
    """Many databases, each compared with an earlier state of it.

    Attributes
    ----------
    comparisons : mapping
        Each database's :class:`Comparison` by its name.
    """

    comparisons: Mapping[str, Comparison] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class FleetRehearsal(FleetResult):
    """One migration rehearsed on many databases.

    Attributes
    ----------
    status : {"running", "passed", "failed", "error", "interrupted"}
        ``passed`` only if every database passed.
    migration : mapping
        What was rehearsed.
    started_at : datetime
        When it began, in UTC.
    versions, git : mapping
        What it was done with.
    evidence : Path or None
        The folder of the fleet; those of its databases lie beside it.
    """

    status: Status = "running"
    migration: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    versions: Mapping[str, Any] = field(default_factory=dict)
    git: Mapping[str, Any] = field(default_factory=dict)
    evidence: Path | None = None

    @property
    def passed(self) -> bool:
        """Every database passed, and all of them were rehearsed."""
        return self.status == "passed" and super().passed

    def to_document(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        told = {"status": self.status, "migration": dict(self.migration)}
        return super().to_document() | told | {"evidence": str(self.evidence) if self.evidence else None}


def fleet_head(migration: Mapping[str, Any], databases: int, started_at: datetime) -> dict[str, Any]:
    """Return what is known before anything starts."""
    return {
        "kind": FLEET,
        "started_at": encode_instant(started_at),
        "migration": dict(migration),
        "database": {"name": plural(databases, "database")},
    }


def finish_fleet(result: FleetRehearsal) -> None:
    """Write the evidence of a fleet that keeps some."""
    if result.evidence is None or result.started_at is None:
        return
    manifest = {
        **fleet_head(result.migration, len(result.databases), result.started_at),
        "status": result.status,
        "summary": {"rows": None, "lock_ms": None},
        "verdict": {"passed": result.passed, "explanation": redact(result.explain())},
        "seconds": result.seconds,
        "versions": dict(result.versions),
        "git": dict(result.git),
    }
    databases = {"databases": encode_frame(frames.FLEET, result.databases)}
    finish_evidence(result.evidence, {"fleet": databases}, manifest)


def read_fleet(opened: EvidenceFolder) -> FleetRehearsal:
    """Return the rehearsals that the evidence of a fleet tells of; one that says passed has to prove it."""
    opened.require_status(get_args(Status))
    document = opened.document
    databases = opened.read("fleet", lambda held: decode_frame(frames.FLEET, held["databases"]))
    result = FleetRehearsal(
        work="rehearsal",
        databases=frames.FLEET.build([]) if databases is None else databases,
        seconds=document.get("seconds", 0.0),
        status=document["status"],
        migration=document["migration"],
        started_at=decode_instant(document["started_at"]),
        versions=document.get("versions", {}),
        git=document.get("git", {}),
        evidence=opened.path,
    )
    if result.status == "passed" and not result.passed:
        raise opened.contradicts(result.explain() if databases is not None else "fleet.json is missing")
    return result
