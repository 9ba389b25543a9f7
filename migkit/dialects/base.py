"""The contract of an engine: everything migkit needs to know about one, and nothing else knows.

A dialect is stateless; every method takes the connection or engine it works on. What differs in kind is an attribute
(``transactional_ddl``), what differs in doing is a method (``read_catalog``). What an engine cannot do raises
:class:`~migkit.errors.UnsupportedFeature`, or is listed in ``unchecked``: never an empty result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine

from migkit.dialects.backing import Backing
from migkit.dialects.canaries import Canaries
from migkit.dialects.faults import Faults
from migkit.dialects.guarding import Guarding
from migkit.dialects.measuring import Measuring
from migkit.dialects.places import Place, server_place
from migkit.dialects.point_in_time import PointInTime
from migkit.dialects.readings import Part as Part
from migkit.dialects.readings import RowDigest as RowDigest
from migkit.dialects.readings import RowValues as RowValues
from migkit.dialects.readings import SegmentContent as SegmentContent
from migkit.dialects.readings import TableContent as TableContent
from migkit.dialects.readings import ValueFamily as ValueFamily
from migkit.dialects.schema_dump import ReadDump
from migkit.dialects.workloads import Workloads
from migkit.errors import MigkitError, UnsupportedFeature
from migkit.progress import SILENT, Progress

Row = dict[str, Any]
LockFacts = Literal["exact", "sampled", "none"]
ScratchHome = Literal["embedded", "file", "server"]


@dataclass(frozen=True)
class Catalog:
    """Everything the catalog says, as rows of :mod:`migkit.frames` (measures that need the data are left out).

    Two kinds of rows carry more than their frame: ``tables`` have ``key`` as a tuple of column names (the primary key,
    else a unique key without NULLs; empty without either) and ``pages`` (size of the heap, ``None`` where unknown);
    ``columns`` have ``content_type``, the engine's own token for how the column is digested.
    """

    default_schema: str
    tables: list[Row] = field(default_factory=list)
    columns: list[Row] = field(default_factory=list)
    constraints: list[Row] = field(default_factory=list)
    indexes: list[Row] = field(default_factory=list)
    objects: list[Row] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    unchecked: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class ForeignKey:
    """One foreign key, ready for counting orphans."""

    schema: str
    table: str
    name: str
    columns: tuple[str, ...]
    referenced_schema: str
    referenced_table: str
    referenced_columns: tuple[str, ...]
    match_full: bool = False


@dataclass(frozen=True)
class HeldLock:
    """A lock that the observed session holds on a relation."""

    relation: str
    mode: str
    blocks: str


@dataclass(frozen=True)
class StatementFacts:
    """What a session's own view says after a statement: the locks it holds, and tables whose storage was replaced."""

    locks: tuple[HeldLock, ...] = ()
    rewritten: tuple[str, ...] = ()


class SessionObserver(ABC):
    """Looks at a session from inside, between its statements."""

    @abstractmethod
    def before_statement(self) -> None:
        """Called before each statement of the observed session."""

    @abstractmethod
    def after_statement(self) -> StatementFacts:
        """Called after each statement that succeeded, in the same session."""


class Dialect(Canaries, Guarding, Measuring, PointInTime, Faults, Backing, Workloads, ABC):
    """One engine.

    Attributes
    ----------
    name : str
        ``postgresql``, ``mysql``, ``mariadb``, ``sqlite``.
    label : str
        For people: ``PostgreSQL``.
    sql_dialect : str
        The name sqlglot knows it by.
    transactional_ddl : bool
        A failed migration can be rolled back as a whole.
    journals_beside : bool
        A second session can write the journal while the migration runs; else the journal is written before and after.
    lock_facts : {"exact", "sampled", "none"}
        How locks of a run are known.
    sees_waiters : bool
        A second session can see who waits for whom.
    capture_workers : int
        How many sessions a capture shares its snapshot among, at the most.
    fingerprint_method : str
        Names the hash and how it is fed; digests of different methods are not comparable.
    extra : str
        The extra of migkit that brings the driver; empty where none is needed.
    scratch_home : {"embedded", "file", "server"}
        Where scratch databases are made by default: on the embedded server, as a file, on the source's own server.
    dump_tool : str
        What writes the schema down (:meth:`schema_dump`), for people.
    algorithms : tuple of str
        How tables can be altered, cheapest first; empty where the engine knows no such thing.
    drops_index_on_table : bool
        ``DROP INDEX`` names the table, because each table has index names of its own.
    outside_database : tuple of (str, str)
        What a migration can change that no look at the database shows, and why.
    """

    name: str
    label: str
    sql_dialect: str
    transactional_ddl: bool
    journals_beside: bool
    lock_facts: LockFacts
    sees_waiters: bool
    capture_workers: int
    fingerprint_method: str
    extra: str
    scratch_home: ScratchHome
    dump_tool: str = "the engine's own tool"
    algorithms: tuple[str, ...] = ()
    drops_index_on_table: bool = False
    default_port: int | None = None
    outside_database: tuple[tuple[str, str], ...] = ()

    # --- connecting -------------------------------------------------------------------------------------------------

    @abstractmethod
    def create_engine(self, url: URL, **options: Any) -> Engine:
        """Return an engine whose sessions behave alike everywhere: transactions begin where SQL says so, names and
        values are read exactly, the session names itself 'migkit'.
        """

    @abstractmethod
    def explain_connect_error(self, error: Exception, url: URL) -> MigkitError:
        """Turn a driver's error while connecting into one sentence: unreachable, refused password, no such database."""

    @abstractmethod
    def explain_error(self, error: Exception) -> str:
        """Return the server's message of a failed statement as one clean line, with its code and hint."""

    def is_permission_error(self, error: Exception) -> bool:
        """Tell whether a driver's error means that a right is missing, so that the rest of the work can go on."""
        return False

    def is_already_so(self, error: Exception) -> bool:
        """Tell whether a driver's error means that what the statement asks for is so already: the thing to drop does
        not exist, or the thing to make does.
        """
        return False

    @abstractmethod
    def server_version(self, connection: Connection) -> str:
        """Return the version as the server tells it: ``PostgreSQL 18.1``."""

    def refined(self, connection: Connection) -> Dialect:
        """Return the dialect of the server that really answers; a URL cannot tell MySQL from MariaDB."""
        return self

    @abstractmethod
    def default_schema(self, connection: Connection) -> str:
        """Return the schema that unqualified names go to."""

    def quote(self, *parts: str) -> str:
        """Quote an identifier, or a dotted path of them."""
        return ".".join('"' + part.replace('"', '""') + '"' for part in parts)

    # --- capture ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def snapshot(self, engine: Engine, workers: int) -> AbstractContextManager[list[Connection]]:
        """Open read-only sessions that all see one instant; at least one, at most `workers`. Nothing stays behind."""

    def one_reading(self, connection: Connection) -> AbstractContextManager[None]:
        """Return what one reading of a snapshot happens in: after an error in it, the snapshot is still usable."""
        return nullcontext()

    @abstractmethod
    def read_catalog(self, connection: Connection, schemas: Sequence[str] | None) -> Catalog:
        """Read all schema facts with a fixed number of queries; `None` means every schema that is not the engine's."""

    def schema_dump(self, connection: Connection, schemas: Sequence[str] | None) -> AbstractContextManager[ReadDump]:
        """Begin to write the schema down with the engine's own tool, beside other work; the function waits for it.

        Migkit's own tables are left out. Where there is no such tool, that is an :class:`UnsupportedFeature`.
        """
        raise UnsupportedFeature(f"migkit knows no tool that writes down a schema of {self.label}")

    def replaced_since(self, connection: Connection) -> list[str]:
        """Return tables whose rows another session took from a snapshot's sight: to it they look empty, not missing."""
        return []

    @abstractmethod
    def integer_key_range(self, connection: Connection, content: TableContent) -> tuple[int, int] | None:
        """Return the smallest and largest value of the first key column if it is an integer, else ``None``."""

    @abstractmethod
    def content_tasks(self, content: TableContent) -> list[Any]:
        """Divide the reading of a table into tasks for parallel sessions; their results add up."""

    @abstractmethod
    def read_content(self, connection: Connection, content: TableContent, task: Any) -> Iterator[SegmentContent]:
        """Digest the rows of one task inside the server."""

    def other_forms(self, earlier: str, now: str) -> tuple[str, ...]:
        """Return in which other forms a column can be digested that was read as `earlier` and is by nature `now`.

        Values that a change of type kept have the digests they had in one of them. :meth:`read_content` takes them in
        place of a content type.
        """
        return ()

    def read_rows(
        self, connection: Connection, content: TableContent, segments: Sequence[int] | None
    ) -> Iterator[RowDigest]:
        """Stream the digests of rows one by one, ordered by seed; `None` means every segment, appended rows too."""
        raise UnsupportedFeature(f"{self.label} cannot compare rows one by one")

    def read_values(
        self, connection: Connection, content: TableContent, seeds: Sequence[int] | None
    ) -> Iterator[RowValues]:
        """Stream the values of the rows with these seeds, in any order; ``None`` means every row."""
        raise UnsupportedFeature(f"{self.label} cannot read rows as text")

    def has_repeated_key(self, connection: Connection, content: TableContent) -> bool:
        """Tell whether several rows have one key; rows whose key holds a NULL are left out."""
        raise UnsupportedFeature(f"{self.label} cannot compare rows one by one")

    def value_family(self, content_type: str, declared: str) -> ValueFamily:
        """Return what the values of a column are, by what engines have in common."""
        return "text"

    def count_rows(self, connection: Connection, content: TableContent) -> int:
        """Count the rows of a table."""
        sql = f"SELECT count(*) FROM {self.quote(*filter(None, (content.schema, content.table)))}"
        return int(connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalar_one())

    def estimate_rows(self, connection: Connection, content: TableContent) -> int | None:
        """Return the server's own estimate of a table's rows; ``None`` where it has none."""
        return None

    @abstractmethod
    def count_orphans(self, connection: Connection, foreign_key: ForeignKey) -> int:
        """Count rows whose parent does not exist, by the key's MATCH rule, whether or not the engine enforces it."""

    # --- run --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def session_id(self, connection: Connection) -> int | None:
        """Return the server's number of this session, where it has one."""

    @abstractmethod
    def canceller(self, connection: Connection) -> Callable[[], None]:
        """Return a function that cancels the session's running statement on the server, callable from any thread."""

    @abstractmethod
    def set_lock_timeout(self, connection: Connection, seconds: float | None) -> None:
        """Limit how long the session waits for a lock."""

    @abstractmethod
    def must_run_outside_transaction(self, sql: str) -> bool:
        """Tell whether the engine refuses this statement inside a transaction."""

    def neighbours(self, connection: Connection) -> frozenset[str]:
        """Return the names of other databases that a statement in this session could change just by naming them."""
        return frozenset()

    def reaches_beyond_database(self, sql: str, neighbours: Collection[str] = ()) -> bool:
        """Tell whether a text holds a statement that changes the server, its files, or one of its other databases.

        Parameters
        ----------
        sql : str
            One or several statements.
        neighbours : collection of str
            What :meth:`neighbours` returned.
        """
        return False

    def ways_out(self, connection: Connection, neighbours: Collection[str]) -> frozenset[str]:
        """Return names of this database through which a write reaches `neighbours` or the server: triggers do so."""
        return frozenset()

    def has_open_transaction(self, connection: Connection, *, ask: bool = False) -> bool:
        """Tell whether what the session did may still be rolled back, on engines that commit by themselves.

        Parameters
        ----------
        connection : Connection
            The session.
        ask : bool
            Ask the server, because the last statement failed; else what it said with its last answer counts.
        """
        return True

    @abstractmethod
    def observe(self, connection: Connection) -> SessionObserver:
        """Return an observer of the session that runs the migration."""

    def alter_algorithm(self, connection: Connection, sql: str) -> str | None:
        """Apply an ``ALTER TABLE`` to an empty copy of the schema, and return how the server does it.

        Parameters
        ----------
        connection : Connection
            A session on a scratch database without rows; the statement takes effect there.
        sql : str
            The statement.

        Returns
        -------
        str or None
            Algorithm and lock level, ``INPLACE, LOCK=NONE``; ``None`` where the engine knows no such thing, or the
            statement is none that has an algorithm.
        """
        return None

    # --- scratch databases ------------------------------------------------------------------------------------------

    @abstractmethod
    def create_scratch(self, home: URL | None, name: str) -> URL:
        """Create an empty database called `name` and return its URL."""

    def ensure_database(self, home: URL, name: str) -> URL:
        """Return the URL of a database that is to stay on the server of `home`, created if it is not there yet."""
        raise UnsupportedFeature(f"migkit makes no databases of {self.label} that stay")

    @abstractmethod
    def list_scratch(self, home: URL | None) -> list[str]:
        """Return the names of scratch databases that exist on `home`; what a crash left behind shows here."""

    @abstractmethod
    def drop_scratch(self, url: URL) -> None:
        """Drop a database made by :meth:`create_scratch`, ending sessions that still use it."""

    @abstractmethod
    def copy(self, source: URL, target: URL, *, schema_only: bool = False, progress: Progress = SILENT) -> None:
        """Copy `source` into the empty database `target`, reading it in one snapshot and writing nothing to it."""

    def database_name(self, url: URL) -> str:
        """Return what people call the database at this URL."""
        return url.database or self.label

    def place(self, url: URL) -> Place | None:
        """Return where the database is, written alike for every URL that leads to it; ``None`` where none can."""
        return server_place(url, self.default_port)
