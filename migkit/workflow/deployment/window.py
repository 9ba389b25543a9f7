"""The time in which a deploy keeps writers out, journalled, so that a crash leaves nobody locked out for good."""

from __future__ import annotations

import time
from typing import Any

from migkit.dialects.guarding import Closed, Opened
from migkit.display.units import plural
from migkit.errors import ConnectionFailed, MigkitError
from migkit.recovery.read_only import ReadOnly, close_to_writers, is_read_only
from migkit.state.capture import capture
from migkit.state.snapshot import State
from migkit.workflow.deployment.evidence import is_same
from migkit.workflow.deployment.record import Record
from migkit.workflow.hooks import run_commands

CLOSE, OPEN = "read-only-on", "read-only-off"
STOP, START = "stop-jobs", "start-jobs"

_LOOK_SECONDS = 0.5
_FEWEST_SECONDS_TO_RETURN = 30.0


class Window:
    """Closing and opening the database, and the hooks around it.

    Attributes
    ----------
    held : ReadOnly or None
        What keeps writers out now.
    were_let_in : bool
        Writers were let in again after the migration.
    """

    def __init__(self, record: Record, program: str) -> None:
        self._record = record
        self._program = program
        self._setting: str | None = None
        self.held: ReadOnly | None = None
        self.were_let_in = False
        self.jobs_stopped = False
        self._why_unguarded: str | None = None
        self._half_closed: str | None = None

    def adopt(self, setting: str) -> None:
        """Go on keeping writers out where a process that was killed had begun to.

        Parameters
        ----------
        setting : str
            How writing was set before, by the journal.
        """
        record = self._record
        self._setting = setting
        if record.db.dialect.read_only_lasts and is_read_only(record.db):
            self._take_over(setting, "read-only, as the deploy that was killed left it")
            return
        self._why_unguarded = "nobody kept writers out between the crash and its recovery"
        self.close()

    def take_over_half_closed(self) -> None:
        """Hold what a closing that was broken off (Ctrl-C, a lost connection) left read-only, so that it is opened."""
        if self.held is None and self._half_closed is not None:
            if self._record.db.dialect.read_only_lasts and is_read_only(self._record.db):
                self._take_over(self._half_closed, "read-only, as a closing that was broken off left it")
            self._half_closed = None

    def _take_over(self, setting: str, means: str) -> None:
        deploy = self._record.options.deploy
        self.held = ReadOnly(
            self._record.db,
            setting,
            Closed(means),
            self._program,
            _patience=deploy.patience_seconds,
            _terminate=deploy.terminate,
        )

    def close(self) -> None:
        """Keep writers out."""
        record, deploy = self._record, self._record.options.deploy

        def work(learned: dict[str, Any]) -> None:
            self.held = close_to_writers(
                record.db,
                patience=deploy.patience_seconds,
                terminate=deploy.terminate,
                program=self._program,
            )
            self._setting = self._setting or self.held.setting
            closed = self.held.closed
            ended = f"; {plural(closed.ended, 'session')} ended" if closed.ended else ""
            learned |= {"means": closed.means, "detail": f"{closed.means}{ended}"}
            record.unchecked += [
                {"what": f"whether {who} wrote meanwhile", "why": closed.means} for who in closed.exempt
            ]

        with record.db.engine.connect() as connection:
            setting = record.db.dialect.write_setting(connection)
        self._half_closed = self._setting or setting
        record.step(CLOSE, "Closed to writers", work, setting=self._half_closed)
        self._half_closed = None

    def open(self) -> None:
        """Let writers in again."""
        held = self.held
        if held is None:
            return

        def work(learned: dict[str, Any]) -> None:
            opened = self._opened(held)
            if opened.stayed:
                stayed = plural(opened.stayed, "session")
                learned["detail"] = f"{stayed} opened meanwhile stay read-only until they connect anew"

        self._record.step(OPEN, "Open to writers again", work, required=False)
        self.held, self.were_let_in = None, True

    def _opened(self, held: ReadOnly) -> Opened:
        """Open; once more if that failed, because a connection that is lost here would cost the whole deploy."""
        try:
            return held.open()
        except MigkitError:
            wait_for_server(self._record)
            return held.open()

    def stop_jobs(self) -> None:
        """Run the hooks that stop jobs."""
        self.jobs_stopped = True
        self._run_hooks(STOP, "Stopped jobs", self._record.options.deploy.hooks.stop)

    def start_jobs(self) -> None:
        """Run the hooks that start jobs."""
        self._run_hooks(START, "Started jobs", self._record.options.deploy.hooks.start, required=False)
        self.jobs_stopped = False

    def _run_hooks(self, name: str, words: str, commands: tuple[str, ...], *, required: bool = True) -> None:
        record = self._record
        if not commands:
            record.skip(words, "no hooks are set")
            return
        variables = {"MIGKIT_DATABASE": record.db.name, "MIGKIT_MIGRATION": record.migration.name}

        def work(learned: dict[str, Any]) -> None:
            done = run_commands(commands, record.options.deploy.hooks.timeout_seconds, variables)
            if not done[-1].succeeded:
                raise MigkitError(f"The hook {done[-1].command!r} failed: {done[-1].told}")
            learned["detail"] = plural(len(done), "command")

        record.step(name, words, work, required=required, commands=len(commands))

    def others_wrote(self, since: State | None) -> str | None:
        """Say why rows of others may have come since a state; ``None`` if none can have.

        Parameters
        ----------
        since : State or None
            The state after the migration; rows that came after it would be lost with it.
        """
        if self._why_unguarded is not None:
            return self._why_unguarded
        if not self.were_let_in:
            return self.slipped_in()
        if since is None:
            return "writers were let in, and nobody knows what they wrote"
        now = capture(self._record.db, like=since)
        return self.slipped_in() if is_same(self._record.db, since, now) else "rows were written since the migration"

    def slipped_in(self) -> str | None:
        """Say why others may have written though they are kept out; ``None`` if none can have."""
        if self.held is None:
            return "nobody keeps writers out"
        wrote = self.held.others_wrote()
        if wrote:
            return "somebody else wrote while the migration ran"
        if wrote is None:
            return "writers are let in while migkit works, because only table locks could be had"
        if self.held.closed.hold is None and not is_read_only(self._record.db):
            return "the database was opened to writers meanwhile, by a restart of the server or by somebody"
        return None


def wait_for_server(record: Record) -> None:
    """Wait until the server answers, for as long as a restart may take.

    Raises
    ------
    ConnectionFailed
        If it does not come back.
    """
    patience = max(_FEWEST_SECONDS_TO_RETURN, record.options.deploy.patience_seconds)
    deadline = time.monotonic() + patience
    while True:
        record.db.close()
        try:
            with record.db.engine.connect() as connection:
                record.db.dialect.server_version(connection)
            return
        except Exception as error:
            told = record.db.dialect.explain_connect_error(error, record.db.engine.url)
            if time.monotonic() > deadline:
                raise ConnectionFailed(
                    f"The server did not come back within {patience:g} s: {told.what}",
                    where=record.db.url,
                    next_step="When it answers again: migkit recover.",
                ) from error
        time.sleep(_LOOK_SECONDS)
