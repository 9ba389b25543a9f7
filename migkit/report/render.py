"""From evidence to a page: papermill runs the template, nbconvert makes HTML of it, redaction reads it last."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from migkit import storage
from migkit.display.style import FRAGMENT_CSS
from migkit.errors import MissingExtra, ReportFailed
from migkit.redaction import redact
from migkit.report.kernel import execute
from migkit.report.page import page_html
from migkit.workflow.evidence_folder import MANIFEST

HTML_FILE = "report.html"
NOTEBOOK_FILE = "report.ipynb"

_BY_HAND = "by-hand"
_SHIPPED = Path(__file__).parent / "templates"
_CHECKED_OUT = Path(__file__).parents[2] / "notebooks" / "templates"
_PASSED_MARK = "mk-verdict mk-good"
# Pieces of HTML in which nothing from outside is written, and where a mask would break the drawing.
_DRAWING = re.compile(r'<style>.*?</style>|<(?:path|use|rect|clipPath|pattern|g)\b[^>]*>|"data:image/[^"]*"', re.DOTALL)
_TAG = re.compile(r"(<[^>]*>)")


def render(folder: Path, template: str = "signoff") -> Path:
    """Render the report of an evidence folder into it.

    Parameters
    ----------
    folder : Path
        The evidence folder.
    template : str
        A shipped template by name, or the path of a notebook with a cell tagged ``parameters``.

    Returns
    -------
    Path
        ``report.html``; ``report.ipynb`` lies beside it.

    Raises
    ------
    ReportFailed
        If there is no evidence or no such template, or the notebook did not run to its end.
    """
    evidence = storage.read_json(folder / MANIFEST)
    executed = execute(template_path(template), {"evidence": "."}, folder)
    _tidy(executed)
    _walk(executed, redact_html)
    html = redact_html(page_html(_title(evidence), _body(executed)))
    if _PASSED_MARK in html and evidence.get("status") != "passed":
        raise ReportFailed("The report reads as passed, the evidence does not", where=str(folder))
    storage.write_bytes(folder / NOTEBOOK_FILE, _notebook_bytes(executed))
    return storage.write_bytes(folder / HTML_FILE, html.encode())


def template_path(template: str) -> Path:
    """Return where a template lies, in the wheel or in a checkout."""
    if template.endswith(".ipynb"):
        candidates = [Path(template)]
    else:
        candidates = [folder / f"{template}.ipynb" for folder in (_SHIPPED, _CHECKED_OUT)]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        known = sorted({path.stem for folder in (_SHIPPED, _CHECKED_OUT) for path in folder.glob("*.ipynb")})
        raise ReportFailed(f"There is no report template {template!r}", next_step=f"Known: {', '.join(known)}.")
    return found


def _title(evidence: dict[str, Any]) -> str:
    migration = evidence.get("migration")
    name = migration.get("name") if isinstance(migration, dict) else migration
    return f"{name or 'Migration'}: {evidence.get('status', 'unknown')}"


def _tidy(notebook: Any) -> None:
    """Drop what papermill notes about this machine: paths, times, the author's kernel."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for cell in notebook.cells:
        for name in ("papermill", "execution"):
            cell.metadata.pop(name, None)


def _walk(node: Any, mend: Callable[[str], str]) -> None:
    """Mend every text of a notebook, images left alone."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        if isinstance(value, str):
            if not str(key).startswith("image/png"):
                node[key] = mend(value)
        elif isinstance(value, dict | list):
            _walk(value, mend)


def redact_html(text: str) -> str:
    """Redact text and tags each on their own, so that a mask never swallows a tag; drawings stay as they are."""
    drawings: list[str] = []

    def set_aside(match: re.Match[str]) -> str:
        drawings.append(match[0])
        return f"<\x00{len(drawings) - 1}>"

    pieces = _TAG.split(_DRAWING.sub(set_aside, text))
    mended = "".join(redact(piece) if piece.strip() else piece for piece in pieces)
    return re.sub(r"<\x00(\d+)>", lambda match: drawings[int(match[1])], mended)


def _body(notebook: Any) -> str:
    """Return the notebook's outputs and headings as HTML, without input."""
    try:
        from nbconvert import HTMLExporter
    except ImportError:
        raise MissingExtra("nbconvert", "notebook", "Rendering a report") from None
    exporter: Any = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic",
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    html, _ = exporter.from_notebook_node(_for_reading(notebook))
    return str(html).replace(f"<style>{FRAGMENT_CSS}</style>", "")


def _for_reading(notebook: Any) -> Any:
    """Return a copy for the page: no cells for people who run it by hand, SVG inline in the page's ink."""
    import nbformat

    copy: Any = nbformat.from_dict(notebook)  # type: ignore[no-untyped-call]
    copy.cells = [cell for cell in copy.cells if _BY_HAND not in cell.metadata.get("tags", [])]
    for cell in copy.cells:
        for output in cell.get("outputs", []):
            svg = output.get("data", {}).pop("image/svg+xml", None)
            if svg is not None:
                output.data["text/html"] = f'<figure class="mk-plot">{inline_svg(svg)}</figure>'
    return copy


def inline_svg(svg: str) -> str:
    """Return SVG as it is written inside HTML: without namespace declarations."""
    return re.sub(r'\sxmlns(?::\w+)?="[^"]*"', "", svg)


def _notebook_bytes(notebook: Any) -> bytes:
    import nbformat

    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    return f"{text}\n".encode()
