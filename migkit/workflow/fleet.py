"""The same work on many databases, side by side on any executor: one row each, whatever happens to one of them.

What is sent to a worker is small and plain: where the database is, the path of the migration, settings. What comes back
is a row. A worker that dies loses its task, which whoever runs the workers repeats (Dask does), and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future, as_completed
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from migkit import frames
from migkit.config import Config, DatabaseConfig
from migkit.database import Database, mask_url, reached, register_secrets
from migkit.dialects import dialect_for
from migkit.dialects.base import Row
from migkit.errors import ConfigError, MigkitError
from migkit.migration.loading import load_migration
from migkit.progress import SILENT, Progress
from migkit.redaction import redact
from migkit.state.capture import capture
from migkit.state.comparison import Comparison, compare
from migkit.state.snapshot import RowsMode, State
from migkit.workflow.limits import limits_for
from migkit.workflow.trial import rehearse

Outcome = tuple[Row, Any]


@dataclass(frozen=True)
class Member:
    """One database of a fleet, as it is sent to a worker.

    Attributes
    ----------
    name : str
        What results call it.
    url : str
        Where it is, without secrets; empty where only the worker knows.
    target : str
        What the worker connects to: an alias, or a URL with its password.
    entry : DatabaseConfig or None
        What ``migkit.toml`` says of the alias.
    """

    name: str
    url: str
    target: str = field(repr=False)
    entry: DatabaseConfig | None = field(default=None, repr=False)

    def called(self, name: str) -> Member:
        """Return the same database under another name."""
        return replace(self, name=name)

    def reach_with(self, config: Config) -> Config:
        """Return settings by which a worker finds this database, and no other."""
        databases = {self.target: self.entry} if self.entry is not None else {}
        return config.model_copy(update={"databases": databases})


def member(target: str | URL | Engine | Database, config: Config) -> Member:
    """Return a database as it is sent to a worker; it is not connected to.

    Raises
    ------
    ConfigError
        If an alias is unknown, a URL cannot be read, or the database lies in this process's memory.
    """
    if isinstance(target, Database):
        return _by_url(target.engine.url, target.name)
    if isinstance(target, Engine):
        return _by_url(target.url, None)
    if isinstance(target, URL) or "://" in target:
        try:
            return _by_url(make_url(target), None)
        except (ArgumentError, ValueError):
            raise ConfigError("This is not a database URL", where=redact(str(target))) from None
    if target in config.databases:
        return Member(target, "", target, config.databases[target])
    if target.partition(":")[0] == "embedded":
        return Member(target.partition(":")[2] or target, target, target)
    config.database(target)  # names the nearest alias there is
    raise AssertionError(target)


def members_of(targets: Iterable[str | URL | Engine | Database], config: Config) -> tuple[Member, ...]:
    """Return the databases of a fleet, no two of them by the same name."""
    members: dict[str, Member] = {}
    for target in targets:
        one = member(target, config)
        # A name may look like one that was numbered; rows are kept apart by nothing else.
        names = (one.name if number == 1 else f"{one.name} #{number}" for number in count(1))
        name = next(name for name in names if name not in members)
        members[name] = one if name == one.name else one.called(name)
    return tuple(members.values())


def _by_url(url: URL, name: str | None) -> Member:
    register_secrets(url)
    dialect = dialect_for(url)
    if dialect.place(url) is None:
        raise ConfigError(
            "A database in this process's memory cannot be one of a fleet",
            where=mask_url(url),
            next_step="Give databases that other processes can reach: files or servers.",
        )
    return Member(name or dialect.database_name(url), mask_url(url), url.render_as_string(hide_password=False))


@dataclass(frozen=True)
class RehearsalTask:
    """A rehearsal on one database; called in a worker, it returns a row and nothing."""

    migration: str
    config: Config = field(repr=False)
    reports: Path | None
    options: dict[str, Any]

    def __call__(self, one: Member) -> Outcome:
        """Rehearse on one database."""
        config = one.reach_with(self.config)
        loaded = load_migration(self.migration, config=config)
        with reached(one.target, config=config) as db:
            limits = limits_for(loaded, config.limits)
            trial = rehearse(loaded, db, reports=self.reports, limits=limits, progress=SILENT, **self.options)
        row = {
            "url": one.url or trial.database["url"],
            "passed": trial.passed,
            "status": trial.status,
            "findings": len(trial.findings),
            "explanation": trial.explain(),
            "error": trial.error,
            "evidence": str(trial.evidence) if trial.evidence else None,
        }
        return row, None


@dataclass(frozen=True)
class CaptureTask:
    """A capture of one database; returns a row and the state."""

    config: Config = field(repr=False)
    rows: RowsMode | None

    def __call__(self, one: Member) -> Outcome:
        """Capture one database."""
        with reached(one.target, config=one.reach_with(self.config)) as db:
            state = capture(db, rows=self.rows)
            url = db.url
        told = f"{len(state.tables)} tables, {state.total_rows} rows"
        return {"url": one.url or url, "passed": True, "status": "passed", "explanation": told}, state


@dataclass(frozen=True)
class CompareTask:
    """A comparison of one database with an earlier state of it; returns a row and the comparison."""

    config: Config = field(repr=False)
    before: dict[str, State] = field(repr=False)
    allow: tuple[str, ...]

    def only(self, name: str) -> CompareTask:
        """Return the task with nothing but the state that one database needs."""
        return CompareTask(self.config, {name: self.before[name]} if name in self.before else {}, self.allow)

    def __call__(self, one: Member) -> Outcome:
        """Compare one database with its earlier state."""
        before = self.before.get(one.name)
        if before is None:
            raise ConfigError("There is no earlier state of this database to compare with", where=one.name)
        with reached(one.target, config=one.reach_with(self.config)) as db:
            comparison = compare(before, capture(db, like=before), allow=self.allow)
            url = db.url
        return {"url": one.url or url, **_comparison_row(comparison)}, comparison


def _comparison_row(comparison: Comparison) -> Row:
    errors = [str(error) for error in comparison.errors]
    told = "identical" if comparison.identical else "; ".join(errors[:3]) or "changed; nothing lost or damaged"
    status = "passed" if comparison.passed else "failed"
    return {"passed": comparison.passed, "status": status, "findings": len(errors), "explanation": told}


def work_on(
    task: Callable[[Member], Outcome],
    members: Sequence[Member],
    executor: Executor | None,
    *,
    label: str,
    progress: Progress = SILENT,
) -> Iterator[tuple[Member, Outcome]]:
    """Do one task on every database, and yield what came of it as it comes.

    Parameters
    ----------
    task : callable
        A :class:`RehearsalTask`, :class:`CaptureTask` or :class:`CompareTask`.
    members : sequence of Member
        The databases.
    executor : Executor or None
        Where to do it; ``None``: here, one after the other.
    label : str
        What it is, for the progress.
    progress : Progress
        Told of each database.
    """
    progress.begin(label, len(members))
    try:
        for one, outcome in _outcomes(task, members, executor):
            progress.advance()
            row = outcome[0]
            if not row["passed"]:
                progress.note("✗", f"{one.name}: {row.get('error') or row.get('explanation')}")
            yield one, outcome
    finally:
        progress.close()


def _outcomes(
    task: Callable[[Member], Outcome], members: Sequence[Member], executor: Executor | None
) -> Iterator[tuple[Member, Outcome]]:
    if executor is None:
        yield from ((one, attempt(task, one)) for one in members)
        return
    futures = {executor.submit(attempt, _lightened(task, one), one): one for one in members}
    try:
        for future in as_completed(futures):
            yield futures[future], _result(futures[future], future)
    finally:
        # Whoever stops listening (Ctrl-C) wants nothing more to be begun.
        for future in futures:
            future.cancel()


def _lightened(task: Callable[[Member], Outcome], one: Member) -> Callable[[Member], Outcome]:
    return task.only(one.name) if isinstance(task, CompareTask) else task


def attempt(task: Callable[[Member], Outcome], one: Member) -> Outcome:
    """Do a task on one database; what goes wrong with it becomes its row."""
    began = time.perf_counter()
    failed: Callable[..., Outcome] = partial(_failed, one, began=began)
    try:
        row, result = task(one)
    except MigkitError as error:
        return failed(str(error), evidence=error.evidence)
    except (SQLAlchemyError, OSError) as error:
        return failed(f"{type(error).__name__}: {error}")
    return {"database": one.name, "seconds": time.perf_counter() - began, **row}, result


def _failed(one: Member, error: str, *, began: float | None = None, evidence: Path | None = None) -> Outcome:
    row = {
        "database": one.name,
        "url": one.url,
        "passed": False,
        "status": "error",
        "seconds": None if began is None else time.perf_counter() - began,
        "error": redact(error),
        "evidence": str(evidence) if evidence else None,
    }
    return row, None


def _result(one: Member, future: Future[Outcome]) -> Outcome:
    try:
        error = future.exception()
    except CancelledError:
        return _failed(one, "The task was cancelled before it came to its end")
    if error is not None:
        return _failed(one, f"The worker could not do it: {type(error).__name__}: {error}")
    return future.result()


def fleet_frame(members: Sequence[Member], rows: Mapping[str, Row]) -> pd.DataFrame:
    """Return rows by name in the order of their databases (:data:`migkit.frames.FLEET`).

    Databases that nobody came to are there too, as interrupted.
    """
    nobody = {"passed": False, "status": "interrupted", "error": "nobody came to it"}
    return frames.FLEET.build(rows.get(one.name) or {"database": one.name, "url": one.url, **nobody} for one in members)
