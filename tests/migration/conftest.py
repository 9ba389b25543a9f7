from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from migkit.config import Config
from migkit.database import Database
from migkit.migration.loading import load_migration
from migkit.migration.migration import Migration
from migkit.migration.results import Run

Write = Callable[[str, str], Path]
Load = Callable[[str, str], Migration]


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, make_database: Callable[[str], Database]) -> Database:
    """A fresh database with a table users of three rows, on either engine."""
    return with_users(make_database(request.param))


@pytest.fixture
def shop(postgresql: Database) -> Database:
    """The same on PostgreSQL."""
    return with_users(postgresql)


@pytest.fixture
def shop_file(sqlite: Database) -> Database:
    """The same on SQLite."""
    return with_users(sqlite)


def with_users(db: Database) -> Database:
    with db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE users (id integer PRIMARY KEY, name varchar(50))"))
        connection.execute(sa.text("INSERT INTO users VALUES (1, 'Ann'), (2, 'Bob'), (3, NULL)"))
    return db


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file and return its path."""

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def load(write: Write) -> Load:
    """Write a migration and load it."""
    return lambda name, text: load_migration(write(name, text), config=Config())


def tables(db: Database) -> set[str]:
    with db.engine.connect() as connection:
        return set(sa.inspect(connection).get_table_names())


def columns(db: Database, table: str) -> list[str]:
    with db.engine.connect() as connection:
        return [column["name"] for column in sa.inspect(connection).get_columns(table)]


def value(db: Database, sql: str) -> object:
    with db.engine.connect() as connection:
        return connection.execute(sa.text(sql)).scalar()


class Notes:
    """A renderer that remembers."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []

    def begin(self, label: str, total: int | None = None) -> None: ...

    def advance(self, amount: int = 1) -> None: ...

    def note(self, sign: str, text: str) -> None:
        self.notes.append((sign, text))

    def close(self) -> None: ...


def outcomes(result: Run) -> list[str]:
    """How each statement ended."""
    return list(result.statements["outcome"])
