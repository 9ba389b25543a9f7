"""A deploy whose process was killed: where it stands, by its journal and by the database, and its way on or back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from migkit.database import Database
from migkit.errors import MigkitError, MigrationInvalid
from migkit.migration.journal import RUNNING, OpenAttempt, history, open_attempts
from migkit.migration.migration import Migration
from migkit.observe.describing import statement_kind
from migkit.progress import SILENT, Progress
from migkit.recovery.catalogue import find_backup
from migkit.recovery.journal import JournalReading, StepJournal, owner
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.state.snapshot import State
from migkit.storage import decode_instant
from migkit.workflow.deployment.ending import end
from migkit.workflow.deployment.evidence import is_same, keep_state, kept_state
from migkit.workflow.deployment.execution import judge
from migkit.workflow.deployment.options import DeployOptions
from migkit.workflow.deployment.record import RUN, Record
from migkit.workflow.deployment.results import Deployment
from migkit.workflow.deployment.undoing import GAVE_UP, TAKE_BACK, Failure, take_back_or_give_up, undo
from migkit.workflow.deployment.watching import run_smoke_tests
from migkit.workflow.deployment.window import CLOSE, OPEN, START, STOP, Window, wait_for_server
from migkit.workflow.promise import Promise, learn_promise

_ORPHAN_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.1


def resume_deploy(
    reading: JournalReading,
    migration: Migration,
    db: Database,
    options: DeployOptions,
    *,
    progress: Progress = SILENT,
) -> Deployment:
    """Finish or undo a deploy whose process was killed.

    Parameters
    ----------
    reading : JournalReading
        Its journal.
    migration : Migration
        What was deployed; the same file still.
    db : Database
        Where.
    options : DeployOptions
        The settings as they are now; limits and strategies are those of the journal.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Deployment
        How it ended.

    Raises
    ------
    DeployRunning
        If somebody deploys to the database now, perhaps the very same process.
    MigrationInvalid
        If the file was changed since.
    """
    if migration.checksum != reading.facts["checksum"]:
        raise MigrationInvalid(
            "This file was changed since it was deployed",
            where=str(migration.path),
            next_step="Put back what was deployed, then run migkit recover again.",
        )
    with (
        db.dialect.deploy_lock(db.engine, f"{owner()}, recovering"),
        StepJournal.resume(reading.path) as journal,
    ):
        folder = reading.path.parent
        record = Record(migration, db, options, progress, journal, folder, reading.started_at)
        record.steps = [_told(step) for step in reading.steps]
        record.has_run = reading.may_have_begun(RUN)
        return _Resuming(reading, record).to_the_end()


def _told(step: Any) -> dict[str, Any]:
    """Turn a step of the journal into a row."""
    status = {"started": "killed"}.get(step.state, step.state)
    detail = step.facts.get("detail") or step.error
    words = step.name.replace("-", " ").capitalize()
    row = {"number": step.number, "step": words, "status": status, "started_at": step.started_at}
    return row | {"seconds": step.seconds, "detail": detail}


class _Resuming:
    def __init__(self, reading: JournalReading, record: Record) -> None:
        self.reading = reading
        self.record = record
        self.window = Window(record, str(reading.facts["program"]))
        self.why = self._where_it_stopped()

    def _where_it_stopped(self) -> str:
        last = self.reading.steps[-1] if self.reading.steps else None
        if last is None:
            return "It was killed before its first step."
        return f"It was killed {'in' if last.state == 'started' else 'after'} the step {last.name!r}."

    def to_the_end(self) -> Deployment:
        record = self.record
        record.error = self.why
        self._load()
        try:
            wait_for_server(record)
            record.step("end-orphans", "Ended what was left working", self._end_orphans, required=False)
            self._decide()
        except (MigkitError, SQLAlchemyError, OSError) as trouble:
            told = str(trouble) if isinstance(trouble, MigkitError) else record.db.dialect.explain_error(trouble)
            record.status = "failed"
            record.error = f"{self.why} Then: {told}"
        return end(record, recovered=True)

    def _load(self) -> None:
        record, reading = self.record, self.reading
        for name in ("before", "after"):
            state = kept_state(record.evidence, name)
            if state is not None:
                record.states[name] = state
        for step in reading.steps:
            if step.name in ("backup", "backup-again") and step.facts.get("id"):
                record.backup = str(step.facts["id"])
            if step.name == "note-moment" and step.facts.get("moment"):
                record.moment = decode_instant(step.facts["moment"])

    # --- what a dead process left behind ----------------------------------------------------------------------------

    def _end_orphans(self, learned: dict[str, Any]) -> None:
        """End the sessions of the dead process, and wait until they are gone: their locks are in the way."""
        record = self.record
        statements = [
            sql
            for attempt in open_attempts(record.db, record.migration.name)
            for sql, outcome in attempt.statements
            if outcome == RUNNING
        ]
        deadline, ended = time.monotonic() + _ORPHAN_PATIENCE_SECONDS, 0
        with record.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while found := record.db.dialect.end_orphans(connection, str(self.reading.facts["program"]), statements):
                ended = max(ended, found)
                if time.monotonic() > deadline:
                    raise MigkitError(
                        f"{found} sessions of the process that was killed do not end", where=record.db.url
                    )
                time.sleep(_LOOK_SECONDS)
        learned["detail"] = f"{ended} sessions" if ended else "none"

    # --- where it stands --------------------------------------------------------------------------------------------

    def _decide(self) -> None:
        reading, record = self.reading, self.record
        gave_up = reading.last(GAVE_UP)
        if gave_up is not None and not self._is_put_right():
            record.status = "failed"
            record.error = str(gave_up.facts["why"])
            record.commands += gave_up.facts["commands"]
            record.commands.append(f"migkit recover --accept --database {record.db.name}")
            return
        self._take_over_window()
        self.window.jobs_stopped = reading.may_have_begun(STOP) and not reading.done(START)
        before = record.states.get("before")
        if before is None or not reading.may_have_begun(RUN):
            self._reopen()
            record.status = "stopped"
            return
        if reading.done("validate") and not reading.may_have_begun(TAKE_BACK):
            self._go_on()
            return
        now = capture(record.db, like=before)
        if is_same(record.db, before, now):
            record.states["rolled_back"] = now
            record.taken_back = {"strategy": "transaction", "steps": ["nothing of it stood"], "differences": []}
            self._reopen()
            record.status = "rolled back"
            return
        if reading.may_have_begun(TAKE_BACK):
            self._go_back(Failure("error", self.why))
            return
        self._judge(before, now)

    def _is_put_right(self) -> bool:
        """Whether a person has brought back the state before since migkit gave up."""
        before = self.record.states.get("before")
        return before is not None and is_same(self.record.db, before, capture(self.record.db, like=before))

    def _take_over_window(self) -> None:
        reading = self.reading
        latest = next((step for step in reversed(reading.steps) if step.name in (CLOSE, OPEN)), None)
        closing = next((step for step in reading.steps if step.name == CLOSE), None)
        if latest is None or closing is None:
            return
        # Also where the database was closed once more, to take the migration back.
        self.window.were_let_in = any(step.name == OPEN for step in reading.steps)
        if latest.name == OPEN and latest.state == "done":
            return
        self.window.adopt(str(closing.facts["setting"]))

    def _judge(self, before: State, now: State) -> None:
        """Look whether all of the migration stands, or a part of it, or nothing."""
        record = self.record
        promise = self._learn()
        if self._is_untouched(before, now, promise):
            record.status = "stopped"
            record.error = f"{self.why} Nothing of the migration stands; rows were written by others since."
            self._reopen()
            return
        record.states["after"] = now
        keep_state(record.evidence, "after", now)
        try:
            if promise is None:
                raise MigkitError("what it promises could not be learned, so nobody can tell whether all of it stands")
            if not self._ran_to_its_end(promise):
                raise MigkitError("nothing says that it ran to its end, and a schema does not tell of rows")
            judge(record, promise)
        except MigkitError as error:
            self._go_back(Failure("error", f"{self.why} {error}"))
            return
        with self._step("validate", "Validated"):
            pass
        self._go_on()

    def _step(self, name: str, words: str) -> Any:
        self.record.skip(words, "all of it stands, and nothing was lost or damaged")
        return self.record.journal.step(name)

    def _learn(self) -> Promise | None:
        """Learn what the migration promises from a schema that may hold it already, or not."""
        record, options = self.record, self.record.options
        if record.migration.has_down:
            promise = learn_promise(
                record.migration,
                record.db,
                way="down then up",
                timeout=options.timeout,
                lock_timeout=options.lock_timeout,
            )
            if promise.facts is not None:
                return promise
        promise = learn_promise(record.migration, record.db, timeout=options.timeout, lock_timeout=options.lock_timeout)
        return promise if promise.facts is not None else None

    def _is_untouched(self, before: State, now: State, promise: Promise | None) -> bool:
        """Whether the schema is as before, though the migration would have changed it."""
        if promise is None or promise.facts is None or promise.facts.same_schema:
            return False
        facts = compare(before, now, bookkeeping=self.record.migration.bookkeeping_tables).facts
        return facts.same_schema and not self._succeeded() and not self._rows_may_stand(promise)

    def _succeeded(self) -> bool:
        attempts = history(self.record.db)
        mine = attempts[
            (attempts["migration"] == self.record.migration.name)
            & (attempts["started_at"] >= self.reading.started_at)
            & (attempts["outcome"] == "succeeded")
        ]
        return not mine.empty and str(mine["direction"].iloc[-1]) == "up"

    def _ran_to_its_end(self, promise: Promise) -> bool:
        """Whether every statement was run: the schema alone may be as promised while rows are half changed."""
        step = self.reading.last(RUN)
        if (step is not None and step.facts.get("succeeded")) or self._succeeded():
            return True
        attempts = open_attempts(self.record.db, self.record.migration.name)
        if self._is_one_transaction(promise, attempts):
            return True  # it stands whole, or not at all
        # The last statement shows in the schema, and those before it had ended.
        stood = attempts[-1].statements if attempts else ()
        return (
            promise.run is not None
            and 0 < len(stood) == len(promise.run.statements)
            and statement_kind(stood[-1][0]) == "ddl"
            and all(outcome != RUNNING for _, outcome in stood[:-1])
        )

    def _is_one_transaction(self, promise: Promise, attempts: Sequence[OpenAttempt]) -> bool:
        if promise.run is None or not self.record.db.dialect.transactional_ddl:
            return False
        outside = (promise.run.statements["transaction"].astype(str) == "0").any()
        committed = any(outcome == "applied" for attempt in attempts for _, outcome in attempt.statements)
        return promise.run.transactions == 1 and not outside and not committed

    def _rows_may_stand(self, promise: Promise) -> bool:
        """Whether rows may have been changed before anything of the schema was."""
        attempts = open_attempts(self.record.db, self.record.migration.name)
        if self._is_one_transaction(promise, attempts):
            return False
        if not self.record.db.dialect.journals_beside:
            return True
        return any(statement_kind(sql) == "dml" for attempt in attempts for sql, _ in attempt.statements)

    # --- on, or back ------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        record = self.record
        self._reopen()
        try:
            run_smoke_tests(record)
        except MigkitError as error:
            undo(record, self.window, Failure("validation_failed", f"{self.why} {error}"), self._backup())
            return
        # Figures of now say nothing of the time after the migration.
        record.unchecked.append({"what": "the server's figures after the deploy", "why": "its process was killed"})
        record.status = "deployed"

    def _go_back(self, failure: Failure) -> None:
        self.record.error = failure.why
        take_back_or_give_up(self.record, self.window, failure, self._backup())

    def _backup(self) -> Any:
        if self.record.backup is None:
            return None
        try:
            return find_backup(self.record.options.backups, self.record.backup)
        except MigkitError as error:
            self.record.capture_failed(f"the backup {self.record.backup}", error)
            return None

    def _reopen(self) -> None:
        if self.window.held is not None:
            self.window.open()
        if self.window.jobs_stopped:
            self.window.start_jobs()
