"""The databases that cases are done to: built once, and the same again for every case."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import URL, Connection, make_url

from bench.verdicts.cases import Case, read_statements
from bench.verdicts.values import written_columns
from migkit.database import Database, connect
from migkit.state.capture import capture
from migkit.state.comparison import compare
from migkit.state.snapshot import State
from tests.servers.registry import Server, unique_name


class Subject(Protocol):
    """Hands out the database, whole again, for one case after the other."""

    def borrow(self) -> Database:
        """Return the database as it was built."""

    def give_back(self, db: Database, case: Case | None, before: State) -> None:
        """Take it back after a case; `before` is its state when it was built."""

    def close(self) -> None:
        """Drop everything."""


def execute(db: Database, statements: Sequence[str], **names: object) -> None:
    """Run statements one by one, each in a transaction of its own; ``{name}`` stands for a given value."""
    if not statements:
        return
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT", no_parameters=True) as connection:
        execute_on(connection, statements, **names)


def execute_on(connection: Connection, statements: Sequence[str], **names: object) -> None:
    """Run statements in a session that commits each."""
    for statement in statements:
        for name, value in names.items():
            statement = statement.replace("{" + name + "}", str(value))
        connection.exec_driver_sql(statement).close()


class CopiedSubject:
    """A database that is copied anew for every case."""

    def __init__(self, engine: str, server: Server, rows: int) -> None:
        self._engine = engine
        self._server = server
        self._pristine = server.create(unique_name())
        self._lent: list[URL] = []
        self._prepare_server()
        with connected(self._pristine) as db:
            execute(db, read_statements(engine, "schema.sql"), rows=rows)

    def borrow(self) -> Database:
        """Copy the database."""
        url = self._copy()
        self._lent.append(url)
        db = connect(url)
        execute(db, read_statements(self._engine, "every_copy.sql"), database=url.database)
        return db

    def give_back(self, db: Database, case: Case | None, before: State) -> None:
        """Drop the copy."""
        execute(db, read_statements(self._engine, "before_drop.sql"), database=db.engine.url.database)
        db.close()
        self._server.drop(self._lent.pop())

    def close(self) -> None:
        """Drop the original, and copies that were not given back."""
        for url in (*self._lent, self._pristine):
            self._server.drop(url)

    def _copy(self) -> URL:
        raise NotImplementedError

    def _prepare_server(self) -> None:
        """Make what belongs to no single database."""


class CopiedFile(CopiedSubject):
    """SQLite: a file is copied."""

    def _copy(self) -> URL:
        url = self._server.create(unique_name())
        shutil.copyfile(str(self._pristine.database), str(url.database))
        return url


class CopiedTemplate(CopiedSubject):
    """PostgreSQL: ``CREATE DATABASE … TEMPLATE``."""

    def _copy(self) -> URL:
        url = self._pristine.set(database=unique_name())
        with connected(self._server.url) as home:
            execute(home, [f'CREATE DATABASE "{url.database}" TEMPLATE "{self._pristine.database}" STRATEGY FILE_COPY'])
        return url

    def _prepare_server(self) -> None:
        with connected(self._server.url) as home:
            if not _value(home, "SELECT count(*) FROM pg_roles WHERE rolname = 'verdicts_reader'"):
                execute(home, read_statements(self._engine, "server.sql"))


class MendedSubject:
    """MySQL, MariaDB: what a case did is undone, from a second database that nothing is done to.

    A case is followed by its ``undo``, and only if the database then reads as it was built is it used again; else it is
    built anew.
    """

    def __init__(self, engine: str, server: Server, rows: int) -> None:
        self._engine = engine
        self._server = server
        self._rows = rows
        self._pristine = self._build()
        self._url: URL | None = None
        self.rebuilt: list[str] = []

    def borrow(self) -> Database:
        """Return the database, built if there is none."""
        if self._url is None:
            self._url = self._build()
        return connect(self._url)

    def give_back(self, db: Database, case: Case | None, before: State) -> None:
        """Undo the case; drop the database where that did not succeed."""
        mended = case is not None and self._undo(db, case, before)
        db.close()
        if not mended and self._url is not None:
            self.rebuilt += [case.name] if case else []
            self._server.drop(self._url)
            self._url = None

    def close(self) -> None:
        """Drop both databases."""
        for url in (self._url, self._pristine):
            if url is not None:
                self._server.drop(url)

    def _build(self) -> URL:
        url = self._server.create(unique_name())
        with connected(url) as db:
            execute(db, read_statements(self._engine, "schema.sql"), rows=self._rows, database=url.database)
        return url

    def _undo(self, db: Database, case: Case, before: State) -> bool:
        if not case.undo:
            return False
        statements = [one for statement in case.undo for one in self._expanded(db, statement)]
        execute(db, statements, database=db.engine.url.database, pristine=self._pristine.database)
        return compare(before, capture(db, like=before)).identical

    def _expanded(self, db: Database, statement: str) -> list[str]:
        """``RESTORE table [WHERE …]`` brings rows back from the second database, ``RECREATE table`` the table too."""
        if statement.startswith("RECREATE "):
            table = statement.removeprefix("RECREATE ")
            made = [f"DROP TABLE IF EXISTS {table}", f"CREATE TABLE {table} LIKE `{self._pristine.database}`.{table}"]
            execute(db, made)
            statement = f"RESTORE {table}"
        if not statement.startswith("RESTORE "):
            return [statement]
        table, _, condition = statement.removeprefix("RESTORE ").partition(" WHERE ")
        where = f" WHERE {condition}" if condition else ""
        columns = ", ".join(written_columns(db, table))
        return [
            "SET SESSION foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
            f"DELETE FROM {table}{where}",
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM `{self._pristine.database}`.{table}{where}",
        ]


def _value(db: Database, query: str) -> object:
    with db.engine.connect() as connection:
        return connection.exec_driver_sql(query).scalar()


SUBJECTS = {
    "sqlite": CopiedFile,
    "postgresql": CopiedTemplate,
    "mysql": MendedSubject,
    "mariadb": MendedSubject,
}


@contextmanager
def connected(url: URL | str) -> Iterator[Database]:
    """Reach a database for a while."""
    db = connect(make_url(url))
    try:
        yield db
    finally:
        db.close()
