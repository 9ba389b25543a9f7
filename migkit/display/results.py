"""What each result shows of itself, as a card: pure functions over the shape of a result.

Results live in rooms above this one, so they are known here by their attributes alone.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import pandas as pd

from migkit.display.card import Card, Fact, Fold, card_html, card_text
from migkit.display.lines import (
    BAD,
    GOOD,
    NOTE,
    WARN,
    Line,
    change_counts,
    check_lines,
    column_lines,
    constraint_lines,
    elsewhere_lines,
    finding_lines,
    index_lines,
    object_lines,
    orphan_lines,
    statement_lines,
    table_lines,
)
from migkit.display.units import count, duration, plural, signed

PASSED_IN_PART = "passed as far as rows were read: nothing in them was lost or damaged"
PASSED_WHERE_BOTH_LOOKED = "passed in the schemas that both states looked at: nothing in them was lost or damaged"

# Characters of a value that a card begins to look at; its tables show fewer.
_LONGEST_SHOWN = 1_000


class DrawnInNotebooks:
    """Lets a noun draw itself as a card in a notebook."""

    @abstractmethod
    def card(self) -> Card:
        """Return what it shows of itself."""

    def _repr_html_(self) -> str:
        return card_html(self.card())

    def __dir__(self) -> list[str]:
        # What completion offers: what people ask a result for, not how it draws and keeps itself.
        hidden = ("card", "from_document")
        return [name for name in super().__dir__() if name not in hidden and (name[0] != "_" or name[:2] == "__")]


class Drawn(DrawnInNotebooks):
    """Lets a result draw itself in a terminal, too."""

    def __repr__(self) -> str:
        return card_text(self.card())


def state_card(state: Any) -> Card:
    """Return the card of a state."""
    orphans = int(state.orphans["orphans"].fillna(0).sum())
    return Card(
        title=f"State of {state.database}",
        sign=NOTE,
        verdict=f"{state.server}, captured {state.captured_at:%Y-%m-%d %H:%M:%S} UTC",
        figures=(
            Fact("tables", count(len(state.tables))),
            Fact("rows", _counted(state.tables["rows"], count(state.total_rows))),
            Fact("orphans", count(orphans)),
        ),
        folds=(
            Fold("Tables", state.tables, ("schema", "table", "kind", "rows", "size_bytes", "key")),
            Fold("Columns", state.columns, ("table", "column", "type", "nullable", "default", "nulls")),
            Fold("Constraints", state.constraints, ("table", "name", "kind", "definition", "validated")),
            Fold("Indexes", state.indexes, ("table", "name", "definition", "unique", "valid")),
            Fold("Other objects", state.objects, ("kind", "name", "parent", "definition")),
            Fold("Orphans", state.orphans[state.orphans["orphans"].fillna(0) > 0]),
            Fold("Not checked", state.unchecked, told=True),
        ),
    )


def _counted(rows: pd.Series[Any], total: str) -> str:
    """Tell a total of rows; a table whose rows nobody counted is not one without rows."""
    if not rows.isna().any():
        return total
    return "not counted" if rows.isna().all() else f"{total} where counted"


def comparison_card(comparison: Any) -> Card:
    """Return the card of a comparison."""
    sign, verdict = _comparison_verdict(comparison)
    return Card(
        title=f"{comparison.before} → {comparison.after}",
        sign=sign,
        verdict=verdict,
        figures=(
            Fact("rows", _counted(comparison.tables["rows_diff"], signed(comparison.row_count_diff))),
            Fact("errors", count(len(comparison.errors))),
            Fact("new orphans", count(comparison.orphaned_records)),
        ),
        lines=tuple(all_lines(comparison) + summary_lines(comparison)),
        folds=(
            Fold("Findings", comparison.findings, ("severity", "what", "instead", "id")),
            Fold("Tables", comparison.tables),
            Fold("Columns", _changed(comparison.columns)),
            Fold("Constraints", _changed(comparison.constraints)),
            Fold("Indexes", _changed(comparison.indexes)),
            Fold("Other objects", _changed(comparison.objects)),
            Fold("Not checked", comparison.unchecked, told=True),
        ),
    )


def _comparison_verdict(comparison: Any) -> tuple[str, str]:
    if comparison.identical:
        return GOOD, "identical"
    if comparison.passed:
        # A sign that says more than was read would be taken for a proof.
        if not comparison.facts.same_scope:
            return WARN, PASSED_WHERE_BOTH_LOOKED
        if comparison.columns["content"].isin(["not read", "sampled"]).any():
            return WARN, PASSED_IN_PART
        return GOOD, "passed: nothing was lost or damaged"
    return BAD, f"failed: {comparison.errors[0]}"


def _changed(frame: pd.DataFrame) -> pd.DataFrame:
    changed = frame["change"] != "unchanged"
    if "content" in frame.columns:
        changed |= frame["content"] != "intact"
    chosen: pd.DataFrame = frame[changed]
    return chosen


def all_lines(comparison: Any) -> list[Line]:
    """Return one line per table, and one per other thing that changed."""
    return [
        *table_lines(comparison.tables),
        *column_lines(_of_kept_tables(comparison)),
        *constraint_lines(comparison.constraints),
        *index_lines(comparison.indexes),
        *object_lines(comparison.objects),
        *orphan_lines(comparison.orphans),
        *elsewhere_lines(comparison.findings),
    ]


def _of_kept_tables(comparison: Any) -> pd.DataFrame:
    """Leave out the columns of tables that came or went; the table's line says it."""
    tables, columns = comparison.tables, comparison.columns
    whole = tables[tables["change"].isin(["added", "removed"])]
    gone = set(zip(whole["schema"], whole["table"], strict=True))
    kept = [name not in gone for name in zip(columns["schema"], columns["table"], strict=True)]
    # A list, were it empty, would choose columns.
    chosen: pd.DataFrame = columns[pd.Series(kept, index=columns.index, dtype=bool)]
    return chosen


def changed_lines(comparison: Any) -> list[Line]:
    """Return one line per thing that differs."""
    new_orphans = comparison.orphans["orphans_new"].fillna(0) > 0
    columns = _of_kept_tables(comparison)
    lines = [
        *table_lines(_not_told_by_columns(comparison.tables, _changed(columns))),
        *column_lines(columns),
        *constraint_lines(comparison.constraints),
        *index_lines(comparison.indexes),
        *object_lines(comparison.objects),
        *orphan_lines(comparison.orphans[new_orphans]),
        *elsewhere_lines(comparison.findings),
    ]
    return [line for line in lines if line.sign != GOOD]


def _not_told_by_columns(tables: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    """Leave out tables of which nothing changed but values, where lines of their columns say which."""
    told = set(zip(columns["schema"], columns["table"], strict=True))
    only_values = (tables["change"] == "unchanged") & (tables["rows_diff"].fillna(0) == 0)
    names = zip(tables["schema"], tables["table"], only_values, strict=True)
    kept = [not (only and (schema, table) in told) for schema, table, only in names]
    chosen: pd.DataFrame = tables[pd.Series(kept, index=tables.index, dtype=bool)]
    return chosen


def summary_lines(comparison: Any) -> list[Line]:
    """Return the counts per kind."""
    kinds = ("tables", "columns", "constraints", "indexes", "objects")
    return [Line(NOTE, f"{kind.capitalize()}: {change_counts(getattr(comparison, kind))}") for kind in kinds]


def row_comparison_card(rows: Any) -> Card:
    """Return the card of a comparison of rows."""
    shown = rows.rows[["change", "key"]].drop_duplicates() if rows.key else rows.rows
    more = rows.differences - len(shown)
    note = f"{plural(more, 'more row')} that differ, not listed" if more > 0 else ""
    lines = [
        Line(NOTE, f"{column}: {plural(count_, 'row')} changed") for column, count_ in rows.changed_by_column.items()
    ]
    if note:
        lines.append(Line(WARN, note))
    return Card(
        title=f"Rows of {rows.table}: {rows.a} ({count(rows.rows_a)}) → {rows.b} ({count(rows.rows_b)})",
        sign=BAD if rows.differences else GOOD if rows.identical else WARN,
        verdict=_rows_verdict(rows),
        figures=(
            Fact("added", count(rows.added)),
            Fact("removed", count(rows.removed)),
            Fact("changed", count(rows.changed)),
        ),
        lines=tuple(lines),
        folds=(
            Fold("Differences", _without_long_values(rows.rows), opened=True, told=True),
            Fold("Not checked", rows.unchecked, told=True),
        ),
    )


def _without_long_values(frame: pd.DataFrame) -> pd.DataFrame:
    """Cut what is far too long to be shown before it is looked at character by character."""
    shown = frame.copy()
    for name in ("key", "value_a", "value_b"):
        shown[name] = frame[name].map(_cut, na_action="ignore")
    return shown


def _cut(text: str) -> str:
    if len(text) <= _LONGEST_SHOWN:
        return text
    return f"{text[: _LONGEST_SHOWN // 2]}…{text[-_LONGEST_SHOWN // 2 :]}"


def _rows_verdict(rows: Any) -> str:
    if rows.differences:
        return f"{plural(rows.differences, 'row')} differ{'s' if rows.differences == 1 else ''}"
    return "identical" if rows.identical else "no row differs in the columns that were compared"


def validation_card(validation: Any) -> Card:
    """Return the card of a validation."""
    kept = int(validation.checks["passed"].fillna(False).sum())
    return Card(
        title=f"Validation of {validation.migration} on {validation.database}",
        sign=GOOD if validation.passed else BAD,
        verdict="passed" if validation.passed else "failed",
        figures=(Fact("promises", count(len(validation.checks))), Fact("kept", count(kept))),
        lines=tuple(check_lines(validation.checks)),
    )


_STATEMENT_COLUMNS = ("number", "summary", "seconds", "rows", "outcome", "rewritten", "algorithm", "sql")


def run_card(run: Any) -> Card:
    """Return the card of a run."""
    way = "the way up" if run.direction == "up" else "the way down"
    return Card(
        title=f"{run.migration} on {run.database}, {way}",
        sign=GOOD if run.succeeded else BAD,
        verdict="done" if run.succeeded else str(run.error),
        figures=(
            Fact("took", duration(run.seconds)),
            Fact("statements", count(int(run.statements["kind"].isin(["ddl", "dml"]).sum()))),
            Fact("waited for it", plural(int(run.waits["by_migration"].fillna(False).sum()), "session")),
        ),
        lines=tuple(statement_lines(run.statements[run.statements["kind"] != "query"])),
        folds=(
            Fold("Statements", run.statements, _STATEMENT_COLUMNS),
            Fold("Locks", run.locks, ("relation", "mode", "held_ms", "blocks", "statement", "exact")),
            Fold("Waits", run.waits, ("relation", "waiter_query", "blocker_query", "waited_ms", "by_migration", "end")),
            Fold("Progress", run.progress, ("command", "relation", "phase", "done", "total", "unit", "lasted_ms")),
            Fold("Deadlocks, timeouts, cancels", run.incidents, ("kind", "session", "blocker", "relation", "query")),
            Fold("Not checked", run.unchecked),
        ),
    )


def migration_card(migration: Any) -> Card:
    """Return the card of a migration."""
    metadata = migration.metadata
    told = (("description", metadata.description), ("author", metadata.author), ("risk, as declared", metadata.risk))
    return Card(
        title=f"Migration {migration.name}",
        sign=GOOD if migration.has_down else WARN,
        verdict="with a way down" if migration.has_down else "without a way down",
        figures=tuple(Fact(label, value) for label, value in told if value),
        lines=tuple(Line(WARN, f"may {one}") for one in metadata.allow),
        texts=((f"Source ({migration.path.name})", migration.source),),
    )


def database_card(db: Any) -> Card:
    """Return the card of a database."""
    changes = "have to be confirmed" if db.protected else "are allowed"
    schemas = ", ".join(db.schemas) if db.schemas else "all"
    return Card(
        title=f"Database {db.name}",
        verdict=", ".join([db.server, *(["scratch"] if db.is_scratch else [])]),
        figures=(Fact("engine", db.dialect.label), Fact("changes", changes), Fact("schemas", schemas)),
        lines=(Line(NOTE, db.url),),
    )


def rehearsal_card(trial: Any) -> Card:
    """Return the card of a rehearsal."""
    severities = trial.findings["severity"].value_counts()
    errors, warnings = int(severities.get("error", 0)), int(severities.get("warning", 0))
    return Card(
        title=f"Rehearsal of {trial.migration['name']} on {trial.database['name']}",
        sign=GOOD if trial.passed else BAD,
        verdict=trial.explain(),
        figures=(
            Fact("took", duration(trial.seconds)),
            Fact("errors", count(errors), plural(warnings, "warning")),
            Fact("not checked", count(len(trial.unchecked))),
        ),
        lines=(
            *finding_lines(trial.findings),
            *(Line({"done": GOOD, "failed": BAD}.get(step.status, NOTE), _step_text(step)) for step in trial.steps),
        ),
        folds=(
            Fold("Findings", trial.findings, ("severity", "what", "why", "instead", "id")),
            Fold("Not checked", trial.unchecked, told=True),
        ),
        noun="step",
    )


def _step_text(step: Any) -> str:
    detail = f": {step.detail}" if step.detail else ""
    return f"{step.name} ({duration(step.seconds)}){detail}"


def dry_run_card(tried: Any) -> Card:
    """Return the card of a dry run."""
    return Card(
        title=f"Dry run of {tried.migration['name']}",
        sign=GOOD if tried.passed else BAD,
        verdict="runs on an empty copy of the schema" if tried.passed else _first_failed(tried.checks),
        figures=(Fact("changes", count(len(tried.changes))),),
        lines=(
            *check_lines(tried.checks),
            *tried.changes,
            Line(WARN, "nothing was checked about data, locks and durations: that takes a rehearsal"),
        ),
        texts=tuple(
            (f"SQL of the way {run.direction}", _sql_text(run.statements)) for run in (tried.up, tried.down) if run
        ),
    )


def _first_failed(checks: pd.DataFrame) -> str:
    broken = [line.text for line in check_lines(checks) if line.sign == BAD]
    return f"failed on an empty copy of the schema: {broken[0]}" if broken else "not all of it was checked"


def _sql_text(statements: pd.DataFrame) -> str:
    """Return the statements that change something, as a script."""
    changing = statements[statements["kind"].isin(["ddl", "dml"])]
    return "\n\n".join(f"{sql.rstrip().rstrip(';')};" for sql in changing["sql"])
