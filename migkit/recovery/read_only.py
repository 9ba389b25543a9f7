"""The read-only window: everybody but migkit is kept from writing while something important is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from migkit.database import Database
from migkit.dialects.guarding import PROGRAM, Closed, Opened
from migkit.display.card import Card
from migkit.display.lines import GOOD, NOTE, WARN, Line
from migkit.display.results import DrawnInNotebooks
from migkit.display.units import plural
from migkit.errors import MigkitError, UnsupportedFeature

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, eq=False, repr=False)
class ReadOnly(DrawnInNotebooks):
    """A database that is closed to writers.

    Attributes
    ----------
    database : Database
        The database.
    setting : str
        How writing was set before; what opening goes back to.
    closed : Closed
        What keeps writers out, and who can write all the same.
    program : str
        How the sessions of migkit call themselves that may write.
    """

    database: Database
    setting: str
    closed: Closed
    program: str = PROGRAM
    _patience: float = field(default=PATIENCE_SECONDS, repr=False)
    _terminate: bool = field(default=False, repr=False)

    @property
    def lasts(self) -> bool:
        """Whether it goes on when this process ends, until it is switched off."""
        return self.closed.hold is None

    def others_wrote(self) -> bool | None:
        """Tell whether anybody else wrote since; ``None`` where nobody can know."""
        return False if self.closed.hold is None else self.closed.hold.others_wrote()

    @contextmanager
    def writer(self) -> Iterator[Database]:
        """Yield the database as migkit itself may write to it."""
        hold = self.closed.hold
        if hold is not None and hold.engine is not None:
            hold.lend()
            try:
                yield replace(self.database, engine=hold.engine)
            finally:
                hold.resume()
            return
        with self.paused(), writing(self.database, self.program) as database:
            yield database

    @contextmanager
    def privileged(self) -> Iterator[Database]:
        """Yield the database for work that writes beside it (backups that are verified), while writers stay out."""
        if self.closed.hold is not None and self.closed.hold.engine is not None:
            yield self.database
            return
        with writing(self.database, self.program) as database:
            yield database

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let go of what this process itself holds, for work that opens sessions of its own."""
        hold = self.closed.hold
        if hold is None:
            yield
            return
        hold.pause()
        try:
            yield
        finally:
            hold.resume()

    def open(self) -> Opened:
        """Let everybody write again who could before.

        Raises
        ------
        PermissionMissing, ConnectionFailed
            If that cannot be done; the database stays read-only.
        """
        if self.closed.hold is not None:
            self.closed.hold.release()
        return open_to_writers(self.database, self.setting, patience=self._patience, terminate=self._terminate)

    def card(self) -> Card:
        """Return what it shows of itself."""
        closed = self.closed
        ended = (Line(NOTE, f"{plural(closed.ended, 'session')} ended, so that nobody goes on writing"),)
        return Card(
            title=f"{self.database.name} is closed to writers",
            sign=WARN if closed.exempt else GOOD,
            verdict=closed.means,
            lines=(
                *(ended if closed.ended else ()),
                *(Line(WARN, f"can write all the same: {who}") for who in closed.exempt),
            ),
        )


@contextmanager
def writing(db: Database, program: str = PROGRAM) -> Iterator[Database]:
    """Yield the database with sessions that can write though it is read-only; they are closed at the end."""
    url = db.dialect.writing_url(db.engine.url, program)
    if url == db.engine.url:
        yield db
        return
    own = replace(db, engine=db.dialect.create_engine(url))
    try:
        yield own
    finally:
        own.close()


@contextmanager
def writing_where_closed(db: Database) -> Iterator[Database]:
    """Yield the database as it is, or, where it was made read-only, with sessions that can write all the same."""
    if db.dialect.read_only_lasts and is_read_only(db):
        with writing(db) as writer:
            yield writer
    else:
        yield db


def close_to_writers(
    db: Database, *, patience: float = PATIENCE_SECONDS, terminate: bool = False, program: str = PROGRAM
) -> ReadOnly:
    """Close a database to writers.

    Parameters
    ----------
    db : Database
        The database.
    patience : float
        Seconds to wait for sessions that work.
    terminate : bool
        End them afterwards; else the database is left open.
    program : str
        How the sessions of migkit will call themselves that may write.

    Returns
    -------
    ReadOnly
        What keeps writers out; :meth:`ReadOnly.open` lets them in again.

    Raises
    ------
    DatabaseInUse, PermissionMissing, UnsupportedFeature
        If it cannot be closed; nothing is changed.
    """
    setting: str | None = None
    try:
        with db.engine.connect() as connection:
            setting = db.dialect.write_setting(connection)
        closed = db.dialect.close_to_writers(db.engine, patience=patience, terminate=terminate)
    except (SQLAlchemyError, OSError) as error:
        trouble = _told(db, error, "could not be made read-only")
        _set_back(db, setting, trouble)
        raise trouble from error
    return ReadOnly(db, setting, closed, program, patience, terminate)


def _set_back(db: Database, setting: str | None, trouble: MigkitError) -> None:
    """Open again, in a session of its own, what a closing that lost its connection may have left closed."""
    if setting is None or not db.dialect.read_only_lasts:
        return
    try:
        db.engine.dispose()
        if is_read_only(db):
            open_to_writers(db, setting)
    except MigkitError as error:
        raise MigkitError(
            f"{trouble.what}; and then: {error.what}",
            where=db.url,
            next_step="It may be read-only by now: `migkit db read-only off` lets writers in again.",
        ) from error


def open_to_writers(
    db: Database, setting: str | None = None, *, patience: float = PATIENCE_SECONDS, terminate: bool = False
) -> Opened:
    """Let everybody write again.

    Parameters
    ----------
    db : Database
        The database.
    setting : str, optional
        How writing was set before; by default as the engine has it when nobody set anything.
    patience : float
        Seconds to wait for sessions that would go on being read-only.
    terminate : bool
        End those that go on working afterwards.
    """
    try:
        return db.dialect.open_to_writers(
            db.engine, setting or db.dialect.open_setting, patience=patience, terminate=terminate
        )
    except (SQLAlchemyError, OSError) as error:
        raise _told(db, error, "could not be opened to writers") from error


@contextmanager
def read_only(db: Database, *, patience: float = PATIENCE_SECONDS, terminate: bool = False) -> Iterator[ReadOnly]:
    """Keep everybody but migkit from writing for the length of a ``with`` block.

    Parameters
    ----------
    db : Database
        The database.
    patience, terminate
        As for :func:`close_to_writers`.

    Yields
    ------
    ReadOnly
        What keeps writers out; its :meth:`~ReadOnly.writer` is the database as migkit may write to it.
    """
    window = close_to_writers(db, patience=patience, terminate=terminate)
    try:
        yield window
    except BaseException as error:
        # What went wrong in the block is what to tell first.
        try:
            window.open()
        except (MigkitError, DBAPIError) as trouble:
            error.add_note(f"{db.name} is still read-only ({trouble}); migkit db read-only off opens it.")
        raise
    window.open()


def is_read_only(db: Database) -> bool | None:
    """Tell whether ordinary sessions may not write now; ``None`` where the engine cannot tell."""
    try:
        with db.engine.connect() as connection:
            return db.dialect.is_read_only(connection)
    except UnsupportedFeature:
        return None
    except (SQLAlchemyError, OSError) as error:
        raise _told(db, error, "could not be asked whether it is read-only") from error


def _told(db: Database, error: Exception, what: str) -> MigkitError:
    return MigkitError(f"{db.name} {what}: {db.dialect.explain_error(error)}", where=db.url)
