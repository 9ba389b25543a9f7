"""Point in time on PostgreSQL: what is missing is said in a sentence, and what was made is taken back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from migkit.database import Database, connect
from migkit.dialects.postgresql import server_programs
from migkit.dialects.postgresql.recording import detached
from migkit.errors import ConfigError, DatabaseInUse, MissingTool, MomentUnreachable, PermissionMissing
from migkit.recovery import pitr
from migkit.recovery.pitr_records import Records, records_of
from migkit.recovery.pitr_recovery import recover_to
from tests.faults.support import execute
from tests.recovery.test_pitr import TABLE, enabled, numbers, write


def slots(db: Database) -> list[str]:
    """Return the replication slots of migkit's on the server."""
    with db.engine.connect() as connection:
        sql = "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE 'migkit%' ORDER BY 1"
        return list(connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalars())


def segments(records: Records) -> list[Path]:
    """Return the complete segments that were recorded, oldest first."""
    return sorted(file for file in records.recording.log_folder.iterdir() if len(file.name) == 24)


@pytest.fixture
def role(postgresql: Database) -> Iterator[str]:
    """A user without any right but to log in."""
    name = f"nobody_{postgresql.name[2:]}"
    execute(postgresql, f"CREATE ROLE {name} LOGIN PASSWORD 'hunter2-secret'")
    yield name
    execute(postgresql, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_a_user_who_may_not_replicate_is_told(postgresql: Database, role: str, tmp_path: Path) -> None:
    before = slots(postgresql)
    with connect(postgresql.engine.url.set(username=role)) as db:
        with pytest.raises(PermissionMissing, match=f"ALTER ROLE {role} REPLICATION"):
            pitr.enable(db, tmp_path)
        assert not list(tmp_path.rglob("*")) and slots(postgresql) == before
        moment = pitr.timestamp(db, tmp_path)
        assert not moment.returnable and "migkit pitr enable" in str(moment.why_not)


def test_a_missing_server_program_is_named_with_its_package(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_programs, "installed", lambda name: ())
    with pytest.raises(MissingTool, match=r"needs the server program postgres of PostgreSQL 18.*postgresql-18"):
        pitr.enable(postgresql, tmp_path)
    assert not list(tmp_path.rglob("*"))


def test_an_archive_that_is_no_folder_is_refused(postgresql: Database, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="The archive is no folder"):
        pitr.enable(postgresql, tmp_path, archive=tmp_path / "nowhere")
    assert not list(tmp_path.rglob("*"))


@pytest.mark.slow
def test_what_was_made_is_said_and_taken_back(postgresql: Database, role: str, tmp_path: Path) -> None:
    execute(postgresql, f"ALTER ROLE {role} REPLICATION")
    before = slots(postgresql)
    with connect(postgresql.engine.url.set(username=role, password="hunter2-secret")) as db:
        first = pitr.enable(db, tmp_path)
        try:
            assert [one.split()[0] for one in first.changed] == ["made", "started", "took"]
            assert pitr.enable(db, tmp_path).changed == ()
            records = records_of(db, tmp_path)
            pid = int((records.folder / "pg_receivewal.pid").read_text())
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
            assert b"pg_receivewal" in arguments and b"hunter2" not in arguments
            written = [path for path in records.folder.rglob("*") if path.is_file()]
            assert not [path for path in written if b"hunter2-secret" in path.read_bytes()]
            assert all(
                path.stat().st_mode & 0o077 == 0 for path in [records.folder, records.folder / "pg_service.conf"]
            )
            assert len(slots(postgresql)) == len(before) + 1
        finally:
            last = pitr.disable(db, tmp_path)
        assert [one.split()[0] for one in last.changed] == ["stopped", "dropped", "the"]
        assert slots(postgresql) == before and not detached(records.recording).is_running()
        assert not pitr.status(db, tmp_path).passed


@pytest.mark.slow
def test_moments_that_cannot_be_reached(postgresql: Database, tmp_path: Path) -> None:
    db = postgresql
    execute(db, TABLE["postgresql"])
    with enabled(db, tmp_path):
        records = records_of(db, tmp_path)
        earliest = pitr.status(db, tmp_path).earliest
        assert earliest is not None
        with pytest.raises(MomentUnreachable, match="lies before the first base"):
            recover_to(db, earliest - timedelta(seconds=1), tmp_path)
        write(db, 1)
        moment = pitr.timestamp(db, tmp_path)
        write(db, 2)
        # A session that stays keeps the original serving.
        with db.engine.connect() as holder:
            holder.exec_driver_sql("SELECT 1")
            other = connect(db.engine.url)
            with other, pytest.raises(DatabaseInUse):
                recover_to(other, moment.moment, tmp_path, patience=0)
            holder.rollback()
        # A damaged base.
        (archive,) = records.folder.glob("bases/*/data/base.tar.gz")
        whole = archive.read_bytes()
        archive.write_bytes(
            whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :]
        )
        with pytest.raises(MomentUnreachable, match="The base backup is damaged"):
            recover_to(db, moment.moment, tmp_path)
        archive.write_bytes(whole)
        # A gap in the log.
        for number in range(3, 6):
            write(db, number)
            execute(db, "SELECT pg_switch_wal()")
        late = pitr.timestamp(db, tmp_path)
        assert late.returnable
        db.dialect.catch_up(db.engine.url, records.recording)
        segments(records)[-2].unlink()
        status = pitr.status(db, tmp_path)
        assert not status.passed and len(status.gaps) == 1 and "the log lacks" in repr(status)
        with pytest.raises(MomentUnreachable, match="has a gap or ends before"):
            recover_to(db, late.moment, tmp_path)
        assert not pitr.timestamp(db, tmp_path).returnable
        assert numbers(db) == [1, 2, 3, 4, 5]
        assert not list((Path(os.environ["MIGKIT_HOME"])).glob("pitr-*"))


@pytest.mark.slow
def test_a_recorder_that_was_killed_goes_on_without_a_gap(postgresql: Database, tmp_path: Path) -> None:
    db = postgresql
    execute(db, TABLE["postgresql"])
    with enabled(db, tmp_path):
        records = records_of(db, tmp_path)
        os.kill(int((records.folder / "pg_receivewal.pid").read_text()), signal.SIGKILL)
        deadline = time.monotonic() + 30
        while detached(records.recording).is_running() and time.monotonic() < deadline:
            time.sleep(0.02)
        write(db, 1)
        status = pitr.status(db, tmp_path)
        assert not status.running and "is not running" in repr(status)
        moment = pitr.timestamp(db, tmp_path)
        assert not moment.returnable and "migkit pitr enable" in str(moment.why_not)
        assert [one.split()[0] for one in pitr.enable(db, tmp_path).changed] == ["started"]
        moment = pitr.timestamp(db, tmp_path)
        write(db, 2)
        with db.engine.connect() as holder:
            holder.exec_driver_sql("SELECT 1")
            with connect(db.engine.url) as other:
                recover_to(other, moment.moment, tmp_path, patience=0, terminate=True)
            holder.invalidate()
        assert numbers(db) == [1]


@pytest.mark.slow
@pytest.mark.every_postgresql
def test_the_servers_own_archive_serves_as_well(every_postgresql: Database, tmp_path: Path) -> None:
    db = every_postgresql
    execute(db, TABLE["postgresql"])
    with enabled(db, tmp_path / "received"):
        archive = records_of(db, tmp_path / "received").recording.log_folder
        pitr.enable(db, tmp_path, archive=archive)
        with pytest.raises(ConfigError, match="recorded in another way already"):
            pitr.enable(db, tmp_path)
        write(db, 1)
        moment = pitr.timestamp(db, tmp_path)
        write(db, 2)
        recover_to(db, moment.moment, tmp_path)
        assert numbers(db) == [1]
        assert pitr.disable(db, tmp_path).changed
