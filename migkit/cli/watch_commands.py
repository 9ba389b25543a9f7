"""``migkit monitor``: what happens in a database, while it happens."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from migkit import verbs
from migkit.cli.options import chosen_database, with_database, with_json
from migkit.cli.output import say, say_json
from migkit.database import Database, reached
from migkit.display.lines import BAD, GOOD, NOTE, WARN, Line
from migkit.display.units import milliseconds, plural
from migkit.observe.integrity import Integrity
from migkit.observe.lock_watch import LockWatching, incident_line, wait_line
from migkit.observe.metrics import Counters, Metrics, difference, read_counters

_LOOK_SECONDS = 0.25
_METRICS_EVERY_SECONDS = 5.0
# Shorter ones are told only in the summary.
_TOLD_HELD_MS = 100.0
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """A duration in seconds, or with its unit: ``60s``, ``5m``, ``1h``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)?", str(value).strip())
        if found is None or float(found[1]) <= 0:
            self.fail(f"{value!r} is no duration; examples: 60s, 5m", param, ctx)
        return float(found[1]) * _UNITS[found[2] or ""]


@click.command()
@with_database
@click.option("--every-ms", type=click.FloatRange(min=1), default=20.0, show_default=True, help="From look to look.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="End after so long [default: at Ctrl-C].")
@click.option("--check-every", type=Duration(), help="Count orphans and name unchecked constraints so often: 60s.")
@with_json
def monitor(
    database: str | None, every_ms: float, seconds: float | None, check_every: float | None, as_json: bool
) -> None:
    """Show who holds locks, who waits for whom and what the server does, until Ctrl-C."""
    with reached(chosen_database(database)) as db:
        shown = _Monitor(db, verbs.watch_locks(db, every_ms=every_ms), check_every, quiet=as_json)
        try:
            shown.run(seconds)
        except KeyboardInterrupt:
            # That is how it is meant to end.
            say("") if not as_json else None
        finally:
            result = shown.watching.stop()
    if as_json:
        document = result.to_document() | {"metrics": shown.metrics.to_document() if shown.metrics else None}
        say_json(document | {"integrity": [one.to_document() for one in shown.checks]})
    else:
        say(repr(result))


@dataclass
class _Monitor:
    db: Database
    watching: LockWatching
    check_every: float | None
    quiet: bool
    metrics: Metrics | None = None
    checks: list[Integrity] = field(default_factory=list)
    _begun: set[tuple[Any, ...]] = field(default_factory=set)
    _counters: Counters | None = None

    def run(self, seconds: float | None) -> None:
        """Tell what happens until the time is over, or the database is gone."""
        begun = time.monotonic()
        first = self._read()
        self._counters, metrics_at, check_at = first, begun, begun - (self.check_every or 0)
        self._say(Line(NOTE, f"Watching {self.db.name}: {self.db.server}; Ctrl-C ends with a summary"))
        while not self.watching.is_over:
            now = time.monotonic()
            if self.check_every is not None and now - check_at >= self.check_every:
                check_at = now
                self._check()
            if now - metrics_at >= _METRICS_EVERY_SECONDS:
                metrics_at = now
                self._measure()
            self._tell_news()
            if seconds is not None and now - begun >= seconds:
                break
            time.sleep(_LOOK_SECONDS if seconds is None else max(0.0, min(_LOOK_SECONDS, begun + seconds - now)))
        self._tell_news()
        if not self.watching.is_over:
            self.metrics = difference(first, self._read(), self.db.name)

    def _read(self) -> Counters:
        with self.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            return read_counters(self.db.dialect, connection)

    def _measure(self) -> None:
        before, self._counters = self._counters, self._read()
        if before is not None:
            self._say(metrics_line(difference(before, self._counters, self.db.name)))

    def _check(self) -> None:
        found = verbs.check_integrity(self.db)
        # Bounded: who monitors for days gets the latest.
        self.checks = [*self.checks[-999:], found]
        self._say(integrity_line(found))

    def _tell_news(self) -> None:
        begun: set[tuple[Any, ...]] = set()
        for kind, row in self.watching.news():
            key = (kind, *(row.get(name) for name in ("waiter", "blocker", "session", "phase", "relation", "mode")))
            goes_on = row.get("end") == "still waiting"
            if kind == "incident":
                self._say(incident_line(row))
            elif kind == "wait" and goes_on:
                begun.add(key)
                if key not in self._begun:
                    self._say(Line(WARN, f"waits now: {wait_line(row).text}"))
            elif kind == "wait":
                self._say(wait_line(row))
            elif kind == "lock" and (row["held_ms"] or 0) >= _TOLD_HELD_MS and _keeps_out(row):
                begun.add(key)
                if key not in self._begun:
                    self._say(Line(NOTE, _held(row)))
            elif kind == "progress":
                begun.add(key)
                if key not in self._begun:
                    self._say(Line(NOTE, progress_text(row)))
        self._begun = begun

    def _say(self, line: Line) -> None:
        if not self.quiet:
            say(f"{time.strftime('%H:%M:%S')} {line}")


def _keeps_out(row: Mapping[str, Any]) -> bool:
    return "reads" in (row["blocks"] or "") or "writes" in (row["blocks"] or "")


def _held(row: Mapping[str, Any]) -> str:
    doing = f": {row['query']}" if row["query"] else ""
    held = milliseconds(row["held_ms"])
    return (
        f"session {row['session']} holds {row['mode']} on {row['relation']} since {held}, blocks {row['blocks']}{doing}"
    )


def progress_text(row: Mapping[str, Any]) -> str:
    """Return one phase as text for people."""
    share = "" if row["done"] is None else f", {row['done']:,}" + (f" of {row['total']:,}" if row["total"] else "")
    unit = f" {row['unit']}" if share and row["unit"] else ""
    relation = f" on {row['relation']}" if row["relation"] else ""
    return f"{row['command']}{relation}, session {row['session']}: {row['phase']}{share}{unit}"


def metrics_line(measured: Metrics) -> Line:
    """Return the figures that people look at, those that are known, as one line."""
    parts = [
        (measured.connections, "{:.0f} connections"),
        (measured.transactions_per_second, "{:,.1f} transactions/s"),
        (measured.error_rate, "{:.2f} % errors"),
        (measured.avg_response_ms, "{:.2f} ms response"),
        (measured.cpu_percent, "{:.0f} % processor"),
    ]
    told = [text.format(value) for value, text in parts if value is not None]
    return Line(NOTE, ", ".join(told) or "the engine counts nothing")


def integrity_line(found: Integrity) -> Line:
    """Return one look at the integrity as a line."""
    orphans, lax, unchecked = found.orphaned_records, len(found.not_validated), len(found.unchecked)
    bad = [row for row in found.orphans.to_dict("records") if (row["orphans"] or 0) > 0]
    where = f" ({', '.join(str(row['table']) + '.' + str(row['constraint']) for row in bad)})" if bad else ""
    said = [f"{plural(orphans, 'orphan')}{where} under {plural(len(found.orphans), 'foreign key')}"]
    said += [f"{plural(lax, 'constraint')} never checked"] if lax else []
    said += [f"{unchecked} not counted"] if unchecked else []
    return Line(BAD if orphans else WARN if lax or unchecked else GOOD, "integrity: " + ", ".join(said))
