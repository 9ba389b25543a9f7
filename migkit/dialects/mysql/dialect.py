"""The contract of MySQL, each part in its own module."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

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
from migkit.dialects.mysql import (
    algorithms,
    catalog,
    copying,
    dump,
    explanations,
    locks,
    orphans,
    reach,
    rows,
    scratch,
    ways_out,
)
from migkit.dialects.mysql import content as contents
from migkit.dialects.mysql import session as sessions
from migkit.dialects.mysql.backing import MySQLBacking
from migkit.dialects.mysql.canaries import MySQLCanaries
from migkit.dialects.mysql.guarding import GuardingMySQL
from migkit.dialects.mysql.hashing import ONE_POLYNOMIAL, Hash, other_forms
from migkit.dialects.mysql.measuring import MeasuresMySQL
from migkit.dialects.mysql.point_in_time import MySQLPointInTime
from migkit.dialects.mysql.sql import quote
from migkit.dialects.mysql.workloads import MySQLWorkloads
from migkit.dialects.schema_dump import ReadDump
from migkit.errors import MigkitError
from migkit.progress import SILENT, Progress


class MySQL(MySQLPointInTime, MySQLBacking, MySQLCanaries, MeasuresMySQL, GuardingMySQL, MySQLWorkloads, Dialect):
    """MySQL 8.4 and later.

    Attributes
    ----------
    is_mariadb : bool
        The catalog and the lock views are MariaDB's.
    hash : Hash
        The server's own hashes.
    algorithms : tuple of str
        How tables can be altered, cheapest first.
    """

    name = "mysql"
    label = "MySQL"
    sql_dialect = "mysql"
    transactional_ddl = False
    journals_beside = True
    lock_facts: LockFacts = "sampled"
    sees_waiters = True
    capture_workers = 2
    extra = "mysql"
    scratch_home: ScratchHome = "server"
    dump_tool = "mysqldump"
    outside_database = (
        ("accounts, grants and server settings", "they belong to the server, not to the database"),
        ("what routines build as text and execute", "only what is written out was looked at"),
    )

    is_mariadb = False
    hash: Hash = ONE_POLYNOMIAL
    fingerprint_method = f"mysql {ONE_POLYNOMIAL.method}"
    algorithms: tuple[str, ...] = ("INSTANT", "INPLACE", "COPY")
    drops_index_on_table = True
    default_port = 3306
    # NULL, duplicates, parents and children, CHECK (MySQL, MariaDB).
    constraint_codes = r"\berror (?:1022|1048|1062|1169|1216|1217|1451|1452|1557|1586|1761|1762|3819|4025)\)"
    table_ids = "INNODB_TABLES"
    _variants: ClassVar[list[type[MySQL]]] = []

    def __init_subclass__(cls) -> None:
        # MariaDB is built on this class, and yet a mysql:// URL may lead to it.
        MySQL._variants.append(cls)

    @classmethod
    def serves(cls, version: str) -> bool:
        """Tell whether this class is the one for a server that calls its version so."""
        return "mariadb" not in version.lower()

    def refined(self, connection: Connection) -> Dialect:
        """Return MySQL's or MariaDB's dialect, by what the server says of itself."""
        version = sessions.full_version(connection)
        variants: list[type[MySQL]] = [*self._variants, MySQL]
        return next(variant for variant in variants if variant.serves(version))()

    def quote(self, *parts: str) -> str:
        """Quote an identifier or a dotted path of them; the connected database's empty name is left out."""
        return quote(*parts)

    def create_engine(self, url: URL, **options: Any) -> Engine:
        """Return an engine on PyMySQL whose sessions name themselves 'migkit'."""
        return sessions.create_engine(url, **options)

    def explain_connect_error(self, error: Exception, url: URL) -> MigkitError:
        """Turn a driver's error while connecting into one sentence and what to do about it."""
        return explanations.explain_connect_error(error, url)

    def explain_error(self, error: Exception) -> str:
        """Return the server's message with its code, as one line."""
        return explanations.explain_error(error)

    def is_permission_error(self, error: Exception) -> bool:
        """Tell whether a right is missing."""
        return explanations.is_permission_error(error)

    def is_already_so(self, error: Exception) -> bool:
        """Tell whether the thing to drop does not exist, or the thing to make does."""
        return explanations.is_already_so(error)

    def server_version(self, connection: Connection) -> str:
        """Return ``MySQL 9.7.0``."""
        return f"{self.label} {sessions.version_text(connection)}"

    def default_schema(self, connection: Connection) -> str:
        """Return the empty name: the connected database, whatever it is called."""
        return ""

    def snapshot(self, engine: Engine, workers: int) -> AbstractContextManager[list[Connection]]:
        """Open read-only sessions that see one instant."""
        return sessions.snapshot(engine, workers)

    def read_catalog(self, connection: Connection, schemas: Sequence[str] | None) -> Catalog:
        """Read all schema facts with a fixed number of queries; ``None`` means the connected database."""
        return catalog.read_catalog(connection, schemas, mariadb=self.is_mariadb)

    def schema_dump(self, connection: Connection, schemas: Sequence[str] | None) -> AbstractContextManager[ReadDump]:
        """Let the server's own tool write the schema down."""
        return dump.schema_dump(connection, schemas, mariadb=self.is_mariadb)

    def integer_key_range(self, connection: Connection, content: TableContent) -> tuple[int, int] | None:
        """Return the smallest and largest value of the first key column if it is an integer."""
        return contents.integer_key_range(connection, content)

    def content_tasks(self, content: TableContent) -> list[Any]:
        """Divide a table into shares of its key ranges."""
        return list(contents.content_tasks(content))

    def other_forms(self, earlier: str, now: str) -> tuple[str, ...]:
        """Forms for numbers with and without scale, texts of them, DATETIME and TIMESTAMP."""
        return other_forms(earlier, now)

    def read_content(self, connection: Connection, content: TableContent, task: Any) -> Iterator[SegmentContent]:
        """Digest a share of the key ranges inside the server."""
        return contents.read_content(connection, content, task, self.hash)

    def read_rows(
        self, connection: Connection, content: TableContent, segments: Sequence[int] | None
    ) -> Iterator[RowDigest]:
        """Stream the digests of rows, sorted on the server."""
        return rows.read_rows(connection, content, segments, self.hash)

    def read_values(
        self, connection: Connection, content: TableContent, seeds: Sequence[int] | None
    ) -> Iterator[RowValues]:
        """Stream rows as text."""
        return rows.read_values(connection, content, seeds, self.hash)

    def has_repeated_key(self, connection: Connection, content: TableContent) -> bool:
        """Group the table by the key's hash."""
        return rows.has_repeated_key(connection, content, self.hash)

    def value_family(self, content_type: str, declared: str) -> ValueFamily:
        """Return what the values of a column are."""
        return rows.value_family(content_type, declared)

    def estimate_rows(self, connection: Connection, content: TableContent) -> int | None:
        """Return the storage engine's number of rows."""
        return rows.estimate_rows(connection, content)

    def count_orphans(self, connection: Connection, foreign_key: ForeignKey) -> int:
        """Count rows whose parent does not exist."""
        return orphans.count_orphans(connection, foreign_key)

    def session_id(self, connection: Connection) -> int | None:
        """Return the connection id."""
        return sessions.session_id(connection)

    def canceller(self, connection: Connection) -> Callable[[], None]:
        """Return a function that sends ``KILL QUERY`` from a session of its own, callable from any thread."""
        return sessions.canceller(connection)

    def set_lock_timeout(self, connection: Connection, seconds: float | None) -> None:
        """Limit how long the session waits for a lock; ``None`` waits for ever."""
        sessions.set_lock_timeout(connection, seconds)

    def must_run_outside_transaction(self, sql: str) -> bool:
        """Nothing is refused inside a transaction: what cannot be part of one commits it."""
        return False

    def neighbours(self, connection: Connection) -> frozenset[str]:
        """Return the names of the server's other databases."""
        return sessions.neighbours(connection)

    def reaches_beyond_database(self, sql: str, neighbours: Collection[str] = ()) -> bool:
        """Tell whether a text is about accounts, settings or files of the server, or names another database."""
        return reach.reaches_beyond_database(sql, neighbours)

    def ways_out(self, connection: Connection, neighbours: Collection[str]) -> frozenset[str]:
        """Return tables, views and routines whose triggers or code change other databases."""
        return ways_out.ways_out(connection, neighbours)

    def has_open_transaction(self, connection: Connection, *, ask: bool = False) -> bool:
        """Tell whether the session's transaction is open, by the status flags of the server's last answer."""
        return sessions.has_open_transaction(connection, ask=ask)

    def observe(self, connection: Connection) -> SessionObserver:
        """Return an observer of the session's metadata locks and of its tables' storage."""
        return locks.Observer(connection, self.table_ids)

    def alter_algorithm(self, connection: Connection, sql: str) -> str | None:
        """Apply an ``ALTER TABLE`` or index statement by the cheapest algorithm the server accepts, and name it."""
        return algorithms.alter_algorithm(connection, sql, self.algorithms)

    def create_scratch(self, home: URL | None, name: str) -> URL:
        """Create an empty database beside that of `home`, with its character set."""
        return scratch.create_scratch(home, name)

    def list_scratch(self, home: URL | None) -> list[str]:
        """Return the names of migkit's databases on the server."""
        return scratch.list_scratch(home)

    def drop_scratch(self, url: URL) -> None:
        """Drop a scratch database, ending sessions that still use it."""
        scratch.drop_scratch(url)

    def copy(self, source: URL, target: URL, *, schema_only: bool = False, progress: Progress = SILENT) -> None:
        """Copy `source` into the empty database `target`, from one snapshot."""
        copying.copy(source, target, schema_only=schema_only, progress=progress, mariadb=self.is_mariadb)
