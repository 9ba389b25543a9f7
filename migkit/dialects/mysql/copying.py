"""Copying a database: its objects as the server writes them, its rows out of one snapshot.

Nothing but SQL is needed, so that source and copy may stand on the same server or on different ones. The rows travel
through the client: ``INSERT … SELECT`` would lock every row of the source, and would not read the snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import URL, Connection, NullPool
from sqlalchemy.exc import DBAPIError

from migkit.dialects.mysql import session
from migkit.dialects.mysql.catalog_reader import Reader
from migkit.dialects.mysql.catalog_tables import TABLE_KINDS, read_columns
from migkit.dialects.mysql.copying_rows import copy_rows
from migkit.dialects.mysql.explanations import error_code, explain_error, is_permission_error
from migkit.dialects.mysql.sql import execute, literal, quote, rows, scalar
from migkit.errors import CloneFailed
from migkit.progress import Progress

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
    """

    name: str
    sql: str
    settings: tuple[tuple[str, str], ...] = ()


def copy(source: URL, target: URL, *, schema_only: bool, progress: Progress, mariadb: bool) -> None:
    """Copy a database into an empty one.

    Grants are not copied, because they belong to the server. Events are copied disabled where the server runs
    events, so that nothing happens in the copy by itself.

    Parameters
    ----------
    source, target : sqlalchemy.URL
        From where to where; the source is only read, in one snapshot.
    schema_only : bool
        Copy no rows.
    progress : Progress
        Where to tell how far it is.
    mariadb : bool
        The servers are MariaDB.

    Raises
    ------
    CloneFailed
        If an object cannot be read or made; names it.
    """
    with _reading(source) as origin, _writing(target) as writer:
        reader = Reader(origin, None, mariadb)
        _Copy(reader, writer, progress).run(schema_only=schema_only)


@contextmanager
def _reading(url: URL) -> Iterator[Connection]:
    engine = session.create_engine(url, poolclass=NullPool)
    try:
        with session.snapshot(engine, 1) as (connection,):
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _writing(url: URL) -> Iterator[Connection]:
    engine = session.create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            for statement in _WRITER_SETTINGS:
                execute(connection, statement)
            for statement in _OPTIONAL_SETTINGS:
                with suppress(DBAPIError):
                    execute(connection, statement)
            yield connection
            connection.commit()
    finally:
        engine.dispose()


class _Copy:
    """One copy, in the order in which objects need each other."""

    def __init__(self, reader: Reader, writer: Connection, progress: Progress) -> None:
        self._reader = reader
        self._source = reader.connection
        self._writer = writer
        self._progress = progress
        self._tables = [row["table_name"] for row in reader.tables if row["table_type"] in TABLE_KINDS]

    def run(self, *, schema_only: bool) -> None:
        """Copy everything."""
        for sequence in self._named("SEQUENCE"):
            self._make(self._shown("SEQUENCE", sequence, 1))
            self._set_sequence(sequence)
        for table in self._tables:
            self._make(self._shown("TABLE", table, 1))
        if not schema_only:
            self._copy_rows()
        self._make_all([*self._routines(), *self._views()])
        for definition in [*self._triggers(), *self._events()]:
            self._make(definition)

    def _copy_rows(self) -> None:
        self._progress.begin("Copying rows", len(self._tables))
        columns: dict[str, list[tuple[str, str]]] = {}
        for row in read_columns(self._reader):
            if row["content_type"] and not row["generated"]:
                columns.setdefault(row["table"], []).append((row["column"], row["content_type"]))
        for table in self._tables:
            copy_rows(self._source, self._writer, table, columns.get(table, []))
            self._progress.advance()

    # --- reading definitions ------------------------------------------------------------------------------------------

    def _named(self, table_type: str) -> list[str]:
        return [row["table_name"] for row in self._reader.tables if row["table_type"] == table_type]

    def _shown(self, kind: str, name: str, cell: int, *settings: tuple[str, int]) -> Definition:
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
        return Definition(name, self._reader.without_own_name(str(answer[cell])), made_under)

    def _views(self) -> list[Definition]:
        return [self._shown("VIEW", name, 1, ("collation_connection", 3)) for name in self._named("VIEW")]

    def _routines(self) -> list[Definition]:
        found = self._reader.read("ROUTINES", "ROUTINE_TYPE, ROUTINE_NAME", "ROUTINE_SCHEMA", "ROUTINE_NAME")
        kinds = ("FUNCTION", "PROCEDURE")
        return [
            self._shown(row["routine_type"], row["routine_name"], 2, ("sql_mode", 1), ("collation_connection", 4))
            for row in found
            if row["routine_type"] in kinds
        ]

    def _triggers(self) -> list[Definition]:
        order = "EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER"
        found = self._reader.read("TRIGGERS", "TRIGGER_NAME", "TRIGGER_SCHEMA", order)
        settings = (("sql_mode", 1), ("collation_connection", 4))
        return [self._shown("TRIGGER", row["trigger_name"], 2, *settings) for row in found]

    def _events(self) -> list[Definition]:
        found = self._reader.read("EVENTS", "EVENT_NAME", "EVENT_SCHEMA", "EVENT_NAME")
        settings = (("sql_mode", 1), ("time_zone", 2), ("collation_connection", 5))
        events = [self._shown("EVENT", row["event_name"], 3, *settings) for row in found]
        runs = str(scalar(self._writer, "SELECT @@global.event_scheduler")).upper() in ("ON", "1")
        return [Definition(one.name, _disabled(one.sql), one.settings) if runs else one for one in events]

    # --- making -------------------------------------------------------------------------------------------------------

    def _set_sequence(self, name: str) -> None:
        value = scalar(self._source, f"SELECT next_not_cached_value FROM {quote(name)}")
        execute(self._writer, f"SELECT SETVAL({quote(name)}, {int(value)}, 0)")

    def _make_all(self, definitions: Sequence[Definition]) -> None:
        """Make objects that may need each other, in whatever order works."""
        waiting = list(definitions)
        while waiting:
            left = [one for one in waiting if not self._try_to_make(one)]
            if len(left) == len(waiting):
                self._make(left[0])
            waiting = left

    def _try_to_make(self, definition: Definition) -> bool:
        try:
            self._make(definition)
        except CloneFailed as error:
            if isinstance(error.__cause__, DBAPIError) and error_code(error.__cause__) in _NEEDS_ANOTHER:
                return False
            raise
        return True

    def _make(self, definition: Definition) -> None:
        try:
            for variable, value in definition.settings:
                execute(self._writer, f"SET SESSION {variable} = {literal(value)}")
            try:
                execute(self._writer, definition.sql)
            except DBAPIError as error:
                if not is_permission_error(error):
                    raise
                # Only few may make objects in the name of others; the copy's are then its user's own.
                execute(self._writer, _DEFINER.sub("", definition.sql, count=1))
        except DBAPIError as error:
            raise CloneFailed(f"{definition.name} cannot be copied: {explain_error(error)}") from error
        finally:
            if definition.settings:
                for statement in _WRITER_SETTINGS:
                    execute(self._writer, statement)


def _disabled(sql: str) -> str:
    """Turn an event off; the word stands between its schedule and its comment or body."""
    return re.sub(r"\b(ON COMPLETION (?:NOT )?PRESERVE) ENABLE\b", r"\1 DISABLE", sql, count=1)
