"""The page of evidence that needs no notebook: a fleet, a deployment; made of what the result shows of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from migkit import frames
from migkit.display import units
from migkit.display.card import Card, details_html, figures_html, fold_html, lines_html, sign_html, tone
from migkit.display.escape import escape, shorten
from migkit.display.lines import BAD, GOOD
from migkit.report.listing import REPORT_FILE
from migkit.report.page import page_html
from migkit.report.provenance import made_with
from migkit.report.render import redact_html
from migkit.workflow.evidence_folder import EvidenceFolder
from migkit.workflow.fleet_results import FleetRehearsal

_ROW_LIMIT = 2_000
_KINDS = {"fleet": "Fleet rehearsal", "deployment": "Deployment"}
_WORDS = {
    "passed": "Passed",
    "failed": "Failed",
    "error": "Not finished",
    "interrupted": "Interrupted",
    "running": "Not finished",
}


def plain_page(opened: EvidenceFolder, result: Any) -> str:
    """Return the page of a result that draws itself as a card.

    Parameters
    ----------
    opened : EvidenceFolder
        Its evidence.
    result : FleetRehearsal, Deployment
        What the evidence holds; has ``passed``, ``card()`` and ``explain()``.
    """
    document = opened.document
    subject = str(document.get("migration", {}).get("name") or "")
    body = _head(opened, result, subject) + _body(opened, result)
    body += "<h2>Made with</h2>" + made_with(document.get("versions", {}), document.get("files", {})).html
    title = f"{subject or opened.kind}: {opened.status}"
    return redact_html(page_html(title, f'<div class="mk">{body}</div>', _CSS))


_CSS = """
.mk .mk-fleet th{text-align:left}
.mk-fleet td:first-child{white-space:nowrap}
.mk-fleet a{color:inherit;text-underline-offset:.2em}
"""


def _head(opened: EvidenceFolder, result: Any, subject: str) -> str:
    passed = bool(result.passed) and opened.status == "passed"
    sign = GOOD if passed else BAD
    words = _WORDS.get(opened.status, opened.status.capitalize())
    card: Card = result.card()
    kind = _KINDS.get(opened.kind, opened.kind.replace("-", " ").capitalize())
    return (
        f'<header class="mk-verdict {tone(sign)}"><p class="mk-kind">{escape(kind)}</p>'
        f"<h1>{sign_html(sign)}{escape(words if passed or opened.status != 'passed' else 'Failed')}</h1>"
        f'<p class="mk-subject"><strong>{escape(subject)}</strong></p>'
        f'<p class="mk-why">{escape(result.explain())}</p>{figures_html(card.figures)}</header>'
    )


def _body(opened: EvidenceFolder, result: Any) -> str:
    if isinstance(result, FleetRehearsal):
        return f"<h2>Databases</h2>{_databases(opened.path, result)}"
    card: Card = result.card()
    folds = "".join(fold_html(fold) for fold in card.folds if len(fold.frame))
    texts = "".join(details_html(title, f"<pre>{escape(text)}</pre>") for title, text in card.texts)
    return f"<h2>What happened</h2>{lines_html(card.lines)}{folds}{texts}"


def _databases(folder: Path, result: FleetRehearsal) -> str:
    rows = sorted(frames.FLEET.rows(result.databases), key=lambda row: bool(row["passed"]))
    shown = rows[:_ROW_LIMIT]
    head = "".join(f'<th scope="col">{title}</th>' for title in ("Database", "Verdict", "Took", "Findings", "Why"))
    body = "".join(_database(folder, row) for row in shown)
    left = len(rows) - len(shown)
    more = f'<p class="mk-quiet">and {units.plural(left, "more database")}, all told in fleet.json</p>' if left else ""
    return (
        '<div class="mk-scroll"><table class="mk-table mk-fleet"><thead><tr>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def _database(folder: Path, row: dict[str, Any]) -> str:
    sign = GOOD if row["passed"] else BAD
    name = escape(shorten(row["database"], 60))
    link = _link(folder, row["evidence"])
    name = f'<a href="{escape(link)}">{name}</a>' if link else name
    why = "" if row["passed"] else shorten(row["error"] or row["explanation"] or "", 400)
    cells = (
        name,
        f'<span class="{tone(sign)}">{sign_html(sign)}</span>{escape(row["status"])}',
        escape(units.duration(row["seconds"])),
        escape(units.count(row["findings"])),
        escape(why),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _link(folder: Path, evidence: str | None) -> str | None:
    """Return where a database's own report lies, seen from the page of the fleet; else its evidence, if it is there."""
    if evidence is None:
        return None
    other = folder.parent / Path(evidence).name
    if (other / REPORT_FILE).is_file():
        return f"../{quote(other.name)}/{REPORT_FILE}"
    return f"../{quote(other.name)}/evidence.json" if (other / "evidence.json").is_file() else None
