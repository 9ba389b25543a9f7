"""Verbs that watch a database: watch_locks, metrics, stats."""

from __future__ import annotations

import time

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from migkit.database import Database, connect, reached
from migkit.errors import ConfigError
from migkit.framing import plain
from migkit.migration.journal import history
from migkit.migration.results import Run
from migkit.observe import integrity as integrities
from migkit.observe import stats as sizes
from migkit.observe.integrity import Integrity
from migkit.observe.lock_watch import LockWatching
from migkit.observe.metrics import Metrics, difference, read_counters
from migkit.observe.stats import Stats
from migkit.progress import SILENT, Progress
from migkit.verbs.arguments import AnyDatabase

_SHORTEST_MS = 1.0


def watch_locks(db: AnyDatabase, *, every_ms: float = 20.0, progress: Progress | None = None) -> LockWatching:
    """Watch who holds locks in a database, who waits for whom, how far long commands are, and what goes wrong.

    A second session looks every few milliseconds, from now until the watch is stopped.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database; only read.
    every_ms : float
        How long from one look to the next.
    progress : Progress, optional
        Told what is seen, a few times a second, from the watching thread.

    Returns
    -------
    LockWatching
        A context manager; ``stop()`` and ``result`` give the :class:`~migkit.observe.lock_watch.LockWatch`, with the
        frames ``locks``, ``waits``, ``progress``, ``incidents`` and ``unchecked`` (:mod:`migkit.frames`).

    Raises
    ------
    ConfigError
        If `every_ms` is less than a millisecond.
    UnsupportedFeature
        If nobody else can use the database: it lives in the memory of one connection.

    Examples
    --------
    >>> import migkit as mk
    >>> with mk.watch_locks("staging") as watching:  # doctest: +SKIP
    ...     ...
    >>> watching.result.waits  # doctest: +SKIP
    """
    if not every_ms >= _SHORTEST_MS:
        raise ConfigError(f"every_ms is {every_ms:g}, and has to be at least {_SHORTEST_MS:g}")
    database = connect(db)
    ours = not isinstance(db, Database | Engine)
    try:
        watching = LockWatching(database, every_ms=every_ms, progress=progress or SILENT, close=ours)
    except BaseException:
        if ours:
            database.close()
        raise
    return watching.start()


def metrics(db: AnyDatabase, *, seconds: float = 1.0) -> Metrics:
    """Measure what a server does: two readings of its counters, and what happened in between.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database; only read.
    seconds : float
        From the first reading to the second.

    Returns
    -------
    Metrics
        ``frame`` with one row per figure (:data:`migkit.frames.METRICS`); ``error_rate``, ``avg_response_ms``,
        ``cpu_percent`` and others as attributes, ``None`` where they cannot be known: the frame says why.

    Raises
    ------
    ConfigError
        If `seconds` is not above zero.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.metrics("staging").frame  # doctest: +SKIP
    """
    if not seconds > 0:
        raise ConfigError(f"seconds is {seconds:g}, and has to be more than zero")
    with reached(db) as database:
        try:
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                before = read_counters(database.dialect, connection)
                time.sleep(seconds)
                return difference(before, read_counters(database.dialect, connection), database.name)
        except SQLAlchemyError as error:
            raise database.dialect.explain_connect_error(error, database.engine.url) from error


def stats(db: AnyDatabase, run: Run | None = None) -> Stats:
    """Measure how large tables and indexes are, and say what a run locked and changed.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database; only read.
    run : Run, optional
        The run. Without it, the last attempt in ``migration_log`` is named; locks and rows are not kept there.

    Returns
    -------
    Stats
        ``table_size_bytes``, ``index_size_bytes``, ``lock_duration_ms``, ``rows_affected``, and ``tables`` with one row
        per table (:data:`migkit.frames.TABLE_SIZES`).

    Examples
    --------
    >>> import migkit as mk
    >>> mk.stats("staging").tables  # doctest: +SKIP
    """
    with reached(db) as database:
        try:
            tables = sizes.table_sizes(database)
            told = _last_run(database) if run is None else f"{run.migration} {run.direction}"
        except SQLAlchemyError as error:
            raise database.dialect.explain_connect_error(error, database.engine.url) from error
    rows = None if run is None else run.statements["rows"].dropna()
    return Stats(
        database=database.name,
        table_size_bytes=sizes.total(plain(tables["table_bytes"])),
        index_size_bytes=sizes.total(plain(tables["index_bytes"])),
        lock_duration_ms=None if run is None else sizes.longest_lock_ms(run.locks),
        rows_affected=None if rows is None else int(rows.sum()),
        run=told,
        tables=tables,
    )


def _last_run(db: Database) -> str:
    attempts = history(db)
    if not len(attempts):
        return "no run was ever journalled here"
    last = attempts.iloc[-1]
    return (
        f"last run: {last['migration']} {last['direction']}, {last['outcome']}; what it locked and changed is not in"
        " migration_log, give run="
    )


def check_integrity(db: AnyDatabase) -> Integrity:
    """Count the rows without a parent, and name constraints that existing rows were never checked against.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database; only read.

    Returns
    -------
    Integrity
        ``orphaned_records``, ``orphans``, ``not_validated``.
    """
    with reached(db) as database:
        try:
            return integrities.check_integrity(database)
        except SQLAlchemyError as error:
            raise database.dialect.explain_connect_error(error, database.engine.url) from error
