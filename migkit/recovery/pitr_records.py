"""What point in time keeps on the disk: where a log is recorded, its bases, and the moments that were asked for.

::

    backups/pitr/shop-1f3a9c20/
      recording.json                     what was found and made when it was set up
      marks.jsonl                        a line per `migkit timestamp`, synced
      bases/20261122T104500.123456Z/     base.json, and what the engine put there
      log/                               PostgreSQL: the write-ahead log
    backups/pitr/recoveries/…/steps.jsonl  a journal per return to a moment
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from migkit.database import Database
from migkit.dialects.point_in_time import Base, LogMoment, Recording
from migkit.errors import MomentUnreachable, StateUnreadable
from migkit.storage import decode_instant, encode_instant, read_json, sync, told_where, write_json

FOLDER = "pitr"
RECORDING = "recording.json"
MARKS = "marks.jsonl"
BASES = "bases"
RECOVERIES = "recoveries"
_BASE = "base.json"
_DATA = "data"
_MAKING = ".making-"
_FORMAT = 1


@dataclass(frozen=True)
class Mark:
    """A moment that `migkit timestamp` noted, and what was noticed about it."""

    at: LogMoment
    remark: str = ""


@dataclass(frozen=True)
class Records:
    """The records of one server's (or database's) point in time."""

    folder: Path
    recording: Recording
    enabled_at: datetime | None = None

    @property
    def is_enabled(self) -> bool:
        """Whether the log is meant to be recorded."""
        return self.enabled_at is not None

    # --- setting up ---------------------------------------------------------------------------------------------------

    def enabled(self, db: Database, facts: Mapping[str, Any]) -> Records:
        """Write down that the log is recorded from now on, and how."""
        with told_where(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = datetime.now(UTC)
        document = {"migkit": "pitr", "format": _FORMAT, "engine": db.dialect.name, "server": db.server}
        document |= {"enabled_at": encode_instant(now), "facts": dict(facts)}
        write_json(self.folder / RECORDING, document)
        return Records(self.folder, Recording(self.folder, dict(facts)), now)

    def disabled(self) -> None:
        """Write down that the log is recorded no longer; what was recorded stays."""
        document = read_json(self.folder / RECORDING) | {"enabled_at": None}
        write_json(self.folder / RECORDING, document)

    # --- bases --------------------------------------------------------------------------------------------------------

    def bases(self) -> list[Base]:
        """Return the bases that are complete, oldest first."""
        found = [_read_base(file) for file in sorted((self.folder / BASES).glob(f"*/{_BASE}"))]
        return sorted(found, key=lambda base: base.moment)

    @contextmanager
    def new_base(self) -> Iterator[Path]:
        """Make a folder for a base; it is moved to its place by :meth:`keep_base`, or gone at the end of the block."""
        bases = self.folder / BASES
        with told_where(bases):
            bases.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in bases.glob(f"{_MAKING}*"):
                shutil.rmtree(left, ignore_errors=True)
            making = bases / f"{_MAKING}{os.getpid()}"
            (making / _DATA).mkdir(mode=0o700, parents=True)
        try:
            yield making / _DATA
        finally:
            shutil.rmtree(making, ignore_errors=True)

    def keep_base(self, base: Base) -> Base:
        """Put a base that was made in :meth:`new_base` in its place."""
        making, name = base.folder.parent, f"{base.moment:%Y%m%dT%H%M%S.%fZ}"
        place = self.folder / BASES / name
        document = {"moment": encode_instant(base.moment), "facts": dict(base.facts), "size_bytes": base.size_bytes}
        write_json(making / _BASE, document)
        with told_where(place):
            making.rename(place)
            sync(place.parent)
        return Base(place / _DATA, base.moment, base.facts, base.size_bytes)

    def base_for(self, target: LogMoment) -> Base:
        """Return the latest base that leads to a moment.

        Raises
        ------
        MomentUnreachable
            If the moment lies before all of them; names the earliest.
        """
        bases = self.bases()
        fitting = [base for base in bases if base.moment <= target.moment]
        if fitting:
            return fitting[-1]
        if not bases:
            raise MomentUnreachable("There is no base to start from", where=str(self.folder), next_step=ENABLE)
        raise MomentUnreachable(
            f"{encode_instant(target.moment)} lies before the first base",
            where=str(self.folder),
            next_step=f"The earliest moment that can be returned to is {encode_instant(bases[0].moment)}.",
        )

    # --- marks --------------------------------------------------------------------------------------------------------

    def marks(self) -> list[Mark]:
        """Return the moments that were asked for, in the order in which they were."""
        path = self.folder / MARKS
        if not path.exists():
            return []
        with told_where(path):
            lines = path.read_text(encoding="utf-8").splitlines()
        return [mark for mark in map(_read_mark, lines) if mark is not None]

    def mark(self, at: LogMoment) -> Mark:
        """Note a moment durably; a clock that was put back since the last one is noted with it."""
        earlier = [one.at.moment for one in self.marks()]
        back = bool(earlier) and at.moment < max(earlier)
        mark = Mark(
            at, f"the server's clock was put back: it read {encode_instant(max(earlier))} before" if back else ""
        )
        line = {"moment": encode_instant(at.moment), "position": at.position, "remark": mark.remark}
        path = self.folder / MARKS
        with told_where(path):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("ab+") as file:
                # A full disk may have cut the line before; this one must not become a part of it.
                torn = file.tell() > 0 and path.read_bytes()[-1:] != b"\n"
                file.write((("\n" if torn else "") + json.dumps(line) + "\n").encode())
                file.flush()
                os.fsync(file.fileno())
        return mark

    def target(self, moment: datetime) -> LogMoment:
        """Return where in the log a moment is, if it was noted.

        Raises
        ------
        MomentUnreachable
            If it was on the clock twice, because that was put back.
        """
        marks = [mark.at for mark in self.marks()]
        noted = [at for at in marks if at.moment == moment]
        if noted:
            return noted[-1]
        for earlier, later in pairwise(marks):
            if later.moment <= moment <= earlier.moment:
                raise MomentUnreachable(
                    f"The server's clock was put back from {encode_instant(earlier.moment)} to "
                    f"{encode_instant(later.moment)}, so {encode_instant(moment)} was twice",
                    where=str(self.folder),
                    next_step="Name one of these two, which were noted with their place in the log.",
                )
        return LogMoment(moment)


ENABLE = "Set it up with: migkit pitr enable."


def records_of(db: Database, directory: Path) -> Records:
    """Return the records of a database's point in time, whether or not there are any.

    Parameters
    ----------
    db : Database
        The database.
    directory : Path
        The folder of backups.
    """
    with db.engine.connect() as connection:
        server = db.dialect.pitr_key(connection)
    place = (server,) if server else db.dialect.place(db.engine.url) or (db.name,)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{db.dialect.name}-server" if server else db.name).strip("-.")[:40]
    digest = hashlib.sha256("\0".join(place).encode()).hexdigest()[:10]
    # An alias and a URL lead to the same folder.
    beside = sorted((directory / FOLDER).glob(f"*-{digest}"))
    folder = (beside[0] if beside else directory / FOLDER / f"{name or 'database'}-{digest}").absolute()
    if not (folder / RECORDING).exists():
        return Records(folder, Recording(folder))
    document = read_json(folder / RECORDING)
    if document.get("migkit") != "pitr" or document.get("format") != _FORMAT:
        raise StateUnreadable("This is no recording of a version that this migkit knows", where=str(folder))
    enabled_at = document["enabled_at"]
    return Records(folder, Recording(folder, document["facts"]), decode_instant(enabled_at) if enabled_at else None)


def require_enabled(records: Records, name: str) -> None:
    """Raise unless the log is, or was, recorded.

    Raises
    ------
    MomentUnreachable
        With the command that sets it up.
    """
    if not (records.folder / RECORDING).exists():
        raise MomentUnreachable(
            f"No log of {name} is recorded, so there is no moment to return to",
            next_step=f"Set it up with: migkit pitr enable {name}",
        )


def _read_base(file: Path) -> Base:
    document = read_json(file)
    try:
        moment = decode_instant(document["moment"])
        return Base(file.parent / _DATA, moment, document["facts"], int(document["size_bytes"]))
    except (KeyError, TypeError, ValueError) as error:
        raise StateUnreadable(f"The base is damaged: {error}", where=str(file)) from error


def _read_mark(line: str) -> Mark | None:
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return None  # a line that a full disk or a power cut left unfinished was never told to anybody
    return Mark(LogMoment(decode_instant(found["moment"]), found["position"]), found["remark"])
