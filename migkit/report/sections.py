"""The sections of a sign-off report, each a pure function of a rehearsal: what is missing is said, never skipped."""

from __future__ import annotations

import pandas as pd

from migkit import frames
from migkit.display import lines, units
from migkit.display.card import Fold, details_html, lines_html, sign_html
from migkit.display.escape import escape, shorten
from migkit.display.lines import BAD, GOOD, NOTE, WARN, Line
from migkit.display.load_plots import alt_text_latency_over_time, latency_over_time
from migkit.display.lock_lanes import WEAK, merged_locks, strength
from migkit.display.lock_plot import alt_text_lock_durations, lock_durations
from migkit.display.plots import alt_text_row_count_diff, row_count_diff
from migkit.display.results import changed_lines
from migkit.display.summary import created_relations
from migkit.display.swimlane_plot import alt_text_swimlane, swimlane
from migkit.display.tables import frame_html, frame_text
from migkit.framing import plain
from migkit.load.canary import WHAT
from migkit.migration.results import Run
from migkit.report.parts import LINE_LIMIT, filled_columns, finding_html, folds_fragment, lines_fragment, sentence
from migkit.report.provenance import provenance, signature
from migkit.report.section import Fragment, Plot, Section
from migkit.report.verdict import verdict_fragment, why_no_way_back
from migkit.state.comparison import Comparison
from migkit.state.snapshot import State
from migkit.workflow.company import Company
from migkit.workflow.rehearsal import Rehearsal
from migkit.workflow.rules import BLOCKED_TOO_LONG_MS

__all__ = [
    "changes",
    "company",
    "findings",
    "locks",
    "provenance",
    "rollback",
    "signature",
    "statements",
    "unchecked",
    "validation",
    "verdict",
]

FOLD_LIMIT = 200

_LOCK_COLUMNS = ("relation", "mode", "statement", "held_ms", "blocks", "exact")
_WAIT_COLUMNS = ("waiter", "blocker", "relation", "mode", "waited_ms", "by_migration", "waiter_query")
_NO_STALL = "Canaries read and wrote every touched table all along, and none stalled for longer than 0.1 s."
_NOT_REACHED = "Not reached: the rehearsal ended before this step."


def verdict(trial: Rehearsal) -> Section:
    """Return the verdict: the words, why, who, what, when and where, and the three figures that matter."""
    return Section((verdict_fragment(trial),))


def changes(trial: Rehearsal) -> Section:
    """Return what the migration changed: the rows per table, then every change, then the counts."""
    comparison = trial.comparison
    if comparison is None:
        return sentence(_NOT_REACHED)
    told = _change_lines(comparison)
    plot = Plot(row_count_diff(comparison.tables), alt_text_row_count_diff(comparison.tables))
    return Section((lines_fragment(told or [Line(GOOD, "Nothing changed.")]), plot, _change_folds(comparison)))


def _change_lines(comparison: Comparison) -> list[Line]:
    """Return the changes, and the orphans that were there before."""
    old_orphans = comparison.orphans["orphans_new"].fillna(0) <= 0
    return changed_lines(comparison) + lines.orphan_lines(comparison.orphans[old_orphans])


def _change_folds(comparison: Comparison) -> Fragment:
    parts = (
        ("Tables", comparison.tables),
        ("Columns", comparison.columns),
        ("Constraints", comparison.constraints),
        ("Indexes", comparison.indexes),
        ("Other objects", comparison.objects),
    )
    counted = [(title, frame) for title, frame in parts if len(frame)]
    text = "\n".join(f"{title}: {lines.change_counts(frame)}" for title, frame in counted)
    return Fragment("".join(_changed_fold(title, frame) for title, frame in counted), text)


def _changed_fold(title: str, frame: pd.DataFrame) -> str:
    moved = frame["change"] != "unchanged"
    touched = _content_touched(frame)
    heading = f"{title}: {lines.change_counts(frame)}"
    if (touched & ~moved).any():
        heading += f"; other data in {units.count(int((touched & ~moved).sum()))}"
    if not (moved | touched).any():
        return f'<p class="mk-count">{escape(heading)}</p>'
    return details_html(heading, frame_html(filled_columns(frame[moved | touched]), limit=FOLD_LIMIT))


def _content_touched(frame: pd.DataFrame) -> pd.Series[bool]:
    if "content" not in frame:
        return pd.Series(False, index=frame.index)
    return ~frame["content"].isin(["intact", "retyped"]) & frame["content"].notna()


def locks(trial: Rehearsal) -> Section:
    """Return who held what and who waited, while the migration went up."""
    run = trial.up
    if run is None:
        return sentence(_NOT_REACHED)
    if not len(run.locks) and not len(run.waits):
        return sentence("No lock on a relation was recorded.")
    created = created_relations(trial.comparison)
    plot = Plot(
        lock_durations(run.locks, run.waits, run.statements, created),
        alt_text_lock_durations(run.locks, run.waits, created),
    )
    plots = [plot]
    if len(run.waits):
        plots.append(
            Plot(
                swimlane(run.locks, run.waits, run.statements, created),
                alt_text_swimlane(run.locks, run.waits, run.statements, created),
            )
        )
    folds = [Fold("Every lock", _by_time_held(run.locks)), Fold("Every wait", run.waits.loc[:, list(_WAIT_COLUMNS)])]
    if trial.down is not None:
        folds.append(Fold("Locks of the way down", _by_time_held(trial.down.locks)))
    told = [_lock_line(run, created), _wait_line(run), *_created_line(run, created)]
    return Section((lines_fragment(told), *plots, folds_fragment(folds)))


def company(trial: Rehearsal) -> Section:
    """Return what others would have gone through meanwhile: canaries, those behind a long reader, and a workload."""
    if trial.company is None:
        return sentence(_NOT_REACHED)
    return Section((*_canary_parts(trial, trial.company), *_load_parts(trial)))


def _canary_parts(trial: Rehearsal, seen: Company) -> list[Fragment | Plot]:
    if not len(seen.statements):
        why = [row["why"] for row in frames.UNCHECKED.rows(trial.unchecked) if row["what"] == WHAT]
        return list(sentence(f"Nobody looked: {'; '.join(why) or 'there was no canary'}.").parts)
    told = [_stall_line(row) for row in frames.STALLS.rows(seen.stalls)] or [Line(GOOD, _NO_STALL)]
    if seen.reader_seconds is not None:
        reader = f"A transaction that had read the touched tables stayed open for {seen.reader_seconds:g} s."
        told.insert(0, Line(NOTE, reader))
    rows = seen.statements.drop(columns=["sql", "blocked_over_ms"])
    return [lines_fragment(told), folds_fragment([Fold("Every canary", rows), Fold("Errors", seen.errors)])]


def _load_parts(trial: Rehearsal) -> list[Fragment | Plot]:
    load = trial.load
    if load is None:
        return []
    ran = load.run.statements if load.run else None
    told = [Line(GOOD if load.passed else BAD, f"Load test on a second clone, {load.workload}: {load.status}.")]
    told += [Line(NOTE, text) for text in load.verdict]
    plot = Plot(latency_over_time(load.timeline, ran), alt_text_latency_over_time(load.timeline, ran))
    return [lines_fragment(told, "Under load"), plot]


def _stall_line(row: lines.Row) -> Line:
    sign = WARN if row["stalled_ms"] >= BLOCKED_TOO_LONG_MS else NOTE
    tail = "" if row["ended"] == "answered" else f" ({row['ended']})"
    return Line(sign, f"{row['operation']} {row['table']} stalled {units.milliseconds(row['stalled_ms'])}{tail}")


def _created_line(run: Run, created: frozenset[str]) -> list[Line]:
    names = sorted(set(plain(run.locks["relation"])) & created)
    if not names:
        return []
    told = shorten(", ".join(names), 200)
    return [Line(NOTE, f"Not drawn: locks on what the migration made itself, which nobody used yet ({told}).")]


def _by_time_held(locks: pd.DataFrame) -> pd.DataFrame:
    return locks.sort_values("held_ms", ascending=False, kind="stable").loc[:, list(_LOCK_COLUMNS)]


def _lock_line(run: Run, created: frozenset[str]) -> Line:
    strongest = next((row for row in merged_locks(run.locks, created) if row["blocks"]), None)
    if strongest is None or strength(strongest) == WEAK:
        return Line(GOOD, "No lock kept anybody from reading or writing.")
    held = units.milliseconds(strongest["held_ms"])
    words = f"{strongest['mode']} on {strongest['relation']} for {held}, blocking {strongest['blocks']}"
    return Line(WARN, f"The strongest lock: {words}.")


def _wait_line(run: Run) -> Line:
    if not len(run.waits):
        return Line(GOOD, "Nobody waited for the migration.")
    longest = units.milliseconds(float(run.waits["waited_ms"].max()))
    return Line(WARN, f"{units.plural(run.waits['waiter'].nunique(), 'session')} waited, the longest for {longest}.")


def rollback(trial: Rehearsal) -> Section:
    """Return the proof of the way back: what came back identical, and what was left behind."""
    told = [*_down_lines(trial), *_again_lines(trial)]
    left = [] if trial.rollback is None or trial.rollback.identical else _change_lines(trial.rollback)
    parts: list[Fragment | Plot] = [lines_fragment(told)]
    if left:
        parts.append(lines_fragment(left, heading="Left behind, against the start"))
    return Section(tuple(parts))


def _down_lines(trial: Rehearsal) -> list[Line]:
    if trial.down is None:
        return [Line(WARN, why_no_way_back(trial))]
    if not trial.down.succeeded:
        return [Line(BAD, f"The way down failed: {trial.down.error or 'no reason was recorded'}")]
    done = Line(GOOD, f"The way down ran in {units.duration(trial.down.seconds)}.")
    if trial.rollback is None:
        return [done, Line(WARN, "What it left was not compared with the start.")]
    if trial.rollback.identical:
        return [done, Line(GOOD, f"Identical to the start: {_extent(trial.before)}.")]
    return [done, Line(BAD, "The database did not come back as it was.")]


def _extent(state: State | None) -> str:
    if state is None:
        return "every table, row and object"
    parts = (
        units.plural(len(state.tables), "table"),
        units.plural(int(state.total_rows or 0), "row"),
        units.plural(len(state.columns), "column"),
        units.plural(len(state.constraints), "constraint"),
        units.plural(len(state.indexes), "index", "indexes"),
        units.plural(len(state.objects), "other object"),
    )
    return ", ".join(parts)


def _again_lines(trial: Rehearsal) -> list[Line]:
    if trial.again is None:
        return []
    if trial.again.succeeded:
        return [Line(GOOD, f"Going up again worked, in {units.duration(trial.again.seconds)}.")]
    return [Line(BAD, f"Going up again failed: {trial.again.error or 'no reason was recorded'}")]


def validation(trial: Rehearsal) -> Section:
    """Return every promise of the migration that was held against the database."""
    if trial.validation is None:
        return sentence(_NOT_REACHED)
    told = lines.check_lines(trial.validation.checks)
    if not told:
        return sentence("The migration makes no promise that could be checked.")
    kept = sum(line.sign == GOOD for line in told)
    summary = Line(
        GOOD if kept == len(told) else BAD, f"{units.count(kept)} of {units.plural(len(told), 'promise')} kept."
    )
    broken = [line for line in told if line.sign != GOOD]
    head = lines_fragment([summary, *broken])
    fold = details_html("Every promise", lines_html([line for line in told if line.sign == GOOD]))
    return Section((head, Fragment(fold if kept else "", lines.join(told))))


def statements(trial: Rehearsal) -> Section:
    """Return every statement of every run, its SQL folded."""
    runs = (("Up", trial.up), ("Down", trial.down), ("Up again", trial.again))
    ran = [(title, run) for title, run in runs if run is not None]
    if not ran:
        return sentence(_NOT_REACHED)
    return Section(tuple(_run_fragment(title, run, opened=number == 0) for number, (title, run) in enumerate(ran)))


def _run_fragment(title: str, run: Run, *, opened: bool) -> Fragment:
    told = lines.statement_lines(run.statements)
    rows = list(zip(told, frames.STATEMENTS.rows(run.statements), strict=True))
    items = "".join(_statement_html(line, row) for line, row in rows[:FOLD_LIMIT])
    more = len(rows) - FOLD_LIMIT
    tail = f'<p class="mk-quiet">and {units.plural(more, "more statement")}</p>' if more > 0 else ""
    heading = f"{title}: {units.plural(len(rows), 'statement')} in {units.duration(run.seconds)}"
    account = _account_lines(run)
    return Fragment(
        lines_html(account) + details_html(heading, f'<ol class="mk-statements">{items}</ol>{tail}', opened=opened),
        "\n".join([heading, *filter(None, [lines.join(account)]), lines.join(told[:LINE_LIMIT], "  ")]),
    )


def _account_lines(run: Run) -> list[Line]:
    """Return what a failed run left standing, and what taking back a half-applied one came to."""
    told = [Line(WARN, f"Stands though the run failed: {shorten(' '.join(sql.split()), 200)}") for sql in run.standing]
    return told + ([Line(GOOD if run.succeeded else BAD, f"Afterwards {run.account}.")] if run.account else [])


def _statement_html(line: Line, row: lines.Row) -> str:
    about = [f"rewrote {row['rewritten']}"] if row["rewritten"] else []
    about += [row["algorithm"]] if row["algorithm"] else []
    about += (
        [units.plural(row["rows"], "row")] if (row["rows"] or 0) > 0 and "row" not in (row["summary"] or "") else []
    )
    about += ["outside a transaction"] if row["transaction"] == "0" else []
    tail = f' <span class="mk-quiet">{escape(", ".join(about))}</span>' if about else ""
    sql = str(row["sql"] or "")
    shown = sql if len(sql) <= 4000 else sql[:4000] + "\n…"
    summary = f"<summary>{sign_html(line.sign)}{escape(line.text)}{tail}</summary>"
    return f"<li><details>{summary}<pre><code>{escape(shown)}</code></pre></details></li>"


def findings(trial: Rehearsal) -> Section:
    """Return every judgement with its reason and what to do instead."""
    rows = frames.FINDINGS.rows(trial.findings)
    if not rows:
        return sentence("Nothing to remark.")
    told = rows[:FOLD_LIMIT]
    items = "".join(finding_html(row) for row in told)
    more = len(rows) - len(told)
    tail = f'<p class="mk-quiet">and {units.plural(more, "more finding")}</p>' if more else ""
    return Section(
        (Fragment(f'<ul class="mk-findings">{items}</ul>{tail}', lines.join(lines.finding_lines(trial.findings))),)
    )


def unchecked(trial: Rehearsal) -> Section:
    """Return what was not looked at; the verdict does not speak for it."""
    frame = trial.unchecked
    if not len(frame):
        return sentence("Nothing was left out.")
    return Section((Fragment(frame_html(frame, limit=FOLD_LIMIT), frame_text(frame, limit=LINE_LIMIT)),))
