"""Taking a migration back, by one of four strategies; only what is identical to before counts as restored."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from migkit.database import Database
from migkit.display.card import Card, Fact, Fold
from migkit.display.lines import BAD, GOOD, NOTE, WARN, Line
from migkit.display.results import Drawn
from migkit.display.units import count, duration
from migkit.errors import ConfigError, MigkitError
from migkit.framing import plain
from migkit.migration.migration import Migration
from migkit.migration.results import Run
from migkit.migration.runner import run as run_migration
from migkit.progress import SILENT, Progress
from migkit.recovery.journal import StepJournal
from migkit.recovery.pitr import command_to, typed_name
from migkit.recovery.pitr_recovery import recover_to
from migkit.recovery.restoring import restore_backup
from migkit.state.capture import capture
from migkit.state.comparison import Comparison, compare
from migkit.state.snapshot import State

STRATEGIES = ("transaction", "backup", "pitr", "down")
_KEEP_OLD_DAYS = 7.0
_SHOWN = 20


@dataclass(frozen=True, eq=False, repr=False)
class TakenBack(Drawn):
    """What taking a migration back came to.

    Attributes
    ----------
    strategy : str
        ``transaction``, ``backup``, ``pitr`` or ``down``.
    database : str
        The database.
    restored : bool
        The database is identical to what it was before; never true without having looked.
    steps : tuple of str
        What was done.
    differences : tuple of str
        What is not as before, one sentence each.
    commands : tuple of str
        What a person can type, where it is not restored.
    error : str or None
        Why the strategy did not work.
    comparison : Comparison or None
        The state before and the one now; ``None`` if nobody could look.
    kept : str or None
        What the database that was replaced is called now.
    seconds : float
        How long it took.
    """

    strategy: str
    database: str
    restored: bool
    steps: tuple[str, ...]
    differences: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    error: str | None = None
    comparison: Comparison | None = field(default=None, repr=False)
    kept: str | None = None
    seconds: float = 0.0

    def to_document(self) -> dict[str, Any]:
        """Return what was done as JSON values."""
        return {
            "strategy": self.strategy,
            "database": self.database,
            "restored": self.restored,
            "steps": list(self.steps),
            "differences": list(self.differences),
            "commands": list(self.commands),
            "error": self.error,
            "kept": self.kept,
            "seconds": self.seconds,
        }

    def card(self) -> Card:
        """Return what it shows of itself."""
        verdict = "rolled back: identical to before" if self.restored else f"NOT rolled back: {self._reason()}"
        lines = [Line(GOOD, one) for one in self.steps]
        if self.error:
            lines.append(Line(BAD, self.error))
        lines += [Line(BAD, one) for one in self.differences[:_SHOWN]]
        lines += [Line(WARN, f"type: {one}") for one in self.commands]
        if self.kept:
            lines.append(Line(NOTE, f"what was replaced is called {self.kept}"))
        folds = (Fold("Tables", self.comparison.tables),) if self.comparison is not None else ()
        return Card(
            title=f"Taking back on {self.database}, by {self.strategy}",
            sign=GOOD if self.restored else BAD,
            verdict=verdict,
            figures=(Fact("took", duration(self.seconds)), Fact("differences", count(len(self.differences)))),
            lines=tuple(lines),
            folds=folds,
            noun="step",
        )

    def _reason(self) -> str:
        return self.error or (self.differences[0] if self.differences else "nobody could look")


@dataclass(frozen=True)
class _Case:
    """All that a strategy may need."""

    db: Database
    migration: Migration
    run: Run | None
    backup_id: str | None
    moment: datetime | None
    directory: Path
    timeout: float | None
    lock_timeout: float | None
    terminate: bool
    progress: Progress


@dataclass(frozen=True)
class _Done:
    """What a strategy did."""

    steps: tuple[str, ...]
    kept: str | None = None


def cannot(
    strategy: str,
    *,
    db: Database,
    migration: Migration,
    run: Run | None = None,
    backup_id: str | None = None,
    moment: datetime | None = None,
) -> str | None:
    """Say why a strategy cannot take a migration back; asked before anything is run, so that it is said at once.

    Parameters
    ----------
    strategy : str
        One of :data:`STRATEGIES`.
    db : Database
        The database.
    migration : Migration
        The migration.
    run : Run, optional
        The run, where it has happened.
    backup_id : str, optional
        The backup of the database before.
    moment : datetime, optional
        The moment before, as ``migkit timestamp`` noted it.

    Returns
    -------
    str or None
        The reason, in one sentence; ``None`` if nothing speaks against it.

    Raises
    ------
    ConfigError
        If there is no such strategy.
    """
    if strategy not in STRATEGIES:
        raise ConfigError(f"There is no strategy {strategy!r}", next_step=f"Known: {', '.join(STRATEGIES)}.")
    if strategy == "transaction":
        return _cannot_by_transaction(db, run)
    if strategy == "down" and not migration.has_down:
        return f"{migration.name} has no way down"
    if strategy == "backup" and backup_id is None:
        return f"no backup of {db.name} was made before"
    if strategy == "pitr" and moment is None:
        return f"no moment before was noted with migkit timestamp on {db.name}"
    return None


def _cannot_by_transaction(db: Database, run: Run | None) -> str | None:
    if not db.dialect.transactional_ddl:
        return f"{db.dialect.label} commits at every statement that changes the schema, so no transaction undoes it"
    if run is not None and run.succeeded:
        return "the migration was committed, and no transaction undoes that"
    if run is not None and run.standing:
        return f"statements outside the transaction stand: {'; '.join(' '.join(sql.split()) for sql in run.standing)}"
    return None


def take_back(
    strategy: str,
    *,
    db: Database,
    migration: Migration,
    run: Run | None,
    before: State,
    directory: Path,
    backup_id: str | None = None,
    moment: datetime | None = None,
    journal: StepJournal | None = None,
    timeout: float | None = None,
    lock_timeout: float | None = None,
    terminate: bool = False,
    progress: Progress = SILENT,
) -> TakenBack:
    """Take a migration back, and compare the database with what it was before.

    A strategy that does not work is a result, not an exception: it says why, what is not as before, and what a person
    can type.

    Parameters
    ----------
    strategy : str
        One of :data:`STRATEGIES`.
    db : Database
        The database.
    migration : Migration
        What was run.
    run : Run or None
        How that went; ``None`` if nothing is known of it.
    before : State
        What the database was before.
    directory : Path
        The folder of backups.
    backup_id, moment : str, datetime, optional
        A backup of the database before, and the moment before.
    journal : StepJournal, optional
        Where the step is written down.
    timeout, lock_timeout : float, optional
        Limits of the way down, in seconds.
    terminate : bool
        End sessions that are in the way of replacing the database.
    progress : Progress
        Where to tell how far it is.

    Returns
    -------
    TakenBack
        ``restored`` only if the state now is identical to `before`.

    Raises
    ------
    ConfigError
        If there is no such strategy.
    """
    case = _Case(db, migration, run, backup_id, moment, directory, timeout, lock_timeout, terminate, progress)
    with _step(journal, strategy):
        return _take_back(strategy, case, before)


def _take_back(strategy: str, case: _Case, before: State) -> TakenBack:
    began = time.perf_counter()
    reason = cannot(
        strategy, db=case.db, migration=case.migration, run=case.run, backup_id=case.backup_id, moment=case.moment
    )
    done, error = _Done(()), f"{reason[0].upper()}{reason[1:]}." if reason else None
    if reason is None:
        try:
            done = _STRATEGIES[strategy](case)
        except MigkitError as failure:
            error = str(failure)
    comparison, differences = _look(case.db, before, case.progress)
    restored = error is None and comparison is not None and comparison.identical
    return TakenBack(
        strategy=strategy,
        database=case.db.name,
        restored=restored,
        steps=done.steps,
        differences=() if restored else differences,
        commands=() if restored else _commands(case, strategy),
        error=error,
        comparison=comparison,
        kept=done.kept,
        seconds=time.perf_counter() - began,
    )


def _step(journal: StepJournal | None, strategy: str) -> AbstractContextManager[Any]:
    return journal.step("take-back", required=False, strategy=strategy) if journal else nullcontext()


# --- the strategies ---------------------------------------------------------------------------------------------------


def _by_transaction(case: _Case) -> _Done:
    """The server has rolled back already; comparing shows whether all of it."""
    return _Done(("the server rolled the transaction back",))


def _by_down(case: _Case) -> _Done:
    run = case.run
    if run is not None and not run.succeeded and not run.standing:
        return _Done(("nothing of the migration stands, so there was nothing to undo",))
    undone = run_migration(
        case.migration,
        case.db,
        direction="down",
        timeout=case.timeout,
        lock_timeout=case.lock_timeout,
        progress=case.progress,
    )
    if not undone.succeeded:
        raise MigkitError(f"The way down failed: {undone.error}", where=case.migration.name)
    return _Done((f"ran the way down of {case.migration.name} in {duration(undone.seconds)}",))


def _by_backup(case: _Case) -> _Done:
    assert case.backup_id is not None
    restored = restore_backup(
        case.backup_id,
        case.db,
        directory=case.directory,
        terminate=case.terminate,
        keep_old_days=_KEEP_OLD_DAYS,
        progress=case.progress,
    )
    return _Done((f"restored the backup {case.backup_id} in {duration(restored.seconds)}",), restored.kept)


def _by_pitr(case: _Case) -> _Done:
    assert case.moment is not None
    recovered = recover_to(
        case.db,
        case.moment,
        case.directory,
        terminate=case.terminate,
        keep_old_days=_KEEP_OLD_DAYS,
        progress=case.progress,
    )
    return _Done(recovered.steps, recovered.kept)


_STRATEGIES: dict[str, Callable[[_Case], _Done]] = {
    "transaction": _by_transaction,
    "backup": _by_backup,
    "pitr": _by_pitr,
    "down": _by_down,
}


# --- looking ----------------------------------------------------------------------------------------------------------


def _look(db: Database, before: State, progress: Progress) -> tuple[Comparison | None, tuple[str, ...]]:
    """Hold the database against what it was before; what was not looked at is never identical."""
    try:
        comparison = compare(before, capture(db, like=before, progress=progress))
    except MigkitError as error:
        return None, (f"the database could not be looked at: {error}",)
    except SQLAlchemyError as error:
        return None, (f"the database could not be looked at: {db.dialect.explain_error(error)}",)
    return comparison, _differences(comparison)


def _differences(comparison: Comparison) -> tuple[str, ...]:
    if comparison.identical:
        return ()
    found = tuple(str(what) for what in plain(comparison.findings["what"]))
    return found or ("the rows could not be proven to be the same",)


def _commands(case: _Case, strategy: str) -> tuple[str, ...]:
    """Return the other ways, as a person types them; the one that failed is not among them."""
    db, name = case.db, shlex.quote(typed_name(case.db))
    confirmed = f" --yes-production {shlex.quote(db.name)}" if db.protected else ""
    ways = {
        "down": f"migkit rollback {shlex.quote(str(case.migration.path))} --database {name}{confirmed}"
        if case.migration.has_down
        else None,
        "backup": f"migkit restore-backup {case.backup_id} --database {name}{confirmed}" if case.backup_id else None,
        "pitr": command_to(case.moment, db) if case.moment else None,
    }
    found = [command for way, command in ways.items() if command and way != strategy]
    return (*found, f"migkit recover --database {name}") if strategy in ("backup", "pitr") else tuple(found)
