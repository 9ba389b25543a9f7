"""A database that holds every kind of object, and how two catalogs are held side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from migkit.dialects.base import Catalog
from migkit.dialects.postgresql.catalog import read_catalog
from migkit.frames import COLUMNS, CONSTRAINTS, INDEXES, OBJECTS, TABLES

SCHEMA = Path(__file__).with_name("catalog_schema.sql")
ROLES = ("catalog_owner", "catalog_reader")
TABLESPACE = "catalog_space"

Place = tuple[str, ...]
Facts = dict[Place, dict[str, Any]]


def run_script(engine: Engine, *statements: str) -> None:
    """Run SQL text as it stands, whatever percent signs and colons are in it."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.autocommit = True
        for statement in statements:
            driver.execute(statement)
        driver.autocommit = False


def prepare_cluster(engine: Engine) -> None:
    """Make what belongs to no database: the roles and the tablespace."""
    for role in ROLES:
        run_script(engine, f"CREATE ROLE {role}")
    run_script(engine, "SET allow_in_place_tablespaces = on", f"CREATE TABLESPACE {TABLESPACE} LOCATION ''")


def fill(engine: Engine) -> None:
    """Create one object of every kind."""
    name = str(engine.url.database)
    run_script(
        engine,
        SCHEMA.read_text(encoding="utf-8"),
        f"ALTER DATABASE {name} SET work_mem = '5MB'",
        f"ALTER DATABASE {name} SET app.jwt_secret = 'hunter2'",
        f"ALTER ROLE catalog_reader IN DATABASE {name} SET search_path = sales, public",
        f"GRANT CREATE ON DATABASE {name} TO catalog_reader",
        f"COMMENT ON DATABASE {name} IS 'holds everything'",
    )


def forget(engine: Engine) -> None:
    """Drop what would keep the database, or the roles, from being dropped."""
    run_script(
        engine,
        "DROP SUBSCRIPTION IF EXISTS listening",
        "DROP TABLE IF EXISTS stored_elsewhere",
        *(f"DROP OWNED BY {role} CASCADE" for role in ROLES),
        *(f"ALTER ROLE {role} IN DATABASE {engine.url.database} RESET ALL" for role in ROLES),
    )


def forget_cluster(engine: Engine) -> None:
    """Drop what :func:`prepare_cluster` made."""
    run_script(engine, *(f"DROP ROLE {role}" for role in ROLES), f"DROP TABLESPACE {TABLESPACE}")


def read(connection: Connection, schemas: Sequence[str] | None = None) -> Facts:
    """Read a catalog as facts by place."""
    return facts(read_catalog(connection, schemas))


def facts(catalog: Catalog, keep: Callable[[dict[str, Any]], bool] = lambda row: True) -> Facts:
    """Return what every row says, by frame and key."""
    found: Facts = {}
    specs = (TABLES, COLUMNS, CONSTRAINTS, INDEXES, OBJECTS)
    for spec in specs:
        for row in getattr(catalog, spec.name):
            assert row.keys() <= {*spec.names, "pages", "content_type"}, row
            if not keep(row):
                continue
            place = (spec.name, *(row[name] for name in spec.keys))
            assert place not in found, f"twice: {place}"
            extra = [name for name in ("key", "content_type", "value") if name in row]
            found[place] = {name: row.get(name) for name in (*spec.facts, *extra)}
    for key in catalog.foreign_keys:
        found["foreign_keys", key.schema, key.table, key.name] = vars(key)
    return found


def differences(before: Facts, after: Facts) -> set[Place]:
    """Return where two catalogs say different things."""
    return {place for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
