"""Verbs about who may write, who is connected, and what is sound: read_only, connections, the checks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
from sqlalchemy.exc import SQLAlchemyError

from migkit import frames
from migkit.database import Database, reached
from migkit.dialects.guarding import Opened
from migkit.display.progress import default_progress
from migkit.errors import MigkitError, UnsupportedFeature
from migkit.progress import Progress
from migkit.recovery import read_only as guard
from migkit.recovery.read_only import PATIENCE_SECONDS, ReadOnly
from migkit.verbs.arguments import AnyDatabase, require_confirmation
from migkit.workflow import health
from migkit.workflow.health import Health


@contextmanager
def read_only(
    db: AnyDatabase, *, patience: float = PATIENCE_SECONDS, terminate: bool = False, confirm: str | None = None
) -> Iterator[ReadOnly]:
    """Keep everybody but migkit from writing for the length of a ``with`` block.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database.
    patience : float
        Seconds to wait for sessions that work.
    terminate : bool
        End them afterwards; else the database is left open.
    confirm : str, optional
        The name of the database, if it is protected.

    Returns
    -------
    ReadOnly
        For ``with``: how writers are kept out, and who can write all the same.

    Raises
    ------
    DatabaseInUse, PermissionMissing
        If it cannot be closed; nothing is changed.
    ProtectedDatabase
        If the database is protected and `confirm` is not its name.

    Examples
    --------
    >>> import migkit as mk
    >>> with mk.read_only("staging") as window:  # doctest: +SKIP
    ...     mk.backup("staging")
    """
    with reached(db) as database:
        require_confirmation(database, confirm)
        with guard.read_only(database, patience=patience, terminate=terminate) as window:
            yield window


def close_to_writers(
    db: AnyDatabase,
    *,
    patience: float | None = None,
    terminate: bool = False,
    hold: bool = False,
    confirm: str | None = None,
) -> ReadOnly:
    """Keep everybody but migkit from writing, until :func:`open_to_writers`.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database.
    patience : float, optional
        Seconds to wait for sessions that work; by default 30.
    terminate : bool
        End them afterwards; else the database is left open.
    hold : bool
        Also do it where it lasts only as long as this process: SQLite, and MySQL without the right to ``read_only``.
    confirm : str, optional
        The name of the database, if it is protected.

    Returns
    -------
    ReadOnly
        How writers are kept out; its ``open()`` lets them in again.

    Raises
    ------
    UnsupportedFeature
        If it would end with this process, and `hold` is not given.
    """
    with reached(db) as database:
        require_confirmation(database, confirm)
        if not hold and not database.dialect.read_only_lasts:
            raise _does_not_last(database)
        waiting = PATIENCE_SECONDS if patience is None else patience
        window = guard.close_to_writers(database, patience=waiting, terminate=terminate)
        if not hold and not window.lasts:
            window.open()
            raise _does_not_last(database)
        return window


def _does_not_last(db: Database) -> UnsupportedFeature:
    return UnsupportedFeature(
        f"On {db.name}, writers can be kept out only for as long as a process holds a lock",
        where=db.url,
        next_step="Let one hold it: migkit db read-only on --hold, or `with mk.read_only(db):` in Python.",
    )


def open_to_writers(db: AnyDatabase, *, terminate: bool = False, confirm: str | None = None) -> Opened:
    """Let everybody write again.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database.
    terminate : bool
        End sessions that would go on being read-only.
    confirm : str, optional
        The name of the database, if it is protected.

    Returns
    -------
    Opened
        How many sessions were ended, and how many stay read-only until they connect anew.
    """
    with reached(db) as database:
        require_confirmation(database, confirm)
        return guard.open_to_writers(database, terminate=terminate)


def connections(db: AnyDatabase) -> pd.DataFrame:
    """List the other sessions on a database: who is connected, what they do, how long their transactions are open.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database.

    Returns
    -------
    pandas.DataFrame
        ``session, user, client, program, state, transaction_seconds, query, is_migkit``
        (:data:`migkit.frames.CONNECTIONS`).

    Raises
    ------
    UnsupportedFeature
        If the engine does not show them.
    """
    with reached(db) as database:
        try:
            with database.engine.connect() as connection:
                found = database.dialect.sessions(connection)
        except SQLAlchemyError as error:
            raise MigkitError(
                f"Who is connected could not be read: {database.dialect.explain_error(error)}", where=database.url
            ) from error
    return frames.CONNECTIONS.build(
        (one.number, one.user, one.client, one.program, one.state, one.transaction_seconds, one.query, one.is_ours)
        for one in found
    )


def check_constraints(db: AnyDatabase, *, progress: Progress | None = None) -> Health:
    """Count the rows that violate each foreign key and CHECK constraint, enforced and validated or not.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database; only read.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Health
        ``passed``, ``problems``, and the frame ``checks``.
    """
    with reached(db) as database:
        return health.check_constraints(database, progress=progress or default_progress())


def check_indexes(db: AnyDatabase, *, progress: Progress | None = None) -> Health:
    """Find indexes that are invalid, damaged by the engine's own check, or there twice.

    Parameters
    ----------
    db : str, URL, Engine or Database
        The database; only read.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Health
        ``passed``, ``problems``, and the frame ``checks``.
    """
    with reached(db) as database:
        return health.check_indexes(database, progress=progress or default_progress())
