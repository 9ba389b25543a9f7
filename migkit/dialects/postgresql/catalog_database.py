"""What belongs to a PostgreSQL database as a whole: schemas, extensions, replication, foreign servers, settings."""

from __future__ import annotations

from migkit.dialects.postgresql.catalog_parts import Part, Reading, Rows, not_of_extension, objects
from migkit.ownership import SCRATCH_COMMENT

_WHOLE = "'' AS schema"
_NO_PARENT = "NULL AS parent_schema, NULL AS parent_table"

# The comment that migkit itself gives to a scratch database is left out: a copy is what it is a copy of.
_SCHEMAS = f"""
SELECT 'schema' AS kind, {_WHOLE}, n.nspname::text AS name, {_NO_PARENT}, NULL AS definition,
       pg_get_userbyid(n.nspowner)::text AS owner, obj_description(n.oid, 'pg_namespace') AS comment
FROM pg_namespace AS n
WHERE n.oid = ANY (%(schemas)s::oid[]) AND {not_of_extension("pg_namespace", "n")}
UNION ALL
SELECT 'extension', '', e.extname::text, NULL, NULL,
       concat('version ', e.extversion, ' in schema ', quote_ident(n.nspname)),
       pg_get_userbyid(e.extowner)::text, obj_description(e.oid, 'pg_extension')
FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
UNION ALL
SELECT 'database', '', 'database', NULL, NULL,
       concat_ws(', ', 'encoding ' || pg_encoding_to_char(d.encoding), 'lc_collate ' || d.datcollate,
                 'lc_ctype ' || d.datctype, 'connection limit ' || nullif(d.datconnlimit, -1)),
       pg_get_userbyid(d.datdba)::text,
       CASE WHEN NOT starts_with(shobj_description(d.oid, 'pg_database'), '{SCRATCH_COMMENT}')
            THEN shobj_description(d.oid, 'pg_database') END
FROM pg_database AS d WHERE d.datname = current_database()
ORDER BY 1, 3
"""

_PUBLICATIONS = f"""
SELECT 'publication' AS kind, {_WHOLE}, p.pubname::text AS name, {_NO_PARENT},
       concat_ws('; ',
           CASE WHEN p.puballtables THEN 'all tables' END,
           'publishes ' || concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END,
               CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END,
               CASE WHEN p.pubtruncate THEN 'truncate' END),
           CASE WHEN p.pubviaroot THEN 'via partition root' END,
           /*generated*/,
           (SELECT string_agg('schema ' || quote_ident(n.nspname), ', ' ORDER BY n.nspname)
            FROM pg_publication_namespace AS y JOIN pg_namespace AS n ON n.oid = y.pnnspid WHERE y.pnpubid = p.oid),
           (SELECT string_agg(concat('table ', r.prrelid::regclass::text, ' (' || (
                       SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                       FROM pg_attribute AS a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[])
                   ) || ')', ' WHERE ' || pg_get_expr(r.prqual, r.prrelid)), ', '
                   ORDER BY r.prrelid::regclass::text COLLATE "C")
            FROM pg_publication_rel AS r WHERE r.prpubid = p.oid)
       ) AS definition,
       pg_get_userbyid(p.pubowner)::text AS owner, obj_description(p.oid, 'pg_publication') AS comment
FROM pg_publication AS p
ORDER BY 3
"""

# The connection string may hold a password, and is not read.
_SUBSCRIPTIONS = f"""
SELECT 'subscription' AS kind, {_WHOLE}, s.subname::text AS name, {_NO_PARENT},
       concat_ws(', ',
           CASE WHEN s.subenabled THEN 'enabled' ELSE 'disabled' END,
           'publications ' || (SELECT string_agg(quote_ident(p), ' ' ORDER BY p COLLATE "C")
                               FROM unnest(s.subpublications) AS p),
           'slot ' || s.subslotname, 'synchronous commit ' || s.subsynccommit,
           CASE WHEN s.subbinary THEN 'binary' END, 'streaming ' || s.substream::text,
           'two phase ' || s.subtwophasestate::text, CASE WHEN s.subdisableonerr THEN 'disable on error' END,
           /*origin*/
       ) AS definition,
       pg_get_userbyid(s.subowner)::text AS owner, obj_description(s.oid, 'pg_subscription') AS comment
FROM pg_subscription AS s
WHERE s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
ORDER BY 3
"""

_EVENT_TRIGGERS = f"""
SELECT 'event trigger' AS kind, {_WHOLE}, e.evtname::text AS name, {_NO_PARENT},
       concat_ws(' ', 'ON', e.evtevent,
           'WHEN TAG IN (' || (SELECT string_agg(quote_literal(t), ', ' ORDER BY t COLLATE "C")
                               FROM unnest(e.evttags) AS t) || ')',
           'EXECUTE FUNCTION', e.evtfoid::regprocedure::text,
           (jsonb_build_object('D', 'DISABLED', 'R', 'ENABLE REPLICA', 'A', 'ENABLE ALWAYS') ->> e.evtenabled::text)
       ) AS definition,
       pg_get_userbyid(e.evtowner)::text AS owner, obj_description(e.oid, 'pg_event_trigger') AS comment
FROM pg_event_trigger AS e
WHERE {not_of_extension("pg_event_trigger", "e")}
ORDER BY 3
"""


def _sorted(options: str) -> str:
    return f"""ARRAY(SELECT o FROM unnest({options}) AS o ORDER BY o COLLATE "C")"""


_FOREIGN_SERVERS = f"""
SELECT 'foreign data wrapper' AS kind, {_WHOLE}, w.fdwname::text AS name, {_NO_PARENT},
       concat_ws(', ', 'handler ' || nullif(w.fdwhandler, 0)::regproc::text,
                 'validator ' || nullif(w.fdwvalidator, 0)::regproc::text) AS definition,
       {_sorted("w.fdwoptions")} AS options,
       pg_get_userbyid(w.fdwowner)::text AS owner, obj_description(w.oid, 'pg_foreign_data_wrapper') AS comment
FROM pg_foreign_data_wrapper AS w
WHERE {not_of_extension("pg_foreign_data_wrapper", "w")}
UNION ALL
SELECT 'foreign server', '', s.srvname::text, NULL, NULL,
       concat_ws(', ', 'wrapper ' || quote_ident(w.fdwname), 'type ' || s.srvtype, 'version ' || s.srvversion),
       {_sorted("s.srvoptions")},
       pg_get_userbyid(s.srvowner)::text, obj_description(s.oid, 'pg_foreign_server')
FROM pg_foreign_server AS s JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
WHERE {not_of_extension("pg_foreign_server", "s")}
UNION ALL
SELECT 'user mapping', '', concat(CASE WHEN m.umuser = 0 THEN 'PUBLIC' ELSE m.usename END, ' on ', m.srvname),
       NULL, NULL, NULL, {_sorted("m.umoptions")}, NULL, NULL
FROM pg_user_mappings AS m
ORDER BY 1, 3
"""

_SETTINGS = f"""
SELECT 'setting' AS kind, {_WHOLE}, {_NO_PARENT}, NULL AS definition, NULL AS owner, NULL AS comment,
       concat(split_part(o.option, '=', 1), ' of ',
              CASE WHEN s.setrole = 0 THEN 'the database' ELSE pg_get_userbyid(s.setrole)::text END) AS name,
       ARRAY[o.option] AS options
FROM pg_db_role_setting AS s CROSS JOIN LATERAL unnest(s.setconfig) AS o (option)
WHERE s.setdatabase = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
ORDER BY name
"""

_SECURITY_LABELS = f"""
SELECT 'security label' AS kind, {_WHOLE}, {_NO_PARENT}, NULL AS owner, NULL AS comment, l.label AS definition,
       concat(pg_describe_object(l.classoid, l.objoid, l.objsubid), ' for ', l.provider) AS name
FROM pg_seclabel AS l
ORDER BY name
"""

_LARGE_OBJECTS = "SELECT count(*) AS count FROM pg_largeobject_metadata"


def _add_large_objects(rows: Rows, reading: Reading) -> None:
    count = rows[0]["count"]
    if count:
        reading.catalog.objects.append(
            {"kind": "large objects", "schema": "", "name": "large objects", "definition": f"count {count}"}
        )
        reading.leave_out("content of large objects", f"they are counted ({count}), not read")


DATABASE_PARTS = (
    objects("schemas and extensions", _SCHEMAS),
    objects(
        "publications",
        _PUBLICATIONS,
        {"generated": (18, "'generated columns ' || nullif(p.pubgencols::text, 'n')", "NULL")},
    ),
    objects(
        "subscriptions",
        _SUBSCRIPTIONS,
        {"origin": (16, "'origin ' || s.suborigin, CASE WHEN s.subrunasowner THEN 'run as owner' END", "NULL")},
    ),
    objects("event triggers", _EVENT_TRIGGERS),
    objects("foreign servers and user mappings", _FOREIGN_SERVERS),
    objects("settings", _SETTINGS),
    objects("security labels", _SECURITY_LABELS),
    Part("large objects", _LARGE_OBJECTS, _add_large_objects),
)
