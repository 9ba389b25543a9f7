"""The schema as mysqldump or mariadb-dump writes it.

The tools cannot join a snapshot, and need not: every DDL statement commits at once, and is seen at once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from sqlalchemy import URL, Connection

from migkit.bookkeeping import MARKER_COLUMN, journal_tables
from migkit.dialects.mysql.sql import literal, rows, scalar
from migkit.dialects.schema_dump import DumpProcess, ReadDump, SchemaDump
from migkit.errors import UnsupportedFeature

_ARGUMENTS = (
    "--no-data",
    "--routines",
    "--triggers",
    "--events",
    "--no-tablespaces",
    "--skip-lock-tables",
    "--skip-dump-date",
    "--skip-add-drop-table",
    "--default-character-set=utf8mb4",
)
# MariaDB's has no such options: it writes neither.
_MYSQL_ARGUMENTS = ("--skip-column-statistics", "--set-gtid-purged=OFF")
_ENCRYPTION = {"ssl_ca": "--ssl-ca", "ssl_cert": "--ssl-cert", "ssl_key": "--ssl-key"}
_JOURNAL = """
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS
 WHERE COLUMN_NAME = {marker} AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
"""


@contextmanager
def schema_dump(connection: Connection, schemas: Sequence[str] | None, *, mariadb: bool) -> Iterator[ReadDump]:
    """Let the server's own tool write the schema down.

    Raises
    ------
    UnsupportedFeature
        If it is not installed; the tool of the other server does not know everything that this one can do.
    """
    tool = _tool(mariadb)
    database = str(scalar(connection, "SELECT DATABASE()") or "")
    wanted = [database if name == "" else name for name in schemas or ("",)]
    journal = journal_tables((str(a), str(b), str(c)) for a, b, c in _marked(connection))
    command = [
        tool,
        # What is in the user's own files is for other uses, a password least of all.
        "--no-defaults",
        *connection_arguments(connection.engine.url),
        *_ARGUMENTS,
        *(() if mariadb else _MYSQL_ARGUMENTS),
        *(f"--ignore-table={schema}.{table}" for schema, table in sorted(journal)),
        *(["--databases", "--", *wanted] if len(wanted) > 1 else ["--", *wanted]),
    ]
    variables = dict(os.environ)
    password = connection.engine.url.password
    variables.pop("MYSQL_PWD", None)
    if password:
        variables["MYSQL_PWD"] = str(password)
    with DumpProcess(command, variables) as process:
        yield lambda: _read(process.text(), database, wanted)


def _marked(connection: Connection) -> list[tuple[object, ...]]:
    return rows(connection, _JOURNAL.format(marker=literal(MARKER_COLUMN)))


def _tool(mariadb: bool) -> str:
    names = ("mariadb-dump", "mysqldump") if mariadb else ("mysqldump",)
    for name in names:
        path = shutil.which(name)
        if path is not None and _is_mariadbs(path) == mariadb:
            return path
    owner = "MariaDB" if mariadb else "MySQL"
    raise UnsupportedFeature(f"{owner}'s own {names[0]} is not on the PATH")


@lru_cache
def _is_mariadbs(path: str) -> bool | None:
    """Tell whose tool it is; ``None`` if it does not run."""
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return "mariadb" in said.lower()


def connection_arguments(url: URL) -> Iterator[str]:
    """Return how a tool reaches a server; a password is no part of it."""
    socket = url.query.get("unix_socket")
    if socket:
        yield f"--socket={socket}"
    else:
        # These tools take "localhost" for a socket, PyMySQL does not.
        yield from ("--protocol=tcp", f"--host={url.host or 'localhost'}", f"--port={url.port or 3306}")
    if url.username:
        yield f"--user={url.username}"
    for name, argument in _ENCRYPTION.items():
        if name in url.query:
            yield f"{argument}={url.query[name]}"


# --- reading what it wrote --------------------------------------------------------------------------------------------

_TOOL_VERSION = re.compile(r"^-- (\w+) dump .*Distrib ([^\s,]+)", re.MULTILINE)
_SERVER_RELEASE = re.compile(r"^-- Server version\s+(\d+\.\d+)", re.MULTILINE)
_DELIMITER = re.compile(r"DELIMITER (\S+)\s*")
# Settings, placeholders for views, and the values of sequences.
_NOISE = re.compile(
    r"(?:/\*!\d+ *)?(?:SET|DROP|USE|CREATE VIEW|CREATE DATABASE|DO SETVAL|SELECT SETVAL)\b", re.IGNORECASE
)
_KIND_AND_NAME = re.compile(
    r"\b(TABLE|VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT|SEQUENCE|PACKAGE(?: BODY)?)\s+(`(?:[^`]|``)*`|[^\s(]+)",
    re.IGNORECASE,
)
_ADVANCES = re.compile(r" AUTO_INCREMENT=\d+")
# The server writes them where they were once given, also where they go without saying.
_IMPLIED = re.compile(r" (?:(?:CHARACTER SET|COLLATE) \w+|USING BTREE\b)")


def _read(text: str, database: str, wanted: Sequence[str]) -> SchemaDump:
    tool, server = _TOOL_VERSION.search(text), _SERVER_RELEASE.search(text)
    made_by = f"{tool[1]} dump {tool[2]}" if tool else "a dump of an unknown version"
    made_by += f" of server {server[1]}" if server else ""
    if wanted != [database]:
        made_by += f", databases {', '.join(sorted(wanted))}"
    own_name = f"`{database.replace('`', '``')}`"
    # Around routines that were made under another collation, the tools write ALTER DATABASE with the name.
    texts = (
        one.replace(f"{own_name}.", "").replace(f"ALTER DATABASE {own_name} ", "ALTER DATABASE ")
        for one in _statements(text)
    )
    normal = (_normal(one) for one in texts)
    return SchemaDump.of(made_by, ((_head(statement), statement) for statement in normal))


def _statements(text: str) -> Iterator[str]:
    r"""Cut a dump into statements, leaving out those that make nothing.

    >>> list(_statements("-- a\n\n-- b\nSET x = 1;\nCREATE TABLE `t` (\n  `a;` int\n);\nDELIMITER ;;\nCREATE f\n;;\n"))
    ['CREATE TABLE `t` (\n  `a;` int\n)', 'CREATE f']
    """
    delimiter, lines = ";", list[str]()
    for line in text.splitlines():
        changed = None if lines else _DELIMITER.fullmatch(line)
        if changed:
            delimiter = changed[1]
        elif lines or (line.strip() and not line.startswith(("--", "/*M!"))):
            lines.append(line)
            if line.rstrip().endswith(delimiter):
                statement = "\n".join(lines).strip().removesuffix(delimiter).strip()
                lines = []
                if not _NOISE.match(statement):
                    yield statement


def _normal(statement: str) -> str:
    """Take out of a table what is no part of its definition: counters, and the order in which keys were added."""
    lines = statement.splitlines()
    if not statement.startswith("CREATE TABLE") or ")" not in (line[:1] for line in lines):
        return statement
    end = next(index for index, line in enumerate(lines) if line.startswith(")"))
    body = sorted(_IMPLIED.sub("", line.strip().removesuffix(",")) for line in lines[1:end])
    return "\n".join([lines[0], *body, _ADVANCES.sub("", lines[end]), *lines[end + 1 :]])


def _head(statement: str) -> str:
    found = _KIND_AND_NAME.search(statement)
    return f"{found[1].upper()} {found[2].strip('`').replace('``', '`')}" if found else "a statement"
