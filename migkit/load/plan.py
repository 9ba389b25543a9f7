"""How a load test is to be done."""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import dataclass

from migkit.errors import ConfigError
from migkit.load.arrivals import Arrivals


@dataclass(frozen=True)
class LoadPlan:
    """How a load test is to be done.

    Attributes
    ----------
    clients : int
        Connections that ask at a time.
    rate : float or None
        Requests per second; ``None`` finds out how many the database answers, and asks for half as many.
    closed : bool
        Each client asks as soon as it is answered. That hides stalls: blocked clients stop asking.
    arrivals : {"constant", "poisson"}
        How requests are spaced.
    warm_up, duration : float
        Seconds before it counts, and of the baseline; as many again after the migration.
    with_rollback : bool
        Take the migration back under load, too.
    long_reader : float or None
        For how many seconds a transaction that has read the touched tables stays open when the migration begins.
    timeout, lock_timeout : float or None
        Limits of each run.
    retries : int
        How often to try again when the migration did not get a lock in time.
    processes : int or None
        Worker processes; by default half as many as processors.
    executor : Executor or None
        Where to run the workers instead; then `processes` is how many tasks share the clients.
    seed : int
        The same seed draws the same values.
    """

    clients: int = 10
    rate: float | None = None
    closed: bool = False
    arrivals: Arrivals = "constant"
    warm_up: float = 2.0
    duration: float = 10.0
    with_rollback: bool = False
    long_reader: float | None = None
    timeout: float | None = None
    lock_timeout: float | None = None
    retries: int = 0
    processes: int | None = None
    executor: Executor | None = None
    seed: int = 1

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises
        ------
        ConfigError
            If it does not.
        """
        for name in ("clients", "duration"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} has to be above 0, not {getattr(self, name)}")
        for name, least in (("warm_up", 0), ("retries", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} has to be {least} or more, not {getattr(self, name)}")
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise ConfigError(f"The rate has to be above 0, not {self.rate}")
        if self.closed and self.rate is not None:
            raise ConfigError("A closed loop has no rate", next_step="Leave out either of them.")
