"""Changing one value in one row, and putting the row back as it was.

The row is kept in a temporary table of the session, which no capture sees: so it comes back exactly, on every engine.
"""

from __future__ import annotations

from sqlalchemy import Connection

from bench.verdicts.cases import VALUE_ROW, VALUE_TABLE
from migkit.database import Database
from migkit.dialects.base import Catalog

_ROW = f"{VALUE_TABLE} WHERE id = {VALUE_ROW}"


def written_columns(db: Database, table: str) -> list[str]:
    """Return the columns of a table in the default schema that are not computed, quoted."""
    with db.engine.connect() as connection:
        catalog: Catalog = db.dialect.read_catalog(connection, None)
    rows = [
        row for row in catalog.columns if (row["schema"], row["table"]) == (catalog.default_schema, table.strip("`"))
    ]
    return [db.dialect.quote(row["column"]) for row in rows if not row["generated"]]


class KeptRow:
    """The row of every ``value`` case, kept aside.

    Parameters
    ----------
    db : Database
        The database.
    connection : Connection
        A session that commits each statement.
    """

    def __init__(self, db: Database, connection: Connection) -> None:
        self._connection = connection
        columns = ", ".join(written_columns(db, VALUE_TABLE))
        self._restore = (
            f"DELETE FROM {_ROW}",
            f"INSERT INTO {VALUE_TABLE} ({columns}) SELECT {columns} FROM kept_row",
        )
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE kept_row AS SELECT {columns} FROM {_ROW}").close()

    def put_back(self) -> None:
        """Bring the row back as it was when it was kept."""
        for statement in self._restore:
            self._connection.exec_driver_sql(statement).close()
