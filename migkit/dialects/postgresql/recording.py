"""Recording PostgreSQL's write-ahead log: a replication slot, ``pg_receivewal`` on its own, and base backups."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.detached import Detached
from migkit.dialects.point_in_time import Base, Gap, LogMoment, Recorded, Recording
from migkit.dialects.postgresql import base_files, server_programs
from migkit.dialects.postgresql.session import create_engine, explain_connect_error, explain_error, is_permission_error
from migkit.dialects.postgresql.sql import execute, literal
from migkit.dialects.postgresql.tools import client_tool, environment, run_tool, workspace
from migkit.dialects.postgresql.wal import PARTIAL, Segment, holes, lsn_number, segments
from migkit.errors import (
    CloneFailed,
    MigkitError,
    MissingTool,
    MomentUnreachable,
    PermissionMissing,
    UnsupportedFeature,
)
from migkit.progress import Progress
from migkit.storage import told_where

_RECEIVER = "pg_receivewal"
# Settings without which a server refuses to replay what this one did.
_SETTINGS_OF_REPLAY = (
    "max_connections",
    "max_prepared_transactions",
    "max_locks_per_transaction",
    "max_worker_processes",
)
_PATIENCE_SECONDS = 60.0
_STEP_SECONDS = 0.05

_FACTS = """
SELECT current_setting('server_version_num')::int / 10000 AS release,
       current_setting('wal_level') AS wal_level,
       current_setting('max_wal_senders')::int AS senders,
       current_setting('max_replication_slots')::int AS slots,
       (SELECT count(*) FROM pg_catalog.pg_replication_slots) AS slots_used,
       pg_catalog.pg_size_bytes(current_setting('wal_segment_size')) AS segment_bytes,
       (SELECT rolreplication OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS may_replicate,
       current_user::text AS user_name,
       pg_catalog.pg_is_in_recovery() AS replica,
       (SELECT rolname::text FROM pg_catalog.pg_roles WHERE oid = 10) AS superuser
"""
# Up to this position, so much is known to be in the log; no position is given out twice.
_MOMENT = "SELECT clock_timestamp() AT TIME ZONE 'UTC', pg_catalog.pg_current_wal_insert_lsn()::text"


def log_moment(connection: Connection) -> LogMoment:
    """Return the server's clock, and the end of its log."""
    if execute(connection, "SELECT pg_catalog.pg_is_in_recovery()").scalar_one():
        raise UnsupportedFeature(
            "This server is a replica, which does not write its own log", next_step="Ask the primary server."
        )
    moment, position = execute(connection, _MOMENT).one()
    return LogMoment(moment.replace(tzinfo=UTC), str(position))


def facts(connection: Connection, archive: Path | None) -> dict[str, Any]:
    """Return what recording needs to know of the server, having made sure that it can be done.

    Raises
    ------
    UnsupportedFeature, PermissionMissing, MissingTool
        With what has to be set, given or installed.
    """
    found = dict(execute(connection, _FACTS).mappings().one())
    _require_settings(found)
    if not found["may_replicate"]:
        raise PermissionMissing(
            f"{found['user_name']} may not read the server's log",
            next_step=f"Give the right: ALTER ROLE {found['user_name']} REPLICATION; then try again.",
        )
    release = int(found["release"])
    for name in ("pg_basebackup", *(() if archive else (_RECEIVER,))):
        _client(name, release)
    server_programs.find("postgres", release)
    settings = {name: execute(connection, f"SHOW {name}").scalar_one() for name in _SETTINGS_OF_REPLAY}
    return {
        "release": release,
        "segment_bytes": int(found["segment_bytes"]),
        "superuser": str(found["superuser"]),
        "slot": f"migkit_pitr_{secrets.token_hex(4)}",
        "settings": settings,
        "archive": str(archive) if archive else None,
    }


def _require_settings(found: dict[str, Any]) -> None:
    if found["replica"]:
        raise UnsupportedFeature("This server is a replica", next_step="Record the log of the primary server.")
    restart = "in postgresql.conf; the server has to be started anew for it."
    if found["wal_level"] == "minimal":
        raise UnsupportedFeature(
            "The server writes too little into its log (wal_level = minimal)",
            next_step=f"Set wal_level = replica {restart}",
        )
    if found["senders"] < 2:
        raise UnsupportedFeature(
            f"The server lets nobody read its log (max_wal_senders = {found['senders']})",
            next_step=f"Set max_wal_senders = 4 {restart}",
        )
    if found["slots"] <= found["slots_used"]:
        raise UnsupportedFeature(
            f"The server has no free replication slot (max_replication_slots = {found['slots']})",
            next_step=f"Drop one that nobody uses, or set max_replication_slots = {found['slots_used'] + 2} {restart}",
        )


def _client(name: str, release: int) -> Any:
    try:
        return client_tool(name, source_release=release)
    except CloneFailed as error:
        raise MissingTool(
            f"Recording the log of PostgreSQL {release} needs {name} of release {release} or later",
            next_step=f"Install the package postgresql-client-{release} of your system.",
        ) from error


# --- the recorder -----------------------------------------------------------------------------------------------------


def slot_of(recording: Recording) -> str:
    """Return what the recording's replication slot is called."""
    return str(recording.facts["slot"])


def start(url: URL, recording: Recording) -> tuple[str, ...]:
    """Make the slot and start the recorder, unless they are there; return what that changed."""
    changed = []
    if recording.facts.get("archive"):
        return ()
    with told_where(recording.log_folder):
        recording.log_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    slot = slot_of(recording)
    with session(url) as connection:
        if not execute(connection, f"{_SLOT} {literal(slot)}").first():
            execute(connection, f"SELECT pg_catalog.pg_create_physical_replication_slot({literal(slot)}, true)")
            changed.append(f"made the replication slot {slot}: the server keeps its log until the recorder has it")
    if _launch(url, recording):
        changed.append(f"started {_RECEIVER}, which writes the log to {recording.log_folder} until it is stopped")
    _await_recorder(url, recording)
    return tuple(changed)


def _launch(url: URL, recording: Recording) -> bool:
    tool = _client(_RECEIVER, int(recording.facts["release"]))
    command = [
        str(tool.path),
        "--dbname=service=migkit",
        "--no-password",
        f"--directory={recording.log_folder}",
        f"--slot={slot_of(recording)}",
        "--synchronous",
    ]
    return detached(recording).start(command, environment(url, recording.folder))


def detached(recording: Recording) -> Detached:
    """Return the recorder's process."""
    return Detached(recording.folder, _RECEIVER)


def _await_recorder(url: URL, recording: Recording) -> None:
    process, deadline = detached(recording), time.monotonic() + _PATIENCE_SECONDS
    with session(url) as connection:
        while not _slot_row(connection, recording)["active"]:
            if not process.is_running() or time.monotonic() > deadline:
                raise MigkitError(
                    f"{_RECEIVER} does not record: {process.said() or 'it says nothing'}", where=str(process.log)
                )
            time.sleep(_STEP_SECONDS)


def stop(url: URL, recording: Recording) -> tuple[str, ...]:
    """End the recorder and drop the slot, where they are there; return what that changed."""
    changed = []
    if detached(recording).stop():
        changed.append(f"stopped {_RECEIVER}")
    if not recording.facts.get("archive"):
        with session(url) as connection:
            dropped = (
                f"SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM ({_SLOT} {literal(slot_of(recording))}) s"
            )
            if _released(connection, recording) and execute(connection, dropped).first():
                changed.append(f"dropped the replication slot {slot_of(recording)}")
    (recording.folder / "pg_service.conf").unlink(missing_ok=True)
    return tuple(changed)


def _released(connection: Connection, recording: Recording) -> bool:
    """Wait until the server has noticed that the recorder is gone; tell whether there is a slot."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        row = execute(connection, f"{_SLOT} {literal(slot_of(recording))}").mappings().first()
        if row is None or not row["active"]:
            return row is not None
        time.sleep(_STEP_SECONDS)
    raise MigkitError(
        f"The replication slot {slot_of(recording)} is still in use",
        next_step=f"Drop it when it is not: SELECT pg_drop_replication_slot({literal(slot_of(recording))})",
    )


_SLOT = """
SELECT slot_name, active, restart_lsn::text AS restart_lsn, wal_status,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)::bigint AS behind_bytes
  FROM pg_catalog.pg_replication_slots WHERE slot_type = 'physical' AND slot_name ="""


def _slot_row(connection: Connection, recording: Recording) -> dict[str, Any]:
    row = execute(connection, f"{_SLOT} {literal(slot_of(recording))}").mappings().first()
    if row is None:
        raise MomentUnreachable(
            f"The server has no replication slot {slot_of(recording)} any more, so its log was not kept",
            next_step="Begin anew: migkit pitr enable.",
        )
    return dict(row)


def catch_up(url: URL, recording: Recording) -> None:
    """Commit a transaction of our own, so that the log has something after every moment, and wait until it is recorded.

    Raises
    ------
    MomentUnreachable
        If it does not arrive.
    """
    if not recording.facts.get("archive"):
        start(url, recording)
    with session(url) as connection:
        execute(connection, "SELECT pg_catalog.pg_current_xact_id()")
        if recording.facts.get("archive"):
            wanted = _switched(connection)
            timeline = int(execute(connection, _TIMELINE).scalar_one())
            segment = Segment.at(wanted, timeline, int(recording.facts["segment_bytes"]))
            _await(lambda: (recording.log_folder / segment.name(int(recording.facts["segment_bytes"]))).exists())
            return
        wanted = str(execute(connection, "SELECT pg_catalog.pg_current_wal_insert_lsn()::text").scalar_one())
        _await(lambda: lsn_number(str(_slot_row(connection, recording)["restart_lsn"])) >= lsn_number(wanted))


_TIMELINE = "SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()"


def _switched(connection: Connection) -> str:
    """End the present segment, so that the server archives it; return a position in it."""
    written = str(execute(connection, "SELECT pg_catalog.pg_current_wal_insert_lsn()::text").scalar_one())
    try:
        execute(connection, "SELECT pg_catalog.pg_switch_wal()")
    except DBAPIError as error:
        if is_permission_error(error):
            raise PermissionMissing(
                "The last piece of the log is not archived yet, and this user may not end it",
                next_step="Give the right: GRANT EXECUTE ON FUNCTION pg_switch_wal() TO …",
            ) from error
        raise
    return written


def _await(arrived: Any) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not arrived():
        if time.monotonic() > deadline:
            raise MomentUnreachable(
                f"The server's log up to now did not arrive within {_PATIENCE_SECONDS:g} s",
                next_step="See migkit pitr status.",
            )
        time.sleep(_STEP_SECONDS)


# --- bases ------------------------------------------------------------------------------------------------------------


def take_base(url: URL, recording: Recording, folder: Path, progress: Progress) -> Base:
    """Copy the files of the whole server while it works."""
    tool = _client("pg_basebackup", int(recording.facts["release"]))
    progress.begin("Copying the server's files")
    with workspace() as private:
        arguments = [f"--pgdata={folder}", "--format=tar", "--gzip", "--compress=1", "--wal-method=none"]
        run_tool(
            tool,
            [*arguments, "--checkpoint=fast", f"--manifest-checksums={base_files.CHECKSUMS}"],
            environment(url, private),
            lambda line: None,
        )
    with session(url) as connection:
        finished = log_moment(connection)
    with told_where(folder):
        found = base_files.log_span(folder)
        size = sum(file.stat().st_size for file in folder.iterdir())
    return Base(folder, finished.moment, found | {"position": finished.position}, size)


def recorded(connection: Connection, recording: Recording, base: Base) -> Recorded:
    """Return what of the log is there since a base."""
    archive = recording.facts.get("archive")
    notes, running = [], True
    last = None
    if not archive:
        process = detached(recording)
        running = process.is_running()
        slot = execute(connection, f"{_SLOT} {literal(slot_of(recording))}").mappings().first()
        if slot is None:
            notes.append(f"the replication slot {slot_of(recording)} is gone: the server's log is not kept")
        elif slot["wal_status"] == "lost":
            notes.append("the server has thrown away log that was not recorded yet (max_slot_wal_keep_size)")
        elif not running:
            waiting = f"{int(slot['behind_bytes']):,} bytes of log wait on the server's disk"
            notes.append(f"{_RECEIVER} is not running ({process.said() or 'it said nothing'}); {waiting}")
        if slot is not None and slot["restart_lsn"]:
            last = str(slot["restart_lsn"])
    found = {file.name: file for file in _log_files(recording)}
    size = sum(file.stat().st_size for file in found.values())
    return Recorded(running, tuple(_gaps(found, recording, base, last)), tuple(notes), size)


def _gaps(found: dict[str, Path], recording: Recording, base: Base, last: str | None) -> Iterator[Gap]:
    size, timeline = int(recording.facts["segment_bytes"]), int(base.facts["timeline"])
    first = Segment.at(str(base.facts["start"]), timeline, size)
    # A position at the very beginning of a segment says that the one before it is complete.
    end = Segment(timeline, max(first.number, (lsn_number(last) - 1) // size)) if last else first
    for begin, until in holes(segments(found, size), first, end):
        names = begin.name(size) if begin == until else f"{begin.name(size)} to {until.name(size)}"
        yield Gap(f"the log lacks {names}")
    for name, path in found.items():
        if not name.endswith(PARTIAL) and Segment.of(name, size) and path.stat().st_size != size:
            yield Gap(f"{name} is damaged: it has {path.stat().st_size:,} bytes instead of {size:,}")


def _log_files(recording: Recording) -> list[Path]:
    folder = recording.log_folder
    with told_where(folder):
        return sorted(file for file in folder.iterdir() if file.is_file()) if folder.is_dir() else []


def system_identifier(connection: Connection) -> str:
    """Return the number that tells this server from every other."""
    return str(execute(connection, "SELECT system_identifier FROM pg_catalog.pg_control_system()").scalar_one())


@contextmanager
def session(url: URL) -> Iterator[Connection]:
    """Open a session outside transactions."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        try:
            connection = engine.connect()
        except DBAPIError as error:
            raise explain_connect_error(error, url) from error
        with connection:
            yield connection
    except DBAPIError as error:
        raise MigkitError(f"The server refused: {explain_error(error)}", where=url.database) from error
    finally:
        engine.dispose()
