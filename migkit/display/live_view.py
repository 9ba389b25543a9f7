"""How work that goes on looks in a cell or a panel, and what it leaves behind when it is done."""

from __future__ import annotations

from datetime import timedelta

from migkit.display.card import lines_html, sign_html
from migkit.display.curves import curves_html
from migkit.display.escape import escape
from migkit.display.lines import BAD, GOOD, NOTE, WARN, Line
from migkit.display.live import Moment
from migkit.display.style import styled
from migkit.display.timeline import timeline_html
from migkit.display.units import count, duration, plural

SHOWN_LINES = 12
RECENT = timedelta(seconds=2)

_ENDED = {"done": GOOD, "failed": BAD, "interrupted": WARN}


def live_html(moment: Moment, *, style: bool = True) -> str:
    """Return work that goes on: what is finished, what it is at, and what was observed.

    Parameters
    ----------
    moment : Moment
        What is known now.
    style : bool
        Bring the style sheet along; a panel brings it once.
    """
    hidden = moment.dropped + max(0, len(moment.lines) - SHOWN_LINES)
    parts = [
        f'<p class="mk-quiet">{plural(hidden, "earlier step")}</p>' if hidden else "",
        lines_html(moment.lines[-SHOWN_LINES:]),
        stage_html(moment) if moment.label else "",
        _server_html(moment),
        curves_html(moment.of("load"), moment.of("statement")),
        timeline_html(moment),
    ]
    return _section("".join(parts), "mk-live mk-running", style)


def stage_html(moment: Moment) -> str:
    """Return the present stage with its bar; without a total the bar only moves."""
    label = moment.label
    share = min(1.0, moment.done / moment.total) if moment.total else None
    reading = f"{count(moment.done)} of {count(moment.total)}" if moment.total else count(moment.done or None)
    value = "" if share is None else f' aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share * 100:.0f}"'
    width = "" if share is None else f' style="width:{share * 100:.1f}%"'
    kind = "mk-bar" if share is not None else "mk-bar mk-moving"
    return (
        f'<p class="mk-stage"><span class="mk-stage-label">{escape(label)}</span> '
        f'<span class="mk-quiet">{escape(f"{reading} · " if moment.done else "")}'
        f"{escape(duration(moment.stage_seconds))}</span></p>"
        f'<div class="{kind}" role="progressbar" aria-label="{escape(label)}"{value}><span{width}></span></div>'
    )


def _server_html(moment: Moment) -> str:
    """Return what the server says about the statement it works on, where it just said so."""
    rows = [row for row in moment.of("progress") if row.get("ended_at") and moment.at - row["ended_at"] < RECENT]
    if not rows:
        return ""
    row = max(rows, key=lambda one: one["ended_at"])
    share = f", {100 * row['done'] / row['total']:.0f} %" if row.get("done") is not None and row.get("total") else ""
    waits = f", waits for {row['waits_for']}" if row.get("waits_for") else ""
    words = f"{row.get('command') or 'The server'} on {row.get('relation') or '?'}: {row.get('phase') or 'working'}"
    return f'<p class="mk-quiet mk-server">{escape(words + share + waits)}</p>'


def ended_html(moment: Moment, ending: str, *, title: str = "", style: bool = True) -> str:
    """Return what work leaves behind: one line, the steps folded, and the picture of what was observed.

    Parameters
    ----------
    moment : Moment
        What was known at the end.
    ending : {"done", "failed", "interrupted"}
        How it ended.
    title : str
        What it was; by default the steps are counted.
    style : bool
        Bring the style sheet along.
    """
    sign = BAD if ending == "done" and moment.has_failed else _ENDED.get(ending, NOTE)
    steps = len(moment.lines) + moment.dropped
    words = title or f"{ending.capitalize()} after {duration(moment.seconds)}"
    head = f"{sign_html(sign)}{escape(words)}"
    lines = [Line(NOTE, plural(moment.dropped, "earlier step"))] if moment.dropped else []
    opened = "" if ending == "done" else " open"
    folded = f'<span class="mk-quiet"> · {plural(steps, "step")}</span></summary>{lines_html([*lines, *moment.lines])}'
    parts = [
        f"<details{opened}><summary>{head}{folded}</details>" if steps else f'<p class="mk-ended">{head}</p>',
        curves_html(moment.of("load"), moment.of("statement")),
        timeline_html(moment, is_over=True),
    ]
    return _section("".join(parts), "mk-live", style)


def moment_text(moment: Moment, ending: str = "") -> str:
    """Return a moment as text, for readers without HTML."""
    lines = [str(line) for line in moment.lines]
    if ending:
        return "\n".join([*lines, f"{_ENDED.get(ending, NOTE)} {ending} after {duration(moment.seconds)}"])
    stage = [f"· {moment.label} … ({duration(moment.stage_seconds)})"] if moment.label else []
    return "\n".join([*lines, *stage])


def _section(content: str, classes: str, style: bool) -> str:
    section = f'<div class="{classes}" role="group" aria-label="Progress">{content}</div>'
    return styled(section, live=True) if style else f'<div class="mk">{section}</div>'
