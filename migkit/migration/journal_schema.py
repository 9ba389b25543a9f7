"""The two tables of ``migration_log``: attempts, and their statements."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from migkit.bookkeeping import LOG_NAMES, MARKER_COLUMN, STATEMENTS_SUFFIX
from migkit.errors import MigkitError

SHORT = 255


@dataclass(frozen=True)
class JournalTables:
    """The two tables."""

    attempts: sa.Table
    statements: sa.Table


def _tables(name: str) -> JournalTables:
    metadata = sa.MetaData()
    # Instants as ISO 8601 text: no engine's time zone, precision or driver gets between.
    attempts = sa.Table(
        name,
        metadata,
        sa.Column(MARKER_COLUMN, sa.String(36), primary_key=True),
        sa.Column("migration", sa.String(SHORT), nullable=False),
        sa.Column("version", sa.String(SHORT)),
        sa.Column("direction", sa.String(4), nullable=False),
        sa.Column("checksum", sa.String(64), nullable=False),
        sa.Column("started_at", sa.String(32), nullable=False),
        sa.Column("ended_at", sa.String(32)),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("statements", sa.Integer),
        sa.Column("migkit_version", sa.String(32), nullable=False),
        sa.Column("run_by", sa.String(SHORT)),
    )
    statements = sa.Table(
        name + STATEMENTS_SUFFIX,
        metadata,
        sa.Column(MARKER_COLUMN, sa.String(36), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sql", sa.Text, nullable=False),
        sa.Column("started_at", sa.String(32)),
        sa.Column("ended_at", sa.String(32)),
        sa.Column("outcome", sa.String(16), nullable=False),
    )
    return JournalTables(attempts, statements)


def find_tables(connection: Connection) -> JournalTables | None:
    """Return the journal of a database, or ``None`` if it has none yet."""
    inspector = sa.inspect(connection)
    for name in LOG_NAMES:
        if inspector.has_table(name) and _is_ours(inspector, name):
            return _tables(name)
    return None


def _is_ours(inspector: sa.Inspector, name: str) -> bool:
    return any(column["name"] == MARKER_COLUMN for column in inspector.get_columns(name))


def ensure_tables(connection: Connection) -> JournalTables:
    """Return the journal, made first where it is missing, under the first name that nobody else has."""
    inspector = sa.inspect(connection)
    for name in LOG_NAMES:
        parts = (name, name + STATEMENTS_SUFFIX)
        if all(not inspector.has_table(part) or _is_ours(inspector, part) for part in parts):
            tables = _tables(name)
            tables.attempts.metadata.create_all(connection)
            return tables
    raise MigkitError(
        f"The journal finds no free name: {', '.join(LOG_NAMES)} all belong to somebody else",
        next_step="Rename one of these tables, or run with journal=False.",
    )
