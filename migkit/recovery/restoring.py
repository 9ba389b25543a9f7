"""``restore_backup()``: beside, verified, then swapped in; until then, and if anything fails, the original serves."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migkit.database import Database
from migkit.dialects.backing import Swap
from migkit.display.card import Card, Fact
from migkit.display.lines import GOOD, NOTE, Line
from migkit.display.results import Drawn
from migkit.display.units import duration
from migkit.errors import BackupInvalid, MigkitError, RestoreFailed, StateUnreadable
from migkit.progress import SILENT, Progress
from migkit.recovery import keeping
from migkit.recovery.backup import DATA, Backup
from migkit.recovery.catalogue import RESTORATIONS, find_backup, needed, update
from migkit.recovery.exactness import compare_restored, told
from migkit.recovery.journal import JournalReading, StepJournal
from migkit.recovery.journal_reading import journals_under, read_journal
from migkit.recovery.replacing import (
    finish_if_there_is_room,
    new_stamp,
    planned_swap,
    put_in_place,
    replacement_serves,
    require_in_place,
)
from migkit.recovery.verification import (
    drop_stage,
    fill_stage,
    new_stage_name,
    require_fitting,
    require_whole,
    state_of,
)

# What was there before is not dropped for a restore that nobody could look at to the end.
_KEEP_UNCONFIRMED_DAYS = 7.0
_FILL, _VERIFY, _CONFIRM, _TIDY = "fill", "verify", "confirm", "tidy"


@dataclass(frozen=True, eq=False, repr=False)
class Restoration(Drawn):
    """What a restore did.

    Attributes
    ----------
    backup : Backup
        What was restored.
    database : str
        Where.
    passed : bool
        The database is exactly what was backed up, and serves.
    seconds : float
        How long it took.
    kept : str or None
        What the database that was there before is called now; ``None`` if it is gone.
    kept_until : datetime or None
        From when on it may be pruned.
    notes : tuple of str
        What was not compared, or left behind.
    journal : Path
        The journal of its steps.
    """

    backup: Backup
    database: str
    passed: bool
    seconds: float
    kept: str | None
    kept_until: datetime | None
    notes: tuple[str, ...]
    journal: Path

    def to_document(self) -> dict[str, Any]:
        """Return the restoration as JSON values."""
        return {
            "passed": self.passed,
            "backup": self.backup.id,
            "database": self.database,
            "seconds": self.seconds,
            "kept": self.kept,
            "kept_until": self.kept_until and self.kept_until.isoformat(),
            "notes": list(self.notes),
            "journal": str(self.journal),
        }

    def card(self) -> Card:
        """Return what the restoration shows of itself."""
        until = f" until {self.kept_until:%Y-%m-%d %H:%M} UTC" if self.kept_until else ""
        old = f"what was there before is kept as {self.kept}{until}" if self.kept else "what was there before is gone"
        return Card(
            title=f"Restore of backup {self.backup.id} to {self.database}",
            sign=GOOD,
            verdict="restored, exactly what was backed up, and in place",
            figures=(Fact("took", duration(self.seconds)), Fact("rows", f"{self.backup.rows:,}")),
            lines=(
                Line(GOOD, f"as of {self.backup.created_at:%Y-%m-%d %H:%M:%S} UTC"),
                Line(NOTE, old),
                *(Line(NOTE, one) for one in self.notes),
            ),
        )


@dataclass(frozen=True)
class _Plan:
    """One restore: the folder of what, where to, and under which names."""

    backup: Path
    db: Database
    directory: Path
    folder: Path
    staged: str
    aside: str
    keep_old_days: float | None

    def swap(self) -> Swap:
        """Return the swap that is part of it."""
        return planned_swap(self.db, self.staged, self.aside, self.folder, self.backup / DATA)


def restore_backup(
    identifier: str | Backup,
    db: Database,
    *,
    directory: Path,
    terminate: bool = False,
    patience: float = 30.0,
    keep_old_days: float | None = None,
    progress: Progress = SILENT,
) -> Restoration:
    """Put a database back to what a backup of it holds.

    Parameters
    ----------
    identifier : str or Backup
        The backup.
    db : Database
        The database to replace.
    directory : Path
        The folder of backups; the journal is kept there, too.
    terminate : bool
        End sessions that do not leave the database by themselves; else they are an error.
    patience : float
        Seconds to wait for them to leave.
    keep_old_days : float, optional
        Keep what was there before for so many days; by default until the restore is verified.
    progress : Progress
        Where to tell how far it is.

    Returns
    -------
    Restoration
        What was done.

    Raises
    ------
    BackupInvalid
        If there is no such backup, it is damaged, or of another engine or version.
    DatabaseInUse
        If others stay on the database.
    RestoreFailed
        If it fails; the original serves, unless the message says otherwise.
    """
    begun = time.monotonic()
    backup = find_backup(directory, identifier)
    require_fitting(backup, db)
    with needed(backup, f"a restore to {db.name}"):
        require_whole(backup)
        stamp = new_stamp()
        aside = db.dialect.aside_name(db.engine.url, stamp)
        folder = directory / RESTORATIONS / f"{backup.id}-{stamp}"
        plan = _Plan(backup.folder, db, directory.absolute(), folder, new_stage_name(), aside, keep_old_days)
        with _journal(plan) as journal:
            _require_alone(plan, journal)
            notes = _restore(plan, backup, journal, terminate, patience, progress)
            kept, more = _tidy(plan, journal)
            journal.finish("restored")
    name, until = (kept.name, kept.expires_at) if kept else (None, None)
    seconds = time.monotonic() - begun
    return Restoration(backup, db.name, True, seconds, name, until, (*notes, *more), journal.path)


def _journal(plan: _Plan) -> StepJournal:
    return StepJournal.create(
        plan.folder,
        kind="restore",
        database=plan.db.name,
        place=plan.db.url,
        backup=plan.backup.name,
        directory=str(plan.directory),
        staged=plan.staged,
        aside=plan.aside,
        keep_old_days=plan.keep_old_days,
    )


def _require_alone(plan: _Plan, journal: StepJournal) -> None:
    """Make sure that no other restore of this database goes on, or was killed and may stand half-way.

    Raises
    ------
    RestoreFailed
        If there is one; says whose.
    """
    for path in journals_under(plan.directory / RESTORATIONS):
        try:
            other = read_journal(path)
        except StateUnreadable:
            continue  # migkit recover tells of it; what nobody can read keeps nobody from restoring
        if other.is_finished or other.place != plan.db.url or path.samefile(journal.path):
            continue
        journal.finish("refused")
        still = "still goes on" if other.is_running else "never came to its end"
        raise RestoreFailed(
            f"A restore of this database, begun at {other.started_at:%Y-%m-%d %H:%M:%S} UTC by {other.owner}, {still}",
            where=plan.db.name,
            next_step="Nothing was changed. Wait for it." if other.is_running else "Type: migkit recover.",
        )


def _restore(
    plan: _Plan, backup: Backup, journal: StepJournal, terminate: bool, patience: float, progress: Progress
) -> tuple[str, ...]:
    db = plan.db
    expected = backup.state()
    in_place = False
    try:
        begun = time.monotonic()
        with journal.step(_FILL, staged=plan.staged):
            url = fill_stage(backup.data, backup.facts, db, plan.staged, progress)
        seconds = time.monotonic() - begun
        with journal.step(_VERIFY, staged=plan.staged):
            found = compare_restored(expected, state_of(db, url, progress), dialect=db.dialect)
            if not found.exact:
                raise RestoreFailed(
                    f"What was restored is not what was backed up: {told(found.differences)}",
                    where=backup.id,
                    next_step="What was there before still serves.",
                )
        update(backup, verified_at=datetime.now(UTC), restore_seconds=seconds)
        swap = plan.swap()
        put_in_place(db, swap, journal, terminate=terminate, patience=patience, progress=progress)
        in_place = True
        with journal.step(_CONFIRM):
            require_in_place(db, expected, content=False, progress=progress)
    except BaseException as error:
        if not in_place:
            _take_back(plan, journal, error)
        raise
    return found.notes


def _take_back(plan: _Plan, journal: StepJournal, error: BaseException) -> None:
    """Drop what was staged, unless nobody knows what serves now: then `migkit recover` has to look."""
    swap = plan.swap()
    try:
        serves_the_old = plan.db.dialect.swap_status(swap) == "before"
    except Exception:
        return  # unreachable now; the journal stays open, and the error that is on its way says so
    if not serves_the_old:
        return
    with journal.step("drop-staged", required=False) as learned:
        trouble = drop_stage(plan.db, plan.staged)
        learned["left"] = trouble
    if trouble is None:
        finish_if_there_is_room(journal, f"undone: {error}")


def _tidy(plan: _Plan, journal: StepJournal) -> tuple[keeping.KeptDatabase | None, tuple[str, ...]]:
    """Drop what is not needed any more; what cannot be dropped is told, for the restore has succeeded."""
    notes: list[str] = []
    kept = None
    with journal.step(_TIDY, required=False, aside=plan.aside) as learned:
        left = drop_stage(plan.db, plan.staged)
        if left:
            notes.append(f"a scratch database is left behind: {left}")
        if plan.keep_old_days is None:
            try:
                keeping.drop(plan.db, plan.aside)
            except MigkitError as error:
                notes.append(f"what was there before is left behind: {error}")
                kept = keeping.keep(plan.directory, plan.db, plan.aside, 0)
        else:
            kept = keeping.keep(plan.directory, plan.db, plan.aside, plan.keep_old_days)
        learned["kept"] = kept.name if kept else None
    return kept, tuple(notes)


# --- after a crash ----------------------------------------------------------------------------------------------------


def recover_restore(reading: JournalReading, db: Database, progress: Progress = SILENT) -> str:
    """Finish or undo a restore that was killed.

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
    directory, name = Path(facts["directory"]), str(facts["backup"])
    plan = _Plan(
        backup=directory / name,
        db=db,
        directory=directory,
        folder=reading.path.parent,
        staged=facts["staged"],
        aside=facts["aside"],
        keep_old_days=facts["keep_old_days"],
    )
    with StepJournal.resume(reading.path) as journal:
        if not replacement_serves(reading, plan.db, plan.swap(), journal):
            left = drop_stage(db, plan.staged)
            journal.finish("undone")
            rest = f"; what was restored so far is left behind: {left}" if left else ""
            return f"The restore of {name} to {db.name} was undone: what was there before serves{rest}."
        unconfirmed = _confirm_again(plan, journal, progress)
        if unconfirmed and plan.keep_old_days is None:
            plan = replace(plan, keep_old_days=_KEEP_UNCONFIRMED_DAYS)
        kept, notes = _tidy(plan, journal)
        journal.finish("restored")
    old = f"; what was there before is kept as {kept.name}" if kept else ""
    return "; ".join([f"The restore of {name} to {db.name} was finished{old}", *unconfirmed, *notes]) + "."


def _confirm_again(plan: _Plan, journal: StepJournal, progress: Progress) -> tuple[str, ...]:
    """Look at what serves; say why not, where the backup is gone: it was verified before it was put in place."""
    try:
        expected = find_backup(plan.directory, plan.backup.name).state()
    except BackupInvalid as error:
        return (f"what serves now was not compared once more: {error}",)
    with journal.step(_CONFIRM):
        require_in_place(plan.db, expected, content=False, progress=progress)
    return ()
