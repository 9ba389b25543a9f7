"""The archive's front page: a table that sorts without script, and a trend per migration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from migkit.display import units
from migkit.display.card import sign_html
from migkit.display.escape import escape, shorten
from migkit.display.lines import BAD, GOOD, WARN
from migkit.report.listing import REPORT_FILE, RunEntry
from migkit.report.page import page_html

TREND_RUNS = 12

_SIGNS = {"passed": GOOD, "failed": BAD}
_WORDS = {"running": "not finished", "error": "not finished"}
_Key = Callable[[RunEntry], Any]
_COLUMNS: tuple[tuple[str, str, bool, _Key], ...] = (
    ("when", "Started", False, lambda run: (run.started_at is not None, run.started_at)),
    ("verdict", "Verdict", False, lambda run: run.status),
    ("kind", "What", False, lambda run: run.kind),
    ("migration", "Migration", False, lambda run: run.migration.lower()),
    ("database", "Database", False, lambda run: run.database.lower()),
    ("took", "Took", True, lambda run: run.seconds or 0.0),
    ("lock", "Longest lock", True, lambda run: run.lock_ms or 0.0),
    ("rows", "Rows", True, lambda run: run.rows or 0),
)


def index_html(runs: Sequence[RunEntry]) -> str:
    """Return the page that lists runs.

    Parameters
    ----------
    runs : sequence of RunEntry
        Newest first; this is the order without style, and the one to begin with.

    Returns
    -------
    str
        A page without script: the marks in the head are radio buttons, and the style sheet orders the rows.
    """
    passed = sum(run.status == "passed" for run in runs)
    told = f"{units.plural(len(runs), 'run')}, {units.count(passed)} passed. Newest first; choose ▲ or ▼ to sort."
    body = (
        f'<div class="mk"><h1>Runs</h1><p class="mk-quiet">{escape(told)}</p>'
        f"{_table(runs) if runs else '<p>Nothing was done yet.</p>'}</div>"
    )
    return page_html("migkit: runs", body, _css())


def _css() -> str:
    """Return the sheet with one rule per radio button: the checked one orders the rows by their rank."""
    ways = (("up", "var(--{})"), ("down", "calc(-1*var(--{}))"))
    rules = [
        f".runs:has(#{name}-{way}:checked) tbody tr{{order:{rank.format(name)}}}"
        for name, *_ in _COLUMNS
        for way, rank in ways
    ]
    return _INDEX_CSS + "\n".join(rules)


_INDEX_CSS = """
main{max-width:76rem}h1{font-size:2rem;letter-spacing:-.015em;margin:0 0 .3rem}
.runs{overflow-x:auto;margin-top:1.4rem}
.mk .runs table{display:grid;grid-template-columns:repeat(7,auto) auto 7rem;min-width:54rem;font-size:.95rem;margin:0}
.mk .runs thead,.mk .runs tbody,.mk .runs tr{display:grid;grid-template-columns:subgrid;grid-column:1/-1}
.mk .runs th,.mk .runs td{padding:.5rem 1rem .5rem 0;max-width:22rem;font-weight:400;text-align:left;
border-bottom:1px solid var(--line)}
.mk .runs .mk-number{text-align:right}
.runs thead label{cursor:pointer;opacity:.4;padding:0 .05em;font-size:.8em}
.runs thead label:hover{opacity:1}
.runs thead input{position:absolute;opacity:0;width:1px;height:1px}
.runs thead input:checked+label{opacity:1;color:var(--good)}
.runs thead input:focus-visible+label{outline:2px solid currentColor}
.runs tbody tr:hover{background:var(--faint)}
.runs a{color:inherit;text-underline-offset:.2em;text-decoration-color:color-mix(in srgb,currentColor 40%,transparent)}
.runs svg{display:block;width:6.5rem;height:1.6rem;overflow:visible}
@media print{.runs thead label{display:none}.runs{overflow:visible}}
"""


def _table(runs: Sequence[RunEntry]) -> str:
    ranks = {name: _ranks(runs, key) for name, _, _, key in _COLUMNS}
    head = "".join(_head(name, title, number) for name, title, number, _ in _COLUMNS)
    rows = "".join(_row(number, run, runs, ranks) for number, run in enumerate(runs))
    return (
        '<div class="runs"><table class="mk-table" role="table"><thead role="rowgroup"><tr role="row">'
        f'{head}<th role="columnheader" scope="col">Trend</th></tr></thead>'
        f'<tbody role="rowgroup">{rows}</tbody></table></div>'
    )


def _ranks(runs: Sequence[RunEntry], key: _Key) -> list[int]:
    order = sorted({_sortable(key(run)) for run in runs})
    place = {value: number for number, value in enumerate(order)}
    return [place[_sortable(key(run))] for run in runs]


def _sortable(value: Any) -> Any:
    return tuple("" if part is None else str(part) for part in value) if isinstance(value, tuple) else value


def _head(name: str, title: str, number: bool) -> str:
    marks = "".join(
        f'<input type="radio" name="sort" id="{name}-{way}"{" checked" if (name, way) == ("when", "down") else ""}>'
        f'<label for="{name}-{way}" title="{words}" aria-label="{title}, {words}">{mark}</label>'
        for way, mark, words in (("up", "▲", "smallest first"), ("down", "▼", "largest first"))
    )
    return f'<th role="columnheader" scope="col"{_number(number)}>{title} {marks}</th>'


def _number(number: bool) -> str:
    return ' class="mk-number" style="text-align:right"' if number else ""


def _row(number: int, run: RunEntry, runs: Sequence[RunEntry], ranks: dict[str, list[int]]) -> str:
    order = ";".join(f"--{name}:{places[number]}" for name, places in ranks.items())
    cells = (
        (escape(units.instant(run.started_at).removesuffix(" UTC")), False),
        (_verdict(run), False),
        (escape(run.kind.replace("-", " ")), False),
        (_link(run), False),
        (escape(" · ".join(filter(None, [run.database, run.engine])) or units.MISSING), False),
        (escape(units.duration(run.seconds)), True),
        (escape(units.milliseconds(run.lock_ms)), True),
        (escape(units.count(run.rows)), True),
        (_trend(run, runs), False),
    )
    body = "".join(f'<td role="cell"{_number(numeric)}>{html}</td>' for html, numeric in cells)
    return f'<tr role="row" style="{order}">{body}</tr>'


def _verdict(run: RunEntry) -> str:
    sign = _SIGNS.get(run.status, WARN)
    words = escape(_WORDS.get(run.status, run.status))
    problem = f" <small>{escape(run.problem)}</small>" if run.problem else ""
    return f"{sign_html(sign)}{words}{problem}"


def _link(run: RunEntry) -> str:
    name = escape(shorten(run.migration or run.folder, 60))
    if not run.has_report:
        return name
    return f'<a href="{escape(quote(run.folder))}/{REPORT_FILE}">{name}</a>'


def _trend(run: RunEntry, runs: Sequence[RunEntry]) -> str:
    """Return how long this and the earlier rehearsals of the migration on this database took, as a small line."""
    kin = [
        (other.started_at, other.seconds)
        for other in runs
        if other.started_at is not None
        and other.seconds is not None
        and run.started_at is not None
        and (other.kind, other.migration, other.database) == (run.kind, run.migration, run.database)
        and other.started_at <= run.started_at
    ]
    seconds = [took for _, took in sorted(kin)][-TREND_RUNS:]
    return _sparkline(seconds) if len(seconds) > 1 else ""


def _sparkline(values: Sequence[float]) -> str:
    top = max(values) or 1.0
    step = 100 / (len(values) - 1)
    points = [(round(number * step, 1), round(22 - 20 * value / top, 1)) for number, value in enumerate(values)]
    line = " ".join(f"{x},{y}" for x, y in points)
    told = escape(f"Took {', '.join(units.duration(value) for value in values)}")
    return (
        f'<svg viewBox="0 0 100 24" role="img" aria-label="{told}" preserveAspectRatio="none"><title>{told}</title>'
        f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.3" '
        'vector-effect="non-scaling-stroke"/>'
        f'<circle cx="{points[-1][0]}" cy="{points[-1][1]}" r="2.4" fill="currentColor"/></svg>'
    )
