"""``connect()``: from an alias, a URL or an Engine to a :class:`Database`, the noun every verb takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self
from urllib.parse import quote

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from migkit import embedded
from migkit.config import Config, DatabaseConfig, load_config
from migkit.dialects import dialect_for
from migkit.dialects.base import Dialect
from migkit.dialects.places import Place
from migkit.display.card import Card
from migkit.display.results import DrawnInNotebooks, database_card
from migkit.errors import ConfigError, MigkitError
from migkit.redaction import MASK, redact_url, register_secret

_SECRET_QUERY_KEYS = ("password", "passwd", "sslpassword", "passphrase", "token", "secret")


@dataclass(frozen=True, eq=False, repr=False)
class Database(DrawnInNotebooks):
    """A database migkit can reach.

    Attributes
    ----------
    name : str
        The alias, or what the URL calls it.
    url : str
        The URL without secrets.
    engine : sqlalchemy.Engine
        For your own queries.
    dialect : Dialect
        What migkit knows about the engine.
    server : str
        The server's version, as it tells it.
    protected : bool
        Changes need confirmation.
    schemas : tuple of str or None
        The schemas that captures look at; ``None`` means all.
    clone_into : URL or str or None
        The server that clones and empty copies are made on; ``None`` leaves it to the engine.
    """

    name: str
    url: str
    engine: Engine
    dialect: Dialect
    server: str
    protected: bool = False
    schemas: tuple[str, ...] | None = None
    clone_into: URL | str | None = field(default=None, repr=False)
    _drop: Callable[[], None] | None = field(default=None, repr=False)

    @property
    def is_scratch(self) -> bool:
        """Whether migkit made this database and may drop it."""
        return self._drop is not None

    def drop(self) -> None:
        """Drop a scratch database, ending its sessions.

        Raises
        ------
        ConfigError
            If migkit did not make this database.
        """
        if self._drop is None:
            raise ConfigError(
                f"{self.name} was not made by migkit, so migkit does not drop it",
                next_step="Only databases returned by mk.clone() can be dropped.",
            )
        self.close()
        self._drop()

    def close(self) -> None:
        """Close pooled connections; the database can still be used afterwards."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_scratch:
            self.drop()
        else:
            self.close()

    def card(self) -> Card:
        """Return what the database shows of itself in a notebook."""
        return database_card(self)

    def __repr__(self) -> str:
        marks = "".join([", protected" if self.protected else "", ", scratch" if self.is_scratch else ""])
        return f"<Database {self.name}: {self.server} at {self.url}{marks}>"


def connect(target: str | URL | Engine | Database, *, config: Config | None = None) -> Database:
    """Reach a database.

    Parameters
    ----------
    target : str, URL, Engine or Database
        An alias from ``migkit.toml``, a database URL, a SQLAlchemy engine, or ``"embedded"`` for the private
        PostgreSQL; ``"embedded:NAME"`` is a database of that name there.
    config : Config, optional
        Settings to look aliases up in; by default the nearest ``migkit.toml``.

    Returns
    -------
    Database
        The database, reached once to be sure that it answers.

    Raises
    ------
    ConfigError
        If an alias is unknown (the nearest one is named), or a URL cannot be read.
    ConnectionFailed
        If the server does not answer or refuses the credentials.

    Examples
    --------
    >>> connect("sqlite://").dialect.label
    'SQLite'
    """
    if isinstance(target, Database):
        return target
    config = config or load_config()
    if isinstance(target, Engine):
        return _reach(target.url, *_protection(target.url, config), config, engine=target)
    if isinstance(target, URL) or "://" in target:
        url = _parse(target)
        return _reach(url, *_protection(url, config), config)
    server, _, name = target.partition(":")
    if server == "embedded" and target not in config.databases:
        name = name or embedded.DEFAULT_DATABASE
        home = embedded.server_url()
        reached = _reach(dialect_for(home).ensure_database(home, name), DatabaseConfig(url=""), name, config)
        # Its socket lies somewhere else on every machine; this is what can be typed again.
        return replace(reached, url=f"embedded:{name}")
    entry = config.database(target)
    return _reach(_url_of(entry, target), entry, target, config)


@contextmanager
def reached(target: str | URL | Engine | Database, *, config: Config | None = None) -> Iterator[Database]:
    """Reach a database for the length of a ``with`` block.

    Parameters
    ----------
    target, config
        As for :func:`connect`.

    Yields
    ------
    Database
        The database. Sessions that were opened for an alias or a URL are closed at the end; those of an engine or a
        :class:`Database` belong to whoever made it.
    """
    db = connect(target, config=config)
    try:
        yield db
    finally:
        if not isinstance(target, Database | Engine):
            db.close()


def _resolve(value: str, alias: str) -> str:
    if not value.startswith("env:"):
        return value
    variable = value.removeprefix("env:")
    try:
        return os.environ[variable]
    except KeyError:
        raise ConfigError(
            f"The environment variable {variable} is not set",
            where=f"[databases.{alias}]",
            next_step=f"Set {variable}, then try again.",
        ) from None


def _url_of(entry: DatabaseConfig, alias: str) -> URL:
    url = _parse(_resolve(entry.url, alias))
    return url.set(password=_resolve(entry.password, alias)) if entry.password else url


def _clone_server(entry: DatabaseConfig, alias: str | None, config: Config) -> URL | str | None:
    """Return where clones go: the URL that an alias or the environment stands for."""
    if entry.clone_into is None or entry.clone_into.partition(":")[0] == "embedded":
        return entry.clone_into
    try:
        asked = _resolve(entry.clone_into, alias or "")
        url = _parse(asked) if "://" in asked else _url_of(config.database(asked), asked)
    except ConfigError:  # It is told to who makes a clone; all others do without.
        return entry.clone_into
    register_secrets(url)
    return url


def _protection(url: URL, config: Config) -> tuple[DatabaseConfig, str | None]:
    """Return the protected alias that leads to the same database, so that no other name leads past it."""
    protected = {alias: entry for alias, entry in config.databases.items() if entry.protected}
    place = dialect_for(url).place(url) if protected else None
    for alias, entry in protected.items():
        if place is not None and _place_of(entry, alias) == place:
            return entry, alias
    return DatabaseConfig(url=""), None


def _place_of(entry: DatabaseConfig, alias: str) -> Place | None:
    try:
        url = _parse(_resolve(entry.url, alias))
        return dialect_for(url).place(url)
    except MigkitError:  # An alias that leads nowhere is told when it is asked for.
        return None


def _parse(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _no_url(url, "Example: postgresql://user@host:5432/name") from None
    if "@" in (parsed.host or ""):
        register_secret(parsed.password)
        raise _no_url(url, 'Write "@" in a password as %40, and "/" as %2F.')
    return parsed


def _no_url(url: str | URL, next_step: str) -> ConfigError:
    return ConfigError("This is not a database URL", where=redact_url(str(url)), next_step=next_step)


def mask_url(url: URL) -> str:
    """Return a URL as text without secrets, neither in the user part nor in the query."""
    query = {key: MASK if _is_secret(key) else value for key, value in url.query.items()}
    # Rendering encodes the mask of a query value like any other.
    return url.set(query=query).render_as_string(hide_password=True).replace(quote(MASK), MASK)


def _is_secret(key: str) -> bool:
    return any(word in key.lower() for word in _SECRET_QUERY_KEYS)


def register_secrets(url: URL) -> None:
    """Have the secrets of a URL removed from every text."""
    register_secret(url.password)
    for key, value in url.query.items():
        if _is_secret(key):
            for one in (value,) if isinstance(value, str) else value:
                register_secret(one)


def _reach(
    url: URL, entry: DatabaseConfig, alias: str | None, config: Config, engine: Engine | None = None
) -> Database:
    register_secrets(url)
    clone_into = _clone_server(entry, alias, config)
    dialect = dialect_for(url)
    engine = engine or dialect.create_engine(url)
    try:
        with engine.connect() as connection:
            dialect = dialect.refined(connection)
            server = dialect.server_version(connection)
    except (SQLAlchemyError, OSError) as error:
        engine.dispose()
        raise dialect.explain_connect_error(error, url) from None
    return Database(
        name=alias or dialect.database_name(url),
        url=mask_url(url),
        engine=engine,
        dialect=dialect,
        server=server,
        protected=entry.protected,
        schemas=entry.schemas,
        clone_into=clone_into,
    )
