"""Which tables a migration touches, as learned on an empty copy of the schema."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migkit import frames
from migkit.migration.migration import Migration
from migkit.state.segments import TableName
from migkit.state.snapshot import State
from migkit.workflow.promise import Promise

_REAL_TABLES = ("table", "partition")
_WORD = re.compile(r"\w+")
# Whoever asks for these does otherwise when somebody else holds a lock for a moment.
_FEELS_LOCKS = re.compile(r"\b(NOWAIT|SKIP\s+LOCKED)\b", re.IGNORECASE)


def touched_tables(migration: Migration, promise: Promise, before: State) -> list[TableName]:
    """Return the tables that were there before and that the migration changes, locks or names, the largest first.

    Parameters
    ----------
    migration : Migration
        Its own bookkeeping is left out.
    promise : Promise
        What it did to an empty copy.
    before : State
        The tables there are, and their rows.
    """
    rows = {
        (row["schema"], row["table"]): row["rows"] or 0
        for row in frames.TABLES.rows(before.tables)
        if row["kind"] in _REAL_TABLES and row["table"] not in migration.bookkeeping_tables
    }
    touched = {*_changed(promise), *_locked(promise, before), *_named(promise, set(rows))}
    return sorted(touched & set(rows), key=lambda table: (-rows[table], table))


def _changed(promise: Promise) -> Iterator[TableName]:
    if promise.facts is None:
        return
    facts = promise.facts
    yield from (fact.name for fact in facts.tables if fact.change != "unchanged")
    for pair in (*(fact.pair for fact in facts.columns), *facts.constraints, *facts.indexes):
        if pair.change != "unchanged":
            yield (pair.key[0], pair.key[1])


def _locked(promise: Promise, before: State) -> Iterator[TableName]:
    if promise.run is None:
        return
    for row in frames.LOCKS.rows(promise.run.locks):
        schema, dot, table = (row["relation"] or "").partition(".")
        yield (schema, table) if dot else (before.default_schema, schema)


def _named(promise: Promise, tables: set[TableName]) -> Iterator[TableName]:
    """Return tables whose name stands in a statement; one too many is no harm."""
    if promise.run is None:
        return
    text = "\n".join(row["sql"] for row in frames.STATEMENTS.rows(promise.run.statements)).casefold()
    words = set(_WORD.findall(text))
    for schema, table in tables:
        name = table.casefold()
        if name in words or (not _WORD.fullmatch(name) and name in text):
            yield (schema, table)


def feels_locks(migration: Migration, promise: Promise) -> bool:
    """Tell whether a migration would do otherwise because somebody holds a lock for a moment."""
    texts = [migration.source]
    if promise.run is not None:
        texts += [row["sql"] for row in frames.STATEMENTS.rows(promise.run.statements)]
    return any(_FEELS_LOCKS.search(text or "") for text in texts)
