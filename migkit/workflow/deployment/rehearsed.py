"""Which rehearsal in the archive proved the very same migration file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from migkit.errors import MigkitError
from migkit.migration.migration import Migration
from migkit.storage import read_json
from migkit.workflow.evidence import load_evidence
from migkit.workflow.evidence_folder import MANIFEST
from migkit.workflow.rehearsal import Rehearsal


@dataclass(frozen=True)
class Rehearsed:
    """A rehearsal that passed.

    Attributes
    ----------
    folder : Path
        Its evidence.
    at : datetime
        When it began, in UTC.
    run_seconds : float or None
        How long the way up took.
    seconds : dict of str to float
        How long each of its steps took.
    """

    folder: Path
    at: datetime
    run_seconds: float | None
    seconds: dict[str, float]


def find_rehearsal(migration: Migration, reports: Path) -> Rehearsed | None:
    """Return the newest rehearsal of a migration that passed, with evidence that is whole; ``None`` if there is none.

    The same migration is one of the same checksum: a file that was changed since was not rehearsed.
    """
    for folder in sorted(reports.glob(f"*/{MANIFEST}"), key=lambda path: path.parent.name, reverse=True):
        if not _may_be(folder, migration):
            continue
        try:
            evidence = load_evidence(folder)
        except MigkitError:
            continue  # evidence that was changed since proves nothing
        if isinstance(evidence, Rehearsal) and evidence.passed:
            return Rehearsed(
                folder=folder.parent,
                at=evidence.started_at,
                run_seconds=evidence.up.seconds if evidence.up else None,
                seconds={step.name: step.seconds for step in evidence.steps},
            )
    return None


def _may_be(manifest: Path, migration: Migration) -> bool:
    """Look before all hashes are verified: archives grow."""
    try:
        document = read_json(manifest)
    except MigkitError:
        return False
    about = document.get("migration")
    return (
        document.get("kind", "rehearsal") == "rehearsal"
        and document.get("status") == "passed"
        and isinstance(about, dict)
        and about.get("checksum") == migration.checksum
    )
