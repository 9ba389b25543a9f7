"""What lies in the evidence of a load test."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from migkit.display.summary import longest_write_lock
from migkit.framing import plain
from migkit.load.results import LoadResult
from migkit.redaction import redact
from migkit.storage import encode_instant
from migkit.workflow.evidence_folder import (
    MANIFEST,
    EvidenceFolder,
    begin_evidence,
    finish_evidence,
    folder_name,
    versions,
)

LOAD_TEST = "load-test"
_FILE = "load"
_STATUSES = ("running", "passed", "failed", "interrupted", "error")


def archive_load_test(result: LoadResult, directory: Path) -> Path:
    """Put a load test into an archive; one that lies there already stays as it is.

    Parameters
    ----------
    result : LoadResult
        What was measured, to its end or until it was interrupted.
    directory : Path
        The archive.

    Returns
    -------
    Path
        The evidence folder.
    """
    document = result.to_document()
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    name = _folder_name(result, digest)
    folder = directory / name
    if not (folder / MANIFEST).is_file():
        head = _head(result)
        begin_evidence(directory, name, head)
        finish_evidence(folder, {_FILE: document}, head | _manifest(result))
    return folder


def _folder_name(result: LoadResult, digest: str) -> str:
    """Return a name that the same result has whenever it is archived."""
    subject = result.run.migration if result.run else result.workload
    return f"{folder_name(subject, LOAD_TEST, result.started_at).rpartition('-')[0]}-{digest[:4]}"


def _head(result: LoadResult) -> dict[str, Any]:
    run = result.run
    return {
        "kind": LOAD_TEST,
        "started_at": encode_instant(result.started_at),
        "migration": {"name": run.migration if run else f"workload {result.workload}"},
        "database": {"name": result.database},
    }


def _manifest(result: LoadResult) -> dict[str, Any]:
    longest = longest_write_lock(result.run.locks, None) if result.run else None
    lock_ms = None if result.run is None else float(longest["held_ms"] or 0.0) if longest else 0.0
    return {
        "status": result.status,
        "summary": {"rows": None, "lock_ms": lock_ms},
        "verdict": {"passed": result.passed, "explanation": redact(result.explain())},
        "seconds": result.seconds,
        "versions": versions(),
    }


def read_load_test(opened: EvidenceFolder) -> LoadResult:
    """Return the load test that an evidence folder holds; one that says passed has to prove it."""
    opened.require_status(_STATUSES)
    result = opened.read(_FILE, LoadResult.from_document)
    if result is None:
        raise opened.contradicts("load.json is missing")
    if opened.status == "passed" or result.passed:
        contradiction = _contradiction(opened, result)
        if contradiction:
            raise opened.contradicts(contradiction)
    return result


def _contradiction(opened: EvidenceFolder, result: LoadResult) -> str | None:
    if not (result.passed and opened.status == "passed"):
        return f"its manifest says {opened.status}, and the result {result.status}"
    failed = [run.error for run in (*result.runs[-1:], result.rollback_run) if run is not None and not run.succeeded]
    if failed:
        return f"the migration failed: {failed[0]}"
    errors = plain(result.findings.loc[result.findings["severity"] == "error", "what"])
    return str(errors[0]) if errors else None
