"""Who may do what in PostgreSQL, as far as it differs from what everybody may do by default.

An object without an access list and one whose list spells the defaults out read the same: both have no row. A role
whose rights differ from the default has one row per object, which says all of its rights there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migkit.dialects.base import Row
from migkit.dialects.postgresql.catalog_parts import (
    DEFAULT_SCHEMA,
    Part,
    Reading,
    Rows,
    not_of_extension,
    relation_name,
)

_SCHEMAS = "= ANY (%(schemas)s::oid[])"

# One row per object with an access list: what it is, where, and the letter acldefault() knows its kind by.
_ITEMS = f"""
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                      WHEN 'f' THEN 'foreign table' ELSE 'table' END AS label,
       n.nspname::text AS schema, c.relname::text AS name, NULL::text AS part,
       CASE WHEN c.relkind <> 'S' THEN c.relname::text ELSE tc.relname::text END AS parent_table,
       CASE WHEN c.relkind <> 'S' THEN n.nspname::text ELSE tn.nspname::text END AS parent_schema,
       c.relowner AS owner, c.relacl AS acl, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char" AS letter
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_depend AS d ON c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
     AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
LEFT JOIN pg_class AS tc ON tc.oid = d.refobjid
LEFT JOIN pg_namespace AS tn ON tn.oid = tc.relnamespace
WHERE c.relacl IS NOT NULL AND c.relnamespace {_SCHEMAS} AND c.relpersistence <> 't'
  AND {not_of_extension("pg_class", "c")}
UNION ALL
SELECT 'column', n.nspname, c.relname, a.attname, c.relname, n.nspname, c.relowner, a.attacl, 'c'::"char"
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.relnamespace {_SCHEMAS} AND c.relpersistence <> 't'
  AND {not_of_extension("pg_class", "c")}
UNION ALL
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, n.nspname,
       p.proname, pg_get_function_identity_arguments(p.oid), NULL, NULL,
       p.proowner, p.proacl, 'f'::"char"
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.proacl IS NOT NULL AND p.pronamespace {_SCHEMAS} AND {not_of_extension("pg_proc", "p")}
UNION ALL
SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, n.nspname, t.typname, NULL, NULL, NULL,
       t.typowner, t.typacl, 'T'::"char"
FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
WHERE t.typacl IS NOT NULL AND t.typnamespace {_SCHEMAS} AND {not_of_extension("pg_type", "t")}
UNION ALL
SELECT 'schema', NULL, n.nspname, NULL, NULL, NULL, n.nspowner, n.nspacl, 'n'::"char"
FROM pg_namespace AS n
WHERE n.nspacl IS NOT NULL AND n.oid {_SCHEMAS} AND {not_of_extension("pg_namespace", "n")}
UNION ALL
SELECT 'database', NULL, NULL, NULL, NULL, NULL, d.datdba, d.datacl, 'd'::"char"
FROM pg_database AS d WHERE d.datacl IS NOT NULL AND d.datname = current_database()
UNION ALL
SELECT 'large object', NULL, o.oid::text, NULL, NULL, NULL, o.lomowner, o.lomacl, 'L'::"char"
FROM pg_largeobject_metadata AS o WHERE o.lomacl IS NOT NULL
UNION ALL
SELECT 'language', NULL, l.lanname, NULL, NULL, NULL, l.lanowner, l.lanacl, 'l'::"char"
FROM pg_language AS l WHERE l.lanacl IS NOT NULL AND {not_of_extension("pg_language", "l")}
UNION ALL
SELECT 'foreign data wrapper', NULL, w.fdwname, NULL, NULL, NULL, w.fdwowner, w.fdwacl, 'F'::"char"
FROM pg_foreign_data_wrapper AS w WHERE w.fdwacl IS NOT NULL AND {not_of_extension("pg_foreign_data_wrapper", "w")}
UNION ALL
SELECT 'foreign server', NULL, s.srvname, NULL, NULL, NULL, s.srvowner, s.srvacl, 'S'::"char"
FROM pg_foreign_server AS s WHERE s.srvacl IS NOT NULL AND {not_of_extension("pg_foreign_server", "s")}
"""


def _rights(acl: str) -> str:
    """Return SQL for one row per grantee of an access list, with all of its rights as one text."""
    return f"""
    SELECT r.grantee, string_agg(r.privilege || CASE WHEN r.grantable THEN ' (grantable)' ELSE '' END, ', '
                                 ORDER BY r.privilege COLLATE "C") AS rights
    FROM (
        SELECT y.grantee, y.privilege_type, bool_or(y.is_grantable) FROM aclexplode({acl}) AS y
        GROUP BY y.grantee, y.privilege_type
    ) AS r (grantee, privilege, grantable)
    GROUP BY r.grantee
    """


def _deviations(letter: str) -> str:
    """Return the SQL join that holds the rights a list gives against those the defaults give, per grantee."""
    return f"""
    CROSS JOIN LATERAL (
        SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END AS grantee,
               coalesce(has.rights, 'nothing') AS rights
        FROM ({_rights("item.acl")}) AS has
        FULL JOIN ({_rights(f"acldefault({letter}, item.owner)")}) AS usual USING (grantee)
        WHERE has.rights IS DISTINCT FROM usual.rights
    ) AS given
    """


_GRANTS = f"""
SELECT item.label, item.schema, item.name, item.part, item.parent_schema, item.parent_table,
       given.grantee, given.rights
FROM ({_ITEMS}) AS item
{_deviations("item.letter")}
ORDER BY 2, 1, 3, 4, 7
"""

# A list for one schema adds to the defaults (like a column's, it starts from nothing); a list for all schemas stands
# in their place.
_DEFAULT_PRIVILEGES = f"""
SELECT item.schema, item.creator, item.objects, given.grantee, given.rights
FROM (
    SELECT n.nspname::text AS schema, pg_get_userbyid(p.defaclrole)::text AS creator, p.defaclrole AS owner,
           p.defaclacl AS acl, p.defaclobjtype::text AS objects,
           CASE WHEN p.defaclnamespace <> 0 THEN 'c' WHEN p.defaclobjtype = 'S' THEN 's'
                ELSE p.defaclobjtype END::"char" AS letter
    FROM pg_default_acl AS p LEFT JOIN pg_namespace AS n ON n.oid = p.defaclnamespace
    WHERE p.defaclnamespace = 0 OR p.defaclnamespace {_SCHEMAS}
) AS item
{_deviations("item.letter")}
ORDER BY 1, 2, 3, 4
"""

_DEFAULT_KINDS = {"r": "tables", "S": "sequences", "f": "functions", "T": "types", "n": "schemas", "L": "large objects"}


_ROUTINES = ("function", "procedure", "aggregate")


def _add_grants(rows: Rows, reading: Reading) -> None:
    for row in rows:
        name = row["name"] and relation_name(row["schema"] or DEFAULT_SCHEMA, row["name"])
        if row["label"] in _ROUTINES:
            name = f"{name}({row['part']})"
        elif row["part"]:
            name = f"{name}.{row['part']}"
        target = f"{row['label']} {name}" if name else row["label"]
        parent = row["parent_table"] and relation_name(row["parent_schema"], row["parent_table"])
        reading.catalog.objects.append(_grant("grant", row, f"{target} → {row['grantee']}", parent))


def _add_default_privileges(rows: Rows, reading: Reading) -> None:
    for row in rows:
        name = f"{_DEFAULT_KINDS.get(row['objects'], row['objects'])} of {row['creator']} → {row['grantee']}"
        reading.catalog.objects.append(_grant("default privileges", row, name, None))


def _grant(kind: str, row: Mapping[str, Any], name: str, parent: str | None) -> Row:
    return {
        "kind": kind,
        "schema": row["schema"] or "",
        "name": name,
        "parent": parent,
        "definition": row["rights"],
    }


GRANT_PARTS = (
    Part("grants", _GRANTS, _add_grants),
    Part("default privileges", _DEFAULT_PRIVILEGES, _add_default_privileges),
)
