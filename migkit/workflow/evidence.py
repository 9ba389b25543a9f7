"""The evidence folder: every result as plain files, complete without a database, not passed until it says so."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, get_args

from migkit import frames
from migkit.display.summary import summarize
from migkit.errors import StateUnreadable
from migkit.framing import plain
from migkit.migration.results import Run
from migkit.redaction import redact
from migkit.state.comparison import Comparison, compare
from migkit.state.content_facts import ProvenRows
from migkit.state.segments import TableName
from migkit.state.snapshot import State
from migkit.storage import (
    decode_frame,
    decode_instant,
    encode_frame,
    encode_instant,
    read_json,
    sha256,
    told_where,
    write_json,
)
from migkit.workflow.judgement import judge_rehearsal
from migkit.workflow.rehearsal import Rehearsal, Status, Step
from migkit.workflow.validation import Validation

# Since format 2 the manifest is sealed.
FORMAT = 2
_SEALED_SINCE = 2
MANIFEST = "evidence.json"
_STATES = ("before", "after", "rolled_back")
_RUNS = ("up", "down", "again")


def folder_name(migration: str, kind: str, started_at: datetime) -> str:
    """Return a name that sorts by time and never repeats: ``2026-11-22T063000Z-001_add_profile-rehearsal-7f3a``."""
    safe = re.sub(r"[^\w.-]+", "_", migration)[:60] or "migration"
    return f"{started_at.astimezone(UTC):%Y-%m-%dT%H%M%SZ}-{safe}-{kind}-{secrets.token_hex(2)}"


def begin_evidence(directory: Path, name: str, head: Mapping[str, Any]) -> Path:
    """Create an evidence folder whose status is ``running``; it is complete in itself when it appears.

    Parameters
    ----------
    directory : Path
        The archive.
    name : str
        The folder's name.
    head : mapping
        What is known at the start.

    Returns
    -------
    Path
        The folder.
    """
    beside = directory / f".{name}.new"
    try:
        with told_where(directory):
            beside.mkdir(parents=True)
        running = {"migkit": "evidence", "format": FORMAT, "status": "running", **head}
        write_json(beside / MANIFEST, _sealed(running))
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return beside.rename(directory / name)


def finish_evidence(rehearsal: Rehearsal) -> None:
    """Write all results, then the manifest with their hashes and the status; the status comes last."""
    folder = rehearsal.evidence
    if folder is None:
        return
    for name in (*_STATES, *_RUNS, "validation"):
        result = getattr(rehearsal, name)
        if result is not None:
            write_json(folder / f"{name}.json", _without_secrets(result.to_document()))
    write_json(folder / MANIFEST, _sealed(_manifest(rehearsal, folder)))


def _without_secrets(document: dict[str, Any]) -> dict[str, Any]:
    """Mask what definitions of objects hold: the body of a routine may carry a password."""
    objects = document.get("frames", {}).get("objects")
    if objects is not None:
        index = objects["columns"].index("definition")
        for row in objects["rows"]:
            row[index] = redact(row[index]) if row[index] else row[index]
    return document


def _sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Add a hash of everything else: it shows an accident or a careless edit, not a forger, who can seal anew."""
    return {**manifest, "seal": _seal(manifest)}


def _seal(manifest: Mapping[str, Any]) -> str:
    unsealed = {key: value for key, value in manifest.items() if key != "seal"}
    return hashlib.sha256(json.dumps(unsealed, sort_keys=True).encode()).hexdigest()


def _manifest(rehearsal: Rehearsal, folder: Path) -> dict[str, Any]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    return {
        "migkit": "evidence",
        "format": FORMAT,
        "kind": "rehearsal",
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
        "versions": dict(rehearsal.versions),
        "git": dict(rehearsal.git),
        "files": {path.name: sha256(path) for path in files},
    }


def _encode_proven(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        name: [
            {"schema": table[0], "table": table[1], **vars(rows)}
            for table, rows in (comparison.facts.proven if comparison else {}).items()
        ]
        for name, comparison in (("comparison", rehearsal.comparison), ("rollback", rehearsal.rollback))
    }


def load_evidence(path: str | Path) -> Rehearsal:
    """Read an evidence folder; no database is needed.

    Parameters
    ----------
    path : str or Path
        The folder, or its ``evidence.json``.

    Returns
    -------
    Rehearsal
        What it holds; a rehearsal that never came to its end reads as ``running``, which is not passed.

    Raises
    ------
    StateUnreadable
        If it is no evidence, a file was changed since, it says passed against what it holds, or a later version
        wrote it.
    """
    folder = Path(path)
    folder = folder.parent if folder.name == MANIFEST else folder
    document = read_json(folder / MANIFEST)
    if document.get("migkit") != "evidence":
        raise StateUnreadable("This folder holds no evidence", where=str(folder))
    if not isinstance(document.get("format"), int) or document["format"] > FORMAT:
        raise StateUnreadable("A later migkit wrote this evidence", where=str(folder), next_step="Upgrade migkit.")
    if document.get("status") not in get_args(Status):
        raise StateUnreadable(f"The evidence has no status migkit knows: {document.get('status')!r}", where=str(folder))
    if document["format"] >= _SEALED_SINCE and document.get("seal") != _seal(document):
        raise _changed(folder / MANIFEST)
    try:
        _verify_files(folder, document.get("files", {}))
        rehearsal = _rehearsal(folder, document)
        contradiction = _contradiction(rehearsal) if rehearsal.passed else None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateUnreadable(f"The evidence is damaged: {error!r}", where=str(folder)) from None
    if contradiction:
        raise StateUnreadable(
            f"The evidence contradicts itself: it says passed, but {contradiction}",
            where=str(folder),
            next_step="It is not to be trusted; rehearse again.",
        )
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
    )
    errors = [*told, *(finding.what for finding in judged if finding.severity == "error")]
    return errors[0] if errors else None


def _changed(path: Path) -> StateUnreadable:
    return StateUnreadable(
        "This file was changed after the rehearsal",
        where=str(path),
        next_step="The evidence is not to be trusted; rehearse again.",
    )


def _verify_files(folder: Path, files: Mapping[str, str]) -> None:
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise StateUnreadable("A file of the evidence is missing", where=str(path))
        if sha256(path) != expected:
            raise _changed(path)


def _rehearsal(folder: Path, document: Mapping[str, Any]) -> Rehearsal:
    states = {name: _read(folder, name, State.from_document) for name in _STATES}
    runs = {name: _read(folder, name, Run.from_document) for name in _RUNS}
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
        validation=_read(folder, "validation", Validation.from_document),
        error=document.get("error"),
        evidence=folder,
        **states,
        **runs,
    )


def _read(folder: Path, name: str, decode: Any) -> Any:
    path = folder / f"{name}.json"
    return decode(read_json(path)) if path.is_file() else None


def _compared(
    before: State | None, after: State | None, proven: Mapping[TableName, ProvenRows], **declared: Any
) -> Comparison | None:
    return compare(before, after, proven=proven, **declared) if before and after else None


def _decode_proven(rows: list[dict[str, Any]]) -> dict[TableName, ProvenRows]:
    return {(row["schema"], row["table"]): ProvenRows(row["added"], row["removed"], row["changed"]) for row in rows}


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    packages = ("migkit", "sqlalchemy", "alembic", "pandas")
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **{package: metadata.version(package) for package in packages},
        "command": Path(sys.argv[0]).name,
    }


def git_state(path: Path) -> dict[str, Any]:
    """Return the commit a file stands at and whether it was changed since; empty outside a repository."""
    try:
        commit = _git(path, "rev-parse", "HEAD")
        dirty = bool(_git(path, "status", "--porcelain", "--", path.name))
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": commit, "dirty": dirty}


def _git(path: Path, *arguments: str) -> str:
    folder = path.parent if path.is_file() else path
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()
