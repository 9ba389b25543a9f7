"""The schema as SQLite itself keeps it: the text of ``sqlite_schema``, which is what its shell writes for ``.schema``.

No tool is needed, and nothing happens beside other work. Indexes, triggers, views and virtual tables are kept as the
catalog normalises them. A table's text may be rewritten without changing what it says (constraints move, quotes come
and go), and the catalog takes it apart to its last clause; here, only which words are in it counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection

from migkit.bookkeeping import MARKER_COLUMN, journal_tables
from migkit.dialects.schema_dump import ReadDump, SchemaDump
from migkit.dialects.sqlite.session import driver_connection, reading_errors
from migkit.dialects.sqlite.sqltext import KEYWORDS, normalize, tokenize

SCHEMA = "main"
_ENTRIES = "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"
_JOURNAL = f"""
SELECT '{SCHEMA}', s.name, x.name FROM main.sqlite_schema s JOIN pragma_table_info(s.name, '{SCHEMA}') x
WHERE s.type = 'table' AND s.rootpage > 0 AND s.name LIKE '%migration_log%' AND x.name = '{MARKER_COLUMN}'
"""
# Words that may be written or left out: they say what holds anyway.
_SAID_OR_NOT = frozenset(("BINARY", "SIMPLE", "DEFERRABLE", "MAIN"))


@contextmanager
def schema_dump(connection: Connection, schemas: Sequence[str] | None) -> Iterator[ReadDump]:
    """Read ``sqlite_schema`` at once."""
    dump = _read(driver_connection(connection), schemas)
    yield lambda: dump


def _read(session: sqlite3.Connection, schemas: Sequence[str] | None) -> SchemaDump:
    made_by = f"sqlite_schema of SQLite {sqlite3.sqlite_version}"
    if schemas is not None and SCHEMA not in schemas:
        return SchemaDump.of(made_by, ())
    text_factory = session.text_factory
    session.text_factory = lambda stored: stored.decode("utf-8", "backslashreplace")
    try:
        with reading_errors("the schema"):
            own = {table for _, table in journal_tables(session.execute(_JOURNAL))}
            entries = session.execute(_ENTRIES).fetchall()
    finally:
        session.text_factory = text_factory
    return SchemaDump.of(
        made_by,
        (
            (f"{kind} {name}", _normal(kind, sql))
            for kind, name, table, sql in entries
            # Sequences and statistics are kept in tables of SQLite's own, which stay when nobody needs them any more.
            if table not in own and not name.lower().startswith("sqlite_")
        ),
    )


def _normal(kind: str, sql: str) -> str:
    tokens = tokenize(sql)
    if kind == "table" and not any(token.word == "VIRTUAL" for token in tokens[:2]):
        words = {token.name.upper() for token in tokens if token.kind != "sign" and token.word not in KEYWORDS}
        return " ".join(sorted(words - _SAID_OR_NOT))
    return (normalize(sql) or "").replace(" IF NOT EXISTS ", " ", 1)
