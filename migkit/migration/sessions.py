"""The one session a migration runs in, and the thread it runs in."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from migkit.database import Database
from migkit.errors import UnsupportedFeature

OURS = "migkit"
"""The execution option that tells migkit's engines from a project's own."""

T = TypeVar("T")


@contextmanager
def session_engine(db: Database) -> Iterator[Engine]:
    """Open an engine whose connections all share one session: whoever asks for a connection gets *the* session.

    Parameters
    ----------
    db : Database
        The database to work on.

    Yields
    ------
    sqlalchemy.Engine
        Marked as migkit's own; its session is closed at the end.

    Raises
    ------
    UnsupportedFeature
        If the database lives in the memory of one thread.
    """
    pool = db.engine.pool
    if isinstance(pool, SingletonThreadPool):
        raise UnsupportedFeature(
            "This in-memory database belongs to a single thread, so it cannot be watched while it is migrated",
            where=db.name,
            next_step="Use a file, or create the engine with poolclass=StaticPool.",
        )
    if isinstance(pool, StaticPool):
        # The database is the connection: another one would see an empty database.
        yield db.engine.execution_options(**{OURS: True})
        return
    engine = db.dialect.create_engine(db.engine.url, poolclass=StaticPool, execution_options={OURS: True})
    try:
        yield engine
    finally:
        engine.dispose()


def in_own_thread(work: Callable[[], T]) -> T:
    """Do `work` in a thread of its own and return its result.

    A notebook's thread has a running event loop, in which a project's ``asyncio.run`` is refused.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    context = contextvars.copy_context()

    def body() -> None:
        try:
            results.append(context.run(work))
        except BaseException as error:  # handed to the caller below
            errors.append(error)

    thread = threading.Thread(target=body, name="migkit-migration", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
