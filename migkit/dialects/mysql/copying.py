"""Copying a database: its objects as the server writes them, its rows out of one snapshot.

Nothing but SQL is needed, so that source and copy may stand on the same server or on different ones. The rows travel
through the client: ``INSERT … SELECT`` would lock every row of the source, and would not read the snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection, NullPool

from migkit.dialects.mysql import session
from migkit.dialects.mysql.catalog_reader import Reader
from migkit.dialects.mysql.catalog_tables import TABLE_KINDS, read_columns
from migkit.dialects.mysql.copying_rows import copy_rows
from migkit.dialects.mysql.definitions import Definition, Definitions, disabled, make, make_all, prepare
from migkit.dialects.mysql.sql import execute, quote, scalar
from migkit.progress import Progress


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
            prepare(connection)
            yield connection
            connection.commit()
    finally:
        engine.dispose()


class _Copy:
    """One copy, in the order in which objects need each other."""

    def __init__(self, reader: Reader, writer: Connection, progress: Progress) -> None:
        self._reader = reader
        self._source = reader.connection
        self._definitions = Definitions(reader)
        self._writer = writer
        self._progress = progress
        self._tables = [row["table_name"] for row in reader.tables if row["table_type"] in TABLE_KINDS]

    def run(self, *, schema_only: bool) -> None:
        """Copy everything."""
        read = self._definitions
        for sequence in read.named("SEQUENCE"):
            make(self._writer, read.shown("SEQUENCE", sequence, 1))
            self._set_sequence(sequence)
        for table in self._tables:
            make(self._writer, read.shown("TABLE", table, 1))
        if not schema_only:
            self._copy_rows()
        make_all(self._writer, [*read.routines(), *read.views()])
        for definition in [*read.triggers(), *self._events()]:
            make(self._writer, definition)

    def _copy_rows(self) -> None:
        self._progress.begin("Copying rows", len(self._tables))
        columns: dict[str, list[tuple[str, str]]] = {}
        for row in read_columns(self._reader):
            if row["content_type"] and not row["generated"]:
                columns.setdefault(row["table"], []).append((row["column"], row["content_type"]))
        for table in self._tables:
            copy_rows(self._source, self._writer, table, columns.get(table, []))
            self._progress.advance()

    def _events(self) -> list[Definition]:
        events = self._definitions.events()
        runs = str(scalar(self._writer, "SELECT @@global.event_scheduler")).upper() in ("ON", "1")
        return [disabled(one) for one in events] if runs else events

    def _set_sequence(self, name: str) -> None:
        value = scalar(self._source, f"SELECT next_not_cached_value FROM {quote(name)}")
        execute(self._writer, f"SELECT SETVAL({quote(name)}, {int(value)}, 0)")
