"""What a journal of steps says: which steps began, which ended, and whether its process still lives."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from migkit.errors import StateUnreadable
from migkit.storage import decode_instant

try:
    import fcntl
except ImportError:  # Windows has no such locks: there, nobody is known to live
    fcntl = None  # type: ignore[assignment]

FILE_NAME = "steps.jsonl"
FORMAT = 1

StepState = Literal["started", "done", "failed"]


@dataclass(frozen=True)
class JournalledStep:
    """One step as the journal tells it.

    Attributes
    ----------
    number : int
        Counted from 1, in the order in which steps started.
    name : str
        ``kebab-case``.
    state : {"started", "done", "failed"}
        ``started`` means that nobody knows how much of it was done.
    facts : mapping
        What was known before, and what was added while it worked.
    started_at : datetime
        In UTC, by the wall clock.
    seconds : float or None
        By a clock that never jumps; ``None`` while it is not ended.
    error : str or None
        Why it failed.
    """

    number: int
    name: str
    state: StepState
    facts: Mapping[str, Any]
    started_at: datetime
    seconds: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class JournalReading:
    """What a journal says.

    Attributes
    ----------
    path : Path
        The file.
    kind : str
        ``deploy``, ``restore``, ``pitr`` or ``rollback``.
    database, place : str
        The alias or name, and where it is: a URL without secrets.
    owner : str
        Who wrote it: ``ann, process 4711 on db1``.
    is_running : bool
        Its process still lives.
    started_at : datetime
        In UTC.
    facts : mapping
        What was known when it began.
    steps : tuple of JournalledStep
        In the order in which they started.
    outcome : str or None
        How the work ended; ``None`` where it never came to its end.
    """

    path: Path
    kind: str
    database: str
    place: str
    owner: str
    is_running: bool
    started_at: datetime
    facts: Mapping[str, Any]
    steps: tuple[JournalledStep, ...]
    outcome: str | None

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to recover from."""
        return self.outcome is not None

    def last(self, name: str) -> JournalledStep | None:
        """Return the latest step of a name, if there is one."""
        return next((step for step in reversed(self.steps) if step.name == name), None)

    def done(self, name: str) -> bool:
        """Tell whether the latest step of a name was done to its end."""
        step = self.last(name)
        return step is not None and step.state == "done"

    def may_have_begun(self, name: str) -> bool:
        """Tell whether any of a step may have been done."""
        return self.last(name) is not None


def read_journal(path: Path) -> JournalReading:
    """Read a journal; a torn last line is as if it had never been begun.

    Raises
    ------
    StateUnreadable
        If it is missing, no journal, of a later version, or damaged elsewhere than at its end.
    """
    lines = _lines(path)
    if not lines or lines[0].get("migkit") != "steps":
        raise StateUnreadable("This is no journal of steps", where=str(path))
    head = lines[0]
    if not isinstance(head.get("format"), int) or head["format"] > FORMAT:
        raise StateUnreadable("A later migkit wrote this journal", where=str(path), next_step="Upgrade migkit.")
    try:
        steps, outcome, owner = _replayed(lines)
        return JournalReading(
            path=path,
            kind=head["kind"],
            database=head["database"],
            place=head["place"],
            owner=owner,
            is_running=_is_alive(path),
            started_at=decode_instant(head["at"]),
            facts=head["facts"],
            steps=steps,
            outcome=outcome,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StateUnreadable(f"The journal is damaged: {error!r}", where=str(path)) from None


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StateUnreadable(f"The journal cannot be read: {error.strerror}", where=str(path)) from None
    whole = data[: data.rfind(b"\n") + 1]
    try:
        # Not splitlines(): what an error said may hold other characters that end lines.
        return [json.loads(line) for line in whole.decode().split("\n") if line]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StateUnreadable(f"The journal is damaged: {error}", where=str(path)) from None


def _replayed(lines: Iterable[Mapping[str, Any]]) -> tuple[tuple[JournalledStep, ...], str | None, str]:
    steps: dict[int, JournalledStep] = {}
    outcome, owner = None, ""
    for line in lines:
        event = line["event"]
        if event in ("begin", "resume"):
            owner = line["owner"]
        elif event == "start":
            at = decode_instant(line["at"])
            steps[line["step"]] = JournalledStep(line["step"], line["name"], "started", line["facts"], at)
        elif event in ("end", "failed") and line["step"] in steps:
            begun = steps[line["step"]]
            state: StepState = "done" if event == "end" else "failed"
            facts = {**begun.facts, **line["facts"]}
            ended = replace(begun, state=state, facts=facts, seconds=line["seconds"], error=line.get("error"))
            steps[line["step"]] = ended
        elif event == "finish":
            outcome = line["outcome"]
    return tuple(steps[number] for number in sorted(steps)), outcome, owner


def _is_alive(path: Path) -> bool:
    """Tell whether somebody holds the journal; the lock goes with the process, whatever became of its number."""
    if fcntl is None:
        return False
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def journals_under(root: Path) -> list[Path]:
    """Return the journals in a folder, in its folders, and in theirs."""
    patterns = (FILE_NAME, f"*/{FILE_NAME}", f"*/*/{FILE_NAME}")
    return sorted(path for pattern in patterns for path in root.glob(pattern) if _is_begun(path))


def _is_begun(path: Path) -> bool:
    """Tell whether a journal has its first line; who was killed before had done nothing that it would tell of."""
    try:
        with path.open("rb") as file:
            return file.readline().endswith(b"\n")
    except OSError:
        return True  # whoever reads it is told why that cannot be done
