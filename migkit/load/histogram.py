"""Latencies, counted in the buckets of an HDR histogram: exact to three digits, and adding up across workers."""

from __future__ import annotations

from typing import Any

import numpy as np

from migkit.errors import MissingExtra
from migkit.load.recording import HIGHEST_US, Array, highest_of

_BUCKETS = 1 << 15
# As HdrHistogram's own listings: halving the distance to the end, five steps to each half.
_STEPS_PER_HALF = 5
_HALVES = 17


class Histogram:
    """Counts per bucket."""

    def __init__(self) -> None:
        self.counts = np.zeros(_BUCKETS, dtype=np.int64)

    @property
    def total(self) -> int:
        """How many latencies were counted."""
        return int(self.counts.sum())

    def add(self, buckets: Array, counts: Array) -> None:
        """Count latencies by their bucket."""
        np.add.at(self.counts, buckets, counts)

    def percentiles(self, percentages: list[float]) -> list[tuple[float, int]]:
        """Return, for each percentage, the milliseconds that so many requests did not exceed, and how many these are.

        A histogram without requests has none.
        """
        total = self.total
        if not total:
            return []
        cumulated = np.cumsum(self.counts)
        wanted = np.maximum(1, np.ceil(np.array(percentages) / 100 * total - 1e-9)).astype(np.int64)
        places = np.searchsorted(cumulated, np.minimum(wanted, total))
        return list(zip((highest_of(places) / 1000).tolist(), cumulated[places].tolist(), strict=True))

    def milliseconds(self, percentage: float) -> float | None:
        """Return one percentile in milliseconds."""
        found = self.percentiles([percentage])
        return found[0][0] if found else None

    def hdr(self) -> Any:
        """Return it as an ``HdrHistogram`` of microseconds.

        Raises
        ------
        MissingExtra
            If hdrhistogram is not installed.
        """
        histogram = _hdr_class()(1, HIGHEST_US, 3)
        for bucket in np.nonzero(self.counts)[0].tolist():
            value = int(highest_of(np.array([bucket]))[0])
            histogram.record_value(min(value, HIGHEST_US), int(self.counts[bucket]))
        return histogram

    def encoded(self) -> str:
        """Return it in HdrHistogram's own compressed text form, which its tools read."""
        return str(self.hdr().encode().decode("ascii"))


def require_histograms() -> None:
    """Make sure, before anything is measured, that the result can be written down.

    Raises
    ------
    MissingExtra
        If hdrhistogram is not installed.
    """
    _hdr_class()


def _hdr_class() -> Any:
    try:
        from hdrh.histogram import HdrHistogram
    except ModuleNotFoundError:
        raise MissingExtra("hdrhistogram", "load", "A load test") from None
    return HdrHistogram


def ladder() -> list[float]:
    """Return percentages from 0 to 100, denser towards the end.

    Examples
    --------
    >>> ladder()[:3], ladder()[-1]
    ([0.0, 10.0, 20.0], 100.0)
    """
    steps = [0.0]
    for half in range(_HALVES):
        low, width = 100 - 100 / 2**half, 50 / 2**half
        steps += [round(low + width * step / _STEPS_PER_HALF, 9) for step in range(1, _STEPS_PER_HALF + 1)]
    return [*steps, 100.0]
