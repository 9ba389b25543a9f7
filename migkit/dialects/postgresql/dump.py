"""The schema as pg_dump writes it, at the instant of a capture.

pg_dump puts a comment before each entry that says what it is and whose. An entry, not a statement, is the unit here:
what belongs to a thing stays with it, and nothing has to be parsed that only PostgreSQL can parse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection

from migkit.bookkeeping import MARKER_COLUMN, journal_tables
from migkit.dialects.postgresql.catalog_parts import stable
from migkit.dialects.postgresql.session import SHARED_SNAPSHOT
from migkit.dialects.postgresql.sql import execute, literal, quote
from migkit.dialects.postgresql.tools import Tool, client_tool, environment, workspace
from migkit.dialects.schema_dump import DumpProcess, ReadDump, SchemaDump
from migkit.errors import CloneFailed, UnsupportedFeature

_LOCK_PATIENCE_MS = 5000
# pg_dump locks every table it describes; beyond this share, everybody else could be left without room.
_SHARE_OF_LOCKS = 0.8

# What constants in definitions are written by, and pg_dump leaves as the user has it.
_SETTINGS = {
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "lc_monetary": "C",
    "quote_all_identifiers": "off",
}

_FACTS = """
SELECT current_setting('server_version_num')::int / 10000,
       current_setting('max_locks_per_transaction')::int
           * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int),
       (SELECT count(*) FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p'))
"""
_JOURNAL = """
SELECT n.nspname::text, c.relname::text, a.attname::text
  FROM pg_catalog.pg_attribute AS a
  JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE a.attname = {marker} AND c.relname LIKE '%migration\\_log%'
"""


@contextmanager
def schema_dump(connection: Connection, schemas: Sequence[str] | None) -> Iterator[ReadDump]:
    """Let pg_dump write the schema down, on the snapshot that `connection` shares.

    Raises
    ------
    UnsupportedFeature
        If the session shares no snapshot, no fitting pg_dump is installed, or the server has too few locks for it.
    """
    snapshot = connection.get_execution_options().get(SHARED_SNAPSHOT)
    if snapshot is None:
        # Without it, nothing would say that pg_dump looks at the same server.
        raise UnsupportedFeature("the server does not share its snapshot with pg_dump")
    release, locks, tables = execute(connection, _FACTS).one()
    if tables > locks * _SHARE_OF_LOCKS:
        raise UnsupportedFeature(f"pg_dump would lock {tables:,} tables, and the server has room for {locks:,} locks")
    tool = _tool(release)
    own = execute(connection, _JOURNAL.format(marker=literal(MARKER_COLUMN)))
    arguments = [
        "--schema-only",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={_LOCK_PATIENCE_MS}",
        "--encoding=UTF8",
        # They hold passwords; the catalog tells the rest of them.
        "--no-subscriptions",
        *(["--no-statistics"] if tool.release >= 18 else []),
        *(f"--exclude-table={quote(*name)}" for name in sorted(journal_tables(map(tuple, own)))),
        *(f"--schema={quote(name)}" for name in schemas or ()),
    ]
    with workspace() as folder, DumpProcess(_command(tool, arguments), _environment(connection, folder)) as process:
        yield lambda: _read(process.text(), release, schemas)


def _tool(release: int) -> Tool:
    try:
        return client_tool("pg_dump", source_release=release)
    except CloneFailed as error:
        raise UnsupportedFeature(f"no pg_dump of release {release} or later is installed") from error


def _command(tool: Tool, arguments: Sequence[str]) -> list[str]:
    return [str(tool.path), "--dbname=service=migkit", "--no-password", *arguments]


def _environment(connection: Connection, folder: Path) -> dict[str, str]:
    """Return the environment that leads to the same database, with settings of our own behind the user's."""
    url: URL = connection.engine.url
    given = url.query.get("options")
    if given is None:
        return environment(url, folder, _SETTINGS)
    # What a URL says counts for more than the environment.
    settings = (f"-c {name}={value}" for name, value in _SETTINGS.items())
    options = " ".join([*((given,) if isinstance(given, str) else given), *settings])
    return environment(url.update_query_dict({"options": options}), folder)


# --- reading what it wrote ------------------------------------------------------------------------------------------

# The settings before an entry's comment are part of it: pg_dump writes them where they differ from the entry before.
_ENTRY = re.compile(
    r"^(?:SET default_tablespace = .*;\n\n)?(?:SET default_table_access_method = (?P<method>.*);\n\n)?"
    r"--\n-- Name: (?P<name>.*); Type: (?P<type>[^;\n]*); Schema: (?P<schema>.*); Owner: (?P<owner>.*)\n--\n\n",
    re.MULTILINE,
)
_VERSION = re.compile(r"^-- Dumped by pg_dump version (\S+)", re.MULTILINE)
_END = re.compile(r"^--\n-- PostgreSQL database dump complete\n--\n.*\Z", re.MULTILINE | re.DOTALL)
_STRING = re.compile(r"E?'(?:[^']|'')*'")

# Since PostgreSQL 18, NOT NULL has a name, which a restore may choose anew.
_NAME_OF_NOT_NULL = re.compile(r' CONSTRAINT (?:"(?:[^"]|"")+"|[\w$]+) NOT NULL\b')

_WITH_METHOD = ("TABLE", "MATERIALIZED VIEW")
_WITH_SECRETS = ("USER MAPPING", "SERVER", "FOREIGN TABLE")
# Privileges were given in some order, and mean the same in any.
_WITHOUT_ORDER = ("ACL", "DEFAULT ACL")


def _read(text: str, release: int, schemas: Sequence[str] | None) -> SchemaDump:
    version = _VERSION.search(text)
    made_by = f"pg_dump {version[1] if version else 'of an unknown version'} of PostgreSQL {release}"
    if schemas:
        made_by += f", schemas {', '.join(sorted(schemas))}"
    return SchemaDump.of(made_by, _entries(text))


def _entries(text: str) -> Iterator[tuple[str, str]]:
    r"""Return each entry with what it is called.

    >>> text = "--\n-- Name: t; Type: TABLE; Schema: s; Owner: o\n--\n\nCREATE TABLE s.t ();\n"
    >>> list(_entries(text))
    [('TABLE s.t', 'o\nCREATE TABLE s.t ();')]
    """
    text = _END.sub("", text)
    found = list(_ENTRY.finditer(text))
    ends = [*(entry.start() for entry in found[1:]), len(text)]
    method = ""
    for entry, end in zip(found, ends[: len(found)], strict=True):
        method = entry["method"] or method
        kind, schema = entry["type"], "" if entry["schema"] == "-" else f"{entry['schema']}."
        used = [f"USING {method}"] if method and kind in _WITH_METHOD else []
        body = _normal(kind, text[entry.end() : end].strip())
        yield f"{kind} {schema}{entry['name']}", "\n".join([entry["owner"], *used, body])


def _normal(kind: str, body: str) -> str:
    if kind in _WITHOUT_ORDER:
        return "\n".join(sorted(body.splitlines()))
    if kind in _WITH_SECRETS:
        return _STRING.sub("'…'", body)
    return stable(_NAME_OF_NOT_NULL.sub(" NOT NULL", body) if kind == "TABLE" else body)
