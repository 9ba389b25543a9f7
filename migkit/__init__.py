"""migkit: what will this migration do to this database, who will wait for it, and can I take it back?

>>> import migkit as mk
>>> mk.capture("sqlite://").total_rows
0
"""

from typing import Any

from migkit.database import Database, connect
from migkit.errors import MigkitError
from migkit.load.results import LoadResult
from migkit.load.workload import Statement, Transaction, Workload
from migkit.migration.migration import Migration
from migkit.migration.results import Run
from migkit.observe.lock_watch import LockWatch
from migkit.observe.metrics import Metrics
from migkit.observe.stats import Stats
from migkit.recovery.backup import Backup
from migkit.recovery.pitr_results import Moment, Recovered
from migkit.recovery.restoring import Restoration
from migkit.state.comparison import Comparison
from migkit.state.row_results import RowComparison
from migkit.state.snapshot import State
from migkit.verbs import (
    Fleet,
    backup,
    backups,
    capture,
    check_constraints,
    check_indexes,
    clone,
    compare,
    compare_rows,
    connections,
    deploy,
    deploy_checklist,
    dry_run,
    fleet,
    load,
    load_test,
    metrics,
    pitr_disable,
    pitr_enable,
    pitr_status,
    plan_deploy,
    prune_backups,
    read_only,
    recover,
    rehearse,
    report,
    restore,
    retain_backup,
    rollback,
    rollback_to,
    run,
    stats,
    timestamp,
    validate,
    verify_backup,
    verify_restore,
    watch_locks,
)
from migkit.widgets.compare_panel import compare_panel
from migkit.widgets.explorer import explore
from migkit.widgets.load_panel import load_panel
from migkit.workflow.deployment.results import Deployment
from migkit.workflow.rehearsal import Rehearsal
from migkit.workflow.validation import Validation

__version__ = "0.1.0"


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def load_ipython_extension(ipython: Any) -> None:
    """Have IPython load the door that ``%load_ext migkit`` asks for; the magics know this package, not it them."""
    ipython.extension_manager.load_extension("migkit.magics")


__all__ = [
    "Backup",
    "Comparison",
    "Database",
    "Deployment",
    "Fleet",
    "LoadResult",
    "LockWatch",
    "Metrics",
    "MigkitError",
    "Migration",
    "Moment",
    "Recovered",
    "Rehearsal",
    "Restoration",
    "RowComparison",
    "Run",
    "State",
    "Statement",
    "Stats",
    "Transaction",
    "Validation",
    "Workload",
    "backup",
    "backups",
    "capture",
    "check_constraints",
    "check_indexes",
    "clone",
    "compare",
    "compare_panel",
    "compare_rows",
    "connect",
    "connections",
    "deploy",
    "deploy_checklist",
    "dry_run",
    "explore",
    "fleet",
    "load",
    "load_panel",
    "load_test",
    "metrics",
    "pitr_disable",
    "pitr_enable",
    "pitr_status",
    "plan_deploy",
    "prune_backups",
    "read_only",
    "recover",
    "rehearse",
    "report",
    "restore",
    "retain_backup",
    "rollback",
    "rollback_to",
    "run",
    "stats",
    "timestamp",
    "validate",
    "verify_backup",
    "verify_restore",
    "watch_locks",
]
