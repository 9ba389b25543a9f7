from __future__ import annotations

import re

import pandas as pd
import pytest

from migkit import frames
from migkit.display.figure import figure_svg
from migkit.display.lock_plot import RunLocks, alt_text_lock_durations_compared, kept_out_ms, lock_durations_compared
from migkit.display.swimlane_plot import SESSION_LIMIT, alt_text_swimlane, swimlane
from tests.display.markup import Markup, assert_harmless
from tests.display.samples import HOSTILE, at, locks, rows_of, statements

pytest.importorskip("matplotlib")

LOCK = "AccessExclusiveLock"
NONE = frames.STATEMENTS.build([])


def chain(waiters: int = 2) -> pd.DataFrame:
    """A long reader, the migration behind it, and others behind the migration."""
    first = (100, 90, "users", LOCK, "ALTER TABLE users", "SELECT pg_sleep(5)", False, at(5), at(60), 55.0)
    queued = [
        (200 + number, 100, "users", "AccessShareLock", "SELECT 1 FROM users", "ALTER", True, at(10), at(180), 170.0)
        for number in range(waiters)
    ]
    return rows_of(frames.WAITS, [first, *queued])


def test_the_queue_is_told_in_words() -> None:
    told = alt_text_swimlane(locks(), chain(), statements())
    assert told.startswith("Sessions over time: the migration held 178 ms, waited 55 ms")
    assert "session 90 in the way for 55 ms (SELECT pg_sleep(5))" in told
    assert "session 200 waited 170 ms for the migration" in told


def test_whoever_waits_behind_a_waiter_is_told_apart() -> None:
    behind = rows_of(
        frames.WAITS,
        [
            (200, 100, "users", "x", "UPDATE users", "ALTER", True, at(10), at(100), 90.0),
            (300, 200, "users", "x", "DELETE FROM users", "UPDATE users", True, at(20), at(100), 80.0),
        ],
    )
    told = alt_text_swimlane(locks(), behind, statements())
    assert "session 300 waited 80 ms for 200" in told
    assert "session 200 waited 90 ms for the migration" in told


def test_a_watched_database_has_holders_and_no_migration() -> None:
    held = rows_of(frames.LOCKS, [("users", "X", None, at(0), at(90), 90.0, "writes", False, 7, "UPDATE")])
    waits = rows_of(frames.WAITS, [(8, 7, "users", "X", "UPDATE users", "UPDATE", None, at(10), at(80), 70.0)])
    told = alt_text_swimlane(held, waits)
    assert "session 7 held 90 ms (X on users)" in told
    assert "session 8 waited 70 ms for 7" in told
    assert "the migration" not in told
    assert "since the first lock or wait" in Markup(figure_svg(swimlane(held, waits), told)).text


def test_of_many_sessions_the_first_are_drawn_and_the_rest_counted() -> None:
    told = alt_text_swimlane(locks(), chain(40), statements())
    assert told.endswith(f"and {42 - SESSION_LIMIT} more sessions.")
    text = Markup(figure_svg(swimlane(locks(), chain(40), statements()), told)).text
    assert f"and {42 - SESSION_LIMIT} more sessions" in text


def test_waiting_and_holding_differ_by_hatch() -> None:
    svg = figure_svg(swimlane(locks(), chain(), statements()), "x")
    assert len(set(re.findall(r"url\(#(h\w+)\)", svg))) == 3


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str) -> None:
    held = rows_of(frames.LOCKS, [(name, name, 1, at(0), at(90), 90.0, "writes", True)])
    waits = rows_of(frames.WAITS, [(8, 7, name, name, name, name, True, at(10), at(80), 70.0)])
    assert_harmless(figure_svg(swimlane(held, waits, statements()), alt_text_swimlane(held, waits, statements())))
    run = RunLocks(name, held, waits, statements())
    assert_harmless(figure_svg(lock_durations_compared(run, run), alt_text_lock_durations_compared(run, run)))


def test_nothing_to_draw_is_said() -> None:
    empty = rows_of(frames.LOCKS, []), rows_of(frames.WAITS, [])
    assert "Nobody held anybody up" in swimlane(*empty).get_label()
    run = RunLocks("nothing", *empty, NONE)
    assert "No lock on a relation was recorded." in Markup(figure_svg(lock_durations_compared(run, run), "x")).text


def naive_and_careful() -> tuple[RunLocks, RunLocks]:
    careful = rows_of(
        frames.LOCKS,
        [
            ("users", "ShareUpdateExclusiveLock", 1, at(0), at(900), 900.0, "schema changes", True),
            ("users", LOCK, 2, at(900), at(906), 6.0, "reads and writes", True),
        ],
    )
    nobody = rows_of(frames.WAITS, [])
    return RunLocks("naive", locks(), chain(), statements(), {"profiles"}), RunLocks("careful", careful, nobody, NONE)


def test_two_runs_stand_under_one_clock() -> None:
    naive, careful = naive_and_careful()
    told = alt_text_lock_durations_compared(naive, careful)
    assert "naive: writes kept out for 177 ms; 3 sessions waited." in told
    assert "careful: writes kept out for 6 ms; nobody waited." in told
    figure = lock_durations_compared(naive, careful)
    first, second = figure.axes
    assert first.get_xlim() == second.get_xlim()
    assert "ms since the first statement" in Markup(figure_svg(figure, told)).text


def test_overlapping_locks_count_once() -> None:
    rows = [
        ("a", LOCK, 1, at(0), at(100), 100.0, "reads and writes", True),
        ("b", LOCK, 1, at(50), at(150), 100.0, "reads and writes", True),
        ("c", LOCK, 2, at(200), at(210), 10.0, "writes", True),
        ("d", "AccessShareLock", 2, at(0), at(900), 900.0, None, True),
    ]
    nobody = rows_of(frames.WAITS, [])
    assert kept_out_ms(RunLocks("x", rows_of(frames.LOCKS, rows), nobody, NONE)) == pytest.approx(160.0)
