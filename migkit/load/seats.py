"""A client at its place in the load: what it has prepared, what it is busy with, and how it comes back when cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from migkit.dialects.workloads import ClientError, LoadClient, NamedSql
from migkit.load.parameters import Parameter, Place, values_of
from migkit.load.workload import Entry

Draw = Callable[[], Sequence[Any]]


@dataclass(frozen=True)
class Script:
    """An entry as one worker executes it.

    Attributes
    ----------
    entry : Entry
        What it is made of.
    steps : tuple of NamedSql
        Its statements.
    single : callable or None
        Draws the values of the only statement, in the order in which it wants them.
    several : callable
        Draws values for every name.
    """

    entry: Entry
    steps: tuple[NamedSql, ...]
    single: Draw | None
    several: Callable[[], dict[str, Any]]


def scripts_of(
    entries: Sequence[Entry],
    cut: Callable[[str], NamedSql],
    client: LoadClient,
    orders: Sequence[Sequence[tuple[str, ...]]],
    place: Place,
) -> list[Script]:
    """Return what a worker executes.

    Parameters
    ----------
    entries : sequence of Entry
        The workload.
    cut : callable
        Cuts a statement at its names.
    client : LoadClient
        One that encodes values.
    orders : sequence
        For each entry and step, the names in the order in which the driver wants them.
    place : Place
        Which worker it is.
    """
    return [
        _script(entry, tuple(cut(step) for step in entry.steps), client, names, place, number)
        for number, (entry, names) in enumerate(zip(entries, orders, strict=True))
    ]


def _script(
    entry: Entry,
    steps: tuple[NamedSql, ...],
    client: LoadClient,
    orders: Sequence[tuple[str, ...]],
    place: Place,
    number: int,
) -> Script:
    chance = np.random.default_rng((place.seed, place.worker, number))
    if entry.assignments:
        return Script(entry, steps, None, _computed(entry, client, chance, place))
    encoded = {
        name: _encoded(parameter, client, chance, place).__next__ for name, parameter in entry.parameters.items()
    }

    def several() -> dict[str, Any]:
        return {name: draw() for name, draw in encoded.items()}

    # A name that comes twice has one value, on drivers that want it twice too.
    is_plain = len(steps) == 1 and len(set(orders[0])) == len(orders[0])
    return Script(entry, steps, _drawing([encoded[name] for name in orders[0]]) if is_plain else None, several)


def _drawing(draws: list[Callable[[], Any]]) -> Draw:
    if not draws:
        return lambda: ()
    if len(draws) == 1:
        (draw,) = draws
        return lambda: (draw(),)
    return lambda: [draw() for draw in draws]


def _encoded(parameter: Parameter, client: LoadClient, chance: np.random.Generator, place: Place) -> Iterator[Any]:
    encode = client.encode
    for batch in parameter.batches(chance, place):
        yield from [encode(value) for value in batch]


def _computed(
    entry: Entry, client: LoadClient, chance: np.random.Generator, place: Place
) -> Callable[[], dict[str, Any]]:
    plain = {name: values_of(parameter, chance, place).__next__ for name, parameter in entry.parameters.items()}
    compiled = [(assignment.name, assignment.compiled()) for assignment in entry.assignments]

    def several() -> dict[str, Any]:
        values = {name: draw() for name, draw in plain.items()}
        for name, evaluate in compiled:
            values[name] = evaluate(values, chance)
        return {name: client.encode(value) for name, value in values.items()}

    return several


@dataclass(eq=False)
class Seat:
    """One client, and what it is busy with.

    Attributes
    ----------
    client : LoadClient
        The connection.
    prepared : list
        For each entry and step, what the driver prepared and the names it wants; ``None`` if that failed.
    entry, step : int
        What it does now; entry -1 if nothing.
    due : float
        When its request was due.
    values : dict
        The values of the request, where it has several steps.
    is_lost : bool
        The connection is gone.
    """

    client: LoadClient
    prepared: list[list[tuple[Any, tuple[str, ...]] | ClientError]]
    entry: int = -1
    step: int = 0
    due: float = 0.0
    values: dict[str, Any] = field(default_factory=dict)
    is_lost: bool = False


def prepare_all(client: LoadClient, steps: Sequence[Sequence[NamedSql]]) -> Seat:
    """Prepare every statement of a workload; one that cannot be prepared fails when it is sent."""
    return Seat(client, [[prepare_one(client, step) for step in several] for several in steps])


def prepare_one(client: LoadClient, step: NamedSql) -> tuple[Any, tuple[str, ...]] | ClientError:
    """Prepare a statement, or say why not."""
    try:
        return client.prepare(step)
    except Exception as error:  # `explain` raises again what is not the driver's
        explained = client.explain(error)
        client.reset() if not explained.lost else None
        return explained
