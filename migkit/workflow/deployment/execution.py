"""``deploy()``: the main path on the real database; whatever goes wrong is taken back, or said with what to do."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from migkit.database import Database
from migkit.dialects.guarding import PROGRAM
from migkit.display.units import count, plural, size
from migkit.errors import DeployRefused, MigkitError
from migkit.migration.migration import Migration
from migkit.migration.results import Run, RunInterrupted
from migkit.migration.runner import run
from migkit.progress import SILENT, Progress
from migkit.recovery import pitr
from migkit.recovery.backup import Backup
from migkit.recovery.backups import make_backup
from migkit.recovery.catalogue import find_backup, needed, recent_backup
from migkit.recovery.journal import StepJournal, owner
from migkit.recovery.verification import verify_backup
from migkit.redaction import redact
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.state.rules import CONTENT_UNPROVEN
from migkit.storage import encode_instant
from migkit.workflow.deployment.checks import Checks
from migkit.workflow.deployment.ending import end
from migkit.workflow.deployment.evidence import is_same, keep_state
from migkit.workflow.deployment.options import DeployOptions
from migkit.workflow.deployment.record import RUN, Record, describe_database, describe_migration
from migkit.workflow.deployment.rehearsed import find_rehearsal
from migkit.workflow.deployment.resting import rest
from migkit.workflow.deployment.results import Deployment
from migkit.workflow.deployment.undoing import Failure, undo
from migkit.workflow.deployment.watching import run_smoke_tests, watch
from migkit.workflow.deployment.window import Window
from migkit.workflow.evidence_folder import begin_evidence, folder_name
from migkit.workflow.promise import Promise
from migkit.workflow.validation import validate_state

_LONGEST_PAUSE_SECONDS = 60.0


def deploy(migration: Migration, db: Database, options: DeployOptions, *, progress: Progress = SILENT) -> Deployment:
    """Take a migration to a real database: checked, backed up, closed to writers, run, validated, watched.

    Parameters
    ----------
    migration : Migration
        The migration.
    db : Database
        The database.
    options : DeployOptions
        How it is done.
    progress : Progress, optional
        Where to tell each step.

    Returns
    -------
    Deployment
        How it ended. A deploy that fails does not raise: it is taken back, or says what is left.

    Raises
    ------
    DeployRunning
        If somebody else deploys to this database.
    MigkitError
        If it could not even begin.
    """
    with db.dialect.deploy_lock(db.engine, owner()):
        started_at = datetime.now(UTC)
        head = {
            "kind": "deployment",
            "started_at": started_at.isoformat(),
            "migration": describe_migration(migration),
            "database": describe_database(db),
        }
        name = folder_name(migration.name, "deployment", started_at)
        evidence = begin_evidence(options.reports.absolute(), name, head)
        program = f"{PROGRAM} deploy {secrets.token_hex(4)}"
        facts = journal_facts(migration, options, program)
        with StepJournal.create(evidence, kind="deploy", database=db.name, place=db.url, **facts) as journal:
            record = Record(migration, db, options, progress, journal, evidence, started_at)
            return Deploying(record, program).to_the_end()


def journal_facts(migration: Migration, options: DeployOptions, program: str) -> dict[str, Any]:
    """Return what recovering from a crash has to know."""
    return {
        "migration": migration.name,
        "path": str(migration.path.absolute()),
        "checksum": migration.checksum,
        "program": program,
        "backups": str(options.backups.absolute()),
        "strategy": list(options.rollback.strategy),
        "timeout": options.timeout,
        "lock_timeout": options.lock_timeout,
    }


class Deploying:
    """A deploy that goes on.

    Parameters
    ----------
    record : Record
        Where it is written down.
    program : str
        How its sessions call themselves.
    """

    def __init__(self, record: Record, program: str) -> None:
        self.record = record
        self.window = Window(record, program)
        self._promise: Promise | None = None
        self._backup: Backup | None = None
        self._kept = ExitStack()

    def to_the_end(self) -> Deployment:
        """Do every step; at the first that fails, take back what was done."""
        with self._kept:
            try:
                self._before()
                self._closed()
                self._afterwards()
                self.record.status = "deployed"
            except BaseException as error:  # Ctrl-C, too: what was begun is not left so
                undo(self.record, self.window, Failure.of(error, self.record), self._backup)
            return end(self.record)

    # --- before anything is changed ---------------------------------------------------------------------------------

    def _before(self) -> None:
        self.record.step("pre-checks", "Checked", self._check)
        self.record.step("backup", "Backed up, and verified", self._back_up)

    def _check(self, learned: dict[str, Any]) -> None:
        record = self.record
        found = Checks(record.migration, record.db, record.options, record.evidence).all()
        record.checks, self._promise = found.rows, found.promise
        record.unchecked += found.unchecked
        if found.against:
            told = "; ".join(f"{row['check']}: {row['found']}" for row in found.against)
            raise DeployRefused(f"{plural(len(found.against), 'check')} speak against it: {told}")
        learned["detail"] = f"{len(found.rows)} checks"

    def _back_up(self, learned: dict[str, Any]) -> None:
        record, options = self.record, self.record.options
        if options.deploy.backup == "recent":
            recent = recent_backup(options.backups, record.db, within_hours=options.deploy.backup_hours)
            if recent is None:
                raise DeployRefused("The recent backup is gone", where=str(options.backups))
            self._keep(recent)
        else:
            self._make_backup()
        assert self._backup is not None
        learned |= {"id": self._backup.id, "detail": f"{self._backup.id}, {size(self._backup.size_bytes)}"}

    def _make_backup(self) -> None:
        record, options = self.record, self.record.options
        with ExitStack() as stack:
            db = stack.enter_context(self.window.held.privileged()) if self.window.held is not None else record.db
            backup = make_backup(db, options.backups, retention_days=options.retention_days, progress=record.progress)
            checked = verify_backup(backup, options.backups, db, progress=record.progress)
        if not checked.passed:
            raise MigkitError(f"The backup {backup.id} is not what it should be: {'; '.join(checked.problems)}")
        self._keep(find_backup(options.backups, backup.id))

    def _keep(self, backup: Backup) -> None:
        """Let nobody prune it while this deploy may need it."""
        self._kept.enter_context(needed(backup, f"the deploy of {self.record.migration.name} by {owner()}"))
        self._backup, self.record.backup = backup, backup.id

    # --- while writers are kept out ---------------------------------------------------------------------------------

    def _closed(self) -> None:
        record = self.record
        self.window.close()
        self.window.stop_jobs()
        self._prepare()
        self._note_moment()
        record.step("capture-before", "Captured before", self._capture_before)
        self._back_up_again()
        self._run()
        record.step("capture-after", "Captured after", self._capture_after)
        record.step("validate", "Validated", self._validate)
        self.window.open()
        self.window.start_jobs()

    def _capture_before(self, learned: dict[str, Any]) -> None:
        record = self.record
        state = capture(record.db, progress=record.progress)
        record.states["before"] = state
        keep_state(record.evidence, "before", state)
        learned["detail"] = f"{plural(len(state.tables), 'table')}, {count(state.total_rows)} rows"

    def _prepare(self) -> None:
        """Make the table in which the migration's own tool notes what is applied, so that it is compared like any."""
        record, held = self.record, self.window.held
        if not record.migration.bookkeeping_tables or held is None:
            return

        def work(learned: dict[str, Any]) -> None:
            with held.writer() as writer:
                record.migration.prepare(writer)

        record.step("prepare", "Prepared the migration's own bookkeeping", work)

    def _note_moment(self) -> None:
        """Note the moment that point-in-time recovery would return to."""
        record, held = self.record, self.window.held
        if "pitr" not in record.options.rollback.strategy or held is None:
            return

        def work(learned: dict[str, Any]) -> None:
            with held.paused(), held.privileged() as db:
                noted = pitr.timestamp(db, record.options.backups, progress=record.progress)
            if noted.why_not is None:
                record.moment = noted.moment
                learned["moment"] = encode_instant(noted.moment)
            learned["detail"] = noted.why_not or noted.command

        record.step("note-moment", "Noted the moment", work)

    def _back_up_again(self) -> None:
        """Back up once more where somebody wrote since the backup: restoring that would lose what they wrote."""
        assert self._backup is not None
        if "backup" not in self.record.options.rollback.strategy:
            return
        if is_same(self.record.db, self._backup.state(), self.record.states["before"]):
            return

        def work(learned: dict[str, Any]) -> None:
            self._make_backup()
            assert self._backup is not None
            learned |= {
                "id": self._backup.id,
                "detail": f"{self._backup.id}, because rows were written since the first",
            }

        self.record.step("backup-again", "Backed up again", work)

    def _run(self) -> None:
        deploy = self.record.options.deploy
        pause = deploy.retry_seconds
        for attempt in range(1, deploy.attempts + 1):
            result = self._attempt(attempt)
            if result.succeeded:
                return
            if attempt == deploy.attempts or not self._is_worth_another(result):
                raise MigkitError(str(result.error))
            self.record.progress.note("·", f"Trying again in {pause:g} s: {result.error}")
            rest(pause)
            pause = min(_LONGEST_PAUSE_SECONDS, pause * 2)

    def _is_worth_another(self, result: Run) -> bool:
        return not result.standing and self.record.db.dialect.is_lock_trouble(str(result.error))

    def _attempt(self, attempt: int) -> Run:
        record, options = self.record, self.record.options
        held = self.window.held
        assert held is not None

        def work(learned: dict[str, Any]) -> Run:
            with held.writer() as writer:
                result = run(
                    record.migration,
                    writer,
                    timeout=options.timeout,
                    lock_timeout=options.lock_timeout,
                    progress=record.progress,
                )
            learned |= {"succeeded": result.succeeded, "attempt": result.attempt}
            learned["detail"] = plural(len(result.statements), "statement") if result.succeeded else result.error
            return result

        words = "Ran the migration" if attempt == 1 else f"Ran the migration, attempt {attempt}"
        try:
            result = record.step(RUN, words, work, attempt=attempt)
        except RunInterrupted as interrupted:
            record.run = interrupted.run
            raise
        record.run = result
        if not result.succeeded:
            record.steps[-1]["status"] = "failed"
        return result

    def _capture_after(self, learned: dict[str, Any]) -> None:
        record = self.record
        state = capture(record.db, like=record.states["before"], progress=record.progress)
        record.states["after"] = state
        keep_state(record.evidence, "after", state)
        learned["detail"] = f"{plural(len(state.tables), 'table')}, {count(state.total_rows)} rows"

    def _validate(self, learned: dict[str, Any]) -> None:
        judge(self.record, self._promise)
        learned["detail"] = "it does what it promises, and nothing was lost or damaged"

    # --- with writers back ------------------------------------------------------------------------------------------

    def _afterwards(self) -> None:
        run_smoke_tests(self.record)
        watch(self.record)


def judge(record: Record, promise: Promise | None) -> None:
    """Hold the database after the migration against the one before, and against what the migration promises.

    Raises
    ------
    MigkitError
        If something was lost or damaged, or a promise is broken.
    """
    before, after, migration = record.states["before"], record.states["after"], record.migration
    record.comparison = compare(before, after, allow=migration.metadata.allow, bookkeeping=migration.bookkeeping_tables)
    if promise is not None:
        record.validation = validate_state(migration, promise, before, after)
    found = [finding for finding in record.comparison.judgement if finding.severity == "error"]
    problems = [finding.what for finding in found if finding.id != CONTENT_UNPROVEN.id]
    # Digests alone leave it open, and there is no second copy to compare with, row by row: the rehearsal had one.
    unproven = [finding.what for finding in found if finding.id == CONTENT_UNPROVEN.id]
    rehearsed = find_rehearsal(migration, record.options.reports) if unproven else None
    if rehearsed is not None:
        why = f"the rehearsal {rehearsed.folder.name} compared rows one by one, on its clone"
        record.unchecked += [{"what": what, "why": why} for what in unproven]
    else:
        problems += unproven
    if record.validation is not None and not record.validation.passed:
        broken = record.validation.checks[~record.validation.checks["passed"].fillna(False)]
        problems += [f"{row['check']}: {row['found']}" for row in broken.to_dict("records")]
    if problems:
        raise MigkitError(redact("; ".join(problems)))
