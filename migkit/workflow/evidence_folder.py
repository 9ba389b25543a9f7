"""A folder of evidence of any kind: begun as running, finished with hashes, sealed, and believed only when whole.

Each kind of evidence (a rehearsal, a load test, a deployment) says in a module of its own what lies in its files; this
module knows how such a folder comes to be and when it is to be believed.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from migkit.errors import StateUnreadable
from migkit.redaction import redact
from migkit.storage import read_json, sha256, told_where, write_json

Result = TypeVar("Result")

# Since format 2 the manifest is sealed.
FORMAT = 2
MANIFEST = "evidence.json"
REHEARSAL = "rehearsal"  # the kind of evidence that says none

_SEALED_SINCE = 2


@dataclass(frozen=True)
class EvidenceFolder:
    """A folder whose manifest is sealed and whose files are those that were written.

    Parameters
    ----------
    path : Path
        The folder.
    document : mapping
        The manifest.
    """

    path: Path
    document: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """What it is evidence of: ``rehearsal``, ``load-test``, ``deployment``."""
        return str(self.document.get("kind", REHEARSAL))

    @property
    def status(self) -> str:
        """As the manifest says; what was begun and never finished says ``running``."""
        return str(self.document["status"])

    def read(self, name: str, decode: Callable[[dict[str, Any]], Result]) -> Result | None:
        """Return what ``NAME.json`` holds; ``None`` where there is no such file."""
        path = self.path / f"{name}.json"
        return decode(read_json(path)) if path.is_file() else None

    def require_status(self, known: Collection[str]) -> None:
        """Refuse a status that this kind of evidence does not know."""
        if self.status not in known:
            told = f"The evidence has no status migkit knows: {self.document.get('status')!r}"
            raise StateUnreadable(told, where=str(self.path))

    def contradicts(self, what: str) -> StateUnreadable:
        """Return the error for evidence that says passed while `what` speaks against it."""
        return StateUnreadable(
            f"The evidence contradicts itself: it says passed, but {what}",
            where=str(self.path),
            next_step=f"It is not to be trusted; repeat the {_words(self.kind)}.",
        )


def _words(kind: str) -> str:
    return kind.replace("-", " ")


def folder_name(subject: str, kind: str, started_at: datetime) -> str:
    """Return a name that sorts by time and never repeats: ``2026-11-22T063000Z-001_add_profile-rehearsal-7f3a``."""
    safe = re.sub(r"[^\w.-]+", "_", subject)[:60] or "migration"
    return f"{started_at.astimezone(UTC):%Y-%m-%dT%H%M%SZ}-{safe}-{kind}-{secrets.token_hex(2)}"


def begin_evidence(directory: Path, name: str, head: Mapping[str, Any]) -> Path:
    """Create an evidence folder whose status is ``running``; it is complete in itself when it appears.

    Parameters
    ----------
    directory : Path
        The archive.
    name : str
        The folder's name (:func:`folder_name`).
    head : mapping
        What is known at the start: ``kind``, ``started_at``, ``migration`` and ``database`` (mappings with a ``name``),
        and whatever else the kind knows.

    Returns
    -------
    Path
        The folder.
    """
    beside = directory / f".{name}.new"
    try:
        with told_where(directory):
            beside.mkdir(parents=True)
        write_manifest(beside, {"status": "running", **head})
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return beside.rename(directory / name)


def finish_evidence(folder: Path, documents: Mapping[str, Mapping[str, Any]], manifest: Mapping[str, Any]) -> None:
    """Write all results, then the manifest with their hashes and the status; the status comes last.

    Parameters
    ----------
    folder : Path
        What :func:`begin_evidence` returned.
    documents : mapping
        JSON values by the name of their file, without ``.json``; secrets are removed by whoever made them.
    manifest : mapping
        Everything :func:`begin_evidence` was given, ``status``, ``seconds`` and ``summary`` (what the archive's index
        shows), and whatever else the kind knows.
    """
    for name, document in documents.items():
        write_json(folder / f"{name}.json", document)
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    write_manifest(folder, {**manifest, "files": {path.name: sha256(path) for path in files}})


def without_secrets(document: dict[str, Any]) -> dict[str, Any]:
    """Mask what definitions of objects hold: the body of a routine may carry a password."""
    objects = document.get("frames", {}).get("objects")
    if objects is not None:
        index = objects["columns"].index("definition")
        for row in objects["rows"]:
            row[index] = redact(row[index]) if row[index] else row[index]
    return document


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write a manifest as it stands, sealed: for work that tells between beginning and end how far it is."""
    sealed = {"migkit": "evidence", "format": FORMAT, **manifest}
    # The seal shows an accident or a careless edit, not a forger, who can seal anew.
    write_json(folder / MANIFEST, {**sealed, "seal": _seal(sealed)})


def _seal(manifest: Mapping[str, Any]) -> str:
    unsealed = {key: value for key, value in manifest.items() if key != "seal"}
    return hashlib.sha256(json.dumps(unsealed, sort_keys=True).encode()).hexdigest()


def open_evidence(path: str | Path) -> EvidenceFolder:
    """Open an evidence folder of any kind.

    Parameters
    ----------
    path : str or Path
        The folder, or its ``evidence.json``.

    Returns
    -------
    EvidenceFolder
        The manifest, its seal and the hashes of its files verified.

    Raises
    ------
    StateUnreadable
        If it is no evidence, was changed since, or a later version wrote it.
    """
    folder = Path(path)
    folder = folder.parent if folder.name == MANIFEST else folder
    document = read_json(folder / MANIFEST)
    if document.get("migkit") != "evidence":
        raise StateUnreadable("This folder holds no evidence", where=str(folder))
    if not isinstance(document.get("format"), int) or document["format"] > FORMAT:
        raise StateUnreadable("A later migkit wrote this evidence", where=str(folder), next_step="Upgrade migkit.")
    if "status" not in document:
        raise StateUnreadable("The evidence has no status migkit knows: None", where=str(folder))
    opened = EvidenceFolder(folder, document)
    if document["format"] >= _SEALED_SINCE and document.get("seal") != _seal(document):
        raise _changed(folder / MANIFEST, opened)
    files = document.get("files", {})
    if not isinstance(files, dict):
        raise damaged(folder, "the list of files is none")
    _verify_files(opened, files)
    return opened


def _verify_files(opened: EvidenceFolder, files: Mapping[str, str]) -> None:
    for name, expected in files.items():
        path = opened.path / name
        if not path.is_file():
            raise StateUnreadable("A file of the evidence is missing", where=str(path))
        if sha256(path) != expected:
            raise _changed(path, opened)


def _changed(path: Path, opened: EvidenceFolder) -> StateUnreadable:
    return StateUnreadable(
        f"This file was changed after the {_words(opened.kind)}",
        where=str(path),
        next_step=f"The evidence is not to be trusted; repeat the {_words(opened.kind)}.",
    )


def damaged(folder: Path, why: object) -> StateUnreadable:
    """Return the error for evidence that does not hold what it should."""
    return StateUnreadable(f"The evidence is damaged: {why}", where=str(folder))


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
