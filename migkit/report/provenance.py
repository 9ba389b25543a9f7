"""The foot of a report: what it was made with, what it rests on, and where to sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from migkit import storage
from migkit.display import units
from migkit.display.card import details_html
from migkit.display.escape import escape
from migkit.display.tables import frame_html, frame_text
from migkit.errors import StateUnreadable
from migkit.report.section import Fragment, Section
from migkit.workflow.evidence_folder import MANIFEST
from migkit.workflow.rehearsal import Rehearsal


def provenance(trial: Rehearsal) -> Section:
    """Return the versions, the git commit and the digests of the evidence files."""
    made = [(name, str(version)) for name, version in trial.versions.items()]
    if trial.migration.get("checksum"):
        made.append(("migration file, SHA-256", str(trial.migration["checksum"])))
    if trial.git and trial.git.get("commit"):
        dirty = " with uncommitted changes" if trial.git.get("dirty") else ""
        made.append(("git commit", f"{trial.git['commit']}{dirty}"))
    return _made(made, _digests(trial))


def made_with(versions: Mapping[str, Any], files: Mapping[str, Any]) -> Section:
    """Return versions, and digests of files."""
    made = [(str(name), str(version)) for name, version in versions.items()]
    return _made(made, sorted((str(name), str(digest)) for name, digest in files.items()))


def _made(made: Sequence[tuple[str, str]], digests: Sequence[tuple[str, str]]) -> Section:
    about = pd.DataFrame(made, columns=["what", "version"], dtype="str")
    files = pd.DataFrame(digests, columns=["file", "sha256"], dtype="str")
    html = frame_html(about, limit=100)
    if len(files):
        html += details_html(f"Evidence: {units.plural(len(files), 'file')}", frame_html(files, limit=100))
    text = "\n".join(frame_text(frame, limit=100, cell_limit=80) for frame in (about, files))
    return Section((Fragment(html, text),))


def _digests(trial: Rehearsal) -> list[tuple[str, str]]:
    if trial.evidence is None:
        return []
    try:
        document = storage.read_json(trial.evidence / MANIFEST)
    except StateUnreadable:
        return []
    return [(str(name), str(digest)) for name, digest in sorted(document.get("files", {}).items())]


def signature(trial: Rehearsal) -> Section:
    """Return the lines to sign."""
    name = escape(trial.migration.get("name") or "this migration")
    fields = "".join(f"<div><dt>{field}</dt><dd></dd></div>" for field in ("Name", "Date", "Signature"))
    html = (
        f'<div class="mk-signature"><p>Decision on {name}: '
        '<span class="mk-choice">☐ approved</span> <span class="mk-choice">☐ rejected</span> '
        f'<span class="mk-choice">☐ approved with conditions</span></p><dl>{fields}</dl></div>'
    )
    return Section((Fragment(html, "Decision: ____  Name: ____  Date: ____  Signature: ____"),))
