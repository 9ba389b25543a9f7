"""Everything the catalog says, with a fixed number of queries whatever the number of tables."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from migkit.dialects.base import Catalog, Row
from migkit.dialects.mysql.catalog_keys import Keys, read_keys
from migkit.dialects.mysql.catalog_objects import read_objects, read_sequences
from migkit.dialects.mysql.catalog_reader import Reader
from migkit.dialects.mysql.catalog_tables import read_columns, read_tables
from migkit.dialects.mysql.catalog_unchecked import read_unchecked


def read_catalog(connection: Connection, schemas: Sequence[str] | None, *, mariadb: bool) -> Catalog:
    """Read all schema facts.

    Parameters
    ----------
    connection : Connection
        A session of the snapshot.
    schemas : sequence of str or None
        Databases to look at; ``None`` means the connected one. The connected database is called by the empty
        name, so that a copy of it under another name reads the same.
    mariadb : bool
        The server is MariaDB, whose catalog differs in places.

    Returns
    -------
    Catalog
        The facts.
    """
    reader = Reader(connection, schemas, mariadb)
    tables = read_tables(reader)
    columns = read_columns(reader)
    keys = read_keys(reader, {(row["schema"], row["table"], row["column"]): row["nullable"] for row in columns})
    base_tables = [_with_key(row, keys) for row in tables]
    return Catalog(
        default_schema="",
        tables=base_tables,
        columns=columns,
        constraints=keys.constraints,
        indexes=keys.indexes,
        objects=[*_counted(read_objects(reader), columns), *read_sequences(reader)],
        foreign_keys=keys.foreign_keys,
        unchecked=read_unchecked(reader),
    )


def _counted(objects: list[Row], columns: list[Row]) -> list[Row]:
    """Leave out counters that count nothing: MyISAM has one for every table."""
    counting = {(row["schema"], row["table"]) for row in columns if row["identity"]}
    return [row for row in objects if row["kind"] != "auto_increment" or (row["schema"], row["name"]) in counting]


def _with_key(row: dict[str, object], keys: Keys) -> dict[str, object]:
    return row | {"key": keys.row_keys.get((str(row["schema"]), str(row["table"])), ())}
