"""By which algorithm the server alters each table: found on an empty copy of the schema, statement by statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from migkit import frames
from migkit.database import Database
from migkit.migration.migration import Migration
from migkit.migration.results import Run
from migkit.workflow.promise import empty_copy


def find_algorithms(migration: Migration, db: Database, learned: Run | None) -> dict[str, str]:
    """Find how the server does each ``ALTER TABLE`` and index statement of a migration.

    Parameters
    ----------
    migration : Migration
        The migration.
    db : Database
        Where it will be run; only its schema is read.
    learned : Run or None
        A run of it on an empty copy of the schema, for its statements.

    Returns
    -------
    dict
        From statements to algorithm and lock level: ``COPY, LOCK=SHARED``; empty on engines that know no such thing.
    """
    if learned is None:
        return {}
    done = [
        row["sql"]
        for row in frames.STATEMENTS.rows(learned.statements)
        if row["kind"] == "ddl" and row["outcome"] == "applied"
    ]
    if not done:
        return {}
    with empty_copy(migration, db) as copy, copy.engine.connect() as connection:
        return _try_each(copy, connection, done)


def _try_each(copy: Database, connection: Connection, statements: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for sql in statements:
        try:
            algorithm = copy.dialect.alter_algorithm(connection, sql)
        except SQLAlchemyError:
            # It went through a moment ago, with rows or settings that this copy lacks: what follows cannot be told.
            return found
        if algorithm is not None:
            found[sql] = algorithm
    return found


def with_algorithms(run: Run, algorithms: Mapping[str, str]) -> Run:
    """Return a run whose statements say by which algorithm the server does them."""
    if not algorithms:
        return run
    rows = [row | {"algorithm": algorithms.get(row["sql"])} for row in frames.STATEMENTS.rows(run.statements)]
    return replace(run, statements=frames.STATEMENTS.build(rows))
