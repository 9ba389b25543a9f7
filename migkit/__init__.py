"""migkit: what will this migration do to this database, who will wait for it, and can I take it back?

>>> import migkit as mk
>>> mk.capture("sqlite://").total_rows
0
"""

from migkit.database import Database, connect
from migkit.errors import MigkitError
from migkit.migration.migration import Migration
from migkit.migration.results import Run
from migkit.state.comparison import Comparison
from migkit.state.row_results import RowComparison
from migkit.state.snapshot import State
from migkit.verbs import (
    capture,
    clone,
    compare,
    compare_rows,
    dry_run,
    load,
    rehearse,
    report,
    rollback,
    run,
    validate,
)
from migkit.workflow.rehearsal import Rehearsal
from migkit.workflow.validation import Validation

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Database",
    "MigkitError",
    "Migration",
    "Rehearsal",
    "RowComparison",
    "Run",
    "State",
    "Validation",
    "capture",
    "clone",
    "compare",
    "compare_rows",
    "connect",
    "dry_run",
    "load",
    "rehearse",
    "report",
    "rollback",
    "run",
    "validate",
]
