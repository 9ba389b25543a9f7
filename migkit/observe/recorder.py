"""The one hook every statement of a run passes: what it was, how long it took, what it locked, how it ended."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext, ExecutionContext

from migkit.dialects.base import Dialect, SessionObserver
from migkit.dialects.measuring import IncidentKind
from migkit.observe.confinement import Confinement
from migkit.observe.describing import statement_kind, strip_comments
from migkit.observe.parameters import with_parameters
from migkit.observe.statements import (
    APPLIED,
    BEGINS,
    FAILED,
    NOT_REACHED,
    RAN,
    ROLLED_BACK,
    SKIPPED,
    UNKNOWN,
    Statement,
    StatementSink,
    as_exception,
    as_written,
    savepoint_command,
    statements_frame,
    tell_statement,
    transaction_end,
)
from migkit.observe.transactions import Hold, Transaction, enter_autocommit, leave_autocommit, refuse_if_given_up
from migkit.progress import Progress, tell
from migkit.redaction import redact


class Recorder:
    """Records the statements of one run, of whatever connection of the observed engine they come.

    Parameters
    ----------
    dialect : Dialect
        The engine that is run on.
    progress : Progress
        Told of each finished statement that changes something.
    sink : StatementSink or None
        The journal.
    before_each : callable
        Called before each statement; raises to stop the run.
    """

    def __init__(
        self, dialect: Dialect, *, progress: Progress, sink: StatementSink | None, before_each: Callable[[], None]
    ) -> None:
        # Asked whether a statement may be sent at all.
        self.confinement: Confinement | None = None
        self.where: str | None = None
        self.entries: list[Statement] = []
        self.transactions = 0
        # What other sessions were part of: deadlocks, lock timeouts, cancelled statements.
        self.failures: list[tuple[IncidentKind, datetime, str]] = []
        self.lost = False
        self._dialect = dialect
        self._progress = progress
        self._sink = sink
        self._before_each = before_each
        self._current: Statement | None = None
        self._transaction: Transaction | None = None
        self._lock_rows: list[dict[str, Any]] = []
        self._observers: weakref.WeakKeyDictionary[Connection, SessionObserver] = weakref.WeakKeyDictionary()
        self._isolation: str | None = None
        self._quiet = False
        self._noted: str | None = None

    # --- what others ask ------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether the server is working on a statement, or on a commit, now."""
        return self._current is not None or bool(self._transaction and self._transaction.committing)

    @property
    def last_failed(self) -> Statement | None:
        """The last statement that failed."""
        return next((entry for entry in reversed(self.entries) if entry.outcome == FAILED), None)

    @property
    def current(self) -> Statement | None:
        """The statement the server is working on, or is about to."""
        return self._current

    @property
    def outside_since(self) -> tuple[int, datetime] | None:
        """Number and start of the running statement, if its locks are gone when it ends: it runs outside any
        transaction, or the engine commits it.
        """
        current = self._current
        if current is None or current.started_at is None:
            return None
        commits = current.kind == "ddl" and not self._dialect.transactional_ddl
        return (current.number, current.started_at) if current.transaction == 0 or commits else None

    @property
    def at_work(self) -> tuple[int, datetime, bool] | None:
        """Number and start of the running statement, and whether it changes something."""
        current = self._current
        if current is None or current.started_at is None:
            return None
        return current.number, current.started_at, current.kind in ("ddl", "dml")

    def skip(self, reason: str) -> None:
        """Note that the present statement was left out, or had nothing to do."""
        if self._current is not None:
            self._current.outcome, self._current.error = SKIPPED, redact(reason)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Do not record what is executed meanwhile: it is the observer's own."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def attach(self, engine: Engine) -> Callable[[], None]:
        """Listen to all connections of an engine; return a function that stops listening."""
        listeners: list[tuple[str, Callable[..., None]]] = [
            ("before_cursor_execute", self._before),
            ("after_cursor_execute", self._after),
            ("handle_error", self._failed),
            ("commit", self._commits),
            ("rollback", self._rolls_back),
        ]
        for name, listener in listeners:
            event.listen(engine, name, listener)

        def detach() -> None:
            for name, listener in listeners:
                event.remove(engine, name, listener)

        return detach

    def settle(self, outcome: str = APPLIED) -> None:
        """Decide a commit that was begun: it went through if nothing was heard of an error."""
        if self._transaction is not None and self._transaction.committing:
            self._end_transaction(outcome)

    def finish(self) -> None:
        """Decide everything that is still open: nobody committed it."""
        self.settle()
        if self._transaction is not None:
            self._end_transaction(ROLLED_BACK)

    def not_reached(self, statements: Sequence[str]) -> None:
        """Add statements that were left out."""
        for sql in statements:
            number = len(self.entries) + 1
            self.entries.append(Statement(number, statement_kind(sql), redact(sql), outcome=NOT_REACHED))

    def statements_frame(self) -> pd.DataFrame:
        """Return what happened as :data:`migkit.frames.STATEMENTS`."""
        return statements_frame(self.entries)

    def lock_rows(self) -> list[dict[str, Any]]:
        """Return the locks as rows of :data:`migkit.frames.LOCKS`."""
        return list(self._lock_rows)

    # --- one statement --------------------------------------------------------------------------------------------

    def _before(
        self,
        connection: Connection,
        _cursor: Any,
        sql: str,
        parameters: Any,
        context: ExecutionContext | None,
        _many: bool,
    ) -> None:
        text = as_written(sql, connection, context)
        if self.confinement is not None and not self._quiet:
            self.confinement.check(text, self.where)
        if self._quiet or BEGINS.match(strip_comments(text)):
            # A dialect's engine sends BEGIN itself; what counts is the first statement after it.
            return
        self.settle()
        self._before_each()
        shown = with_parameters(text, parameters)
        entry = Statement(len(self.entries) + 1, statement_kind(text), redact(shown), where=self.where)
        self.entries.append(entry)
        self._place(entry, connection, text)
        entry.started_at = datetime.now(UTC)
        if self._sink is not None:
            self._sink.started(entry)
        if not self._is_spoiled() and text not in self._observed():
            with self.quiet():
                self._observer(connection).before_statement()
        self._current = entry
        entry.started_at = datetime.now(UTC)
        entry.begun = time.perf_counter()

    def _place(self, entry: Statement, connection: Connection, text: str) -> None:
        """Put the statement into the present transaction, a new one, or outside any."""
        if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            entry.transaction = 0
        elif self._dialect.must_run_outside_transaction(text):
            entry.transaction = 0
            self._leave_transaction(connection)
        else:
            if self._transaction is None:
                self._transaction = Transaction()
                self.transactions += 1
            entry.transaction = self.transactions
            self._transaction.statements.append(entry)

    def _after(
        self,
        connection: Connection,
        cursor: Any,
        sql: str,
        _parameters: Any,
        context: ExecutionContext | None,
        _many: bool,
    ) -> None:
        entry = self._current
        if self._quiet or entry is None:
            return
        entry.seconds = time.perf_counter() - entry.begun
        self._current = None
        # Asked before the observer's own queries begin another transaction.
        is_decided = entry.kind != "query" and self._has_committed(connection)
        if entry.kind == "dml" and entry.outcome == RAN and cursor.rowcount is not None and cursor.rowcount >= 0:
            entry.rows = cursor.rowcount
        text = as_written(sql, connection, context)
        if text not in self._observed():
            self._observe(entry, connection)
            self._observed().add(text)
        self._rejoin_transaction(connection)
        self._conclude(entry, text, is_decided)
        self._noted = tell_statement(self._progress, entry, self._noted)

    def _has_committed(self, connection: Connection, *, ask: bool = False) -> bool:
        """Whether an engine that commits by itself has done so with everything until now."""
        dialect = self._dialect
        return not dialect.transactional_ddl and not dialect.has_open_transaction(connection, ask=ask)

    def _conclude(self, entry: Statement, text: str, is_decided: bool) -> None:
        """Say how the statement ended, as far as that is decided."""
        if entry.transaction == 0 and entry.outcome == RAN:
            entry.outcome = APPLIED
        if self._sink is not None:
            self._sink.ended([entry])
        ends, savepoint = transaction_end(text), savepoint_command(text)
        if self._transaction is None:
            return
        if savepoint is not None:
            self._decide(self._transaction.follow_savepoint(*savepoint), ROLLED_BACK)
        elif ends is not None:
            self._end_transaction(ends)
        elif is_decided:
            # The engine committed at this statement, and with it whatever came before.
            self._end_transaction(APPLIED)

    def _failed(self, failure: ExceptionContext) -> None:
        if self._quiet:
            return
        if failure.is_disconnect:
            self.lost = True
        entry, self._current = self._current, None
        message = redact(self._dialect.explain_error(as_exception(failure.original_exception)))
        if entry is None:
            self._commit_failed()
            return
        entry.seconds = time.perf_counter() - entry.begun
        commits = entry.kind == "ddl" and not self._dialect.transactional_ddl
        entry.outcome = UNKNOWN if self.lost and (entry.transaction == 0 or commits) else FAILED
        entry.error = message
        kind = self._dialect.incident_kind(as_exception(failure.original_exception))
        self.failures += [(kind, datetime.now(UTC), entry.sql)] if kind is not None else []
        if self._transaction is not None and entry.transaction != 0:
            self._transaction.has_error = True
        if self.lost and commits:
            self._end_transaction(UNKNOWN)
        elif failure.connection is not None and not self.lost:
            self._commit_before_failure(failure.connection)
            self._rejoin_transaction(failure.connection)
        if self._sink is not None:
            self._sink.ended([entry])
        self._progress.note("✗", f"{entry.summary}: {message}")

    def _commit_before_failure(self, connection: Connection) -> None:
        """Decide what an engine committed before it looked whether the statement can be done."""
        if self._transaction is None or self._dialect.transactional_ddl:
            return
        try:
            outcome = APPLIED if self._has_committed(connection, ask=True) else None
        except Exception:  # of whatever class the driver has; what became of the transaction is not known then
            outcome = UNKNOWN
        if outcome is not None:
            self._end_transaction(outcome)

    # --- transactions ---------------------------------------------------------------------------------------------

    def _commits(self, connection: Connection) -> None:
        if self._quiet or self._transaction is None:
            return
        # Some statements (MySQL's SLEEP) end without an error when they are cancelled: nothing of it may be committed.
        self._before_each()
        if self._transaction.has_error:
            with self.quiet():
                refuse_if_given_up(connection, self.last_failed)
        self._transaction.committing = True

    def _commit_failed(self) -> None:
        if self._transaction is not None and self._transaction.committing:
            self._end_transaction(UNKNOWN if self.lost else ROLLED_BACK)

    def _rolls_back(self, _connection: Connection) -> None:
        if self._quiet:
            return
        self.settle()
        if self._transaction is not None:
            self._end_transaction(ROLLED_BACK)

    def _end_transaction(self, outcome: str) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        now = datetime.now(UTC)
        is_exact = self._dialect.lock_facts == "exact"
        released = [hold.row(now, is_exact=is_exact) for hold in transaction.holds.values()]
        self._lock_rows += released
        for row in released:
            tell(self._progress, "lock", row)
        self._decide(transaction.statements, outcome)

    def _decide(self, statements: Sequence[Statement], outcome: str) -> None:
        decided = [entry for entry in statements if entry.outcome == RAN]
        for entry in decided:
            entry.outcome = outcome
        if self._sink is not None and decided:
            self._sink.ended(decided)

    def _leave_transaction(self, connection: Connection) -> None:
        """Commit what is open, so that the next statement runs by itself."""
        self._commits(connection)
        connection.dialect.do_commit(connection.connection)
        self.settle()
        self._isolation = enter_autocommit(connection)

    def _rejoin_transaction(self, connection: Connection) -> None:
        level, self._isolation = self._isolation, None
        if level is not None:
            with self.quiet():
                leave_autocommit(connection, level)

    # --- locks ----------------------------------------------------------------------------------------------------

    def _observer(self, connection: Connection) -> SessionObserver:
        if connection not in self._observers:
            self._observers[connection] = self._dialect.observe(connection)
        return self._observers[connection]

    def _observed(self) -> set[str]:
        """Statements already looked at in this transaction: the same text again takes no other locks."""
        return self._transaction.observed if self._transaction is not None else set()

    def _is_spoiled(self) -> bool:
        return self._transaction is not None and self._transaction.has_error

    def _observe(self, entry: Statement, connection: Connection) -> None:
        if self._is_spoiled() and self._dialect.transactional_ddl:
            return
        with self.quiet():
            facts = self._observer(connection).after_statement()
        entry.rewritten = facts.rewritten
        if entry.started_at is None or self._transaction is None or entry.transaction == 0:
            return
        for lock in facts.locks:
            hold = Hold(lock, entry.number, entry.started_at)
            if self._transaction.holds.setdefault((lock.relation, lock.mode), hold) is hold:
                is_exact = self._dialect.lock_facts == "exact"
                held = hold.row(datetime.now(UTC), is_exact=is_exact)
                tell(self._progress, "lock", held | {"released_at": None, "held_ms": None})

    def _tell(self, entry: Statement) -> None:
        """Tell people; a statement repeated with other values is told once."""
        text = entry.sql.partition("  -- ")[0]
        if entry.outcome == SKIPPED:
            self._progress.note("·", f"{entry.summary}: {SKIPPED}, {entry.error}")
        elif entry.kind in ("ddl", "dml") and text != self._noted:
            self._progress.note("✓", f"{entry.summary} ({entry.seconds:.2f}s)")
        self._noted = text
