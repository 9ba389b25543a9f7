"""How frames are described: the kinds of columns, and the columns that many frames share."""

from __future__ import annotations

from migkit.framing import INTEGER, TEXT, Column


def key(name: str, doc: str) -> Column:
    """Return a text column that identifies the row."""
    return Column(name, TEXT, "key", doc)


def fact(name: str, doc: str, dtype: str = TEXT) -> Column:
    """Return a column that is part of what the thing is."""
    return Column(name, dtype, "fact", doc)


def measure(name: str, doc: str, dtype: str = INTEGER) -> Column:
    """Return a column that holds a size, a count or a digest."""
    return Column(name, dtype, "measure", doc)


SCHEMA = key("schema", "the schema (MySQL: the database; SQLite: 'main')")
TABLE = key("table", "the table")

CHANGE = Column("change", TEXT, "fact", "unchanged, added, removed, changed, renamed, …")
DETAIL = Column("detail", TEXT, "measure", "what changed, as 'fact: before → after'")
