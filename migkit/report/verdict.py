"""The head of a report: the verdict in words, why, and what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from migkit import frames
from migkit.display import units
from migkit.display.card import Fact, figures_html, sign_html, tone
from migkit.display.escape import clean_line, escape, shorten
from migkit.display.lines import BAD, GOOD, NOTE
from migkit.display.summary import longest_write_lock
from migkit.framing import plain
from migkit.report.section import Fragment
from migkit.state.comparison import Comparison
from migkit.state.snapshot import State
from migkit.workflow.rehearsal import Rehearsal, Step

_WORDS = {
    "passed": "Passed",
    "failed": "Failed",
    "error": "Not finished",
    "interrupted": "Interrupted",
    "running": "Not finished",
}
_STEP_SIGNS = {"done": GOOD, "failed": BAD, "skipped": NOTE}


def verdict_words(trial: Rehearsal) -> tuple[str, str]:
    """Return sign and words: ``✓ Passed`` only where status and verdict both say so."""
    if trial.status == "passed" and trial.passed:
        return GOOD, _WORDS["passed"]
    if trial.status == "passed":
        return BAD, _WORDS["failed"]
    return BAD, _WORDS.get(trial.status, "Not finished")


def verdict_fragment(trial: Rehearsal) -> Fragment:
    """Return the head of the report."""
    sign, words = verdict_words(trial)
    figures = key_figures(trial)
    about = list(_about(trial))
    name = str(trial.migration.get("name") or "unnamed migration")
    description = str(trial.migration.get("description") or "")
    why = _why(trial)
    body = (
        f'<header class="mk-verdict {tone(sign)}">'
        f'<p class="mk-kind">Migration rehearsal</p><h1>{sign_html(sign)}{escape(words)}</h1>'
        f'<p class="mk-subject"><strong>{escape(name)}</strong>'
        + (f" {escape(description)}" if description else "")
        + f'</p><p class="mk-why">{escape(why)}</p>{figures_html(figures)}</header>'
        + '<dl class="mk-about">'
        + "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in about)
        + f"</dl>{_steps_html(trial.steps)}"
    )
    text = [f"{sign} {words}: {name}", why]
    text += [f"{fact.label}: {fact.value} {fact.note}".rstrip() for fact in figures]
    text += [f"{label}: {value}" for label, value in about]
    return Fragment(body, "\n".join(clean_line(line) for line in text))


def _why(trial: Rehearsal) -> str:
    told = str(trial.explain() or "")
    return told if not trial.error or str(trial.error) in told else f"{told} {trial.error}".strip()


def key_figures(trial: Rehearsal) -> tuple[Fact, Fact, Fact]:
    """Return the three figures that matter: the data, the longest lock, the way back."""
    return _data_figure(trial), _lock_figure(trial), _way_back_figure(trial)


def _data_figure(trial: Rehearsal) -> Fact:
    comparison = trial.comparison
    if comparison is None:
        return Fact("Data", "not compared")
    errors = len(comparison.errors)
    rows = units.signed(comparison.row_count_diff)
    told = f"{rows} rows" if comparison.row_count_diff else "no row added or lost"
    if not comparison.integrity_check:
        return Fact("Data", "damaged", told)
    changed = comparison.columns[comparison.columns["content"] == "changed"]
    if len(changed) or comparison.row_count_diff < 0:
        return Fact("Data", "changed as declared", _changed_words(changed) or told)
    return Fact("Data", "intact", told if not errors else f"{told}, but {units.plural(errors, 'loss', 'losses')}")


def _changed_words(columns: pd.DataFrame) -> str:
    """Say which column changed, and in how many rows; of several columns, how many more there are."""
    if columns.empty:
        return ""
    first = frames.COLUMN_CHANGES.rows(columns)[0]
    rows = f" in {units.plural(first['rows_changed'], 'row')}" if first["rows_changed"] else ""
    more = f", and {units.plural(len(columns) - 1, 'more column')}" if len(columns) > 1 else ""
    return f"{shorten(first['table'] + '.' + first['column'], 40)}{rows}{more}"


def _lock_figure(trial: Rehearsal) -> Fact:
    if trial.up is None:
        return Fact("Longest lock against writes", "not measured")
    longest = longest_write_lock(trial.up.locks, trial.comparison)
    waiters = int(trial.up.waits["waiter"].nunique()) if len(trial.up.waits) else 0
    waited = f"{units.plural(waiters, 'session')} waited" if waiters else "nobody waited"
    if longest is None:
        return Fact("Longest lock against writes", "none", waited)
    return Fact(
        "Longest lock against writes",
        units.milliseconds(longest["held_ms"]),
        f"on {shorten(longest['relation'], 40)}; {waited}",
    )


def _way_back_figure(trial: Rehearsal) -> Fact:
    if trial.down is None:
        irreversible = trial.migration.get("has_down") is False
        return Fact("Way back", "none" if irreversible else "not proven", "only a backup" if irreversible else "")
    if not trial.down.succeeded:
        return Fact("Way back", "failed")
    if trial.rollback is None:
        return Fact("Way back", "not compared")
    if trial.rollback.identical:
        return Fact("Way back", "identical", f"in {units.duration(trial.down.seconds)}")
    return Fact("Way back", "not identical", f"{units.plural(_differences(trial.rollback), 'thing')} left behind")


def why_no_way_back(trial: Rehearsal) -> str:
    """Return why nothing ran on the way down."""
    if trial.migration.get("has_down") is False:
        return "The migration has no way down: only a backup brings the database back."
    return "The way down was not run, so the way back is not proven."


def _differences(comparison: Comparison) -> int:
    parts = (comparison.columns, comparison.constraints, comparison.indexes, comparison.objects)
    changed = sum(int((frame["change"] != "unchanged").sum()) for frame in parts)
    tables = comparison.tables
    touched = (tables["change"] != "unchanged") | (tables["content"].notna() & (tables["content"] != "intact"))
    return max(1, changed + int(touched.sum()))


def _about(trial: Rehearsal) -> Iterable[tuple[str, str]]:
    migration, database, clone = trial.migration, trial.database, trial.clone or {}
    yield "Migration", _joined(migration, "name", "version", "kind")
    if migration.get("author"):
        yield "Author", str(migration["author"])
    if migration.get("risk") or migration.get("estimated_duration"):
        yield "Declared", _declared(migration)
    yield "Database", _joined(database, "name", "server", "url")
    if clone:
        yield "Rehearsed on", _clone_words(clone)
    yield "Started", units.instant(trial.started_at)
    yield "Took", units.duration(trial.seconds)
    if trial.before is not None:
        yield "Looked at", _state_words(trial.before)
    if migration.get("allow"):
        yield "Declared losses", ", ".join(str(one) for one in migration["allow"])


def _declared(migration: Mapping[str, Any]) -> str:
    risk = f"risk {migration['risk']}" if migration.get("risk") else ""
    takes = f"takes {migration['estimated_duration']}" if migration.get("estimated_duration") else ""
    return ", ".join(filter(None, [risk, takes]))


def _joined(values: Mapping[str, Any], *names: str) -> str:
    return " · ".join(dict.fromkeys(str(values[name]) for name in names if values.get(name))) or units.MISSING


def _clone_words(clone: Mapping[str, Any]) -> str:
    parts = ["a copy on", str(clone.get("server") or "a scratch database")]
    if clone.get("size_bytes"):
        parts.append(f"({units.size(clone['size_bytes'])})")
    if clone.get("seconds") is not None:
        parts.append(f"made in {units.duration(clone['seconds'])}")
    return " ".join(parts)


def _state_words(state: State) -> str:
    size = plain(state.tables["size_bytes"])
    known = [number for number in size if number is not None]
    told = f", {units.size(sum(known))}" if known else ""
    return f"{units.plural(len(state.tables), 'table')}, {units.plural(int(state.total_rows or 0), 'row')}{told}"


def _steps_html(steps: Iterable[Step]) -> str:
    items = "".join(_step_html(step) for step in steps)
    return f'<ol class="mk-steps">{items}</ol>' if items else ""


def _step_html(step: Step) -> str:
    sign = _STEP_SIGNS.get(step.status, NOTE)
    status = "" if sign == GOOD else f" ({escape(step.status)})"
    took = "" if step.status == "skipped" else f" <small>{escape(units.duration(step.seconds))}</small>"
    return f"<li>{sign_html(sign)}{escape(step.name)}{status}{took}</li>"
