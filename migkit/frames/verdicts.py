"""Judgements: findings and checked promises."""

from __future__ import annotations

from migkit.frames.columns import fact, key, measure
from migkit.framing import FLAG, TEXT, FrameSpec

FINDINGS = FrameSpec(
    "findings",
    "One row per judgement.",
    (
        key("id", "stable id of the rule"),
        fact("severity", "error, warning or note"),
        key("where", "the object it is about"),
        fact("what", "what was found"),
        fact("why", "why it matters"),
        fact("instead", "what to do"),
    ),
)

CHECKS = FrameSpec(
    "checks",
    "One row per promise that was checked.",
    (
        key("check", "what was checked, for people: 'Table user_profiles exists'"),
        fact("passed", "the database keeps the promise", FLAG),
        measure("expected", "what the migration promises", TEXT),
        measure("found", "what the database holds", TEXT),
    ),
)
