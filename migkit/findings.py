"""Judgements as data: a rule is an id, a severity, a condition, an effect and an example; a finding applies it.

Rules live in the room whose facts they judge (``state/rules.py``, ``workflow/rules.py``); this module only says what a
rule and a finding are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from migkit import frames

Severity = Literal["error", "warning", "note"]

SIGNS: dict[str, str] = {"error": "✗", "warning": "⚠", "note": "·"}


@dataclass(frozen=True)
class Rule:
    """One thing migkit judges.

    Parameters
    ----------
    id : str
        Stable id, ``kebab-case``; never reused.
    severity : {"error", "warning", "note"}
        ``error`` fails the verdict.
    condition : str
        When the rule applies, in one sentence.
    effect : str
        Why it matters.
    instead : str
        What to do.
    bad : str
        An example to which it applies.
    good : str
        The example, mended.
    """

    id: str
    severity: Severity
    condition: str
    effect: str
    instead: str
    bad: str
    good: str

    def finding(self, where: str, what: str) -> Finding:
        """Apply the rule to one place."""
        return Finding(self.id, self.severity, where, what, self.effect, self.instead)


@dataclass(frozen=True)
class Finding:
    """One judgement: stable id, severity, where, what, why, what to do instead."""

    id: str
    severity: Severity
    where: str
    what: str
    why: str
    instead: str

    def __str__(self) -> str:
        return f"{SIGNS[self.severity]} {self.what} [{self.id}]"


def to_frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return findings as a frame (:data:`migkit.frames.FINDINGS`), errors first."""
    order = {"error": 0, "warning": 1, "note": 2}
    ranked = sorted(findings, key=lambda finding: order[finding.severity])
    return frames.FINDINGS.build(
        (finding.id, finding.severity, finding.where, finding.what, finding.why, finding.instead) for finding in ranked
    )
