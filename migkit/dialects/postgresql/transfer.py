"""Copying one database into another: pg_dump in one snapshot, pg_restore, and what those two leave to others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.postgresql.session import create_engine, error_code, explain_connect_error, explain_error
from migkit.dialects.postgresql.sql import execute, literal, quote
from migkit.dialects.postgresql.tools import client_tool, environment, run_tool, workspace
from migkit.errors import CloneFailed
from migkit.progress import Progress

_JOBS = 2
# Below this, writing the dump uncompressed is faster; above it, the room it takes counts for more.
_UNCOMPRESSED_BYTES = 4 * 2**30
_ALREADY_THERE = ("42710", "23505")

# What makes writing fast where a crash may cost the copy anyway.
_WRITER_SETTINGS = {"synchronous_commit": "off", "maintenance_work_mem": "256MB"}
# Settings of the source database that would keep the copy from being written, or load code the target may lack.
_KEPT_BACK = ("default_transaction_read_only", "session_preload_libraries", "local_preload_libraries")


@dataclass(frozen=True)
class _Source:
    """What a copy must know of the database it is made from."""

    release: int
    size_bytes: int
    tables: int
    roles: tuple[str, ...]
    extensions: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]


def copy(source: URL, target: URL, *, schema_only: bool, progress: Progress) -> None:
    """Copy a database into an empty one, with owners, grants, sequence values and settings.

    Parameters
    ----------
    source : sqlalchemy.URL
        The database to read, in one snapshot; nothing is written to it.
    target : sqlalchemy.URL
        An empty database, possibly on another server. Roles that server lacks are created there, without the right
        to log in.
    schema_only : bool
        Leave the rows out.
    progress : Progress
        Told about each table.

    Raises
    ------
    CloneFailed
        If a tool is missing or too old, an extension is not available on the target, or copying fails.
    PermissionMissing
        If the source's user may not read everything.
    """
    facts = _source_facts(source)
    with _session(target) as connection:
        target_release = _release(connection)
        _require_extensions(connection, facts)
        create_roles(connection, facts.roles)
    dump = client_tool("pg_dump", source_release=facts.release, target_release=target_release)
    restore = client_tool("pg_restore", source_release=dump.release)
    with workspace() as folder:
        content = folder / "dump"
        progress.begin("Reading the database", facts.tables or None)
        arguments = _dump_arguments(content, facts, schema_only)
        reader = environment(source, _made(folder / "from"))
        run_tool(dump, arguments, reader, _counter(progress, "dumping contents of"))
        progress.begin("Writing the copy", facts.tables or None)
        arguments = ["--format=directory", f"--jobs={_JOBS}", "--exit-on-error", "--no-tablespaces", str(content)]
        writer = environment(target, _made(folder / "to"), _WRITER_SETTINGS)
        run_tool(restore, arguments, writer, _counter(progress, "processing data for"))
    with _session(target) as connection:
        if not schema_only:
            progress.begin("Collecting statistics")
            execute(connection, "ANALYZE")
        _apply_settings(connection, facts.settings)
        _drop_user_mappings(connection)


def _dump_arguments(content: Path, facts: _Source, schema_only: bool) -> list[str]:
    compression = 0 if facts.size_bytes < _UNCOMPRESSED_BYTES else 1
    return [
        "--format=directory",
        f"--jobs={_JOBS}",
        f"--compress={compression}",
        # The folder is gone in a moment; nothing has to survive a crash.
        "--no-sync",
        # Subscriptions hold passwords, and a copy must not pull changes from anywhere.
        "--no-subscriptions",
        "--no-security-labels",
        *(["--schema-only"] if schema_only else []),
        f"--file={content}",
    ]


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    return folder


def _counter(progress: Progress, phrase: str) -> Callable[[str], None]:
    """Return a listener that counts the lines of a verbose tool that tell of a table."""

    def count(line: str) -> None:
        if phrase in line:
            progress.advance()

    return count


# --- what the tools leave to others ---------------------------------------------------------------------------------


@contextmanager
def _session(url: URL) -> Iterator[Connection]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        try:
            connection = engine.connect()
        except DBAPIError as error:
            raise explain_connect_error(error, url) from error
        with connection:
            yield connection
    except DBAPIError as error:
        raise CloneFailed(f"The copy failed: {explain_error(error)}", where=url.database) from error
    finally:
        engine.dispose()


def _release(connection: Connection) -> int:
    return int(execute(connection, "SELECT current_setting('server_version_num')::int / 10000").scalar_one())


# The bootstrap superuser is nobody's dependency on record, though it owns things.
ROLES = """
SELECT r.rolname::text FROM pg_catalog.pg_roles AS r
 WHERE NOT starts_with(r.rolname, 'pg_') AND (r.oid = 10 OR r.oid IN (
       SELECT d.refobjid FROM pg_catalog.pg_shdepend AS d
        WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass
          AND (d.dbid = (SELECT b.oid FROM pg_catalog.pg_database AS b WHERE b.datname = current_database())
               OR d.classid = 'pg_catalog.pg_database'::regclass)))
 ORDER BY 1
"""
_SETTINGS = """
SELECT split_part(one, '=', 1), substr(one, strpos(one, '=') + 1)
  FROM pg_catalog.pg_db_role_setting AS s CROSS JOIN LATERAL unnest(s.setconfig) AS one
 WHERE s.setrole = 0
   AND s.setdatabase = (SELECT b.oid FROM pg_catalog.pg_database AS b WHERE b.datname = current_database())
"""


def _source_facts(source: URL) -> _Source:
    with _session(source) as connection:

        def column(sql: str) -> tuple[str, ...]:
            return tuple(execute(connection, sql).scalars())

        return _Source(
            release=_release(connection),
            size_bytes=int(execute(connection, "SELECT pg_database_size(current_database())").scalar_one()),
            tables=int(execute(connection, _COUNT_TABLES).scalar_one()),
            roles=column(ROLES),
            extensions=column("SELECT extname::text FROM pg_catalog.pg_extension ORDER BY 1"),
            settings=tuple((str(name), str(value)) for name, value in execute(connection, _SETTINGS)),
        )


_COUNT_TABLES = """
SELECT count(*) FROM pg_catalog.pg_class AS c
 WHERE c.relkind = 'r' AND c.relnamespace NOT IN (
       SELECT n.oid FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname ~ '^pg_' OR n.nspname = 'information_schema')
"""


_AVAILABLE = "SELECT name::text FROM pg_catalog.pg_available_extensions"


def _require_extensions(connection: Connection, facts: _Source) -> None:
    available = set(execute(connection, _AVAILABLE).scalars())
    missing = [name for name in facts.extensions if name not in available]
    if missing:
        raise CloneFailed(
            f"The server for the copy lacks the extension {', '.join(missing)}",
            next_step="Name a server that has it, for instance the source's own, with into=…, or with clone_into in"
            " migkit.toml.",
        )


def create_roles(connection: Connection, roles: Iterable[str]) -> None:
    """Create the roles that a server lacks, without the right to log in."""
    present = set(execute(connection, "SELECT rolname::text FROM pg_catalog.pg_roles").scalars())
    for role in roles:
        if role in present:
            continue
        try:
            execute(connection, f"CREATE ROLE {quote(role)} NOLOGIN")
            execute(connection, f"COMMENT ON ROLE {quote(role)} IS 'Made by migkit for scratch databases'")
        except DBAPIError as error:
            # Another copy may have been faster.
            if error_code(error) not in _ALREADY_THERE:
                raise


def _apply_settings(connection: Connection, settings: tuple[tuple[str, str], ...]) -> None:
    """Give the copy the source's ``ALTER DATABASE … SET``: a search path decides where a migration's names go."""
    database = quote(str(execute(connection, "SELECT current_database()").scalar_one()))
    for name, value in settings:
        if name in _KEPT_BACK or not re.fullmatch(r"[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?", name):
            continue
        execute(connection, f"SELECT set_config({literal(name)}, {literal(value)}, false)")
        execute(connection, f"ALTER DATABASE {database} SET {name} FROM CURRENT")


_USER_MAPPINGS = """
SELECT CASE WHEN umuser = 0 THEN 'PUBLIC' ELSE quote_ident(usename) END, srvname::text
  FROM pg_catalog.pg_user_mappings
"""


def _drop_user_mappings(connection: Connection) -> None:
    """Take from the copy the passwords with which it could write to the servers that the source uses."""
    for user, server in list(execute(connection, _USER_MAPPINGS)):
        execute(connection, f"DROP USER MAPPING FOR {user} SERVER {quote(str(server))}")
