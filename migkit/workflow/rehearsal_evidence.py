"""What lies in the evidence of a rehearsal, and what speaks against it when it says passed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from migkit import frames
from migkit.display.summary import summarize
from migkit.framing import plain
from migkit.load.results import LoadResult
from migkit.migration.results import Run
from migkit.redaction import redact
from migkit.state.comparison import Comparison, compare
from migkit.state.content_facts import ProvenRows
from migkit.state.segments import TableName
from migkit.state.snapshot import State
from migkit.storage import decode_frame, decode_instant, encode_frame, encode_instant
from migkit.workflow.company import Company
from migkit.workflow.evidence_folder import REHEARSAL, EvidenceFolder, finish_evidence, without_secrets
from migkit.workflow.judgement import judge_rehearsal
from migkit.workflow.limits import Limits
from migkit.workflow.rehearsal import Rehearsal, Status, Step
from migkit.workflow.validation import Validation

_STATES = ("before", "after", "rolled_back")
_RUNS = ("up", "down", "again")


def finish_rehearsal(rehearsal: Rehearsal) -> None:
    """Write all results of a rehearsal that keeps evidence, then its manifest."""
    if rehearsal.evidence is None:
        return
    results = {name: getattr(rehearsal, name) for name in (*_STATES, *_RUNS, "validation", "company", "load")}
    documents = {name: without_secrets(result.to_document()) for name, result in results.items() if result is not None}
    finish_evidence(rehearsal.evidence, documents, _manifest(rehearsal))


def _manifest(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        "kind": REHEARSAL,
        "status": rehearsal.status,
        "summary": summarize(rehearsal),
        "verdict": {"passed": rehearsal.passed, "explanation": redact(rehearsal.explain())},
        "started_at": encode_instant(rehearsal.started_at),
        "seconds": rehearsal.seconds,
        "migration": dict(rehearsal.migration),
        "database": dict(rehearsal.database),
        "clone": dict(rehearsal.clone),
        "error": rehearsal.error,
        "steps": [vars(step) for step in rehearsal.steps],
        "findings": encode_frame(frames.FINDINGS, rehearsal.findings),
        "unchecked": encode_frame(frames.UNCHECKED, rehearsal.unchecked),
        "proven": _encode_proven(rehearsal),
        "limits": rehearsal.limits.to_document(),
        "versions": dict(rehearsal.versions),
        "git": dict(rehearsal.git),
    }


def _encode_proven(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        name: [
            {"schema": table[0], "table": table[1], **vars(rows), "without": sorted(rows.without)}
            for table, rows in (comparison.facts.proven if comparison else {}).items()
        ]
        for name, comparison in (("comparison", rehearsal.comparison), ("rollback", rehearsal.rollback))
    }


def read_rehearsal(opened: EvidenceFolder) -> Rehearsal:
    """Return the rehearsal that an evidence folder holds; one that says passed has to prove it by its files."""
    opened.require_status(get_args(Status))
    rehearsal = _rehearsal(opened)
    contradiction = _contradiction(rehearsal) if rehearsal.passed else None
    if contradiction:
        raise opened.contradicts(contradiction)
    return rehearsal


def _contradiction(rehearsal: Rehearsal) -> str | None:
    """Say what of the evidence speaks against its status `passed`; nothing counts but what is proven by its files."""
    has_down = bool(rehearsal.migration["has_down"])
    needed = ["before", "up", "after", "validation", *(("down", "rolled_back", "again") if has_down else ())]
    for name in needed:
        if getattr(rehearsal, name) is None:
            return f"{name}.json is missing"
    told = plain(rehearsal.findings.loc[rehearsal.findings["severity"] == "error", "what"])
    judged = judge_rehearsal(
        has_down=has_down,
        require_down=False,
        runs={name: getattr(rehearsal, name) for name in _RUNS if getattr(rehearsal, name) is not None},
        comparison=rehearsal.comparison,
        rollback=rehearsal.rollback,
        validation=rehearsal.validation,
        steps=rehearsal.steps,
        company=rehearsal.company,
        limits=rehearsal.limits,
        load=rehearsal.load,
    )
    errors = [*told, *(finding.what for finding in judged if finding.severity == "error")]
    return errors[0] if errors else None


def _rehearsal(opened: EvidenceFolder) -> Rehearsal:
    document = opened.document
    states = {name: opened.read(name, State.from_document) for name in _STATES}
    runs = {name: opened.read(name, Run.from_document) for name in _RUNS}
    proven = {name: _decode_proven(rows) for name, rows in document.get("proven", {}).items()}
    empty: dict[str, Any] = {"columns": [], "rows": []}
    return Rehearsal(
        status=document["status"],
        migration=document["migration"],
        database=document["database"],
        clone=document.get("clone", {}),
        versions=document.get("versions", {}),
        git=document.get("git", {}),
        started_at=decode_instant(document["started_at"]),
        seconds=document.get("seconds", 0.0),
        steps=tuple(Step(**step) for step in document.get("steps", ())),
        findings=decode_frame(frames.FINDINGS, document.get("findings", empty)),
        unchecked=decode_frame(frames.UNCHECKED, document.get("unchecked", empty)),
        comparison=_compared(
            states["before"],
            states["after"],
            proven.get("comparison", {}),
            allow=document["migration"].get("allow", ()),
            bookkeeping=document["migration"].get("bookkeeping", ()),
        ),
        rollback=_compared(states["before"], states["rolled_back"], proven.get("rollback", {})),
        validation=opened.read("validation", Validation.from_document),
        company=opened.read("company", Company.from_document),
        limits=Limits.from_document(document.get("limits")),
        load=opened.read("load", LoadResult.from_document),
        error=document.get("error"),
        evidence=opened.path,
        before=states["before"],
        after=states["after"],
        rolled_back=states["rolled_back"],
        up=runs["up"],
        down=runs["down"],
        again=runs["again"],
    )


def _compared(
    before: State | None, after: State | None, proven: Mapping[TableName, ProvenRows], **declared: Any
) -> Comparison | None:
    return compare(before, after, proven=proven, **declared) if before and after else None


def _decode_proven(rows: list[dict[str, Any]]) -> dict[TableName, ProvenRows]:
    return {
        (row["schema"], row["table"]): ProvenRows(
            row["added"],
            row["removed"],
            row["changed"],
            {column: tuple(keys) for column, keys in row.get("samples", {}).items()},
            tuple(row.get("removed_samples", ())),
            frozenset(row.get("without", ())),
        )
        for row in rows
    }
