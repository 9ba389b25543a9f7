from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from migkit.report import sections
from migkit.workflow.evidence import load_evidence
from migkit.workflow.rehearsal import Rehearsal
from tests.display.markup import assert_harmless

ALL = [getattr(sections, name) for name in sections.__all__]


@pytest.mark.parametrize("name", sections.__all__)
@pytest.mark.parametrize("which", ["passed", "failed", "broken_off"])
def test_every_section_of_every_outcome_is_harmless(name: str, which: str, request: pytest.FixtureRequest) -> None:
    section = getattr(sections, name)(request.getfixturevalue(which))
    assert_harmless(section.html)
    assert section.text.strip()
    assert "\x1b" not in section.text


def test_the_verdict_comes_in_words_with_sign_and_three_figures(passed: Rehearsal) -> None:
    html = sections.verdict(passed).html
    assert "mk-verdict mk-good" in html
    assert "Passed</h1>" in html
    assert html.count("<dt>Data</dt>") == html.count("<dt>Way back</dt>") == 1
    assert "identical" in sections.verdict(passed).text


@pytest.mark.parametrize("status", ["running", "failed", "error", "interrupted", "something new"])
def test_no_other_status_reads_as_passed(passed: Rehearsal, status: str) -> None:
    section = sections.verdict(replace(passed, status=status))  # type: ignore[arg-type]
    assert "Passed" not in section.html
    assert "✓ Passed" not in section.text
    assert "mk-verdict mk-bad" in section.html


def test_a_failed_rehearsal_names_what_was_lost_and_left_behind(failed: Rehearsal) -> None:
    assert "damaged" in sections.verdict(failed).text
    assert "users: 3 → 2 rows" in sections.changes(failed).text
    assert "Left behind, against the start" in sections.rollback(failed).text
    assert "did not come back as it was" in sections.rollback(failed).text
    assert "Instead:" in sections.findings(failed).html


def test_what_came_back_is_told_in_numbers(passed: Rehearsal) -> None:
    assert "Identical to the start: 10 tables, 3 rows" in sections.rollback(passed).text
    assert "Going up again worked" in sections.rollback(passed).text


def test_what_was_not_reached_is_said(broken_off: Rehearsal) -> None:
    assert "Not reached" in sections.changes(broken_off).text
    assert "no way down" in sections.rollback(broken_off).text
    assert "no such table" in sections.statements(broken_off).text


def test_nothing_at_all_still_renders(passed: Rehearsal) -> None:
    results = ("before", "after", "rolled_back", "up", "down", "again", "comparison", "rollback", "validation")
    empty = replace(passed, status="running", steps=(), clone={}, git={}, evidence=None, **dict.fromkeys(results))
    for section in ALL:
        assert_harmless(section(empty).html)


def test_evidence_shows_the_same_as_the_result(passed: Rehearsal) -> None:
    assert passed.evidence is not None
    loaded = load_evidence(passed.evidence)
    for section in (sections.verdict, sections.changes, sections.rollback, sections.statements):
        assert section(loaded).html == section(passed).html


def test_versions_and_digests_are_listed(passed: Rehearsal) -> None:
    text = sections.provenance(passed).text
    assert str(passed.migration["checksum"]) in text
    assert "before.json" in text


def test_a_plot_comes_with_words_for_those_who_do_not_see_it(passed: Rehearsal) -> None:
    (plot,) = [part for part in sections.changes(passed).parts if hasattr(part, "alt")]
    data, metadata = plot.bundle()
    assert "profiles new, 3 rows" in data["text/plain"]
    assert metadata["image/png"]["alt"] == data["text/plain"]


def test_secrets_in_statements_are_masked(broken_off: Rehearsal) -> None:
    assert "hunter2" not in sections.statements(broken_off).html


def test_the_sections_are_those_of_the_template() -> None:
    template = Path(__file__).parents[2] / "notebooks" / "templates" / "signoff.ipynb"
    source = template.read_text(encoding="utf-8")
    assert [name for name in sections.__all__ if f"sections.{name}(trial)" not in source] == []
