"""SQLite: the client is the server, a database is a file, and a write locks all of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine

from migkit.dialects.base import (
    Catalog,
    Dialect,
    ForeignKey,
    RowDigest,
    RowValues,
    SegmentContent,
    SessionObserver,
    TableContent,
    ValueFamily,
)
from migkit.dialects.places import Place
from migkit.dialects.schema_dump import ReadDump
from migkit.dialects.sqlite import (
    catalog,
    dump,
    explanations,
    observer,
    orphans,
    reach,
    row_digests,
    row_values,
    scratch,
    session,
)
from migkit.dialects.sqlite.backing import SQLiteBacking
from migkit.dialects.sqlite.canaries import SQLiteCanaries
from migkit.dialects.sqlite.content import FINGERPRINT_METHOD, integer_key_range, read_content
from migkit.dialects.sqlite.files import database_file
from migkit.dialects.sqlite.guarding import GuardingSQLite
from migkit.dialects.sqlite.measuring import MeasuresSQLite
from migkit.dialects.sqlite.point_in_time import SQLitePointInTime
from migkit.dialects.sqlite.workloads import SQLiteWorkloads
from migkit.errors import MigkitError
from migkit.progress import SILENT, Progress


class SQLite(
    SQLiteCanaries, MeasuresSQLite, SQLitePointInTime, GuardingSQLite, SQLiteBacking, SQLiteWorkloads, Dialect
):
    """SQLite 3.37 and later, through Python's own driver."""

    name = "sqlite"
    label = "SQLite"
    sql_dialect = "sqlite"
    transactional_ddl = True
    journals_beside = False
    lock_facts = "exact"
    sees_waiters = False
    capture_workers = 1
    fingerprint_method = FINGERPRINT_METHOD
    extra = ""
    scratch_home = "file"
    dump_tool = "sqlite_schema"
    constraint_codes = r"SQLITE_CONSTRAINT"

    def create_engine(self, url: URL, **options: Any) -> Engine:
        """Return an engine with transactional DDL; ``create=True`` makes a missing file, else it is an error."""
        return session.create_engine(url, **options)

    def explain_connect_error(self, error: Exception, url: URL) -> MigkitError:
        """Say whether the file is missing, unreadable, locked or no database."""
        return explanations.explain_connect_error(error, url)

    def explain_error(self, error: Exception) -> str:
        """Return SQLite's message with its result code."""
        return explanations.explain_error(error)

    def is_permission_error(self, error: Exception) -> bool:
        """Tell whether a module, function or collation is missing that only the application registers."""
        return explanations.lacks_registration(error)

    def is_already_so(self, error: Exception) -> bool:
        """Tell whether the thing to drop does not exist, or the thing to make does."""
        return explanations.is_already_so(error)

    def server_version(self, connection: Connection) -> str:
        """Return the library's version, having made sure that the file is a database."""
        return session.server_version(connection)

    def default_schema(self, connection: Connection) -> str:
        """Return ``main``."""
        return "main"

    def snapshot(self, engine: Engine, workers: int) -> AbstractContextManager[list[Connection]]:
        """Open one read transaction on one read-only connection."""
        return session.snapshot(engine)

    def read_catalog(self, connection: Connection, schemas: Sequence[str] | None) -> Catalog:
        """Read ``sqlite_schema`` and the table-valued pragmas over it."""
        return catalog.read_catalog(connection, schemas)

    def schema_dump(self, connection: Connection, schemas: Sequence[str] | None) -> AbstractContextManager[ReadDump]:
        """Read the text of ``sqlite_schema``."""
        return dump.schema_dump(connection, schemas)

    def integer_key_range(self, connection: Connection, content: TableContent) -> tuple[int, int] | None:
        """Return the range of an integer key; ``None`` if any value is not an integer."""
        return integer_key_range(connection, content)

    def content_tasks(self, content: TableContent) -> list[Any]:
        """Return one task: there is one connection."""
        return [None]

    def read_content(self, connection: Connection, content: TableContent, task: Any) -> Iterator[SegmentContent]:
        """Digest the rows of a table in batches of bounded size."""
        return read_content(connection, content)

    def read_rows(
        self, connection: Connection, content: TableContent, segments: Sequence[int] | None
    ) -> Iterator[RowDigest]:
        """Stream row digests, sorted on disk."""
        return row_digests.read_rows(connection, content, segments)

    def read_values(
        self, connection: Connection, content: TableContent, seeds: Sequence[int] | None
    ) -> Iterator[RowValues]:
        """Stream rows as text, with the storage class of each value."""
        return row_values.read_values(connection, content, seeds)

    def has_repeated_key(self, connection: Connection, content: TableContent) -> bool:
        """Group the table by the key's values and their types."""
        return row_digests.has_repeated_key(connection, content)

    def value_family(self, content_type: str, declared: str) -> ValueFamily:
        """Return what a declared type stands for."""
        return row_values.value_family(declared)

    def count_orphans(self, connection: Connection, foreign_key: ForeignKey) -> int:
        """Count rows without a parent, also with ``foreign_keys`` off."""
        return orphans.count_orphans(connection, foreign_key)

    def session_id(self, connection: Connection) -> int | None:
        """Return ``None``: sessions have no number."""
        return None

    def canceller(self, connection: Connection) -> Callable[[], None]:
        """Return a function that interrupts the connection."""
        return session.canceller(connection)

    def set_lock_timeout(self, connection: Connection, seconds: float | None) -> None:
        """Set ``busy_timeout``."""
        session.set_lock_timeout(connection, seconds)

    def must_run_outside_transaction(self, sql: str) -> bool:
        """Tell whether SQLite refuses, or silently ignores, the statement inside a transaction."""
        return session.must_run_outside_transaction(sql)

    def reaches_beyond_database(self, sql: str, neighbours: Collection[str] = ()) -> bool:
        """Tell whether a text attaches a file, or copies the database into one."""
        return reach.reaches_beyond_database(sql)

    def observe(self, connection: Connection) -> SessionObserver:
        """Return an observer of the write lock and of replaced tables."""
        return observer.WriteLockObserver(connection)

    def create_scratch(self, home: URL | None, name: str) -> URL:
        """Create an empty file in a private temporary folder."""
        return scratch.create_scratch(name)

    def list_scratch(self, home: URL | None) -> list[str]:
        """Return the names of the files in the private temporary folder."""
        return scratch.list_scratch()

    def drop_scratch(self, url: URL) -> None:
        """Delete a file made by :meth:`create_scratch`, with its journal."""
        scratch.drop_scratch(url)

    def copy(self, source: URL, target: URL, *, schema_only: bool = False, progress: Progress = SILENT) -> None:
        """Copy through SQLite's backup API, or recreate only what ``sqlite_schema`` holds."""
        scratch.copy(source, target, schema_only=schema_only, progress=progress)

    def database_name(self, url: URL) -> str:
        """Return the file's name without its suffix."""
        path = database_file(url)
        return Path(path).stem if path else ":memory:"

    def place(self, url: URL) -> Place | None:
        """Return which file it is, by whatever name; a database in memory has no other URL."""
        path = database_file(url)
        if path is None:
            return None
        if not path.exists():
            return ("file", str(path.resolve()))
        found = path.stat()
        return ("file", str(found.st_dev), str(found.st_ino))
