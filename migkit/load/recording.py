"""What a worker notes of each request, and how a second's worth of it becomes a few small arrays.

Latencies are counted in the buckets of an HDR histogram with three significant digits (http://hdrhistogram.org), in
microseconds, so that workers' counts add up exactly.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from migkit.dialects.workloads import ClientError

CELL_SECONDS = 0.1
"""Requests are counted by tenths of a second: phases begin at the beginning of one."""

SLOW_SECONDS = 0.05
"""Requests that take longer are noted one by one."""

HIGHEST_US = 3_600_000_000

_ENTRY, _SPAN, _BUCKET = 1 << 10, 1 << 16, 1 << 15

Array = np.ndarray[Any, Any]


def buckets_of(microseconds: Array) -> Array:
    """Return the index of the bucket that each latency falls in."""
    values = np.clip(microseconds, 0, HIGHEST_US).astype(np.int64)
    exponents = np.maximum(np.frexp(values.astype(np.float64))[1] - 11, 0)
    buckets: Array = (exponents << 10) + (values >> exponents)
    return buckets


def highest_of(buckets: Array) -> Array:
    """Return the largest number of microseconds that falls in each bucket."""
    buckets = buckets.astype(np.int64)
    exponents = np.maximum((buckets >> 10) - 1, 0)
    highest: Array = ((buckets - (exponents << 10) + 1) << exponents) - 1
    return highest


@dataclass
class ErrorCount:
    """Errors of one kind, of requests that were due in one cell and ended in one."""

    entry: int
    due: int
    end: int
    kind: str
    message: str
    sql: str
    first: float
    last: float
    count: int = 0
    seconds: float = 0.0


@dataclass
class Batch:
    """What a worker saw since its last batch.

    Attributes
    ----------
    worker : int
        Whose it is.
    rows : bytes
        Of each request that was answered: its entry, when it was due, when it was answered; three doubles each, in
        seconds of the worker's clock.
    begin : float
        When the load began, by that clock.
    errors : list of ErrorCount
        Requests that failed; their times count from the beginning.
    waiting : int
        Requests that are due and not answered yet.
    """

    worker: int
    rows: bytes
    begin: float
    errors: list[ErrorCount] = field(default_factory=list)
    waiting: int = 0

    def counted(self) -> Counted:
        """Count its requests by bucket and cell."""
        return _counted(np.frombuffer(self.rows, dtype=np.float64).reshape(-1, 3), self.begin)


@dataclass(frozen=True)
class Counted:
    """Requests, counted; times are seconds since the load began, cells are tenths of them.

    Attributes
    ----------
    counts : array
        Rows of cell due, cell ended, entry, bucket, requests.
    sums : array
        Rows of cell due, cell ended, entry, seconds, seconds of the slowest.
    slow : array
        Rows of entry, due, ended, of each request that took longer than :data:`SLOW_SECONDS`.
    """

    counts: Array
    sums: Array
    slow: Array


class Recorder:
    """Collects requests as cheaply as may be; counting them is left to whoever takes the batches.

    Parameters
    ----------
    worker : int
        Whose it is.
    epoch : float
        When the load begins, in seconds of :func:`time.time`.
    """

    def __init__(self, worker: int, epoch: float) -> None:
        self.worker = worker
        # Clocks of one machine's processes agree on time.time(); steps of it within a test must not reach latencies.
        self.begin = time.perf_counter() + (epoch - time.time())
        self._rows = array("d")
        self.record: Callable[[tuple[float, float, float]], None] = self._rows.extend
        self._errors: dict[tuple[int, int, int, str], ErrorCount] = {}

    def failed(self, entry: int, due: float, end: float, error: ClientError, sql: str) -> None:
        """Count a request that failed."""
        due, end = due - self.begin, end - self.begin
        cells = int(due // CELL_SECONDS), int(end // CELL_SECONDS)
        key = (entry, *cells, error.kind)
        found = self._errors.get(key)
        if found is None:
            found = ErrorCount(entry, *cells, error.kind, error.message, sql, end, end)
            self._errors[key] = found
        found.count += 1
        found.seconds += end - due
        found.last = end

    def flush(self, waiting: int) -> Batch:
        """Return what was recorded since the last time."""
        rows, self._rows = self._rows, array("d")
        self.record = self._rows.extend
        errors, self._errors = self._errors, {}
        return Batch(self.worker, rows.tobytes(), self.begin, list(errors.values()), waiting)


def _counted(table: Array, begin: float) -> Counted:
    entries = table[:, 0].astype(np.int64)
    due, end = table[:, 1] - begin, table[:, 2] - begin
    seconds = end - due
    due_cells, end_cells = (np.floor(part / CELL_SECONDS).astype(np.int64) for part in (due, end))
    spans = np.clip(end_cells - due_cells, 0, _SPAN - 1)
    # Cells before the beginning are negative; shifted, they sort and divide like the others.
    groups = ((due_cells + _SPAN) * _SPAN + spans) * _ENTRY + entries
    keys, counted = np.unique(groups * _BUCKET + buckets_of(seconds * 1e6), return_counts=True)
    distinct, places = np.unique(groups, return_inverse=True)
    sums, slowest = np.zeros(len(distinct)), np.zeros(len(distinct))
    np.add.at(sums, places, seconds)
    np.maximum.at(slowest, places, seconds)
    is_slow = seconds > SLOW_SECONDS
    return Counted(
        np.column_stack([*_apart(keys // _BUCKET), keys % _BUCKET, counted]).astype(np.int64),
        np.column_stack([*_apart(distinct), sums, slowest]).astype(np.float64),
        np.column_stack([entries[is_slow], due[is_slow], end[is_slow]]),
    )


def _apart(groups: Array) -> tuple[Array, Array, Array]:
    due = groups // (_ENTRY * _SPAN) - _SPAN
    return due, due + groups // _ENTRY % _SPAN, groups % _ENTRY
