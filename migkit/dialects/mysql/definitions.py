"""Views, routines, triggers and events as the server writes them, and making them again somewhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.mysql.catalog_reader import Reader
from migkit.dialects.mysql.explanations import error_code, explain_error, is_permission_error
from migkit.dialects.mysql.sql import execute, literal, quote, rows, scalar
from migkit.errors import CloneFailed

_WRITER_SETTINGS = (
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 0",
)
# Known to one of the servers only, or to whom may set them; they matter for tables that are out of the ordinary.
_OPTIONAL_SETTINGS = (
    "SET SESSION check_constraint_checks = 0",
    "SET SESSION sql_generate_invisible_primary_key = 0",
    "SET SESSION restrict_fk_on_non_standard_key = 0",
    "SET SESSION innodb_strict_mode = 0",
)
_DEFINER = re.compile(r"\bDEFINER\s*=\s*`(?:[^`]|``)*`@`(?:[^`]|``)*`\s*")
# What texts in code are written in where nothing else is said: it is taken from the database, not from the session.
_OF_DATABASE = "collation_database"
_CODE = (("sql_mode", 1), ("collation_connection", 4), (_OF_DATABASE, 5))
_NEEDS_ANOTHER = frozenset({1146, 1305, 1356})


@dataclass(frozen=True)
class Definition:
    """An object as the server writes it, and the settings it was made under.

    Parameters
    ----------
    name : str
        Its name.
    sql : str
        The statement that makes it.
    settings : tuple of (str, str)
        Session variables that become part of it.
    kind : str
        ``TABLE``, ``VIEW``, ``TRIGGER``, …
    """

    name: str
    sql: str
    settings: tuple[tuple[str, str], ...] = ()
    kind: str = "TABLE"

    def to_document(self) -> dict[str, Any]:
        """Return the definition as JSON values."""
        return {"kind": self.kind, "name": self.name, "sql": self.sql, "settings": [list(one) for one in self.settings]}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Definition:
        """Read what :meth:`to_document` wrote."""
        settings = tuple((str(name), str(value)) for name, value in document["settings"])
        return cls(document["name"], document["sql"], settings, document["kind"])


class Definitions:
    """Reads the definitions of a database."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._source = reader.connection

    def named(self, table_type: str) -> list[str]:
        """Return the names of all tables of a type."""
        return [row["table_name"] for row in self._reader.tables if row["table_type"] == table_type]

    def shown(self, kind: str, name: str, cell: int, *settings: tuple[str, int]) -> Definition:
        """Read an object's statement; `settings` say which cells of the answer are which session variables."""
        try:
            answer = rows(self._source, f"SHOW CREATE {kind} {quote(name)}")[0]
        except DBAPIError as error:
            raise CloneFailed(f"The {kind.lower()} {name} cannot be read: {explain_error(error)}") from error
        if answer[cell] is None:
            raise CloneFailed(
                f"The definition of the {kind.lower()} {name} is hidden from this user",
                next_step="Clone as its definer, or with the right to show routines.",
            )
        made_under = tuple((variable, str(answer[index])) for variable, index in settings)
        return Definition(name, self._reader.without_own_name(str(answer[cell])), made_under, kind)

    def views(self) -> list[Definition]:
        """Return the views."""
        return [self.shown("VIEW", name, 1, ("collation_connection", 3)) for name in self.named("VIEW")]

    def routines(self) -> list[Definition]:
        """Return functions and procedures."""
        found = self._reader.read("ROUTINES", "ROUTINE_TYPE, ROUTINE_NAME", "ROUTINE_SCHEMA", "ROUTINE_NAME")
        kinds = ("FUNCTION", "PROCEDURE")
        return [
            self.shown(row["routine_type"], row["routine_name"], 2, *_CODE)
            for row in found
            if row["routine_type"] in kinds
        ]

    def triggers(self) -> list[Definition]:
        """Return the triggers, in the order in which they fire."""
        order = "EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER"
        found = self._reader.read("TRIGGERS", "TRIGGER_NAME", "TRIGGER_SCHEMA", order)
        return [self.shown("TRIGGER", row["trigger_name"], 2, *_CODE) for row in found]

    def events(self) -> list[Definition]:
        """Return the events, as they are: enabled ones would run wherever they are made."""
        found = self._reader.read("EVENTS", "EVENT_NAME", "EVENT_SCHEMA", "EVENT_NAME")
        settings = (("sql_mode", 1), ("time_zone", 2), ("collation_connection", 5), (_OF_DATABASE, 6))
        return [self.shown("EVENT", row["event_name"], 3, *settings) for row in found]


def disabled(definition: Definition) -> Definition:
    """Turn an event off; the word stands between its schedule and its comment or body."""
    sql = re.sub(r"\b(ON COMPLETION (?:NOT )?PRESERVE) ENABLE\b", r"\1 DISABLE", definition.sql, count=1)
    return Definition(definition.name, sql, definition.settings, definition.kind)


def prepare(writer: Connection) -> None:
    """Give a session the settings under which anything can be made that once could."""
    for statement in _WRITER_SETTINGS:
        execute(writer, statement)
    for statement in _OPTIONAL_SETTINGS:
        with suppress(DBAPIError):
            execute(writer, statement)


def make_possible(writer: Connection, definitions: Sequence[Definition]) -> list[Definition]:
    """Make objects that may need each other; return those that need what does not exist: they were broken before."""
    waiting = list(definitions)
    while waiting:
        left = [one for one in waiting if not _try_to_make(writer, one)]
        if len(left) == len(waiting):
            return left
        waiting = left
    return []


def make_all(writer: Connection, definitions: Sequence[Definition]) -> None:
    """Make objects that may need each other, in whatever order works.

    Raises
    ------
    CloneFailed
        If one cannot be made; names it.
    """
    left = make_possible(writer, definitions)
    if left:
        make(writer, left[0])


def _try_to_make(writer: Connection, definition: Definition) -> bool:
    try:
        make(writer, definition)
    except CloneFailed as error:
        if isinstance(error.__cause__, DBAPIError) and error_code(error.__cause__) in _NEEDS_ANOTHER:
            return False
        raise
    return True


def make(writer: Connection, definition: Definition) -> None:
    """Make an object in the connected database, under the settings it was made under once.

    Raises
    ------
    CloneFailed
        If it cannot be made; names it.
    """
    try:
        for variable, value in definition.settings:
            if variable != _OF_DATABASE:
                execute(writer, f"SET SESSION {variable} = {literal(value)}")
        with _database_collation(writer, dict(definition.settings).get(_OF_DATABASE)):
            try:
                execute(writer, definition.sql)
            except DBAPIError as error:
                if not is_permission_error(error):
                    raise
                # Only few may make objects in the name of others; the copy's are then its user's own.
                execute(writer, _DEFINER.sub("", definition.sql, count=1))
    except DBAPIError as error:
        raise CloneFailed(f"{definition.name} cannot be copied: {explain_error(error)}") from error
    finally:
        if definition.settings:
            for statement in _WRITER_SETTINGS:
                execute(writer, statement)


@contextmanager
def _database_collation(writer: Connection, wanted: str | None) -> Iterator[None]:
    """Give the connected database a collation for as long as it takes to make what was made under it."""
    present = str(scalar(writer, "SELECT @@collation_database"))
    if wanted is None or wanted == present:
        yield
        return
    name = quote(str(scalar(writer, "SELECT DATABASE()")))
    execute(writer, f"ALTER DATABASE {name} COLLATE {wanted}")
    try:
        yield
    finally:
        execute(writer, f"ALTER DATABASE {name} COLLATE {present}")
