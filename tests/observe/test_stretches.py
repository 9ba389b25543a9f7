"""From single looks to stretches of time, without any server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migkit import frames
from migkit.dialects.measuring import SeenIncident, SessionLock, SessionWait, Sight, Stage, concerning, in_circle
from migkit.observe import stretches
from migkit.observe.stretches import Ledger
from migkit.redaction import register_secret

START = datetime(2026, 11, 22, tzinfo=UTC)
EXCLUSIVE = SessionLock(1, "users", "AccessExclusiveLock", "reads and writes", "1/7")
READING = SessionLock(3, "users", "AccessShareLock", "nothing but schema changes", "3/1")


def at(ms: float) -> datetime:
    return START + timedelta(milliseconds=ms)


def ledger(*looks: tuple[float, Sight], session: int | None = None, **options: Any) -> Ledger:
    made = Ledger(session)
    for ms, sight in looks:
        made.add(sight, at(ms), **options)
    return made


def test_a_lock_begins_and_ends_half_way_between_two_looks() -> None:
    held = Sight(locks=(EXCLUSIVE,), queries={1: "LOCK TABLE users"})
    (row,) = ledger((0, Sight()), (20, held), (40, held), (60, Sight())).lock_rows()
    assert (row["granted_at"], row["released_at"], row["held_ms"]) == (at(10), at(50), 40)
    assert (row["session"], row["query"], row["exact"]) == (1, "LOCK TABLE users", False)


def test_two_transactions_are_two_holds() -> None:
    again = SessionLock(1, "users", "AccessExclusiveLock", "reads and writes", "1/8")
    rows = ledger((0, Sight(locks=(EXCLUSIVE,))), (20, Sight(locks=(again,)))).lock_rows()
    assert len(rows) == 2


def test_everyday_locks_are_counted_and_left_out_unless_somebody_waits_for_them() -> None:
    passing = Sight(locks=(READING,))
    quiet = ledger((0, Sight()), (20, passing), (40, Sight()))
    assert (quiet.lock_rows(), quiet.short_locks) == ([], 1)
    disturbed = ledger(
        (0, Sight()), (20, Sight(locks=(READING,), waits=(SessionWait(2, 3, "users", "X"),))), (40, Sight())
    )
    assert [row["session"] for row in disturbed.lock_rows()] == [3]


def test_the_servers_own_time_of_a_wait_counts() -> None:
    seen = Sight(waits=(SessionWait(2, 1, "users", "X", waited_seconds=0.5),))
    (row,) = ledger((1000, Sight()), (1020, seen), (1040, Sight())).wait_rows()
    assert (row["started_at"], row["ended_at"], row["end"]) == (at(520), at(1030), "granted")


def test_a_new_wait_of_the_same_kind_is_told_from_the_old_one() -> None:
    first = Sight(waits=(SessionWait(2, 1, "users", "X", waited_seconds=0.1),))
    second = Sight(waits=(SessionWait(2, 1, "users", "X", waited_seconds=0.005),))
    rows = ledger((100, first), (120, second)).wait_rows()
    assert [row["end"] for row in rows] == ["granted", "still waiting"]
    assert rows[1]["started_at"] == at(115)


def test_a_look_that_took_long_does_not_split_a_wait() -> None:
    early = Sight(waits=(SessionWait(2, 1, "users", "X", waited_seconds=0.001),))
    late = Sight(waits=(SessionWait(2, 1, "users", "X", waited_seconds=0.01),))
    assert len(ledger((100, early), (160, late)).wait_rows()) == 1


def test_a_chain_has_a_head_and_a_depth() -> None:
    waits = (SessionWait(2, 1, "users", "X"), SessionWait(3, 2, "users", "S"), SessionWait(4, 3, "users", "X"))
    rows = ledger((0, Sight(waits=waits, queries={1: "SELECT slow"}))).wait_rows()
    assert [(row["waiter"], row["depth"], row["root_blocker"]) for row in rows] == [(2, 1, 1), (3, 2, 1), (4, 3, 1)]
    assert {row["root_query"] for row in rows} == {"SELECT slow"}


def test_a_circle_has_no_head() -> None:
    waits = (SessionWait(1, 2, "users", "X"), SessionWait(2, 1, "users", "X"))
    assert in_circle(1, waits)
    assert not in_circle(3, (*waits, SessionWait(3, 1, "users", "X")))
    assert {row["depth"] for row in ledger((0, Sight(waits=waits))).wait_rows()} == {1}


def test_only_what_concerns_a_session_is_kept() -> None:
    waits = (SessionWait(2, 1, None, None), SessionWait(3, 2, None, None), SessionWait(9, 8, None, None))
    assert [wait.waiter for wait in concerning(1, waits)] == [2, 3]
    assert [wait.waiter for wait in concerning(3, waits)] == [3]


def test_who_gave_up_is_marked_and_told_with_its_wait() -> None:
    waiting = Sight(waits=(SessionWait(2, 1, "users", "X"),), queries={2: "UPDATE users"})
    late = Sight(incidents=(SeenIncident("lock timeout", 2, query="UPDATE users"),))
    made = ledger((0, Sight()), (20, waiting), (120, Sight()), (320, late))
    (wait,), (incident,) = made.wait_rows(), made.incident_rows()
    assert wait["end"] == "gave up"
    assert (incident["relation"], incident["blocker"], incident["waited_ms"]) == ("users", 1, 60)


def test_another_statements_error_is_not_pinned_on_a_wait() -> None:
    waiting = Sight(waits=(SessionWait(2, 1, "users", "X"),), queries={2: "UPDATE users"})
    other = Sight(incidents=(SeenIncident("deadlock", 2, query="DELETE FROM orders"),))
    made = ledger((0, waiting), (20, Sight()), (40, other))
    assert made.wait_rows()[0]["end"] == "granted"
    assert made.incident_rows()[0]["waited_ms"] is None


def test_the_migrations_own_error_says_more_than_a_look() -> None:
    waiting = Sight(waits=(SessionWait(7, 1, "users", "X"),), queries={7: "ALTER TABLE users"})
    gone = Sight(incidents=(SeenIncident("gave up waiting", 7, 1, "users", "ALTER TABLE users"),))
    made = ledger((0, Sight()), (20, waiting), (40, gone), session=7)
    (row,) = made.incident_rows([("lock timeout", at(41), "ALTER TABLE users")])
    assert (row["kind"], row["session"], row["blocker"], row["relation"]) == ("lock timeout", 7, 1, "users")


def test_phases_follow_each_other() -> None:
    def phase(name: str, done: int) -> Sight:
        return Sight(stages=(Stage(5, "CREATE INDEX", "users", name, done, 10, "blocks"),))

    made = ledger((0, phase("scan", 1)), (20, phase("scan", 9)), (40, phase("sort", 0)), statement=2)
    rows = made.progress_rows()
    assert [(row["phase"], row["done"], row["statement"]) for row in rows] == [("scan", 9, 2), ("sort", 0, 2)]
    assert len(frames.PROGRESS.build(rows)) == 2


def test_news_are_told_once_and_what_goes_on_again() -> None:
    waiting = Sight(waits=(SessionWait(2, 1, "users", "X"),))
    made = ledger((0, waiting))
    assert [row["end"] for _, row in made.news()] == ["still waiting"]
    assert [row["end"] for _, row in made.news()] == ["still waiting"]
    made.add(Sight(), at(20))
    assert [row["end"] for _, row in made.news()] == ["granted"]
    assert made.news() == []


def test_who_watches_for_days_keeps_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "MOST_ROWS", 10)
    made = Ledger()
    for number in range(50):
        made.add(Sight(locks=(SessionLock(1, "users", "X", "writes", str(number)),)), at(20 * number))
    assert len(made.lock_rows()) <= 11
    assert made.left_out == 39
    assert len(made.news()) <= 11


def test_secrets_in_queries_are_masked() -> None:
    register_secret("correct-horse-battery")
    sight = Sight(waits=(SessionWait(2, 1, "users", "X"),), queries={2: "SELECT 'correct-horse-battery'", 1: ""})
    (row,) = ledger((0, sight)).wait_rows()
    assert "correct-horse" not in str(row)
