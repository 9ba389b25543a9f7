"""``migration_log``: every attempt with its outcome, every statement before it starts and after it ends."""

from __future__ import annotations

import getpass
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from migkit.bookkeeping import LOG_NAMES, MARKER_COLUMN
from migkit.database import Database
from migkit.errors import MigkitError, PermissionMissing
from migkit.framing import INSTANT, INTEGER, TEXT
from migkit.migration.journal_schema import SHORT, JournalTables, ensure_tables, find_tables
from migkit.migration.migration import Direction, Migration
from migkit.migration.sessions import session_engine
from migkit.observe.statements import RAN, Statement
from migkit.redaction import redact
from migkit.storage import decode_instant, encode_instant

RUNNING, SUCCEEDED, FAILED, CANCELLED = "running", "succeeded", "failed", "cancelled"
# Rows with negative numbers hold the schema as it was before the attempt, in pieces that fit into every engine's TEXT.
_BEFORE = "before"
_PIECE = 60_000
_WAIT_SECONDS = 2.0


class Journal:
    """The journal of one attempt; use as a context manager around the run.

    Where a second session can write while the migration runs, each statement is written before it starts and after it
    ends; else (the engine has one writer) the attempt is written before and the statements after the run.
    """

    def __init__(
        self, db: Database, migration: Migration, direction: Direction, schema_before: str | None = None
    ) -> None:
        self.attempt = str(uuid.uuid4())
        self.unchecked: list[dict[str, str]] = []
        self._db = db
        self._migration = migration
        self._direction = direction
        self._schema_before = schema_before
        self._stack = ExitStack()
        self._beside: Connection | None = None
        self._tables: JournalTables
        self._written: set[int] = set()
        self._pending: dict[int, Statement] = {}

    def __enter__(self) -> Journal:
        try:
            self._begin()
        except SQLAlchemyError as error:
            self._stack.close()
            raise self._refused(error) from error
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def _begin(self) -> None:
        if self._db.dialect.journals_beside:
            self._beside = self._stack.enter_context(self._open_connection())
        with self._writing() as connection:
            self._tables = ensure_tables(connection)
            connection.execute(self._tables.attempts.insert(), [self._attempt_row()])
            if self._schema_before is not None:
                connection.execute(self._tables.statements.insert(), list(self._schema_rows(self._schema_before)))

    def _refused(self, error: SQLAlchemyError) -> MigkitError:
        said = self._db.dialect.explain_error(error)
        kind = PermissionMissing if self._db.dialect.is_permission_error(error) else MigkitError
        return kind(
            f"The journal ({LOG_NAMES[0]}) could not be written: {said}",
            where=self._db.name,
            next_step="Let the user create tables, or run without the journal (journal=False).",
        )

    @contextmanager
    def _open_connection(self) -> Iterator[Connection]:
        with session_engine(self._db) as engine, engine.connect() as connection:
            # A migration may lock the journal itself; it must not wait for us while we wait for it.
            self._db.dialect.set_lock_timeout(connection, _WAIT_SECONDS)
            connection.commit()
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self._beside is not None:
            with self._beside.begin():
                yield self._beside
        else:
            with self._open_connection() as connection, connection.begin():
                yield connection

    # --- what the run tells -----------------------------------------------------------------------------------------

    def started(self, statement: Statement) -> None:
        """Write a statement that is about to be sent, and what became of the one before it."""
        if self._beside is not None:
            self._try(lambda connection: self._insert_next(connection, statement))

    def ended(self, statements: Sequence[Statement]) -> None:
        """Write what became of statements; what is decided only by a commit yet to come may wait for the next one."""
        if self._beside is None:
            return
        self._pending.update((one.number, one) for one in statements)
        if any(one.outcome != RAN for one in statements):
            self._try(self._update)

    def close(self, outcome: str, error: str | None, statements: Sequence[Statement]) -> None:
        """Write how the attempt ended.

        Raises
        ------
        MigkitError
            If it cannot be written: the database then still says ``running``.
        """
        try:
            with self._writing() as connection:
                self._update(connection)
                missing = [statement for statement in statements if statement.number not in self._written]
                self._insert(connection, missing, None)
                connection.execute(
                    self._tables.attempts.update().where(self._tables.attempts.c[MARKER_COLUMN] == self.attempt),
                    [{"ended_at": _now(), "outcome": outcome, "error": error, "statements": len(statements)}],
                )
        except SQLAlchemyError as failure:
            said = self._db.dialect.explain_error(failure)
            self.unchecked.append({"what": "the journal's last entry", "why": f"it could not be written: {said}"})

    def _try(self, write: Callable[[Connection], None]) -> None:
        """Write, or note that the journal is incomplete: a migration must not fail for its journal's sake."""
        try:
            with self._writing() as connection:
                write(connection)
        except SQLAlchemyError as error:
            said = self._db.dialect.explain_error(error)
            entry = {"what": "the journal", "why": f"statements could not be written to it: {said}"}
            if entry not in self.unchecked:
                self.unchecked.append(entry)

    # --- rows -------------------------------------------------------------------------------------------------------

    def _attempt_row(self) -> dict[str, Any]:
        return {
            MARKER_COLUMN: self.attempt,
            "migration": self._migration.name[:SHORT],
            "version": self._migration.metadata.version[:SHORT] or None,
            "direction": self._direction,
            "checksum": self._migration.checksum,
            "started_at": _now(),
            "outcome": RUNNING,
            "migkit_version": version("migkit"),
            "run_by": _who()[:SHORT],
        }

    def _schema_rows(self, text: str) -> Iterator[dict[str, Any]]:
        for number, start in enumerate(range(0, len(text), _PIECE), 1):
            piece = text[start : start + _PIECE]
            yield {MARKER_COLUMN: self.attempt, "number": -number, "sql": piece, "outcome": _BEFORE}

    def _insert(self, connection: Connection, statements: Sequence[Statement], outcome: str | None) -> None:
        rows = [
            {
                MARKER_COLUMN: self.attempt,
                "number": one.number,
                "sql": redact(one.sql).replace("\x00", "\\0"),
                "started_at": encode_instant(one.started_at) if one.started_at else None,
                "ended_at": None if outcome else _end(one),
                "outcome": outcome or one.outcome,
            }
            for one in statements
        ]
        if rows:
            connection.execute(self._tables.statements.insert(), rows)
            self._written.update(one.number for one in statements)

    def _insert_next(self, connection: Connection, statement: Statement) -> None:
        self._update(connection)
        self._insert(connection, [statement], RUNNING)

    def _update(self, connection: Connection) -> None:
        table = self._tables.statements
        changed = [one for one in self._pending.values() if one.number in self._written]
        self._pending.clear()
        if not changed:
            return
        connection.execute(
            table.update()
            .where(table.c[MARKER_COLUMN] == self.attempt, table.c.number == sa.bindparam("the_number"))
            .values(outcome=sa.bindparam("the_outcome"), ended_at=sa.bindparam("the_end")),
            [{"the_number": one.number, "the_outcome": one.outcome, "the_end": _end(one)} for one in changed],
        )


def _end(statement: Statement) -> str | None:
    if statement.started_at is None or statement.seconds is None:
        return None
    return encode_instant(statement.started_at + pd.Timedelta(seconds=statement.seconds).to_pytimedelta())


def _now() -> str:
    return encode_instant(datetime.now(UTC))


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        user = "?"
    return redact(f"{user}@{socket.gethostname()}")


# --- reading ---------------------------------------------------------------------------------------------------------

_HISTORY = {
    "attempt": TEXT,
    "migration": TEXT,
    "version": TEXT,
    "direction": TEXT,
    "started_at": INSTANT,
    "ended_at": INSTANT,
    "outcome": TEXT,
    "error": TEXT,
    "statements": INTEGER,
    "checksum": TEXT,
    "migkit_version": TEXT,
    "run_by": TEXT,
}


def history(db: Database) -> pd.DataFrame:
    """Return every attempt the journal knows, oldest first.

    Parameters
    ----------
    db : Database
        The database to read.

    Returns
    -------
    pandas.DataFrame
        ``attempt, migration, version, direction, started_at, ended_at, outcome, error, statements, checksum,
        migkit_version, run_by``; empty where nothing was ever journalled. An outcome of ``running`` is a run that
        goes on now, or one that ended without a word.
    """
    rows = [_as_history(row) for row in _read_attempts(db)]
    return pd.DataFrame(
        {name: _column([row[name] for row in rows], dtype) for name, dtype in _HISTORY.items()}, columns=list(_HISTORY)
    )


def _column(values: list[Any], dtype: str) -> pd.Series[Any]:
    if dtype == INSTANT:
        return pd.Series(pd.to_datetime(values, utc=True).astype(INSTANT), dtype=INSTANT)
    return pd.Series(values, dtype=dtype)


def _as_history(row: sa.RowMapping) -> dict[str, Any]:
    instants = {name: decode_instant(row[name]) if row[name] else None for name in ("started_at", "ended_at")}
    return {"attempt": row[MARKER_COLUMN]} | {name: row[name] for name in _HISTORY if name in row} | instants


def _read_attempts(db: Database) -> list[sa.RowMapping]:
    with db.engine.connect() as connection:
        tables = find_tables(connection)
        if tables is None:
            return []
        ordered = sa.select(tables.attempts).order_by(tables.attempts.c.started_at, tables.attempts.c[MARKER_COLUMN])
        return list(connection.execute(ordered).mappings())


def last_version(db: Database) -> str | None:
    """Return the version of the last migration that was applied and not taken back, by the journal.

    Migrations without a version count by their name.
    """
    standing: dict[str, str] = {}
    for row in _read_attempts(db):
        if row["outcome"] != SUCCEEDED:
            continue
        standing.pop(row["migration"], None)
        if row["direction"] == "up":
            standing[row["migration"]] = row["version"] or row["migration"]
    return list(standing.values())[-1] if standing else None


_STANDS = ("applied", RUNNING, RAN, "unknown")


@dataclass(frozen=True)
class OpenAttempt:
    """An attempt since the last one that succeeded.

    Attributes
    ----------
    direction, outcome : str
        As in :func:`history`.
    statements : tuple of (str, str)
        SQL and outcome of the statements that stand, or may do so.
    before : str or None
        The schema before the attempt, as it was given to the journal.
    """

    direction: str
    outcome: str
    statements: tuple[tuple[str, str], ...]
    before: str | None


def open_attempts(db: Database, migration: str) -> list[OpenAttempt]:
    """Return the attempts at a migration since the last one that succeeded, oldest first."""
    found: list[sa.RowMapping] = []
    for row in _read_attempts(db):
        if row["migration"] == migration[:SHORT]:
            found = [] if row["outcome"] == SUCCEEDED else [*found, row]
    return [_open_attempt(db, row) for row in found]


def _open_attempt(db: Database, row: sa.RowMapping) -> OpenAttempt:
    stood = applied_statements(db, row[MARKER_COLUMN])
    statements = tuple(zip(stood["sql"].tolist(), stood["outcome"].tolist(), strict=True))
    return OpenAttempt(row["direction"], row["outcome"], statements, _schema_before(db, row[MARKER_COLUMN]))


def _schema_before(db: Database, attempt: str) -> str | None:
    with db.engine.connect() as connection:
        tables = find_tables(connection)
        if tables is None:
            return None
        table = tables.statements
        pieces = sa.select(table.c.sql).where(table.c[MARKER_COLUMN] == attempt, table.c.outcome == _BEFORE)
        return "".join(connection.execute(pieces.order_by(table.c.number.desc())).scalars()) or None


def applied_statements(db: Database, attempt: str) -> pd.DataFrame:
    """Return the statements of an attempt that stand in the database, or may do so.

    Parameters
    ----------
    db : Database
        The database to read.
    attempt : str
        The id of an attempt (:attr:`migkit.migration.results.Run.attempt`).

    Returns
    -------
    pandas.DataFrame
        ``number, sql, outcome``, in order. ``applied`` stands; ``running``, ``ran`` and ``unknown`` are statements of
        which nobody heard how they ended.
    """
    rows: list[Any] = []
    with db.engine.connect() as connection:
        tables = find_tables(connection)
        if tables is not None:
            table = tables.statements
            found = sa.select(table.c.number, table.c.sql, table.c.outcome).where(
                table.c[MARKER_COLUMN] == attempt, table.c.outcome.in_(_STANDS)
            )
            rows = list(connection.execute(found.order_by(table.c.number)))
    columns = {"number": INTEGER, "sql": TEXT, "outcome": TEXT}
    return pd.DataFrame(
        {name: _column([row[index] for row in rows], dtype) for index, (name, dtype) in enumerate(columns.items())}
    )
