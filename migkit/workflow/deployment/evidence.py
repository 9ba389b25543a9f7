"""What lies in the evidence of a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from migkit import frames
from migkit.database import Database
from migkit.display.summary import longest_write_lock
from migkit.migration.results import Run
from migkit.redaction import redact
from migkit.state.comparison import Comparison, compare
from migkit.state.snapshot import State
from migkit.storage import decode_frame, decode_instant, read_json, write_json
from migkit.workflow.deployment.results import Deployment, Status
from migkit.workflow.evidence_folder import EvidenceFolder, finish_evidence, without_secrets
from migkit.workflow.validation import Validation

_STATES = ("before", "after", "rolled_back")
_FRAMES = {
    "steps": frames.DEPLOY_STEPS,
    "checks": frames.CHECKS,
    "smoke_tests": frames.CHECKS,
    "metrics": frames.METRICS,
    "unchecked": frames.UNCHECKED,
}


def keep_state(folder: Path, name: str, state: State) -> None:
    """Write a state into the evidence at once: what is recovered from a crash is held against it."""
    write_json(folder / f"{name}.json", without_secrets(state.to_document()))


def kept_state(folder: Path, name: str) -> State | None:
    """Read what :func:`keep_state` wrote; ``None`` if it never came to that."""
    path = folder / f"{name}.json"
    return State.from_document(read_json(path)) if path.is_file() else None


def is_same(db: Database, one: State, other: State) -> bool:
    """Tell whether two states are identical, whether or not one was read from evidence, or captured while writers were
    kept out.
    """
    return compare(_comparable(db, one), _comparable(db, other)).identical


def _comparable(db: Database, state: State) -> State:
    kept = State.from_document(without_secrets(state.to_document()))
    telling = set(db.dialect.read_only_objects)
    names = zip(kept.objects["kind"], kept.objects["name"], strict=True)
    chosen = pd.Series([name not in telling for name in names], index=kept.objects.index, dtype=bool)
    return replace(kept, objects=kept.objects[chosen].reset_index(drop=True))


def finish_deployment(deployment: Deployment) -> None:
    """Write all results, then the manifest with their hashes."""
    if deployment.evidence is None:
        return
    results = {name: getattr(deployment, name) for name in (*_STATES, "run", "validation")}
    documents = {name: without_secrets(result.to_document()) for name, result in results.items() if result is not None}
    told = deployment.to_document()
    manifest = {
        **told,
        "kind": "deployment",
        "migration": dict(deployment.migration),
        "verdict": {"passed": deployment.passed, "explanation": redact(deployment.explain())},
        "summary": _summary(deployment),
        "versions": dict(deployment.versions),
        "git": dict(deployment.git),
    }
    del manifest["evidence"]
    finish_evidence(deployment.evidence, documents, manifest)


def _summary(deployment: Deployment) -> dict[str, Any]:
    """What the archive's index shows."""
    run, rows = deployment.run, deployment.before
    lock = longest_write_lock(run.locks, deployment.comparison) if run is not None else None
    return {"rows": rows.total_rows if rows else None, "lock_ms": lock["held_ms"] if lock else None}


def read_deployment(opened: EvidenceFolder) -> Deployment:
    """Read the evidence of a deployment; one that never came to its end reads as ``running``.

    Parameters
    ----------
    opened : EvidenceFolder
        What was opened, its hashes verified.

    Returns
    -------
    Deployment
        What it holds.

    Raises
    ------
    StateUnreadable
        If it says deployed against what it holds.
    """
    opened.require_status(get_args(Status))
    document = opened.document
    states = {name: opened.read(name, State.from_document) for name in _STATES}
    decoded: dict[str, Any] = {name: decode_frame(spec, document.get(name, _EMPTY)) for name, spec in _FRAMES.items()}
    deployment = Deployment(
        status=document["status"],
        migration=document["migration"],
        database=document["database"],
        versions=document.get("versions", {}),
        git=document.get("git", {}),
        started_at=decode_instant(document["started_at"]),
        seconds=document.get("seconds", 0.0),
        run=opened.read("run", Run.from_document),
        validation=opened.read("validation", Validation.from_document),
        comparison=_compared(document["migration"], states["before"], states["after"]),
        commands=tuple(document.get("commands", ())),
        undelivered=tuple(document.get("undelivered", ())),
        evidence=opened.path,
        backup=document.get("backup"),
        taken_back=document.get("taken_back") or {},
        error=document.get("error"),
        before=states["before"],
        after=states["after"],
        rolled_back=states["rolled_back"],
        **decoded,
    )
    contradiction = _contradiction(deployment) if deployment.passed else None
    if contradiction:
        raise opened.contradicts(contradiction)
    return deployment


_EMPTY: Mapping[str, Any] = {"columns": [], "rows": []}


def _compared(migration: Mapping[str, Any], before: State | None, after: State | None) -> Comparison | None:
    if before is None or after is None:
        return None
    return compare(before, after, allow=migration.get("allow", ()), bookkeeping=migration.get("bookkeeping", ()))


def _contradiction(deployment: Deployment) -> str | None:
    """Say what of the evidence speaks against its status `deployed`."""
    for name in ("before", "after"):
        if getattr(deployment, name) is None:
            return f"{name}.json is missing"
    if deployment.run is not None and not deployment.run.succeeded:
        return "the run failed"
    if deployment.validation is not None and not deployment.validation.passed:
        return "the validation failed"
    failed = deployment.steps[deployment.steps["status"] == "failed"]
    return f"the step {failed['step'].iloc[0]!r} failed" if len(failed) else None
