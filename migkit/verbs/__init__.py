"""The public verbs: each turns what people type (a path, an alias) into the nouns its room works with, and calls it."""

from migkit.verbs.looking import capture, clone, compare, compare_rows, load
from migkit.verbs.migrating import dry_run, rehearse, report, rollback, run, validate

__all__ = [
    "capture",
    "clone",
    "compare",
    "compare_rows",
    "dry_run",
    "load",
    "rehearse",
    "report",
    "rollback",
    "run",
    "validate",
]
