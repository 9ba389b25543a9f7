"""Returning a database to a moment: recovered beside, verified, and swapped in; until then the original serves."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from migkit import embedded
from migkit.database import Database
from migkit.dialects.backing import Swap
from migkit.dialects.point_in_time import Base, LogMoment
from migkit.display.units import duration, plural
from migkit.errors import MigkitError, MomentUnreachable, RestoreFailed
from migkit.progress import SILENT, Progress
from migkit.recovery import keeping
from migkit.recovery.exactness import compare_restored
from migkit.recovery.exactness import told as told_differences
from migkit.recovery.journal import JournalReading, StepJournal
from migkit.recovery.pitr import renew_base, told
from migkit.recovery.pitr_records import FOLDER, RECOVERIES, Records, records_of, require_enabled
from migkit.recovery.pitr_results import Recovered
from migkit.recovery.pitr_staging import Staged, Staging, backup_data, stage, workspace
from migkit.recovery.replacing import (
    finish_if_there_is_room,
    new_stamp,
    planned_swap,
    put_in_place,
    replacement_serves,
)
from migkit.recovery.verification import drop_stage, new_stage_name, state_of
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.storage import encode_instant

PATIENCE_SECONDS = 30.0
KEEP_OLD_DAYS = 7.0
_RECOVER, _LOOK, _CONFIRM, _NEW_BASE, _KEEP = "recover-beside", "capture-before", "confirm", "new-base", "keep-old"


def recover_to(
    db: Database,
    moment: datetime,
    directory: Path,
    *,
    terminate: bool = False,
    patience: float = PATIENCE_SECONDS,
    keep_old_days: float = KEEP_OLD_DAYS,
    progress: Progress = SILENT,
) -> Recovered:
    """Return a database to a moment.

    It is recovered beside the original, held against what it was recovered from, and then takes the original's place.
    Failing anywhere leaves the original serving.

    Parameters
    ----------
    db : Database
        The database.
    moment : datetime
        The moment, on the server's clock; exact to the transaction if ``migkit timestamp`` noted it.
    directory : Path
        The folder of backups.
    terminate, patience : bool, float
        End sessions that do not leave within so many seconds before the swap; else they are an error.
    keep_old_days : float
        Keep what was there before for so many days, under another name.
    progress : Progress
        Where to tell how far it is.

    Returns
    -------
    Recovered
        What was done, and what differs from before.

    Raises
    ------
    MomentUnreachable
        If the moment lies in the future, before the first base, or in a gap of the log.
    DatabaseInUse
        If others stay on the database.
    """
    began = time.monotonic()
    records = records_of(db, directory)
    require_enabled(records, db.name)
    base, target = _plan(db, records, moment)
    stamp = new_stamp()
    work = _Recovery(
        db=db,
        directory=directory.absolute(),
        folder=directory.absolute() / FOLDER / RECOVERIES / stamp,
        staged=new_stage_name(),
        aside=db.dialect.aside_name(db.engine.url, stamp),
        room=embedded.home() / f"pitr-{stamp}",
        keep_old_days=keep_old_days,
        data=backup_data(base),
    )
    with work.journal(target) as journal:
        return _recover(work, records, base, target, journal, terminate, patience, progress, began)


def _recover(
    work: _Recovery,
    records: Records,
    base: Base,
    target: LogMoment,
    journal: StepJournal,
    terminate: bool,
    patience: float,
    progress: Progress,
    began: float,
) -> Recovered:
    db, in_place = work.db, False
    try:
        with journal.step(_RECOVER) as learned, told(db), workspace(work.room):
            db.dialect.catch_up(db.engine.url, records.recording)
            staging = Staging(db, records.recording, base, target, work.staged, work.room, progress)
            found = stage(staging)
            learned["rows"] = found.state.total_rows
        took = duration(time.monotonic() - began)
        progress.note("✓", f"Recovered {plural(found.state.total_rows, 'row')} beside, {found.proof} ({took})")
        with journal.step(_LOOK):
            before = capture(db, progress=progress)
        put_in_place(db, work.swap, journal, terminate=terminate, patience=patience, progress=progress)
        in_place = True
        with journal.step(_CONFIRM):
            _require_in_place(db, found, progress)
    except BaseException as error:
        if not in_place:
            _take_back(work, journal, error)
        raise
    progress.note("✓", f"Put it in the place of {db.name}; what was there before is {work.aside}")
    notes = _tidy(work, journal, progress)
    journal.finish("recovered")
    seconds = time.monotonic() - began
    return Recovered(
        db.name, target.moment, work.aside, compare(before, found.state), _steps(work, found, took), notes, seconds
    )


def _require_in_place(db: Database, staged: Staged, progress: Progress) -> None:
    """Make sure that what serves now is what was recovered; rows may have been written to again."""
    serving = compare_restored(staged.state, state_of(db, db.engine.url, progress), dialect=db.dialect, content=False)
    if not serving.exact:
        raise RestoreFailed(
            f"What serves now is not what was recovered: {told_differences(serving.differences)}", where=db.name
        )


def _steps(work: _Recovery, found: Staged, took: str) -> tuple[str, ...]:
    return (
        f"recovered {plural(found.state.total_rows, 'row')} beside, {found.proof} ({took})",
        *found.notes,
        f"what was there before is kept as {work.aside} for {work.keep_old_days:g} days",
    )


@dataclass(frozen=True)
class _Recovery:
    """One return to a moment: what it makes, under which names."""

    db: Database
    directory: Path
    folder: Path
    staged: str
    aside: str
    room: Path
    keep_old_days: float
    data: Path | None

    @property
    def swap(self) -> Swap:
        """What takes whose place."""
        return planned_swap(self.db, self.staged, self.aside, self.folder, self.data)

    def journal(self, target: LogMoment) -> StepJournal:
        """Begin the journal, with what finishing or undoing needs."""
        return StepJournal.create(
            self.folder,
            kind="pitr",
            database=self.db.name,
            place=self.db.url,
            moment=encode_instant(target.moment),
            position=target.position,
            directory=str(self.directory),
            staged=self.staged,
            aside=self.aside,
            room=str(self.room),
            keep_old_days=self.keep_old_days,
            data=str(self.data) if self.data else None,
        )


# --- before and after -------------------------------------------------------------------------------------------------


def _plan(db: Database, records: Records, moment: datetime) -> tuple[Base, LogMoment]:
    """Choose where to start from, having made sure that the moment can be there; nothing is changed yet."""
    with told(db), db.engine.connect() as connection:
        now = db.dialect.log_moment(connection).moment
    moment = moment.astimezone(UTC)
    if moment > now:
        raise MomentUnreachable(
            f"{encode_instant(moment)} lies in the future",
            where=db.name,
            next_step=f"The server's clock reads {encode_instant(now)}.",
        )
    target = records.target(moment)
    if db.dialect.pitr_base == "point":
        return _point(records, target), target
    return records.base_for(target), target


def _point(records: Records, target: LogMoment) -> Base:
    bases = records.bases()
    exact = next((base for base in bases if base.moment == target.moment), None)
    if exact is not None:
        return exact
    nearest = sorted(bases, key=lambda base: abs(base.moment - target.moment))[:2]
    names = " and ".join(encode_instant(base.moment) for base in sorted(nearest, key=lambda base: base.moment))
    raise MomentUnreachable(
        f"No restore point was taken at {encode_instant(target.moment)}",
        where=str(records.folder),
        next_step=f"The nearest: {names}." if nearest else "Take one with: migkit timestamp.",
    )


def _take_back(work: _Recovery, journal: StepJournal, error: BaseException) -> None:
    """Drop what was made beside, unless nobody knows what serves now: then `migkit recover` has to look."""
    try:
        serves_the_old = work.db.dialect.swap_status(work.swap) == "before"
    except (MigkitError, SQLAlchemyError, OSError):
        return  # unreachable now; the journal stays open, and the error that is on its way says so
    if not serves_the_old:
        return
    with journal.step("drop-staged", required=False) as learned:
        learned["left"] = trouble = drop_stage(work.db, work.staged)
    if trouble is None:
        finish_if_there_is_room(journal, f"undone: {error}")


def _tidy(work: _Recovery, journal: StepJournal, progress: Progress) -> tuple[str, ...]:
    """Keep what was there before, and begin the log of what serves now; what fails is told, for the rest is done."""
    db, notes = work.db, []
    with journal.step(_KEEP, required=False, aside=work.aside):
        left = drop_stage(db, work.staged)
        if left:
            notes.append(f"a scratch database is left behind: {left}")
        keeping.keep(work.directory, db, work.aside, work.keep_old_days)
    if db.dialect.pitr_base == "backup":
        # The log of what serves now does not continue that of what served before.
        try:
            with journal.step(_NEW_BASE, required=False):
                renew_base(db, work.directory, progress=progress)
        except MigkitError as error:
            notes.append(f"no new base could be taken, so moments from now on cannot be returned to yet: {error}")
    return tuple(notes)


# --- after a crash ----------------------------------------------------------------------------------------------------


def recover_pitr(reading: JournalReading, db: Database, progress: Progress = SILENT) -> str:
    """Finish or undo a return to a moment that was killed.

    Parameters
    ----------
    reading : JournalReading
        Its journal.
    db : Database
        The database it was to replace.
    progress : Progress
        Where to tell how far it is.

    Returns
    -------
    str
        What was done, in one line.

    Raises
    ------
    RestoreFailed
        If only a person can go on; says why.
    """
    facts = reading.facts
    room = Path(facts["room"])
    work = _Recovery(
        db=db,
        directory=Path(facts["directory"]),
        folder=reading.path.parent,
        staged=facts["staged"],
        aside=facts["aside"],
        room=room,
        keep_old_days=facts["keep_old_days"],
        data=Path(facts["data"]) if facts["data"] else None,
    )
    with StepJournal.resume(reading.path) as journal:
        db.dialect.abandon_recovery(room / "cluster")
        shutil.rmtree(room, ignore_errors=True)
        if not replacement_serves(reading, work.db, work.swap, journal):
            left = drop_stage(db, work.staged)
            journal.finish("undone")
            rest = f"; what was recovered so far is left behind: {left}" if left else ""
            return f"The return of {db.name} to {facts['moment']} was undone: what was there before serves{rest}."
        notes = _tidy(work, journal, progress)
        if not reading.done(_CONFIRM):
            notes = ("what serves now was not compared once more", *notes)
        journal.finish("recovered")
    old = f"; what was there before is kept as {work.aside}"
    return "; ".join([f"The return of {db.name} to {facts['moment']} was finished{old}", *notes]) + "."
