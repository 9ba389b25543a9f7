"""Putting a restored database in the place of the one that serves: journalled, never half done without saying so."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from migkit.database import Database
from migkit.dialects.backing import Swap
from migkit.errors import MigkitError, RestoreFailed
from migkit.progress import SILENT, Progress
from migkit.recovery.exactness import compare_restored, told
from migkit.recovery.journal import JournalReading, StepJournal
from migkit.recovery.verification import state_of
from migkit.state.snapshot import State

SWAP_IN = "swap-in"
SETTLE = "settle-swap"
_RESTORED = "the restored database"


def new_stamp() -> str:
    """Return what tells one replacement from another in a database's name."""
    return f"{datetime.now(UTC):%Y%m%d%H%M%S}_{secrets.token_hex(2)}"


def planned_swap(db: Database, staged_name: str, aside: str, folder: Path, data: Path | None = None) -> Swap:
    """Return the swap of a staged database, read from a backup's `data`, with the one that serves."""
    url = db.engine.url
    return Swap(db.dialect.stage_url(url, staged_name), url, aside, folder, data)


def put_in_place(
    db: Database,
    swap: Swap,
    journal: StepJournal,
    *,
    terminate: bool = False,
    patience: float = 30.0,
    progress: Progress = SILENT,
) -> None:
    """Let a staged database take the place of the one that serves; that one is then called ``swap.aside``.

    Parameters
    ----------
    db : Database
        The one that serves; its own sessions are closed.
    swap : Swap
        What :func:`planned_swap` returned.
    journal : StepJournal
        Where the step is written down.
    terminate : bool
        End the sessions of others; else they are an error.
    patience : float
        Seconds to wait for them first.
    progress : Progress
        Where to tell how far it is.

    Raises
    ------
    DatabaseInUse, PermissionMissing, RestoreFailed
        If it is not done; what was there before still serves, unless the message says otherwise.
    """
    db.close()
    try:
        with journal.step(SWAP_IN, staged=str(swap.staged.database), aside=swap.aside):
            _swap_in(db, swap, terminate, patience, progress)
    except Exception as error:
        if not settle(db, swap, journal, error):
            raise
    except BaseException as error:
        # Ctrl-C: leave nothing half done, and stop all the same.
        settle(db, swap, journal, error)
        raise


def _swap_in(db: Database, swap: Swap, terminate: bool, patience: float, progress: Progress) -> None:
    try:
        db.dialect.swap_in(swap, terminate=terminate, patience=patience, progress=progress)
    except (SQLAlchemyError, OSError) as error:
        raise RestoreFailed(
            f"The restored database could not be put in place: {db.dialect.explain_error(error)}", where=db.name
        ) from error


def settle(db: Database, swap: Swap, journal: StepJournal, error: BaseException | None = None) -> bool:
    """Look where a swap stands that was broken off, and finish or undo it.

    Parameters
    ----------
    db : Database
        The database.
    swap : Swap
        The swap.
    journal : StepJournal
        Where that is written down.
    error : BaseException, optional
        What broke it off.

    Returns
    -------
    bool
        Whether the restored database serves now.

    Raises
    ------
    RestoreFailed
        If that cannot be told or done now; ``migkit recover`` goes on later.
    """
    try:
        with journal.step(SETTLE, required=False) as learned:
            learned["found"] = found = db.dialect.swap_status(swap)
            if found == "between":
                db.dialect.finish_swap(swap)
            elif found == "before":
                db.dialect.undo_swap(swap)
            learned["serves"] = _RESTORED if found != "before" else "the one before"
    except (MigkitError, SQLAlchemyError, OSError) as trouble:
        raise RestoreFailed(
            _both(error, trouble, db),
            where=db.name,
            next_step="migkit recover looks where it stands, and finishes or undoes it.",
        ) from error or trouble
    return found != "before"


def replacement_serves(reading: JournalReading, db: Database, swap: Swap, journal: StepJournal) -> bool:
    """Tell, after a crash, whether what was to be put in place serves; finish or undo a swap that was under way.

    Parameters
    ----------
    reading : JournalReading
        What was written down until the crash.
    db : Database
        The database.
    swap : Swap
        The swap.
    journal : StepJournal
        The same journal, resumed.

    Returns
    -------
    bool
        Whether it serves.

    Raises
    ------
    RestoreFailed
        If that cannot be told or done now.
    """
    if reading.done(SWAP_IN):
        return True
    settled = next((step for step in reversed(reading.steps) if step.facts.get("serves")), None)
    if settled is not None and settled.state == "done":
        return bool(settled.facts["serves"] == _RESTORED)
    return reading.may_have_begun(SWAP_IN) and settle(db, swap, journal)


def finish_if_there_is_room(journal: StepJournal, outcome: str) -> None:
    """Write the last line; where the disk is full, recover looks again, and finds nothing to do."""
    with suppress(MigkitError):
        journal.finish(outcome)


def _both(first: BaseException | None, second: Exception, db: Database) -> str:
    told_second = second.what if isinstance(second, MigkitError) else db.dialect.explain_error(second)
    told_first = first.what if isinstance(first, MigkitError) else str(first)
    return told_second if first is None or told_first == told_second else f"{told_first}; and then: {told_second}"


def require_in_place(db: Database, expected: State, *, content: bool, progress: Progress = SILENT) -> None:
    """Make sure that what serves now is what was restored.

    Parameters
    ----------
    db : Database
        The database.
    expected : State
        What its backup keeps.
    content : bool
        Compare rows too; once others may write again, only definitions are compared.

    Raises
    ------
    RestoreFailed
        If definitions differ.
    """
    found = compare_restored(
        expected, state_of(db, db.engine.url, progress), dialect=db.dialect, content=content, serves=True
    )
    if not found.exact:
        raise RestoreFailed(f"What serves now is not what was backed up: {told(found.differences)}", where=db.name)
