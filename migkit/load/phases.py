"""Which phase of a load test a request belongs to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from migkit.load.recording import CELL_SECONDS, Array

BASELINE, DURING, AFTER, ROLLBACK, ROLLED_BACK = "baseline", "during", "after", "rollback", "rolled back"
PHASES = (BASELINE, DURING, AFTER, ROLLBACK, ROLLED_BACK)


@dataclass
class Phase:
    """A stretch of the load test.

    Attributes
    ----------
    name : str
        One of :data:`PHASES`.
    begin, end : float
        Seconds since the load began; the end is infinite until it is known.
    claims : bool
        A migration runs: whatever request overlaps it belongs to it, also one that was due before.
    """

    name: str
    begin: float
    end: float = math.inf
    claims: bool = False


class Phases:
    """The phases so far."""

    def __init__(self) -> None:
        self.known: list[Phase] = []

    def begin(self, name: str, at: float, *, claims: bool = False) -> Phase:
        """Begin a phase, ending the one before."""
        if self.known:
            self.known[-1].end = at
        self.known.append(Phase(name, at, claims=claims))
        return self.known[-1]

    def end(self, at: float) -> None:
        """End the last phase."""
        if self.known:
            self.known[-1].end = min(self.known[-1].end, at)

    def of_cells(self, due: Array, end: Array) -> Array:
        """Return the number of the phase for requests that were due and ended in these cells; -1 during warm-up."""
        begins = np.array([round(phase.begin / CELL_SECONDS) for phase in self.known])
        found = np.searchsorted(begins, due, side="right") - 1
        for number, phase in enumerate(self.known):
            if phase.claims:
                last = math.inf if math.isinf(phase.end) else phase.end // CELL_SECONDS
                found = np.where((due <= last) & (end >= begins[number]) & (found <= number), number, found)
        # What an executor's task still did after the end says nothing.
        over = self.known[-1].end
        return found if math.isinf(over) else np.where(due * CELL_SECONDS > over, -1, found)

    def at(self, moment: float) -> str:
        """Return the name of the phase at a moment."""
        names = [phase.name for phase in self.known if phase.begin <= moment + 1e-9]
        return names[-1] if names else self.known[0].name
