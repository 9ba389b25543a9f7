"""What hangs on PostgreSQL's tables: views, triggers, rules, policies, sequences, statistics objects."""

from __future__ import annotations

from migkit.dialects.postgresql.catalog_parts import (
    Part,
    Reading,
    Rows,
    add_objects,
    not_of_extension,
    objects,
    relation_name,
)

_IN_SCHEMAS = "c.relnamespace = ANY (%(schemas)s::oid[]) AND c.relpersistence <> 't'"
_OF_TABLE = f"{_IN_SCHEMAS} AND {not_of_extension('pg_class', 'c')}"

_VIEWS = f"""
SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END AS kind,
       n.nspname::text AS schema, c.relname::text AS name, NULL AS parent_schema, NULL AS parent_table,
       concat(
           'WITH (' || CASE WHEN c.relkind = 'v' THEN (
               SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(c.reloptions) AS o
           ) END || ') ',
           pg_get_viewdef(c.oid),
           CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN ' WITH NO DATA' END
       ) AS definition,
       pg_get_userbyid(c.relowner)::text AS owner, obj_description(c.oid, 'pg_class') AS comment
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND {_OF_TABLE}
ORDER BY 1, 2, 3
"""

_ENABLED = "(jsonb_build_object('D', ' DISABLED', 'R', ' ENABLE REPLICA', 'A', ' ENABLE ALWAYS') ->> "

# A partition's copy of a trigger is shown only where somebody set it apart from the one it was copied from.
_TRIGGERS = f"""
SELECT 'trigger' AS kind, n.nspname::text AS schema, t.tgname || ' on ' || c.relname AS name,
       n.nspname::text AS parent_schema, c.relname::text AS parent_table,
       concat(pg_get_triggerdef(t.oid), {_ENABLED} t.tgenabled::text)) AS definition,
       NULL AS owner, obj_description(t.oid, 'pg_trigger') AS comment
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_trigger AS parent ON parent.oid = t.tgparentid
WHERE NOT t.tgisinternal AND (t.tgparentid = 0 OR parent.tgenabled IS DISTINCT FROM t.tgenabled) AND {_OF_TABLE}
ORDER BY 2, 3
"""

# Foreign keys are enforced by internal triggers, and DISABLE TRIGGER ALL reaches those too.
_INTERNAL_TRIGGERS = f"""
SELECT 'disabled foreign key' AS kind, n.nspname::text AS schema, k.conname || ' on ' || c.relname AS name,
       n.nspname::text AS parent_schema, c.relname::text AS parent_table,
       'triggers of the foreign key: '
           || string_agg(ltrim({_ENABLED} t.tgenabled::text)), ', ' ORDER BY t.tgtype, t.tgenabled) AS definition,
       NULL AS owner, NULL AS comment
FROM pg_trigger AS t
JOIN pg_constraint AS k ON k.oid = t.tgconstraint
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE t.tgisinternal AND k.contype = 'f' AND t.tgenabled <> 'O' AND {_OF_TABLE}
GROUP BY n.nspname, k.conname, c.relname
ORDER BY 2, 3
"""

_RULES = f"""
SELECT 'rule' AS kind, n.nspname::text AS schema, r.rulename || ' on ' || c.relname AS name,
       n.nspname::text AS parent_schema, c.relname::text AS parent_table,
       concat(pg_get_ruledef(r.oid), {_ENABLED} r.ev_enabled::text)) AS definition,
       NULL AS owner, obj_description(r.oid, 'pg_rewrite') AS comment
FROM pg_rewrite AS r
JOIN pg_class AS c ON c.oid = r.ev_class
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND {_OF_TABLE}
ORDER BY 2, 3
"""

_POLICIES = f"""
SELECT 'policy' AS kind, n.nspname::text AS schema, p.polname || ' on ' || c.relname AS name,
       n.nspname::text AS parent_schema, c.relname::text AS parent_table,
       concat_ws(' ',
           'AS ' || CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
           'FOR ' || (jsonb_build_object('r', 'SELECT', 'a', 'INSERT', 'w', 'UPDATE', 'd', 'DELETE', '*', 'ALL')
                      ->> p.polcmd::text),
           'TO ' || (SELECT string_agg(o.role, ', ' ORDER BY o.role COLLATE "C") FROM (
                         SELECT CASE WHEN r = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END
                         FROM unnest(p.polroles) AS r
                     ) AS o (role)),
           'USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
           'WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'
       ) AS definition,
       NULL AS owner, obj_description(p.oid, 'pg_policy') AS comment
FROM pg_policy AS p
JOIN pg_class AS c ON c.oid = p.polrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE {_OF_TABLE}
ORDER BY 2, 3
"""

# pg_sequence_last_value() knows no value before the first nextval(), though setval(…, false) may have moved it, so the
# sequence itself is asked. ts_stat() is the one function of every build and version that runs a query given as text:
# that keeps this one query, however many sequences there are.
_LAST_VALUE = """
LEFT JOIN LATERAL ts_stat(
    CASE WHEN has_sequence_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
              AND NOT (c.relpersistence = 'u' AND pg_is_in_recovery())
         THEN 'SELECT array_to_tsvector(ARRAY[last_value || CASE WHEN is_called THEN '''' '
              || 'ELSE '' (not used yet)'' END]) FROM ' || c.oid::regclass
         ELSE 'SELECT ''''::tsvector' END
) AS now ON true
"""

_SEQUENCES = f"""
SELECT 'sequence' AS kind, n.nspname::text AS schema, c.relname::text AS name,
       tn.nspname::text AS parent_schema, tc.relname::text AS parent_table,
       concat_ws(' ',
           CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED' END,
           'AS', format_type(s.seqtypid, NULL), 'START', s.seqstart, 'INCREMENT', s.seqincrement,
           'MINVALUE', s.seqmin, 'MAXVALUE', s.seqmax, 'CACHE', s.seqcache,
           CASE WHEN s.seqcycle THEN 'CYCLE' END,
           CASE d.deptype WHEN 'i' THEN 'IDENTITY OF ' WHEN 'a' THEN 'OWNED BY ' END
               || quote_ident(tn.nspname) || '.' || quote_ident(tc.relname) || '.' || quote_ident(a.attname)
       ) AS definition,
       pg_get_userbyid(c.relowner)::text AS owner, obj_description(c.oid, 'pg_class') AS comment,
       now.word AS value
FROM pg_sequence AS s
JOIN pg_class AS c ON c.oid = s.seqrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
     AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
LEFT JOIN pg_class AS tc ON tc.oid = d.refobjid
LEFT JOIN pg_namespace AS tn ON tn.oid = tc.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
{_LAST_VALUE}
WHERE {_OF_TABLE}
ORDER BY 2, 3
"""

_STATISTICS = f"""
SELECT 'statistics' AS kind, n.nspname::text AS schema, s.stxname::text AS name,
       tn.nspname::text AS parent_schema, c.relname::text AS parent_table,
       concat_ws(' ', pg_get_statisticsobjdef(s.oid), 'STATISTICS ' || nullif(s.stxstattarget, -1)) AS definition,
       pg_get_userbyid(s.stxowner)::text AS owner, obj_description(s.oid, 'pg_statistic_ext') AS comment
FROM pg_statistic_ext AS s
JOIN pg_namespace AS n ON n.oid = s.stxnamespace
JOIN pg_class AS c ON c.oid = s.stxrelid
JOIN pg_namespace AS tn ON tn.oid = c.relnamespace
WHERE {_OF_TABLE}
ORDER BY 2, 3
"""


def _add_sequences(rows: Rows, reading: Reading) -> None:
    add_objects(rows, reading)
    for row in rows:
        if row["value"] is None:
            name = relation_name(row["schema"], row["name"])
            reading.leave_out(f"value of sequence {name}", "the session may not read the sequence")


ATTACHED_PARTS = (
    objects("views", _VIEWS),
    objects("triggers", _TRIGGERS),
    objects("disabled foreign keys", _INTERNAL_TRIGGERS),
    objects("rules", _RULES),
    objects("policies", _POLICIES),
    Part("sequences", _SEQUENCES, _add_sequences),
    objects("statistics objects", _STATISTICS),
)
