"""Where a database is, to tell whether two URLs lead to the same one."""

from __future__ import annotations

from sqlalchemy import URL

Place = tuple[str, ...]
_THIS_MACHINE = ("", "localhost", "127.0.0.1", "::1")


def server_place(url: URL, default_port: int | None) -> Place:
    """Return where a server's database is, written alike for every URL that leads to it.

    User, driver and options do not count; a socket counts as this machine.
    """
    host = (url.host or _first(url, "host")).lower().rstrip(".")
    here = host in _THIS_MACHINE or host.startswith("/")
    port = str(url.port or _first(url, "port") or default_port)
    return "localhost" if here else host, port, url.database or _first(url, "dbname") or url.username or ""


def _first(url: URL, key: str) -> str:
    value = url.query.get(key, "")
    return value if isinstance(value, str) else value[0]
