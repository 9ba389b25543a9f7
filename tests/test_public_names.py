"""The public surface is what it says it is: a name added or lost is a decision, not an accident."""

from __future__ import annotations

import inspect

import migkit

NOUNS = {
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
}
VERBS = {
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
}


def test_the_public_names_are_pinned() -> None:
    assert set(migkit.__all__) == NOUNS | VERBS
    assert list(migkit.__all__) == sorted(migkit.__all__), "keep __all__ in order"


def test_nouns_are_classes_and_verbs_are_functions() -> None:
    assert all(inspect.isclass(getattr(migkit, noun)) for noun in NOUNS)
    assert all(inspect.isfunction(getattr(migkit, verb)) for verb in VERBS)


def test_no_module_hides_behind_a_verb() -> None:
    # `from migkit import compare` must give the function, whatever was imported before.
    assert not [verb for verb in VERBS if inspect.ismodule(getattr(migkit, verb))]
