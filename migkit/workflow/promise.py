"""What a migration promises, learned by applying it to an empty copy of the schema, and held against a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from sqlalchemy import MetaData, Table, inspect

from migkit import frames
from migkit.clone.scratch import clone
from migkit.database import Database
from migkit.dialects.base import Row
from migkit.migration.migration import Migration
from migkit.migration.results import Run
from migkit.migration.runner import run
from migkit.observe.confinement import ReachesBeyond
from migkit.state.capture import capture
from migkit.state.changes import Pair
from migkit.state.comparison import compare
from migkit.state.facts import ComparisonFacts
from migkit.state.snapshot import State

Way = Literal["up", "down then up"]

# What is compared of each kind of thing; the rest may differ between an empty copy and the real database.
_TABLE_FACTS = ("kind",)
_COLUMN_FACTS = ("type", "nullable", "default", "identity", "generated")
_CONSTRAINT_FACTS = ("kind", "columns", "referenced", "on_update", "on_delete", "validated", "enforced")
_INDEX_FACTS = ("unique", "valid", "definition")


@dataclass(frozen=True)
class Promise:
    """What a migration changes in a schema.

    Attributes
    ----------
    facts : ComparisonFacts or None
        The difference between the empty copy before and after; ``None`` where it could not be learned.
    problem : str or None
        Why it could not be learned.
    run : Run or None
        The run on the empty copy.
    """

    facts: ComparisonFacts | None
    problem: str | None = None
    run: Run | None = None


@contextmanager
def empty_copy(migration: Migration, db: Database) -> Iterator[Database]:
    """Make an empty copy of a database's schema, with the bookkeeping rows of the migration's own tool."""
    with clone(db, schema_only=True) as copy:
        for table in migration.bookkeeping_tables:
            _copy_rows(table, db, copy)
        yield copy


def _copy_rows(name: str, source: Database, target: Database) -> None:
    if not inspect(source.engine).has_table(name):
        return
    table = Table(name, MetaData(), autoload_with=source.engine)
    with source.engine.connect() as reading:
        rows = [dict(row) for row in reading.execute(table.select()).mappings()]
    if rows:
        with target.engine.begin() as writing:
            writing.execute(table.insert(), rows)


def learn_promise(
    migration: Migration,
    db: Database,
    *,
    way: Way = "up",
    timeout: float | None = None,
    lock_timeout: float | None = None,
) -> Promise:
    """Learn what a migration changes, on an empty copy of the schema of `db`.

    Parameters
    ----------
    migration : Migration
        The migration.
    db : Database
        Where it will be, or (``way="down then up"``) was applied; only read.
    way : {"up", "down then up"}
        How to get from the copy's schema to the one after the migration.
    timeout, lock_timeout : float, optional
        Limits of each run, in seconds.

    Returns
    -------
    Promise
        The promise, or the reason why it could not be learned.
    """
    execute = partial(run, timeout=timeout, lock_timeout=lock_timeout, journal=False, confined=True)
    with empty_copy(migration, db) as copy:
        try:
            if way == "down then up":
                undone = execute(migration, copy, direction="down")
                if not undone.succeeded:
                    return Promise(None, f"its way down fails on an empty copy of the schema: {undone.error}", undone)
            migration.prepare(copy)
            before = capture(copy)
            done = execute(migration, copy)
        except ReachesBeyond as refusal:
            # Whoever validates a database it was applied to learns that much; a rehearsal comes to the same again.
            return Promise(None, str(refusal))
        if not done.succeeded:
            return Promise(None, f"it fails on an empty copy of the schema: {done.error}", done)
        return Promise(compare(before, capture(copy)).facts, run=done)


def check_promise(
    promise: Promise, state: State, *, expect_absent: bool = False, before: State | None = None
) -> list[Row]:
    """Hold a state against a promise.

    Parameters
    ----------
    promise : Promise
        What the migration changes.
    state : State
        The database as it is.
    expect_absent : bool
        Expect the state before the migration instead of the one after.
    before : State, optional
        The state before the migration, where it is known: orphans that were there already are not its fault.

    Returns
    -------
    list of rows
        Rows of :data:`migkit.frames.CHECKS`.
    """
    if promise.facts is None:
        return [_check("What the migration promises is known", False, "it can be learned", promise.problem)]
    checker = _Checker(promise.facts, state, expect_absent)
    return [
        *checker.tables(),
        *checker.columns(),
        *checker.constraints(),
        *checker.indexes(),
        *checker.objects(),
        *checker.orphans(before),
    ]


def _check(check: str, passed: bool, expected: str | None = None, found: str | None = None) -> Row:
    return {"check": check, "passed": passed, "expected": expected, "found": found}


class _Checker:
    def __init__(self, facts: ComparisonFacts, state: State, expect_absent: bool) -> None:
        self._facts = facts
        self._absent = expect_absent
        self._state = state

    def _wanted(self, pair: Pair) -> Row | None:
        return pair.before if self._absent else pair.after

    def _rows(self, frame: str, keys: tuple[str, ...]) -> dict[tuple[Any, ...], Row]:
        records = getattr(self._state, frame).astype(object).where(lambda cells: cells.notna(), None)
        return {tuple(row[key] for key in keys): row for row in records.to_dict("records")}

    def _thing(self, noun: str, label: str, pair: Pair, found: Row | None, facts: tuple[str, ...]) -> Row:
        wanted = self._wanted(pair)
        if wanted is None:
            return _check(
                f"{noun} {label} does not exist (expected)", found is None, "absent", "present" if found else "absent"
            )
        if found is None:
            return _check(f"{noun} {label} exists", False, "present", "absent")
        wrong = [fact for fact in facts if wanted[fact] != found[fact]]
        return _check(
            f"{noun} {label} exists",
            not wrong,
            "; ".join(f"{fact} {wanted[fact]}" for fact in wrong) or "present",
            "; ".join(f"{fact} {found[fact]}" for fact in wrong) or "present",
        )

    def _things(
        self,
        frame: str,
        keys: tuple[str, ...],
        pairs: tuple[Pair, ...],
        facts: tuple[str, ...],
        name: Callable[[Pair], tuple[str, str]],
    ) -> Iterator[Row]:
        present = self._rows(frame, keys)
        for pair in pairs:
            for one in _apart(pair) if pair.change != "unchanged" else ():
                noun, label = name(one)
                yield self._thing(noun, label, one, present.get(one.key), facts)

    def tables(self) -> Iterator[Row]:
        """Tables that come or go."""
        pairs = tuple(fact.pair for fact in self._facts.tables)
        yield from self._things(
            "tables", ("schema", "table"), pairs, _TABLE_FACTS, lambda pair: ("Table", self._label(pair))
        )

    def columns(self) -> Iterator[Row]:
        """Columns, one check per table: all present, with the right types."""
        present = self._rows("columns", ("schema", "table", "column"))
        by_table: dict[str, list[Row]] = {}
        for fact in self._facts.columns:
            if fact.change == "unchanged":
                continue
            label = f"{self._label(fact.pair)}.{fact.column}"
            row = self._thing("Column", label, fact.pair, present.get(fact.pair.key), _COLUMN_FACTS)
            by_table.setdefault(self._label(fact.pair), []).append(row)
        for table, rows in by_table.items():
            wrong = [row for row in rows if not row["passed"]]
            words = "restored" if self._absent else "present, with the right types"
            yield from wrong or [_check(f"All {len(rows)} changed columns of {table} {words}", True)]

    def constraints(self) -> Iterator[Row]:
        """Constraints."""
        yield from self._things(
            "constraints",
            ("schema", "table", "name"),
            self._facts.constraints,
            _CONSTRAINT_FACTS,
            lambda pair: (
                (pair.after or pair.before or {})["kind"].capitalize(),
                f"{pair.key[2]} on {self._label(pair)}",
            ),
        )

    def indexes(self) -> Iterator[Row]:
        """Indexes."""
        yield from self._things(
            "indexes",
            ("schema", "table", "name"),
            self._facts.indexes,
            _INDEX_FACTS,
            lambda pair: ("Index", f"{pair.key[2]} on {self._label(pair)}"),
        )

    def objects(self) -> Iterator[Row]:
        """Everything else."""
        yield from self._things(
            "objects",
            ("kind", "schema", "name"),
            self._facts.objects,
            ("definition",),
            lambda pair: (pair.key[0].capitalize(), pair.key[2]),
        )

    def orphans(self, before: State | None) -> Iterator[Row]:
        """Rows without a parent, for every foreign key of the database."""
        known = _orphans(before) if before is not None else {}
        found = {
            key: rows for key, rows in _orphans(self._state).items() if rows is None or rows > (known.get(key) or 0)
        }
        told = ", ".join(
            f"{table}.{name}: {'unknown' if rows is None else rows}" for (_, table, name), rows in found.items()
        )
        words = "No orphaned rows" if before is None else "No newly orphaned rows"
        yield _check(words, not found, "0", told or "0")

    def _label(self, pair: Pair) -> str:
        return self._facts.label((pair.key[0], pair.key[1]))


def _apart(pair: Pair) -> tuple[Pair, ...]:
    """Return what a rename took away and what it made: both are promised."""
    name = pair.difference("name")
    if name is None:
        return (pair,)
    earlier = (*pair.key[:-1], str(name.before))
    return Pair(earlier, pair.before, None), Pair(pair.key, None, pair.after)


def _orphans(state: State) -> dict[tuple[str, ...], int | None]:
    return {
        (row["schema"], row["table"], row["constraint"]): row["orphans"] for row in frames.ORPHANS.rows(state.orphans)
    }
