"""Chinook, a database nobody here made: where its SQL lies, and how it gets into a database."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pymysql
from pymysql.constants import CLIENT

from migkit.database import Database

_FILES = {
    "sqlite": "Chinook_Sqlite.sql",
    "postgresql": "Chinook_PostgreSql.sql",
    "mysql": "Chinook_MySql.sql",
    "mariadb": "Chinook_MySql.sql",
}
# The files make and enter a database of their own; the tests have one already.
_PREAMBLE = re.compile(r"^(?:(?:DROP|CREATE) DATABASE\b.*|USE\b.*|\\c\b.*)$", re.MULTILINE)


def find_chinook() -> Path | None:
    """Return the folder with Chinook's SQL files, if it is on this machine."""
    named = os.environ.get("MIGKIT_TEST_DATA")
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    for folder in [*([Path(named)] if named else []), beside]:
        if (folder / "chinook").is_dir():
            return folder / "chinook"
    return None


@dataclass(frozen=True)
class Chinook:
    """The Chinook files.

    Parameters
    ----------
    folder : Path
        The folder that holds them.
    """

    folder: Path

    def path(self, engine: str) -> Path:
        """Return the file for an engine."""
        return self.folder / _FILES[engine]

    def script(self, engine: str) -> str:
        """Return the file's SQL without the lines that make a database."""
        return _PREAMBLE.sub("", self.path(engine).read_text(encoding="utf-8-sig"))

    def load(self, database: Database) -> Database:
        """Load Chinook into an empty database and return it."""
        engine = database.dialect.name
        _LOADERS[engine](database, self.script(engine))
        return database


def _load_sqlite(database: Database, script: str) -> None:
    raw = database.engine.raw_connection()
    try:
        raw.driver_connection.executescript(script)  # type: ignore[union-attr]
    finally:
        raw.close()


def _load_postgresql(database: Database, script: str) -> None:
    raw = database.engine.raw_connection()
    try:
        raw.cursor().execute(script)
        raw.commit()
    finally:
        raw.close()


def _load_mysql(database: Database, script: str) -> None:
    url = database.engine.url
    connection = pymysql.connect(
        host=url.host or "127.0.0.1",
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        database=url.database,
        client_flag=CLIENT.MULTI_STATEMENTS,
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(script)
        while cursor.nextset():
            pass


_LOADERS = {
    "sqlite": _load_sqlite,
    "postgresql": _load_postgresql,
    "mysql": _load_mysql,
    "mariadb": _load_mysql,
}
