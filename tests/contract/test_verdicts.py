"""Every injury is found at its place, every harmless thing reads identical: the benchmark of verdicts, smaller."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from bench.verdicts.cases import FOLDERS, Case, read_cases
from bench.verdicts.examination import examine
from bench.verdicts.places import Outcome, judge
from migkit.database import Database
from migkit.state.capture import capture
from migkit.state.comparison import compare
from tests.servers import Servers, Unavailable

ROWS = 300
LEAST_INJURIES = 120
LEAST_HARMLESS = 40


@pytest.mark.slow
@pytest.mark.parametrize("engine", FOLDERS)
def test_every_injury_is_found_and_nothing_else(engine: str, servers: Servers) -> None:
    try:
        server = servers[engine]
    except Unavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason), pytrace=False)
        pytest.skip(str(reason))
    score = examine(engine, server, ROWS)
    assert not score.wrong, _told(score.wrong)
    assert score.found == score.injured >= LEAST_INJURIES
    assert score.harmless >= LEAST_HARMLESS


def _told(outcomes: Sequence[Outcome]) -> str:
    return "\n".join(f"{outcome.case.name}: {'; '.join(outcome.faults)}" for outcome in outcomes)


@pytest.mark.parametrize("engine", FOLDERS)
def test_every_case_says_where(engine: str) -> None:
    cases = read_cases(engine)
    assert [case.name for case in cases if case.is_injury and not (case.at and case.statements)] == []
    assert [case.name for case in cases if not case.is_injury and case.at] == []
    # Only a copy, of which it is known what it leaves out, may differ from its source.
    assert {case.option("tool") for case in cases if not case.is_injury and case.also} <= {"clone", "dump"}


# The benchmark itself must be able to fail.


@pytest.fixture
def shop(sqlite: Database) -> Database:
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT)")
        connection.exec_driver_sql("CREATE TABLE b (id INTEGER PRIMARY KEY, y TEXT)")
        connection.exec_driver_sql("INSERT INTO a VALUES (1, 'one'), (100, 'hundred')")
        connection.exec_driver_sql("INSERT INTO b VALUES (1, 'one')")
    return sqlite


def _judged(db: Database, case: Case) -> Outcome:
    before = capture(db)
    with db.engine.begin() as connection:
        for statement in case.statements:
            connection.exec_driver_sql(statement)
    return judge(case, compare(before, capture(db, like=before)))


def test_an_injury_at_its_place_is_found(shop: Database) -> None:
    case = Case("x", True, ["columns a.x: data"], key=100, statements=["UPDATE a SET x = '' WHERE id = 100"])
    assert _judged(shop, case).is_right


def test_an_injury_that_is_none_is_missed(shop: Database) -> None:
    outcome = _judged(shop, Case("x", True, ["columns a.x: data"], statements=["UPDATE a SET x = x"]))
    assert outcome.faults == ("reads identical", "not reported: columns a.x: data")


def test_an_injury_elsewhere_is_unrelated(shop: Database) -> None:
    statements = ["UPDATE a SET x = '' WHERE id = 1", "UPDATE b SET y = ''"]
    outcome = _judged(shop, Case("x", True, ["columns a.x: data"], statements=statements))
    assert outcome.faults == ("unrelated: tables b: data", "unrelated: columns b.y: data")


def test_an_injury_in_another_row_is_misplaced(shop: Database) -> None:
    case = Case("x", True, ["columns a.x: data"], key=1, statements=["UPDATE a SET x = '' WHERE id = 100"])
    assert _judged(shop, case).faults == ("the reported range does not hold 1: id 100..101",)


def test_an_alarm_is_told(shop: Database) -> None:
    outcome = _judged(shop, Case("x", False, statements=["CREATE INDEX i ON a (x)"]))
    assert outcome.faults == ("alarm: indexes a.i: added",)
