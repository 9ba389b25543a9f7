"""Limits: pure functions over what was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from migkit import frames
from migkit.config import Config, LimitsConfig, load_config
from migkit.errors import ConfigError, MigrationInvalid
from migkit.migration.loading import load_migration
from migkit.migration.migration import Migration
from migkit.workflow.limits import RULES, Limits, judge_limits, limits_for
from migkit.workflow.rules import RULES as REHEARSAL_RULES

NONE = LimitsConfig()


def measured(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {"phase": "during", "statement": "read", "sql": "SELECT", "attempted": 10, "done": 10, "errors": 0}
    return frames.LOAD_STATEMENTS.build([usual | {"p99_ms": 5.0, "blocked_ms": 0.0} | row for row in rows])


def ids(limits: Limits, statements: pd.DataFrame | None, **more: Any) -> list[str]:
    return [finding.id for finding in judge_limits(limits, statements, **more)]


def python(folder: Path, limits: str) -> Migration:
    path = folder / "001_x.py"
    path.write_text(f"metadata = {{'limits': {limits}}}\ndef up(op):\n    pass\n")
    return load_migration(path, config=Config())


@pytest.mark.parametrize(
    ("limits", "row", "rule"),
    [
        (Limits(max_blocked_ms=500), {"blocked_ms": 1840.0}, "limit-blocked"),
        (Limits(max_p99_ms=50), {"p99_ms": 51.0}, "limit-p99"),
        (Limits(max_errors=0), {"errors": 1}, "limit-errors"),
    ],
)
def test_what_breaks_a_limit_is_an_error_and_what_keeps_it_is_none(
    limits: Limits, row: dict[str, Any], rule: str
) -> None:
    assert ids(limits, measured(row)) == [rule]
    assert ids(limits, measured(row | {"phase": "baseline"}, {})) == []
    assert ids(limits, measured({})) == []


def test_numbers_stand_in_the_finding() -> None:
    limits = Limits(max_blocked_ms=500)
    [finding] = judge_limits(limits, measured({"statement": "writes to orders", "blocked_ms": 1840.0}))
    assert finding.what == "writes to orders stalled for 1,840 ms while the migration ran; max_blocked_ms is 500"
    assert finding.severity == "error"


def test_a_limit_that_nothing_was_held_against_is_no_green() -> None:
    limits = Limits(max_blocked_ms=1, max_p99_ms=1, max_errors=0)
    assert ids(limits, None) == ["limit-not-measured"] * 3
    assert ids(limits, measured({"attempted": 0, "done": 0})) == ["limit-not-measured"] * 3
    assert ids(limits, measured({"phase": "baseline"})) == ["limit-not-measured"] * 3
    # However many errors are tolerated: what nobody answered was not quick.
    tolerant = Limits(max_p99_ms=100, max_errors=100)
    assert ids(tolerant, measured({"done": 0, "errors": 10, "p99_ms": None}, {})) == ["limit-not-measured"]


def test_a_lock_stands_in_for_requests_that_nobody_sent() -> None:
    limits = Limits(max_blocked_ms=500)
    assert ids(limits, None, locked=[("orders", 700.0)]) == ["limit-blocked"]
    assert ids(limits, None, locked=[("orders", 100.0)]) == []
    # Others were measured, but not on this table.
    assert ids(limits, measured({}), locked=[("archive", 700.0)]) == ["limit-blocked"]
    assert ids(limits, measured({}), locked=[("archive", 100.0)]) == []


def test_without_limits_nothing_is_judged() -> None:
    assert ids(Limits(), measured({"errors": 9, "blocked_ms": 9e9})) == []
    assert not Limits()
    assert Limits(max_errors=0)


def test_the_migration_replaces_limits_one_by_one_and_loosening_is_said(tmp_path: Path) -> None:
    general = LimitsConfig(max_blocked_ms=500, max_errors=3)
    limits = limits_for(python(tmp_path, "{'max_blocked_ms': 5000, 'max_p99_ms': 40}"), general)
    assert (limits.max_blocked_ms, limits.max_p99_ms, limits.max_errors) == (5000, 40, 3)
    assert limits.loosened == ("max_blocked_ms is 5000 in the migration and 500 in migkit.toml",)
    assert ids(limits, measured({})) == ["limit-loosened"]
    assert limits_for(python(tmp_path, "{'max_blocked_ms': 100}"), general).loosened == ()


def test_sql_says_its_limits_in_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "001_x.up.sql"
    path.write_text("-- migkit: limits max_blocked_ms=500, max_errors=0\nSELECT 1;\n")
    limits = limits_for(load_migration(path, config=Config()), NONE)
    assert (limits.max_blocked_ms, limits.max_errors) == (500, 0)


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ("{'max_bloked_ms': 1}", "no limit 'max_bloked_ms'"),
        ("{'max_errors': 1.5}", "max_errors is no number"),
        ("{'max_errors': -1}", "max_errors is no number"),
        ("{'max_p99_ms': 'soon'}", "max_p99_ms is no number"),
        ("{'max_p99_ms': True}", "max_p99_ms is no number"),
        ("{'max_p99_ms': float('nan')}", "max_p99_ms is no number"),
        ("'often'", "cannot be read"),
        ("7", "must be a mapping"),
    ],
)
def test_limits_that_are_none_are_errors(tmp_path: Path, told: str, match: str) -> None:
    with pytest.raises(MigrationInvalid, match=match):
        limits_for(python(tmp_path, told), NONE)


def test_the_section_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "migkit.toml"
    path.write_text("[limits]\nmax_blocked_ms = 500\nmax_errors = 0\n")
    assert limits_for(None, load_config(path).limits) == Limits(max_blocked_ms=500, max_errors=0)
    path.write_text("[limits]\nmax_blocked = 500\n")
    with pytest.raises(ConfigError, match="Did you mean 'max_blocked_ms'"):
        load_config(path)


def test_limits_survive_being_written_down() -> None:
    limits = Limits(max_blocked_ms=1.5, max_errors=0, loosened=("x",))
    assert Limits.from_document(limits.to_document()) == limits
    assert Limits.from_document(None) == Limits()
    assert replace(limits, loosened=()) != limits


def test_every_rule_has_an_example_and_an_id_of_its_own() -> None:
    rules = (*RULES, *REHEARSAL_RULES)
    assert len({rule.id for rule in rules}) == len(rules)
    assert all(rule.bad and rule.good and rule.effect and rule.instead for rule in RULES)
