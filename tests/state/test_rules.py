"""Rules are data: each has everything a reader needs, and an id of its own."""

from __future__ import annotations

import pytest

from migkit.findings import Rule
from migkit.state import rules as state_rules
from migkit.workflow import rules as workflow_rules

RULES = [*state_rules.RULES, *workflow_rules.RULES]


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_when_why_and_what_to_do(rule: Rule) -> None:
    for sentence in (rule.condition, rule.effect, rule.instead):
        assert sentence.endswith((".", "!"))
    assert rule.id == rule.id.lower().replace("_", "-")
    if rule.severity != "note":
        assert rule.bad
        assert rule.good
