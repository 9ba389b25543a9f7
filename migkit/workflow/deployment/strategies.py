"""Which of the strategies asked for could take a deploy back here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from migkit.database import Database
from migkit.errors import MigkitError
from migkit.migration.migration import Migration
from migkit.recovery import pitr
from migkit.workflow.taking_back import cannot


@dataclass(frozen=True)
class Usable:
    """The strategies that work, and why the others do not."""

    names: tuple[str, ...]
    reasons: dict[str, str]


def usable_strategies(wanted: Sequence[str], db: Database, migration: Migration, directory: Path) -> Usable:
    """Return which strategies could take the migration back.

    Parameters
    ----------
    wanted : sequence of str
        Those asked for, in order.
    db : Database
        The database.
    migration : Migration
        The migration.
    directory : Path
        The folder of backups; a backup itself counts, because the deploy makes one.
    """
    reasons: dict[str, str] = {}
    for name in wanted:
        why = _why_not_pitr(db, directory) if name == "pitr" else _why_not(name, db, migration)
        if why is not None:
            reasons[name] = why
    return Usable(tuple(name for name in wanted if name not in reasons), reasons)


def _why_not(name: str, db: Database, migration: Migration) -> str | None:
    return cannot(name, db=db, migration=migration, backup_id="made by the deploy")


def _why_not_pitr(db: Database, directory: Path) -> str | None:
    if db.dialect.pitr_base == "point":
        return None
    try:
        status = pitr.status(db, directory)
    except MigkitError as error:
        return str(error)
    return None if status.passed else "point-in-time recovery is not recording: migkit pitr enable"
