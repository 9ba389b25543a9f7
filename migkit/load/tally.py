"""Adds up what workers saw: per phase and statement, and second by second."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from migkit import frames
from migkit.load.histogram import Histogram, ladder
from migkit.load.phases import PHASES, Phases
from migkit.load.recording import CELL_SECONDS, SLOW_SECONDS, Array, Batch, ErrorCount, highest_of
from migkit.load.workload import Entry
from migkit.redaction import redact

Row = dict[str, Any]

_CELLS_PER_SECOND = round(1 / CELL_SECONDS)
_STALLED_TIMES_USUAL = 2.0
_PERCENTAGES = {"p50_ms": 50.0, "p90_ms": 90.0, "p95_ms": 95.0, "p99_ms": 99.0, "p999_ms": 99.9}


@dataclass
class _Sums:
    """Requests of one statement in one phase."""

    histogram: Histogram = field(default_factory=Histogram)
    errors: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    stalls: Array = field(default_factory=lambda: np.empty((0, 2)))


@dataclass
class _Second:
    """Requests of one statement that were due in one second of one phase."""

    buckets: list[Array] = field(default_factory=list)
    counts: list[Array] = field(default_factory=list)
    errors: int = 0
    slowest: float = 0.0

    def percentiles(self) -> tuple[int, float | None, float | None]:
        """Return how many were answered, and their 50th and 99th percentile in milliseconds."""
        if not self.buckets:
            return 0, None, None
        buckets, counts = np.concatenate(self.buckets), np.concatenate(self.counts)
        order = np.argsort(buckets, kind="stable")
        cumulated = np.cumsum(counts[order])
        total = int(cumulated[-1])
        places = [int(np.searchsorted(cumulated, max(1, np.ceil(share * total - 1e-9)))) for share in (0.5, 0.99)]
        p50, p99 = (highest_of(buckets[order][places]) / 1000).tolist()
        return total, p50, p99


class Tally:
    """What was seen so far.

    Parameters
    ----------
    entries : sequence of Entry
        The workload.
    epoch : float
        When the load began to count, in seconds of :func:`time.time`.
    """

    def __init__(self, entries: Sequence[Entry], epoch: float) -> None:
        self.phases = Phases()
        self.epoch = epoch
        self._entries = list(entries)
        self._sums: dict[tuple[str, int], _Sums] = defaultdict(_Sums)
        self._seconds: dict[tuple[int, str, int], _Second] = defaultdict(_Second)
        self._blocked: dict[tuple[int, int], int] = defaultdict(int)
        self._errors: dict[tuple[str, int, str], ErrorCount] = {}
        self._waiting: dict[int, int] = {}
        self._limits: dict[int, float] = {}
        self._due: dict[int, int] = defaultdict(int)
        self._answered: dict[int, int] = defaultdict(int)

    @property
    def waiting(self) -> int:
        """Requests that are due and not answered, as the workers said last."""
        return sum(self._waiting.values())

    def add(self, batch: Batch) -> None:
        """Take what a worker saw."""
        self._waiting[batch.worker] = batch.waiting
        counted = batch.counted()
        self._add_counts(counted.counts)
        self._add_sums(counted.sums)
        self._add_slow(counted.slow)
        for error in batch.errors:
            self._add_error(error)

    def _add_counts(self, rows: Array) -> None:
        if not len(rows):
            return
        for cells, column in ((self._due, 0), (self._answered, 1)):
            for cell in np.unique(rows[:, column]).tolist():
                cells[cell] += int(rows[rows[:, column] == cell, 4].sum())
        numbers = self.phases.of_cells(rows[:, 0], rows[:, 1])
        for number in np.unique(numbers[numbers >= 0]).tolist():
            phase, of_phase = self.phases.known[number].name, rows[numbers == number]
            for entry in np.unique(of_phase[:, 2]).tolist():
                mine = of_phase[of_phase[:, 2] == entry]
                self._sums[phase, entry].histogram.add(mine[:, 3], mine[:, 4])
                seconds = mine[:, 0] // _CELLS_PER_SECOND
                for second in np.unique(seconds).tolist():
                    cell, chosen = self._seconds[second, phase, entry], mine[seconds == second]
                    cell.buckets.append(chosen[:, 3])
                    cell.counts.append(chosen[:, 4])
        late = rows[(rows[:, 1] // _CELLS_PER_SECOND > rows[:, 0] // _CELLS_PER_SECOND) & (numbers >= 0)]
        for due, end, entry, _, count in late.tolist():
            self._note_blocked(due, end, entry, count)

    def _note_blocked(self, due: int, end: int, entry: int, count: int) -> None:
        for second in range(due // _CELLS_PER_SECOND, end // _CELLS_PER_SECOND):
            self._blocked[second, entry] += count

    def _add_sums(self, rows: Array) -> None:
        numbers = self.phases.of_cells(rows[:, 0], rows[:, 1])
        for number, (due, _, entry, seconds, slowest) in zip(numbers.tolist(), rows.tolist(), strict=True):
            if number >= 0:
                phase = self.phases.known[number].name
                sums, cell = (
                    self._sums[phase, int(entry)],
                    self._seconds[int(due // _CELLS_PER_SECOND), phase, int(entry)],
                )
                sums.seconds += seconds
                sums.slowest = max(sums.slowest, slowest)
                cell.slowest = max(cell.slowest, slowest)

    def _add_slow(self, rows: Array) -> None:
        numbers = self.phases.of_cells(np.floor(rows[:, 1] / CELL_SECONDS), np.floor(rows[:, 2] / CELL_SECONDS))
        for number in np.unique(numbers[numbers >= 0]).tolist():
            of_phase = rows[numbers == number]
            for entry in np.unique(of_phase[:, 0]).astype(int).tolist():
                mine = of_phase[of_phase[:, 0] == entry]
                over = mine[mine[:, 2] - mine[:, 1] > self._limits.get(entry, SLOW_SECONDS)]
                sums = self._sums[self.phases.known[number].name, entry]
                sums.stalls = _united(np.concatenate([sums.stalls, over[:, 1:3]]))

    def _add_error(self, error: ErrorCount) -> None:
        number = int(self.phases.of_cells(np.array([error.due]), np.array([error.end]))[0])
        if number < 0:
            return
        self._due[error.due] += error.count
        phase = self.phases.known[number].name
        slowest = error.seconds / error.count
        sums, cell = self._sums[phase, error.entry], self._seconds[error.due // _CELLS_PER_SECOND, phase, error.entry]
        for counted in (sums, cell):
            counted.errors += error.count
            counted.slowest = max(counted.slowest, slowest)
        sums.seconds += error.seconds
        if slowest > self._limits.get(error.entry, SLOW_SECONDS):
            stall = np.array([[error.last - slowest, error.last]])
            sums.stalls = _united(np.concatenate([sums.stalls, stall]))
        self._note_blocked(error.due, error.end, error.entry, error.count)
        known = self._errors.setdefault((phase, error.entry, error.kind), error)
        if known is not error:
            known.count += error.count
            known.first, known.last = min(known.first, error.first), max(known.last, error.last)

    def fix_limits(self, phase: str) -> None:
        """Learn from a phase how long each statement usually takes: what takes much longer is stalled."""
        for entry in range(len(self._entries)):
            usual = self._sums[phase, entry].histogram.milliseconds(99.9) or 0.0
            self._limits[entry] = max(SLOW_SECONDS, _STALLED_TIMES_USUAL * usual / 1000)

    # --- frames -----------------------------------------------------------------------------------------------------

    def statements(self) -> pd.DataFrame:
        """Return :data:`migkit.frames.LOAD_STATEMENTS`."""
        return frames.LOAD_STATEMENTS.build(
            self._statement_row(phase, number, entry)
            for phase in self._phase_names()
            for number, entry in enumerate(self._entries)
            if (phase, number) in self._sums
        )

    def _phase_names(self) -> list[str]:
        return [name for name in PHASES if any(phase.name == name for phase in self.phases.known)]

    def _statement_row(self, phase: str, number: int, entry: Entry) -> Row:
        sums = self._sums[phase, number]
        done = sums.histogram.total
        found = sums.histogram.percentiles(list(_PERCENTAGES.values()))
        return {
            "phase": phase,
            "statement": entry.name,
            "sql": redact(entry.sql),
            "attempted": done + sums.errors,
            "done": done,
            "errors": sums.errors,
            **dict(zip(_PERCENTAGES, (value for value, _ in found), strict=False)),
            "max_ms": sums.slowest * 1000 if done + sums.errors else None,
            "total_ms": sums.seconds * 1000,
            "blocked_ms": float((sums.stalls[:, 1] - sums.stalls[:, 0]).sum()) * 1000,
            "blocked_over_ms": self._limits.get(number, SLOW_SECONDS) * 1000,
        }

    def stalls(self, phase: str, statement: str) -> list[tuple[datetime, datetime]]:
        """Return when requests of a statement were stalled."""
        for number, entry in enumerate(self._entries):
            if entry.name == statement and (phase, number) in self._sums:
                return [(self.moment(a), self.moment(b)) for a, b in self._sums[phase, number].stalls.tolist()]
        return []

    def moment(self, seconds: float) -> datetime:
        """Return a moment of the load as an instant."""
        return datetime.fromtimestamp(self.epoch, UTC) + timedelta(seconds=seconds)

    def timeline(self) -> pd.DataFrame:
        """Return :data:`migkit.frames.TIMELINE`."""
        cells = dict(self._seconds)
        for second, entry in self._blocked:
            phase = self.phases.at(second + 1 - CELL_SECONDS)
            if not any((second, name, entry) in cells for name in PHASES):
                cells[second, phase, entry] = _Second()
        last = {(second, entry): phase for second, phase, entry in sorted(cells, key=self._order)}
        rows = []
        for second, phase, entry in sorted(cells, key=self._order):
            row = self._second_row(second, phase, self._entries[entry].name, [cells[second, phase, entry]])
            # The second ended in its last phase.
            is_last = last[second, entry] == phase
            rows.append(row | {"blocked": self._blocked.get((second, entry), 0) if is_last else 0})
        return frames.TIMELINE.build(rows)

    def _order(self, key: tuple[int, str, int]) -> tuple[int, int, int]:
        return key[0], PHASES.index(key[1]), key[2]

    def _second_row(self, second: int, phase: str, statement: str, cells: Sequence[_Second]) -> Row:
        joined = _Second(
            [part for cell in cells for part in cell.buckets],
            [part for cell in cells for part in cell.counts],
            sum(cell.errors for cell in cells),
            max((cell.slowest for cell in cells), default=0.0),
        )
        done, p50, p99 = joined.percentiles()
        return {
            "second": second,
            "phase": phase,
            "statement": statement,
            "started_at": self.moment(second),
            "attempted": done + joined.errors,
            "done": done,
            "errors": joined.errors,
            "p50_ms": p50,
            "p99_ms": p99,
            "max_ms": joined.slowest * 1000 if done + joined.errors else None,
        }

    def second(self, second: int) -> Row:
        """Return a second of the timeline, all statements taken together, as it is known now."""
        phase = self.phases.at(second)
        cells = [cell for (number, _, _), cell in list(self._seconds.items()) if number == second]
        return self._second_row(second, phase, "", cells) | {"blocked": self.waiting}

    def errors(self) -> pd.DataFrame:
        """Return :data:`migkit.frames.LOAD_ERRORS`."""
        return frames.LOAD_ERRORS.build(
            {
                "phase": phase,
                "statement": self._entries[entry].name,
                "kind": kind,
                "message": redact(error.message),
                "sql": redact(error.sql) or None,
                "count": error.count,
                "first_at": self.moment(error.first),
                "last_at": self.moment(error.last),
            }
            for (phase, entry, kind), error in sorted(
                self._errors.items(), key=lambda item: (PHASES.index(item[0][0]), item[0][1], item[1].first)
            )
        )

    def percentiles(self) -> pd.DataFrame:
        """Return :data:`migkit.frames.PERCENTILES`."""
        rows = []
        for (phase, statement), histogram in self._histograms().items():
            found = histogram.percentiles(ladder())
            for percentage, (latency, requests) in zip(ladder(), found, strict=False):
                rows.append((phase, statement, percentage, latency, requests))
        return frames.PERCENTILES.build(rows)

    def encoded(self) -> dict[str, dict[str, str]]:
        """Return the histograms by phase and statement, as HdrHistogram writes them."""
        found: dict[str, dict[str, str]] = {}
        for (phase, statement), histogram in self._histograms().items():
            found.setdefault(phase, {})[statement] = histogram.encoded()
        return found

    def _histograms(self) -> dict[tuple[str, str], Histogram]:
        """Return all histograms that hold something; under the name '' all statements together."""
        found: dict[tuple[str, str], Histogram] = {}
        for phase in self._phase_names():
            whole = Histogram()
            several = {
                entry.name: self._sums[phase, number].histogram
                for number, entry in enumerate(self._entries)
                if (phase, number) in self._sums and self._sums[phase, number].histogram.total
            }
            for histogram in several.values():
                whole.counts += histogram.counts
            if several:
                found[phase, ""] = whole
                found |= {(phase, name): histogram for name, histogram in several.items()}
        return found

    def answered(self, phase: str) -> float:
        """Return how many requests were answered per second while a phase lasted, whenever they were due."""
        return self._per_second(phase, self._answered)

    def due(self, phase: str) -> float:
        """Return how many requests were due per second of a phase."""
        return self._per_second(phase, self._due)

    def lasted(self, phase: str) -> float:
        """Return how many seconds a phase lasted; 0 if it has not ended."""
        known = next((one for one in self.phases.known if one.name == phase), None)
        return known.end - known.begin if known is not None and np.isfinite(known.end) else 0.0

    def _per_second(self, phase: str, cells: dict[int, int]) -> float:
        known = next((one for one in self.phases.known if one.name == phase), None)
        if known is None or not np.isfinite(known.end) or known.end <= known.begin:
            return 0.0
        first, last = round(known.begin / CELL_SECONDS), round(known.end / CELL_SECONDS)
        return sum(cells.get(cell, 0) for cell in range(first, last)) / max(CELL_SECONDS, known.end - known.begin)


def _united(intervals: Array) -> Array:
    """Join intervals that overlap."""
    if len(intervals) < 2:
        return intervals
    ordered = intervals[np.argsort(intervals[:, 0], kind="stable")]
    ends = np.maximum.accumulate(ordered[:, 1])
    first = np.concatenate([[True], ordered[1:, 0] > ends[:-1]])
    last = np.concatenate([first[1:], [True]])
    return np.column_stack([ordered[first, 0], ends[last]])
