"""Faults that leave the process alive: connections cut, a disk that is full, a server that stops and starts."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from bench.faults.injections import Injected, Injector, pause

_WAYS = (("good", "transaction,down,backup"), ("losing", "transaction,down,backup"))
_TIMES = 3
_MOST_SECONDS = 6.0


def cut_connections(injector: Injector) -> Iterator[Injected]:
    """End all sessions of the deploy on the server, at a random moment."""
    if injector.subject.engine == "sqlite":
        return
    for migration, strategy in _WAYS:
        for _ in range(_TIMES):
            seconds = pause(1.0, _MOST_SECONDS)

            def break_it(process: subprocess.Popen[bytes], seconds: float = seconds) -> None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(seconds)
                _cut(injector)

            yield injector.disturb(f"cut {migration} after {seconds:.2f} s", migration, strategy, break_it)


def _cut(injector: Injector) -> None:
    with injector.subject.admin() as connection:
        if injector.subject.engine == "postgresql":
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'migkit%%' AND pid <> pg_backend_pid()"
            )
            return
        query = "SELECT id FROM information_schema.processlist WHERE user = 'root' AND id <> connection_id()"
        for (number,) in connection.exec_driver_sql(query).all():
            with suppress(SQLAlchemyError):
                connection.exec_driver_sql(f"KILL {int(number)}")


def fill_disk(injector: Injector) -> Iterator[Injected]:
    """Let evidence and backups lie on a disk that is full from the start, or fills up while the deploy goes on."""
    for migration, strategy in _WAYS:
        for room in (0, 60, 120, 400):
            with tiny_disk(injector.subject.folder / f"disk-{migration}-{room}") as folder:
                if folder is None:
                    return

                def break_it(process: subprocess.Popen[bytes], folder: Path = folder, room: int = room) -> None:
                    _fill(folder, room)
                    process.wait(120)
                    (folder / "ballast").unlink(missing_ok=True)

                yield injector.disturb(
                    f"disk with {room} KiB left for {migration}", migration, strategy, break_it, folder=folder
                )


@contextmanager
def tiny_disk(place: Path) -> Iterator[Path | None]:
    """Mount a small file system; ``None`` where that may not be done."""
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(place)], capture_output=True)
    if done.returncode:
        print("    · no file system can be mounted here, so no disk was filled")
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(folder: Path, left_kib: int) -> None:
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    with suppress(OSError), (folder / "ballast").open("wb") as ballast:
        ballast.write(b"\0" * max(0, free - left_kib * 1024))


def restart_server(injector: Injector, server: Any) -> Iterator[Injected]:
    """Let the server crash, and come back."""
    if injector.subject.engine == "sqlite" or server.process is None:
        return
    _make_durable(injector, server)
    for migration, strategy in _WAYS:
        for _ in range(_TIMES):
            seconds = pause(1.0, _MOST_SECONDS)

            def break_it(process: subprocess.Popen[bytes], seconds: float = seconds) -> None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(seconds)
                crash(injector, server)

            name = f"server crashes after {seconds:.2f} s of {migration}"
            yield injector.disturb(name, migration, strategy, break_it)


_HASTE, _DURABLE = "--innodb-flush-log-at-trx-commit=0", "--innodb-flush-log-at-trx-commit=1"


def _make_durable(injector: Injector, server: Any) -> None:
    """Servers for tests are in haste: they call committed what a crash loses."""
    if injector.subject.engine == "postgresql":
        with injector.subject.admin() as connection:
            connection.exec_driver_sql("ALTER ROLE CURRENT_USER SET synchronous_commit = on")
        return
    old = server.process.popen
    assert _HASTE in old.args
    old.args = [_DURABLE if one == _HASTE else one for one in old.args]
    with injector.subject.admin() as connection:
        connection.exec_driver_sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1")


def crash(injector: Injector, server: Any) -> None:
    """Kill the server and start it again on its data."""
    if injector.subject.engine == "postgresql":
        # The death of one backend brings all of them down, and the server recovers from its log.
        with suppress(SQLAlchemyError), injector.subject.admin() as connection:
            os.kill(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one(), signal.SIGKILL)
            connection.exec_driver_sql("SELECT 1")
    else:
        old = server.process.popen
        os.kill(old.pid, signal.SIGKILL)
        old.wait()
        with server.process.log.open("ab") as output:
            server.process.popen = subprocess.Popen(
                old.args, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True
            )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(SQLAlchemyError), injector.subject.admin() as connection:
            connection.execute(sa.text("SELECT 1"))
            return
        time.sleep(0.1)
    raise RuntimeError("the server did not come back")
