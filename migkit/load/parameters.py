"""What the ``:names`` of a workload stand for: where each value comes from, drawn in batches before it is needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from migkit.errors import ConfigError

# Drawn while requests wait: few enough that nobody notices, many enough to cost next to nothing each.
BATCH = 256


@dataclass(frozen=True)
class Place:
    """Which of how many workers draws; sequences are shared out among them.

    Attributes
    ----------
    worker : int
        From 0.
    workers : int
        How many there are.
    seed : int
        The load test's; each worker draws differently, and the same again with the same seed.
    """

    worker: int = 0
    workers: int = 1
    seed: int = 1

    def generator(self) -> np.random.Generator:
        """Return this worker's source of chance."""
        return np.random.default_rng((self.seed, self.worker))


class Parameter(ABC):
    """Where the values of one name come from."""

    @abstractmethod
    def batches(self, chance: np.random.Generator, place: Place) -> Iterator[list[Any]]:
        """Yield values without end, many at a time."""


@dataclass(frozen=True)
class Constant(Parameter):
    """Always the same value."""

    value: Any

    def batches(self, chance: np.random.Generator, place: Place) -> Iterator[list[Any]]:
        """Yield the value."""
        while True:
            yield [self.value] * BATCH


@dataclass(frozen=True)
class Integers(Parameter):
    """Integers of a range, both ends included, each as likely as the others."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"the range {self.low} … {self.high} is empty")

    def batches(self, chance: np.random.Generator, place: Place) -> Iterator[list[Any]]:
        """Yield integers."""
        while True:
            yield chance.integers(self.low, self.high, size=BATCH, endpoint=True).tolist()


@dataclass(frozen=True)
class Zipf(Parameter):
    """Integers of a range, `low` the most likely, the k-th 1/k**`skew` as likely: as keys are used."""

    low: int
    high: int
    skew: float = 1.07

    def __post_init__(self) -> None:
        if self.low > self.high or self.skew <= 0:
            raise ValueError("zipf needs a range that is not empty and a skew above 0")

    def batches(self, chance: np.random.Generator, place: Place) -> Iterator[list[Any]]:
        """Yield integers."""
        count = self.high - self.low + 1
        while True:
            yield (self.low + zipf_ranks(chance, count, self.skew, BATCH)).tolist()


def zipf_ranks(chance: np.random.Generator, count: int, skew: float, size: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Draw ranks 0 … count - 1 by inverting the distribution, continuous beyond the first thousand ranks."""
    head = min(count, 1000)
    weights = np.arange(1, head + 1, dtype=np.float64) ** -skew
    tail = _integral(head + 0.5, count + 0.5, skew) if count > head else 0.0
    total = weights.sum() + tail
    drawn = chance.random(size) * total
    ranks = np.searchsorted(np.cumsum(weights), drawn)
    beyond = ranks >= head
    if beyond.any() and count > head:
        ranks[beyond] = _inverse(head + 0.5, drawn[beyond] - weights.sum(), skew)
    clipped: np.ndarray[Any, np.dtype[np.int64]] = np.clip(ranks, 0, count - 1).astype(np.int64)
    return clipped


def _integral(low: float, high: float, skew: float) -> float:
    if abs(skew - 1) < 1e-9:
        return float(np.log(high / low))
    return float((high ** (1 - skew) - low ** (1 - skew)) / (1 - skew))


def _inverse(low: float, area: np.ndarray[Any, Any], skew: float) -> np.ndarray[Any, Any]:
    if abs(skew - 1) < 1e-9:
        places = low * np.exp(area)
    else:
        places = (area * (1 - skew) + low ** (1 - skew)) ** (1 / (1 - skew))
    return np.asarray(np.rint(places).astype(np.int64) - 1)


@dataclass(frozen=True)
class Choice(Parameter):
    """One of some values, each as likely as the others; with a `skew`, the first ones more (as :class:`Zipf`)."""

    values: tuple[Any, ...]
    skew: float | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("there is nothing to choose from")

    def batches(self, chance: np.random.Generator, place: Place) -> Iterator[list[Any]]:
        """Yield values."""
        count = len(self.values)
        while True:
            if self.skew is None:
                places = chance.integers(0, count, size=BATCH)
            else:
                places = zipf_ranks(chance, count, self.skew, BATCH)
            yield [self.values[place] for place in places.tolist()]


@dataclass(frozen=True)
class Sampled(Parameter):
    """Values that a column really holds; read from the database before the load begins.

    Attributes
    ----------
    table, column : str
        Where to read them.
    schema : str
        Of the table; by default the one that unqualified names go to.
    count : int
        How many to read at the most.
    skew : float or None
        As for :class:`Choice`.
    """

    table: str
    column: str
    schema: str = ""
    count: int = 10_000
    skew: float | None = None

    def batches(self, chance: np.random.Generator, place: Place) -> Iterator[list[Any]]:
        """Refuse: :func:`migkit.load.sampling.resolved` puts a :class:`Choice` in its place."""
        raise ConfigError(
            f"The keys of {self.table}.{self.column} have not been sampled yet",
            next_step="Give the workload to mk.load_test, which samples them first.",
        )


@dataclass(frozen=True)
class Counter(Parameter):
    """Each integer once, counting up from `start`, whichever worker draws it; with a `template`, as text around it."""

    start: int = 1
    template: str = ""

    def batches(self, chance: np.random.Generator, place: Place) -> Iterator[list[Any]]:
        """Yield numbers, or texts with ``{}`` replaced by the number."""
        first = self.start + place.worker
        while True:
            last = first + BATCH * place.workers
            numbers = range(first, last, place.workers)
            yield [self.template.replace("{}", str(n)) for n in numbers] if self.template else list(numbers)
            first = last


@dataclass(frozen=True)
class Text(Parameter):
    """Random lower-case text of a length."""

    length: int = 16

    def batches(self, chance: np.random.Generator, place: Place) -> Iterator[list[Any]]:
        """Yield texts."""
        while True:
            letters = chance.integers(97, 123, size=(256, max(self.length, 1)), dtype=np.uint8)
            yield [row.tobytes().decode()[: self.length] for row in letters]


def values_of(parameter: Parameter, chance: np.random.Generator, place: Place) -> Iterator[Any]:
    """Yield the values of a parameter one by one."""
    for batch in parameter.batches(chance, place):
        yield from batch


def as_parameter(value: Any) -> Parameter:
    """Return what a plain Python value means as a parameter: a range, a list to choose from, or itself always."""
    if isinstance(value, Parameter):
        return value
    if isinstance(value, range):
        if value.step != 1:
            return Choice(tuple(value))
        return Integers(value.start, value.stop - 1)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return Choice(tuple(value))
    return Constant(value)
