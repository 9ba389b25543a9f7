"""Verbs that try and run migrations: dry_run, validate, rehearse, run, rollback, report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import URL

from migkit.config import load_config
from migkit.database import Database, reached
from migkit.display.progress import default_progress
from migkit.migration import runner
from migkit.migration.loading import load_migration
from migkit.migration.results import Run
from migkit.progress import Progress
from migkit.recovery.read_only import writing_where_closed
from migkit.report import archive as reports
from migkit.verbs.arguments import AnyDatabase, AnyMigration, require_confirmation, seconds_of
from migkit.workflow import dry_run as dry_running
from migkit.workflow import trial, validation
from migkit.workflow.dry_run import DryRun
from migkit.workflow.evidence import Evidence
from migkit.workflow.limits import limits_for
from migkit.workflow.load_preparation import AnyWorkload
from migkit.workflow.rehearsal import Rehearsal
from migkit.workflow.under_load import Load
from migkit.workflow.validation import Validation


def run(
    migration: AnyMigration,
    db: AnyDatabase,
    *,
    timeout: float | None = None,
    lock_timeout: float | None = None,
    confirm: str | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run a migration's way up, statement by statement, under observation.

    Parameters
    ----------
    migration : str, Path or Migration
        The migration.
    db : str, URL, Engine or Database
        The database.
    timeout : float, optional
        Seconds after which the run is cancelled on the server and rolled back.
    lock_timeout : float, optional
        Seconds a statement may wait for a lock; by default 5, or as ``migkit.toml`` says.
    confirm : str, optional
        The name of the database, if it is protected.
    progress : Progress, optional
        Where to tell each statement.

    Returns
    -------
    Run
        ``succeeded`` and ``error``; frames ``statements``, ``locks``, ``waits``, … (:mod:`migkit.frames.runs`). A
        migration that fails gives a run that did not succeed, not an exception.

    Raises
    ------
    ProtectedDatabase
        If the database is protected and `confirm` is not its name.
    MigrationInvalid
        If there is no such migration, or it does not parse.

    Examples
    --------
    >>> import migkit as mk
    >>> run = mk.run("migrations/001_add_user_profile.py", "staging", timeout=300)  # doctest: +SKIP
    >>> run.statements[["summary", "seconds", "rows"]]  # doctest: +SKIP
    """
    return _run("up", migration, db, timeout, lock_timeout, confirm, progress)


def rollback(
    migration: AnyMigration,
    db: AnyDatabase,
    *,
    timeout: float | None = None,
    lock_timeout: float | None = None,
    confirm: str | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run a migration's way down, statement by statement, under observation.

    Where the way up failed half-way and statements of it stand, only those are undone: what the journal and the catalog
    say was never done is skipped, and :attr:`Run.account` says whether the schema is as it was before.

    Parameters
    ----------
    migration : str, Path or Migration
        The migration.
    db : str, URL, Engine or Database
        The database.
    timeout : float, optional
        Seconds after which the run is cancelled on the server and rolled back.
    lock_timeout : float, optional
        Seconds a statement may wait for a lock; by default 5, or as ``migkit.toml`` says.
    confirm : str, optional
        The name of the database, if it is protected.
    progress : Progress, optional
        Where to tell each statement.

    Returns
    -------
    Run
        ``succeeded`` and ``error``; frames ``statements``, ``locks``, ``waits``, … (:mod:`migkit.frames.runs`).

    Raises
    ------
    MigrationInvalid
        If there is no way down.
    MigrationMismatch
        If the way up is half-applied and only a person can decide; says what stands, and offers statements.
    ProtectedDatabase
        If the database is protected and `confirm` is not its name.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.rollback("migrations/001_add_user_profile.py", "staging").succeeded  # doctest: +SKIP
    True
    """
    return _run("down", migration, db, timeout, lock_timeout, confirm, progress)


def _run(
    direction: Literal["up", "down"],
    migration: AnyMigration,
    db: AnyDatabase,
    timeout: float | None,
    lock_timeout: float | None,
    confirm: str | None,
    progress: Progress | None,
) -> Run:
    config = load_config()
    with reached(db, config=config) as database, _confirmed_writer(database, confirm) as writer:
        loaded = load_migration(migration, config=config)
        progress = progress or default_progress()
        progress.begin(f"Running {loaded.name} {direction}")
        try:
            return runner.run(
                loaded,
                writer,
                direction=direction,
                timeout=config.migrations.timeout_seconds if timeout is None else timeout,
                lock_timeout=config.migrations.lock_timeout_seconds if lock_timeout is None else lock_timeout,
                progress=progress,
            )
        finally:
            progress.close()


@contextmanager
def _confirmed_writer(db: Database, confirm: str | None) -> Iterator[Database]:
    """Yield the database for a confirmed change, which goes on where only migkit may write."""
    require_confirmation(db, confirm)
    with writing_where_closed(db) as writer:
        yield writer


def validate(
    migration: AnyMigration | None,
    db: AnyDatabase,
    *,
    expect_absent: bool = False,
    expect_version: str | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Hold a database against what a migration promises, learned on an empty copy of its schema.

    Parameters
    ----------
    migration : str, Path, Migration or None
        The migration; ``None`` to check only the version.
    db : str, URL, Engine or Database
        The database; only read.
    expect_absent : bool
        Expect the state after a rollback.
    expect_version : str, optional
        Expect this to be the version applied last.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Validation
        ``passed``, and ``checks`` with one row per promise (:data:`migkit.frames.CHECKS`).

    Raises
    ------
    MigrationInvalid
        If there is neither a migration nor a version to check.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.validate("migrations/001_add_user_profile.py", "staging").checks  # doctest: +SKIP
    """
    config = load_config()
    loaded = None if migration is None else load_migration(migration, config=config)
    with reached(db, config=config) as database:
        return validation.validate(
            loaded,
            database,
            expect_absent=expect_absent,
            expect_version=expect_version,
            timeout=config.migrations.timeout_seconds,
            lock_timeout=config.migrations.lock_timeout_seconds,
            progress=progress or default_progress(),
        )


def dry_run(
    migration: AnyMigration,
    db: AnyDatabase,
    *,
    timeout: float | None = None,
    lock_timeout: float | None = None,
    progress: Progress | None = None,
) -> DryRun:
    """Apply a migration to an empty copy of a database's schema, and take it back there.

    Parameters
    ----------
    migration : str, Path or Migration
        The migration.
    db : str, URL, Engine or Database
        The database; only its schema is read.
    timeout, lock_timeout : float, optional
        Limits of each run on the empty copy, in seconds.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    DryRun
        ``passed``, ``checks`` (:data:`migkit.frames.CHECKS`) and ``changes``; nothing about data, locks or durations.

    Raises
    ------
    MigrationInvalid
        If there is no such migration, or it does not parse.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.dry_run("migrations/001_add_user_profile.py", "staging").passed  # doctest: +SKIP
    True
    """
    config = load_config()
    loaded = load_migration(migration, config=config)
    with reached(db, config=config) as database:
        return dry_running.dry_run(
            loaded,
            database,
            timeout=config.migrations.timeout_seconds if timeout is None else timeout,
            lock_timeout=config.migrations.lock_timeout_seconds if lock_timeout is None else lock_timeout,
            progress=progress or default_progress(),
        )


def rehearse(
    migration: AnyMigration,
    db: AnyDatabase,
    *,
    into: str | URL | Database | None = None,
    require_down: bool = False,
    timeout: float | None = None,
    lock_timeout: float | None = None,
    reports: str | Path | Literal[False] | None = None,
    canaries: bool = True,
    long_reader: str | float | None = None,
    workload: AnyWorkload | None = None,
    progress: Progress | None = None,
) -> Rehearsal:
    """Prove a migration on a clone: what it changes, what it locks, and whether the way back restores everything.

    Parameters
    ----------
    migration : str, Path or Migration
        The migration.
    db : str, URL, Engine or Database
        The database to clone; only read.
    into : str, URL or Database, optional
        The server to make the clone on; by default as for :func:`clone`.
    require_down : bool
        Fail a migration that has no way down.
    timeout, lock_timeout : float, optional
        Limits of each run, in seconds.
    reports : str, Path or False, optional
        The archive for the evidence; by default ``reports`` or as ``migkit.toml`` says. ``False`` archives nothing.
    canaries : bool
        Read and write the touched tables 50 times a second meanwhile, changing nothing, and tell who stalled.
    long_reader : str or float, optional
        Hold a transaction open that has read those tables, for so long (``"5s"``): production's queue forms behind it.
    workload : str, Path or Workload, optional
        After the proof, run the migration on a second clone under this load, as :func:`load_test` does.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Rehearsal
        ``passed`` and ``explain()``; states, runs, comparisons, ``findings`` (:data:`migkit.frames.FINDINGS`) and
        ``unchecked``.

    Raises
    ------
    MigkitError
        If the work could not be done at all; a migration that fails gives a failed rehearsal instead.

    Examples
    --------
    >>> import migkit as mk
    >>> trial = mk.rehearse("migrations/001_add_user_profile.py", "staging")  # doctest: +SKIP
    >>> assert trial.passed, trial.explain()  # doctest: +SKIP
    """
    config = load_config()
    loaded = load_migration(migration, config=config)
    timeout = config.migrations.timeout_seconds if timeout is None else timeout
    lock_timeout = config.migrations.lock_timeout_seconds if lock_timeout is None else lock_timeout
    reading = None if long_reader is None else seconds_of(long_reader, "The long reader")
    load = None if workload is None else Load(workload, reading, timeout, lock_timeout)
    with reached(db, config=config) as database:
        return trial.rehearse(
            loaded,
            database,
            into=into,
            require_down=require_down,
            timeout=timeout,
            lock_timeout=lock_timeout,
            reports=None if reports is False else Path(reports or config.reports.directory),
            limits=limits_for(loaded, config.limits),
            canaries=canaries,
            long_reader=reading,
            load=load,
            progress=progress or default_progress(),
        )


def report(evidence: Evidence | str | Path, *, archive: str | Path | None = None) -> Path:
    """Make the self-contained HTML report of a rehearsal, a load test, a fleet or a deployment.

    Parameters
    ----------
    evidence : Rehearsal, LoadResult, FleetRehearsal, Deployment, str or Path
        A result that kept its evidence, or an evidence folder. A load test that lies in no archive is put into one.
    archive : str or Path, optional
        Where a load test is put; by default ``reports``, or as ``migkit.toml`` says.

    Returns
    -------
    Path
        The archived ``report.html``.

    Raises
    ------
    ReportFailed
        If there is no evidence, or the report could not be rendered; the evidence stays.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.report(mk.rehearse("migrations/001_add_user_profile.py", "staging"))  # doctest: +SKIP
    """
    return reports.report(evidence, archive=archive or load_config().reports.directory)
