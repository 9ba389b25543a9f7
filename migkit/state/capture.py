"""``capture()``: from a live database to a :class:`~migkit.state.snapshot.State`, at one instant, reading only."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from migkit import frames
from migkit.database import Database
from migkit.dialects.base import Catalog, Dialect, ForeignKey, Row, TableContent
from migkit.errors import CaptureFailed, MigkitError, PermissionMissing
from migkit.progress import SILENT, Progress
from migkit.state.content import ContentTotals, digest
from migkit.state.plan import plan_tables, without_bookkeeping
from migkit.state.rereading import ReadAgain, read_as_before
from migkit.state.sampling import Sample, sampled, unchecked
from migkit.state.schema_digest import SchemaReading
from migkit.state.snapshot import RowsMode, State, TableName
from migkit.state.whole_rows import read_earlier_columns
from migkit.stopping import LOOK_SECONDS, check

Beside = Callable[[Connection], AbstractContextManager[None]]

_NEXT_STEP = "Nothing was left behind; capture again."
_LEFT_OUT = {"why": "only these were asked for"}
_CATALOG_ONLY = frozenset({"key", "pages"})


def capture(
    db: Database,
    *,
    schemas: Sequence[str] | None = None,
    like: State | None = None,
    rows: RowsMode | None = None,
    seed: int | None = None,
    beside: Beside | None = None,
    progress: Progress = SILENT,
) -> State:
    """Capture everything that is true of a database at one instant.

    Schema facts come from a fixed number of catalog queries; rows are counted and digested inside the server, in one
    snapshot shared by several sessions. Nothing is written.

    Parameters
    ----------
    db : Database
        The database.
    schemas : sequence of str, optional
        The schemas to look at; by default those that `like` looked at, else those the database is configured with,
        else all that are not the engine's.
    like : State, optional
        An earlier state of this database. Rows are told apart by the keys it used, and rows beyond its largest keys are
        digested apart, so that rows added since do not hide whether those that were there are intact.
    rows : {"exact", "sample", "estimate"}, optional
        Which rows to read; by default as `like` did, else all. ``"sample"`` counts every row and digests about one key
        segment in sixteen of tables above 100,000 rows that have a key; ``"estimate"`` reads no rows, and takes the
        server's own estimate of how many there are.
    seed : int, optional
        What chooses the segments of a sample; by default that of `like`, else 0. With `like`, its segments are read.
    beside : callable, optional
        Takes the snapshot's first session, and returns a context to capture in: other work at the same instant.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    State
        The state; its frames are described in :mod:`migkit.frames`.

    Raises
    ------
    CaptureFailed
        If the connection is lost, or a table is changed or dropped meanwhile.
    """
    progress.begin(f"Capturing {db.name}")
    rows = rows or (like.rows if like else "exact")
    seed = seed if seed is not None else like.seed if like else 0
    try:
        return _capture(db, schemas or _schemas_of(like) or db.schemas, like, rows, seed, progress, beside or _alone)
    except SQLAlchemyError as error:
        raise CaptureFailed(
            f"The capture was broken off: {db.dialect.explain_error(error)}",
            where=db.name,
            next_step=_NEXT_STEP,
        ) from error
    finally:
        progress.close()


def _schemas_of(like: State | None) -> tuple[str, ...] | None:
    # Where schemas are other databases of the server, those of a copy have other names.
    return like.schemas if like is not None and like.default_schema else None


def _alone(_: Connection) -> AbstractContextManager[None]:
    return nullcontext()


def _capture(
    db: Database,
    schemas: Sequence[str] | None,
    like: State | None,
    rows: RowsMode,
    seed: int,
    progress: Progress,
    beside: Beside,
) -> State:
    dialect = db.dialect
    captured_at = datetime.now(UTC)
    dump = SchemaReading(dialect)
    with (
        dialect.snapshot(db.engine, dialect.capture_workers) as sessions,
        beside(sessions[0]),
        dump.beside(sessions[0], schemas),
    ):
        catalog = without_bookkeeping(dialect.read_catalog(sessions[0], schemas))
        plans = plan_tables(dialect, sessions[0], catalog, like, reads_rows=rows != "estimate")
        samples = sampled(dialect, sessions[0], plans, rows, seed, like)
        reading = _Reading(dialect, catalog, samples, progress, db.name)
        reading.run(sessions)
        if like is not None:
            read_as_before(dialect, reading.totals, like, reading.again(sessions))
            read_earlier_columns(dialect, reading.totals, like, reading.again(sessions))
        _require_unreplaced(db, sessions[0])
    reading.unchecked += unchecked(samples, seed)
    return replace(_state(db, captured_at, schemas, catalog, reading, dump), rows=rows, seed=seed)


def _require_unreplaced(db: Database, connection: Connection) -> None:
    replaced = db.dialect.replaced_since(connection)
    if replaced:
        raise CaptureFailed(
            f"{', '.join(replaced)} was emptied or rewritten while it was being captured",
            where=db.name,
            next_step="Capture again when no schema change is under way.",
        )


@dataclass
class _Reading:
    """The reading of all rows: tasks in a queue, one thread per session of the snapshot."""

    dialect: Dialect
    catalog: Catalog
    samples: list[Sample]
    progress: Progress
    database: str
    totals: dict[tuple[str, str], ContentTotals] = field(default_factory=dict)
    orphans: dict[ForeignKey, int] = field(default_factory=dict)
    unchecked: list[Row] = field(default_factory=list)
    unread: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, sessions: Sequence[Connection]) -> None:
        """Work the queue off; the first error stops every worker, and so does Ctrl-C, on the server too."""
        tasks = deque(self._tasks())
        self.progress.begin("Reading rows", len(tasks))
        cancel = [self.dialect.canceller(session) for session in sessions]
        with ThreadPoolExecutor(max_workers=len(sessions), thread_name_prefix="migkit-capture") as pool:
            futures = [pool.submit(self._work, session, tasks) for session in sessions]
            try:
                while wait(futures, LOOK_SECONDS).not_done:
                    check()
            except BaseException:
                tasks.clear()
                for stop in cancel:
                    stop()
                raise
        for future in futures:
            future.result()

    def again(self, sessions: Sequence[Connection]) -> ReadAgain:
        """Return what reads some tables once more, in the same sessions."""

        def read(contents: Sequence[TableContent]) -> Mapping[TableName, ContentTotals]:
            plans = {(one.plan.content.schema, one.plan.content.table): one for one in self.samples}
            samples = [
                replace(one, plan=replace(one.plan, content=content))
                for content in contents
                if (one := plans[content.schema, content.table]).reads_rows
            ]
            catalog = replace(self.catalog, foreign_keys=[])
            reading = _Reading(self.dialect, catalog, samples, self.progress, self.database)
            reading.run(sessions)
            return {name: totals for name, totals in reading.totals.items() if name not in reading.unread}

        return read

    def _tasks(self) -> list[tuple[str, Callable[[Connection], None]]]:
        tasks: list[tuple[str, Callable[[Connection], None]]] = []
        read = [sample.plan.content for sample in self.samples if sample.reads_rows]
        for content in sorted(read, key=lambda one: -(one.pages or 0)):
            self.totals[content.schema, content.table] = ContentTotals(content)
            if content.pages == 0 and content.kind != "partitioned":
                continue
            tasks += [
                (f"rows of {content.table}", self._read_task(content, task))
                for task in self.dialect.content_tasks(content)
            ]
        for key in self.catalog.foreign_keys:
            totals = self.totals.get((key.schema, key.table))
            if totals is not None and totals.content.pages == 0 and totals.content.kind != "partitioned":
                self.orphans[key] = 0
            elif self.samples and not read:
                self.unchecked.append({"what": f"orphans of {key.name}", "why": "rows='estimate' reads no rows"})
            else:
                tasks.append((f"orphans of {key.name}", self._orphans_task(key)))
        return tasks

    def _read_task(self, content: TableContent, task: Any) -> Callable[[Connection], None]:
        def read(connection: Connection) -> None:
            totals = self.totals[content.schema, content.table]
            try:
                for reading in self.dialect.read_content(connection, content, task):
                    with self._lock:
                        totals.add(reading)
            except (SQLAlchemyError, PermissionMissing):
                with self._lock:
                    self.unread.add((content.schema, content.table))
                raise

        return read

    def _orphans_task(self, key: ForeignKey) -> Callable[[Connection], None]:
        def count(connection: Connection) -> None:
            self.orphans[key] = self.dialect.count_orphans(connection, key)

        return count

    def _work(self, connection: Connection, tasks: deque[tuple[str, Callable[[Connection], None]]]) -> None:
        while True:
            with self._lock:
                if not tasks:
                    return
                what, task = tasks.popleft()
            try:
                with self.dialect.one_reading(connection):
                    task(connection)
            except (SQLAlchemyError, MigkitError) as error:
                self._excuse(what, error, tasks)
            with self._lock:
                self.progress.advance()

    def _excuse(self, what: str, error: SQLAlchemyError | MigkitError, tasks: deque[Any]) -> None:
        """Note what may not be read and go on; give everything up for any other error."""
        with self._lock:
            if isinstance(error, PermissionMissing):
                self.unchecked.append({"what": what, "why": error.what})
            elif isinstance(error, SQLAlchemyError) and self.dialect.is_permission_error(error):
                self.unchecked.append({"what": what, "why": self.dialect.explain_error(error)})
            else:
                tasks.clear()
                raise self._broken_off(what, error)

    def _broken_off(self, what: str, error: SQLAlchemyError | MigkitError) -> MigkitError:
        if isinstance(error, MigkitError):
            return error
        said = f"The capture was broken off at the {what}: {self.dialect.explain_error(error)}"
        failed = CaptureFailed(said, where=self.database, next_step=_NEXT_STEP)
        failed.__cause__ = error
        return failed


def _state(
    db: Database,
    captured_at: datetime,
    schemas: Sequence[str] | None,
    catalog: Catalog,
    reading: _Reading,
    dump: SchemaReading,
) -> State:
    segments = [row for totals in reading.totals.values() for row in totals.segment_rows()]
    samples = {(one.plan.content.schema, one.plan.content.table): one for one in reading.samples}
    partitions: dict[TableName, int | None] = {
        partition: None if samples[table].text else rows
        for table, totals in reading.totals.items()
        for partition, rows in totals.partitions.items()
    }
    left_out = [_LEFT_OUT | {"what": f"schemas other than {', '.join(schemas)}"}] if schemas else []
    return State(
        database=db.name,
        server=db.server,
        engine=db.dialect.label,
        captured_at=captured_at,
        fingerprint_method=db.dialect.fingerprint_method,
        default_schema=catalog.default_schema,
        tables=frames.TABLES.build(_table_row(row, reading, partitions, samples) for row in catalog.tables),
        columns=frames.COLUMNS.build(_column_row(row, reading) for row in catalog.columns),
        constraints=frames.CONSTRAINTS.build(catalog.constraints),
        indexes=frames.INDEXES.build(catalog.indexes),
        objects=frames.OBJECTS.build(catalog.objects),
        orphans=frames.ORPHANS.build(_orphan_row(key, reading) for key in catalog.foreign_keys),
        segments=frames.SEGMENTS.build(segments),
        unchecked=frames.UNCHECKED.build([*left_out, *catalog.unchecked, *reading.unchecked, *dump.unchecked]),
        schema_dump=dump.digest,
        schemas=tuple(schemas) if schemas else None,
    )


def _table_row(
    row: Row,
    reading: _Reading,
    partitions: dict[TableName, int | None],
    samples: dict[TableName, Sample],
) -> Row:
    name = (row["schema"], row["table"])
    facts: Row = {key: value for key, value in row.items() if key not in _CATALOG_ONLY}
    totals = reading.totals.get(name)
    if totals is None and name in samples:
        return facts | {"sample": samples[name].text, "rows_estimated": samples[name].estimate}
    if totals is None:
        none = 0 if row["kind"] == "partition" and not _partly_read(samples) else None
        return facts | {"rows": partitions.get(name, none)}
    content, sample = totals.content, samples[name]
    if name in reading.unread:
        return facts
    return facts | {
        "rows": totals.rows if sample.rows is None else sample.rows,
        "key": json.dumps(content.key, ensure_ascii=False) if content.key else None,
        "shift": content.shift,
        "key_max": sample.plan.key_max,
        "sample": sample.text,
        "beyond": content.beyond,
        "row_fingerprint": None if content.key else digest(totals.row_sum),
        "earlier_rows": totals.earlier_rows,
    }


def _partly_read(samples: dict[TableName, Sample]) -> bool:
    """Tell whether rows of some partitioned table were left out, so that those of its partitions are not known."""
    return any(sample.text and sample.plan.content.kind == "partitioned" for sample in samples.values())


def _column_row(row: Row, reading: _Reading) -> Row:
    facts: Row = {key: value for key, value in row.items() if key != "content_type"}
    name = (row["schema"], row["table"])
    totals = reading.totals.get(name)
    if totals is None or name in reading.unread or not row.get("content_type"):
        return facts
    nulls, fingerprint = totals.column_digest(row["column"])
    # Of a sample, NULLs are counted by segment only.
    read_as = dict(totals.content.columns)[row["column"]]
    return facts | {"read_as": read_as, "nulls": None if totals.content.within else nulls, "fingerprint": fingerprint}


def _orphan_row(key: ForeignKey, reading: _Reading) -> Row:
    return {
        "schema": key.schema,
        "table": key.table,
        "constraint": key.name,
        "columns": json.dumps(key.columns, ensure_ascii=False),
        "referenced": key.referenced_table,
        "orphans": reading.orphans.get(key),
    }
