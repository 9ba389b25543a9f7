"""The public surface is what it says it is: a name added or lost is a decision, not an accident."""

from __future__ import annotations

import inspect

import migkit

NOUNS = {
    "Comparison",
    "Database",
    "MigkitError",
    "Migration",
    "Rehearsal",
    "RowComparison",
    "Run",
    "State",
    "Validation",
}
VERBS = {
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
