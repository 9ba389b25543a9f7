"""Point in time: noting a moment, setting up what leads back to it, and saying how far back that reaches."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from migkit import frames
from migkit.database import Database
from migkit.dialects.base import Row
from migkit.dialects.point_in_time import Base, LogMoment, Recorded
from migkit.errors import ConfigError, MigkitError, MomentUnreachable
from migkit.progress import SILENT, Progress
from migkit.recovery.backups import make_backup
from migkit.recovery.pitr_records import Records, records_of, require_enabled
from migkit.recovery.pitr_results import Moment, PitrChange, PitrStatus
from migkit.redaction import MASK, redact_url
from migkit.storage import encode_instant

# A base that is itself a backup is kept as long as its recording.
_FOR_EVER_DAYS = 36_500.0
_EXAMPLE = "Write it as migkit timestamp does: 2026-11-22T10:45:00.123456Z."


def timestamp(
    db: Database, directory: Path, *, typed: str | None = None, elsewhere: bool = False, progress: Progress = SILENT
) -> Moment:
    """Note the moment on the server's clock, so that the database can be returned to it exactly.

    Parameters
    ----------
    db : Database
        The database.
    directory : Path
        The folder of backups.
    typed : str, optional
        How whoever asks calls the database; for the command.
    elsewhere : bool
        `directory` is not the one in ``migkit.toml``; for the command, too.
    progress : Progress
        Where to tell how far it is.

    Returns
    -------
    Moment
        The moment, and the command that returns to it.
    """
    records = records_of(db, directory)
    named = partial(command_to, db=db, typed=typed, directory=directory if elsewhere else None)
    with told(db):
        if db.dialect.pitr_base == "point":
            return _restore_point(db, records, named, progress)
        with db.engine.connect() as connection:
            at = db.dialect.log_moment(connection)
    why_not = _why_not(db, records, at)
    remark = records.mark(at).remark if why_not is None else ""
    command = None if why_not else named(at.moment)
    return Moment(db.name, at.moment, at.position, command, why_not, remark)


def _restore_point(db: Database, records: Records, named: Callable[[datetime], str], progress: Progress) -> Moment:
    with db.engine.connect() as connection:
        facts = db.dialect.pitr_facts(connection)
    if not records.is_enabled:
        records = records.enabled(db, facts)
    base = _take_base(db, records, progress)
    remark = records.mark(LogMoment(base.moment)).remark
    return Moment(db.name, base.moment, None, named(base.moment), None, remark)


def _why_not(db: Database, records: Records, at: LogMoment) -> str | None:
    if not records.is_enabled:
        return f"no log of {db.name} is recorded; set it up with: migkit pitr enable {shlex.quote(typed_name(db))}"
    try:
        base = records.base_for(at)
    except MomentUnreachable as error:
        return str(error)
    found = _recorded(db, records, base)
    if found.gaps:
        return f"{found.gaps[0].what}; take a new base with: migkit pitr enable {shlex.quote(typed_name(db))}"
    return (
        None
        if found.running
        else f"{'; '.join(found.notes)}; go on with: migkit pitr enable {shlex.quote(typed_name(db))}"
    )


def command_to(moment: datetime, db: Database, typed: str | None = None, directory: Path | None = None) -> str:
    """Return the command that returns a database to a moment, ready to be copied.

    Parameters
    ----------
    moment : datetime
        The moment.
    db : Database
        The database.
    typed : str, optional
        How whoever asks calls it.
    directory : Path, optional
        The folder of backups, where it is another one than ``migkit.toml`` has.
    """
    elsewhere = f" --directory {shlex.quote(str(directory))}" if directory else ""
    confirmed = f" --yes-production {shlex.quote(db.name)}" if db.protected else ""
    named = shlex.quote(typed or typed_name(db))
    return f"migkit rollback --to-timestamp {encode_instant(moment)} --database {named}{elsewhere}{confirmed}"


def typed_name(db: Database) -> str:
    """Return what can be typed to reach a database: its alias, else its URL where that holds no password."""
    is_alias = db.name != db.dialect.database_name(db.engine.url)
    return db.name if is_alias or MASK in db.url else db.url


def is_typable(text: str, db: Database) -> bool:
    """Tell whether a name or URL may be shown as it was typed: it holds no password."""
    return redact_url(text) == text and text not in ("embedded", "") and db.engine.url.password != text


def parse_moment(text: str) -> datetime:
    """Read a moment as people type it.

    Raises
    ------
    ConfigError
        If it is no moment, or does not say which time zone it is in.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(f"{text!r} is no moment", next_step=_EXAMPLE) from None
    return require_zone(moment)


def require_zone(moment: datetime) -> datetime:
    """Return a moment that says its time zone.

    Raises
    ------
    ConfigError
        If it does not.
    """
    if moment.tzinfo is None:
        raise ConfigError(f"{moment.isoformat()} does not say its time zone", next_step=f"{_EXAMPLE} Z means UTC.")
    return moment


# --- setting up -------------------------------------------------------------------------------------------------------


def enable(
    db: Database, directory: Path, *, archive: Path | None = None, new_base: bool = False, progress: Progress = SILENT
) -> PitrChange:
    """Record the log of a database from now on, so that it can be returned to any moment.

    Parameters
    ----------
    db : Database
        The database; none of its tables is written to.
    directory : Path
        The folder of backups.
    archive : Path, optional
        PostgreSQL: the folder that the server's own ``archive_command`` writes to; then nothing is recorded beside.
    new_base : bool
        Take a new base even though there is one whose log is whole.
    progress : Progress
        Where to tell how far it is.

    Returns
    -------
    PitrChange
        What was changed.

    Raises
    ------
    UnsupportedFeature, PermissionMissing, MissingTool
        With what has to be set, given or installed; nothing is changed then.
    """
    _require_archive(archive)
    records = records_of(db, directory)
    with told(db), db.engine.connect() as connection:
        facts = db.dialect.pitr_facts(connection, archive.absolute() if archive else None)
    facts = _merged(facts, records)
    was_enabled = records.is_enabled
    records = records.enabled(db, facts)
    changed: list[str] = []
    try:
        with told(db):
            changed += db.dialect.start_recording(db.engine.url, records.recording)
            if db.dialect.pitr_base != "point" and (new_base or not _has_whole_base(db, records)):
                base = _take_base(db, records, progress)
                changed.append(f"took a base: moments from {encode_instant(base.moment)} on can be returned to")
    except BaseException:
        if not was_enabled:
            # Whatever went wrong first is what to tell.
            with suppress(MigkitError, SQLAlchemyError):
                db.dialect.stop_recording(db.engine.url, records.recording)
            records.disabled()
        raise
    return PitrChange(db.name, True, tuple(changed), str(records.folder))


def _require_archive(archive: Path | None) -> None:
    if archive is not None and not archive.is_dir():
        raise ConfigError(
            "The archive is no folder", where=str(archive), next_step="Name the one that archive_command writes to."
        )


def _merged(facts: dict[str, Any], records: Records) -> dict[str, Any]:
    """Keep what was made when it was set up, such as the name of a replication slot."""
    known = records.recording.facts
    if records.is_enabled and known.get("archive") != facts.get("archive"):
        raise ConfigError(
            "The log is recorded in another way already",
            where=str(records.folder),
            next_step="migkit pitr disable first.",
        )
    return {**facts, **{name: known[name] for name in ("slot", "before") if records.is_enabled and name in known}}


def _has_whole_base(db: Database, records: Records) -> bool:
    bases = records.bases()
    return bool(bases) and not _recorded(db, records, bases[-1]).gaps


def _take_base(db: Database, records: Records, progress: Progress) -> Base:
    with records.new_base() as folder:
        if db.dialect.pitr_base != "backup":
            base = db.dialect.take_base(db.engine.url, records.recording, folder, progress=progress)
            return records.keep_base(base)
        backup = make_backup(db, folder, retention_days=_FOR_EVER_DAYS, progress=progress)
        with db.engine.connect() as connection:
            at = db.dialect.log_moment(connection)
        found = {"backup": backup.id, "instant": dict(backup.instant)}
        return records.keep_base(Base(folder, at.moment, found, backup.size_bytes))


def renew_base(db: Database, directory: Path, *, progress: Progress = SILENT) -> None:
    """Take a new base after a database was replaced: the log of the new one does not continue that of the old one."""
    _take_base(db, records_of(db, directory), progress)


def disable(db: Database, directory: Path) -> PitrChange:
    """Record the log no longer; what was recorded until now stays.

    Returns
    -------
    PitrChange
        What was changed.
    """
    records = records_of(db, directory)
    require_enabled(records, db.name)
    with told(db):
        changed = db.dialect.stop_recording(db.engine.url, records.recording)
    if records.is_enabled:
        records.disabled()
        changed = (*changed, "the log is recorded no longer; what was recorded stays in the folder")
    return PitrChange(db.name, False, changed, str(records.folder))


# --- how far back -----------------------------------------------------------------------------------------------------


def status(db: Database, directory: Path) -> PitrStatus:
    """Say how far back a database can be returned to, and what is missing.

    Returns
    -------
    PitrStatus
        ``passed`` if the log is recorded without a gap.
    """
    records = records_of(db, directory)
    bases = records.bases() if records.is_enabled else []
    with told(db):
        found = [(base, _recorded(db, records, base)) for base in bases]
        with db.engine.connect() as connection:
            now = db.dialect.log_moment(connection).moment if found else None
    whole = _whole(found)
    notes = tuple(dict.fromkeys(note for _, one in found for note in one.notes))
    is_point = db.dialect.pitr_base == "point"
    return PitrStatus(
        database=db.name,
        enabled=records.is_enabled,
        running=bool(found) and found[-1][1].running,
        earliest=whole[0].moment if whole else None,
        latest=(whole[-1].moment if is_point else now) if whole else None,
        resolution=db.dialect.pitr_resolution,
        bases=frames.PITR_BASES.build((base.folder.parent.name, base.moment, base.size_bytes) for base in bases),
        marks=frames.PITR_MARKS.build((one.at.moment, one.at.position, one.remark) for one in records.marks()),
        gaps=frames.PITR_GAPS.build(_gap_rows(found)),
        notes=notes,
        log_bytes=max((one.size_bytes for _, one in found), default=0),
        folder=str(records.folder),
        continuous=not is_point,
    )


def _whole(found: list[tuple[Base, Recorded]]) -> list[Base]:
    """Return the bases from which on nothing is missing."""
    whole: list[Base] = []
    for base, recorded in reversed(found):
        if recorded.gaps:
            break
        whole.insert(0, base)
    return whole


def _gap_rows(found: list[tuple[Base, Recorded]]) -> Iterator[Row]:
    following = [base.moment for base, _ in found][1:]
    for (base, recorded), after in zip(found, [*following, None][: len(found)], strict=True):
        for gap in recorded.gaps:
            yield {"base": base.folder.parent.name, "what": gap.what, "next_base": after}


def _recorded(db: Database, records: Records, base: Base) -> Recorded:
    with db.engine.connect() as connection:
        return db.dialect.recorded(connection, records.recording, base)


@contextmanager
def told(db: Database) -> Iterator[None]:
    """Turn what a driver says into a sentence."""
    try:
        yield
    except SQLAlchemyError as error:
        raise MigkitError(f"The server refused: {db.dialect.explain_error(error)}", where=db.name) from error
