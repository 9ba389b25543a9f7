"""Restore: beside, verified, swapped in; whatever fails, and whenever, one of the two states serves, and wholly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

import migkit as mk
from migkit.database import Database, connect, reached
from migkit.dialects.backing import KEPT_PREFIX
from migkit.errors import BackupInvalid, DatabaseInUse, DeployRunning, MigkitError, PermissionMissing, RestoreFailed
from migkit.progress import SILENT
from migkit.recovery import keeping
from migkit.recovery.backup import Backup
from migkit.recovery.backups import make_backup
from migkit.recovery.catalogue import RESTORATIONS
from migkit.recovery.exactness import compare_restored
from migkit.recovery.journal import Moment, StepJournal, watched
from migkit.recovery.read_only import is_read_only, read_only
from migkit.recovery.restoring import Restoration, recover_restore, restore_backup
from migkit.recovery.verification import verify_restore
from migkit.state.capture import capture
from migkit.state.snapshot import State
from tests.faults.support import execute, scalar, untouched
from tests.recovery.content import DAMAGE

STEPS = ("fill", "verify", "swap-in", "confirm", "tidy")


@pytest.fixture
def backup(shop: Database, backups: Path) -> Backup:
    """A backup of the shop, which is then damaged."""
    made = make_backup(shop, backups)
    execute(shop, *DAMAGE)
    return made


@pytest.fixture
def kept(shop: Database) -> Iterator[list[str]]:
    """The names of replaced databases, dropped in the end."""
    names: list[str] = []
    yield names
    for name in names:
        keeping.drop(shop, name)


def restored(backup: Backup, db: Database, **options: object) -> Restoration:
    return restore_backup(backup, db, directory=backup.folder.parent, patience=0.2, **options)  # type: ignore[arg-type]


def is_exactly(db: Database, expected: State) -> bool:
    return compare_restored(expected, capture(db), dialect=db.dialect, serves=True).exact


def others(db: Database) -> list[str]:
    """Scratch and kept databases that are there now."""
    home = None if db.dialect.scratch_home == "file" else db.engine.url
    names = db.dialect.list_scratch(home)
    if db.dialect.name == "sqlite":
        path = Path(str(db.engine.url.database))
        return [*names, *(one.name for one in path.parent.glob(f"*{KEPT_PREFIX}*{path.stem}*"))]
    query = "SELECT datname FROM pg_database" if db.dialect.name == "postgresql" else "SHOW DATABASES"
    with db.engine.connect() as connection:
        found = [str(row[0]) for row in connection.exec_driver_sql(query)]
    return [*names, *(one for one in found if one.startswith(KEPT_PREFIX) and str(db.engine.url.database) in one)]


def test_a_restore_brings_back_exactly_what_was(shop: Database, backup: Backup, kept: list[str]) -> None:
    before = capture(shop)
    assert not is_exactly(shop, backup.state())
    done = restored(backup, shop, keep_old_days=1)
    assert done.passed
    assert done.kept is not None
    kept.append(done.kept)
    assert is_exactly(shop, backup.state())
    assert verify_restore(backup, shop).passed
    # What was there before is all there, too.
    aside = aside_of(shop, done.kept)
    with reached(aside) as old:
        assert scalar(old, "SELECT email FROM users WHERE id = 4") == "later"
        assert capture(old).total_rows == before.total_rows
    # And the restored one is alive: its triggers fire.
    execute(shop, "INSERT INTO users VALUES (9, 'new', NULL)")
    assert StepJournal.unfinished(backup.folder.parent) == []


def aside_of(db: Database, name: str) -> str:
    url = db.engine.url
    if db.dialect.name == "sqlite":
        return f"sqlite:///{Path(str(url.database)).with_name(name + '.db')}"
    return url.set(database=name).render_as_string(hide_password=False)


@pytest.mark.slow
def test_what_was_there_before_is_gone_unless_it_is_to_be_kept(shop: Database, backup: Backup) -> None:
    done = restored(backup, shop)
    assert done.kept is None
    assert others(shop) == []


def test_what_was_kept_is_dropped_when_its_time_is_over(sqlite: Database, backups: Path) -> None:
    made = make_backup(sqlite, backups)
    done = restored(made, sqlite, keep_old_days=2)

    @contextmanager
    def reach(_: str) -> Iterator[Database]:
        yield sqlite

    tomorrow, later = (datetime.now(UTC) + timedelta(days=days) for days in (1, 3))
    assert keeping.drop_expired(backups, reach, tomorrow) == ([], [])
    assert others(sqlite) == [f"{done.kept}.db"]
    assert keeping.drop_expired(backups, reach, later) == ([done.kept], [])
    assert others(sqlite) == []


@pytest.mark.excused("sqlite", why="triggers and the like are part of its file")
@pytest.mark.excused("postgresql", why="it renames whole databases")
def test_what_cannot_be_renamed_is_made_again(shop: Database, backup: Backup, kept: list[str]) -> None:
    execute(shop, "DROP TRIGGER noted", "DROP FUNCTION how_many", "DROP EVENT sweep", "CREATE VIEW extra AS SELECT 1")
    done = restored(backup, shop, keep_old_days=1)
    kept.append(str(done.kept))
    execute(shop, "INSERT INTO users VALUES (9, 'new', NULL)")
    assert scalar(shop, "SELECT what FROM log ORDER BY id DESC LIMIT 1") == "nëw 9"
    assert scalar(shop, "SELECT how_many()") == 4
    assert scalar(shop, "SELECT max(n) FROM counted") == 4
    name = str(shop.engine.url.database)
    events = f"SELECT status FROM information_schema.events WHERE event_schema = '{name}'"
    assert scalar(shop, events) == "ENABLED"
    with pytest.raises(DBAPIError):
        execute(shop, "SELECT * FROM extra")


# --- failing at every step --------------------------------------------------------------------------------------------


class Injected(MigkitError):
    """What a test breaks a restore off with."""


def failing(step: str, moment: Moment) -> Callable[[Moment, str], None]:
    def watcher(now: Moment, name: str) -> None:
        if (now, name) == (moment, step):
            raise Injected(f"injected at {step}, {moment}")

    return watcher


@pytest.mark.parametrize("moment", ["started", "worked"])
@pytest.mark.parametrize("step", STEPS)
def test_failing_at_any_step_leaves_one_of_the_two_states(
    step: str, moment: Moment, sqlite: Database, backups: Path
) -> None:
    execute(
        sqlite, "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, x TEXT)", "CREATE TABLE orders (id INTEGER)"
    )
    execute(sqlite, "CREATE VIEW buyers AS SELECT 1")
    made = make_backup(sqlite, backups)
    execute(sqlite, *DAMAGE)
    check_failing(sqlite, made, step, moment)


@pytest.mark.slow
@pytest.mark.excused("sqlite", why="it is tested in the quick suite")
@pytest.mark.parametrize("step", STEPS)
def test_failing_at_any_step_on_every_server(step: str, shop: Database, backup: Backup) -> None:
    for moment in ("started", "worked"):
        check_failing(shop, backup, step, moment)  # type: ignore[arg-type]


def check_failing(db: Database, backup: Backup, step: str, moment: Moment) -> None:
    before, after = capture(db), backup.state()
    in_place = (step, moment) == ("swap-in", "worked") or STEPS.index(step) > STEPS.index("swap-in")
    with watched(failing(step, moment)):
        try:
            restored(backup, db)
        except MigkitError as error:
            assert "injected" in str(error)
    assert is_exactly(db, after if in_place else before)
    for reading in StepJournal.unfinished(backup.folder.parent):
        assert recover_restore(reading, db)
    assert is_exactly(db, after if in_place else before)
    assert others(db) == []
    assert StepJournal.unfinished(backup.folder.parent) == []


@pytest.mark.slow
def test_a_failing_swap_leaves_the_original(shop: Database, backup: Backup, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement itself fails half-way: what was prepared for it is taken back."""
    before = capture(shop)
    with monkeypatch.context() as broken, pytest.raises((RestoreFailed, Injected)):
        break_the_swap(shop, broken)
        restored(backup, shop)
    assert is_exactly(shop, before)
    assert others(shop) == []
    assert StepJournal.unfinished(backup.folder.parent) == []


def break_the_swap(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Injected("injected")

    engine = "mysql" if db.dialect.name in ("mysql", "mariadb") else db.dialect.name
    place = {"sqlite": "_require_same_pages", "postgresql": "_rename", "mysql": "_rename"}[engine]
    monkeypatch.setattr(f"migkit.dialects.{engine}.swapping.{place}", fail)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_nobody_restores_what_somebody_deploys_to(shop: Database, backup: Backup, backups: Path) -> None:
    # MariaDB tells the account only, where its performance schema is off.
    with shop.dialect.deploy_lock(shop.engine, "Ann"), pytest.raises(DeployRunning, match=r"(Ann|root) deploys"):
        mk.restore(backup.id, shop, directory=backups, progress=SILENT)
    assert mk.restore(backup.id, shop, directory=backups, progress=SILENT).passed


@pytest.mark.slow
def test_others_on_the_database_are_not_thrown_out_unasked(shop: Database, backup: Backup) -> None:
    beside = connect(shop.engine.url)
    with beside.engine.connect() as user:
        user.exec_driver_sql("SELECT count(*) FROM users").close()
        if shop.dialect.name == "sqlite":
            user.exec_driver_sql("UPDATE users SET email = 'mine' WHERE id = 1")
        with pytest.raises(DatabaseInUse) as refused:
            restored(backup, shop)
        assert "It serves on, unchanged" in str(refused.value)
        user.rollback()
    beside.close()
    assert scalar(shop, "SELECT count(*) FROM users") == 4
    assert others(shop) == []


@pytest.mark.slow
@pytest.mark.excused("sqlite", why="nobody can end the session of another process")
def test_others_are_ended_when_that_is_asked_for(shop: Database, backup: Backup) -> None:
    beside = connect(shop.engine.url)
    with beside.engine.connect() as user:
        user.exec_driver_sql("UPDATE users SET email = 'mine' WHERE id = 1")
        restored(backup, shop, terminate=True)
        assert is_exactly(shop, backup.state())
        with pytest.raises(DBAPIError):
            user.exec_driver_sql("SELECT 1")
        user.invalidate()
    beside.close()


def test_a_damaged_backup_is_refused_before_anything_happens(sqlite: Database, backups: Path) -> None:
    execute(sqlite, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    made = make_backup(sqlite, backups)
    path = made.data / "database.db"
    path.write_bytes(path.read_bytes()[:-1])
    with untouched(sqlite), pytest.raises(BackupInvalid, match=r"data/database\.db is damaged"):
        restored(made, sqlite)
    assert others(sqlite) == []
    assert not (backups / "restorations").exists()


def test_a_backup_of_another_engine_or_version_is_refused(
    sqlite: Database, postgresql: Database, backups: Path
) -> None:
    made = make_backup(sqlite, backups)
    with pytest.raises(BackupInvalid, match=r"is of SQLite .*, and \w+ is on PostgreSQL"):
        restored(made, postgresql)
    other = replace(postgresql, server="PostgreSQL 17.1")
    ours = make_backup(postgresql, backups)
    with pytest.raises(BackupInvalid, match=r"is of PostgreSQL 18\S*, and \w+ is on PostgreSQL 17\.1"):
        restored(ours, other)


@pytest.mark.slow
@pytest.mark.excused("sqlite", why="it has no rights")
def test_without_the_right_to_create_databases(shop: Database, backup: Backup) -> None:
    url = shop.engine.url
    name = f"poor_{str(url.database)[-8:]}"
    is_postgresql = shop.dialect.name == "postgresql"
    if is_postgresql:
        execute(shop, f"CREATE ROLE {name} LOGIN", f"GRANT pg_read_all_data TO {name}")
    else:
        execute(shop, f"CREATE USER {name}", f"GRANT ALL ON `{url.database}`.* TO {name}")
    poor = connect(url.set(username=name))
    try:
        with untouched(shop), pytest.raises(PermissionMissing, match="may not create"):
            restored(backup, poor)
    finally:
        poor.close()
        revoke = [f"REVOKE pg_read_all_data FROM {name}"] if is_postgresql else []
        execute(shop, *revoke, f"DROP {'ROLE' if is_postgresql else 'USER'} {name}")
    assert others(shop) == []


def test_a_sqlite_file_stays_the_same_file(sqlite: Database, backups: Path) -> None:
    """Whoever has it open goes on with what was restored, and not with a file that has no name any more."""
    execute(sqlite, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    made = make_backup(sqlite, backups)
    path = Path(str(sqlite.engine.url.database))
    inode = path.stat().st_ino
    with connect(sqlite.engine.url).engine.connect() as user:
        assert user.exec_driver_sql("SELECT count(*) FROM t").scalar() == 1
        user.rollback()
        execute(sqlite, "INSERT INTO t VALUES (2)")
        restored(made, sqlite)
        assert path.stat().st_ino == inode
        assert user.exec_driver_sql("SELECT count(*) FROM t").scalar() == 1


@pytest.mark.parametrize("then", ["wal", "delete"])
@pytest.mark.parametrize("now", ["wal", "delete"])
def test_a_sqlite_file_gets_its_journal_mode_back(then: str, now: str, sqlite: Database, backups: Path) -> None:
    def switch(mode: str) -> None:
        with sqlite.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"PRAGMA journal_mode = {mode}").close()

    execute(sqlite, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    switch(then)
    made = make_backup(sqlite, backups)
    assert [path.name for path in made.data.iterdir()] == ["database.db"]
    switch(now)
    execute(sqlite, "INSERT INTO t VALUES (1)")
    restored(made, sqlite)
    assert scalar(sqlite, "SELECT count(*) FROM t") == 0
    assert scalar(sqlite, "PRAGMA journal_mode") == then


@pytest.mark.parametrize("then", [True, False])
def test_a_restore_leaves_the_database_as_open_to_writers_as_it_was(
    then: bool, postgresql: Database, backups: Path
) -> None:
    """A restore within a read-only window lets no writer in; a backup made within one keeps none out later."""
    execute(postgresql, "CREATE TABLE users (id INTEGER PRIMARY KEY)", "INSERT INTO users VALUES (1)")
    with ExitStack() as window:
        if not then:
            window.enter_context(read_only(postgresql))
        backup = make_backup(postgresql, backups)
    with ExitStack() as window:
        db = postgresql
        if then:
            db = window.enter_context(window.enter_context(read_only(postgresql)).privileged())
        assert restored(backup, db, terminate=True).passed
        postgresql.close()
        assert is_read_only(postgresql) is then
    assert is_read_only(postgresql) is False
    postgresql.close()
    execute(postgresql, "INSERT INTO users VALUES (2)")
    postgresql.close()


def test_a_restore_that_stands_half_way_is_settled_first(sqlite: Database, backups: Path) -> None:
    execute(sqlite, "CREATE TABLE users (id INTEGER PRIMARY KEY)", "INSERT INTO users VALUES (1)")
    backup = make_backup(sqlite, backups)
    folder = backups / RESTORATIONS / "killed"
    with StepJournal.create(folder, kind="restore", database=sqlite.name, place=sqlite.url) as other:
        with pytest.raises(RestoreFailed, match="still goes on"):
            restored(backup, sqlite)
        other.close()
        with pytest.raises(RestoreFailed, match="never came to its end"):
            restored(backup, sqlite)
    assert [one.path for one in StepJournal.unfinished(backups)] == [folder / "steps.jsonl"]
    StepJournal.resume(folder / "steps.jsonl").finish("undone")
    assert restored(backup, sqlite).passed
