"""Removing what nobody needs any more: expired backups, and replaced databases that were kept long enough."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from migkit.display.card import Card, Fact
from migkit.display.lines import GOOD, NOTE, WARN, Line
from migkit.display.results import Drawn
from migkit.display.units import plural, size
from migkit.recovery.catalogue import prune
from migkit.recovery.keeping import Reach, drop_expired


@dataclass(frozen=True, eq=False, repr=False)
class Pruned(Drawn):
    """What pruning did.

    Attributes
    ----------
    removed : tuple of str
        Backups that are gone, by id.
    freed_bytes : int
        The room they took.
    spared : tuple of (str, str)
        Expired backups that stay, each with the reason.
    dropped : tuple of str
        Databases kept after a restore that are gone.
    left : tuple of (str, str)
        Those that could not be dropped, each with the reason.
    leftovers : tuple of str
        Half-made backups of processes that were killed, gone too.
    """

    removed: tuple[str, ...]
    freed_bytes: int
    spared: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...]
    left: tuple[tuple[str, str], ...]
    leftovers: tuple[str, ...]

    def to_document(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "removed": list(self.removed),
            "freed_bytes": self.freed_bytes,
            "spared": [{"id": one, "why": why} for one, why in self.spared],
            "dropped_databases": list(self.dropped),
            "left_databases": [{"name": one, "why": why} for one, why in self.left],
            "leftovers": list(self.leftovers),
        }

    def card(self) -> Card:
        """Return what pruning shows of itself."""
        return Card(
            title="Pruning of backups",
            sign=WARN if self.left else GOOD,
            verdict=f"{plural(len(self.removed), 'expired backup')} removed",
            figures=(Fact("freed", size(self.freed_bytes)), Fact("spared", str(len(self.spared)))),
            lines=(
                *(Line(GOOD, f"{one} is gone") for one in self.removed),
                *(Line(NOTE, f"{one} stays: {why}") for one, why in self.spared),
                *(Line(GOOD, f"the replaced database {one} is gone") for one in self.dropped),
                *(Line(WARN, f"the replaced database {one} stays: {why}") for one, why in self.left),
                *(Line(GOOD, f"what was left of {one}, never finished, is gone") for one in self.leftovers),
            ),
        )


def prune_all(directory: Path, minimum_redundancy: int, reach: Reach, now: datetime | None = None) -> Pruned:
    """Remove expired backups and replaced databases.

    Parameters
    ----------
    directory : Path
        The folder of backups.
    minimum_redundancy : int
        How many verified backups of each database stay, whatever their age.
    reach : callable
        Opens a database by its alias.
    now : datetime, optional
        What counts as now.
    """
    result = prune(directory, minimum_redundancy, now)
    dropped, left = drop_expired(directory, reach, now)
    return Pruned(
        removed=tuple(one.id for one in result.removed),
        freed_bytes=sum(one.size_bytes for one in result.removed),
        spared=tuple((one.id, why) for one, why in result.spared),
        dropped=tuple(dropped),
        left=tuple(left),
        leftovers=result.leftovers,
    )
