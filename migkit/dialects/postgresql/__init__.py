"""PostgreSQL 15 and later, through psycopg 3."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import URL, Connection, Engine

from migkit.dialects.base import (
    Catalog,
    Dialect,
    ForeignKey,
    LockFacts,
    RowDigest,
    RowValues,
    ScratchHome,
    SegmentContent,
    SessionObserver,
    TableContent,
    ValueFamily,
)
from migkit.dialects.postgresql import catalog, dump, hashing, locks, orphans, reach, rows, scratch
from migkit.dialects.postgresql import content as contents
from migkit.dialects.postgresql import session as sessions
from migkit.dialects.postgresql.backing import PostgreSQLBacking
from migkit.dialects.postgresql.canaries import PostgreSQLCanaries
from migkit.dialects.postgresql.guarding import GuardingPostgreSQL
from migkit.dialects.postgresql.measuring import MeasuresPostgreSQL
from migkit.dialects.postgresql.point_in_time import PostgreSQLPointInTime
from migkit.dialects.postgresql.workloads import PostgreSQLWorkloads
from migkit.dialects.schema_dump import ReadDump
from migkit.errors import MigkitError
from migkit.progress import SILENT, Progress


class PostgreSQL(
    PostgreSQLCanaries,
    MeasuresPostgreSQL,
    GuardingPostgreSQL,
    PostgreSQLBacking,
    PostgreSQLPointInTime,
    PostgreSQLWorkloads,
    Dialect,
):
    """PostgreSQL 15 and later."""

    name = "postgresql"
    label = "PostgreSQL"
    sql_dialect = "postgres"
    transactional_ddl = True
    journals_beside = True
    lock_facts: LockFacts = "exact"
    sees_waiters = True
    capture_workers = 4
    fingerprint_method = hashing.METHOD
    extra = "postgresql"
    scratch_home: ScratchHome = "embedded"
    dump_tool = "pg_dump"
    default_port = 5432
    constraint_codes = r"\[23\w{3}\]"
    outside_database = (
        ("roles, tablespaces and server settings", "they belong to the server, not to the database"),
        ("what functions do outside the database", "only the text of statements was looked at"),
        ("rows behind postgres_fdw and dblink", "the clone has no user mappings, so that it reaches no other server"),
    )

    def create_engine(self, url: URL, **options: Any) -> Engine:
        """Return an engine on psycopg 3 whose sessions name themselves 'migkit'."""
        return sessions.create_engine(url, **options)

    def explain_connect_error(self, error: Exception, url: URL) -> MigkitError:
        """Turn a driver's error while connecting into one sentence and what to do about it."""
        return sessions.explain_connect_error(error, url)

    def explain_error(self, error: Exception) -> str:
        """Return the server's message, with its detail, hint and code, as one line."""
        return sessions.explain_error(error)

    def is_permission_error(self, error: Exception) -> bool:
        """Tell whether a right is missing, or a policy hides rows."""
        return sessions.is_permission_error(error)

    def is_already_so(self, error: Exception) -> bool:
        """Tell whether the thing to drop does not exist, or the thing to make does."""
        return sessions.is_already_so(error)

    def server_version(self, connection: Connection) -> str:
        """Return ``PostgreSQL 18.1``."""
        return sessions.server_version(connection)

    def default_schema(self, connection: Connection) -> str:
        """Return the first schema of the search path that exists."""
        return sessions.default_schema(connection)

    def snapshot(self, engine: Engine, workers: int) -> AbstractContextManager[list[Connection]]:
        """Open read-only sessions that share one exported snapshot."""
        return sessions.snapshot(engine, workers)

    def one_reading(self, connection: Connection) -> AbstractContextManager[None]:
        """Read behind a savepoint, and go back to it."""
        return sessions.given_back(connection)

    def read_catalog(self, connection: Connection, schemas: Sequence[str] | None) -> Catalog:
        """Read all schema facts with a fixed number of queries."""
        return catalog.read_catalog(connection, schemas)

    def schema_dump(self, connection: Connection, schemas: Sequence[str] | None) -> AbstractContextManager[ReadDump]:
        """Let pg_dump write the schema down, on the snapshot of the capture."""
        return dump.schema_dump(connection, schemas)

    def integer_key_range(self, connection: Connection, content: TableContent) -> tuple[int, int] | None:
        """Return the smallest and largest value of the first key column if it is an integer."""
        return contents.integer_key_range(connection, content)

    def content_tasks(self, content: TableContent) -> list[Any]:
        """Divide a table into ranges of blocks."""
        return list(contents.content_tasks(content))

    def other_forms(self, earlier: str, now: str) -> tuple[str, ...]:
        """Forms for timestamps with and without zone, whole numbers, UUIDs, and texts of both."""
        return hashing.other_forms(earlier, now)

    def read_content(self, connection: Connection, content: TableContent, task: Any) -> Iterator[SegmentContent]:
        """Digest a range of blocks inside the server."""
        return contents.read_content(connection, content, task)

    def read_rows(
        self, connection: Connection, content: TableContent, segments: Sequence[int] | None
    ) -> Iterator[RowDigest]:
        """Stream the digests of rows, ordered by seed."""
        return rows.read_rows(connection, content, segments)

    def read_values(
        self, connection: Connection, content: TableContent, seeds: Sequence[int] | None
    ) -> Iterator[RowValues]:
        """Stream rows as text, as casts to text write them."""
        return rows.read_values(connection, content, seeds)

    def has_repeated_key(self, connection: Connection, content: TableContent) -> bool:
        """Group the table by the key's hash."""
        return rows.has_repeated_key(connection, content)

    def value_family(self, content_type: str, declared: str) -> ValueFamily:
        """Return what values of a base type are."""
        return rows.value_family(content_type)

    def count_rows(self, connection: Connection, content: TableContent) -> int:
        """Count the rows of a table, without those of tables that inherit from it."""
        return rows.count_rows(connection, content)

    def estimate_rows(self, connection: Connection, content: TableContent) -> int | None:
        """Return the planner's number of rows; ``None`` for a table never analysed."""
        return rows.estimate_rows(connection, content)

    def replaced_since(self, connection: Connection) -> list[str]:
        """Return tables that were truncated, or rewritten by an ALTER TABLE, after the snapshot was taken."""
        return sessions.replaced_since(connection)

    def count_orphans(self, connection: Connection, foreign_key: ForeignKey) -> int:
        """Count rows whose parent does not exist, with the operators of the constraint itself."""
        return orphans.count_orphans(connection, foreign_key)

    def session_id(self, connection: Connection) -> int | None:
        """Return the process id of the session's backend."""
        return sessions.session_id(connection)

    def canceller(self, connection: Connection) -> Callable[[], None]:
        """Return a function that cancels what the session is doing, callable from any thread."""
        return sessions.canceller(connection)

    def set_lock_timeout(self, connection: Connection, seconds: float | None) -> None:
        """Limit how long the session waits for a lock; ``None`` waits for ever."""
        sessions.set_lock_timeout(connection, seconds)

    def must_run_outside_transaction(self, sql: str) -> bool:
        """Tell whether PostgreSQL refuses this statement inside a transaction block."""
        return sessions.must_run_outside_transaction(sql)

    def reaches_beyond_database(self, sql: str, neighbours: Collection[str] = ()) -> bool:
        """Tell whether a text is about roles, databases, tablespaces, the server or its files."""
        return reach.reaches_beyond_database(sql)

    def observe(self, connection: Connection) -> SessionObserver:
        """Return an observer that reads the session's own locks after each statement."""
        return locks.Observer(connection)

    def create_scratch(self, home: URL | None, name: str) -> URL:
        """Create an empty database beside the one `home` points to."""
        return scratch.create_scratch(home, name)

    def ensure_database(self, home: URL, name: str) -> URL:
        """Return the URL of a database on the server of `home`, created if it is not there yet."""
        return scratch.ensure_database(home, name)

    def list_scratch(self, home: URL | None) -> list[str]:
        """Return the scratch databases of the server."""
        return scratch.list_scratch(home)

    def drop_scratch(self, url: URL) -> None:
        """Drop a scratch database, ending its sessions."""
        scratch.drop_scratch(url)

    def copy(self, source: URL, target: URL, *, schema_only: bool = False, progress: Progress = SILENT) -> None:
        """Copy `source` into the empty database `target` with pg_dump and pg_restore."""
        scratch.copy(source, target, schema_only=schema_only, progress=progress)
