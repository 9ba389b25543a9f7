from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import migkit as mk
from migkit import frames
from migkit.config import Config
from migkit.database import Database, connect
from migkit.errors import ConfigError, StateUnreadable
from migkit.migration.loading import load_migration
from migkit.migration.results import Run
from migkit.migration.runner import run
from migkit.observe.lock_watch import LockWatch, LockWatching
from migkit.progress import Silent
from tests.observe.situations import actors, until, until_waiting

Row = dict[str, Any]


@pytest.fixture
def shop(db: Database) -> Database:
    with db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE v (id int PRIMARY KEY, a int)"))
        connection.execute(sa.text("INSERT INTO v VALUES (1, 1), (2, 2)"))
    return db


class Live(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, Row]] = []

    def fact(self, kind: str, facts: Mapping[str, Any]) -> None:
        self.facts.append((kind, dict(facts)))

    def of(self, kind: str) -> list[Row]:
        return [row for known, row in self.facts if known == kind]


def migration(folder: Path, text: str) -> Any:
    path = folder / "x.sql"
    path.write_text(text)
    return load_migration(path, config=Config())


def test_a_quiet_database(shop: Database) -> None:
    with mk.watch_locks(shop) as watching:
        until(lambda: watching.result.samples >= 3, "three looks")
    result = watching.result
    assert isinstance(result, LockWatch)
    assert watching.stop() is result
    assert watching.is_over
    assert (len(result.waits), len(result.incidents), result.longest_wait_ms) == (0, 0, None)
    assert result.longest_gap_ms > 0
    assert "nobody waited" in repr(result)


def test_what_is_seen_is_there_while_it_goes_on_and_can_be_saved(postgresql: Database, tmp_path: Path) -> None:
    live = Live()
    with actors(postgresql, 3) as (holder, reader, asker):
        holder.do("CREATE TABLE v (id int)", "BEGIN", "LOCK TABLE v IN ACCESS EXCLUSIVE MODE")
        with mk.watch_locks(postgresql.engine.url, every_ms=10, progress=live) as watching:
            reader.begin("SELECT '<script>alert(1)</script>' FROM v")
            until_waiting(asker, postgresql, reader.session)
            until(lambda: len(watching.result.waits), "the wait")
            until(lambda: live.of("wait") and live.of("lock"), "news")
            holder.do("COMMIT")
            reader.join()
    result = watching.result
    assert live.of("wait")[0]["waiter"] == reader.session
    assert {row["relation"] for row in live.of("lock")} == {"v"}
    html = result._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "1 session waited" in repr(result)
    again = LockWatch.load(result.save(tmp_path / "watch.json.zst"))
    assert again.to_document() == result.to_document()
    assert result.plot().get_label()
    (tmp_path / "broken.json").write_text('{"format": "migkit-lock-watch", "version": 1}')
    with pytest.raises(StateUnreadable, match="damaged"):
        LockWatch.load(tmp_path / "broken.json")


@pytest.mark.parametrize("every_ms", [0.0, -1.0, float("nan")])
def test_an_interval_that_is_none(sqlite: Database, every_ms: float) -> None:
    with pytest.raises(ConfigError, match="every_ms"):
        mk.watch_locks(sqlite, every_ms=every_ms)


def test_the_watch_outlives_a_lost_session_and_says_so(postgresql: Database) -> None:
    with mk.watch_locks(postgresql) as watching:
        with postgresql.engine.connect() as connection:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            until(
                lambda: connection.execute(
                    sa.text(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}")
                ).scalar(),
                "the watcher",
            )
        until(lambda: watching.is_over, "the end")
    assert "everything after the last look" in list(watching.result.unchecked["what"])


@contextmanager
def limited(db: Database, *grants: str) -> Iterator[Database]:
    """Reach the same database as a user with few rights."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for sql in grants:
            connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
    poor = connect(db.engine.url.set(username="migkit_poor", password="few-rights"))
    try:
        yield poor
    finally:
        poor.close()
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if db.dialect.name == "postgresql":
                connection.exec_driver_sql("DROP OWNED BY migkit_poor")
            connection.exec_driver_sql("DROP USER migkit_poor")


def test_without_rights_postgresql_says_what_it_does_not_show(postgresql: Database) -> None:
    grants = ("CREATE ROLE migkit_poor LOGIN PASSWORD 'few-rights'",)
    with actors(postgresql, 3) as (holder, reader, asker), limited(postgresql, *grants) as poor:
        holder.do("CREATE TABLE v (id int)", "BEGIN", "LOCK TABLE v IN ACCESS EXCLUSIVE MODE")
        with LockWatching(poor).start() as watching:
            reader.begin("SELECT count(*) FROM v")
            until_waiting(asker, postgresql, reader.session)
            until(lambda: len(watching.result.waits), "the wait")
            holder.do("COMMIT")
            reader.join()
    (wait,) = frames.WAITS.rows(watching.result.waits)
    assert (wait["waiter"], wait["blocker"], wait["relation"]) == (reader.session, holder.session, "v")
    assert any("pg_monitor" in why for why in watching.result.unchecked["why"])


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_without_rights_mysql_says_what_it_does_not_show(engine: str, make_database: Any) -> None:
    db: Database = make_database(engine)
    name = db.engine.url.database
    grants = (
        "CREATE USER migkit_poor IDENTIFIED BY 'few-rights'",
        f"GRANT SELECT, INSERT, UPDATE, ALTER, CREATE ON `{name}`.* TO migkit_poor",
    )
    with limited(db, *grants) as poor:
        with mk.watch_locks(poor) as watching:
            until(lambda: watching.result.samples >= 2, "two looks")
        measured = mk.metrics(poor, seconds=0.01)
    said = watching.result.unchecked["why"].str.cat(sep="\n")
    assert "right" in said, said
    assert "row locks that sessions wait for" in "\n".join(watching.result.unchecked["what"])
    assert measured.frame["note"].notna().any()


# --- inside a run -----------------------------------------------------------------------------------------------------


def test_the_queue_behind_a_migration_and_its_phases(postgresql: Database, tmp_path: Path) -> None:
    live = Live()
    with actors(postgresql, 2) as (old, asker):
        old.do("CREATE TABLE v (id int, a int)", "INSERT INTO v VALUES (1, 1)", "BEGIN", "UPDATE v SET a = 5")
        results: list[Run] = []
        script = migration(tmp_path, "CREATE INDEX CONCURRENTLY ix ON v (a);")
        thread = threading.Thread(
            target=lambda: results.append(run(script, postgresql, timeout=60, journal=False, progress=live))
        )
        thread.start()
        building = "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase = 'waiting for writers before build'"
        until(lambda: asker._connection.exec_driver_sql(building).scalar(), "the phase")
        until(lambda: live.of("progress") and live.of("wait"), "news")
        old.do("COMMIT")
        thread.join()
    (result,) = results
    assert result.succeeded, result.error
    phases = frames.PROGRESS.rows(result.progress)
    waited = next(row for row in phases if row["phase"] == "waiting for writers before build")
    assert (waited["command"], waited["relation"], waited["statement"]) == ("CREATE INDEX CONCURRENTLY", "v", 1)
    assert waited["waits_for"] == old.session
    (wait, *_) = frames.WAITS.rows(result.waits)
    assert (wait["blocker"], wait["relation"], wait["by_migration"]) == (old.session, "v", False)
    assert {row["kind"] for row in live.of("statement")} == {"ddl"}
    again = Run.from_document(result.to_document())
    assert again.to_document() == result.to_document()


@pytest.mark.excused("sqlite", why="waits for the lock of a file; see the situations of SQLite")
def test_a_migration_that_never_gets_its_lock(shop: Database, tmp_path: Path) -> None:
    with actors(shop, 1) as (holder,):
        holder.do("BEGIN", "SELECT * FROM v")
        result = run(migration(tmp_path, "ALTER TABLE v ADD COLUMN x int;"), shop, lock_timeout=0.4, journal=False)
        holder.do("COMMIT")
    assert not result.succeeded
    (incident,) = frames.INCIDENTS.rows(result.incidents)
    assert (incident["kind"], incident["blocker"], incident["relation"]) == ("lock timeout", holder.session, "v")
    assert "ALTER TABLE v" in incident["query"]
    assert incident["waited_ms"] > 100
    (wait,) = frames.WAITS.rows(result.waits)
    assert (wait["end"], wait["by_migration"]) == ("gave up", False)


def test_runs_saved_before_are_read_without_the_new_frames(sqlite: Database, tmp_path: Path) -> None:
    document = run(migration(tmp_path, "CREATE TABLE a (id int);"), sqlite).to_document()
    for name in ("progress", "incidents"):
        del document[name]
    for name, later in (("waits", ("depth", "root_blocker", "root_query", "end")), ("locks", ("session", "query"))):
        document[name]["columns"] = [one for one in document[name]["columns"] if one not in later]
        document[name]["rows"] = [row[: len(document[name]["columns"])] for row in document[name]["rows"]]
    again = Run.from_document(document)
    assert (len(again.progress), len(again.incidents)) == (0, 0)
    assert list(again.waits.columns) == list(frames.WAITS.names)
