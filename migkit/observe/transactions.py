"""What is known of a transaction that is not decided yet, and how a session leaves and re-enters one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from migkit.dialects.base import HeldLock
from migkit.errors import MigkitError
from migkit.observe.statements import Statement


class TransactionLost(MigkitError):  # named as its siblings are
    """A transaction that a swallowed error had already spoiled was about to be committed."""


@dataclass
class Hold:
    """A lock that is still held."""

    lock: HeldLock
    statement: int
    granted_at: datetime

    def row(self, released_at: datetime, *, is_exact: bool) -> dict[str, Any]:
        """Return the lock, now released, as a row of :data:`migkit.frames.LOCKS`."""
        return {
            "relation": self.lock.relation,
            "mode": self.lock.mode,
            "statement": self.statement,
            "granted_at": self.granted_at,
            "released_at": released_at,
            "held_ms": (released_at - self.granted_at).total_seconds() * 1000,
            "blocks": self.lock.blocks,
            "exact": is_exact,
        }


@dataclass
class Transaction:
    """Statements, locks and savepoints between a begin and a commit."""

    statements: list[Statement] = field(default_factory=list)
    holds: dict[tuple[str, str], Hold] = field(default_factory=dict)
    savepoints: list[tuple[str, int]] = field(default_factory=list)
    observed: set[str] = field(default_factory=set)
    has_error: bool = False
    committing: bool = False

    def follow_savepoint(self, verb: str, name: str) -> list[Statement]:
        """Remember where a savepoint stands, or return the statements that returning to it undid."""
        if verb == "savepoint":
            self.savepoints.append((name, len(self.statements)))
            return []
        marks = [mark for known, mark in self.savepoints if known == name]
        if not marks:
            return []
        mark = marks[-1]
        self.savepoints = [one for one in self.savepoints if one[1] < mark]
        if verb == "release":
            return []
        # The savepoint itself stays, and so does the statement that returned to it.
        self.savepoints.append((name, mark))
        undone, self.statements = self.statements[mark:-1], [*self.statements[:mark], self.statements[-1]]
        self.has_error = False
        return undone


def enter_autocommit(connection: Connection) -> str:
    """Put a session without an open transaction into autocommit, beneath SQLAlchemy's own transaction object.

    Returns
    -------
    str
        The isolation level it had.
    """
    driver = connection.connection
    level = connection.dialect.get_isolation_level(driver.dbapi_connection)  # type: ignore[arg-type]
    # Some drivers begin a transaction to answer that.
    connection.dialect.do_commit(driver)
    connection.dialect.set_isolation_level(driver.dbapi_connection, "AUTOCOMMIT")  # type: ignore[arg-type]
    return level


def leave_autocommit(connection: Connection, level: str) -> None:
    """Put the session back to its isolation level, and begin again where SQLAlchemy believes that it never ended."""
    driver = connection.connection
    connection.dialect.set_isolation_level(driver.dbapi_connection, level)  # type: ignore[arg-type]
    if connection.in_transaction():
        connection.dispatch.begin(connection)
        connection.dialect.do_begin(driver)


def refuse_if_given_up(connection: Connection, failed: Statement | None) -> None:
    """Make sure that a transaction in which a statement failed can still be committed.

    Some engines answer COMMIT with a silent rollback after an error that the migration swallowed: ask first.

    Raises
    ------
    TransactionLost
        If the engine has given it up.
    """
    try:
        connection.exec_driver_sql("SELECT 1")
    except Exception as error:
        raise TransactionLost(
            f"Statement {failed.number if failed else '?'} failed and the migration went on, but the engine had "
            f"given up the transaction, so nothing of it can be committed: {failed.error if failed else error}",
            next_step="Use a savepoint (op.get_bind().begin_nested()) around statements that may fail.",
        ) from error
