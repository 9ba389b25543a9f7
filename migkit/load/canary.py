"""Canaries: a tiny read and a write that changes nothing, for each table a migration touches, many times a second.

They stall when the application's own queries would. Requests are due at fixed times, and each is measured from when it
was due, so a stall shows in full, however few clients there are.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from migkit.database import Database
from migkit.dialects.canaries import CanaryScript
from migkit.errors import UnsupportedFeature
from migkit.load.canary_frames import GIVEN_UP, Request, error_rows, stall_rows, statement_rows, timeline_rows
from migkit.redaction import redact

Table = tuple[str, str]
Operation = Literal["reads of", "writes to"]

RATE = 50.0
TABLE_LIMIT = 4
WHAT = "who stalls while the migration runs"

_READY_SECONDS = 20.0
_LAST_LOOK_SECONDS = 2.0
_PAUSE_SECONDS = 0.002


@dataclass(eq=False)
class Seen:
    """What canaries saw; complete when the block of :func:`canaries` is over.

    Attributes
    ----------
    statements, timeline, errors, stalls : pandas.DataFrame
        :data:`migkit.frames.LOAD_STATEMENTS`, :data:`migkit.frames.TIMELINE`, :data:`migkit.frames.LOAD_ERRORS` and
        :data:`migkit.frames.STALLS`. Phase ``during`` is the block, ``after`` one last look behind it.
    unchecked : list of dict
        What no canary looked at, and why.
    """

    statements: pd.DataFrame = field(default_factory=lambda: statement_rows([]))
    timeline: pd.DataFrame = field(default_factory=lambda: timeline_rows([]))
    errors: pd.DataFrame = field(default_factory=lambda: error_rows([]))
    stalls: pd.DataFrame = field(default_factory=lambda: stall_rows([]))
    unchecked: list[dict[str, str]] = field(default_factory=list)

    def fill(self, requests: Sequence[Request]) -> None:
        """Take what all probes recorded."""
        self.statements, self.timeline = statement_rows(requests), timeline_rows(requests)
        self.errors, self.stalls = error_rows(requests), stall_rows(requests)


@contextmanager
def canaries(db: Database, tables: Sequence[Table], *, rate: float = RATE, seen: Seen | None = None) -> Iterator[Seen]:
    """Look at tables as a reader and as a writer would, for as long as the block lasts.

    Parameters
    ----------
    db : Database
        A clone or scratch database; every probe has a connection of its own.
    tables : sequence of (schema, table)
        What to look at; of many, the first :data:`TABLE_LIMIT`.
    rate : float
        Requests per second and table, half of them reads.
    seen : Seen, optional
        Where to put what they see.

    Yields
    ------
    Seen
        Empty until the block is over. Where there can be no canaries, its ``unchecked`` says why.
    """
    seen = seen or Seen()
    engine = db.dialect.create_engine(db.engine.url, poolclass=NullPool)
    probes: list[_Probe] = []
    try:
        try:
            probes = _probes(db, engine, tables[:TABLE_LIMIT], rate)
            _start(probes)
        except (UnsupportedFeature, SQLAlchemyError, OSError) as error:
            told = error.what if isinstance(error, UnsupportedFeature) else db.dialect.explain_error(error)
            seen.unchecked.append({"what": WHAT, "why": told})
            _stop(probes)
            probes = []
        if len(tables) > TABLE_LIMIT:
            left = ", ".join(table for _, table in tables[TABLE_LIMIT:])
            seen.unchecked.append({"what": f"{WHAT}, on {left[:300]}", "why": f"canaries watch {TABLE_LIMIT} tables"})
        try:
            yield seen
        finally:
            _stop(probes)
            seen.fill([request for probe in probes for request in probe.requests])
            seen.unchecked += [{"what": WHAT, "why": probe.trouble} for probe in probes if probe.trouble]
    finally:
        engine.dispose()


def _probes(db: Database, engine: Engine, tables: Sequence[Table], rate: float) -> list[_Probe]:
    probes: list[_Probe] = []
    for number, table in enumerate(tables):
        script = db.dialect.canary_script(*table)
        operations: tuple[Operation, ...] = ("reads of", "writes to")
        # Spread out, so that no two are due at once.
        probes += [
            _Probe(db, engine, table, operation, script, 2 / rate, (2 * number + place) / (rate * len(tables)))
            for place, operation in enumerate(operations)
        ]
    return probes


def _start(probes: Sequence[_Probe]) -> None:
    """Let every probe connect and try itself once, then let them go together."""
    for probe in probes:
        probe.start()
    for probe in probes:
        probe.ready.wait(_READY_SECONDS)
    begin, instant = time.perf_counter(), datetime.now(UTC)
    for probe in probes:
        probe.go_from(begin, instant)


def _stop(probes: Sequence[_Probe]) -> None:
    """End all probes after one last look; one that still waits for an answer is cancelled on the server."""
    now = time.perf_counter()
    for probe in probes:
        probe.end_at(now)
    until = now + _LAST_LOOK_SECONDS
    for probe in probes:
        probe.join(max(0.0, until - time.perf_counter()))
    for probe in probes:
        if probe.is_alive():
            probe.give_up()
            probe.join()


class _Probe(threading.Thread):
    """One connection that asks the same again and again."""

    def __init__(
        self,
        db: Database,
        engine: Engine,
        table: Table,
        operation: Operation,
        script: CanaryScript,
        every: float,
        first: float,
    ) -> None:
        super().__init__(name=f"migkit-canary-{operation}-{table[1]}", daemon=True)
        self.requests: list[Request] = []
        self.trouble = ""
        self.ready, self.released, self.over = threading.Event(), threading.Event(), threading.Event()
        self._dialect, self._engine = db.dialect, engine
        self._table, self._operation = table, operation
        self._sql = script.read if operation == "reads of" else script.write
        self._settings = script.settings
        self._every, self._first = every, first
        self._begin, self._end, self._instant = 0.0, 0.0, datetime.now(UTC)
        self._given_up = threading.Event()
        self._cancel: Any = None

    def go_from(self, begin: float, instant: datetime) -> None:
        """Begin to count; requests are due from `begin` on, which is `instant` by the calendar."""
        self._begin, self._instant = begin, instant
        self.released.set()

    def end_at(self, moment: float) -> None:
        """Ask nothing more that is due after `moment`."""
        self._end = moment
        self.over.set()
        self.released.set()

    def give_up(self) -> None:
        """Have the request that is still waiting cancelled on the server."""
        self._given_up.set()
        if self._cancel is not None:
            self._cancel()

    def run(self) -> None:
        """Connect, try once, wait for the others, then ask until told to stop; and once more after that."""
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                for setting in self._settings:
                    self._send(connection, setting)
                self._cancel = self._dialect.canceller(connection)
                self._send(connection, self._sql)
                self.ready.set()
                self.released.wait()
                if self._begin:
                    self._ask_until_over(connection)
        except Exception as error:
            # Whatever it was, from here on nobody asked.
            self.trouble = f"{self._operation} {self._table[1]}: {self._dialect.explain_error(error)}"
            if not isinstance(error, SQLAlchemyError | OSError):
                raise
        finally:
            self.ready.set()

    def _ask_until_over(self, connection: Connection) -> None:
        due = self._begin + self._first
        # What was due while another request stalled is asked even if the block is over meanwhile.
        while not self.over.wait(max(0.0, due - time.perf_counter())) or due < self._end:
            if self._given_up.is_set():
                return
            self._ask(connection, due, "during")
            due += self._every
        if not self._given_up.is_set():
            self._ask(connection, time.perf_counter(), "after")

    def _ask(self, connection: Connection, due: float, phase: str) -> None:
        error: str | None = None
        while True:
            try:
                self._send(connection, self._sql)
            except DBAPIError as raised:
                if connection.invalidated:
                    raise
                original = raised.orig if isinstance(raised.orig, Exception) else raised
                self._send(connection, "ROLLBACK")
                if self._dialect.is_canary_timeout(original) and not self._given_up.is_set():
                    # It let go for a moment, so that the migration can pass; the request is still the same.
                    time.sleep(_PAUSE_SECONDS)
                    continue
                error = GIVEN_UP if self._given_up.is_set() else redact(self._dialect.explain_error(raised))
            break
        self.requests.append(self._request(phase, due, time.perf_counter(), error))

    def _request(self, phase: str, due: float, end: float, error: str | None) -> Request:
        return Request(
            schema=self._table[0],
            table=self._table[1],
            operation=self._operation,
            sql=self._sql,
            phase=phase,
            second=int(due - self._begin),
            due=self._instant + timedelta(seconds=due - self._begin),
            milliseconds=(end - due) * 1000,
            error=error,
        )

    @staticmethod
    def _send(connection: Connection, sql: str) -> None:
        result = connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
        if result.returns_rows:
            result.fetchall()
        result.close()
