"""``Metrics``: what a server did between two readings of its counters."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from migkit import frames
from migkit.dialects.base import Dialect
from migkit.dialects.measuring import Reading, Readings
from migkit.display.card import Card, Fact, Fold
from migkit.display.lines import NOTE, Line
from migkit.display.results import Drawn
from migkit.display.units import duration
from migkit.storage import encode_instant

Row = dict[str, Any]


@dataclass(frozen=True)
class Counters:
    """One reading of a server's figures, and when it was taken."""

    readings: Readings
    taken_at: datetime
    monotonic: float


@dataclass(frozen=True, eq=False, repr=False)
class Metrics(Drawn):
    """What a server did in an interval.

    Attributes
    ----------
    database : str
        The database's name.
    taken_at : datetime
        The second reading, in UTC.
    seconds : float
        From the first reading to the second.
    frame : DataFrame
        As :data:`migkit.frames.METRICS` describes it: one row per figure, with its source; a figure that cannot be
        known is missing, and its note says why.
    """

    database: str
    taken_at: datetime
    seconds: float
    frame: pd.DataFrame

    def value(self, name: str) -> float | None:
        """Return a figure by name; ``None`` where it is not known."""
        return next((row["value"] for row in frames.METRICS.rows(self.frame) if row["name"] == name), None)

    @property
    def connections(self) -> float | None:
        """Sessions that are connected."""
        return self.value("connections")

    @property
    def transactions_per_second(self) -> float | None:
        """Transactions that ended in the interval, per second."""
        return self.value("transactions_per_second")

    @property
    def error_rate(self) -> float | None:
        """Of all that ended in the interval, what failed, in percent."""
        return self.value("error_rate")

    @property
    def avg_response_ms(self) -> float | None:
        """How long the server worked for one statement (PostgreSQL without pg_stat_statements: transaction)."""
        return self.value("avg_response_ms")

    @property
    def cpu_percent(self) -> float | None:
        """The server's share of all the machine's processors, if it runs on this machine."""
        return self.value("cpu_percent")

    def to_document(self) -> dict[str, Any]:
        """Return the metrics as JSON values."""
        return {
            "database": self.database,
            "taken_at": encode_instant(self.taken_at),
            "seconds": self.seconds,
            "error_rate": self.error_rate,
            "avg_response_ms": self.avg_response_ms,
            "cpu_percent": self.cpu_percent,
            "metrics": frames.METRICS.rows(self.frame),
        }

    def card(self) -> Card:
        """Return what the metrics show of themselves."""
        rows = frames.METRICS.rows(self.frame)
        return Card(
            title=f"Metrics of {self.database}",
            sign=NOTE,
            verdict=f"over {duration(self.seconds)}, until {self.taken_at:%Y-%m-%d %H:%M:%S} UTC",
            figures=tuple(Fact(label, _shown(rows, name)) for label, name in _FIGURES),
            lines=tuple(Line(NOTE, _told(row)) for row in rows if row["value"] is not None),
            folds=(Fold("Not known", self.frame[self.frame["value"].isna()], ("name", "note"), told=True),),
            noun="figure",
        )


_FIGURES = (
    ("errors", "error_rate"),
    ("response time", "avg_response_ms"),
    ("transactions", "transactions_per_second"),
    ("processor", "cpu_percent"),
)


def _shown(rows: list[Row], name: str) -> str:
    row = next((row for row in rows if row["name"] == name), None)
    return "not known" if row is None or row["value"] is None else _amount(row)


def _told(row: Mapping[str, Any]) -> str:
    note = f" ({row['note']})" if row["note"] else ""
    return f"{row['name'].replace('_', ' ')}: {_amount(row)}{note}"


def _amount(row: Mapping[str, Any]) -> str:
    unit = {"percent": " %", "1/s": "/s", "deadlocks": "", "lock timeouts": ""}.get(row["unit"], f" {row['unit']}")
    value = row["value"]
    number = f"{value:,.2f}" if row["unit"] in ("ms", "percent", "1/s", "s") and value < 1000 else f"{value:,.0f}"
    return number + unit


def read_counters(dialect: Dialect, connection: Connection) -> Counters:
    """Read a server's figures once.

    Parameters
    ----------
    dialect : Dialect
        The engine.
    connection : Connection
        A session of its own, best outside transactions.
    """
    readings = dialect.read_metrics(connection)
    return Counters(readings, datetime.now(UTC), time.monotonic())


def difference(before: Counters, after: Counters, database: str = "") -> Metrics:
    """Say what happened between two readings of the same server.

    Parameters
    ----------
    before, after : Counters
        What :func:`read_counters` returned.
    database : str
        The database's name, for people.
    """
    seconds = max(after.monotonic - before.monotonic, 1e-9)
    pair = _Pair(before.readings, after.readings, seconds)
    rows = [
        pair.gauge("connections", "sessions"),
        pair.gauge("active", "sessions"),
        pair.rate("transactions_per_second", "transactions", "1/s"),
        pair.rate("statements_per_second", "statements", "1/s"),
        pair.ratio("error_rate", "errors", _errors_among(after.readings), 100.0, "percent"),
        pair.ratio("avg_response_ms", "statement_ms", "statements", 1.0, "ms"),
        pair.share("cache_hit_rate", "cache_hits", "cache_reads"),
        pair.rate("log_bytes_per_second", "log_bytes", "bytes/s"),
        pair.gauge("replication_lag_seconds", "s"),
        pair.cpu(),
        pair.rise("deadlocks", "deadlocks"),
        pair.rise("lock_timeouts", "lock timeouts"),
    ]
    return Metrics(database, after.taken_at, seconds, frames.METRICS.build(rows))


def _errors_among(readings: Readings) -> str:
    """Return what errors are counted among: statements, or transactions where rollbacks stand for errors."""
    return "statements" if readings["errors"].source == readings["statements"].source else "transactions"


@dataclass(frozen=True)
class _Pair:
    before: Readings
    after: Readings
    seconds: float

    def _rise(self, name: str) -> float | None:
        now, then = self.after[name].value, self.before[name].value
        # A server that was started again meanwhile counts from zero.
        return None if now is None or then is None or now < then else now - then

    def _row(self, name: str, value: float | None, unit: str, reading: Reading, why: str = "") -> Row:
        note = why if value is None and why and reading.value is not None else reading.note
        return {"name": name, "value": value, "unit": unit, "source": reading.source or None, "note": note or None}

    def gauge(self, name: str, unit: str) -> Row:
        return self._row(name, self.after[name].value, unit, self.after[name])

    def rise(self, name: str, unit: str) -> Row:
        return self._row(name, self._rise(name), unit, self.after[name], _RESTARTED)

    def rate(self, name: str, counter: str, unit: str) -> Row:
        rise = self._rise(counter)
        return self._row(name, None if rise is None else rise / self.seconds, unit, self.after[counter], _RESTARTED)

    def ratio(self, name: str, part: str, whole: str, factor: float, unit: str) -> Row:
        some, of = self._rise(part), self._rise(whole)
        if some is None or of is None:
            return self._row(name, None, unit, self.after[part], _RESTARTED)
        value = factor * min(some / of, 1.0 if factor == 100.0 else some / of) if of else None
        if of == 0 and factor == 100.0:
            value = 0.0
        return self._row(name, value, unit, self.after[part], f"no {whole} ended in the interval")

    def share(self, name: str, part: str, rest: str) -> Row:
        some, other = self._rise(part), self._rise(rest)
        if some is None or other is None:
            return self._row(name, None, "percent", self.after[part], _RESTARTED)
        value = 100 * some / (some + other) if some + other else None
        return self._row(name, value, "percent", self.after[part], "nothing was read in the interval")

    def cpu(self) -> Row:
        spent, reading = self._rise("cpu_seconds"), self.after["cpu_seconds"]
        value = None if spent is None else 100 * spent / self.seconds / (os.cpu_count() or 1)
        return self._row("cpu_percent", value, "percent", reading, _RESTARTED)


_RESTARTED = "the server was started again in the interval"
