"""What point in time says of itself: a moment, how far back one can go, what was changed, what was recovered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from migkit import frames
from migkit.display.card import Card, Fact, Fold
from migkit.display.lines import BAD, GOOD, NOTE, WARN, Line
from migkit.display.results import Drawn
from migkit.display.units import count, duration, plural, size
from migkit.state.comparison import Comparison
from migkit.storage import encode_frame, encode_instant


@dataclass(frozen=True, eq=False, repr=False)
class Moment(Drawn):
    """A moment on a server's clock, and the command that returns to it.

    Attributes
    ----------
    database : str
        The database.
    moment : datetime
        In UTC, with microseconds.
    position : str or None
        Where the server's log stood then.
    command : str or None
        What to type to return to it; ``None`` if it cannot be returned to.
    why_not : str or None
        Why not, and what to do so that later moments can.
    remark : str
        What was noticed, such as a clock that was put back.
    """

    database: str
    moment: datetime
    position: str | None
    command: str | None
    why_not: str | None = None
    remark: str = ""

    @property
    def returnable(self) -> bool:
        """Whether the database can be returned to it."""
        return self.command is not None

    def __str__(self) -> str:
        return encode_instant(self.moment)

    def to_document(self) -> dict[str, Any]:
        """Return the moment as JSON values."""
        return {
            "database": self.database,
            "moment": encode_instant(self.moment),
            "position": self.position,
            "returnable": self.returnable,
            "command": self.command,
            "why_not": self.why_not,
            "remark": self.remark,
        }

    def card(self) -> Card:
        """Return what the moment shows of itself."""
        lines = [Line(NOTE, f"to return to it: {self.command}")] if self.command else [Line(WARN, str(self.why_not))]
        if self.remark:
            lines.append(Line(WARN, self.remark))
        return Card(
            title=f"{encode_instant(self.moment)} on {self.database}",
            sign=GOOD if self.returnable else WARN,
            verdict="can be returned to" if self.returnable else "cannot be returned to",
            figures=(Fact("position in the log", self.position),) if self.position else (),
            lines=tuple(lines),
        )


@dataclass(frozen=True, eq=False, repr=False)
class PitrChange(Drawn):
    """What setting up, or ending, point in time changed.

    Attributes
    ----------
    database : str
        The database.
    enabled : bool
        Whether the log is recorded now.
    changed : tuple of str
        What was changed, on the server and on this machine; nothing if all was so already.
    folder : str
        Where what is recorded lies.
    """

    database: str
    enabled: bool
    changed: tuple[str, ...]
    folder: str

    def to_document(self) -> dict[str, Any]:
        """Return the change as JSON values."""
        return {
            "database": self.database,
            "enabled": self.enabled,
            "changed": list(self.changed),
            "folder": self.folder,
        }

    def card(self) -> Card:
        """Return what the change shows of itself."""
        return Card(
            title=f"Point in time of {self.database}",
            sign=GOOD,
            verdict="on" if self.enabled else "off",
            lines=tuple(Line(GOOD, one) for one in self.changed) or (Line(NOTE, "nothing had to be changed"),),
            figures=(Fact("folder", self.folder),),
        )


@dataclass(frozen=True, eq=False, repr=False)
class PitrStatus(Drawn):
    """How far back a database can be returned to.

    Attributes
    ----------
    database : str
        The database.
    enabled, running : bool
        Whether its log is to be recorded, and is being recorded now.
    earliest, latest : datetime or None
        Between which moments every one can be returned to, on the server's clock.
    resolution : str
        How exactly a moment can be told that `migkit timestamp` did not note.
    bases, marks, gaps : DataFrame
        :data:`migkit.frames.PITR_BASES`, :data:`migkit.frames.PITR_MARKS`, :data:`migkit.frames.PITR_GAPS`.
    notes : tuple of str
        What a person should know.
    log_bytes : int
        What the recorded log takes.
    folder : str
        Where it all lies.
    continuous : bool
        Every moment between can be returned to, not only the bases' own.
    """

    database: str
    enabled: bool
    running: bool
    earliest: datetime | None
    latest: datetime | None
    resolution: str
    bases: pd.DataFrame = field(repr=False)
    marks: pd.DataFrame = field(repr=False)
    gaps: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()
    log_bytes: int = 0
    folder: str = ""
    continuous: bool = True

    @property
    def passed(self) -> bool:
        """The log is recorded, and nothing of it is missing."""
        return self.enabled and self.running and self.earliest is not None and not len(self.gaps)

    def to_document(self) -> dict[str, Any]:
        """Return the status as JSON values."""
        return {
            "database": self.database,
            "passed": self.passed,
            "enabled": self.enabled,
            "running": self.running,
            "earliest": self.earliest and encode_instant(self.earliest),
            "latest": self.latest and encode_instant(self.latest),
            "resolution": self.resolution,
            "continuous": self.continuous,
            "notes": list(self.notes),
            "log_bytes": self.log_bytes,
            "folder": self.folder,
            "bases": encode_frame(frames.PITR_BASES, self.bases),
            "marks": encode_frame(frames.PITR_MARKS, self.marks),
            "gaps": encode_frame(frames.PITR_GAPS, self.gaps),
        }

    def card(self) -> Card:
        """Return what the status shows of itself."""
        gaps = [Line(BAD, f"{row['base']}: {row['what']}") for row in frames.PITR_GAPS.rows(self.gaps)]
        reach = (
            [Line(NOTE, f"what moments can be named, beside those that were noted: {self.resolution}")]
            if self.enabled
            else []
        )
        return Card(
            title=f"Point in time of {self.database}",
            sign=GOOD if self.passed else BAD if self.enabled else WARN,
            verdict=self._verdict(),
            figures=(
                Fact("bases", count(len(self.bases)), size(int(self.bases["size_bytes"].sum()))),
                Fact("gaps", count(len(self.gaps))),
                Fact("log", size(self.log_bytes)),
            ),
            lines=(*gaps, *(Line(WARN, one) for one in self.notes), *reach),
            folds=(
                Fold("Gaps", self.gaps),
                Fold("Bases", self.bases),
                Fold("Moments noted", self.marks),
            ),
            noun="note",
        )

    def _verdict(self) -> str:
        if not self.enabled:
            return "off: there is no moment to return to"
        if self.earliest is None or self.latest is None:
            return "no moment can be returned to"
        if not self.continuous:
            return f"{plural(len(self.bases), 'restore point')}, the last of {encode_instant(self.latest)}"
        until = f"{self.latest:%Y-%m-%d %H:%M:%S} UTC"
        reach = f"every moment from {self.earliest:%Y-%m-%d %H:%M:%S.%f} UTC until {until} can be returned to"
        return reach if self.running else f"not recorded now; with what the server still keeps, {reach}"


@dataclass(frozen=True, eq=False, repr=False)
class Recovered(Drawn):
    """A database that was returned to a moment.

    Attributes
    ----------
    database : str
        The database.
    moment : datetime
        The moment, in UTC.
    kept : str or None
        What the database is called now that was there before.
    comparison : Comparison
        What was there before, and what is there now.
    steps : tuple of str
        What was done.
    notes : tuple of str
        What was not compared, and what to know.
    seconds : float
        How long it took.
    """

    database: str
    moment: datetime
    kept: str | None
    comparison: Comparison = field(repr=False)
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_document(self) -> dict[str, Any]:
        """Return the recovery as JSON values."""
        return {
            "database": self.database,
            "moment": encode_instant(self.moment),
            "kept": self.kept,
            "row_count_diff": self.comparison.row_count_diff,
            "steps": list(self.steps),
            "notes": list(self.notes),
            "seconds": self.seconds,
        }

    def card(self) -> Card:
        """Return what the recovery shows of itself."""
        return Card(
            title=f"{self.database} as it was at {encode_instant(self.moment)}",
            sign=GOOD,
            verdict="recovered, verified and serving",
            figures=(
                Fact("took", duration(self.seconds)),
                Fact("rows", f"{self.comparison.row_count_diff:+,}"),
                Fact("kept of before", self.kept or "nothing"),
            ),
            lines=(*(Line(GOOD, one) for one in self.steps), *(Line(NOTE, one) for one in self.notes)),
            folds=(Fold("Tables", self.comparison.tables),),
            noun="step",
        )
