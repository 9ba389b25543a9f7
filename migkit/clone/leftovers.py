"""Scratch databases of processes that were killed: found by their names, and dropped."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from migkit import embedded
from migkit.database import Database, mask_url
from migkit.dialects import known_dialects
from migkit.dialects.base import Dialect
from migkit.errors import MigkitError
from migkit.ownership import Owner, owner_of


@dataclass(frozen=True)
class Leftover:
    """A scratch database whose process no longer lives, and what became of it.

    Attributes
    ----------
    name : str
        Its name on the server, or that of its file.
    place : str
        The server.
    trouble : str or None
        Why it was not dropped; ``None`` if it was.
    is_ours : bool
        A process of this machine made it. Nobody can tell whether those of others are still used.
    """

    name: str
    place: str
    trouble: str | None
    is_ours: bool


def drop_leftovers(databases: Collection[Database], needed: str) -> Iterator[Leftover]:
    """Drop what killed processes left on the servers of some databases, and where migkit makes scratch databases.

    Parameters
    ----------
    databases : collection of Database
        Their servers are looked at; without any, only the embedded server and SQLite's scratch folder.
    needed : str
        A text that holds the names of those which unfinished work still needs.

    Yields
    ------
    Leftover
        One per scratch database whose process is gone or not known.
    """
    trouble_at: list[Exception] = []
    for dialect, home in _homes(databases).values():
        for name in _listed(dialect, home, trouble_at):
            owner = owner_of(name)
            if owner is not Owner.ALIVE and name not in needed:
                trouble = _drop(dialect, dialect.stage_url(home, name)) if owner is Owner.GONE else None
                yield Leftover(name, f"{dialect.label} {mask_url(home)}", trouble, owner is Owner.GONE)
    # One server that cannot be looked at must not keep those of the others.
    if trouble_at:
        raise trouble_at[0]


def _listed(dialect: Dialect, home: URL, trouble: list[Exception]) -> list[str]:
    try:
        return dialect.list_scratch(home)
    except (MigkitError, SQLAlchemyError, OSError) as error:
        trouble.append(error)
        return []


def _homes(databases: Collection[Database]) -> dict[str, tuple[Dialect, URL]]:
    homes: dict[str, tuple[Dialect, URL]] = {}
    for db in databases:
        for url in (db.engine.url, db.clone_into):
            if isinstance(url, URL) and url.get_backend_name() == db.engine.url.get_backend_name():
                homes[_server(db.dialect, url)] = db.dialect, url
    for backend, dialect in known_dialects().items():
        if dialect.scratch_home == "file":
            url = URL.create(backend)
            homes.setdefault(_server(dialect, url), (dialect, url))
        elif dialect.scratch_home == "embedded" and embedded.is_set_up():
            url = embedded.server_url()
            homes.setdefault(_server(dialect, url), (dialect, url))
    return homes


def _server(dialect: Dialect, url: URL) -> str:
    return f"{dialect.label} {'' if dialect.scratch_home == 'file' else url.set(database='')}"


def _drop(dialect: Dialect, url: URL) -> str | None:
    try:
        dialect.drop_scratch(url)
    except MigkitError as error:
        return str(error)
    except (SQLAlchemyError, OSError) as error:
        return dialect.explain_error(error)
    return None
