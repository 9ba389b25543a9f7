"""The whole schema of a PostgreSQL database as plain rows, read with a fixed number of catalog queries.

What is read is a list of *parts* (:class:`~migkit.dialects.postgresql.catalog_parts.Part`): one query and the function
that turns its rows into rows of :mod:`migkit.frames`. The parts live beside this module, by topic:

- ``catalog_relations``: tables, columns, constraints, indexes, foreign keys
- ``catalog_attached``: what hangs on tables: views, triggers, rules, policies, sequences, statistics
- ``catalog_types``: enums, domains, composite and range types, collations, text search
- ``catalog_routines``: functions, aggregates, operators, casts, conversions, languages
- ``catalog_database``: schemas, extensions, publications, servers, event triggers, settings
- ``catalog_grants``: grants and default privileges

``content_type`` tokens
-----------------------
Every column carries a token that says how its content is digested. Domains are resolved to their base type first.

============================ =========================================================================================
``int4``, ``numeric``, …     base types: the name in ``pg_type`` (extensions' types too: ``citext``, ``hstore``)
``_int4``, ``_text``, …      arrays whose built-in element type has a hash function and, for text, compares bytewise
``array``                    any other array: of enums, composites, ``json``, text under a nondeterministic collation
``enum``                     enums
``composite``                row types
``range:int4range``          ranges, with the name of the range type
``multirange:int4multirange`` multiranges, with the name of the multirange type
``text:nondeterministic``    text, varchar, bpchar, name and citext under a collation that calls unequal bytes equal
``other:NAME``               a type outside ``pg_catalog`` that bears the name of a built-in one
============================ =========================================================================================

``array`` and ``text:nondeterministic`` need ``COLLATE "C"`` where they are hashed or compared as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.base import Catalog
from migkit.dialects.postgresql.catalog_attached import ATTACHED_PARTS
from migkit.dialects.postgresql.catalog_database import DATABASE_PARTS
from migkit.dialects.postgresql.catalog_grants import GRANT_PARTS
from migkit.dialects.postgresql.catalog_parts import DEFAULT_SCHEMA, Part, Reading
from migkit.dialects.postgresql.catalog_relations import RELATION_PARTS
from migkit.dialects.postgresql.catalog_routines import ROUTINE_PARTS
from migkit.dialects.postgresql.catalog_types import TYPE_PARTS
from migkit.errors import CaptureFailed

PARTS: tuple[Part, ...] = (
    *RELATION_PARTS,
    *ATTACHED_PARTS,
    *TYPE_PARTS,
    *ROUTINE_PARTS,
    *DATABASE_PARTS,
    *GRANT_PARTS,
)

_INSUFFICIENT_PRIVILEGE = "42501"

# Whatever changes how the server writes an expression or a constant; a reading must not depend on who reads.
_PIN_SESSION = """
SELECT set_config(name, value, true)
FROM (VALUES ('search_path', 'pg_catalog'), ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'),
             ('IntervalStyle', 'postgres'), ('extra_float_digits', '1'), ('bytea_output', 'hex'),
             ('quote_all_identifiers', 'off'), ('lc_monetary', 'C'), ('jit', 'off'),
             ('enable_nestloop', 'off')) AS pinned (name, value)
"""
# Without nested loops: just after thousands of tables were made the server still takes its catalog for a small one, and
# would read all of its indexes once for each table.

_SCHEMAS = """
SELECT oid::bigint AS oid, nspname::text AS name
FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
   OR nspname = ANY (%(named)s::text[])
"""


def read_catalog(connection: Connection, schemas: Sequence[str] | None) -> Catalog:
    """Read everything the catalog says about a database.

    Session settings that change how the server writes things are pinned while reading, and put back afterwards.

    Parameters
    ----------
    connection : Connection
        A session in a transaction; nothing is written.
    schemas : sequence of str or None
        The schemas to look at; ``None`` means all but the server's own. Objects that belong to an extension are left
        out: the extension itself, with its version, stands for them.

    Returns
    -------
    Catalog
        The rows. Parts the session may not read, and schemas that do not exist, are listed in ``unchecked``.

    Raises
    ------
    CaptureFailed
        If a catalog query fails for another reason than a missing privilege.
    """
    with connection.begin_nested() as outer:
        connection.exec_driver_sql(_PIN_SESSION)
        reading = Reading(Catalog(DEFAULT_SCHEMA), _server_version(connection))
        parameters = {"schemas": _schema_oids(connection, schemas, reading)}
        remaining = list(PARTS)
        while remaining:
            remaining = _read_until_refused(connection, remaining, parameters, reading)
        # Rolling back puts the pinned settings back; nothing was written.
        outer.rollback()
    return reading.catalog


def _server_version(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000


def _schema_oids(connection: Connection, schemas: Sequence[str] | None, reading: Reading) -> str:
    found = connection.exec_driver_sql(_SCHEMAS, {"named": list(schemas or ())}).all()
    oids = {row.name: row.oid for row in found}
    if schemas is not None:
        for missing in sorted(set(schemas) - oids.keys()):
            reading.leave_out(f"schema {missing}", "there is no such schema")
        oids = {name: oid for name, oid in oids.items() if name in schemas}
    return "{" + ",".join(str(oid) for oid in oids.values()) + "}"


def _read_until_refused(
    connection: Connection, parts: list[Part], parameters: dict[str, Any], reading: Reading
) -> list[Part]:
    """Read parts under one savepoint; return what is left to read after a part the session may not read."""
    savepoint = connection.begin_nested()
    for position, part in enumerate(parts):
        try:
            result = connection.exec_driver_sql(part.statement(reading.version), parameters)
        except DBAPIError as error:
            savepoint.rollback()
            if getattr(error.orig, "sqlstate", None) != _INSUFFICIENT_PRIVILEGE:
                raise CaptureFailed(
                    f"The catalog could not be read: {_message(error)}",
                    where=part.what,
                    next_step="Capture again when no schema change is under way.",
                ) from error
            reading.leave_out(part.what, _message(error))
            return parts[position + 1 :]
        part.add([dict(row) for row in result.mappings()], reading)
    savepoint.rollback()
    return []


def _message(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]
