"""Databases by name: aliases of ``migkit.toml``, the sections of JupySQL's connections file, what ``%sql`` has open."""

from __future__ import annotations

import configparser
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError

from migkit.config import load_config
from migkit.database import Database, connect
from migkit.errors import ConfigError

# Where JupySQL looks unless %config SqlMagic.dsn_filename says otherwise.
JUPYSQL_FILE = "~/.jupysql/connections.ini"


def database_names(shell: Any) -> list[str]:
    """Return every name a database can be called by."""
    return list(dict.fromkeys([*load_config().databases, *_sections(shell), *_open_in_jupysql(), "embedded"]))


def named_database(name: str, shell: Any) -> Database:
    """Reach a database by an alias, a URL, a section or an open connection of JupySQL, or a variable that holds one.

    Parameters
    ----------
    name : str
        ``staging``, ``sqlite:///app.db``, ``[section]`` as JupySQL writes it, or the name of a variable.
    shell : InteractiveShell
        The shell; its settings say where JupySQL's file lies.

    Raises
    ------
    ConfigError
        If nothing is called so, or a section is no connection.
    """
    held = shell.user_ns.get(name)
    if isinstance(held, Database):
        return held
    config = load_config()
    section = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    if (section != name or name not in config.databases) and section in _sections(shell):
        return connect(_section_url(section, shell), config=config)
    if name not in config.databases and name in (held_open := _open_in_jupysql()):
        return connect(held_open[name], config=config)
    return connect(name, config=config)


def _open_in_jupysql() -> dict[str, Engine]:
    """Return what ``%sql URL --alias NAME`` has opened in this kernel, by alias."""
    manager = getattr(sys.modules.get("sql.connection"), "ConnectionManager", None)
    found = {}
    for alias, one in getattr(manager, "connections", {}).items():
        connection = getattr(one, "connection_sqlalchemy", None)
        # Connections of other kinds are no business of SQLAlchemy; those without an alias are called by their URL.
        if isinstance(connection, Connection) and "://" not in alias:
            found[alias] = connection.engine
    return found


def _file(shell: Any) -> Path:
    magic = shell.magics_manager.registry.get("SqlMagic")
    configured = getattr(magic, "dsn_filename", None) or shell.config.get("SqlMagic", {}).get("dsn_filename")
    return Path(configured if isinstance(configured, str) else JUPYSQL_FILE).expanduser()


def _read(shell: Any) -> configparser.ConfigParser:
    # As JupySQL reads it, but for passwords that hold a per cent sign.
    parser = configparser.ConfigParser(interpolation=None)
    path = _file(shell)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        raise ConfigError("This is no connections file of JupySQL", where=str(path)) from None
    return parser


def _sections(shell: Any) -> list[str]:
    return _read(shell).sections()


def _section_url(section: str, shell: Any) -> URL:
    given: dict[str, Any] = dict(_read(shell).items(section))
    query = given.pop("query", None)
    try:
        port = int(given.pop("port")) if given.get("port") else None
        url = URL.create(**given, port=port)
    except (TypeError, ValueError, ArgumentError) as error:
        raise ConfigError(
            f"The section [{section}] is no connection: {error}",
            where=str(_file(shell)),
            next_step="It needs drivername, and may have username, password, host, port, database, query.",
        ) from None
    return url.update_query_string(query) if query else url
