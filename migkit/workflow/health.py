"""Whether a database's constraints hold and its indexes are sound, counted, not read off the catalog."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from migkit import frames
from migkit.database import Database
from migkit.dialects.base import Catalog, Row
from migkit.display.card import Card, Fact, Fold
from migkit.display.lines import BAD, GOOD, NOTE, WARN, Line
from migkit.display.results import Drawn
from migkit.display.units import count, plural
from migkit.errors import CaptureFailed, UnsupportedFeature
from migkit.framing import FrameSpec
from migkit.progress import SILENT, Progress

_KINDS = ("foreign key", "check")
_SPECS: dict[str, FrameSpec] = {"constraints": frames.CONSTRAINT_CHECKS, "indexes": frames.INDEX_CHECKS}
_FINE = frozenset(("kept", "sound"))
_UNKNOWN = frozenset(("not checked",))


@dataclass(frozen=True, eq=False, repr=False)
class Health(Drawn):
    """What was found of a database's constraints, or of its indexes.

    Attributes
    ----------
    database : str
        The database.
    about : {"constraints", "indexes"}
        What was looked at.
    checks : pandas.DataFrame
        One row each (:data:`migkit.frames.CONSTRAINT_CHECKS`, :data:`migkit.frames.INDEX_CHECKS`).
    unchecked : pandas.DataFrame
        What could not be looked at.
    """

    database: str
    about: Literal["constraints", "indexes"]
    checks: pd.DataFrame = field(repr=False)
    unchecked: pd.DataFrame = field(repr=False)

    @property
    def passed(self) -> bool:
        """Nothing is violated, unvalidated, invalid, damaged or there twice."""
        return not self.problems

    @property
    def problems(self) -> list[Row]:
        """The rows that tell of a problem."""
        rows = _SPECS[self.about].rows(self.checks)
        return [row for row in rows if row["state"] not in _FINE | _UNKNOWN]

    def card(self) -> Card:
        """Return what it shows of itself."""
        fine = len(self.checks) - len(self.problems)
        return Card(
            title=f"{self.about.capitalize()} of {self.database}",
            sign=GOOD if self.passed else BAD,
            verdict="sound" if self.passed else plural(len(self.problems), "problem"),
            figures=(Fact("looked at", count(len(self.checks))), Fact("fine", count(fine))),
            lines=tuple(_line(row) for row in _SPECS[self.about].rows(self.checks)),
            folds=(Fold("Not checked", self.unchecked, told=True),),
        )

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "database": self.database,
            "about": self.about,
            "passed": self.passed,
            "checks": _SPECS[self.about].rows(self.checks),
            "unchecked": frames.UNCHECKED.rows(self.unchecked),
        }


def _line(row: Row) -> Line:
    signs = {"kept": GOOD, "sound": GOOD, "not checked": NOTE, "duplicate": WARN, "not validated": WARN}
    name = ".".join(part for part in (row["table"], row["name"]) if part) or "the whole database"
    violations = row.get("violations")
    counted = f", {plural(violations, 'row')} violate it" if violations else ""
    detail = f" ({row['detail']})" if row["detail"] and row["state"] not in _FINE else ""
    return Line(signs.get(row["state"], BAD), f"{name}: {row['state']}{counted}{detail}")


def check_constraints(db: Database, *, progress: Progress = SILENT) -> Health:
    """Count the rows that violate each foreign key and CHECK constraint, enforced and validated or not.

    Parameters
    ----------
    db : Database
        The database; only read, at one instant.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Health
        One row per constraint.
    """
    with _reading(db) as (connection, catalog):
        keys = {(one.schema, one.table, one.name): one for one in catalog.foreign_keys}
        wanted = [row for row in catalog.constraints if row.get("kind") in _KINDS]
        progress.begin(f"Counting violations in {db.name}", len(wanted))
        rows = []
        for row in wanted:
            place = (row["schema"], row["table"], row["name"])
            rows.append(_constraint(db, connection, row, keys.get(place)))
            progress.advance()
        progress.close()
    return Health(db.name, "constraints", frames.CONSTRAINT_CHECKS.build(rows), _unchecked(catalog))


def _constraint(db: Database, connection: Connection, row: Row, key: Any) -> Row:
    told = {"schema": row["schema"], "table": row["table"], "name": row["name"], "kind": row["kind"]}
    definition = row.get("definition")
    try:
        with db.dialect.one_reading(connection):
            violations = _violations(db, connection, row, key)
    except SQLAlchemyError as error:
        return {**told, "state": "not checked", "detail": db.dialect.explain_error(error)}
    if violations is None:
        return {**told, "state": "not checked", "detail": f"its expression could not be read: {definition}"}
    return {**told, "state": _state(row, violations), "violations": violations, "detail": definition}


def _state(row: Row, violations: int) -> str:
    if violations:
        return "violated"
    if row.get("enforced") is False:
        return "not enforced"
    return "not validated" if row.get("validated") is False else "kept"


def _violations(db: Database, connection: Connection, row: Row, key: Any) -> int | None:
    if row["kind"] == "foreign key":
        return None if key is None else db.dialect.count_orphans(connection, key)
    expression = check_expression(str(row.get("definition") or ""))
    if expression is None:
        return None
    table = db.dialect.quote(*filter(None, (row["schema"], row["table"])))
    sql = f"SELECT count(*) FROM {table} WHERE {db.dialect.violation_condition(expression)}"
    return int(connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalar_one())


_CHECK = re.compile(r"\bCHECK\s*\(", re.IGNORECASE)


def check_expression(definition: str) -> str | None:
    """Return the expression of a CHECK constraint, without what stands around it.

    >>> check_expression("CHECK ((price > (0)::numeric)) NOT VALID")
    '(price > (0)::numeric)'
    >>> check_expression("CHECK (name <> ')')")
    "name <> ')'"
    """
    found = _CHECK.search(definition)
    if found is None:
        return None
    depth, quoted = 1, ""
    for position in range(found.end(), len(definition)):
        character = definition[position]
        if quoted:
            quoted = "" if character == quoted else quoted
        elif character in "'\"`":
            quoted = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if not depth:
                return definition[found.end() : position].strip()
    return None


def check_indexes(db: Database, *, progress: Progress = SILENT) -> Health:
    """Find indexes that are invalid, damaged by the engine's own check, or there twice.

    Parameters
    ----------
    db : Database
        The database; only read.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Health
        One row per index.
    """
    with _reading(db) as (_, catalog):
        tables = [(row["schema"], row["table"]) for row in catalog.tables if row.get("kind") in _WITH_INDEXES]
    progress.begin(f"Checking the indexes of {db.name}")
    unchecked = frames.UNCHECKED.rows(_unchecked(catalog))
    rows = [_index(row, _twin(row, catalog.indexes)) for row in catalog.indexes]
    try:
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            rows += [
                {"schema": one.schema, "table": one.table, "name": one.name, "state": "damaged", "detail": one.what}
                for one in db.dialect.damaged_indexes(connection, tables)
            ]
    except UnsupportedFeature as error:
        unchecked.append({"what": "damage inside indexes", "why": str(error)})
    except SQLAlchemyError as error:
        unchecked.append({"what": "damage inside indexes", "why": db.dialect.explain_error(error)})
    progress.close()
    damaged = {(row["table"], row["name"]) for row in rows if row["state"] == "damaged"}
    rows = [row for row in rows if row["state"] != "sound" or (row["table"], row["name"]) not in damaged]
    return Health(db.name, "indexes", frames.INDEX_CHECKS.build(rows), frames.UNCHECKED.build(unchecked))


_WITH_INDEXES = ("table", "partitioned", "partition", "materialized view")


def _index(row: Row, twin: str | None) -> Row:
    told = {"schema": row["schema"], "table": row["table"], "name": row["name"], "detail": row.get("definition")}
    if row.get("valid") is False:
        return told | {"state": "invalid", "detail": "queries do not use it; drop it, or build it again"}
    if twin is not None:
        return told | {"state": "duplicate", "detail": f"the same as {twin}"}
    return told | {"state": "sound"}


def _twin(row: Row, indexes: Sequence[Row]) -> str | None:
    """Return an index of the same table that is the same but for its name, and comes first."""
    for other in indexes:
        if other is row:
            return None
        if (other["schema"], other["table"]) == (row["schema"], row["table"]) and _shape(other) == _shape(row):
            return str(other["name"])
    return None


def _shape(row: Row) -> tuple[str, Any]:
    definition = str(row.get("definition") or "")
    name = str(row["name"])
    for written in ('"' + name.replace('"', '""') + '"', "`" + name.replace("`", "``") + "`", name):
        definition = definition.replace(written, "", 1)
    return " ".join(definition.split()), row.get("unique")


@contextmanager
def _reading(db: Database) -> Iterator[tuple[Connection, Catalog]]:
    """Open one instant of a database, with its catalog."""
    try:
        with db.dialect.snapshot(db.engine, 1) as (connection, *_):
            yield connection, db.dialect.read_catalog(connection, db.schemas)
    except DBAPIError as error:
        raise CaptureFailed(db.dialect.explain_error(error), where=db.url) from error


def _unchecked(catalog: Catalog) -> pd.DataFrame:
    return frames.UNCHECKED.build(catalog.unchecked)
