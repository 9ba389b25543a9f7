"""A journal of steps that survives the process: one durable line before a step starts, and one after it ended.

What is killed between any two instructions leaves a journal that says which step it was in, with the facts that finish
or undo it. The journal is locked while its process lives, so that nobody recovers from work that is still going on.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from migkit.errors import MigkitError
from migkit.recovery.journal_reading import FILE_NAME, FORMAT, journals_under, read_journal
from migkit.recovery.journal_reading import JournalledStep as JournalledStep
from migkit.recovery.journal_reading import JournalReading as JournalReading
from migkit.redaction import redact
from migkit.storage import encode_instant, sync, told_where

try:
    import fcntl
except ImportError:  # Windows has no such locks: there, two processes are not kept apart
    fcntl = None  # type: ignore[assignment]

Kind = Literal["deploy", "restore", "pitr", "rollback"]
Moment = Literal["before", "started", "worked", "ended"]
Watcher = Callable[[Moment, str], None]

_watchers: list[Watcher] = []


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tell `watcher` of every step of every journal in this process; what injects faults kills the process there.

    Parameters
    ----------
    watcher : callable
        Takes a moment and the step's name. ``before``: nothing is written yet. ``started``: the first line is on the
        disk, the work has not begun. ``worked``: the work is done, which no line says yet. ``ended``: the line says so.
    """
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def _tell(moment: Moment, name: str) -> None:
    for watcher in tuple(_watchers):
        watcher(moment, name)


@dataclass
class StepJournal:
    """The journal of one piece of work; made by :meth:`create` or :meth:`resume`.

    Attributes
    ----------
    path : Path
        The file.
    trouble : str or None
        Why a line that was not `required` could not be written.
    """

    path: Path
    trouble: str | None = None
    _handle: int = -1
    _number: int = 0
    _begun: float = 0.0
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def create(cls, folder: Path, *, kind: Kind, database: str, place: str, **facts: Any) -> Self:
        """Begin a journal in a folder; the folder is made if need be.

        Parameters
        ----------
        folder : Path
            Where it lies: the evidence folder, the folder of a backup.
        kind : {"deploy", "restore", "pitr", "rollback"}
            What work it is.
        database, place : str
            The alias or name of the database, and its URL without secrets.
        **facts
            JSON values that recovering needs; secrets are masked.

        Raises
        ------
        MigkitError
            If it cannot be written, or another journal lies there.
        """
        path = folder / FILE_NAME
        with told_where(path):
            folder.mkdir(parents=True, exist_ok=True)
            journal = cls(path, _handle=os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644))
        journal._begun = time.monotonic()
        try:
            journal._take()
            head = {"kind": kind, "database": database, "place": place, "owner": owner(), "pid": os.getpid()}
            journal._write("begin", {"migkit": "steps", "format": FORMAT, **head, "facts": facts})
            sync(folder)
        except BaseException:
            journal.close()
            path.unlink(missing_ok=True)
            raise
        return journal

    @classmethod
    def resume(cls, path: Path) -> Self:
        """Go on in the journal of work that never came to its end.

        Raises
        ------
        MigkitError
            If its process still works on it.
        StateUnreadable
            If it is damaged.
        """
        read_journal(path)
        with told_where(path):
            journal = cls(path, _handle=os.open(path, os.O_RDWR | os.O_APPEND))
        journal._begun = time.monotonic()
        try:
            journal._take()
            reading = read_journal(path)  # somebody else may have gone on in it until just now
            if reading.is_finished:
                raise MigkitError("Another process has brought this to its end", where=str(path))
            journal._cut_torn_line()
            journal._number = reading.steps[-1].number if reading.steps else 0
            journal._write("resume", {"owner": owner(), "pid": os.getpid()})
        except BaseException:
            journal.close()
            raise
        return journal

    @staticmethod
    def unfinished(*roots: Path) -> list[JournalReading]:
        """Return the journals under `roots` of work that never came to its end, oldest first; live work among it."""
        found = [read_journal(path) for root in roots for path in journals_under(root)]
        return sorted((one for one in found if not one.is_finished), key=lambda one: one.started_at)

    @contextmanager
    def step(self, name: str, *, required: bool = True, **facts: Any) -> Iterator[dict[str, Any]]:
        """Do one step between its two lines.

        Parameters
        ----------
        name : str
            What is done, ``kebab-case``.
        required : bool
            Do not start what could not be noted. Steps that take back go on without (a full disk keeps nobody from
            switching writing on again); :attr:`trouble` says so.
        **facts
            JSON values that finishing or undoing the step needs.

        Yields
        ------
        dict
            What is put into it while the step works is noted at its end.
        """
        with self._guard:
            self._number += 1
            number = self._number
        _tell("before", name)
        self._note(required, "start", {"step": number, "name": name, "facts": facts})
        _tell("started", name)
        learned: dict[str, Any] = {}
        begun = time.monotonic()
        try:
            yield learned
        except BaseException as error:
            told = str(error) or type(error).__name__
            line = {"step": number, "facts": learned, "seconds": time.monotonic() - begun, "error": told}
            self._note(False, "failed", line)
            raise
        _tell("worked", name)
        self._note(required, "end", {"step": number, "facts": learned, "seconds": time.monotonic() - begun})
        _tell("ended", name)

    def finish(self, outcome: str) -> None:
        """Note that the work came to its end, and how; nothing is left to recover from. Closes the journal."""
        try:
            self._write("finish", {"outcome": outcome})
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file; without :meth:`finish`, the work counts as not come to its end."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note(self, required: bool, event: str, line: Mapping[str, Any]) -> None:
        try:
            self._write(event, line)
        except MigkitError as error:
            if required:
                raise
            self.trouble = str(error)

    def _write(self, event: str, line: Mapping[str, Any]) -> None:
        now = {"event": event, "at": encode_instant(datetime.now(UTC)), "elapsed": time.monotonic() - self._begun}
        data = (json.dumps(_masked({**now, **line}), ensure_ascii=False, allow_nan=False) + "\n").encode()
        with self._guard, told_where(self.path):
            size = os.fstat(self._handle).st_size
            try:
                while data:
                    data = data[os.write(self._handle, data) :]
                os.fsync(self._handle)
            except OSError:
                with suppress(OSError):  # The first error is the one to tell; a torn line is tolerated.
                    os.ftruncate(self._handle, size)
                raise

    def _take(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise MigkitError(
                "Another process works on this", where=str(self.path), next_step="Wait until it is done."
            ) from None

    def _cut_torn_line(self) -> None:
        with told_where(self.path):
            data = self.path.read_bytes()
            os.ftruncate(self._handle, data.rfind(b"\n") + 1)


def owner() -> str:
    """Return who this process is, for people: ``ann, process 4711 on db1``."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a process without a name for its user
        user = "somebody"
    return f"{user}, process {os.getpid()} on {platform.node() or 'this machine'}"


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _masked(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(one) for one in value]
    return value
