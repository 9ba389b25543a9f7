"""One package per engine; nothing outside this room compares an engine's name or type."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import URL

from migkit.dialects.base import Dialect
from migkit.dialects.mariadb import MariaDB
from migkit.dialects.mysql import MySQL
from migkit.dialects.postgresql import PostgreSQL
from migkit.dialects.sqlite import SQLite
from migkit.errors import UnsupportedFeature

_BACKENDS: dict[str, Callable[[], Dialect]] = {
    "postgresql": PostgreSQL,
    "postgres": PostgreSQL,
    "mysql": MySQL,
    "mariadb": MariaDB,
    "sqlite": SQLite,
}


def known_dialects() -> dict[str, Dialect]:
    """Return one dialect per engine, by a name that URLs begin with."""
    return {backend: make() for make, backend in {make: backend for backend, make in _BACKENDS.items()}.items()}


def dialect_for(url: URL) -> Dialect:
    """Return the dialect that a database URL belongs to.

    Parameters
    ----------
    url : sqlalchemy.URL
        Any URL SQLAlchemy understands.

    Returns
    -------
    Dialect
        The engine's contract.

    Raises
    ------
    UnsupportedFeature
        For an engine migkit does not know.
    """
    backend = url.get_backend_name()
    try:
        return _BACKENDS[backend]()
    except KeyError:
        raise UnsupportedFeature(
            f"migkit does not know the engine {backend!r}",
            next_step=f"It knows {', '.join(sorted(_BACKENDS))}.",
        ) from None
