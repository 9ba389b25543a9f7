"""The runs of the archive inside a panel, and their reports without leaving it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from migkit.display import units
from migkit.display.card import sign_html
from migkit.display.escape import clean_line, escape, shorten
from migkit.display.lines import BAD, GOOD, WARN
from migkit.display.style import styled
from migkit.errors import MigkitError
from migkit.report.listing import REPORT_FILE, RunEntry, read_runs
from migkit.widgets.toolkit import button, error_html, html, ipywidgets

RUN_LIMIT = 10

_SIGNS = {"passed": GOOD, "failed": BAD}


class History:
    """The latest runs as a table, and the report of one of them.

    Parameters
    ----------
    archive : Path
        The folder that holds the evidence.
    """

    def __init__(self, archive: Path) -> None:
        kit = ipywidgets()
        self.archive = archive
        self._lock = threading.RLock()
        self._shown = ""
        self.table = html("mk-history")
        self.table.layout.margin = "0.8em 0 0.3em 0"
        self.pick = kit.Dropdown(description="Report", options=[("none yet", "")], value="")
        self.pick.style.description_width = "6.5em"
        self.pick.layout.width = "34em"
        self.pick.add_class("mk-report-choice")
        self.open = button("Open report", "mk-open-report", tooltip="Show the archived report here")
        self.page = html("mk-report")
        self.box = kit.VBox([self.table, kit.HBox([self.pick, self.open]), self.page])
        self.open.on_click(lambda _: self._toggle())
        self.pick.observe(lambda _: self._close(), names="value")
        self.refresh()

    def refresh(self, latest: Path | None = None) -> None:
        """Read the archive anew.

        Parameters
        ----------
        latest : Path, optional
            The evidence whose report is to be chosen.
        """
        with self._lock:
            try:
                runs = read_runs(self.archive) if self.archive.is_dir() else []
            except (MigkitError, OSError) as error:
                self.table.value = error_html(error)
                return
            self.table.value = styled(_table(runs))
            reported = [run for run in runs if run.has_report]
            chosen = latest.name if latest is not None else self.pick.value
            self.pick.options = [(_words(run), run.folder) for run in reported] or [("none yet", "")]
            if any(run.folder == chosen for run in reported):
                self.pick.value = chosen
            self.pick.disabled = self.open.disabled = not reported

    def _toggle(self) -> None:
        with self._lock:
            folder = self.pick.value
            if not folder or self._shown == folder:
                self._close()
                return
            try:
                page = (self.archive / folder / REPORT_FILE).read_text(encoding="utf-8")
            except OSError as error:
                self.page.value = error_html(error)
                return
            self._shown = folder
            self.open.description = "Close report"
            self.page.value = _frame(folder, page)

    def _close(self) -> None:
        with self._lock:
            self._shown, self.page.value = "", ""
            self.open.description = "Open report"


def _frame(folder: str, page: str) -> str:
    """Return a page inside a frame of its own that can neither run nor load anything."""
    # The page is HTML already: only what would end the attribute is escaped.
    inner = page.replace("&", "&amp;").replace('"', "&quot;")
    return (
        f'<iframe title="Report {escape(folder)}" sandbox="" srcdoc="{inner}" '
        'style="width:100%;height:42rem;border:1px solid rgba(128,128,128,.4);border-radius:6px"></iframe>'
    )


def _words(run: RunEntry) -> str:
    when = units.instant(run.started_at).removesuffix(" UTC")
    name = f"{shorten(run.migration, 40)} on {shorten(run.database, 24)}"
    return clean_line(f"{_SIGNS.get(run.status, WARN)} {when}  {name}")


def _table(runs: list[RunEntry]) -> str:
    if not runs:
        return '<p class="mk-quiet">Nothing has been rehearsed yet.</p>'
    heads = ("Verdict", "Migration", "Database", "Started (UTC)", "Took", "Longest lock")
    head = "".join(f'<th scope="col" style="text-align:left">{name}</th>' for name in heads)
    rows = "".join(_row(run) for run in runs[:RUN_LIMIT])
    more = len(runs) - RUN_LIMIT
    caption = f"History: {units.plural(len(runs), 'run')}" + (f", the latest {RUN_LIMIT}" if more > 0 else "")
    return (
        f'<div class="mk-scroll"><table class="mk-table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(run: RunEntry) -> str:
    cells: tuple[Any, ...] = (
        shorten(run.migration or run.folder, 48),
        shorten(run.database or units.MISSING, 32),
        units.instant(run.started_at).removesuffix(" UTC"),
        units.duration(run.seconds),
        units.milliseconds(run.lock_ms),
    )
    verdict = f'<th scope="row">{sign_html(_SIGNS.get(run.status, WARN))}{escape(run.status)}</th>'
    return f"<tr>{verdict}{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
