"""Returning to a moment: exactly what was committed by then is there, on every engine; what cannot be is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migkit.config import Config
from migkit.database import Database
from migkit.errors import ConfigError, DatabaseInUse, MomentUnreachable
from migkit.migration.loading import load_migration
from migkit.migration.runner import run
from migkit.recovery import pitr
from migkit.recovery.journal_reading import read_journal
from migkit.recovery.pitr_records import MARKS, records_of
from migkit.recovery.pitr_recovery import recover_to
from tests.faults.support import execute

CLOCK = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')",
    "postgresql": "clock_timestamp()",
    "mysql": "SYSDATE(6)",
    "mariadb": "SYSDATE(6)",
}
TABLE = {
    "sqlite": "CREATE TABLE written (n integer PRIMARY KEY, at text)",
    "postgresql": "CREATE TABLE written (n integer PRIMARY KEY, at timestamptz)",
    "mysql": "CREATE TABLE written (n integer PRIMARY KEY, at datetime(6))",
    "mariadb": "CREATE TABLE written (n integer PRIMARY KEY, at datetime(6))",
}
MIGRATION = """
ALTER TABLE written ADD COLUMN more integer;
CREATE TABLE beside (id integer PRIMARY KEY, name varchar(20) NOT NULL);
INSERT INTO beside VALUES (1, 'ünï'), (2, 'a%b:c');
UPDATE written SET more = n;
"""


@contextmanager
def enabled(db: Database, folder: Path) -> Iterator[None]:
    """Point in time for the length of a block; no recorder stays behind."""
    pitr.enable(db, folder)
    try:
        yield
    finally:
        pitr.disable(db, folder)


def write(db: Database, *numbers: int) -> None:
    """Write rows, each in a transaction of its own and with the server's time."""
    for number in numbers:
        execute(db, f"INSERT INTO written (n, at) VALUES ({number}, {CLOCK[db.dialect.name]})")


def numbers(db: Database) -> list[int]:
    """Return what is there."""
    with db.engine.connect() as connection:
        return [int(n) for n in connection.exec_driver_sql("SELECT n FROM written ORDER BY n").scalars()]


def columns(db: Database, table: str) -> list[str]:
    """Return the columns of a table; none where there is no such table."""
    with db.engine.connect() as connection:
        catalog = db.dialect.read_catalog(connection, None)
    return [row["column"] for row in catalog.columns if row["table"] == table]


@dataclass
class Writer:
    """Writes numbered rows until it is told to stop; knows which it was told are committed."""

    db: Database
    acknowledged: int = 0
    trouble: list[Exception] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Writer:
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _work(self) -> None:
        engine = self.db.dialect.create_engine(self.db.engine.url)
        try:
            while not self._done.is_set():
                number = self.acknowledged + 1
                with engine.begin() as connection:
                    connection.exec_driver_sql(
                        f"INSERT INTO written (n, at) VALUES ({number}, {CLOCK[self.db.dialect.name]})"
                    )
                self.acknowledged = number
                time.sleep(0.002)
        except Exception as error:
            self.trouble.append(error)
        finally:
            engine.dispose()

    def wait_for(self, number: int) -> None:
        """Wait until so many rows are written."""
        deadline = time.monotonic() + 60
        while self.acknowledged < number:
            assert time.monotonic() < deadline and not self.trouble, self.trouble
            time.sleep(0.002)


@pytest.mark.slow
def test_exactly_the_rows_up_to_a_moment_are_there(db: Database, tmp_path: Path) -> None:
    execute(db, TABLE[db.dialect.name])
    path = tmp_path / "001_more.sql"
    path.write_text(MIGRATION, encoding="utf-8")
    moments = []
    with enabled(db, tmp_path):
        with Writer(db) as writer:
            for _ in range(3):
                writer.wait_for(writer.acknowledged + 10)
                before = writer.acknowledged
                moment = pitr.timestamp(db, tmp_path)
                assert moment.returnable, moment.why_not
                moments.append((moment.moment, before, writer.acknowledged + 1))
                if len(moments) == 1:
                    done = run(load_migration(path, config=Config()), db, journal=db.dialect.journals_beside)
                    assert done.succeeded, done.error
        assert not writer.trouble
        execute(db, "DROP TABLE beside")
        for moment, least, most in [moments[1], moments[0], moments[2]]:
            recovered = recover_to(db, moment, tmp_path)
            found = numbers(db)
            assert found == list(range(1, len(found) + 1)), "a row in between is missing"
            assert least <= len(found) <= most
            migrated = moment != moments[0][0]
            assert ("more" in columns(db, "written")) is migrated
            assert bool(columns(db, "beside")) is migrated
            assert recovered.kept
        # What serves now is recorded, too.
        write(db, 100_000)
        after = pitr.timestamp(db, tmp_path)
        write(db, 100_001)
        recover_to(db, after.moment, tmp_path)
        assert numbers(db)[-1] == 100_000


@pytest.mark.slow
@pytest.mark.excused("sqlite", why="it keeps no log: only noted moments can be returned to")
def test_a_moment_that_nobody_noted_is_found_in_the_log(db: Database, tmp_path: Path) -> None:
    execute(db, TABLE[db.dialect.name])
    with enabled(db, tmp_path):
        write(db, 1, 2)
        # MariaDB's log tells whole seconds: the moment is one in which nothing was written.
        time.sleep(1.1)
        moment = pitr.timestamp(db, tmp_path).moment
        time.sleep(1.1)
        write(db, 3, 4)
        (records_of(db, tmp_path).folder / MARKS).unlink()
        recover_to(db, moment, tmp_path)
        assert numbers(db) == [1, 2]


@pytest.mark.slow
def test_a_second_in_which_something_was_written_is_no_moment(mariadb: Database, tmp_path: Path) -> None:
    db = mariadb
    execute(db, TABLE["mariadb"])
    with enabled(db, tmp_path):
        _wait_for_a_new_second()
        write(db, 1)
        moment = pitr.timestamp(db, tmp_path).moment
        write(db, 2)
        _wait_for_a_new_second()
        (records_of(db, tmp_path).folder / MARKS).unlink()
        with pytest.raises(MomentUnreachable, match="whole seconds"):
            recover_to(db, moment, tmp_path)
        assert numbers(db) == [1, 2]


def _wait_for_a_new_second() -> None:
    second = datetime.now(UTC).second
    while datetime.now(UTC).second == second:
        time.sleep(0.005)


# --- the fast core: SQLite, whose way is the same but for the log -----------------------------------------------------


def test_a_file_returns_to_a_restore_point(sqlite: Database, tmp_path: Path) -> None:
    execute(sqlite, TABLE["sqlite"])
    write(sqlite, 1, 2)
    moment = pitr.timestamp(sqlite, tmp_path)
    write(sqlite, 3)
    execute(sqlite, "ALTER TABLE written ADD COLUMN more integer")
    recovered = recover_to(sqlite, moment.moment, tmp_path)
    assert numbers(sqlite) == [1, 2] and columns(sqlite, "written") == ["n", "at"]
    assert recovered.comparison.row_count_diff == -1
    assert recovered.kept and "recovered, verified and serving" in repr(recovered)
    assert "<div" in recovered._repr_html_()
    status = pitr.status(sqlite, tmp_path)
    assert status.passed and len(status.bases) == 1 and "1 restore point," in repr(status)


def test_the_nearest_restore_points_are_named(sqlite: Database, tmp_path: Path) -> None:
    execute(sqlite, TABLE["sqlite"])
    first, second = (pitr.timestamp(sqlite, tmp_path) for _ in range(2))
    write(sqlite, 1)
    with pytest.raises(MomentUnreachable) as refusal:
        recover_to(sqlite, first.moment + timedelta(microseconds=1), tmp_path)
    assert str(first) in str(refusal.value) and str(second) in str(refusal.value)
    assert numbers(sqlite) == [1]


def test_the_future_is_refused(sqlite: Database, tmp_path: Path) -> None:
    execute(sqlite, TABLE["sqlite"])
    pitr.timestamp(sqlite, tmp_path)
    with pytest.raises(MomentUnreachable, match=r"lies in the future.*The server's clock reads"):
        recover_to(sqlite, datetime.now(UTC) + timedelta(days=1), tmp_path)


def test_without_records_there_is_no_way_back(sqlite: Database, tmp_path: Path) -> None:
    with pytest.raises(MomentUnreachable, match=r"Set it up with: migkit pitr enable"):
        recover_to(sqlite, datetime.now(UTC), tmp_path)


def test_a_damaged_restore_point_is_refused_and_nothing_changes(sqlite: Database, tmp_path: Path) -> None:
    execute(sqlite, TABLE["sqlite"])
    moment = pitr.timestamp(sqlite, tmp_path)
    write(sqlite, 1)
    (point,) = records_of(sqlite, tmp_path).folder.glob("bases/*/data/*.db")
    data = bytearray(point.read_bytes())
    data[len(data) // 2] ^= 1
    point.write_bytes(bytes(data))
    with pytest.raises(MomentUnreachable, match="The restore point is damaged"):
        recover_to(sqlite, moment.moment, tmp_path)
    assert numbers(sqlite) == [1]
    (journal,) = (read_journal(path) for path in (tmp_path / "pitr").glob("recoveries/*/steps.jsonl"))
    assert journal.is_finished and journal.facts["staged"] not in sqlite.dialect.list_scratch(None)


def test_somebody_who_writes_keeps_the_original(sqlite: Database, tmp_path: Path) -> None:
    execute(sqlite, TABLE["sqlite"])
    moment = pitr.timestamp(sqlite, tmp_path)
    write(sqlite, 1)
    with sqlite.engine.connect() as holder:
        holder.exec_driver_sql("INSERT INTO written (n) VALUES (2)")
        with pytest.raises(DatabaseInUse):
            recover_to(sqlite, moment.moment, tmp_path, patience=0)
        holder.rollback()
    assert numbers(sqlite) == [1]


def test_a_clock_that_was_put_back_is_noticed(sqlite: Database, tmp_path: Path) -> None:
    records = records_of(sqlite, tmp_path)
    now = datetime.now(UTC)
    at = type(pitr.LogMoment(now))
    assert records.mark(at(now)).remark == ""
    assert "put back" in records.mark(at(now - timedelta(hours=1))).remark
    assert records.target(now) == at(now)
    with pytest.raises(MomentUnreachable, match="was twice"):
        records.target(now - timedelta(minutes=30))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("yesterday", "is no moment"),
        ("2026-11-22T10:00:00", "does not say its time zone"),
        ("2026-11-22", "does not say its time zone"),
        ("", "is no moment"),
    ],
)
def test_what_is_no_moment_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        pitr.parse_moment(text)


def test_the_command_can_be_copied(sqlite: Database, tmp_path: Path) -> None:
    moment = datetime(2026, 11, 22, 10, 45, 0, 123456, tzinfo=UTC)
    command = pitr.command_to(moment, sqlite, "it's; here", tmp_path / "a b")
    assert command == (
        "migkit rollback --to-timestamp 2026-11-22T10:45:00.123456Z --database 'it'\"'\"'s; here'"
        f" --directory '{tmp_path}/a b'"
    )
    assert pitr.parse_moment("2026-11-22T10:45:00.123456Z") == moment


def test_a_line_that_was_cut_off_takes_no_moment_with_it(sqlite: Database, tmp_path: Path) -> None:
    execute(sqlite, "CREATE TABLE written (n INTEGER PRIMARY KEY)")
    first = pitr.timestamp(sqlite, tmp_path)
    records = records_of(sqlite, tmp_path)
    with (records.folder / MARKS).open("a") as file:
        file.write('{"moment": "2026')
    second = pitr.timestamp(sqlite, tmp_path)
    assert [mark.at.moment for mark in records.marks()] == [first.moment, second.moment]
