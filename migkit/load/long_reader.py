"""A long reader: a transaction that has read some tables and stays open, as a report or a forgotten session would."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from migkit.database import Database
from migkit.errors import ConnectionFailed

Table = tuple[str, str]


@contextmanager
def long_reader(db: Database, seconds: float, tables: Sequence[Table]) -> Iterator[None]:
    """Hold a transaction open that has read `tables`; it ends by itself after `seconds`, or with the block.

    Parameters
    ----------
    db : Database
        The database.
    seconds : float
        How long it stays open.
    tables : sequence of (schema, table)
        What it has read a row of before the block begins.

    Raises
    ------
    ConnectionFailed
        If it cannot connect or read.
    """
    engine = db.dialect.create_engine(db.engine.url, poolclass=NullPool)
    over = threading.Event()
    try:
        connection = engine.connect()
        try:
            _read(db, connection, tables)
        except BaseException:
            connection.close()
            raise
    except SQLAlchemyError as error:
        engine.dispose()
        raise ConnectionFailed(f"The long reader cannot read: {error}", where=db.name) from error
    thread = threading.Thread(target=_keep_open, args=(connection, over, seconds), name="migkit-long-reader")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        engine.dispose()


def _read(db: Database, connection: Connection, tables: Sequence[Table]) -> None:
    connection.begin()
    for schema, table in tables:
        name = db.dialect.quote(*filter(None, (schema, table)))
        sql = f"SELECT 1 FROM {name} LIMIT 1"
        connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).all()


def _keep_open(connection: Connection, over: threading.Event, seconds: float) -> None:
    try:
        over.wait(seconds)
    finally:
        try:
            connection.close()
        except SQLAlchemyError:
            # The server ended the session first; it is over either way.
            connection.invalidate()
