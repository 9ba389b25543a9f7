"""``report()``, and the archive's index: every run, newest first, made anew from the evidence each time."""

from __future__ import annotations

from pathlib import Path

from migkit import storage
from migkit.errors import MigkitError, ReportFailed
from migkit.report.listing import read_runs
from migkit.report.overview import index_html
from migkit.report.render import render
from migkit.workflow.evidence import MANIFEST, load_evidence
from migkit.workflow.rehearsal import Rehearsal

INDEX_FILE = "index.html"


def report(evidence: Rehearsal | str | Path, *, template: str = "signoff") -> Path:
    """Render the report of a rehearsal, and the index of the archive it lies in.

    Parameters
    ----------
    evidence : Rehearsal, str or Path
        A rehearsal that kept its evidence, or an evidence folder.
    template : str, default "signoff"
        A shipped template by name, or the path of a notebook.

    Returns
    -------
    Path
        The archived ``report.html``.

    Raises
    ------
    ReportFailed
        If there is no evidence, or the report notebook did not run to its end; the evidence stays.
    """
    page = render(_folder(evidence), template)
    write_index(page.parent.parent)
    return page


def write_index(archive: Path) -> Path:
    """Write ``index.html`` over every run of an archive; folders that cannot be read are listed as such."""
    return storage.write_bytes(archive / INDEX_FILE, index_html(read_runs(archive)).encode())


def _folder(evidence: Rehearsal | str | Path) -> Path:
    if isinstance(evidence, Rehearsal):
        if evidence.evidence is None:
            raise ReportFailed(
                "This rehearsal kept no evidence, so there is nothing to report from",
                next_step="Rehearse again with an archive: mk.rehearse(..., reports='reports').",
            )
        evidence = evidence.evidence
    folder = Path(evidence)
    folder = folder.parent if folder.name == MANIFEST else folder
    if not (folder / MANIFEST).is_file():
        raise ReportFailed(
            "This folder holds no evidence", where=str(folder), next_step=f"Name a folder that has an {MANIFEST}."
        )
    try:
        load_evidence(folder)
    except MigkitError as error:
        raise ReportFailed(error.what, where=error.where or str(folder), next_step=error.next_step) from None
    return folder.resolve()
