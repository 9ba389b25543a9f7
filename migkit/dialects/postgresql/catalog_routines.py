"""PostgreSQL's functions, procedures and aggregates, and what is made of them: operators, casts, conversions."""

from __future__ import annotations

from migkit.dialects.postgresql.catalog_parts import not_of_extension, objects

_NO_PARENT = "NULL AS parent_schema, NULL AS parent_table"
# Casts, languages and the like have no schema; the server's own have small object ids.
_MADE_BY_USERS = "oid >= 16384"


def _not_internal(catalog: str, alias: str) -> str:
    """Return the SQL condition that an object is no part of another, as a range type's constructors and casts are."""
    return (
        f"NOT EXISTS (SELECT FROM pg_depend AS part WHERE part.classid = '{catalog}'::regclass "
        f"AND part.objid = {alias}.oid AND part.deptype = 'i')"
    )


_FUNCTIONS = f"""
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind, n.nspname::text AS schema,
       concat(p.proname, '(', pg_get_function_identity_arguments(p.oid), ')') AS name, {_NO_PARENT},
       pg_get_functiondef(p.oid) AS definition, pg_get_userbyid(p.proowner)::text AS owner,
       obj_description(p.oid, 'pg_proc') AS comment, p.prosqlbody IS NULL AS verbatim
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.prokind <> 'a' AND p.pronamespace = ANY (%(schemas)s::oid[]) AND {not_of_extension("pg_proc", "p")}
  AND {_not_internal("pg_proc", "p")}
ORDER BY 1, 2, 3
"""

_AGGREGATES = f"""
SELECT 'aggregate' AS kind, n.nspname::text AS schema,
       concat(p.proname, '(', pg_get_function_identity_arguments(p.oid), ')') AS name, {_NO_PARENT},
       concat_ws(', ',
           'returns ' || format_type(p.prorettype, NULL),
           CASE a.aggkind WHEN 'o' THEN 'ordered set' WHEN 'h' THEN 'hypothetical set' END,
           'sfunc ' || a.aggtransfn::regprocedure::text, 'stype ' || format_type(a.aggtranstype, NULL),
           'sspace ' || nullif(a.aggtransspace, 0),
           'finalfunc ' || nullif(a.aggfinalfn::oid, 0)::regprocedure::text,
           CASE WHEN a.aggfinalextra THEN 'finalfunc_extra' END, 'finalfunc_modify ' || a.aggfinalmodify::text,
           'combinefunc ' || nullif(a.aggcombinefn::oid, 0)::regprocedure::text,
           'serialfunc ' || nullif(a.aggserialfn::oid, 0)::regprocedure::text,
           'deserialfunc ' || nullif(a.aggdeserialfn::oid, 0)::regprocedure::text,
           'initcond ' || quote_literal(a.agginitval),
           'msfunc ' || nullif(a.aggmtransfn::oid, 0)::regprocedure::text,
           'minvfunc ' || nullif(a.aggminvtransfn::oid, 0)::regprocedure::text,
           'mfinalfunc ' || nullif(a.aggmfinalfn::oid, 0)::regprocedure::text,
           'mstype ' || format_type(nullif(a.aggmtranstype, 0), NULL),
           'minitcond ' || quote_literal(a.aggminitval),
           'sortop ' || nullif(a.aggsortop, 0)::regoperator::text, 'parallel ' || p.proparallel::text
       ) AS definition,
       pg_get_userbyid(p.proowner)::text AS owner, obj_description(p.oid, 'pg_proc') AS comment
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace JOIN pg_aggregate AS a ON a.aggfnoid = p.oid
WHERE p.pronamespace = ANY (%(schemas)s::oid[]) AND {not_of_extension("pg_proc", "p")}
ORDER BY 2, 3
"""

_OPERATORS = f"""
SELECT 'operator' AS kind, n.nspname::text AS schema,
       concat(o.oprname, ' (', concat_ws(', ', format_type(nullif(o.oprleft, 0), NULL),
                                         format_type(nullif(o.oprright, 0), NULL)), ')') AS name, {_NO_PARENT},
       concat_ws(', ',
           'returns ' || format_type(nullif(o.oprresult, 0), NULL),
           'function ' || nullif(o.oprcode::oid, 0)::regprocedure::text,
           'commutator ' || nullif(o.oprcom, 0)::regoperator::text,
           'negator ' || nullif(o.oprnegate, 0)::regoperator::text,
           'restrict ' || nullif(o.oprrest::oid, 0)::regproc::text,
           'join ' || nullif(o.oprjoin::oid, 0)::regproc::text,
           CASE WHEN o.oprcanmerge THEN 'merges' END, CASE WHEN o.oprcanhash THEN 'hashes' END
       ) AS definition,
       pg_get_userbyid(o.oprowner)::text AS owner, obj_description(o.oid, 'pg_operator') AS comment
FROM pg_operator AS o JOIN pg_namespace AS n ON n.oid = o.oprnamespace
WHERE o.oprnamespace = ANY (%(schemas)s::oid[]) AND {not_of_extension("pg_operator", "o")}
ORDER BY 2, 3
"""

_OPERATOR_CLASSES = f"""
SELECT 'operator class' AS kind, n.nspname::text AS schema, o.opcname || ' using ' || m.amname AS name, {_NO_PARENT},
       concat_ws(', ',
           'type ' || format_type(o.opcintype, NULL), CASE WHEN o.opcdefault THEN 'default' END,
           'storage ' || format_type(nullif(o.opckeytype, 0), NULL),
           'family ' || quote_ident(fn.nspname) || '.' || quote_ident(f.opfname)
       ) AS definition,
       pg_get_userbyid(o.opcowner)::text AS owner, obj_description(o.oid, 'pg_opclass') AS comment
FROM pg_opclass AS o JOIN pg_namespace AS n ON n.oid = o.opcnamespace JOIN pg_am AS m ON m.oid = o.opcmethod
JOIN pg_opfamily AS f ON f.oid = o.opcfamily JOIN pg_namespace AS fn ON fn.oid = f.opfnamespace
WHERE o.opcnamespace = ANY (%(schemas)s::oid[]) AND {not_of_extension("pg_opclass", "o")}
UNION ALL
SELECT 'operator family', n.nspname::text, f.opfname || ' using ' || m.amname, NULL, NULL,
       concat_ws('; ', (
           SELECT string_agg(concat('operator ', y.amopstrategy, ' ', y.amopopr::regoperator::text,
                                    CASE WHEN y.amoppurpose = 'o' THEN ' for order by' END), '; '
                             ORDER BY y.amopstrategy, y.amopopr::regoperator::text COLLATE "C")
           FROM pg_amop AS y WHERE y.amopfamily = f.oid
       ), (
           SELECT string_agg(concat('function ', y.amprocnum, ' ', y.amproc::regprocedure::text), '; '
                             ORDER BY y.amprocnum, y.amproc::regprocedure::text COLLATE "C")
           FROM pg_amproc AS y WHERE y.amprocfamily = f.oid
       )),
       pg_get_userbyid(f.opfowner)::text, obj_description(f.oid, 'pg_opfamily')
FROM pg_opfamily AS f JOIN pg_namespace AS n ON n.oid = f.opfnamespace JOIN pg_am AS m ON m.oid = f.opfmethod
WHERE f.opfnamespace = ANY (%(schemas)s::oid[]) AND {not_of_extension("pg_opfamily", "f")}
ORDER BY 1, 2, 3
"""

_CASTS = f"""
SELECT 'cast' AS kind, '' AS schema,
       concat(format_type(c.castsource, NULL), ' as ', format_type(c.casttarget, NULL)) AS name, {_NO_PARENT},
       concat_ws(', ',
           (jsonb_build_object('f', 'with function', 'i', 'with inout', 'b', 'without function')
            ->> c.castmethod::text), nullif(c.castfunc, 0)::regprocedure::text,
           (jsonb_build_object('e', 'explicit', 'a', 'on assignment', 'i', 'implicit') ->> c.castcontext::text)
       ) AS definition, NULL AS owner, obj_description(c.oid, 'pg_cast') AS comment
FROM pg_cast AS c WHERE c.{_MADE_BY_USERS} AND {not_of_extension("pg_cast", "c")}
  AND {_not_internal("pg_cast", "c")}
UNION ALL
SELECT 'transform', '', concat('for ', format_type(t.trftype, NULL), ' language ', l.lanname), NULL, NULL,
       concat_ws(', ', 'from sql ' || nullif(t.trffromsql::oid, 0)::regprocedure::text,
                 'to sql ' || nullif(t.trftosql::oid, 0)::regprocedure::text),
       NULL, obj_description(t.oid, 'pg_transform')
FROM pg_transform AS t JOIN pg_language AS l ON l.oid = t.trflang
WHERE t.{_MADE_BY_USERS} AND {not_of_extension("pg_transform", "t")}
ORDER BY 1, 3
"""

_LANGUAGES = f"""
SELECT 'conversion' AS kind, n.nspname::text AS schema, c.conname::text AS name, {_NO_PARENT},
       concat_ws(' ', CASE WHEN c.condefault THEN 'default' END, pg_encoding_to_char(c.conforencoding), 'to',
                 pg_encoding_to_char(c.contoencoding), 'from', c.conproc::text) AS definition,
       pg_get_userbyid(c.conowner)::text AS owner, obj_description(c.oid, 'pg_conversion') AS comment
FROM pg_conversion AS c JOIN pg_namespace AS n ON n.oid = c.connamespace
WHERE c.connamespace = ANY (%(schemas)s::oid[]) AND {not_of_extension("pg_conversion", "c")}
UNION ALL
SELECT 'access method', '', m.amname::text, NULL, NULL,
       concat_ws(' ', CASE m.amtype WHEN 't' THEN 'table' ELSE 'index' END, 'handler', m.amhandler::text),
       NULL, obj_description(m.oid, 'pg_am')
FROM pg_am AS m WHERE m.{_MADE_BY_USERS} AND {not_of_extension("pg_am", "m")}
UNION ALL
SELECT 'language', '', l.lanname::text, NULL, NULL,
       concat_ws(' ', CASE WHEN l.lanpltrusted THEN 'trusted' END,
                 'handler ' || nullif(l.lanplcallfoid, 0)::regproc::text,
                 'inline ' || nullif(l.laninline, 0)::regproc::text,
                 'validator ' || nullif(l.lanvalidator, 0)::regproc::text),
       pg_get_userbyid(l.lanowner)::text, obj_description(l.oid, 'pg_language')
FROM pg_language AS l WHERE l.{_MADE_BY_USERS} AND {not_of_extension("pg_language", "l")}
ORDER BY 1, 2, 3
"""

ROUTINE_PARTS = (
    objects("functions and procedures", _FUNCTIONS),
    objects("aggregates", _AGGREGATES),
    objects("operators", _OPERATORS),
    objects("operator classes and families", _OPERATOR_CLASSES),
    objects("casts and transforms", _CASTS),
    objects("conversions, access methods and languages", _LANGUAGES),
)
