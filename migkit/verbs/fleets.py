"""``fleet()``: the same verbs on many databases, side by side on any executor."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from migkit.config import Config, load_config
from migkit.dialects.base import Row
from migkit.display.progress import default_progress
from migkit.errors import ConfigError
from migkit.migration.loading import load_migration
from migkit.migration.migration import Migration
from migkit.progress import Progress
from migkit.state.snapshot import RowsMode
from migkit.verbs.arguments import AnyDatabase, seconds_of
from migkit.workflow.evidence_folder import begin_evidence, folder_name, git_state, versions
from migkit.workflow.fleet import (
    CaptureTask,
    CompareTask,
    Member,
    RehearsalTask,
    fleet_frame,
    members_of,
    work_on,
)
from migkit.workflow.fleet_results import (
    FLEET,
    FleetCapture,
    FleetComparison,
    FleetRehearsal,
    finish_fleet,
    fleet_head,
)


def fleet(databases: Iterable[AnyDatabase], executor: Executor | None = None) -> Fleet:
    """Take many databases together: shards, or the tenants of an application.

    Parameters
    ----------
    databases : iterable of str, URL, Engine or Database
        Aliases, URLs, engines or databases; none is connected to yet.
    executor : concurrent.futures.Executor, optional
        Where to work on them, several at a time: Dask's ``client.get_executor()``, a process pool. Its workers need
        migkit, the migration's file, and a way to the databases. By default they are worked on here, one by one.

    Returns
    -------
    Fleet
        ``rehearse()``, ``capture()`` and ``compare()``, each giving one frame with one row per database. What goes
        wrong with one database is its row; the others go on.

    Raises
    ------
    ConfigError
        If there is no database, an alias is unknown, or a database lies in this process's memory.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.fleet(["sqlite:///tenant1.db", "sqlite:///tenant2.db"])
    <Fleet of 2 databases: tenant1, tenant2>
    """
    config = load_config()
    members = members_of(databases, config)
    if not members:
        raise ConfigError("A fleet needs at least one database", next_step="Give aliases or URLs.")
    return Fleet(members, config, executor)


@dataclass(frozen=True, eq=False, repr=False)
class Fleet:
    """Many databases, to be worked on side by side.

    Attributes
    ----------
    members : tuple of Member
        The databases.
    config : Config
        The settings.
    executor : Executor or None
        Where the work is done.
    """

    members: tuple[Member, ...]
    config: Config = field(repr=False)
    executor: Executor | None = None

    def __len__(self) -> int:
        return len(self.members)

    def __repr__(self) -> str:
        names = ", ".join(one.name for one in self.members[:5])
        more = ", …" if len(self.members) > 5 else ""
        return f"<Fleet of {len(self.members)} databases: {names}{more}>"

    def rehearse(
        self,
        migration: str | Path,
        *,
        reports: str | Path | Literal[False] | None = None,
        require_down: bool = False,
        timeout: float | None = None,
        lock_timeout: float | None = None,
        canaries: bool = True,
        long_reader: str | float | None = None,
        progress: Progress | None = None,
    ) -> FleetRehearsal:
        """Rehearse a migration on a clone of each database.

        Parameters
        ----------
        migration : str or Path
            The migration; every worker reads it from its file.
        reports, require_down, timeout, lock_timeout, canaries, long_reader, progress
            As for :func:`migkit.rehearse`. Each database has an evidence folder of its own, and the fleet has one.

        Returns
        -------
        FleetRehearsal
            ``passed``, ``databases`` (one row each), ``failed``; :func:`migkit.report` makes one page of it.

        Raises
        ------
        MigrationInvalid
            If the migration cannot be read.
        """
        loaded = load_migration(migration, config=self.config)
        archive = None if reports is False else Path(reports or self.config.reports.directory).absolute()
        settings = self.config.migrations
        task = RehearsalTask(
            migration=_findable(migration),
            config=self._plain_config(),
            reports=archive,
            options={
                "require_down": require_down,
                "timeout": settings.timeout_seconds if timeout is None else timeout,
                "lock_timeout": settings.lock_timeout_seconds if lock_timeout is None else lock_timeout,
                "canaries": canaries,
                "long_reader": None if long_reader is None else seconds_of(long_reader, "The long reader"),
            },
        )
        return self._rehearse(loaded, task, archive, progress or default_progress())

    def _rehearse(
        self, loaded: Migration, task: RehearsalTask, archive: Path | None, progress: Progress
    ) -> FleetRehearsal:
        started_at, began = datetime.now(UTC), time.perf_counter()
        about = {"name": loaded.name, "kind": loaded.kind, "version": loaded.metadata.version}
        about |= {"description": loaded.metadata.description, "path": loaded.path.name, "checksum": loaded.checksum}
        evidence = None
        if archive is not None:
            name = folder_name(loaded.name, FLEET, started_at)
            evidence = begin_evidence(archive, name, fleet_head(about, len(self.members), started_at))
        rows: dict[str, Row] = {}

        def result(interrupted: bool = False) -> FleetRehearsal:
            frame = fleet_frame(self.members, rows)
            passed = bool(frame["passed"].fillna(False).all())
            return FleetRehearsal(
                work="rehearsal",
                databases=frame,
                seconds=time.perf_counter() - began,
                status="interrupted" if interrupted else "passed" if passed else "failed",
                migration=about,
                started_at=started_at,
                versions=versions(),
                git=git_state(loaded.path),
                evidence=evidence,
            )

        try:
            label = f"Rehearsing {loaded.name} on {len(self.members)} databases"
            for one, (row, _) in work_on(task, self.members, self.executor, label=label, progress=progress):
                rows[one.name] = row
        except BaseException:
            finish_fleet(result(interrupted=True))
            raise
        done = result()
        finish_fleet(done)
        return done

    def capture(self, *, rows: RowsMode | None = None, progress: Progress | None = None) -> FleetCapture:
        """Capture every database.

        Parameters
        ----------
        rows : {"exact", "sample", "estimate"}, optional
            Which rows to read, as for :func:`migkit.capture`.
        progress : Progress, optional
            Where to tell how far it is.

        Returns
        -------
        FleetCapture
            ``databases`` (one row each), and ``states`` by name.
        """
        frame, results, seconds = self._look(CaptureTask(self._plain_config(), rows), "Capturing", progress)
        return FleetCapture("capture", frame, seconds, states=results)

    def compare(
        self, before: FleetCapture, *, allow: Iterable[str] = (), progress: Progress | None = None
    ) -> FleetComparison:
        """Compare every database with an earlier state of it.

        Parameters
        ----------
        before : FleetCapture
            What :meth:`capture` returned then.
        allow : iterable of str
            Intended destruction, as for :func:`migkit.compare`.
        progress : Progress, optional
            Where to tell how far it is.

        Returns
        -------
        FleetComparison
            ``databases`` (one row each), and ``comparisons`` by name.
        """
        task = CompareTask(self._plain_config(), dict(before.states), tuple(allow))
        frame, results, seconds = self._look(task, "Comparing", progress)
        return FleetComparison("comparison", frame, seconds, comparisons=results)

    def _look(self, task: Any, verb: str, progress: Progress | None) -> tuple[Any, dict[str, Any], float]:
        began = time.perf_counter()
        rows: dict[str, Row] = {}
        results: dict[str, Any] = {}
        label = f"{verb} {len(self.members)} databases"
        shown = progress or default_progress()
        for one, (row, result) in work_on(task, self.members, self.executor, label=label, progress=shown):
            rows[one.name] = row
            if result is not None:
                results[one.name] = result
        named = {one.name: results[one.name] for one in self.members if one.name in results}
        return fleet_frame(self.members, rows), named, time.perf_counter() - began

    def _plain_config(self) -> Config:
        """Return the settings that workers need: no database but their own, so no other's password travels."""
        return self.config.model_copy(update={"databases": {}})


def _findable(migration: str | Path) -> str:
    """Return a path as a worker finds it whose working directory is another; ``alembic.ini:REVISION`` stays one."""
    path, colon, revision = str(migration).partition(":") if ".ini:" in str(migration) else (str(migration), "", "")
    return f"{Path(path).absolute()}{colon}{revision}"
