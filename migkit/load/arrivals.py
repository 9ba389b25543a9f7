"""When requests are due: a schedule that nobody who is slow can hold up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

Arrivals = Literal["constant", "poisson"]

_BATCH = 256


def schedule(rate: float, arrivals: Arrivals, chance: np.random.Generator, begin: float) -> Iterator[float]:
    """Yield the moments at which requests are due, without end.

    Parameters
    ----------
    rate : float
        Requests per second.
    arrivals : {"constant", "poisson"}
        Evenly spaced, or as independent users come.
    chance : numpy.random.Generator
        For the gaps between users.
    begin : float
        The first moment; the clock's seconds.
    """
    if arrivals == "constant":
        number = 0
        while True:
            # Multiplied, not added up: a day of small errors is none.
            yield from (begin + np.arange(number, number + _BATCH) / rate).tolist()
            number += _BATCH
    last = begin
    while True:
        moments = last + np.cumsum(chance.exponential(1 / rate, _BATCH))
        last = float(moments[-1])
        yield from moments.tolist()
