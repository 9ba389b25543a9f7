"""Backups of PostgreSQL: pg_dump in the snapshot of a capture, pg_restore into a database made like the original."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.backing import Backing, BackupTool, Instant, Swap, SwapStatus
from migkit.dialects.postgresql import staging, swapping
from migkit.dialects.postgresql.session import SHARED_SNAPSHOT, explain_error
from migkit.dialects.postgresql.sql import execute
from migkit.dialects.postgresql.tools import Tool, client_tool, environment, workspace
from migkit.dialects.tool_process import ToolProcess
from migkit.errors import BackupFailed, CloneFailed, MissingTool, PermissionMissing, RestoreFailed
from migkit.progress import SILENT, Progress

_CONTENT = "dump"
_MAX_JOBS = 4
_LOCK_PATIENCE_MS = 10_000
# What a compressed dump takes of the room that rows take in the database; indexes take none.
_COMPRESSED_SHARE = 0.5
_RELEASE = "SELECT current_setting('server_version_num')::int / 10000"
_TABLES = """
SELECT count(*) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND NOT starts_with(n.nspname::text, 'pg_') AND n.nspname <> 'information_schema'
"""
_SIZE = """
SELECT coalesce(sum(pg_catalog.pg_table_size(c.oid)), 0)::bigint FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND NOT starts_with(n.nspname::text, 'pg_') AND n.nspname <> 'information_schema'
"""
_DENIED = re.compile(r"permission denied|row-level security|must be owner|must be superuser")


class PostgreSQLBacking(Backing):
    """What PostgreSQL can do about backups."""

    # Two databases must not pull the same changes.
    left_out_of_backups = ("subscription",)

    def backup_tools(self, connection: Connection) -> tuple[BackupTool, ...]:
        """Return pg_dump and the pg_restore of the same release."""
        release = int(execute(connection, _RELEASE).scalar_one())
        dump = _tool("pg_dump", release)
        restore = _tool("pg_restore", dump.release)
        return tuple(BackupTool(one.path.name, str(one.release), str(one.path)) for one in (dump, restore))

    def backup_release(self, server: str) -> str:
        """Return the major version: dumps of one are not read exactly alike by another."""
        return re.split(r"[ .]", server.removeprefix("PostgreSQL "))[0]

    def backup_facts(self, connection: Connection) -> dict[str, Any]:
        """Return encoding, locale, owner, grants and settings of the database."""
        return staging.database_facts(connection)

    def backup_size(self, connection: Connection) -> int:
        """Return half of what tables take, compression reckoned in; indexes are not dumped."""
        return int(int(execute(connection, _SIZE).scalar_one()) * _COMPRESSED_SHARE)

    @contextmanager
    def hold_instant(self, *_: object) -> Iterator[Instant]:
        """The dump joins the snapshot of the capture; nobody has to be held."""
        yield Instant("pg_dump joined the snapshot of the capture")

    @contextmanager
    def write_backup(
        self, connection: Connection, folder: Path, instant: Instant, *, progress: Progress = SILENT
    ) -> Iterator[None]:
        """Let pg_dump write a directory, several tables at once, compressed."""
        snapshot = connection.get_execution_options().get(SHARED_SNAPSHOT)
        if snapshot is None:
            raise BackupFailed(
                "This server does not share its snapshot, so that dump and state could not be of one instant",
                next_step="Back up the primary, not a standby or a pooler.",
            )
        release = int(execute(connection, _RELEASE).scalar_one())
        tables = int(execute(connection, _TABLES).scalar_one())
        tool = _tool("pg_dump", release)
        arguments = [
            "--format=directory",
            f"--jobs={_jobs()}",
            "--compress=1",
            f"--snapshot={snapshot}",
            f"--lock-wait-timeout={_LOCK_PATIENCE_MS}",
            # Subscriptions hold passwords, and two databases must not pull the same changes.
            "--no-subscriptions",
            f"--file={folder / _CONTENT}",
        ]
        with workspace() as private:
            variables = environment(connection.engine.url, private)
            count, begin = _counter(progress, "dumping contents of")
            with ToolProcess(_command(tool, arguments), variables, on_line=count) as process:
                yield
                begin("Writing the backup", tables)
                code = process.wait()
                if code:
                    raise _backup_failure(process, tool)

    def create_stage(self, home: URL | None, name: str, facts: Mapping[str, Any]) -> URL:
        """Create an empty database with encoding and locale of the original."""
        return staging.create_stage(home, name, facts)

    def read_backup(self, folder: Path, staged: URL, facts: Mapping[str, Any], *, progress: Progress = SILENT) -> None:
        """Let pg_restore fill the database, then give it owner, grants and settings of the original."""
        release = staging.server_release(staged)
        tool = _tool("pg_restore", release)
        staging.require_roles(staged, facts)
        arguments = [
            "--format=directory",
            f"--jobs={_jobs()}",
            "--exit-on-error",
            str(folder / _CONTENT),
        ]
        with workspace() as private:
            variables = environment(staged, private, staging.WRITER_SETTINGS)
            count, begin = _counter(progress, "processing data for")
            begin("Reading the backup", None)
            with ToolProcess(_command(tool, arguments), variables, on_line=count) as process:
                if process.wait():
                    raise RestoreFailed(
                        f"pg_restore {tool.release} failed: {process.first_error()}",
                        next_step="Nothing that served was touched.",
                    )
        try:
            staging.settle(staged, facts)
        except DBAPIError as error:
            raise RestoreFailed(
                f"The database's own settings could not be restored: {explain_error(error)}", where=staged.database
            ) from error

    def aside_name(self, target: URL, stamp: str) -> str:
        """Return a name with as much of the old one as there is room for."""
        return swapping.aside_name(target, stamp)

    def swap_in(self, swap: Swap, *, terminate: bool, patience: float, progress: Progress = SILENT) -> None:
        """Rename both databases in one transaction."""
        swapping.swap_in(swap, terminate=terminate, patience=patience, progress=progress)

    def swap_status(self, swap: Swap) -> SwapStatus:
        """Look whether the old name is taken; there is nothing between before and after."""
        return swapping.swap_status(swap)

    def drop_aside(self, target: URL, aside: str) -> None:
        """Drop the database kept aside."""
        swapping.drop_aside(target, aside)


def _tool(name: str, release: int) -> Tool:
    try:
        return client_tool(name, source_release=release)
    except CloneFailed as error:
        told = error.what.partition(" needs ")[2] or error.what
        raise MissingTool(
            f"Backing up PostgreSQL {release} needs {told}",
            next_step=error.next_step,
        ) from None


def _command(tool: Tool, arguments: list[str]) -> list[str]:
    return [str(tool.path), "--dbname=service=migkit", "--no-password", "--verbose", *arguments]


def _jobs() -> int:
    return max(1, min(_MAX_JOBS, os.cpu_count() or 1))


def _counter(progress: Progress, phrase: str) -> tuple[Callable[[str], None], Callable[[str, int | None], None]]:
    """Return a listener that counts tables, and what begins to show them; what was counted before is shown then."""
    seen, shown = 0, False

    def count(line: str) -> None:
        nonlocal seen
        if phrase in line:
            seen += 1
            if shown:
                progress.advance()

    def begin(label: str, total: int | None) -> None:
        nonlocal shown
        progress.begin(label, total)
        if seen:
            progress.advance(seen)
        shown = True

    return count, begin


def _backup_failure(process: ToolProcess, tool: Tool) -> BackupFailed | PermissionMissing:
    first = process.first_error().removeprefix("error: ")
    if _DENIED.search(first):
        return PermissionMissing(
            f"pg_dump may not read everything: {first}",
            next_step="Use a user who may: GRANT pg_read_all_data TO …, and BYPASSRLS where policies hide rows.",
        )
    return BackupFailed(f"pg_dump {tool.release} failed: {first}")
