"""Making a database, beside the one that serves, as it was at a moment: the ways that engines have for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import URL

from migkit.database import Database, mask_url
from migkit.dialects.backing import Instant
from migkit.dialects.point_in_time import Base, BaseKind, LogMoment, Recording
from migkit.errors import RestoreFailed
from migkit.progress import SILENT, Progress
from migkit.recovery.catalogue import find_backup
from migkit.recovery.exactness import compare_restored, told
from migkit.recovery.verification import fill_stage, require_whole, state_of
from migkit.state.capture import capture
from migkit.state.snapshot import State
from migkit.storage import told_where


@dataclass(frozen=True)
class Staging:
    """What is to be made, from what, and where.

    Attributes
    ----------
    db : Database
        The database that serves.
    recording : Recording
        Where its log is.
    base : Base
        Where to start from.
    target : LogMoment
        The moment.
    name : str
        What the database beside is called.
    room : Path
        A folder for what is needed meanwhile, that other users can enter.
    progress : Progress
        Where to tell how far it is.
    """

    db: Database
    recording: Recording
    base: Base
    target: LogMoment
    name: str
    room: Path
    progress: Progress = SILENT


@dataclass(frozen=True, eq=False)
class Staged:
    """A database as it was at a moment: its state, what was not compared or is worth knowing, and what proves it."""

    state: State
    notes: tuple[str, ...] = ()
    proof: str = "and verified them"


def stage(plan: Staging) -> Staged:
    """Make a database as it was at a moment.

    Raises
    ------
    RestoreFailed
        If what was made is not what it was made from.
    MomentUnreachable
        If the log or the base is damaged, or has a gap.
    """
    return _WAYS[plan.db.dialect.pitr_base](plan)


@contextmanager
def workspace(room: Path) -> Iterator[Path]:
    """Make a folder that a server's own user can enter, too; gone at the end of the block."""
    with told_where(room):
        room.mkdir(parents=True)
        room.chmod(0o755)
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def backup_data(base: Base) -> Path | None:
    """Return where the data of a base lies that is a backup: it says what is switched off in a staged database."""
    name = base.facts.get("backup")
    return find_backup(base.folder, str(name)).data if name else None


def _from_cluster(plan: Staging) -> Staged:
    """Replay the log in a private server, and carry the database over from there."""
    db, dialect, dump = plan.db, plan.db.dialect, plan.room / "dump"
    dump.mkdir(mode=0o700)
    with (
        workspace(plan.room / "cluster") as cluster,
        dialect.recovered(
            db.engine.url, plan.recording, plan.base, plan.target, cluster, progress=plan.progress
        ) as inside,
    ):
        engine = dialect.create_engine(inside)
        private = replace(db, name=f"{db.name} in the log", url=mask_url(inside), engine=engine, schemas=None)
        try:
            with engine.connect() as connection:
                facts = dialect.backup_facts(connection)
            instant = Instant("the snapshot of the capture")
            expected = capture(
                private,
                beside=lambda session: dialect.write_backup(session, dump, instant, progress=plan.progress),
                progress=plan.progress,
            )
        finally:
            engine.dispose()
    url = fill_stage(dump, facts, db, plan.name, plan.progress)
    return _verified(plan, url, expected)


def _from_backup(plan: Staging) -> Staged:
    """Restore the base, which is a backup, and do in it what the log says was done since."""
    backup = find_backup(plan.base.folder, str(plan.base.facts["backup"]))
    require_whole(backup)
    url = fill_stage(backup.data, backup.facts, plan.db, plan.name, plan.progress)
    start = _verified(plan, url, backup.state())
    done = plan.db.dialect.replay(
        url, plan.db.engine.url, plan.recording, plan.base, plan.target, progress=plan.progress
    )
    note = f"{done:,} transactions of the log were done again on top of the base"
    # What the log added can be held against nothing.
    return Staged(state_of(plan.db, url, plan.progress), (*start.notes, note), "on top of a verified base")


def _from_point(plan: Staging) -> Staged:
    """Copy the restore point."""
    url = plan.db.dialect.create_stage(plan.db.engine.url, plan.name, {})
    plan.db.dialect.stage_base(plan.base, url, progress=plan.progress)
    return Staged(state_of(plan.db, url, plan.progress))


def _verified(plan: Staging, url: URL, expected: State) -> Staged:
    found = state_of(plan.db, url, plan.progress)
    exactness = compare_restored(expected, found, dialect=plan.db.dialect)
    if not exactness.exact:
        raise RestoreFailed(
            f"What was recovered is not what it was made from: {told(exactness.differences)}",
            where=plan.db.name,
            next_step="What was there before still serves.",
        )
    return Staged(found, tuple(f"not compared: {note}" for note in exactness.notes))


_WAYS: dict[BaseKind, Callable[[Staging], Staged]] = {
    "cluster": _from_cluster,
    "backup": _from_backup,
    "point": _from_point,
}
