"""A migration of which some statements stand though it failed: what stands, and how it is taken back.

Engines that commit at every DDL statement leave such a migration behind. Its way down is then run with care: what the
journal and the catalog say was never done is not undone, and where only a person can decide, nothing is run and the
person is told what stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event

from migkit.database import Database
from migkit.dialects.base import Dialect
from migkit.errors import CaptureFailed, MigrationMismatch
from migkit.migration import inverses
from migkit.migration.inverses import Thing
from migkit.migration.journal import RUNNING, OpenAttempt, open_attempts
from migkit.migration.migration import Migration
from migkit.migration.schema_marks import Left, SchemaMarks, left_since, read_marks
from migkit.observe.describing import statement_kind
from migkit.observe.recorder import Recorder
from migkit.observe.statements import APPLIED, Statement

NO_INVERSE = "no automatic inverse"
_SAVEPOINT = "migkit_undoing"


class OnlyAPersonCanDecide(MigrationMismatch):
    """A half-applied migration cannot be taken back by rule.

    Attributes
    ----------
    standing : tuple of str
        The statements that stand in the database, or may do so.
    offered : tuple of str
        Statements that take them back, last first; :data:`NO_INVERSE` and the statement where there is none.
    """

    def __init__(self, half: HalfApplied, reason: str, where: str) -> None:
        self.standing = tuple(one.sql for one in half.standing)
        self.offered = tuple(half.offers())
        stands = "; ".join(f"({number}) {_one_line(sql)}" for number, sql in enumerate(self.standing, 1))
        super().__init__(
            f"{half.migration} is half-applied, and only a person can decide how to go on: {reason}. "
            f"What stands: {stands}",
            where=where,
            next_step=f"To take it back by hand: {'; '.join(self.offered)}.",
        )


@dataclass(frozen=True)
class Standing:
    """A statement that stands, or may do so."""

    sql: str
    outcome: str


@dataclass(frozen=True)
class HalfApplied:
    """A migration's way up that failed and left statements standing.

    Attributes
    ----------
    migration : str
        Its name.
    standing : tuple of Standing
        In the order they were run.
    before, now : SchemaMarks or None
        The schema before the first attempt and now; ``None`` where the engine rolls DDL back, so that only statements
        outside transactions can stand.
    is_open : bool
        An attempt never said how it ended.
    drops_index_on_table : bool
        How the engine writes ``DROP INDEX``.
    """

    migration: str
    standing: tuple[Standing, ...]
    before: SchemaMarks | None
    now: SchemaMarks | None
    is_open: bool
    drops_index_on_table: bool

    def made(self) -> set[Thing]:
        """What the standing statements made, and was not there before."""
        things = {thing for one in self.standing for thing in inverses.things_made(one.sql)}
        return {thing for thing in things if self.before is None or self.before.find(thing) is None}

    def contents_lost(self) -> list[str]:
        """Name the tables and columns of before whose content the standing statements dropped."""
        things = [thing for one in self.standing for thing in inverses.things_dropped(one.sql)]
        kept = [one for one in things if one.kind in ("table", "column")]
        return [str(one) for one in kept if self.before is not None and self.before.find(one) is not None]

    def offers(self) -> Iterator[str]:
        """Return the statements that take back what stands, the last one first."""
        for one in reversed(self.standing):
            back = inverses.inverse(one.sql, drops_index_on_table=self.drops_index_on_table)
            yield back or f"({NO_INVERSE}: {_one_line(one.sql)})"

    def writes_to_others(self, sql: str) -> bool:
        """Whether a statement writes rows that were not made by the migration itself."""
        target = inverses.written(sql)
        if target is None:
            return True
        table, columns = target
        made = self.made()
        if Thing("table", table) in made:
            return False
        return not columns or any(Thing("column", table, column) not in made for column in columns)

    def why_undecided(self, bookkeeping: Sequence[str]) -> str | None:
        """Return why no rule tells how to take it back; ``None`` if the way down can."""
        if bookkeeping:
            return f"{', '.join(bookkeeping)} does not say that it was applied, so its own tool cannot take it back"
        if self.is_open or any(one.outcome != APPLIED for one in self.standing):
            return "nobody heard how the last statement ended, or it still runs"
        rows = [one.sql for one in self.standing if statement_kind(one.sql) == "dml" and self.writes_to_others(one.sql)]
        return f"rows were changed by {_one_line(rows[0])}" if rows else None


def find_half_applied(migration: Migration, db: Database) -> HalfApplied | None:
    """Return what stands of a migration whose way up failed, by the journal and the catalog; ``None`` if nothing does.

    Every attempt since the last one that succeeded counts: running a half-applied migration again adds to it.
    """
    attempts = open_attempts(db, migration.name)
    tried = [one for one in attempts if one.direction == "up" and _standing([one])]
    if not tried:
        return None
    now = read_marks(db) if tried[0].before is not None else None
    standing = [one for one in _standing(tried) if now is None or _still_stands(one, now)]
    if not standing:
        return None
    return HalfApplied(
        migration=migration.name,
        standing=tuple(standing),
        before=SchemaMarks.from_text(tried[0].before) if tried[0].before is not None else None,
        now=now,
        is_open=any(one.outcome == RUNNING for one in tried),
        drops_index_on_table=db.dialect.drops_index_on_table,
    )


def _standing(attempts: Sequence[OpenAttempt]) -> list[Standing]:
    return [
        Standing(sql, outcome)
        for attempt in attempts
        for sql, outcome in attempt.statements
        if statement_kind(sql) in ("ddl", "dml")
    ]


def _still_stands(one: Standing, now: SchemaMarks) -> bool:
    """Whether what a statement made is still there; an earlier rollback may have taken it back."""
    made = inverses.things_made(one.sql)
    return not made or any(now.find(thing) is not None for thing in made)


def _one_line(sql: str) -> str:
    return " ".join(sql.split())


# --- the way down ---------------------------------------------------------------------------------------------------


class Undoing:
    """Runs a way down so that only what was really done is undone: the rest is skipped, with the reason.

    Parameters
    ----------
    half : HalfApplied
        What stands.
    dialect : Dialect
        The engine.
    recorder : Recorder
        Whoever records the way down.
    where : str
        The migration's file, for messages.
    """

    def __init__(self, half: HalfApplied, dialect: Dialect, recorder: Recorder, where: str) -> None:
        self._half = half
        self._dialect = dialect
        self._recorder = recorder
        self._where = where
        self._made = half.made()
        self._taken = [thing for one in half.standing for thing in inverses.things_taken(one.sql)]

    def attach(self, engine: Engine) -> Callable[[], None]:
        """Stand between an engine and its driver; return a function that ends it."""
        listeners: list[tuple[str, Callable[..., bool]]] = [
            ("do_execute", lambda cursor, sql, parameters, _: self._send(cursor, cursor.execute, sql, parameters)),
            ("do_executemany", lambda cursor, sql, many, _: self._send(cursor, cursor.executemany, sql, many)),
            ("do_execute_no_params", lambda cursor, sql, _: self._send(cursor, cursor.execute, sql)),
        ]
        for name, listener in listeners:
            event.listen(engine, name, listener)

        def detach() -> None:
            for name, listener in listeners:
                event.remove(engine, name, listener)

        return detach

    def _send(self, cursor: Any, execute: Callable[..., Any], *arguments: Any) -> bool:
        """Send a statement, or skip it; returns that nobody else needs to send it."""
        entry = self._recorder.current
        if entry is None or entry.kind not in ("ddl", "dml"):
            execute(*arguments)
            return True
        reason = self._why_not(entry) or self._attempt(entry, cursor, lambda: execute(*arguments))
        if reason is not None:
            self._recorder.skip(f"nothing to undo: {reason}")
        return True

    def _attempt(self, entry: Statement, cursor: Any, execute: Callable[[], Any]) -> str | None:
        """Execute; return the server's word that it is so already, if that is what it says."""
        is_held = self._dialect.transactional_ddl and entry.transaction != 0
        if is_held:
            _aside(cursor, f"SAVEPOINT {_SAVEPOINT}")
        try:
            execute()
        except Exception as error:
            if not self._dialect.is_already_so(error):
                raise
            if is_held:
                _aside(cursor, f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            return self._dialect.explain_error(error)
        return None

    def _why_not(self, entry: Statement) -> str | None:
        """Return why a statement undoes nothing that was done."""
        if entry.kind == "dml":
            self._require_own_rows(entry.sql)
            return None
        dropped = inverses.things_dropped(entry.sql)
        if self._half.before is None or self._half.now is None:
            return self._why_not_made(dropped)
        return self._why_unchanged(entry.sql, dropped, self._half.before, self._half.now)

    def _require_own_rows(self, sql: str) -> None:
        target = inverses.written(sql)
        is_gone = target is not None and self._half.now is not None and not self._half.now.of_table(target[0])
        if not is_gone and self._half.writes_to_others(sql):
            reason = f"its way down changes rows, and no rule tells which were changed before: {_one_line(sql)}"
            raise OnlyAPersonCanDecide(self._half, reason, self._where)

    def _why_not_made(self, dropped: Sequence[Thing]) -> str | None:
        strange = [thing for thing in dropped if not self._is_made(thing)]
        if not strange:
            return None
        return self._all_or_nothing(strange, dropped, "was not made by what stands of the migration")

    def _is_made(self, thing: Thing) -> bool:
        return any(_is_same(thing, made) for made in self._made)

    def _why_unchanged(self, sql: str, dropped: Sequence[Thing], before: SchemaMarks, now: SchemaMarks) -> str | None:
        table = inverses.table_altered(sql)
        known = before.find(Thing("table", table)) if table else None
        if known is not None and before.of_table(known[1]) == now.of_table(known[1]):
            return f"table {table} is as it was before the migration"
        old = [thing for thing in dropped if self._is_of_before(thing, before, now)]
        return self._all_or_nothing(old, dropped, "was there before the migration") if old else None

    def _is_of_before(self, thing: Thing, before: SchemaMarks, now: SchemaMarks) -> bool:
        """Whether what bears this name now is what bore it before: dropping that would undo nothing, and lose it."""
        known = before.find(thing)
        if known is None or known not in now.things:
            return False
        if not any(_is_same(thing, one) for one in self._taken):
            return True
        if thing.kind == "table":
            return before.of_table(known[1]) == now.of_table(known[1])
        return before.things[known] == now.things[known]

    def _all_or_nothing(self, some: Sequence[Thing], dropped: Sequence[Thing], what: str) -> str:
        told = ", ".join(map(str, some))
        if len(some) < len(dropped):
            reason = f"one statement of the way down drops what was made, and {told}, which {what}"
            raise OnlyAPersonCanDecide(self._half, reason, self._where)
        return f"{told} {what}"


def _aside(cursor: Any, sql: str) -> None:
    """Say something to the session beside the cursor that is in use."""
    other = cursor.connection.cursor()
    try:
        other.execute(sql)
    finally:
        other.close()


def _is_same(thing: Thing, other: Thing) -> bool:
    if thing.kind != other.kind or thing.name.casefold() != other.name.casefold():
        return False
    return not thing.table or thing.table.casefold() == other.table.casefold()


# --- afterwards -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Aftermath:
    """What is left of a half-applied migration after its way down.

    Attributes
    ----------
    told : str
        For people.
    is_identical : bool or None
        The schema is as it was before the first attempt; ``None`` where that is not known.
    """

    told: str
    is_identical: bool | None


def look_after(half: HalfApplied, db: Database) -> Aftermath:
    """Compare the schema with that before the first attempt, and say what is left and how to take it away."""
    if half.before is None:
        return Aftermath("the schema before the attempt is not known, so it was not compared with it", None)
    try:
        left = left_since(half.before, read_marks(db))
    except CaptureFailed as error:
        return Aftermath(str(error), None)
    if not left:
        lost = ", ".join(half.contents_lost())
        gone = f"; what was in {lost} is not brought back by that, only by a backup" if lost else ""
        return Aftermath(f"the schema is identical to that before the attempt{gone}", True)
    made = half.made()
    told = "; ".join(f"{one} ({_offer(one, made, db.dialect)})" for one in left)
    return Aftermath(f"the schema is not as it was before the attempt: {told}", False)


def _offer(left: Left, made: set[Thing], dialect: Dialect) -> str:
    # What bears a new name may be what bore the old one, with all its rows: only what was made is offered for dropping.
    is_made = any(
        _is_same(Thing(thing.kind, left.table, left.name), thing) for thing in made if thing.kind == left.kind
    )
    if left.change != "is still there" or not is_made:
        return NO_INVERSE
    table, name = dialect.quote(*left.table.split(".")), dialect.quote(left.name) if left.name else ""
    if left.kind in ("table", "view"):
        return f"DROP {left.kind.upper()} {table}"
    if left.kind == "index":
        return f"DROP INDEX {name} ON {table}" if dialect.drops_index_on_table else f"DROP INDEX {name}"
    if left.kind in ("column", "constraint"):
        return f"ALTER TABLE {table} DROP {left.kind.upper()} {name}"
    return NO_INVERSE
