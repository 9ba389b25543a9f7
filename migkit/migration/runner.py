"""``run()``: execute a migration one way, observed, journalled, with limits that reach the server."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from migkit import frames
from migkit.database import Database
from migkit.dialects.base import Dialect
from migkit.errors import MigkitError, MigrationInvalid
from migkit.migration.half_applied import (
    Aftermath,
    HalfApplied,
    OnlyAPersonCanDecide,
    Undoing,
    find_half_applied,
    look_after,
)
from migkit.migration.journal import CANCELLED, FAILED, SUCCEEDED, Journal
from migkit.migration.migration import Direction, Migration
from migkit.migration.results import Run, RunInterrupted
from migkit.migration.schema_marks import read_marks
from migkit.migration.sessions import session_engine
from migkit.migration.supervision import RunStopped, Supervisor
from migkit.observe.confinement import Confinement
from migkit.observe.recorder import Recorder
from migkit.observe.transactions import TransactionLost
from migkit.observe.watcher import Watcher
from migkit.progress import SILENT, Progress
from migkit.redaction import redact


def run(
    migration: Migration,
    db: Database,
    *,
    direction: Direction = "up",
    timeout: float | None = None,
    lock_timeout: float | None = None,
    progress: Progress = SILENT,
    journal: bool = True,
    confined: bool = False,
) -> Run:
    """Execute a migration one way.

    Parameters
    ----------
    migration : Migration
        What to run.
    db : Database
        Where to run it.
    direction : {"up", "down"}
        Which way.
    timeout : float, optional
        Seconds for the whole run; reaching it cancels on the server.
    lock_timeout : float, optional
        Seconds to wait for any lock; by default the server's own limit.
    progress : Progress
        Told of every statement that changes something.
    journal : bool
        Write the attempt into ``migration_log``.
    confined : bool
        Send nothing that reaches beyond the database: it is a clone, and its server may be the source's.

    Returns
    -------
    Run
        What happened. A migration that fails does not raise: :attr:`Run.succeeded` is false and :attr:`Run.error` says
        why.

    Raises
    ------
    MigrationInvalid
        If there is no such way, or its text cannot be read; nothing was run.
    MigrationMismatch
        If the database does not stand where an Alembic revision begins, or if the way up is half-applied and only a
        person can decide how to take it back (:class:`~migkit.migration.half_applied.OnlyAPersonCanDecide`).
    CaptureFailed
        If the schema before the run cannot be read, on engines that commit at every DDL statement; nothing was run.
    ReachesBeyond
        If the run is confined and came to such a statement; that was not sent, nor anything after it.
    RunInterrupted
        On Ctrl-C, after the run was cancelled on the server; carries the Run.
    """
    half = find_half_applied(migration, db) if direction == "down" and journal else None
    _check(migration, db, direction, half)
    # Where DDL is rolled back with the rest, nobody will have to know.
    before = read_marks(db).to_text() if journal and direction == "up" and not db.dialect.transactional_ddl else None
    with ExitStack() as stack:
        log = stack.enter_context(Journal(db, migration, direction, before)) if journal else None
        execution = _Execution(migration, db, direction, timeout, lock_timeout, progress, log, half, confined)
        return execution.to_the_end()


def _check(migration: Migration, db: Database, direction: Direction, half: HalfApplied | None) -> None:
    """Refuse what cannot be run, before anything is."""
    if direction == "down" and not migration.has_down:
        raise _irreversible(migration, half)
    migration.program.check(direction, db.dialect)
    undecided = half.why_undecided(migration.bookkeeping_tables) if half else None
    if half is not None and undecided is not None:
        raise OnlyAPersonCanDecide(half, undecided, str(migration.path))


def _irreversible(migration: Migration, half: HalfApplied | None) -> MigkitError:
    if half is not None:
        return OnlyAPersonCanDecide(half, "there is no way down", str(migration.path))
    return MigrationInvalid(
        f"{migration.name} has no way down",
        where=str(migration.path),
        next_step="It is irreversible: only a backup brings back what it changes.",
    )


@dataclass
class _Session:
    """What a program runs on (:class:`migkit.migration.migration.RunSession`)."""

    engine: Engine
    dialect: Dialect
    recorder: Recorder

    def locate(self, where: str | None) -> None:
        self.recorder.where = where

    def not_reached(self, statements: Sequence[str]) -> None:
        self.recorder.not_reached(statements)


class _Execution:
    def __init__(
        self,
        migration: Migration,
        db: Database,
        direction: Direction,
        timeout: float | None,
        lock_timeout: float | None,
        progress: Progress,
        journal: Journal | None,
        half: HalfApplied | None,
        confined: bool,
    ) -> None:
        self.migration = migration
        self.db = db
        self.direction = direction
        self.timeout = timeout
        self.lock_timeout = lock_timeout
        self.progress = progress
        self.journal = journal
        self.half = half
        self.aftermath: Aftermath | None = None
        self.supervisor = Supervisor(timeout, lambda: self.recorder.busy)
        self.confinement = Confinement(db.dialect) if confined else None
        self.recorder = Recorder(db.dialect, progress=progress, sink=journal, before_each=self._before_each)
        self.recorder.confinement = self.confinement
        self.watcher: Watcher | None = None

    def to_the_end(self) -> Run:
        """Run, journal the outcome, and return or raise what came of it."""
        started_at, begun = datetime.now(UTC), time.perf_counter()
        failure = self.supervisor.watch(self._work)
        if failure is None and self.supervisor.has_cancelled:
            # Outside transactions, a statement that was cancelled may end as if nothing had happened.
            failure = RunStopped(self.supervisor.reason)
        if self.confinement is not None and self.confinement.refusal is not None:
            # Whatever the migration made of it.
            failure = self.confinement.refusal
        seconds = time.perf_counter() - begun
        error = self._explain(failure) if failure is not None else self._look_after()
        interrupted = self.supervisor.reason == "interrupted"
        if self.journal is not None:
            outcome = SUCCEEDED if error is None else CANCELLED if interrupted else FAILED
            self.journal.close(outcome, error, self.recorder.entries)
        if isinstance(failure, MigkitError) and not isinstance(failure, TransactionLost):
            raise failure
        result = self._result(error, started_at, seconds)
        if interrupted:
            raise RunInterrupted(result) from None
        return result

    def _work(self) -> None:
        with ExitStack() as stack:
            engine = stack.enter_context(session_engine(self.db))
            watcher_engine = stack.enter_context(session_engine(self.db))
            recorder = self.recorder
            self.watcher = Watcher(
                self.db.dialect,
                watcher_engine,
                lambda: recorder.outside_since,
                lambda: recorder.at_work,
                self.progress,
            )
            number = self._prepare_session(engine)
            stack.callback(self.recorder.attach(engine))
            if self.half is not None:
                undoing = Undoing(self.half, self.db.dialect, self.recorder, str(self.migration.path))
                stack.callback(undoing.attach(engine))
            stack.callback(self.watcher.stop)
            self.watcher.start(number)
            try:
                self.migration.program.execute(self.direction, _Session(engine, self.db.dialect, self.recorder))
            finally:
                self.recorder.finish()

    def _prepare_session(self, engine: Engine) -> int | None:
        """Set the limits of the session, before anything of it is recorded."""
        dialect = self.db.dialect
        try:
            with engine.connect() as connection:
                if self.lock_timeout is not None:
                    dialect.set_lock_timeout(connection, self.lock_timeout)
                self.supervisor.cancel = dialect.canceller(connection)
                number = dialect.watched_session(connection, dialect.session_id(connection))
                if self.confinement is not None:
                    self.confinement.look_around(connection)
                connection.commit()
        except (SQLAlchemyError, OSError) as error:
            raise dialect.explain_connect_error(error, engine.url) from error
        return number

    def _look_after(self) -> str | None:
        """See what taking back a half-applied migration left; return it as an error if it is anything."""
        if self.half is None:
            return None
        self.aftermath = look_after(self.half, self.db)
        return self.aftermath.told if self.aftermath.is_identical is False else None

    def _before_each(self) -> None:
        self.supervisor.check()
        if self.recorder.lost:
            raise RunStopped("lost")

    def _result(self, error: str | None, started_at: datetime, seconds: float) -> Run:
        watcher, recorder = self.watcher, self.recorder
        unchecked = [*(watcher.unchecked if watcher else []), *(self.journal.unchecked if self.journal else [])]
        if self.supervisor.cancel_error:
            unchecked.append({"what": "cancelling on the server", "why": self.supervisor.cancel_error})
        if self.aftermath is not None and self.aftermath.is_identical is None:
            unchecked.append({"what": "whether the schema is as it was", "why": self.aftermath.told})
        return Run(
            migration=self.migration.name,
            direction=self.direction,
            database=self.db.name,
            succeeded=error is None,
            error=error,
            started_at=started_at,
            seconds=seconds,
            statements=recorder.statements_frame(),
            locks=frames.LOCKS.build([*recorder.lock_rows(), *(watcher.lock_rows() if watcher else [])]),
            waits=frames.WAITS.build(watcher.wait_rows() if watcher else []),
            progress=frames.PROGRESS.build(watcher.progress_rows() if watcher else []),
            incidents=frames.INCIDENTS.build(watcher.incident_rows(recorder.failures) if watcher else []),
            unchecked=frames.UNCHECKED.build(unchecked),
            transactions=recorder.transactions,
            attempt=self.journal.attempt if self.journal else None,
            account=self.aftermath.told if self.aftermath else None,
        )

    # --- what went wrong, in one line -------------------------------------------------------------------------------

    def _explain(self, failure: BaseException) -> str:
        said = self._stop_reason()
        if said is None and isinstance(failure, MigkitError):
            return str(failure)
        cause = f"{said}: {self._cause(failure)}" if said else self._cause(failure)
        return redact(" ".join(cause.split()))

    def _stop_reason(self) -> str | None:
        if self.supervisor.reason == "timeout":
            return f"Timed out after {self.timeout:g} s"
        return "Interrupted" if self.supervisor.reason == "interrupted" else None

    def _cause(self, failure: BaseException) -> str:
        failed = self.recorder.last_failed
        if isinstance(failure, DBAPIError) and failed is not None:
            return self._at(failure, failed.where, f"statement {failed.number}: {failed.error}")
        if isinstance(failure, DBAPIError):
            return self._at(failure, None, self.db.dialect.explain_error(failure))
        if isinstance(failure, RunStopped):
            entries = self.recorder.entries
            return f"stopped after statement {len(entries)}" if entries else "stopped before the first statement"
        if isinstance(failure, CommandError):
            return f"Alembic: {failure}"
        return self._at(failure, None, f"{type(failure).__name__}: {failure}".removesuffix(": "))

    def _at(self, failure: BaseException, where: str | None, what: str) -> str:
        """Put the place in front: of the script, or of the innermost line of the migration's own code."""
        where = where or _place_in(failure, self.migration.program.files)
        return f"{where}: {what}" if where else what


def _place_in(failure: BaseException, files: Sequence[Path]) -> str | None:
    names = {str(path) for path in files} | {str(path.resolve()) for path in files}
    trace: Any = traceback.extract_tb(failure.__traceback__)
    places = [f"{frame.filename}:{frame.lineno}" for frame in trace if frame.filename in names]
    return places[-1] if places else None
