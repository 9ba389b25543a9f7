"""Which write locks this process holds on which files, so that its own work can take one over without letting go."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from migkit.errors import RestoreFailed


class Standing(Protocol):
    """A write lock that is held."""

    def pause(self) -> None:
        """Let go of it."""

    def resume(self) -> None:
        """Take it again."""


_standing: dict[str, Standing] = {}


def stand(path: Path, lock: Standing) -> None:
    """Note that this process holds the write lock of a file."""
    _standing[str(path.resolve())] = lock


def leave(path: Path) -> None:
    """Note that it does no longer."""
    _standing.pop(str(path.resolve()), None)


@contextmanager
def taken_again(path: Path) -> Iterator[None]:
    """Take the write lock again at the end, where this process held it before."""
    lock = _standing.get(str(path.resolve()))
    try:
        yield
    finally:
        if lock is not None:
            lock.resume()


def lock_whole(session: sqlite3.Connection, path: Path) -> None:
    """Lock a file against everybody, taking over the write lock of this process if it holds one.

    Raises
    ------
    RestoreFailed
        If somebody else wrote in the instant between: what is about to replace the file would lose it.
    """
    lock = _standing.get(str(path.resolve()))
    # While the write lock is held, nobody else's commit can be missed.
    version = _version(session) if lock is not None else None
    if lock is not None:
        lock.pause()
    session.execute("BEGIN EXCLUSIVE")
    changed = lock is not None and _version(session) != version
    session.execute("COMMIT")
    if changed:
        raise RestoreFailed(
            "Somebody wrote at the last moment, and replacing the file would lose it",
            where=str(path),
            next_step="What was there still serves.",
        )


def _version(session: sqlite3.Connection) -> int:
    return int(session.execute("PRAGMA data_version").fetchone()[0])
