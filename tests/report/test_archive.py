from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from migkit.display.summary import summarize
from migkit.frames import LOCKS
from migkit.report.archive import write_index
from migkit.report.listing import RunEntry, read_runs
from migkit.report.overview import index_html
from migkit.workflow.rehearsal import Rehearsal
from tests.display.markup import Markup
from tests.display.samples import HOSTILE, rows_of

START = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
RUN = RunEntry("2026-11-22T063000Z-a-rehearsal-0000", "passed", "a", "shop", "SQLite", START, 2.0, 12.0, 500, True)


def test_a_report_writes_the_index_beside_it(passed_page: Path, failed_page: Path) -> None:
    html = (passed_page.parents[1] / "index.html").read_text(encoding="utf-8")
    links = [value for tag, name, value in Markup(html).attributes if (tag, name) == ("a", "href")]
    assert f"{passed_page.parent.name}/report.html" in links
    assert f"{failed_page.parent.name}/report.html" in links
    assert "http" not in html
    assert "<script" not in html


def test_every_run_is_read_with_its_numbers(passed_page: Path) -> None:
    entry = next(run for run in read_runs(passed_page.parents[1]) if run.folder == passed_page.parent.name)
    assert (entry.status, entry.migration, entry.engine, entry.rows) == ("passed", "migration", "SQLite", 3)
    assert entry.seconds is not None
    assert entry.lock_ms is not None
    assert entry.has_report


def test_a_summary_in_the_manifest_is_taken_at_its_word(tmp_path: Path) -> None:
    document = {
        "status": "failed",
        "started_at": "2026-11-22T06:30:00.000000Z",
        "migration": {"name": "m"},
        "database": {"name": "d"},
        "summary": {"rows": 42, "lock_ms": 7.5},
    }
    (tmp_path / "2026-x").mkdir()
    (tmp_path / "2026-x" / "evidence.json").write_text(json.dumps(document), encoding="utf-8")
    (entry,) = read_runs(tmp_path)
    assert (entry.rows, entry.lock_ms, entry.seconds, entry.status) == (42, 7.5, None, "failed")


def test_the_summary_counts_only_locks_that_others_could_meet(passed: Rehearsal) -> None:
    assert passed.up is not None
    told = summarize(passed)
    assert told["rows"] == 3
    own = rows_of(LOCKS, [("profiles", "AccessExclusiveLock", 1, START, START, 900.0, "reads and writes", True)])
    assert summarize(replace(passed, up=replace(passed.up, locks=own)))["lock_ms"] == 0.0
    assert summarize(replace(passed, up=None, before=None)) == {"rows": None, "lock_ms": None}


def test_broken_folders_are_listed_as_unreadable(tmp_path: Path) -> None:
    texts = {
        "1-cut": '{"status": "pas',
        "2-empty": "{}",
        "3-list": "[]",
        "4-types": json.dumps({"status": "passed", "started_at": 5, "migration": "x", "database": None}),
        "5-zone": json.dumps(
            {"status": "passed", "started_at": "2026-01-01T00:00:00", "migration": {}, "database": {}}
        ),
        "6-binary": "\udcff",
    }
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "evidence.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    (tmp_path / "2026-11-22T063000Z-lost").mkdir()
    (tmp_path / "something else").mkdir()
    (tmp_path / ".2026-new").mkdir()
    runs = read_runs(tmp_path)
    assert sorted(run.folder for run in runs) == ["1-cut", "2-empty", "2026-11-22T063000Z-lost", *list(texts)[2:]]
    assert {run.status for run in runs} == {"unreadable"}
    text = Markup(write_index(tmp_path).read_text(encoding="utf-8")).text
    assert text.count("unreadable") == 7
    assert "0 passed" in text


def test_an_unfinished_run_does_not_read_as_passed(tmp_path: Path) -> None:
    html = index_html([replace(RUN, status="running")])
    text = Markup(html).text
    assert "not finished" in text
    assert "0 passed" in text


def test_an_empty_archive_says_so(tmp_path: Path) -> None:
    assert "Nothing was done yet." in write_index(tmp_path).read_text(encoding="utf-8")


def test_hostile_names_are_text_and_links_are_quoted() -> None:
    run = replace(RUN, folder='a"><script>', migration=HOSTILE[1], database=HOSTILE[2], problem=HOSTILE[8])
    html = index_html([run])
    markup = Markup(html)
    assert not markup.tags & {"script", "img"}
    assert "<script>alert(1)</script>" in markup.text
    assert 'href="a%22%3E%3Cscript%3E/report.html"' in html


def test_newest_first_and_every_column_sorts_both_ways() -> None:
    runs = [replace(RUN, started_at=START - timedelta(hours=n), seconds=float(n)) for n in range(3)]
    html = index_html(runs)
    ranks = re.findall(r'<tr role="row" style="--when:(\d);.*?--took:(\d)', html)
    assert ranks == [("2", "0"), ("1", "1"), ("0", "2")]
    buttons = set(re.findall(r'id="(\w+)-(up|down)"', html))
    assert len(buttons) == 16
    assert all(f"#{name}-{way}:checked" in html for name, way in buttons)


def test_a_migration_rehearsed_again_has_a_trend() -> None:
    runs = [replace(RUN, started_at=START - timedelta(hours=n), seconds=2.0 + n) for n in range(3)]
    html = index_html([*runs, replace(RUN, migration="other")])
    assert 'aria-label="Took 4.00s, 3.00s, 2.00s"' in html
    assert html.count("<polyline") == 2


def test_missing_numbers_do_not_break_the_order() -> None:
    bare = RunEntry("1-x", "unreadable", problem="damaged")
    assert "damaged" in index_html([RUN, bare, replace(RUN, seconds=None, lock_ms=None, rows=None)])
