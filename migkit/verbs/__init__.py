"""The public verbs: each turns what people type (a path, an alias) into the nouns its room works with, and calls it."""

from migkit.verbs.backing_up import (
    backup,
    backups,
    prune_backups,
    restore,
    retain_backup,
    verify_backup,
    verify_restore,
)
from migkit.verbs.deploying import deploy, deploy_checklist, plan_deploy, recover
from migkit.verbs.fleets import Fleet, fleet
from migkit.verbs.guarding import (
    check_constraints,
    check_indexes,
    close_to_writers,
    connections,
    open_to_writers,
    read_only,
)
from migkit.verbs.load_testing import load_test
from migkit.verbs.looking import capture, clone, compare, compare_rows, load
from migkit.verbs.migrating import dry_run, rehearse, report, rollback, run, validate
from migkit.verbs.point_in_time import pitr_disable, pitr_enable, pitr_status, rollback_to, timestamp
from migkit.verbs.watching import check_integrity, metrics, stats, watch_locks

__all__ = [
    "Fleet",
    "backup",
    "backups",
    "capture",
    "check_constraints",
    "check_indexes",
    "check_integrity",
    "clone",
    "close_to_writers",
    "compare",
    "compare_rows",
    "connections",
    "deploy",
    "deploy_checklist",
    "dry_run",
    "fleet",
    "load",
    "load_test",
    "metrics",
    "open_to_writers",
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
