"""The card every result shows of itself: a verdict in words, the figures that matter, the rest folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from migkit.display.escape import clean_line, escape
from migkit.display.lines import BAD, GOOD, NOTE, WARN, Line, capped, join
from migkit.display.style import styled
from migkit.display.tables import ROW_LIMIT, frame_html, frame_text, telling_columns
from migkit.display.units import plural

LINE_LIMIT = 40
FEW_LINES = 3
TELLING_LINES = 6

_TONES = {GOOD: "good", WARN: "warn", BAD: "bad"}


@dataclass(frozen=True)
class Fact:
    """A figure with the word for it: ``Fact("Rows", "200,000", "as before")``."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, eq=False)
class Fold:
    """A frame that is there on demand: closed in HTML, left out of the text unless `told`."""

    title: str
    frame: pd.DataFrame
    columns: tuple[str, ...] | None = None
    opened: bool = False
    told: bool = False


@dataclass(frozen=True, eq=False)
class Card:
    """What a result shows of itself.

    Parameters
    ----------
    title : str
        What it is: ``Comparison before → after``.
    sign : str
        ``✓``, ``⚠``, ``✗`` or ``·``.
    verdict : str
        The verdict in words; the sign alone never carries it.
    figures : tuple of Fact
        The three figures that matter.
    lines : tuple of Line
        What happened; those that tell a change come first where there are many.
    folds : tuple of Fold
        The frames.
    texts : tuple of (title, text)
        Longer texts, folded; only in HTML.
    noun : str
        What a line tells, for "All 52 lines" and "12 lines more".
    """

    title: str
    sign: str = "·"
    verdict: str = ""
    figures: tuple[Fact, ...] = ()
    lines: tuple[Line, ...] = ()
    folds: tuple[Fold, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    noun: str = "line"


def tone(sign: str) -> str:
    """Return the CSS class of a sign's tone; the tone repeats what the sign and the words say."""
    return f"mk-{_TONES.get(sign, 'plain')}"


def card_html(card: Card) -> str:
    """Return a card as HTML that reads in a notebook, light or dark, trusted or not."""
    parts = [
        f'<p class="mk-title">{sign_html(card.sign)}<strong>{escape(card.title)}</strong>'
        + (f": {escape(card.verdict)}" if card.verdict else "")
        + "</p>",
        figures_html(card.figures),
        _lines_html(card),
        *(fold_html(fold) for fold in card.folds if len(fold.frame)),
        *(details_html(title, f"<pre>{escape(text)}</pre>") for title, text in card.texts),
    ]
    return styled(f'<section class="mk-card {tone(card.sign)}">{"".join(parts)}</section>')


def _lines_html(card: Card) -> str:
    """Return the lines that tell something; where there are more than a few, the rest is folded."""
    if len(card.lines) <= FEW_LINES:
        return lines_html(card.lines)
    telling = [line for line in card.lines if line.sign not in (GOOD, NOTE)][:TELLING_LINES]
    if all(line.sign == NOTE for line in card.lines):
        telling = list(card.lines[:FEW_LINES])
    every = lines_html(capped(card.lines, LINE_LIMIT, card.noun))
    return lines_html(telling) + details_html(f"All {plural(len(card.lines), card.noun)}", every)


def sign_html(sign: str) -> str:
    """Return a sign in its tone; screen readers hear the words beside it instead."""
    # The space is for readers whose style sheets were stripped; elsewhere a block drops it at its end.
    return f'<span class="mk-sign {tone(sign)}" aria-hidden="true">{escape(sign)} </span>'


def figures_html(figures: Sequence[Fact]) -> str:
    """Return figures as a description list."""
    if not figures:
        return ""
    items = "".join(
        f"<div><dt>{escape(fact.label)}</dt><dd>{escape(fact.value)}"
        + (f" <small>{escape(fact.note)}</small>" if fact.note else "")
        + "</dd></div>"
        for fact in figures
    )
    return f'<dl class="mk-figures">{items}</dl>'


def lines_html(lines: Sequence[Line]) -> str:
    """Return lines as a list."""
    items = "".join(f"<li>{sign_html(line.sign)}{escape(line.text)}</li>" for line in lines)
    return f'<ul class="mk-lines">{items}</ul>' if items else ""


def fold_html(fold: Fold) -> str:
    """Return a frame inside ``<details>``."""
    table = frame_html(fold.frame, columns=telling_columns(fold.frame, fold.columns))
    return details_html(f"{fold.title} ({plural(len(fold.frame), 'row')})", table, opened=fold.opened)


def details_html(title: str, content: str, *, opened: bool = False) -> str:
    """Return HTML inside ``<details>``; `title` is escaped, `content` is HTML already."""
    return (
        f"<details{' open' if opened else ''}><summary>{escape(title)}</summary>"
        f'<div class="mk-scroll" tabindex="0" role="group" aria-label="{escape(title)}">{content}</div></details>'
    )


def card_text(card: Card) -> str:
    """Return a card as text that reads well in a terminal."""
    head = f"{card.sign} {clean_line(card.title)}" + (f": {clean_line(card.verdict)}" if card.verdict else "")
    parts = [head]
    if card.figures:
        parts.append("  " + " · ".join(_fact_text(fact) for fact in card.figures))
    if card.lines:
        parts.append(join(capped(card.lines, LINE_LIMIT, card.noun), "  "))
    for fold in card.folds:
        if fold.told and len(fold.frame):
            table = frame_text(fold.frame, columns=fold.columns, limit=ROW_LIMIT, indent="    ")
            parts.append(f"  {clean_line(fold.title)}\n{table}")
    return "\n".join(parts)


def _fact_text(fact: Fact) -> str:
    note = f" ({fact.note})" if fact.note else ""
    return clean_line(f"{fact.label}: {fact.value}{note}")
