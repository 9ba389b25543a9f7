"""A private cluster: the server's files from a base backup, with the log replayed up to a moment.

It answers on a socket that nobody else can reach, loads no library of the original's, starts none of its workers, and
is gone at the end of the block.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from migkit.dialects.point_in_time import Base, LogMoment, Recording
from migkit.dialects.postgresql import base_files, server_programs
from migkit.dialects.postgresql.server_programs import ServerUser
from migkit.dialects.postgresql.session import create_engine
from migkit.dialects.postgresql.tools import Tool
from migkit.dialects.postgresql.wal import PARTIAL, Segment
from migkit.errors import MigkitError, MomentUnreachable
from migkit.progress import Progress
from migkit.redaction import redact
from migkit.storage import told_where

_PORT = 5432
_STEP_SECONDS = 0.05
_STOP_SECONDS = 20.0
_ROOM_FACTOR = 4

# It is thrown away: nothing has to survive. Nothing of the original's may begin to work in it: subscriptions would take
# changes away from the original, scheduled jobs would reach out.
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "hot_standby": "off",
    "archive_mode": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_logical_replication_workers": "0",
    "shared_preload_libraries": "",
    "logging_collector": "off",
    "log_destination": "stderr",
    "lc_messages": "C",
    "log_line_prefix": "",
    "recovery_target_action": "promote",
    "recovery_target_timeline": "latest",
}


@contextmanager
def recovered(
    url: URL, recording: Recording, base: Base, target: LogMoment, room: Path, progress: Progress
) -> Iterator[URL]:
    """Replay the log over a base in a server of its own, and return where the database can be read there.

    Parameters
    ----------
    url : sqlalchemy.URL
        The database.
    recording : Recording
        Where the log is.
    base : Base
        Where to start.
    target : LogMoment
        Up to when.
    room : Path
        An empty folder on a short path.
    progress : Progress
        Told of each piece of log.

    Raises
    ------
    MomentUnreachable
        If the log has a gap or ends too early, or the base is damaged.
    """
    release = int(recording.facts["release"])
    program, owner = server_programs.find("postgres", release), server_programs.user()
    _require_room(room, base)
    progress.begin("Unpacking the base backup")
    with told_where(room):
        data, log = room / "data", room / "log"
        data.mkdir(mode=0o700)
        log.mkdir(mode=0o700)
        base_files.unpack(base, data, room / "tablespaces")
        _gather_log(recording, base, log, copied=owner is not None)
        _configure(data, log, room, recording, target)
        server_programs.give(room, owner)
    progress.begin("Replaying the log")
    process = _start(program, data, room, owner)
    try:
        inside = URL.create(
            "postgresql+psycopg",
            username=str(recording.facts["superuser"]),
            database=url.database,
            query={"host": str(room), "port": str(_PORT)},
        )
        _await_promotion(process, inside, room / "server.log", target, progress)
        yield inside
    finally:
        _end(process)


def _require_room(room: Path, base: Base) -> None:
    free, needed = shutil.disk_usage(room).free, base.size_bytes * _ROOM_FACTOR
    if free < needed:
        raise MigkitError(
            f"The server's files need about {needed / 2**30:.1f} GB, and {free / 2**30:.1f} GB are free",
            where=str(room),
            next_step="Make room, or name another place with MIGKIT_HOME.",
        )


def _gather_log(recording: Recording, base: Base, log: Path, *, copied: bool) -> None:
    """Put the log where the private server can read it; the piece that is still being written is taken as it is."""
    size = int(recording.facts["segment_bytes"])
    first = Segment.at(str(base.facts["start"]), int(base.facts["timeline"]), size)
    for file in sorted(recording.log_folder.iterdir()):
        segment = Segment.of(file.name, size)
        if not file.name.endswith(".history") and (segment is None or segment.number < first.number):
            continue
        place = log / file.name.removesuffix(PARTIAL)
        if copied or file.name.endswith(PARTIAL):
            if not place.exists():
                shutil.copyfile(file, place)
        else:
            place.unlink(missing_ok=True)
            place.symlink_to(file.absolute())


def _configure(data: Path, log: Path, room: Path, recording: Recording, target: LogMoment) -> None:
    for name in ("postmaster.pid", "standby.signal", "recovery.signal"):
        (data / name).unlink(missing_ok=True)
    (data / "recovery.signal").touch()
    # What the original was told by ALTER SYSTEM is about the original.
    (data / "postgresql.auto.conf").write_text("", encoding="utf-8")
    settings = {
        **_SETTINGS,
        **recording.facts["settings"],
        "unix_socket_directories": str(room),
        "restore_command": f"cp {shlex.quote(str(log)).replace('%', '%%')}/%f %p",
        **_target(target),
    }
    (room / "postgresql.conf").write_text("".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items()))
    (room / "pg_hba.conf").write_text("local all all trust\n")
    (room / "pg_ident.conf").write_text("")


def _target(target: LogMoment) -> dict[str, str]:
    """Return the settings that end the replay: a position is exact, also where the clock was put back."""
    if target.position:
        return {"recovery_target_lsn": target.position, "recovery_target_inclusive": "off"}
    return {"recovery_target_time": f"{target.moment:%Y-%m-%d %H:%M:%S.%f}+00"}


def _quoted(value: object) -> str:
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def _start(program: Tool, data: Path, room: Path, owner: ServerUser | None) -> subprocess.Popen[bytes]:
    settings = {name: room / file for name, file in _FILES.items()}
    with (room / "server.log").open("wb") as output:
        return subprocess.Popen(
            [str(program.path), "-D", str(data), *(f"--{name}={path}" for name, path in settings.items())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=room,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
            user=owner.number if owner else None,
            group=owner.group if owner else None,
            extra_groups=[] if owner else None,
        )


_FILES = {"config_file": "postgresql.conf", "hba_file": "pg_hba.conf", "ident_file": "pg_ident.conf"}


def _await_promotion(
    process: subprocess.Popen[bytes], inside: URL, log: Path, target: LogMoment, progress: Progress
) -> None:
    told = 0
    while process.poll() is None:
        if _answers(inside):
            return
        restored = log.read_text(encoding="utf-8", errors="replace").count("restored log file")
        progress.advance(restored - told)
        told = restored
        time.sleep(_STEP_SECONDS)
    raise _failure(log.read_text(encoding="utf-8", errors="replace"), target)


def _answers(inside: URL) -> bool:
    engine = create_engine(inside.set(database="postgres"))
    try:
        with engine.connect() as connection:
            return not connection.exec_driver_sql("SELECT pg_catalog.pg_is_in_recovery()").scalar_one()
    except DBAPIError:
        return False
    finally:
        engine.dispose()


def _failure(said: str, target: LogMoment) -> MomentUnreachable:
    moment = f"{target.moment:%Y-%m-%d %H:%M:%S.%f} UTC"
    if "before configured recovery target was reached" in said:
        return MomentUnreachable(
            f"The recorded log has a gap or ends before {moment}", next_step="migkit pitr status shows what is there."
        )
    errors = re.findall(r"^(?:FATAL|PANIC|ERROR):\s*(.+)$", said, re.MULTILINE)
    return MomentUnreachable(
        f"The log could not be replayed: {redact(errors[-1] if errors else 'the private server does not say why')}"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the private server at once; nothing of it is kept."""
    if process.poll() is None:
        process.send_signal(signal.SIGQUIT)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def abandon(room: Path) -> None:
    """End the server that a killed process left running in a folder."""
    status = room / "data" / "postmaster.pid"
    if not status.is_file():
        return
    lines = status.read_text(encoding="utf-8", errors="replace").splitlines()
    # The process id may be somebody else's by now; only a server that works in this folder is meant.
    with suppress(OSError, ValueError, IndexError):
        number = int(lines[0])
        if Path(f"/proc/{number}/cwd").resolve() == (room / "data").resolve():
            os.kill(number, signal.SIGQUIT)
