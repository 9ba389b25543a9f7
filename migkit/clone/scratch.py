"""``clone()``: a scratch copy of a database; the source is only read."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from migkit import embedded
from migkit.database import Database, mask_url, reached
from migkit.dialects.base import Dialect
from migkit.errors import CloneFailed, MigkitError
from migkit.ownership import scratch_name
from migkit.progress import SILENT, Progress
from migkit.stopping import Heeding


def clone(
    source: str | URL | Database,
    *,
    into: str | URL | Database | None = None,
    schema_only: bool = False,
    progress: Progress = SILENT,
) -> Database:
    """Copy a database into a scratch database of its own.

    The source is read in one snapshot and never written to. The copy is dropped by its :meth:`~Database.drop`, or at
    the end of a ``with`` block.

    Parameters
    ----------
    source : str, URL or Database
        What to copy.
    into : str, URL or Database, optional
        The server to make the copy on. By default the ``clone_into`` of the database's settings; without one,
        PostgreSQL is copied to the embedded server, MySQL and MariaDB next to their source, and SQLite to a temporary
        file. A copy of a copy lies next to it.
    schema_only : bool
        Copy no rows.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Database
        The copy.

    Raises
    ------
    CloneFailed
        If the copy cannot be made; nothing is left behind.
    PermissionMissing
        If the database user may not create databases there.
    """
    with reached(source) as db:
        return _clone(db, into, schema_only, progress)


def _clone(db: Database, into: str | URL | Database | None, schema_only: bool, progress: Progress) -> Database:
    dialect = db.dialect
    home = _home(db, into)
    name = scratch_name()
    progress.begin(f"Cloning {db.name}" if not schema_only else f"Copying the schema of {db.name}")
    # Known before it is made: Ctrl-C may come between the making and the answer.
    url = home.set(database=name) if home else None
    try:
        url = dialect.create_scratch(home, name)
        dialect.copy(db.engine.url, url, schema_only=schema_only, progress=Heeding(progress))
        return _as_database(db, dialect, url)
    except BaseException as error:
        if url is not None:
            _drop_quietly(dialect, url)
        if isinstance(error, SQLAlchemyError | OSError):
            raise CloneFailed(f"The clone failed: {error}", where=db.name) from error
        raise
    finally:
        progress.close()


def _home(db: Database, into: str | URL | Database | None) -> URL | None:
    into = db.clone_into if into is None else into
    if into is not None:
        with reached(into) as server:
            if type(server.dialect) is not type(db.dialect):
                raise CloneFailed(
                    f"A database of {db.dialect.label} cannot be copied to a server of {server.dialect.label}",
                    where=server.name,
                    next_step="Name a server of the same kind with into=…, or with clone_into in migkit.toml.",
                )
            return server.engine.url
    homes: dict[str, Callable[[], URL | None]] = {
        "embedded": embedded.server_url,
        "file": lambda: None,
        "server": lambda: db.engine.url,
    }
    return homes[db.dialect.scratch_home]()


def _as_database(source: Database, dialect: Dialect, url: URL) -> Database:
    engine = dialect.create_engine(url)
    with engine.connect() as connection:
        server = dialect.server_version(connection)
    return Database(
        name=f"clone of {source.name}",
        url=mask_url(url),
        engine=engine,
        dialect=dialect,
        server=server,
        schemas=source.schemas,
        # What was there for the source, an extension or a locale, is there for copies of the copy as well.
        clone_into=url if dialect.scratch_home == "embedded" else None,
        _drop=lambda: dialect.drop_scratch(url),
    )


def _drop_quietly(dialect: Dialect, url: URL) -> None:
    """Drop a half-made copy; the error that stopped it is the one to tell, not one of cleaning up."""
    try:
        dialect.drop_scratch(url)
    except (MigkitError, SQLAlchemyError, OSError):
        return
