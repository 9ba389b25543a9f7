"""``report()``, and the archive's index: every run, newest first, made anew from the evidence each time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from migkit import storage
from migkit.errors import MigkitError, ReportFailed
from migkit.load.results import LoadResult
from migkit.report.listing import read_runs
from migkit.report.overview import index_html
from migkit.report.plain_page import plain_page
from migkit.report.render import HTML_FILE, render
from migkit.workflow.evidence import Evidence, load_evidence
from migkit.workflow.evidence_folder import MANIFEST, REHEARSAL, open_evidence
from migkit.workflow.load_evidence import LOAD_TEST, archive_load_test

INDEX_FILE = "index.html"

# Evidence of another kind gets a page that no notebook is needed for.
_TEMPLATES: Mapping[str, str] = {REHEARSAL: "signoff", LOAD_TEST: "load_test"}


def report(evidence: Evidence | str | Path, *, template: str | None = None, archive: str | Path | None = None) -> Path:
    """Render the report of evidence, and the index of the archive it lies in.

    Parameters
    ----------
    evidence : Rehearsal, LoadResult, FleetRehearsal, Deployment, str or Path
        A result that kept its evidence, or an evidence folder. A load test that lies in no archive is put into one.
    template : str, optional
        A shipped template by name, or the path of a notebook; by default the one for this kind of evidence.
    archive : str or Path, optional
        Where a load test is put; by default ``reports``.

    Returns
    -------
    Path
        The archived ``report.html``.

    Raises
    ------
    ReportFailed
        If there is no evidence, or the report notebook did not run to its end; the evidence stays.
    """
    if isinstance(evidence, LoadResult):
        evidence = archive_load_test(evidence, Path(archive or "reports").absolute())
    folder, result = _opened(evidence)
    opened = open_evidence(folder)
    chosen = template or _TEMPLATES.get(opened.kind)
    if chosen:
        page = render(folder, chosen)
    else:
        page = storage.write_bytes(folder / HTML_FILE, plain_page(opened, result).encode())
    write_index(page.parent.parent)
    return page


def write_index(archive: Path) -> Path:
    """Write ``index.html`` over every run of an archive; folders that cannot be read are listed as such."""
    return storage.write_bytes(archive / INDEX_FILE, index_html(read_runs(archive)).encode())


def _opened(evidence: Evidence | str | Path) -> tuple[Path, Evidence]:
    if isinstance(evidence, str | Path):
        folder = Path(evidence)
    else:
        kept: Path | None = getattr(evidence, "evidence", None)
        if kept is None:
            raise ReportFailed(
                f"This {type(evidence).__name__.lower()} kept no evidence, so there is nothing to report from",
                next_step="Repeat it with an archive: reports='reports'.",
            )
        folder = kept
    folder = folder.parent if folder.name == MANIFEST else folder
    if not (folder / MANIFEST).is_file():
        raise ReportFailed(
            "This folder holds no evidence", where=str(folder), next_step=f"Name a folder that has an {MANIFEST}."
        )
    try:
        result = load_evidence(folder)
    except MigkitError as error:
        raise ReportFailed(error.what, where=error.where or str(folder), next_step=error.next_step) from None
    return folder.resolve(), result
