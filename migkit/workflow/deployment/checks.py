"""What is looked at before a deploy: whatever speaks against it refuses it while nothing is changed yet."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from migkit.database import Database
from migkit.dialects.base import Row
from migkit.dialects.guarding import Session
from migkit.display.units import count, duration, plural, size
from migkit.errors import MigkitError, UnsupportedFeature
from migkit.migration.half_applied import find_half_applied
from migkit.migration.migration import Migration
from migkit.recovery.backups import require_backup_can_be_made
from migkit.recovery.catalogue import list_backups, recent_backup
from migkit.recovery.journal import JournalReading, StepJournal
from migkit.recovery.read_only import is_read_only
from migkit.workflow.deployment.options import DeployOptions
from migkit.workflow.deployment.rehearsed import Rehearsed, find_rehearsal
from migkit.workflow.deployment.strategies import usable_strategies
from migkit.workflow.promise import Promise, learn_promise

_CLOCKS_DIFFER_BY = timedelta(minutes=5)


@dataclass
class Findings:
    """What the checks found.

    Attributes
    ----------
    rows : list of Row
        As :data:`migkit.frames.CHECKS`.
    unchecked : list of Row
        What could not be looked at.
    promise : Promise or None
        What the migration does to an empty copy of the schema.
    rehearsed : Rehearsed or None
        The rehearsal that was found.
    """

    rows: list[Row] = field(default_factory=list)
    unchecked: list[Row] = field(default_factory=list)
    promise: Promise | None = None
    rehearsed: Rehearsed | None = None

    @property
    def against(self) -> list[Row]:
        """What speaks against the deploy."""
        return [row for row in self.rows if not row["passed"]]

    def add(self, check: str, passed: bool, expected: str, found: str) -> None:
        """Note what a check found."""
        self.rows.append({"check": check, "passed": passed, "expected": expected, "found": found})


Check = Callable[[], None]


class Checks:
    """Every check before a deploy; each is a method that adds what it found.

    Parameters
    ----------
    migration : Migration
        What is to be deployed.
    db : Database
        Where; only read.
    options : DeployOptions
        How.
    own_evidence : Path, optional
        The folder of this deploy, whose journal is not one of somebody else's.
    """

    def __init__(
        self, migration: Migration, db: Database, options: DeployOptions, own_evidence: Path | None = None
    ) -> None:
        self.findings = Findings()
        self._migration = migration
        self._db = db
        self._options = options
        self._own = own_evidence

    def all(self) -> Findings:
        """Do every check, and return what they found."""
        for check in self._checks():
            check()
        return self.findings

    def _checks(self) -> Iterator[Check]:
        yield self._unfinished
        yield self._rehearsal
        yield self._backup
        yield self._sessions
        yield self._lag
        yield self._read_only
        yield self._hooks
        yield self._not_half_applied
        yield self._promise
        yield self._way_back

    def _unfinished(self) -> None:
        open_work = unfinished_work(self._db, self._options.reports, self._options.backups, self._own)
        found = "; ".join(f"a {one.kind} of {one.started_at:%Y-%m-%d %H:%M} UTC by {one.owner}" for one in open_work)
        hint = f"{found}: run `migkit recover` first" if found else "none"
        self.findings.add("Nothing is left half done", not open_work, "no unfinished work on this database", hint)

    def _rehearsal(self) -> None:
        hours = self._options.deploy.rehearsal_hours
        rehearsed = find_rehearsal(self._migration, self._options.reports)
        self.findings.rehearsed = rehearsed
        if hours is None:
            self.findings.unchecked.append({"what": "a rehearsal of this file", "why": "the settings ask for none"})
            return
        expected = f"a rehearsal of this very file that passed, in {self._options.reports}, at most {hours:g} h old"
        if rehearsed is None:
            self.findings.add(
                "It was rehearsed", False, expected, f"none: run `migkit rehearse {self._migration.path}`"
            )
            return
        age = datetime.now(UTC) - rehearsed.at
        self.findings.add(
            "It was rehearsed",
            -_CLOCKS_DIFFER_BY <= age <= timedelta(hours=hours),
            expected,
            f"{rehearsed.folder.name}, {_age(age)} ago",
        )

    def _backup(self) -> None:
        deploy, backups = self._options.deploy, self._options.backups
        if deploy.backup == "make":
            expected = "the engine's tools, and room for a backup"
            try:
                found = f"about {size(require_backup_can_be_made(self._db, backups))} in {backups}"
                self.findings.add("A backup can be made", True, expected, found)
            except MigkitError as error:
                self.findings.add("A backup can be made", False, expected, str(error))
            return
        recent = recent_backup(backups, self._db, within_hours=deploy.backup_hours)
        newest = next(iter(list_backups(backups, self._db)), None)
        expected = f"a verified backup younger than {deploy.backup_hours:g} h in {backups}"
        found = (
            f"{recent.id}" if recent else f"the newest, {newest.id}, is too old or not verified" if newest else "none"
        )
        self.findings.add("There is a recent backup", recent is not None, expected, found)

    def _sessions(self) -> None:
        limit = self._options.deploy.longest_transaction_seconds
        try:
            with self._db.engine.connect() as connection:
                sessions = [one for one in self._db.dialect.sessions(connection) if not one.is_ours]
        except UnsupportedFeature as error:
            self.findings.unchecked.append({"what": "who is connected", "why": str(error)})
            return
        busy = [one for one in sessions if one.state != "idle"]
        told = f"{plural(len(sessions), 'session')}, {count(len(busy))} of them working"
        self.findings.add("Connections were counted", True, "any number", told)
        long = [one for one in sessions if (one.transaction_seconds or 0.0) > limit]
        found = "; ".join(map(_session_told, long[:3])) or "none"
        self.findings.add("No long transaction is in the way", not long, f"none open for more than {limit:g} s", found)

    def _lag(self) -> None:
        limit = self._options.deploy.largest_lag_seconds
        try:
            with self._db.engine.connect() as connection:
                reading = self._db.dialect.read_metrics(connection).get("replication_lag_seconds")
        except (UnsupportedFeature, SQLAlchemyError) as error:
            self.findings.unchecked.append({"what": "replication lag", "why": str(error)})
            return
        if reading is None or reading.value is None:
            why = reading.note if reading is not None else "the server tells of no replica"
            self.findings.unchecked.append({"what": "replication lag", "why": why or "the server tells of no replica"})
            return
        expected = f"at most {limit:g} s"
        self.findings.add("Replicas keep up", reading.value <= limit, expected, f"{reading.value:.1f} s behind")

    def _read_only(self) -> None:
        closed = is_read_only(self._db)
        if closed is not None:
            found = (
                "closed: somebody else works on it, or it was left so (`migkit db read-only off`)" if closed else "open"
            )
            self.findings.add("It is open to writers now", not closed, "open", found)

    def _hooks(self) -> None:
        hooks = self._options.deploy.hooks
        commands = [
            *hooks.stop,
            *hooks.start,
            *(one.command for one in self._options.deploy.smoke_tests if one.command),
        ]
        missing = [command for command in commands if not _can_be_found(command)]
        if commands:
            found = "; ".join(missing) or "all"
            self.findings.add("The commands of hooks exist", not missing, "every program is found", found)

    def _not_half_applied(self) -> None:
        half = find_half_applied(self._migration, self._db)
        found = (
            f"{plural(len(half.standing), 'statement')} of an earlier attempt stand" if half else "nothing of it stands"
        )
        self.findings.add("It is not half-applied", half is None, "nothing of an earlier attempt stands", found)

    def _promise(self) -> None:
        self.findings.promise = promise = learn_promise(
            self._migration, self._db, timeout=self._options.timeout, lock_timeout=self._options.lock_timeout
        )
        found = promise.problem or "it does"
        self.findings.add("It runs on an empty copy of the schema", promise.facts is not None, "it does", found)

    def _way_back(self) -> None:
        if not self._options.rollback.enabled:
            self.findings.unchecked.append({"what": "an automatic way back", "why": "[auto_rollback] is switched off"})
            return
        usable = usable_strategies(self._options.rollback.strategy, self._db, self._migration, self._options.backups)
        found = ", ".join(usable.names) or "; ".join(f"{name}: {why}" for name, why in usable.reasons.items())
        self.findings.add("It can be taken back", bool(usable.names), "one strategy that works here", found)


def unfinished_work(db: Database, reports: Path, backups: Path, own: Path | None = None) -> list[JournalReading]:
    """Return the journals of work on a database that never came to its end, but that of the folder `own`."""
    found = StepJournal.unfinished(reports, backups)
    return [one for one in found if one.place == db.url and (own is None or one.path.parent.resolve() != own.resolve())]


def _session_told(session: Session) -> str:
    seconds = session.transaction_seconds or 0.0
    return f"session {session.number} of {session.user} for {duration(seconds)} ({session.query or session.state})"


def _age(age: timedelta) -> str:
    return duration(age.total_seconds())


def _can_be_found(command: str) -> bool:
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return bool(words) and shutil.which(words[0]) is not None
