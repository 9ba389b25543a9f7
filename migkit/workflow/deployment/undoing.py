"""Taking a deploy back: gently first, held against the state before, and never at the price of what others wrote."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from migkit.errors import DeployRefused, MigkitError
from migkit.recovery.backup import Backup
from migkit.redaction import redact
from migkit.state.capture import capture
from migkit.state.snapshot import State
from migkit.stopping import Stop
from migkit.workflow.deployment.evidence import is_same, keep_state
from migkit.workflow.deployment.record import Record
from migkit.workflow.deployment.window import Window, wait_for_server
from migkit.workflow.taking_back import TakenBack, cannot, take_back

TAKE_BACK, GAVE_UP = "take-back", "gave-up"

# They put an older database in the place of this one, with all that was written since.
_REPLACING = ("backup", "pitr")


@dataclass(frozen=True)
class Failure:
    """Why a deploy did not go on.

    Attributes
    ----------
    trigger : str
        ``error``, ``timeout``, ``validation_failed`` or ``constraint_violation``, as ``[auto_rollback]`` names them.
    why : str
        In one sentence.
    refused : bool
        A check spoke against it.
    """

    trigger: str
    why: str
    refused: bool = False

    @classmethod
    def of(cls, error: BaseException, record: Record) -> Failure:
        """Return what an error means, by how far the deploy had come."""
        why = "Interrupted" if isinstance(error, KeyboardInterrupt) else redact(str(error) or type(error).__name__)
        if isinstance(error, SQLAlchemyError):
            why = record.db.dialect.explain_error(error)
        if isinstance(error, DeployRefused):
            return cls("error", why, refused=True)
        comparison = record.comparison
        if comparison is None and record.db.dialect.violates_constraint(why):
            return cls("constraint_violation", why)
        if comparison is not None and (comparison.constraint_violations or comparison.orphaned_records):
            return cls("constraint_violation", why)
        if comparison is not None:
            return cls("validation_failed", why)
        return cls("timeout" if why.startswith("Timed out") else "error", why)


def undo(record: Record, window: Window, failure: Failure, backup: Backup | None) -> None:
    """Take back what a deploy did, open the database again, and write down how it stands.

    Parameters
    ----------
    record : Record
        The deploy.
    window : Window
        Who is kept out.
    failure : Failure
        Why.
    backup : Backup or None
        What it can be restored from.
    """
    record.error = failure.why
    try:
        # Whoever stopped the deploy did not mean this: it would leave the database half done.
        with Stop().heeded():
            wait_for_server(record)
            _undo(record, window, failure, backup)
    except (MigkitError, SQLAlchemyError, OSError) as trouble:
        told = str(trouble) if isinstance(trouble, MigkitError) else record.db.dialect.explain_error(trouble)
        record.status = "failed"
        record.error = f"{failure.why} Then: {told}"
        record.commands.append(f"migkit recover --database {record.db.name}")


def _undo(record: Record, window: Window, failure: Failure, backup: Backup | None) -> None:
    before = record.states.get("before")
    if not record.has_run or before is None:
        _reopen(record, window)
        record.status = "refused" if failure.refused else "stopped"
        return
    if _is_as_before(record, before):
        record.taken_back = {
            "strategy": "transaction",
            "steps": ["the engine took it back by itself"],
            "differences": [],
        }
        _reopen(record, window)
        record.status = "rolled back"
        return
    take_back_or_give_up(record, window, failure, backup)


def take_back_or_give_up(record: Record, window: Window, failure: Failure, backup: Backup | None) -> None:
    """Take a migration back that stands, in whole or in part, as the settings say; else say what a person can do."""
    rollback = record.options.rollback
    if not rollback.enabled or failure.trigger not in rollback.triggers:
        why = "[auto_rollback] is switched off"
        if rollback.enabled:
            why = f"{failure.trigger} is none of the triggers of [auto_rollback]"
        _give_up(record, window, f"It was not taken back: {why}", backup)
        return
    if _take_back(record, window, record.states["before"], backup) is None:
        _give_up(record, window, "It could not be taken back", backup)
        return
    _reopen(record, window)
    record.status = "rolled back"


def _is_as_before(record: Record, before: State) -> bool:
    now = capture(record.db, like=before)
    if not is_same(record.db, before, now):
        return False
    record.states["rolled_back"] = now
    return True


def _take_back(record: Record, window: Window, before: State, backup: Backup | None) -> TakenBack | None:
    """Try the strategies in order; return the one after which everything was as before."""
    if window.held is None:
        # Before looking whether others wrote: what they write between the two would be lost.
        window.close()
    lost = window.others_wrote(record.states.get("after"))
    tried: list[dict[str, Any]] = []
    for strategy in record.options.rollback.strategy:
        backup_id = backup.id if backup is not None else None
        why = cannot(
            strategy,
            db=record.db,
            migration=record.migration,
            run=record.run,
            backup_id=backup_id,
            moment=record.moment,
        )
        if strategy in _REPLACING and (lost := lost or window.slipped_in()):
            why = f"{lost}, which it would lose"
        if why is not None:
            tried.append({"strategy": strategy, "why_not": why})
            continue
        taken = _try(record, window, strategy, before, backup_id)
        steps, differences = list(taken.steps), list(taken.differences)
        tried.append({"strategy": strategy, "steps": steps, "differences": differences, "error": taken.error})
        if taken.restored:
            record.taken_back = {"strategy": strategy, "steps": steps, "differences": [], "tried": tried}
            return taken
        if strategy in _REPLACING and taken.error is None:
            lost = f"{strategy} put another database in place, and that was not as before: perhaps others wrote to it"
    record.taken_back = {"strategy": None, "steps": [], "differences": [], "tried": tried}
    return None


def _try(record: Record, window: Window, strategy: str, before: State, backup_id: str | None) -> TakenBack:
    options = record.options

    def work(learned: dict[str, Any]) -> TakenBack:
        assert window.held is not None
        with ExitStack() as stack:
            if strategy in _REPLACING:
                if window.held.closed.hold is not None and window.held.closed.hold.engine is None:
                    # Table locks of our own would keep out the restore, too.
                    stack.enter_context(window.held.paused())
                writer = stack.enter_context(window.held.privileged())
            else:
                writer = stack.enter_context(window.held.writer())
            taken = take_back(
                strategy,
                db=writer,
                migration=record.migration,
                run=record.run,
                before=before,
                backup_id=backup_id,
                moment=record.moment,
                directory=options.backups,
                timeout=options.timeout,
                lock_timeout=options.lock_timeout,
                # Whoever is still connected can only read.
                terminate=True,
                progress=record.progress,
            )
        record.db.close()
        # What replaced the database may be open to writers again, and so look different.
        if not taken.restored and taken.error is None and _is_as_before(record, before):
            taken = replace(taken, restored=True, differences=(), commands=())
        learned |= {"restored": taken.restored, "detail": _told(taken)}
        return taken

    taken = record.step(TAKE_BACK, f"Took it back ({strategy})", work, required=False, strategy=strategy)
    if not taken.restored:
        record.steps[-1]["status"] = "failed"
    return taken


def _told(taken: TakenBack) -> str:
    if taken.restored:
        return "the database is identical to what it was before"
    return redact(taken.error or "; ".join(taken.differences[:3]) or "it is not what it was before")


def _reopen(record: Record, window: Window) -> None:
    window.take_over_half_closed()
    if window.held is not None:
        window.open()
    if window.jobs_stopped:
        try:
            window.start_jobs()
        except MigkitError as error:
            record.error = f"{record.error} And jobs were not started again: {error}"
            record.commands += list(record.options.deploy.hooks.start)


def _give_up(record: Record, window: Window, why: str, backup: Backup | None) -> None:
    """Leave the database as it is, closed where it is closed, and say what a person can do."""
    record.status = "failed"
    tried = record.taken_back.get("tried", [])
    reasons = [f"{one['strategy']}: {one.get('why_not') or one.get('error') or 'not identical'}" for one in tried]
    record.error = f"{record.error} {why}{': ' + '; '.join(reasons) if reasons else ''}."
    with suppress(MigkitError, SQLAlchemyError):
        record.states["rolled_back"] = now = capture(record.db, like=record.states["before"])
        keep_state(record.evidence, "rolled_back", now)
    record.commands += commands_for(record, backup)
    if window.held is not None:
        if window.held.lasts:
            record.commands.append(f"migkit db read-only off --database {record.db.name}")
        else:
            window.open()
    # Whoever recovers later must not try again what was tried, while a person is at work.
    with record.journal.step(GAVE_UP, required=False, why=record.error, commands=record.commands):
        pass


def commands_for(record: Record, backup: Backup | None) -> list[str]:
    """Return what a person can type to take a migration back."""
    name, path = record.db.name, record.migration.path
    commands = []
    if record.migration.has_down:
        commands.append(f"migkit rollback {path} --database {name}")
        commands.append(f"migkit validate {path} --expect-absent --database {name}")
    if backup is not None:
        commands.append(f"migkit restore-backup {backup.id} --database {name}")
        commands.append(f"migkit verify-restore {backup.id} --database {name}")
    return commands
