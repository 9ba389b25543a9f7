"""Results as JSON documents, for ``--json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from migkit import frames
from migkit.state.comparison import Comparison
from migkit.state.row_results import RowComparison
from migkit.state.snapshot import State
from migkit.workflow.dry_run import DryRun
from migkit.workflow.rehearsal import Rehearsal

_CHANGES = {
    "tables": frames.TABLE_CHANGES,
    "columns": frames.COLUMN_CHANGES,
    "constraints": frames.CONSTRAINT_CHANGES,
    "indexes": frames.INDEX_CHANGES,
    "objects": frames.OBJECT_CHANGES,
    "orphans": frames.ORPHAN_CHANGES,
}


def state_document(state: State, path: Path) -> dict[str, Any]:
    """Return what a snapshot says of itself."""
    return {
        "database": state.database,
        "server": state.server,
        "captured_at": state.captured_at.isoformat(),
        "path": str(path),
        "total_rows": state.total_rows,
        "tables": [
            {"schema": row["schema"], "table": row["table"], "rows": row["rows"]}
            for row in frames.TABLES.rows(state.tables)
        ],
    }


def comparison_document(result: Comparison) -> dict[str, Any]:
    """Return a comparison: the verdict, and whatever differs."""
    document: dict[str, Any] = {
        "passed": result.passed,
        "identical": result.identical,
        "errors": result.errors,
        "row_count_diff": result.row_count_diff,
        "integrity_check": result.integrity_check,
        "constraint_violations": result.constraint_violations,
        "orphaned_records": result.orphaned_records,
    }
    document |= {name: spec.rows(getattr(result, name)) for name, spec in _CHANGES.items()}
    return document | {
        "findings": frames.FINDINGS.rows(result.findings),
        "unchecked": frames.UNCHECKED.rows(result.unchecked),
    }


def dry_run_document(tried: DryRun) -> dict[str, Any]:
    """Return a dry run."""
    return {
        "passed": tried.passed,
        "migration": tried.migration,
        "checks": frames.CHECKS.rows(tried.checks),
        "changes": [{"sign": line.sign, "text": line.text} for line in tried.changes],
    }


def rehearsal_document(trial: Rehearsal) -> dict[str, Any]:
    """Return a rehearsal: the verdict and why; the evidence folder holds the rest."""
    return {
        "passed": trial.passed,
        "status": trial.status,
        "explanation": trial.explain(),
        "migration": {key: value for key, value in trial.migration.items() if key != "source"},
        "database": dict(trial.database),
        "seconds": trial.seconds,
        "steps": [vars(step) for step in trial.steps],
        "findings": frames.FINDINGS.rows(trial.findings),
        "unchecked": frames.UNCHECKED.rows(trial.unchecked),
        "evidence": str(trial.evidence) if trial.evidence else None,
    }


def row_comparison_document(result: RowComparison) -> dict[str, Any]:
    """Return a comparison of rows: the counts, and each difference."""
    return {
        "a": result.a,
        "b": result.b,
        "table": result.table,
        "identical": result.identical,
        "method": result.method,
        "key": list(result.key),
        "columns": list(result.columns),
        "rows_a": result.rows_a,
        "rows_b": result.rows_b,
        "added": result.added,
        "removed": result.removed,
        "changed": result.changed,
        "changed_by_column": result.changed_by_column,
        "rows": frames.ROW_DIFFERENCES.rows(result.rows),
        "unchecked": frames.UNCHECKED.rows(result.unchecked),
    }
