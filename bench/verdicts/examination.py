"""Doing the cases one at a time, and judging each by capture and compare."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NoReturn

import sqlalchemy
from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from bench.verdicts.cases import Case, read_cases
from bench.verdicts.places import Outcome, judge
from bench.verdicts.restoring import copied_by
from bench.verdicts.subjects import SUBJECTS, Subject, execute, execute_on
from bench.verdicts.values import KeptRow
from migkit.database import Database, connect
from migkit.errors import MigkitError, UnsupportedFeature
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.state.snapshot import State
from tests.servers.registry import Server

Watch = Callable[[Outcome], None]


@dataclass
class Score:
    """How an engine did."""

    engine: str
    outcomes: list[Outcome] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    rebuilt: list[str] = field(default_factory=list)

    @property
    def injured(self) -> int:
        """How many injuries were done."""
        return sum(outcome.case.is_injury for outcome in self.outcomes)

    @property
    def found(self) -> int:
        """How many of them were found, at the right place and with nothing unrelated."""
        return sum(outcome.case.is_injury and outcome.is_right for outcome in self.outcomes)

    @property
    def harmless(self) -> int:
        """How many harmless things were done."""
        return len(self.outcomes) - self.injured

    @property
    def false_alarms(self) -> int:
        """How many of them did not read identical."""
        return sum(not outcome.case.is_injury and not outcome.is_right for outcome in self.outcomes)

    @property
    def wrong(self) -> list[Outcome]:
        """What did not go as it should."""
        return [outcome for outcome in self.outcomes if not outcome.is_right]


def examine(engine: str, server: Server, rows: int, *, only: str = "", watch: Watch = lambda outcome: None) -> Score:
    """Do every case of an engine.

    Parameters
    ----------
    engine : str
        ``sqlite``, ``postgresql``, ``mysql``, ``mariadb``.
    server : Server
        Where databases are made.
    rows : int
        The scale: rows of the larger tables.
    only : str
        Do only cases whose name holds this.
    watch : callable, optional
        Is told each outcome.
    """
    cases = [case for case in read_cases(engine) if only in f"{case.kind}: {case.name}"]
    subject: Subject = SUBJECTS[engine](engine, server, rows)
    score = Score(engine)
    try:
        before = _first_state(subject)
        score.unchecked = before.unchecked["what"].tolist()
        for do in (_values, _injuries, _harmless):
            for outcome in do(cases, subject, before):
                score.outcomes.append(outcome)
                watch(outcome)
    finally:
        score.rebuilt = getattr(subject, "rebuilt", [])
        subject.close()
    return score


def _first_state(subject: Subject) -> State:
    """Capture the database as it was built; what is compared later has been through a file."""
    db = subject.borrow()
    state = State.from_document(capture(db).to_document())
    subject.give_back(db, None, state)
    return state


def _values(cases: list[Case], subject: Subject, before: State) -> Iterator[Outcome]:
    """Change one value after the other, each put back before the next; in the end, nothing may have changed."""
    db = subject.borrow()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT", no_parameters=True) as connection:
        row = KeptRow(db, connection)
        for case in cases:
            if case.value_column:
                yield _outcome(case, db, before, connection)
                row.put_back()
    yield judge(Case("every changed value was put back", is_injury=False), compare(before, capture(db, like=before)))
    subject.give_back(db, None, before)


def _injuries(cases: list[Case], subject: Subject, before: State) -> Iterator[Outcome]:
    for case in cases:
        if not case.is_injury or case.value_column:
            continue
        db = subject.borrow()
        try:
            yield _outcome(case, db, before)
        finally:
            subject.give_back(db, case, before)


def _outcome(case: Case, db: Database, before: State, connection: Connection | None = None) -> Outcome:
    try:
        if connection is None:
            execute(db, case.statements, database=db.engine.url.database)
        else:
            execute_on(connection, case.statements)
        with _reader(db, case) as reader:
            source = without_schema_dump(reader) if case.is_injury else reader
            return judge(case, compare(before, capture(source, like=before)))
    except (SQLAlchemyError, MigkitError, RuntimeError) as error:
        return Outcome(case, (f"could not be done: {str(error).splitlines()[0]}",))


def _harmless(cases: list[Case], subject: Subject, before: State) -> Iterator[Outcome]:
    """Do harmless things one after the other to one database; after an alarm, to another."""
    db: Database | None = None
    for case in cases:
        if case.is_injury:
            continue
        db = db or subject.borrow()
        outcome = _outcome(case, db, before)
        yield outcome
        if not outcome.is_right:
            subject.give_back(db, None, before)
            db = None
    if db is not None:
        subject.give_back(db, None, before)


def without_schema_dump(db: Database) -> Database:
    """Return the database without the net below the net: the catalog alone has to find every injury."""

    def refuse(connection: Connection, schemas: Sequence[str] | None) -> NoReturn:
        raise UnsupportedFeature("injuries are looked for without it")

    dialect = copy.copy(db.dialect)
    dialect.schema_dump = refuse  # type: ignore[method-assign]
    return replace(db, dialect=dialect)


@contextmanager
def _reader(db: Database, case: Case) -> Iterator[Database]:
    """Return what a case is read through: another session, another user, a copy."""
    tool = case.option("tool")
    if tool:
        with copied_by(tool, db) as copy:
            yield copy
        return
    if not case.options:
        yield db
        return
    url = _another_url(db.engine.url, case)
    engine = db.dialect.create_engine(url)
    settings = case.options.get("reads with", [])

    @sqlalchemy.event.listens_for(engine, "connect")
    def prepare(connection: sqlalchemy.engine.interfaces.DBAPIConnection, _: object) -> None:
        cursor = connection.cursor()
        for statement in settings:
            cursor.execute(statement)
        cursor.close()
        connection.commit()

    reader = connect(engine)
    try:
        yield reader
    finally:
        reader.close()


def _another_url(url: URL, case: Case) -> URL:
    user, query = case.option("reads as"), case.option("reads through")
    if user:
        name, _, password = user.partition(":")
        url = url.set(username=name, password=password or None)
    if query:
        url = url.update_query_string(query)
    return url
