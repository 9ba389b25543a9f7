"""A database made like another one: what belongs to the database itself, and no dump of its content holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.postgresql.scratch import refused, server
from migkit.dialects.postgresql.session import is_permission_error
from migkit.dialects.postgresql.sql import execute, literal, quote
from migkit.dialects.postgresql.transfer import ROLES, create_roles
from migkit.errors import PermissionMissing, RestoreFailed

# A role or the server may have made reading the default; index builds are what restoring waits for.
WRITER_SETTINGS = {"maintenance_work_mem": "256MB", "default_transaction_read_only": "off", "statement_timeout": "0"}
# Fact under which roles that the server lacks are made, without the right to log in: on a server of migkit's own.
MAKE_ROLES = "make_roles"

_DATABASE = """
SELECT to_jsonb(d) - 'datacl' - 'datfrozenxid' - 'datminmxid' - 'oid' AS whole,
       pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
       pg_catalog.pg_get_userbyid(d.datdba)::text AS owner,
       (SELECT t.spcname::text FROM pg_catalog.pg_tablespace AS t WHERE t.oid = d.dattablespace) AS tablespace,
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
       d.datacl IS NOT NULL AS has_grants
  FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()
"""
_GRANTS = """
SELECT CASE WHEN a.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END,
       a.privilege_type::text, a.is_grantable
  FROM pg_catalog.pg_database AS d CROSS JOIN LATERAL aclexplode(d.datacl) AS a
 WHERE d.datname = current_database() ORDER BY 1 NULLS FIRST, 2
"""
_SETTINGS = """
SELECT CASE WHEN s.setrole = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(s.setrole)::text END,
       split_part(one, '=', 1), substr(one, strpos(one, '=') + 1)
  FROM pg_catalog.pg_db_role_setting AS s CROSS JOIN LATERAL unnest(s.setconfig) AS one
 WHERE s.setdatabase = (SELECT b.oid FROM pg_catalog.pg_database AS b WHERE b.datname = current_database())
"""
# What the locale columns of pg_database are called in CREATE DATABASE, by their provider.
_PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
# Settings that are lists of names, each written as a word of its own; pg_dump has the same list.
_LISTS = frozenset(
    (
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    )
)
_LIST_ITEM = re.compile(r'"((?:[^"]|"")*)"|([^,\s]+)')


def database_facts(connection: Connection) -> dict[str, Any]:
    """Return what makes the connected database, apart from what is in it, as JSON values."""
    row = execute(connection, _DATABASE).one()
    return {
        "whole": row.whole,
        "encoding": row.encoding,
        "owner": row.owner,
        "tablespace": row.tablespace,
        "comment": row.comment,
        "grants": [list(one) for one in execute(connection, _GRANTS)] if row.has_grants else None,
        "settings": [list(one) for one in execute(connection, _SETTINGS)],
        "roles": list(execute(connection, ROLES).scalars()),
    }


def create_stage(home: URL | None, name: str, facts: Mapping[str, Any]) -> URL:
    """Create an empty database with encoding and locale of the original.

    Raises
    ------
    PermissionMissing
        If the user may not create databases.
    RestoreFailed
        If there is no server to make it on.
    """
    if home is None:
        raise RestoreFailed("A database of PostgreSQL needs a server to be restored on")
    with server(home) as connection:
        try:
            options = " ".join(_options(connection, facts))
            execute(connection, f"CREATE DATABASE {quote(name)} TEMPLATE template0 {options}")
        except DBAPIError as error:
            if is_permission_error(error):
                raise PermissionMissing(
                    f"{home.username or 'The user'} may not create databases on this server",
                    where=name,
                    next_step="Give the right: ALTER ROLE … CREATEDB.",
                ) from error
            raise refused(error, name, home) from error
    return home.set(database=name)


def _options(connection: Connection, facts: Mapping[str, Any]) -> Iterator[str]:
    whole = facts["whole"]
    provider = whole["datlocprovider"]
    yield f"ENCODING {literal(facts['encoding'])}"
    yield f"LOCALE_PROVIDER {_PROVIDERS[provider]}"
    yield f"LC_COLLATE {literal(whole['datcollate'])} LC_CTYPE {literal(whole['datctype'])}"
    locale = whole.get("datlocale") or whole.get("daticulocale")
    if provider == "i":
        yield f"ICU_LOCALE {literal(locale)}"
        if whole.get("daticurules"):
            yield f"ICU_RULES {literal(whole['daticurules'])}"
    elif provider == "b":
        yield f"BUILTIN_LOCALE {literal(locale)}"
    known = set(execute(connection, "SELECT spcname::text FROM pg_catalog.pg_tablespace").scalars())
    if facts["tablespace"] in known:
        yield f"TABLESPACE {quote(facts['tablespace'])}"


def server_release(url: URL) -> int:
    """Return the major version of a server."""
    with server(url) as connection:
        return int(execute(connection, "SELECT current_setting('server_version_num')::int / 10000").scalar_one())


def require_roles(staged: URL, facts: Mapping[str, Any]) -> None:
    """Make sure that everybody who owns something exists, before anything is restored.

    Raises
    ------
    RestoreFailed
        If roles are missing, and may not be made here; names them.
    """
    wanted = [*facts.get("roles", ()), facts["owner"]]
    with server(staged) as connection:
        if facts.get(MAKE_ROLES):
            create_roles(connection, wanted)
        present = set(execute(connection, "SELECT rolname::text FROM pg_catalog.pg_roles").scalars())
    missing = sorted(set(wanted) - present)
    if missing:
        raise RestoreFailed(
            f"The server lacks the role{'s' if len(missing) > 1 else ''} {', '.join(missing)}, to whom things belong",
            next_step="Create them first: CREATE ROLE … (pg_dumpall --roles-only writes down those of a server).",
        )


def settle(staged: URL, facts: Mapping[str, Any]) -> None:
    """Give a filled database owner, grants, settings and comment of the original, and collect statistics."""
    name = quote(str(staged.database))
    with server(staged) as connection:
        execute(connection, "SET default_transaction_read_only = off")
        execute(connection, "ANALYZE")
        execute(connection, f"ALTER DATABASE {name} OWNER TO {quote(facts['owner'])}")
        if facts["grants"] is not None:
            for statement in _grants(name, facts["owner"], facts["grants"]):
                execute(connection, statement)
        if facts["comment"] is not None:
            execute(connection, f"COMMENT ON DATABASE {name} IS {literal(facts['comment'])}")
        execute(connection, f"ALTER DATABASE {name} CONNECTION LIMIT {int(facts['whole']['datconnlimit'])}")
        for role, setting, value in facts["settings"]:
            whose = f"ROLE {quote(role)} IN DATABASE {name}" if role else f"DATABASE {name}"
            execute(connection, f"ALTER {whose} SET {quote(*setting.split('.'))} TO {_value(setting, value)}")


def _grants(name: str, owner: str, grants: Sequence[Sequence[Any]]) -> Iterator[str]:
    yield f"REVOKE ALL ON DATABASE {name} FROM PUBLIC"
    yield f"REVOKE ALL ON DATABASE {name} FROM {quote(owner)}"
    for grantee, privilege, grantable in grants:
        to = "PUBLIC" if grantee is None else quote(grantee)
        option = " WITH GRANT OPTION" if grantable and grantee not in (None, owner) else ""
        yield f"GRANT {privilege} ON DATABASE {name} TO {to}{option}"


def _value(setting: str, value: str) -> str:
    """Write a setting's value: a list of names is not one text with commas in it.

    >>> _value("search_path", '"$user", public'), _value("work_mem", "8MB")
    ("'$user', 'public'", "'8MB'")
    """
    if setting.lower() not in _LISTS:
        return literal(value).strip()
    found = [quoted.replace('""', '"') if quoted else bare for quoted, bare in _LIST_ITEM.findall(value)]
    return ", ".join(literal(one).strip() for one in found) or "''"
