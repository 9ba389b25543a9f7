"""``load_panel()``: put load on a clone of a database, run a migration under it, and watch who has to wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from migkit.database import Database
from migkit.display.card import card_html
from migkit.load.workload import Workload
from migkit.migration.migration import Migration
from migkit.progress import Progress
from migkit.verbs import load_test
from migkit.verbs.arguments import AnyDatabase, AnyMigration
from migkit.widgets.discovery import find_migrations, find_workloads
from migkit.widgets.job import Job
from migkit.widgets.toolkit import Panel, button, html, ipywidgets, job_html, state_html


def load_panel(
    db: AnyDatabase, workload: str | Path | Workload = "auto", migration: AnyMigration | None = None
) -> LoadPanel:
    """Show a panel that puts load on a clone of a database and runs a migration under it.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database; it is cloned and only read.
    workload : str, Path or Workload
        What to ask (:func:`migkit.load_test`); others can be chosen.
    migration : str, Path or Migration, optional
        What to run under load; others can be chosen.

    Returns
    -------
    LoadPanel
        The panel; ``panel.result`` is the last finished :class:`LoadResult`.

    Raises
    ------
    MissingExtra
        If ipywidgets is not installed.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.load_panel("staging")  # doctest: +SKIP
    """
    return LoadPanel(db, workload, migration)


class LoadPanel(Panel):
    """The panel that :func:`load_panel` shows.

    Parameters
    ----------
    db, workload, migration
        As for :func:`load_panel`.
    """

    def __init__(
        self, db: AnyDatabase, workload: str | Path | Workload = "auto", migration: AnyMigration | None = None
    ) -> None:
        name = db.name if isinstance(db, Database) else db if isinstance(db, str) else "the database"
        super().__init__(f"Load on {name}")
        self.target = db
        self._workloads = {workload.name: workload} if isinstance(workload, Workload) else {}
        self._migrations = {migration.name: migration} if isinstance(migration, Migration) else {}
        self.work = Job(self._draw)
        self._build(next(iter(self._workloads), str(workload)), next(iter(self._migrations), str(migration or "")))
        self._draw()

    @property
    def result(self) -> Any:
        """The last finished load test; ``None`` before."""
        return self.work.result

    def close(self) -> None:
        """Stop what goes on, and take the panel away."""
        self.work.stop()
        self.box.close()

    def _build(self, workload: str, migration: str) -> None:
        kit = ipywidgets()
        style = {"style": {"description_width": "6.5em"}}
        wide = style | {"layout": kit.Layout(width="auto", max_width="42em")}
        narrow = style | {"layout": kit.Layout(width="13em")}
        self.workload = kit.Combobox(
            description="Workload",
            options=list(dict.fromkeys([workload, "auto", "server", *find_workloads(Path.cwd())])),
            value=workload,
            **wide,
        )
        self.migration = kit.Combobox(
            description="Migration",
            options=list(dict.fromkeys([*self._migrations, *find_migrations(Path.cwd())])),
            value=migration,
            placeholder="none: measure a baseline only",
            **wide,
        )
        self.clients = kit.BoundedIntText(description="Clients", value=10, min=1, max=1000, **narrow)
        self.rate = kit.BoundedFloatText(description="Rate, 1/s", value=0, min=0, max=1e6, **narrow)
        self.rate.tooltip = "Requests per second; 0: half of what the database turns out to answer"
        self.duration = kit.BoundedFloatText(description="Seconds", value=10, min=1, max=86400, **narrow)
        self.duration.tooltip = "Seconds of the baseline, and as many again after the migration"
        self.start = button("Start", "mk-start", icon="play", kind="primary", tooltip="On a clone")
        self.stop = button("Stop", "mk-stop", icon="stop", tooltip="Cancel, on the server too")
        self.live = html("mk-work")
        self.outcome = html("mk-outcome")
        numbers = kit.HBox([self.clients, self.rate, self.duration], layout=kit.Layout(flex_flow="row wrap"))
        buttons = kit.HBox([self.start, self.stop])
        buttons.layout.margin = "0.4em 0 0.2em 0"
        note = html(
            "mk-about", state_html("·", self.title, "a clone of it; rate 0 asks for half of what it can answer")
        )
        self.box = kit.VBox([note, self.workload, self.migration, numbers, buttons, self.live, self.outcome])
        self.box.layout.max_width = "62em"
        self.box.add_class("mk-load")
        self.start.on_click(lambda _: self._begin())
        self.stop.on_click(lambda _: self._stop())

    def _begin(self) -> None:
        with self.lock:
            workload = self._workloads.get(self.workload.value, self.workload.value.strip() or "auto")
            named = self.migration.value.strip()
            migration = self._migrations.get(named, named or None)
            clients, rate, duration = self.clients.value, self.rate.value or None, self.duration.value
            self.outcome.value = ""

        def work(progress: Progress) -> Any:
            return load_test(
                self.target, workload, migration, clients=clients, rate=rate, duration=duration, progress=progress
            )

        self.work.start(work)
        self._draw()

    def _stop(self) -> None:
        self.work.stop()
        self._draw()

    def _draw(self) -> None:
        with self.lock:
            job = self.work
            self.live.value = job_html(job, "Load test")
            self.start.disabled = job.is_running
            self.stop.disabled = job.state != "running"
            self.stop.description = "Stopping …" if job.state == "stopping" else "Stop"
            for control in (self.workload, self.migration, self.clients, self.rate, self.duration):
                control.disabled = job.is_running
            if not job.is_running and job.result is not None:
                self.outcome.value = card_html(job.result.card())
