"""``recover()``: what killed processes left behind, said and then finished or undone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from migkit import frames
from migkit.clone.leftovers import drop_leftovers
from migkit.config import Config
from migkit.database import Database, connect
from migkit.dialects.base import Row
from migkit.display.card import Card
from migkit.display.lines import BAD, GOOD, WARN, Line
from migkit.display.results import Drawn
from migkit.display.units import plural
from migkit.errors import ConfigError, MigkitError, ProtectedDatabase
from migkit.migration.loading import load_migration
from migkit.progress import SILENT, Progress
from migkit.recovery.journal import JournalReading, StepJournal
from migkit.recovery.journal_reading import read_journal
from migkit.recovery.pitr_recovery import recover_pitr
from migkit.recovery.restoring import recover_restore
from migkit.redaction import MASK, redact
from migkit.workflow.deployment.options import DeployOptions
from migkit.workflow.deployment.resuming import resume_deploy

# A deploy that was killed may have begun a restore: that comes first.
_ORDER = {"restore": 0, "pitr": 0, "rollback": 1, "deploy": 2}
_SCRATCH = "scratch database"
_SIGNS = {"done": GOOD, "left alone": WARN, "failed": BAD}


@dataclass(frozen=True, eq=False, repr=False)
class Recovery(Drawn):
    """What killed processes had left, and what became of it.

    Attributes
    ----------
    work : pandas.DataFrame
        One row per piece of unfinished work (:data:`migkit.frames.RECOVERED`).
    """

    work: pd.DataFrame = field(repr=False)

    @property
    def passed(self) -> bool:
        """Nothing is left that a person has to see to."""
        return not bool((self.work["outcome"] == "failed").any())

    def card(self) -> Card:
        """Return what it shows of itself."""
        rows = frames.RECOVERED.rows(self.work)
        failed = sum(row["outcome"] == "failed" for row in rows)
        verdict = "nothing was left half done" if not rows else f"{plural(len(rows), 'piece')} of unfinished work"
        return Card(
            title="Recovery",
            sign=BAD if failed else GOOD,
            verdict=f"{verdict}, {failed} for a person to see to" if failed else verdict,
            lines=tuple(Line(_SIGNS[row["outcome"]], f"{_subject(row)}: {row['told']}") for row in rows),
        )

    def to_document(self) -> dict[str, Any]:
        """Return the recovery as JSON values."""
        rows = frames.RECOVERED.rows(self.work)
        return {
            "passed": self.passed,
            "work": [{**row, "started_at": row["started_at"] and row["started_at"].isoformat()} for row in rows],
        }


def recover(
    config: Config,
    *,
    roots: tuple[Path, ...],
    db: Database | None = None,
    accept: bool = False,
    confirm: str | None = None,
    progress: Progress = SILENT,
) -> Recovery:
    """Look for work that was never brought to its end, and finish or undo it.

    Parameters
    ----------
    config : Config
        The settings.
    roots : tuple of Path
        Where journals lie: the archive of evidence, the folder of backups.
    db : Database, optional
        Only work on this database; by default all, each reached as its journal says.
    accept : bool
        Take the database as it is now, and close the journals of what could not be recovered.
    confirm : str, optional
        The name of the database, if it is protected.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Recovery
        What was found, and what became of it.
    """
    found = sorted(StepJournal.unfinished(*roots), key=lambda one: (_ORDER.get(one.kind, 1), one.started_at))
    wanted = [one for one in found if db is None or one.place == db.url]
    work = _Work(config, db, accept, confirm, progress)
    rows: list[Row] = []
    unsettled: set[str] = set()
    for reading in wanted:
        row = _row(reading, work, unsettled)
        rows.append(row)
        if row["outcome"] == "failed" and reading.kind != "deploy":
            unsettled.add(reading.place)
    rows += _leftovers(db, roots, progress)
    return Recovery(frames.RECOVERED.build(rows))


def _leftovers(db: Database | None, roots: tuple[Path, ...], progress: Progress) -> Iterator[Row]:
    """Drop scratch databases whose process was killed, but for those that unfinished work still needs."""
    needed = "".join(one.path.read_text(encoding="utf-8") for one in StepJournal.unfinished(*roots))
    progress.begin("Looking for scratch databases that were left behind")
    try:
        for left in drop_leftovers([] if db is None else [db], needed):
            row: Row = {"kind": _SCRATCH, "database": left.name, "journal": left.place}
            if not left.is_ours:
                yield row | {
                    "outcome": "left alone",
                    "told": f"another machine, or an older migkit, made it on {left.place}",
                }
            elif left.trouble:
                yield row | {"outcome": "failed", "told": left.trouble}
            else:
                yield row | {"outcome": "done", "told": f"its process was killed; dropped from {left.place}"}
    except (MigkitError, SQLAlchemyError, OSError) as error:
        # What was recovered is to be told all the same.
        row = {"kind": _SCRATCH, "database": "", "journal": "scratch databases", "outcome": "left alone"}
        yield row | {"told": f"what killed processes left could not be looked for: {redact(str(error))}"}
    finally:
        progress.close()


def _subject(row: Row) -> str:
    return f"{row['kind']}{' ' if row['kind'] == _SCRATCH else ' on '}{row['database']}".strip()


@dataclass(frozen=True)
class _Work:
    config: Config
    db: Database | None
    accept: bool
    confirm: str | None
    progress: Progress


def _row(reading: JournalReading, work: _Work, unsettled: Collection[str]) -> Row:
    row: Row = {
        "journal": str(reading.path),
        "kind": reading.kind,
        "database": reading.database,
        "started_at": reading.started_at,
        "stopped_at": reading.steps[-1].name if reading.steps else None,
    }
    if reading.is_running:
        return row | {"outcome": "left alone", "told": f"it still goes on: {reading.owner}"}
    if work.accept:
        return row | _accepted(reading)
    if reading.kind == "deploy" and reading.place in unsettled:
        return row | {"outcome": "failed", "told": "the restore has to be settled first: nobody knows what serves now"}
    try:
        # Another process may have gone on in it while this one was at work on the journals before.
        return row | _recovered(read_journal(reading.path), work)
    except MigkitError as error:
        return row | {"outcome": "failed", "told": str(error)}


def _accepted(reading: JournalReading) -> Row:
    with StepJournal.resume(reading.path) as journal:
        journal.finish("accepted as it is")
    return {"outcome": "done", "told": "the database was accepted as it is; nothing was looked at"}


def _recovered(reading: JournalReading, work: _Work) -> Row:
    db = work.db or _reach(reading, work.config)
    try:
        if db.protected and work.confirm != db.name:
            raise ProtectedDatabase(f"{db.name} is protected", next_step=f"Confirm with --yes-production {db.name}.")
        handler = _HANDLERS.get(reading.kind)
        if handler is None:
            raise MigkitError(f"This migkit does not know how to recover a {reading.kind}", where=str(reading.path))
        return handler(reading, db, work)
    except (SQLAlchemyError, OSError) as error:
        raise MigkitError(db.dialect.explain_error(error), where=db.url) from error
    finally:
        if work.db is None:
            db.close()


def _reach(reading: JournalReading, config: Config) -> Database:
    """Reach the database as the journal calls it: by its alias, else by a URL that needs no password."""
    for target in (reading.database, reading.place):
        known = target in config.databases or "://" in target or target.startswith("embedded")
        if known and MASK not in target:
            db = connect(target, config=config)
            if db.url == reading.place:
                return db
            db.close()
    raise ConfigError(
        f"It is not known how to reach {reading.database} ({reading.place})",
        where=str(reading.path),
        next_step="Name it: migkit recover --database ALIAS_OR_URL.",
    )


def _recover_deploy(reading: JournalReading, db: Database, work: _Work) -> Row:
    facts = reading.facts
    said = {
        "strategy": facts.get("strategy"),
        "timeout": facts.get("timeout"),
        "lock_timeout": facts.get("lock_timeout"),
    }
    options = DeployOptions.from_config(work.config, reports=reading.path.parent.parent, **said)
    options = options.with_backups(Path(facts["backups"]))
    migration = load_migration(facts["path"], config=work.config)
    deployment = resume_deploy(reading, migration, db, options, progress=work.progress)
    told = deployment.explain()
    if deployment.commands:
        told = f"{told} To do by hand: {'; '.join(deployment.commands)}"
    return {"outcome": "failed" if deployment.status == "failed" else "done", "told": told}


def _recover_restore(reading: JournalReading, db: Database, work: _Work) -> Row:
    return {"outcome": "done", "told": recover_restore(reading, db, work.progress)}


def _recover_pitr(reading: JournalReading, db: Database, work: _Work) -> Row:
    return {"outcome": "done", "told": recover_pitr(reading, db, work.progress)}


_HANDLERS: Mapping[str, Callable[[JournalReading, Database, _Work], Row]] = {
    "deploy": _recover_deploy,
    "restore": _recover_restore,
    "pitr": _recover_pitr,
}
