"""Ten situations per engine whose truth is arranged: relation, mode, holder, waiter and duration come out right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from migkit import frames
from migkit.database import Database
from migkit.observe.lock_watch import LockWatch, LockWatching
from tests.observe.situations import Actor, Deed, actors, agrees, until, until_waiting

HOLD_SECONDS = 0.3
Row = dict[str, Any]

POSTGRESQL = "postgresql"
# What the engines call the same thing; MariaDB's process list names no mode, its InnoDB shorter ones.
HELD_ALONE = {
    "postgresql": ("LOCK TABLE v IN ACCESS EXCLUSIVE MODE", "AccessExclusiveLock"),
    "mysql": ("LOCK TABLES v WRITE", "SHARED_NO_READ_WRITE"),
    "mariadb": ("LOCK TABLES v WRITE", "SHARED_NO_READ_WRITE"),
}
READ_MODE = {"postgresql": "AccessShareLock", "mysql": "SHARED_READ", "mariadb": None}
CHANGE_MODE = {"postgresql": "AccessExclusiveLock", "mysql": "EXCLUSIVE", "mariadb": None}
ROW_MODE = {"postgresql": "ShareLock", "mysql": "X,REC_NOT_GAP", "mariadb": "X"}


@pytest.fixture
def shop(db: Database) -> Iterator[Database]:
    with actors(db, 1) as (someone,):
        someone.do(
            "CREATE TABLE v (id int PRIMARY KEY, a int)",
            "INSERT INTO v VALUES (1, 1), (2, 2), (3, 3)",
            "CREATE TABLE other (id int PRIMARY KEY)",
        )
        if db.dialect.name == "mariadb":
            # Else the server does not show who holds metadata locks.
            someone.do("INSTALL SONAME 'metadata_lock_info'")
    yield db
    if db.dialect.name == "mariadb":
        with actors(db, 1) as (someone,):
            someone.do("UNINSTALL SONAME 'metadata_lock_info'")


def watching(db: Database) -> LockWatching:
    return LockWatching(db).start()


def waits(result: LockWatch, **wanted: Any) -> list[Row]:
    return [row for row in frames.WAITS.rows(result.waits) if all(row[key] == one for key, one in wanted.items())]


def locks(result: LockWatch, **wanted: Any) -> list[Row]:
    return [row for row in frames.LOCKS.rows(result.locks) if all(row[key] == one for key, one in wanted.items())]


def incidents(result: LockWatch, **wanted: Any) -> list[Row]:
    rows = frames.INCIDENTS.rows(result.incidents)
    return [row for row in rows if all(row[key] == one for key, one in wanted.items())]


def ends_transaction(db: Database) -> str:
    return "COMMIT" if db.dialect.name == POSTGRESQL else "UNLOCK TABLES"


SERVERS = pytest.mark.excused("sqlite", why="one lock for the whole file; see the situations of SQLite")


@SERVERS
def test_a_lock_held_for_a_known_time_and_who_waited_for_it(shop: Database) -> None:
    sql, mode = HELD_ALONE[shop.dialect.name]
    with actors(shop, 3) as (holder, reader, asker), watching(shop) as watch:
        if shop.dialect.name == POSTGRESQL:
            holder.do("BEGIN")
        taken = holder.do(sql)
        waited = reader.begin("SELECT count(*) FROM v")
        until_waiting(asker, shop, reader.session)
        time.sleep(HOLD_SECONDS)
        given_back = holder.do(ends_transaction(shop))
        reader.join()
    result = watch.result
    (lock,) = locks(result, relation="v", mode=mode, session=holder.session)
    assert agrees(lock["held_ms"], (given_back.back - taken.sent) * 1000, result.longest_gap_ms)
    assert "reads" in lock["blocks"]
    (wait,) = waits(result, waiter=reader.session)
    assert (wait["blocker"], wait["relation"], wait["mode"]) == (holder.session, "v", READ_MODE[shop.dialect.name])
    assert (wait["depth"], wait["root_blocker"], wait["end"]) == (1, holder.session, "granted")
    assert agrees(wait["waited_ms"], waited.took_ms, result.longest_gap_ms)
    assert "count(*)" in wait["waiter_query"]
    assert not incidents(result)


@SERVERS
def test_a_chain_behind_an_idle_transaction(shop: Database) -> None:
    with actors(shop, 4) as (idle, migration, reader, asker), watching(shop) as watch:
        idle.do("BEGIN", "SELECT * FROM v")
        altering = migration.begin("ALTER TABLE v ADD COLUMN x int")
        until_waiting(asker, shop, migration.session)
        reading = reader.begin("SELECT count(*) FROM v")
        until_waiting(asker, shop, reader.session)
        time.sleep(HOLD_SECONDS)
        idle.do("COMMIT")
        migration.join()
        reader.join()
    result = watch.result
    (ahead,) = waits(result, waiter=migration.session)
    assert (ahead["blocker"], ahead["relation"], ahead["depth"]) == (idle.session, "v", 1)
    assert ahead["mode"] == CHANGE_MODE[shop.dialect.name]
    assert agrees(ahead["waited_ms"], altering.took_ms, result.longest_gap_ms)
    (behind,) = waits(result, waiter=reader.session)
    assert (behind["blocker"], behind["relation"], behind["depth"]) == (migration.session, "v", 2)
    assert behind["root_blocker"] == idle.session
    assert behind["mode"] == READ_MODE[shop.dialect.name]
    assert agrees(behind["waited_ms"], reading.took_ms, result.longest_gap_ms)
    if shop.dialect.name != "mariadb":
        # MariaDB's process list has no text of a session between two statements.
        assert ahead["blocker_query"] == "SELECT * FROM v"
        assert behind["root_query"] == "SELECT * FROM v"


@SERVERS
def test_a_row_that_somebody_waits_for(shop: Database) -> None:
    with actors(shop, 3) as (holder, writer, asker), watching(shop) as watch:
        holder.do("BEGIN", "UPDATE v SET a = 5 WHERE id = 1")
        writing = writer.begin("UPDATE v SET a = 6 WHERE id = 1")
        until_waiting(asker, shop, writer.session)
        time.sleep(HOLD_SECONDS)
        holder.do("COMMIT")
        writer.join()
    result = watch.result
    (wait,) = waits(result, waiter=writer.session)
    assert (wait["blocker"], wait["relation"], wait["mode"]) == (holder.session, "v", ROW_MODE[shop.dialect.name])
    assert agrees(wait["waited_ms"], writing.took_ms, result.longest_gap_ms)
    assert wait["end"] == "granted"


@SERVERS
def test_a_deadlock(shop: Database) -> None:
    with actors(shop, 3) as (one, other, asker), watching(shop) as watch:
        one.do("BEGIN", "UPDATE v SET a = 5 WHERE id = 1")
        other.do("BEGIN", "UPDATE v SET a = 6 WHERE id = 2")
        first = one.begin("UPDATE v SET a = 5 WHERE id = 2")
        until_waiting(asker, shop, one.session)
        second = other.begin("UPDATE v SET a = 6 WHERE id = 1")
        one.join()
        other.join()
        # Long enough that a look shows who goes on.
        until_looked(watch)
        one.do("ROLLBACK")
        other.do("ROLLBACK")
        victim = one.session if first.error is not None else other.session
        assert (first.error is None) != (second.error is None)
    (incident,) = incidents(watch.result, kind="deadlock")
    assert incident["session"] == victim
    assert incident["blocker"] == ({one.session, other.session} - {victim}).pop()
    assert (incident["relation"], incident["count"]) == ("v", 1)
    assert "UPDATE v" in incident["query"]


def until_looked(watch: LockWatching) -> None:
    """Let two more looks pass."""
    seen = watch.result.samples
    until(lambda: watch.result.samples >= seen + 2, "another look")


@SERVERS
@pytest.mark.slow
def test_a_lock_timeout(shop: Database) -> None:
    sql, _ = HELD_ALONE[shop.dialect.name]
    limit = "SET lock_timeout = '400ms'" if shop.dialect.name == POSTGRESQL else "SET lock_wait_timeout = 1"
    with actors(shop, 2) as (holder, writer), watching(shop) as watch:
        if shop.dialect.name == POSTGRESQL:
            holder.do("BEGIN")
        holder.do(sql)
        tried = writer.do(limit, "INSERT INTO v VALUES (9, 9)")
        until_looked(watch)
        time.sleep(0.15)
        holder.do(ends_transaction(shop))
    result = watch.result
    assert tried.error is not None
    (wait,) = waits(result, waiter=writer.session)
    assert (wait["blocker"], wait["relation"], wait["end"]) == (holder.session, "v", "gave up")
    assert agrees(wait["waited_ms"], tried.took_ms, result.longest_gap_ms)
    (incident,) = incidents(result, session=writer.session)
    # Only MySQL tells others why somebody gave up.
    assert incident["kind"] == ("lock timeout" if shop.dialect.name == "mysql" else "gave up waiting")
    assert (incident["blocker"], incident["relation"]) == (holder.session, "v")
    assert agrees(incident["waited_ms"], tried.took_ms, result.longest_gap_ms)


@SERVERS
@pytest.mark.slow
def test_a_waiter_that_is_cancelled(shop: Database) -> None:
    with actors(shop, 4) as (holder, writer, asker, judge), watching(shop) as watch:
        holder.do("BEGIN", "UPDATE v SET a = 5 WHERE id = 1")
        writing = writer.begin("UPDATE v SET a = 6 WHERE id = 1")
        until_waiting(asker, shop, writer.session)
        time.sleep(HOLD_SECONDS)
        judge.do(cancelling(shop, writer.session))
        writer.join()
        until_looked(watch)
        time.sleep(0.15)
        holder.do("COMMIT")
    result = watch.result
    assert writing.error is not None
    (wait,) = waits(result, waiter=writer.session)
    assert (wait["blocker"], wait["relation"], wait["end"]) == (holder.session, "v", "gave up")
    assert agrees(wait["waited_ms"], writing.took_ms, result.longest_gap_ms)
    (incident,) = incidents(result, session=writer.session)
    assert incident["kind"] == ("cancelled" if shop.dialect.name == "mysql" else "gave up waiting")


def cancelling(db: Database, session: int) -> str:
    return f"SELECT pg_cancel_backend({session})" if db.dialect.name == POSTGRESQL else f"KILL QUERY {session}"


@SERVERS
@pytest.mark.slow
def test_a_cancelled_statement_that_waited_for_nobody(shop: Database) -> None:
    slow = {"postgresql": "SELECT pg_sleep(30)"}.get(
        shop.dialect.name,
        "SELECT COUNT(*) FROM v a, v b, v c WHERE SLEEP(0.01) = 0 AND BENCHMARK(1000000, SHA2('x', 512)) = 0",
    )
    with actors(shop, 2) as (victim, judge), watching(shop) as watch:
        deed = victim.begin(slow)
        until_looked(watch)
        judge.do(cancelling(shop, victim.session))
        victim.join()
    result = watch.result
    if deed.error is not None and shop.dialect.name == "mysql":
        (incident,) = incidents(result, session=victim.session)
        assert incident["kind"] == "cancelled"
        # MySQL itself drops the text of some statements that were killed.
        assert (incident["query"] or "SELECT COUNT(*)").startswith("SELECT COUNT(*)")
    elif shop.dialect.name != "mysql":
        assert not incidents(result)
        assert any("cancelled" in what for what in result.unchecked["what"]), "what cannot be known is said"


@SERVERS
@pytest.mark.slow
def test_a_rewrite(shop: Database) -> None:
    with actors(shop, 3) as (migration, reader, asker), watching(shop) as watch:
        if shop.dialect.name == POSTGRESQL:
            migration.do("BEGIN")
            altering: Deed = migration.do("ALTER TABLE v ALTER COLUMN a TYPE bigint")
            time.sleep(HOLD_SECONDS)
            ended = migration.do("COMMIT").back
        else:
            # A reader of before holds up the last step of the copy, so that it lasts as long as is known.
            reader.do("BEGIN", "SELECT * FROM v")
            altering = migration.begin("ALTER TABLE v MODIFY a bigint, ALGORITHM=COPY")
            until_waiting(asker, shop, migration.session)
            time.sleep(HOLD_SECONDS)
            reader.do("COMMIT")
            migration.join()
            ended = altering.back
    result = watch.result
    mode = "AccessExclusiveLock" if shop.dialect.name == POSTGRESQL else "SHARED_NO_WRITE"
    held = locks(result, session=migration.session, relation="v")
    strongest = next(row for row in held if row["mode"] == mode)
    assert agrees(strongest["held_ms"], (ended - altering.sent) * 1000, result.longest_gap_ms)
    assert "ALTER TABLE v" in strongest["query"]
    if shop.dialect.name != POSTGRESQL:
        phases = [row for row in frames.PROGRESS.rows(result.progress) if row["session"] == migration.session]
        assert {(row["command"], row["relation"]) for row in phases} == {("ALTER TABLE", "v")}


@SERVERS
@pytest.mark.slow
def test_an_index_behind_an_old_transaction(shop: Database) -> None:
    sql = (
        "CREATE INDEX CONCURRENTLY ix ON v (a)"
        if shop.dialect.name == POSTGRESQL
        else "ALTER TABLE v ADD INDEX ix (a), ALGORITHM=INPLACE, LOCK=NONE"
    )
    with actors(shop, 3) as (old, builder, asker), watching(shop) as watch:
        old.do("BEGIN", "UPDATE v SET a = 5 WHERE id = 1")
        building = builder.begin(sql)
        until_waiting(asker, shop, builder.session)
        time.sleep(HOLD_SECONDS)
        committed = old.do("COMMIT")
        builder.join()
    result = watch.result
    assert building.error is None
    (wait, *_) = waits(result, waiter=builder.session)
    assert (wait["blocker"], wait["relation"]) == (old.session, "v")
    assert agrees(wait["waited_ms"], (committed.back - building.sent) * 1000, result.longest_gap_ms)
    phases = [row for row in frames.PROGRESS.rows(result.progress) if row["session"] == builder.session]
    if shop.dialect.name == POSTGRESQL:
        waited = next(row for row in phases if row["phase"] == "waiting for writers before build")
        assert (waited["command"], waited["relation"]) == ("CREATE INDEX CONCURRENTLY", "v")
        assert (waited["waits_for"], waited["total"]) == (old.session, 1)
        assert agrees(waited["lasted_ms"], (committed.back - building.sent) * 1000, result.longest_gap_ms)
        (lock,) = locks(result, session=builder.session, relation="v", mode="ShareUpdateExclusiveLock")
        assert agrees(lock["held_ms"], building.took_ms, result.longest_gap_ms)
    else:
        assert any("metadata lock" in row["phase"] for row in phases)


@SERVERS
@pytest.mark.slow
def test_many_behind_one_and_nobody_behind_another_table(shop: Database) -> None:
    sql, _ = HELD_ALONE[shop.dialect.name]
    with actors(shop, 5) as (holder, first, second, bystander, asker), watching(shop) as watch:
        if shop.dialect.name == POSTGRESQL:
            holder.do("BEGIN")
        holder.do(sql)
        deeds = {actor.session: actor.begin("SELECT count(*) FROM v") for actor in (first, second)}
        for actor in (first, second):
            until_waiting(asker, shop, actor.session)
        bystander.do("BEGIN", "INSERT INTO other VALUES (1)", "COMMIT")
        time.sleep(HOLD_SECONDS)
        holder.do(ends_transaction(shop))
        first.join()
        second.join()
    result = watch.result
    for session, deed in deeds.items():
        (wait,) = waits(result, waiter=session)
        assert (wait["blocker"], wait["depth"], wait["relation"]) == (holder.session, 1, "v")
        assert agrees(wait["waited_ms"], deed.took_ms, result.longest_gap_ms)
    assert not waits(result, waiter=bystander.session)
    assert not waits(result, blocker=bystander.session)


@SERVERS
@pytest.mark.slow
def test_a_hostile_name(shop: Database, request: pytest.FixtureRequest) -> None:
    name = 'order"; drop table x;--'
    quoted = shop.dialect.quote(name)
    with actors(shop, 3) as (holder, writer, asker), watching(shop) as watch:
        holder.do(f"CREATE TABLE {quoted} (id int PRIMARY KEY)", f"INSERT INTO {quoted} VALUES (1)")
        holder.do("BEGIN", f"UPDATE {quoted} SET id = 2")
        writing = writer.begin(f"UPDATE {quoted} SET id = 3")
        until_waiting(asker, shop, writer.session)
        time.sleep(HOLD_SECONDS)
        holder.do("COMMIT")
        writer.join()
    result = watch.result
    (wait,) = waits(result, waiter=writer.session)
    assert (wait["blocker"], wait["relation"]) == (holder.session, name)
    assert agrees(wait["waited_ms"], writing.took_ms, result.longest_gap_ms)
    assert "<script>" not in result._repr_html_()


def test_actors_are_sessions_of_their_own(mysql: Database) -> None:
    with actors(mysql, 2) as (one, other):
        assert isinstance(one, Actor)
        assert one.session != other.session
