"""Pieces that sections of every report are made of."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from migkit.display import lines
from migkit.display.card import Fold, fold_html, lines_html, sign_html
from migkit.display.escape import escape
from migkit.display.lines import NOTE, Line
from migkit.display.tables import frame_text
from migkit.findings import SIGNS
from migkit.report.section import Fragment, Section

LINE_LIMIT = 40


def filled_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame without the columns that say nothing in any row."""
    return frame.loc[:, [bool(frame[name].notna().any()) for name in frame.columns]]


def finding_html(row: lines.Row) -> str:
    """Return a judgement with its reason and what to do instead."""
    sign = SIGNS.get(row["severity"], NOTE)
    tone = {"error": "mk-bad", "warning": "mk-warn"}.get(row["severity"], "mk-plain")
    why = f"<p>{escape(row['why'])}</p>" if row["why"] else ""
    instead = f"<p><em>Instead:</em> {escape(row['instead'])}</p>" if row["instead"] else ""
    place = f"{row['severity']} · {row['where']} · {row['id']}"
    return (
        f'<li class="{tone}"><p>{sign_html(sign)}<strong>{escape(row["what"])}</strong></p>'
        f'{why}{instead}<p class="mk-quiet"><small>{escape(place)}</small></p></li>'
    )


def sentence(text: str) -> Section:
    """Return a section of one sentence."""
    return Section((Fragment(f"<p>{escape(text)}</p>", text),))


def lines_fragment(told: Sequence[Line], heading: str | None = None) -> Fragment:
    """Return lines under a heading; of many, those that tell a change first."""
    shown = lines.capped(told, LINE_LIMIT, "change") if len(told) > LINE_LIMIT else list(told)
    head = f"<h3>{escape(heading)}</h3>" if heading else ""
    return Fragment(head + lines_html(shown), "\n".join(filter(None, [heading, lines.join(shown)])))


def folds_fragment(folds: Sequence[Fold]) -> Fragment:
    """Return frames to be opened; empty ones are left out."""
    filled = [Fold(fold.title, filled_columns(fold.frame), opened=fold.opened) for fold in folds if len(fold.frame)]
    text = "\n".join(f"{fold.title}\n{frame_text(fold.frame, limit=LINE_LIMIT)}" for fold in filled)
    return Fragment("".join(fold_html(fold) for fold in filled), text)
