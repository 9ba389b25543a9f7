"""PostgreSQL's types (enums, domains, composite and range types, base types), collations and text search."""

from __future__ import annotations

from migkit.dialects.postgresql.catalog_parts import not_of_extension, objects

_IN_SCHEMAS = f"t.typnamespace = ANY (%(schemas)s::oid[]) AND {not_of_extension('pg_type', 't')}"
_OWNER_AND_COMMENT = "pg_get_userbyid(t.typowner)::text AS owner, obj_description(t.oid, 'pg_type') AS comment"
_NO_PARENT = "NULL AS parent_schema, NULL AS parent_table"
_NAMED = f"n.nspname::text AS schema, t.typname::text AS name, {_NO_PARENT}"

_ENUMS = f"""
SELECT 'enum' AS kind, {_NAMED},
       concat('(', (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                    FROM pg_enum AS e WHERE e.enumtypid = t.oid), ')') AS definition,
       {_OWNER_AND_COMMENT}
FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND {_IN_SCHEMAS}
ORDER BY 2, 3
"""

_DOMAINS = f"""
SELECT 'domain' AS kind, {_NAMED},
       concat_ws(' ',
           format_type(t.typbasetype, t.typtypmod),
           CASE WHEN t.typcollation <> b.typcollation THEN 'COLLATE ' || t.typcollation::regcollation::text END,
           'DEFAULT ' || coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault),
           CASE WHEN t.typnotnull THEN 'NOT NULL' END,
           (SELECT string_agg(concat('CONSTRAINT ', quote_ident(k.conname), ' ', pg_get_constraintdef(k.oid),
                                     ' COMMENT ' || quote_literal(obj_description(k.oid, 'pg_constraint'))),
                              ' ' ORDER BY k.conname)
            FROM pg_constraint AS k WHERE k.contypid = t.oid AND k.contype <> 'n')
       ) AS definition,
       {_OWNER_AND_COMMENT}
FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace JOIN pg_type AS b ON b.oid = t.typbasetype
WHERE t.typtype = 'd' AND {_IN_SCHEMAS}
ORDER BY 2, 3
"""

_COMPOSITES = f"""
SELECT 'composite type' AS kind, {_NAMED},
       concat('(', (
           SELECT string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                      CASE WHEN a.attcollation <> y.typcollation
                           THEN 'COLLATE ' || a.attcollation::regcollation::text END,
                      'COMMENT ' || quote_literal(col_description(a.attrelid, a.attnum))), ', ' ORDER BY a.attnum)
           FROM pg_attribute AS a JOIN pg_type AS y ON y.oid = a.atttypid
           WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
       ), ')') AS definition,
       {_OWNER_AND_COMMENT}
FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace JOIN pg_class AS c ON c.oid = t.typrelid
WHERE t.typtype = 'c' AND c.relkind = 'c' AND {_IN_SCHEMAS}
ORDER BY 2, 3
"""

_RANGES = f"""
SELECT 'range type' AS kind, {_NAMED},
       concat_ws(', ',
           'subtype ' || format_type(r.rngsubtype, NULL),
           'operator class ' || quote_ident(cn.nspname) || '.' || quote_ident(o.opcname),
           CASE WHEN r.rngcollation <> s.typcollation THEN 'collation ' || r.rngcollation::regcollation::text END,
           CASE WHEN r.rngcanonical <> 0 THEN 'canonical ' || r.rngcanonical::regproc::text END,
           CASE WHEN r.rngsubdiff <> 0 THEN 'subtype_diff ' || r.rngsubdiff::regproc::text END,
           'multirange ' || format_type(r.rngmultitypid, NULL)
       ) AS definition,
       {_OWNER_AND_COMMENT}
FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
JOIN pg_range AS r ON r.rngtypid = t.oid
JOIN pg_type AS s ON s.oid = r.rngsubtype
JOIN pg_opclass AS o ON o.oid = r.rngsubopc
JOIN pg_namespace AS cn ON cn.oid = o.opcnamespace
WHERE {_IN_SCHEMAS}
ORDER BY 2, 3
"""

# Arrays come and go with their element type; a shell type (p) is a name without a type yet.
_BASE_TYPES = f"""
SELECT CASE WHEN t.typtype = 'p' THEN 'shell type' ELSE 'base type' END AS kind, {_NAMED},
       CASE WHEN t.typtype = 'b' THEN concat_ws(', ',
           'input ' || t.typinput::regproc::text, 'output ' || t.typoutput::regproc::text,
           'receive ' || nullif(t.typreceive::oid, 0)::regproc::text,
           'send ' || nullif(t.typsend::oid, 0)::regproc::text,
           'typmod_in ' || nullif(t.typmodin::oid, 0)::regproc::text,
           'typmod_out ' || nullif(t.typmodout::oid, 0)::regproc::text,
           'analyze ' || nullif(t.typanalyze::oid, 0)::regproc::text,
           'length ' || t.typlen, 'by value ' || t.typbyval, 'alignment ' || t.typalign::text,
           'storage ' || t.typstorage::text, 'category ' || t.typcategory::text, 'preferred ' || t.typispreferred,
           'delimiter ' || t.typdelim::text, 'default ' || t.typdefault,
           CASE WHEN t.typcollation <> 0 THEN 'collatable' END
       ) END AS definition,
       {_OWNER_AND_COMMENT}
FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
WHERE (t.typtype = 'b' AND t.oid NOT IN (SELECT e.typarray FROM pg_type AS e) OR t.typtype = 'p')
  AND {_IN_SCHEMAS}
ORDER BY 2, 3
"""

# The columns' names changed between versions: read by name from the row, whichever is there.
_COLLATIONS = f"""
SELECT 'collation' AS kind, n.nspname::text AS schema, c.collname::text AS name, {_NO_PARENT},
       concat_ws(', ',
           'provider ' || (jsonb_build_object('c', 'libc', 'i', 'icu', 'b', 'builtin', 'd', 'default')
                           ->> c.collprovider::text),
           'locale ' || coalesce(x.facts ->> 'colllocale', x.facts ->> 'colliculocale'),
           'lc_collate ' || c.collcollate, 'lc_ctype ' || c.collctype,
           'rules ' || (x.facts ->> 'collicurules'),
           CASE WHEN NOT c.collisdeterministic THEN 'nondeterministic' END
       ) AS definition,
       pg_get_userbyid(c.collowner)::text AS owner, obj_description(c.oid, 'pg_collation') AS comment
FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
CROSS JOIN LATERAL (SELECT to_jsonb(c)) AS x (facts)
WHERE c.collnamespace = ANY (%(schemas)s::oid[]) AND {not_of_extension("pg_collation", "c")}
ORDER BY 2, 3
"""

_TEXT_SEARCH = f"""
SELECT 'text search configuration' AS kind, n.nspname::text AS schema, c.cfgname::text AS name, {_NO_PARENT},
       concat_ws('; ', 'parser ' || quote_ident(pn.nspname) || '.' || quote_ident(p.prsname), (
           SELECT string_agg(concat(tok.alias, ' → ', m.dictionaries), '; ' ORDER BY m.maptokentype)
           FROM (
               SELECT y.maptokentype, string_agg(y.mapdict::regdictionary::text, ', ' ORDER BY y.mapseqno)
               FROM pg_ts_config_map AS y WHERE y.mapcfg = c.oid GROUP BY y.maptokentype
           ) AS m (maptokentype, dictionaries)
           JOIN ts_token_type(c.cfgparser) AS tok ON tok.tokid = m.maptokentype
       )) AS definition,
       pg_get_userbyid(c.cfgowner)::text AS owner, obj_description(c.oid, 'pg_ts_config') AS comment
FROM pg_ts_config AS c JOIN pg_namespace AS n ON n.oid = c.cfgnamespace
JOIN pg_ts_parser AS p ON p.oid = c.cfgparser JOIN pg_namespace AS pn ON pn.oid = p.prsnamespace
WHERE c.cfgnamespace = ANY (%(schemas)s::oid[]) AND {not_of_extension("pg_ts_config", "c")}
UNION ALL
SELECT 'text search dictionary', n.nspname::text, d.dictname::text, NULL, NULL,
       concat_ws('; ', 'template ' || quote_ident(tn.nspname) || '.' || quote_ident(t.tmplname), d.dictinitoption),
       pg_get_userbyid(d.dictowner)::text, obj_description(d.oid, 'pg_ts_dict')
FROM pg_ts_dict AS d JOIN pg_namespace AS n ON n.oid = d.dictnamespace
JOIN pg_ts_template AS t ON t.oid = d.dicttemplate JOIN pg_namespace AS tn ON tn.oid = t.tmplnamespace
WHERE d.dictnamespace = ANY (%(schemas)s::oid[]) AND {not_of_extension("pg_ts_dict", "d")}
UNION ALL
SELECT 'text search parser', n.nspname::text, p.prsname::text, NULL, NULL,
       concat_ws(', ', p.prsstart::text, p.prstoken::text, p.prsend::text, p.prsheadline::text, p.prslextype::text),
       NULL, obj_description(p.oid, 'pg_ts_parser')
FROM pg_ts_parser AS p JOIN pg_namespace AS n ON n.oid = p.prsnamespace
WHERE p.prsnamespace = ANY (%(schemas)s::oid[]) AND {not_of_extension("pg_ts_parser", "p")}
UNION ALL
SELECT 'text search template', n.nspname::text, t.tmplname::text, NULL, NULL,
       concat_ws(', ', t.tmplinit::text, t.tmpllexize::text), NULL, obj_description(t.oid, 'pg_ts_template')
FROM pg_ts_template AS t JOIN pg_namespace AS n ON n.oid = t.tmplnamespace
WHERE t.tmplnamespace = ANY (%(schemas)s::oid[]) AND {not_of_extension("pg_ts_template", "t")}
ORDER BY 1, 2, 3
"""

TYPE_PARTS = (
    objects("enums", _ENUMS),
    objects("domains", _DOMAINS),
    objects("composite types", _COMPOSITES),
    objects("range types", _RANGES),
    objects("base types", _BASE_TYPES),
    objects("collations", _COLLATIONS),
    objects("text search", _TEXT_SEARCH),
)
