"""Tables, columns, constraints, indexes and foreign keys of PostgreSQL."""

from __future__ import annotations

import json

from migkit.dialects.base import ForeignKey
from migkit.dialects.postgresql.catalog_parts import (
    Part,
    Reading,
    Rows,
    not_of_extension,
    relation_name,
    stable,
    without_secrets,
)

_RELATION = f"""
    c.relnamespace = ANY (%(schemas)s::oid[]) AND c.relpersistence <> 't' AND {not_of_extension("pg_class", "c")}
"""

# The primary key, else the unique index with the fewest columns, all of them plain and surely without NULLs.
_KEYS = """
SELECT DISTINCT ON (i.indrelid) i.indrelid, k.columns
FROM pg_index AS i
JOIN pg_class AS x ON x.oid = i.indexrelid
CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY o.position) AS columns,
           bool_and(a.attnotnull AND NOT EXISTS (
               SELECT FROM pg_constraint AS n
               WHERE n.conrelid = i.indrelid AND n.contype = 'n' AND NOT n.convalidated AND n.conkey = ARRAY[a.attnum]
           )) AS without_nulls,
           count(a.attnum) AS plain
    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS o (attnum, position)
    LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = o.attnum AND a.attnum > 0
    WHERE o.position <= i.indnkeyatts
) AS k
WHERE i.indisunique AND i.indisvalid AND i.indislive AND i.indpred IS NULL
  AND (i.indisprimary OR i.indimmediate) AND k.plain = i.indnkeyatts AND k.without_nulls
ORDER BY i.indrelid, i.indisprimary DESC, i.indnkeyatts, x.relname COLLATE "C"
"""

_TABLES = f"""
SELECT n.nspname::text AS schema, c.relname::text AS "table", pg_get_userbyid(c.relowner)::text AS owner,
       obj_description(c.oid, 'pg_class') AS comment, keys.columns AS key,
       CASE WHEN c.relispartition THEN 'partition'
            ELSE (jsonb_build_object('r', 'table', 'p', 'partitioned', 'f', 'foreign', 'm', 'materialized view')
                  ->> c.relkind::text) END AS kind,
       CASE WHEN c.relkind = 'f' THEN NULL ELSE pg_total_relation_size(c.oid) END AS size_bytes,
       CASE WHEN c.relkind = 'f' THEN NULL ELSE pg_indexes_size(c.oid) END AS index_bytes,
       CASE WHEN c.relkind IN ('r', 'm')
            THEN (pg_relation_size(c.oid) / current_setting('block_size')::int)::bigint END AS pages,
       concat_ws('; ',
           CASE WHEN am.amname <> 'heap' THEN 'access method ' || am.amname END,
           CASE WHEN c.relispartition THEN 'partition of ' || parents.names || ' '
                || coalesce(pg_get_expr(c.relpartbound, c.oid), '') || parents.pending
                WHEN parents.names IS NOT NULL THEN 'inherits ' || parents.names END,
           'partition by ' || pg_get_partkeydef(c.oid),
           CASE WHEN c.reloftype <> 0 THEN 'of type ' || format_type(c.reloftype, NULL) END,
           CASE WHEN c.relpersistence = 'u' THEN 'unlogged' END,
           CASE WHEN c.relrowsecurity THEN 'row security enabled' END,
           CASE WHEN c.relforcerowsecurity THEN 'row security forced' END,
           CASE c.relreplident WHEN 'f' THEN 'replica identity full'
                WHEN 'n' THEN CASE WHEN c.relkind <> 'f' THEN 'replica identity nothing' END
                WHEN 'i' THEN 'replica identity index ' || coalesce(marked.identity, '(none)') END,
           'clustered on ' || marked.clustered,
           'tablespace ' || ts.spcname,
           'server ' || fs.srvname,
           'with ' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(c.reloptions) AS o),
           'toast with ' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(toast.reloptions) AS o)
       ) AS options,
       ARRAY(SELECT o FROM unnest(ft.ftoptions) AS o ORDER BY o COLLATE "C") AS foreign_options
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_am AS am ON am.oid = c.relam
LEFT JOIN pg_tablespace AS ts ON ts.oid = c.reltablespace
LEFT JOIN pg_class AS toast ON toast.oid = c.reltoastrelid
LEFT JOIN pg_foreign_table AS ft ON ft.ftrelid = c.oid
LEFT JOIN pg_foreign_server AS fs ON fs.oid = ft.ftserver
LEFT JOIN (
    SELECT h.inhrelid, string_agg(h.inhparent::regclass::text, ', ' ORDER BY h.inhseqno) AS names,
           CASE WHEN bool_or(h.inhdetachpending) THEN ' (detach pending)' ELSE '' END AS pending
    FROM pg_inherits AS h GROUP BY h.inhrelid
) AS parents ON parents.inhrelid = c.oid
LEFT JOIN (
    SELECT i.indrelid, min(x.relname::text) FILTER (WHERE i.indisreplident) AS identity,
           min(x.relname::text) FILTER (WHERE i.indisclustered) AS clustered
    FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
    WHERE i.indisreplident OR i.indisclustered GROUP BY i.indrelid
) AS marked ON marked.indrelid = c.oid
LEFT JOIN ({_KEYS}) AS keys ON keys.indrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'f', 'm') AND {_RELATION}
ORDER BY n.nspname, c.relname
"""

# Domains over domains are resolved to what they are in the end.
_COLUMNS = f"""
WITH RECURSIVE base (oid, base) AS (
    SELECT t.oid, t.oid FROM pg_type AS t WHERE t.typtype <> 'd'
    UNION ALL
    SELECT t.oid, base.base FROM base JOIN pg_type AS t ON t.typtype = 'd' AND t.typbasetype = base.oid
), hashable (oid) AS (
    SELECT o.opcintype FROM pg_opclass AS o JOIN pg_am AS m ON m.oid = o.opcmethod
    WHERE m.amname = 'hash' AND o.opcdefault
    UNION SELECT 'pg_catalog.varchar'::regtype
), token (oid, token, collatable) AS MATERIALIZED (
    SELECT base.oid,
           CASE WHEN t.typelem <> 0 AND t.typsubscript = 'array_subscript_handler'::regproc THEN
                    CASE WHEN e.typtype = 'b' AND e.typnamespace = 'pg_catalog'::regnamespace
                              AND e.oid IN (SELECT h.oid FROM hashable AS h) THEN t.typname::text ELSE 'array' END
                WHEN t.typtype = 'e' THEN 'enum'
                WHEN t.typtype = 'c' THEN 'composite'
                WHEN t.typtype = 'r' THEN 'range:' || t.typname
                WHEN t.typtype = 'm' THEN 'multirange:' || t.typname
                WHEN t.typnamespace <> 'pg_catalog'::regnamespace AND EXISTS (
                    SELECT FROM pg_type AS s
                    WHERE s.typname = t.typname AND s.typnamespace = 'pg_catalog'::regnamespace
                ) THEN 'other:' || t.typname
                ELSE t.typname::text END,
           t.typcollation <> 0
    FROM base JOIN pg_type AS t ON t.oid = base.base LEFT JOIN pg_type AS e ON e.oid = t.typelem
)
SELECT n.nspname::text AS schema, c.relname::text AS "table", a.attname::text AS "column",
       row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) AS position,
       format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS "default",
       CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END AS identity,
       CASE a.attgenerated WHEN 's' THEN pg_get_expr(d.adbin, d.adrelid) || ' STORED'
                           WHEN 'v' THEN pg_get_expr(d.adbin, d.adrelid) || ' VIRTUAL' END AS generated,
       CASE WHEN a.attcollation NOT IN (0, t.typcollation) THEN a.attcollation::regcollation::text END AS collation,
       concat_ws('; ',
           CASE WHEN a.attstorage <> t.typstorage AND c.relkind <> 'v' THEN 'storage '
                || (jsonb_build_object('p', 'plain', 'e', 'external', 'm', 'main', 'x', 'extended')
                    ->> a.attstorage::text) END,
           CASE a.attcompression WHEN 'p' THEN 'compression pglz' WHEN 'l' THEN 'compression lz4' END,
           'statistics ' || nullif(a.attstattarget, -1),
           'with ' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(a.attoptions) AS o)
       ) AS options,
       ARRAY(SELECT o FROM unnest(a.attfdwoptions) AS o ORDER BY o COLLATE "C") AS foreign_options,
       m.description AS comment,
       CASE WHEN coalesce(NOT l.collisdeterministic, false) AND token.collatable
            THEN CASE WHEN token.token IN ('text', 'varchar', 'bpchar', 'name', 'citext') THEN 'text:nondeterministic'
                      ELSE 'array' END
            ELSE token.token END AS content_type
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_type AS t ON t.oid = a.atttypid
JOIN token ON token.oid = a.atttypid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
LEFT JOIN pg_description AS m ON m.objoid = c.oid AND m.objsubid = a.attnum AND m.classoid = 'pg_class'::regclass
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'm', 'v') AND {_RELATION}
ORDER BY n.nspname, c.relname, a.attnum
"""

_ACTIONS = (
    "(jsonb_build_object('a', 'NO ACTION', 'r', 'RESTRICT', 'c', 'CASCADE', 'n', 'SET NULL', 'd', 'SET DEFAULT') ->> "
)

# A foreign key that points at a partitioned table has a shadow per partition of it, named by the order they were made
# in: not facts. NOT NULL has rows of its own since PostgreSQL 18, which say more than the column only where they are
# not validated or not inherited.
_CONSTRAINTS = f"""
SELECT n.nspname::text AS schema, c.relname::text AS "table", k.conname::text AS name, k.contype::text AS contype,
       (jsonb_build_object('p', 'primary key', 'u', 'unique', 'f', 'foreign key', 'c', 'check', 'x', 'exclusion',
                           'n', 'not null', 't', 'constraint trigger') ->> k.contype::text) AS kind,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS o (attnum, position)
             JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = o.attnum
             ORDER BY o.position) AS columns,
       pg_get_constraintdef(k.oid) AS definition,
       fn.nspname::text AS referenced_schema, f.relname::text AS referenced_table,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS o (attnum, position)
             JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = o.attnum
             ORDER BY o.position) AS referenced_columns,
       {_ACTIONS} nullif(k.confupdtype::text, ' ')) AS on_update,
       {_ACTIONS} nullif(k.confdeltype::text, ' ')) AS on_delete,
       k.confmatchtype = 'f' AS match_full, k.conparentid <> 0 AS inherited,
       k.convalidated AS validated, /*enforced*/ AS enforced, /*period*/ AS temporal,
       obj_description(k.oid, 'pg_constraint') AS comment
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_class AS f ON f.oid = k.confrelid
LEFT JOIN pg_namespace AS fn ON fn.oid = f.relnamespace
LEFT JOIN pg_constraint AS parent ON parent.oid = k.conparentid
WHERE {_RELATION}
  AND (k.contype <> 'n' OR NOT k.convalidated OR k.connoinherit)
  AND (k.contype <> 'f' OR parent.conrelid IS DISTINCT FROM k.conrelid)
ORDER BY n.nspname, c.relname, k.conname
"""

_INDEXES = f"""
SELECT n.nspname::text AS schema, c.relname::text AS "table", x.relname::text AS name,
       pg_get_indexdef(i.indexrelid) AS definition, i.indisunique AS "unique",
       i.indisvalid AND i.indisready AND i.indislive AS valid, pg_relation_size(x.oid) AS size_bytes,
       obj_description(x.oid, 'pg_class') AS comment,
       concat_ws('; ',
           CASE WHEN i.indisclustered THEN 'clustered' END,
           CASE WHEN i.indisreplident THEN 'replica identity' END,
           'partition of ' || h.inhparent::regclass::text,
           'tablespace ' || ts.spcname,
           (SELECT string_agg('statistics of column ' || a.attnum || ' ' || a.attstattarget, '; ' ORDER BY a.attnum)
            FROM pg_attribute AS a
            WHERE a.attrelid = x.oid AND coalesce(a.attstattarget, -1) <> -1)
       ) AS options
FROM pg_index AS i
JOIN pg_class AS x ON x.oid = i.indexrelid
JOIN pg_class AS c ON c.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_tablespace AS ts ON ts.oid = x.reltablespace
LEFT JOIN pg_inherits AS h ON h.inhrelid = x.oid
WHERE c.relkind IN ('r', 'p', 'm') AND {_RELATION}
ORDER BY n.nspname, c.relname, x.relname
"""


def _options(options: str, foreign: list[str]) -> str | None:
    if foreign:
        options = "; ".join(filter(None, (options, ", ".join(without_secrets(foreign)))))
    return options or None


def _add_tables(rows: Rows, reading: Reading) -> None:
    for row in rows:
        facts = {name: value for name, value in row.items() if name != "foreign_options"}
        facts["key"] = tuple(row["key"] or ())
        facts["options"] = _options(row["options"], row["foreign_options"])
        reading.catalog.tables.append(facts)
        if row["kind"] == "foreign":
            name = relation_name(row["schema"], row["table"])
            reading.leave_out(f"rows of foreign table {name}", "they lie in another database, outside the snapshot")


def _add_columns(rows: Rows, reading: Reading) -> None:
    for row in rows:
        facts = {name: value for name, value in row.items() if name != "foreign_options"}
        facts["options"] = _options(row["options"], row["foreign_options"])
        for expression in ("default", "generated"):
            if row[expression]:
                facts[expression] = stable(row[expression])
        reading.catalog.columns.append(facts)


_PLAIN_FACTS = ("schema", "table", "name", "kind", "on_update", "on_delete", "validated", "enforced", "comment")


def _add_constraints(rows: Rows, reading: Reading) -> None:
    for row in rows:
        facts = {name: row[name] for name in _PLAIN_FACTS}
        facts["columns"] = json.dumps(row["columns"], ensure_ascii=False)
        facts["definition"] = stable(row["definition"])
        if row["referenced_table"]:
            columns = ", ".join(row["referenced_columns"])
            facts["referenced"] = f"{relation_name(row['referenced_schema'], row['referenced_table'])} ({columns})"
        reading.catalog.constraints.append(facts)
    _add_foreign_keys([row for row in rows if row["contype"] == "f" and not row["inherited"]], reading)


def _add_foreign_keys(rows: Rows, reading: Reading) -> None:
    for row in rows:
        if row["temporal"]:
            place = f"{relation_name(row['schema'], row['table'])}.{row['name']}"
            reading.leave_out(f"orphans of {place}", "a temporal foreign key is not a comparison of equal values")
            continue
        reading.catalog.foreign_keys.append(
            ForeignKey(
                schema=row["schema"],
                table=row["table"],
                name=row["name"],
                columns=tuple(row["columns"]),
                referenced_schema=row["referenced_schema"],
                referenced_table=row["referenced_table"],
                referenced_columns=tuple(row["referenced_columns"]),
                match_full=row["match_full"],
            )
        )


def _add_indexes(rows: Rows, reading: Reading) -> None:
    reading.catalog.indexes.extend(
        dict(row) | {"definition": stable(row["definition"]), "options": row["options"] or None} for row in rows
    )


# Their content is the extension's business, and sometimes the user's: nobody should take it for checked.
_TABLES_OF_EXTENSIONS = """
SELECT n.nspname::text AS schema, c.relname::text AS name, e.extname::text AS extension
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
     AND d.refclassid = 'pg_extension'::regclass
JOIN pg_extension AS e ON e.oid = d.refobjid
WHERE c.relkind IN ('r', 'p', 'f', 'm') AND c.relnamespace = ANY (%(schemas)s::oid[])
ORDER BY n.nspname, c.relname
"""


def _leave_out_tables_of_extensions(rows: Rows, reading: Reading) -> None:
    for row in rows:
        name = relation_name(row["schema"], row["name"])
        reading.leave_out(f"table {name}", f"it belongs to the extension {row['extension']}")


RELATION_PARTS = (
    Part("tables of extensions", _TABLES_OF_EXTENSIONS, _leave_out_tables_of_extensions),
    Part("tables", _TABLES, _add_tables),
    Part("columns", _COLUMNS, _add_columns),
    Part(
        "constraints",
        _CONSTRAINTS,
        _add_constraints,
        {"enforced": (18, "k.conenforced", "true"), "period": (18, "k.conperiod", "false")},
    ),
    Part("indexes", _INDEXES, _add_indexes),
)
