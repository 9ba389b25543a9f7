"""``explore()``: choose a database and a migration, rehearse it, watch, stop, read the report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from migkit.config import load_config
from migkit.database import Database, connect, reached
from migkit.display.card import card_html
from migkit.errors import MigkitError
from migkit.migration.loading import load_migration
from migkit.migration.migration import Migration
from migkit.progress import Progress
from migkit.verbs import dry_run, rehearse, report
from migkit.verbs.arguments import AnyDatabase, AnyMigration
from migkit.widgets.discovery import database_choices, find_migrations
from migkit.widgets.history import History
from migkit.widgets.job import Job
from migkit.widgets.toolkit import Panel, button, error_html, html, ipywidgets, job_html, state_html

_DONE = {"rehearsal": "Rehearsed and reported", "dry run": "Tried"}


def explore(db: AnyDatabase | None = None, migration: AnyMigration | None = None) -> Explorer:
    """Show a panel to rehearse migrations without writing code; the kernel stays usable meanwhile.

    Parameters
    ----------
    db : str, URL, Engine or Database, optional
        The database to begin with; the aliases of ``migkit.toml`` and ``embedded`` can be chosen in any case.
    migration : str, Path or Migration, optional
        The migration to begin with; those in the usual folders can be chosen.

    Returns
    -------
    Explorer
        The panel; ``panel.result`` is the last finished rehearsal or dry run.

    Raises
    ------
    MissingExtra
        If ipywidgets is not installed.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.explore("staging")  # doctest: +SKIP
    """
    return Explorer(db, migration)


class Explorer(Panel):
    """The panel that :func:`explore` shows.

    Parameters
    ----------
    db, migration
        As for :func:`explore`.
    """

    def __init__(self, db: AnyDatabase | None = None, migration: AnyMigration | None = None) -> None:
        super().__init__("Migration explorer")
        self.config = load_config()
        self.migration: Migration | None = None
        self._given: dict[str, AnyDatabase] = {} if db is None or isinstance(db, str) else {_name(db): db}
        self._asked = 0
        self._what = "rehearsal"
        self.work = Job(self._draw_work)
        self.reaching = Job(self._draw_connection)
        self.history = History(self.config.reports.directory)
        self._build(db, migration)
        self._observe()
        self._choose_database()
        self._choose_migration()
        self._draw_work()

    @property
    def result(self) -> Any:
        """The last finished rehearsal or dry run; ``None`` before."""
        return self.work.result

    def close(self) -> None:
        """Stop what goes on, and take the panel away."""
        self.work.stop()
        self.box.close()

    # --- making -----------------------------------------------------------------------------------------------------

    def _build(self, db: AnyDatabase | None, migration: AnyMigration | None) -> None:
        kit = ipywidgets()
        first = [db] if isinstance(db, str) else list(self._given)
        choices = database_choices(self.config, *first)
        found = find_migrations(Path.cwd())
        wide = {"style": {"description_width": "6.5em"}, "layout": kit.Layout(width="auto", max_width="42em")}
        self.database = kit.Dropdown(description="Database", options=choices, value=choices[0], **wide)
        self.path = kit.Combobox(
            description="Migration",
            options=found,
            value=_path_text(migration) or (found[0] if found else ""),
            placeholder="migrations/001_add_user_profile.py",
            continuous_update=False,
            ensure_option=False,
            **wide,
        )
        self.given_migration = migration if isinstance(migration, Migration) else None
        self.connection = html("mk-connection")
        self.connection.layout.margin = "0 0 0.3em 7.1em"  # under the field, not under its label
        self.about = html("mk-about")
        self.rehearse = button("Rehearse", "mk-rehearse", icon="play", kind="primary", tooltip="Prove it on a clone")
        self.try_out = button("Dry run", "mk-dry-run", tooltip="Show the SQL: run it on an empty copy of the schema")
        self.stop = button("Stop", "mk-stop", icon="stop", tooltip="Cancel, on the server too")
        self.live = html("mk-work")
        self.outcome = html("mk-outcome")
        buttons = kit.HBox([self.rehearse, self.try_out, self.stop])
        buttons.layout.margin = "0.4em 0 0.2em 0"
        parts = (self.database, self.connection, self.path, self.about, buttons, self.live, self.outcome)
        self.box = kit.VBox([*parts, self.history.box])
        self.box.layout.max_width = "62em"
        self.box.add_class("mk-explorer")

    def _observe(self) -> None:
        self.database.observe(lambda _: self._choose_database(), names="value")
        self.path.observe(lambda _: self._choose_migration(), names="value")
        self.rehearse.on_click(lambda _: self._begin("rehearsal"))
        self.try_out.on_click(lambda _: self._begin("dry run"))
        self.stop.on_click(lambda _: self._stop())

    # --- choosing -----------------------------------------------------------------------------------------------------

    @property
    def target(self) -> AnyDatabase:
        """The chosen database."""
        name: str = self.database.value
        return self._given.get(name, name)

    def _choose_database(self) -> None:
        with self.lock:
            self._asked += 1
            number, target = self._asked, self.target
            self.connection.value = state_html("·", f"reaching {self.database.value} …")
            # A server that does not answer must not keep the next choice waiting.
            self.reaching = job = Job(lambda: self._draw_connection(number))
        job.start(lambda _: _look(target))

    def _draw_connection(self, number: int = 0) -> None:
        with self.lock:
            job = self.reaching
            if number != self._asked or job.state == "running":
                return
            self.connection.value = error_html(job.error) if job.error is not None else str(job.result)

    def _choose_migration(self) -> None:
        with self.lock:
            self.migration = None
            try:
                self.migration = self._load()
                self.about.value = card_html(self.migration.card()) if self.migration else ""
            except MigkitError as error:
                self.about.value = error_html(error)
            self._draw_work()

    def _load(self) -> Migration | None:
        text = self.path.value.strip()
        if self.given_migration is not None and text == _path_text(self.given_migration):
            return self.given_migration
        return load_migration(text, config=self.config) if text else None

    # --- working ------------------------------------------------------------------------------------------------------

    def _begin(self, what: str) -> None:
        with self.lock:
            self._choose_migration()  # the file may have been edited since
            migration, target = self.migration, self.target
            if migration is None:
                return
            self.outcome.value = ""
            self._what = what
            work = self._rehearse if what == "rehearsal" else self._try_out
            if self.work.start(lambda progress: work(migration, target, progress)):
                self._draw_work()

    def _rehearse(self, migration: Migration, target: AnyDatabase, progress: Progress) -> Any:
        trial = rehearse(migration, target, progress=progress)
        progress.begin("Writing the report")
        try:
            report(trial)
            progress.note("✓", "Wrote the report")
        except MigkitError as error:
            # The rehearsal stands without its report; the evidence is kept.
            progress.note("⚠", str(error))
        return trial

    def _try_out(self, migration: Migration, target: AnyDatabase, progress: Progress) -> Any:
        return dry_run(migration, target, progress=progress)

    def _stop(self) -> None:
        self.work.stop()
        self._draw_work()

    def _draw_work(self) -> None:
        with self.lock:
            job = self.work
            self.live.value = job_html(job, self._what.capitalize(), _DONE[self._what])
            self.stop.disabled = job.state != "running"
            self.stop.description = "Stopping …" if job.state == "stopping" else "Stop"
            is_ready = not job.is_running and self.migration is not None
            self.rehearse.disabled = self.try_out.disabled = not is_ready
            self.database.disabled = self.path.disabled = job.is_running
            if job.is_running or job.state == "idle":
                return
            self.outcome.value = card_html(job.result.card()) if job.result is not None else ""
            self.history.refresh(getattr(job.result, "evidence", None))


def _look(target: AnyDatabase) -> str:
    with reached(target) as db:
        marks = [mark for mark, is_set in (("protected", db.protected), ("scratch", db.is_scratch)) if is_set]
        return state_html("✓", "reached", " · ".join([db.server, db.url, *marks]))


def _name(db: AnyDatabase) -> str:
    return db.name if isinstance(db, Database) else connect(db).name


def _path_text(migration: AnyMigration | None) -> str:
    if migration is None:
        return ""
    return os.path.relpath(migration.path) if isinstance(migration, Migration) else str(migration)
