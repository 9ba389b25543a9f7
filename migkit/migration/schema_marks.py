"""The schema of a database as one short hash per thing: enough to tell what came, went or changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from migkit import frames
from migkit.database import Database
from migkit.dialects.base import Catalog, Row
from migkit.errors import CaptureFailed
from migkit.framing import FrameSpec
from migkit.migration.inverses import Thing
from migkit.state.plan import without_bookkeeping

_HASH_BYTES = 6
_PARTS: tuple[tuple[str, str, FrameSpec], ...] = (
    ("column", "column", frames.COLUMNS),
    ("index", "name", frames.INDEXES),
    ("constraint", "name", frames.CONSTRAINTS),
)

Key = tuple[str, str, str]


@dataclass(frozen=True)
class SchemaMarks:
    """Kind, table (or the name of something else) and name of everything in a schema, each with a hash of its facts.

    Tables of the default schema go without it, as statements write them.
    """

    things: Mapping[Key, str]

    def find(self, thing: Thing) -> Key | None:
        """Return the key of a thing as a statement names it; upper and lower case may differ if that is unique."""
        key = (thing.kind, thing.table, thing.name)
        if key in self.things:
            return key
        alike = [known for known in self.things if _matches(known, key)]
        return alike[0] if len(alike) == 1 else None

    def of_table(self, table: str) -> dict[Key, str]:
        """Return everything that belongs to a table, itself included."""
        return {
            key: mark
            for key, mark in self.things.items()
            if key[1] == table and key[0] in ("table", "column", "index", "constraint")
        }

    def to_text(self) -> str:
        """Return the marks as ASCII."""
        return json.dumps([[*key, mark] for key, mark in sorted(self.things.items())], separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> SchemaMarks:
        """Read what :meth:`to_text` wrote."""
        return cls({(kind, table, name): mark for kind, table, name, mark in json.loads(text)})


def _matches(known: Key, key: Key) -> bool:
    if known[0] != key[0] or known[2].casefold() != key[2].casefold():
        return False
    # DROP INDEX of some engines names no table.
    return not key[1] or known[1].casefold() == key[1].casefold()


def read_marks(db: Database) -> SchemaMarks:
    """Read the marks of a database, in a fixed number of catalog queries; migkit's own tables are left out.

    Raises
    ------
    CaptureFailed
        If the catalog cannot be read.
    """
    try:
        with db.dialect.snapshot(db.engine, 1) as [connection, *_]:
            return marks_of(without_bookkeeping(db.dialect.read_catalog(connection, db.schemas)))
    except SQLAlchemyError as error:
        raise CaptureFailed(
            f"The schema could not be read, so nobody could say later what stands: {db.dialect.explain_error(error)}",
            where=db.name,
            next_step="Without the journal (journal=False) it is not needed.",
        ) from error


def marks_of(catalog: Catalog) -> SchemaMarks:
    """Return the marks of a catalog."""
    return SchemaMarks(dict(_marks(catalog)))


def _marks(catalog: Catalog) -> Iterator[tuple[Key, str]]:
    def place(row: Row, name: str) -> str:
        schema = row["schema"] or ""
        return str(row[name]) if schema in ("", catalog.default_schema) else f"{schema}.{row[name]}"

    for row in catalog.tables:
        yield ("table", place(row, "table"), ""), _hash(frames.TABLES, row)
    sources = (catalog.columns, catalog.indexes, catalog.constraints)
    for (kind, name, spec), rows in zip(_PARTS, sources, strict=True):
        for row in rows:
            yield (kind, place(row, "table"), str(row[name])), _hash(spec, row)
    for row in catalog.objects:
        yield (row["kind"], place(row, "name"), ""), _hash(frames.OBJECTS, row)


def _hash(spec: FrameSpec, row: Row) -> str:
    facts = json.dumps([row.get(fact) for fact in spec.facts], default=str)
    return hashlib.sha256(facts.encode("utf-8", "surrogateescape")).digest()[:_HASH_BYTES].hex()


@dataclass(frozen=True)
class Left:
    """One thing in which a schema differs from what it was."""

    change: str
    kind: str
    table: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {'.'.join(filter(None, (self.table, self.name)))} {self.change}"


def left_since(before: SchemaMarks, now: SchemaMarks) -> list[Left]:
    """Return what came, went or changed; what belongs to a table that came or went is told by the table."""
    found = []
    for key in sorted(before.things.keys() | now.things.keys()):
        old, new = before.things.get(key), now.things.get(key)
        if old != new:
            change = "is still there" if old is None else "is missing" if new is None else "is changed"
            found.append(Left(change, *key))
    whole = {one.table for one in found if one.kind == "table" and one.change != "is changed"}
    return [one for one in found if one.kind in ("table",) or one.table not in whole]
