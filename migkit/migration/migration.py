"""One type for a migration, whatever tool's format it was written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from sqlalchemy import Engine

from migkit.allowances import parse_allowance
from migkit.database import Database
from migkit.dialects.base import Dialect
from migkit.display.card import Card
from migkit.display.results import DrawnInNotebooks, migration_card
from migkit.errors import MigrationInvalid
from migkit.migration.sessions import in_own_thread, session_engine

Direction = Literal["up", "down"]
Kind = Literal["python", "sql", "alembic"]


class RunSession(Protocol):
    """What a program runs on: one observed session of the database."""

    @property
    def engine(self) -> Engine:
        """The observed engine; all its connections share one session of the database."""

    @property
    def dialect(self) -> Dialect:
        """What migkit knows about the engine."""

    def locate(self, where: str | None) -> None:
        """Say which place of the migration the next statements come from, for error messages."""

    def not_reached(self, statements: list[str]) -> None:
        """Say which statements are left out because an earlier one failed."""


class Program(Protocol):
    """The runnable part of a migration."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files the code of the migration lies in."""

    def check(self, direction: Direction, dialect: Dialect) -> None:
        """Raise MigrationInvalid for what can be known to be wrong without a database."""

    def prepare(self, engine: Engine, dialect: Dialect) -> None:
        """Create the bookkeeping that the migration's own tool expects."""

    def execute(self, direction: Direction, session: RunSession) -> None:
        """Run one way, committing at the end, rolling back on an error."""


@dataclass(frozen=True)
class Metadata:
    """What a migration says about itself.

    Attributes
    ----------
    version, description, author, estimated_duration, risk : str
        As written; empty where not said.
    allow : tuple of str
        Intended destruction (:mod:`migkit.allowances`).
    extra : mapping
        Everything else that was said.
    """

    version: str = ""
    description: str = ""
    author: str = ""
    estimated_duration: str = ""
    risk: str = ""
    allow: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class Migration(DrawnInNotebooks):
    """One change with a way up and, if it has one, a way down.

    Attributes
    ----------
    name : str
        The file's name without suffix, or the revision.
    path : Path
        The file (SQL: the way up).
    kind : {"python", "sql", "alembic"}
        The format.
    metadata : Metadata
        What the migration says about itself.
    has_down : bool
        There is a way down. Missing, ``down = None`` and a body that only raises NotImplementedError are none; a
        downgrade of Alembic that only says ``pass``, though its upgrade does something, is none either: that is what
        its template writes.
    source : str
        The text, for people.
    checksum : str
        SHA-256 of the file, or of both files of an SQL pair one after the other.
    program : Program
        The runnable part.
    """

    name: str
    path: Path
    kind: Kind
    metadata: Metadata
    has_down: bool
    source: str
    checksum: str
    program: Program

    @property
    def bookkeeping_tables(self) -> tuple[str, ...]:
        """The tables in which the migration's own tool notes what is applied."""
        return ("alembic_version",) if self.kind == "alembic" else ()

    def prepare(self, db: Database) -> None:
        """Create the bookkeeping that the migration's own tool expects (Alembic's version table), and nothing else.

        A rehearsal does so before it looks at the database first, so that the table is compared like any other.

        Parameters
        ----------
        db : Database
            The database that will be migrated.
        """
        with session_engine(db) as engine:
            in_own_thread(lambda: self.program.prepare(engine, db.dialect))

    def card(self) -> Card:
        """Return what the migration shows of itself in a notebook."""
        return migration_card(self)

    def __repr__(self) -> str:
        described = f": {self.metadata.description}" if self.metadata.description else ""
        way_back = "" if self.has_down else ", no way down"
        return f"<Migration {self.name} ({self.kind}{way_back}){described}>"


_TEXT_KEYS = ("version", "description", "author", "estimated_duration", "risk")


def read_metadata(values: Mapping[str, Any], *, where: str, defaults: Mapping[str, str]) -> Metadata:
    """Check what a migration says about itself.

    Parameters
    ----------
    values : mapping
        As written in the migration.
    where : str
        The file, for messages.
    defaults : mapping
        Values for text keys that are not given.

    Raises
    ------
    MigrationInvalid
        If a value has the wrong type, or an ``allow`` entry cannot be read.
    """
    texts = {key: _text(values[key], key, where) if key in values else defaults.get(key, "") for key in _TEXT_KEYS}
    extra = {str(key): value for key, value in values.items() if key not in _TEXT_KEYS and key != "allow"}
    return Metadata(**texts, allow=_allow(values.get("allow", ()), where), extra=extra)


def _text(value: Any, key: str, where: str) -> str:
    # A bare number is what people write for a version.
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise MigrationInvalid(f"metadata[{key!r}] must be text, not {type(value).__name__}", where=where)
    return str(value)


def _allow(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(entry, str) for entry in value):
        raise MigrationInvalid(
            "metadata['allow'] must be a list of texts",
            where=where,
            next_step='Example: ["drop_column:users.legacy_flag"].',
        )
    entries = sorted(value) if isinstance(value, set | frozenset) else list(value)
    for entry in entries:
        try:
            parse_allowance(entry)
        except MigrationInvalid as error:
            raise MigrationInvalid(f"{error.where}: {error.what}", where=where, next_step=error.next_step) from None
    return tuple(dict.fromkeys(entries))
