"""Copies of a database that must read like the original: by migkit's clone, and by the engine's own tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL

from bench.verdicts.cases import read_statements
from bench.verdicts.subjects import connected, execute
from migkit import embedded
from migkit.clone.scratch import clone
from migkit.database import Database
from tests.servers.registry import unique_name

Restore = Callable[[Database, URL], None]


@contextmanager
def copied_by(tool: str, db: Database) -> Iterator[Database]:
    """Copy a database for a while.

    Parameters
    ----------
    tool : str
        ``clone``, or one of :data:`TOOLS`.
    db : Database
        The original.
    """
    if tool == "clone":
        with clone(db, into=db) as copy:
            yield copy
        return
    home = None if db.dialect.scratch_home == "file" else db.engine.url
    target = db.dialect.create_scratch(home, f"migkit_scratch_{unique_name()}")
    try:
        TOOLS[db.dialect.name, tool](db, target)
        with connected(target) as copy:
            # No dump of one database holds what the server keeps about it.
            execute(copy, read_statements(db.dialect.name, "every_copy.sql"), database=target.database)
            yield copy
            execute(copy, read_statements(db.dialect.name, "before_drop.sql"), database=target.database)
    finally:
        db.dialect.drop_scratch(target)


def _shell_dump(db: Database, target: URL) -> None:
    """``sqlite3 FILE .dump | sqlite3 FILE``; what only the file's header holds is not part of a dump."""
    shell = _required("sqlite3")
    settings = ("page_size", "auto_vacuum", "application_id", "user_version")
    with db.engine.connect() as connection:
        pragmas = [
            f"PRAGMA {name} = {connection.exec_driver_sql(f'PRAGMA {name}').scalar_one()};\n" for name in settings
        ]
    dumped = _run([shell, str(db.engine.url.database), ".dump"])
    _run([shell, str(target.database)], "".join(pragmas).encode() + dumped)


def _vacuum_into(db: Database, target: URL) -> None:
    Path(str(target.database)).unlink()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"VACUUM INTO '{target.database}'")


def _pg_dump(db: Database, target: URL) -> None:
    dumped = _run([str(embedded.tool("pg_dump")), "--no-subscriptions", _conninfo(db.engine.url)])
    _run([str(embedded.tool("psql")), "-qX", "-v", "ON_ERROR_STOP=1", _conninfo(target)], dumped)


def _pg_dump_custom(db: Database, target: URL) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = str(Path(folder) / "archive")
        _run([str(embedded.tool("pg_dump")), "-Fc", "--no-subscriptions", "-f", archive, _conninfo(db.engine.url)])
        _run([str(embedded.tool("pg_restore")), "--exit-on-error", "-d", _conninfo(target), archive])


def _conninfo(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _mariadb_dump(db: Database, target: URL) -> None:
    name, charset = str(db.engine.url.database), "--default-character-set=utf8mb4"
    options = ["--routines", "--events", "--triggers", "--single-transaction", "--hex-blob", charset]
    dumped = _run([_required("mariadb-dump"), *_login(db.engine.url), *options, name])
    _run([_required("mariadb"), *_login(target), charset, str(target.database)], dumped)


def _login(url: URL) -> list[str]:
    return ["--no-defaults", "--protocol=tcp", f"--host={url.host}", f"--port={url.port}", f"--user={url.username}"]


TOOLS: dict[tuple[str, str], Restore] = {
    ("sqlite", "dump"): _shell_dump,
    ("sqlite", "vacuum into"): _vacuum_into,
    ("postgresql", "dump"): _pg_dump,
    ("postgresql", "custom dump"): _pg_dump_custom,
    ("mariadb", "dump"): _mariadb_dump,
}


def _required(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise RuntimeError(f"{program} is not installed")
    return found


def _run(command: Sequence[str], standard_input: bytes = b"") -> bytes:
    done = subprocess.run(command, input=standard_input, capture_output=True, check=False, env=dict(os.environ))
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {done.stderr.decode(errors='replace').strip()[-400:]}")
    return done.stdout
