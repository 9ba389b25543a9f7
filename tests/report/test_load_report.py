"""The report of a load test, a fleet: verdict first, hostile names as text, the archive's index knows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import migkit as mk
from migkit import frames
from migkit.errors import ReportFailed, StateUnreadable
from migkit.load.results import LoadResult, PhaseSpan
from migkit.migration.results import Run
from migkit.progress import SILENT
from migkit.report import load_sections
from migkit.report.archive import report
from migkit.report.render import template_path
from migkit.workflow.evidence import load_evidence
from migkit.workflow.evidence_folder import finish_evidence, open_evidence
from migkit.workflow.load_evidence import archive_load_test
from tests.display.markup import Markup, assert_harmless
from tests.display.samples import HOSTILE, START, locks, statements, waits
from tests.display.test_load_plots import percentiles, timeline


def run() -> Run:
    return Run(
        migration=HOSTILE[1],
        direction="up",
        database="shop",
        succeeded=True,
        error=None,
        started_at=START,
        seconds=1.0,
        statements=statements(),
        locks=locks(),
        waits=waits(),
        unchecked=frames.UNCHECKED.build([("short waits", "nobody looked")]),
        transactions=1,
    )


def load_result(status: str = "failed", **changes: object) -> LoadResult:
    rows = [
        {"phase": phase, "statement": HOSTILE[0], "sql": HOSTILE[2], "attempted": 50, "done": 43, "errors": errors}
        | {"p50_ms": 1.0, "p99_ms": p99, "blocked_ms": blocked}
        for phase, p99, blocked, errors in (("baseline", 4.0, 0.0, 0), ("during", 1840.0, 2100.0, 7))
    ]
    errors = frames.LOAD_ERRORS.build(
        [("during", HOSTILE[0], "42703", f"no column {HOSTILE[3]}", HOSTILE[2], 7, START, START)]
    )
    finding = ("limit-blocked", "error", HOSTILE[0], "stalled for 2,100 ms; max_blocked_ms is 500", "why", "instead")
    result = LoadResult(
        status="failed",
        database=HOSTILE[4],
        workload="shop",
        clients=6,
        rate=50.0,
        arrivals="constant",
        reached_rate=49.9,
        started_at=START,
        seconds=9.0,
        phases=(PhaseSpan("baseline", START, 3.0), PhaseSpan("during", START + timedelta(seconds=3), 3.0)),
        runs=(run(),),
        rollback_run=None,
        statements=frames.LOAD_STATEMENTS.build(rows),
        timeline=timeline(),
        errors=errors,
        percentiles=percentiles(),
        findings=frames.FINDINGS.build([finding]),
        unchecked=frames.UNCHECKED.build([]),
        histograms={},
        verdict=("It took 1 s", f"{HOSTILE[0]} fails: no column (7 while the migration ran)"),
    )
    return replace(result, status=status, **changes)  # type: ignore[arg-type]


def passed_result() -> LoadResult:
    nothing = {"findings": frames.FINDINGS.build([]), "errors": frames.LOAD_ERRORS.build([])}
    return load_result("passed", **nothing, verdict=("Nothing was slowed",))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a load test that failed."""
    return mk.report(load_result(), archive=tmp_path_factory.mktemp("archive"))


def test_the_page_says_the_verdict_first_and_holds_every_section(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    markup = Markup(html)
    assert markup.text.index("Failed") < markup.text.index("What stalled, and why")
    for heading in ("Latency over time", "Statements", "Requests that failed", "Limits", "Not measured", "Made with"):
        assert heading in markup.text
    assert "stalled for 2,100 ms; max_blocked_ms is 500" in markup.text
    assert "nobody looked" in markup.text
    assert html.count("<svg") == 3
    assert not markup.tags & {"script", "img", "iframe"}
    assert "<script>alert(1)</script>" in markup.text


def test_the_index_lists_it_beside_rehearsals(page: Path) -> None:
    index = (page.parent.parent / "index.html").read_text(encoding="utf-8")
    assert "load test" in Markup(index).text
    assert f"{page.parent.name}/report.html".replace(":", "%3A") in index


def test_evidence_of_a_load_test_reads_back(page: Path) -> None:
    again = mk.load(page.parent)
    assert isinstance(again, LoadResult)
    assert again.explain() == load_result().explain()
    assert len(again.timeline) == len(load_result().timeline)


def test_the_same_result_is_archived_once(tmp_path: Path) -> None:
    assert archive_load_test(load_result(), tmp_path) == archive_load_test(load_result(), tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("result", "status", "why"),
    [
        (load_result(), "passed", "the result failed"),
        (load_result("passed"), "passed", "max_blocked_ms is 500"),
        (
            replace(passed_result(), runs=(replace(run(), succeeded=False, error="no"),)),
            "passed",
            "the migration failed",
        ),
        (passed_result(), "failed", "its manifest says failed"),
    ],
)
def test_evidence_that_contradicts_itself_is_refused(tmp_path: Path, result: LoadResult, status: str, why: str) -> None:
    folder = archive_load_test(result, tmp_path)
    document = {key: value for key, value in open_evidence(folder).document.items() if key != "seal"}
    finish_evidence(folder, {}, document | {"status": status})
    with pytest.raises(StateUnreadable, match=f"contradicts itself.*{why}"):
        load_evidence(folder)


def test_a_load_test_that_passed_reads_so(tmp_path: Path) -> None:
    assert load_evidence(archive_load_test(passed_result(), tmp_path)).passed


def test_sections_of_a_load_without_a_migration() -> None:
    alone = replace(passed_result(), runs=())
    assert "No migration ran" in load_sections.limits(alone).text
    assert "✓ Passed: workload shop" in load_sections.verdict(alone).text
    assert "No request failed, of 100" in load_sections.compatibility(alone).text
    assert load_sections.stalls(alone).text == "· Nothing was slowed"


def test_sections_escape_what_comes_from_outside() -> None:
    result = load_result()
    for make in (load_sections.verdict, load_sections.stalls, load_sections.statements, load_sections.compatibility):
        assert_harmless(make(result).html)


def test_results_that_kept_no_evidence_say_how_to_get_some(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("def up(op):\n    pass\n")
    (tmp_path / "a.db").write_bytes(b"")
    result = mk.fleet([f"sqlite:///{tmp_path}/a.db"]).rehearse(tmp_path / "x.py", reports=False, progress=SILENT)
    with pytest.raises(ReportFailed, match="fleetrehearsal kept no evidence"):
        report(result)


def test_the_page_of_a_fleet(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("def up(op):\n    op.execute('CREATE TABLE t (id integer PRIMARY KEY)')\n")
    (tmp_path / "a.db").write_bytes(b"")
    result = mk.fleet([f"sqlite:///{tmp_path}/{name}.db" for name in ("a", "missing <b>")]).rehearse(
        tmp_path / "x.py", reports=tmp_path / "reports", progress=SILENT
    )
    html = mk.report(result).read_text(encoding="utf-8")
    markup = Markup(html)
    assert "Fleet rehearsal" in markup.text
    assert "1 passed, 1 did not" in markup.text
    assert "missing <b>" in markup.text
    assert not markup.tags & {"script", "b"}
    assert "mk-verdict mk-bad" in html
    index = Markup((tmp_path / "reports" / "index.html").read_text(encoding="utf-8")).text
    assert "2 databases" in index
    assert "fleet" in index


def test_the_template_is_shipped_without_outputs_and_opens_by_hand() -> None:
    nbformat = pytest.importorskip("nbformat")
    document = nbformat.read(template_path("load_test"), as_version=4)
    nbformat.validate(document)
    tags = [tag for cell in document.cells for tag in cell.metadata.get("tags", [])]
    assert tags == ["by-hand", "parameters"]
    assert not any(cell.get("outputs") for cell in document.cells)


def test_two_runs_are_drawn_one_above_the_other() -> None:
    figure = run().plot(beside=run())
    assert len(figure.axes) == 2
    assert figure.get_label().count("writes kept out for") == 2
