"""The verb that puts load on a database: load_test."""

from __future__ import annotations

import threading
from concurrent.futures import Executor
from pathlib import Path

from sqlalchemy import URL

from migkit.config import load_config
from migkit.database import Database, reached
from migkit.display.progress import default_progress
from migkit.load.arrivals import Arrivals
from migkit.load.plan import LoadPlan
from migkit.load.results import LoadResult
from migkit.load.workload import Workload
from migkit.migration.loading import load_migration
from migkit.progress import Progress
from migkit.verbs.arguments import AnyDatabase, AnyMigration, seconds_of
from migkit.workflow import load_test as testing
from migkit.workflow.limits import limits_for
from migkit.workflow.load_preparation import prepared


def load_test(
    db: AnyDatabase,
    workload: str | Path | Workload = "auto",
    migration: AnyMigration | None = None,
    *,
    clients: int = 10,
    rate: float | None = None,
    closed: bool = False,
    arrivals: Arrivals = "constant",
    warm_up: float = 2.0,
    duration: float = 10.0,
    with_rollback: bool = False,
    long_reader: str | float | None = None,
    timeout: float | None = None,
    lock_timeout: float | None = None,
    retries: int = 0,
    here: bool = False,
    into: str | URL | Database | None = None,
    processes: int | None = None,
    executor: Executor | None = None,
    seed: int = 1,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> LoadResult:
    """Ask a database what its applications ask, before, while and after a migration runs.

    Requests are due at a rate, and each is timed from the moment it was due: a stall shows in full, also for those
    who had to queue. The load goes to a clone, unless `here` says otherwise.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database; it is cloned and only read, unless it is a clone itself.
    workload : str, Path or Workload
        What to ask: a :class:`~migkit.load.workload.Workload`, a file (``.sql``, ``.toml``, or a script of pgbench),
        ``"auto"`` (derived from the tables that the migration touches, else from all) or ``"server"`` (what
        applications asked of this server most, as its own statistics tell).
    migration : str, Path or Migration, optional
        What to run under load; without one, only a baseline is measured.
    clients : int
        Connections that ask at a time.
    rate : float, optional
        Requests per second. By default half of what the database turns out to answer.
    closed : bool
        Have each client ask as soon as it is answered instead. Stalls are then hidden, and the result says so.
    arrivals : {"constant", "poisson"}
        Requests evenly spaced, or as independent users come.
    warm_up : float
        Seconds before it counts.
    duration : float
        Seconds of the baseline, and as many again after the migration.
    with_rollback : bool
        Take the migration back under load, too.
    long_reader : str or float, optional
        ``"5s"``: when the migration begins, a transaction that has read the tables it touches stays open for so long.
    timeout, lock_timeout : float, optional
        Limits of each run, in seconds.
    retries : int
        How often to try again when the migration did not get a lock within `lock_timeout`.
    here : bool
        Put the load on `db` itself, and leave the migration applied there. A protected database refuses writes.
    into : str, URL or Database, optional
        The server to make the clone on; by default as for :func:`rehearse`.
    processes : int, optional
        Worker processes; by default half as many as there are processors.
    executor : concurrent.futures.Executor, optional
        Where to run the workers instead, on other machines perhaps: ``Client.get_executor()`` of Dask. It has to hold
        twice `processes` tasks at a time, and is handed the database's URL.
    seed : int
        The same seed draws the same values.
    progress : Progress, optional
        Where to tell how far it is, and each second as it comes.
    stop : threading.Event, optional
        Set by another thread, it ends the test; the result is what was measured until then.

    Returns
    -------
    LoadResult
        ``passed`` and ``verdict``; frames ``statements``, ``timeline``, ``errors``, ``percentiles``. It does not pass
        if the migration failed, a request failed, a limit of ``migkit.toml`` was broken, the rate was not reached, or
        it did not come to its end.

    Raises
    ------
    ConfigError
        If a statement of the workload fails at once, or the server has no room for so many clients.
    ProtectedDatabase
        If writes or a migration are to reach a protected database.
    LoadInterrupted
        On Ctrl-C; its ``result`` is what was measured until then.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.load_test("staging", "shop.sql", "migrations/002_add_email_verification.py")  # doctest: +SKIP
    """
    config = load_config()
    told = progress or default_progress()
    plan = LoadPlan(
        clients=clients,
        rate=rate,
        closed=closed,
        arrivals=arrivals,
        warm_up=warm_up,
        duration=duration,
        with_rollback=with_rollback,
        long_reader=None if long_reader is None else seconds_of(long_reader, "long_reader"),
        timeout=config.migrations.timeout_seconds if timeout is None else timeout,
        lock_timeout=config.migrations.lock_timeout_seconds if lock_timeout is None else lock_timeout,
        retries=retries,
        processes=processes,
        executor=executor,
        seed=seed,
    )
    loaded = None if migration is None else load_migration(migration, config=config)
    limits = limits_for(loaded, config.limits)
    with (
        reached(db, config=config) as database,
        prepared(database, workload, loaded, plan, here=here, into=into, progress=told) as ready,
    ):
        return testing.load_test(
            ready.db,
            ready.workload,
            loaded,
            plan,
            tables=ready.tables,
            limits=limits,
            read_only=ready.read_only,
            confined=ready.confined,
            progress=told,
            stop=stop,
        )
