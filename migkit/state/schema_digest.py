"""The net below the net: the schema as the engine's own tool writes it, as hashes, so that what no frame holds shows.

A state keeps one short hash per statement and what the statement makes, so that two saved states can say where they
differ, and one digest over all of it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection

from migkit.dialects.base import Dialect, Row
from migkit.dialects.schema_dump import SchemaDump
from migkit.errors import MigkitError
from migkit.redaction import redact

Result = TypeVar("Result")

_HASH_BYTES = 8
_HEAD_LENGTH = 120
_WHAT = "the schema dump of "


@dataclass(frozen=True)
class SchemaDigest:
    """A schema dump, as hashes.

    Attributes
    ----------
    made_by : str
        What made it; only digests that were made alike compare.
    digest : str
        Over all statements, in hex.
    statements : tuple of (str, str)
        What each statement makes, and a short hash of it; sorted.
    """

    made_by: str
    digest: str
    statements: tuple[tuple[str, str], ...] = field(repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return the digest as JSON values."""
        lines = [f"{short} {head}" for head, short in self.statements]
        return {"made_by": self.made_by, "digest": self.digest, "statements": lines}

    @classmethod
    def from_document(cls, document: Mapping[str, Any] | None) -> SchemaDigest | None:
        """Read what :meth:`to_document` wrote; states of earlier versions have none."""
        if document is None:
            return None
        parts = (line.partition(" ") for line in document["statements"])
        statements = tuple((head, short) for short, _, head in parts)
        return cls(document["made_by"], document["digest"], statements)


@dataclass(frozen=True)
class Elsewhere:
    """One statement of the dump that came, went or changed."""

    change: Literal["added", "removed", "changed"]
    head: str

    def __str__(self) -> str:
        return f"{self.head} was {self.change}"


def digest_schema(dump: SchemaDump) -> SchemaDigest:
    """Hash a schema dump.

    >>> digest_schema(SchemaDump.of("tool 1", [("TABLE t", "CREATE TABLE t ()")])).statements
    (('TABLE t', '8e1fe10b659cb3ae'),)
    """
    whole = hashlib.sha256()
    statements = []
    for head, statement in dump.statements:
        data = f"{head}\0{statement}\0".encode("utf-8", "surrogateescape")
        whole.update(data)
        statements.append((_shown(head), hashlib.sha256(data).digest()[:_HASH_BYTES].hex()))
    return SchemaDigest(dump.made_by, whole.hexdigest(), tuple(sorted(statements)))


def _shown(head: str) -> str:
    text = " ".join(redact(head).encode("utf-8", "replace").decode().split())
    return text if len(text) <= _HEAD_LENGTH else f"{text[: _HEAD_LENGTH - 1]}…"


# --- while a capture goes on ----------------------------------------------------------------------------------------


class SchemaReading:
    """The schema dump of a capture, made while its rows are read. What keeps it from being made is noted, not raised:
    the capture is worth having without it.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.digest: SchemaDigest | None = None
        self.unchecked: list[Row] = []

    @contextmanager
    def beside(self, connection: Connection, schemas: Sequence[str] | None) -> Iterator[None]:
        """Make the dump while the block runs; breaking the block off ends it."""
        with ExitStack() as stack:
            finish = self._attempt(lambda: stack.enter_context(self._dialect.schema_dump(connection, schemas)))
            yield
            if finish is not None:
                self.digest = self._attempt(lambda: digest_schema(finish()))

    def _attempt(self, work: Callable[[], Result]) -> Result | None:
        try:
            return work()
        except MigkitError as error:
            self.unchecked.append({"what": f"{_WHAT}{self._dialect.dump_tool}", "why": error.what})
            return None


# --- two of them ----------------------------------------------------------------------------------------------------


def differing_statements(before: SchemaDigest | None, after: SchemaDigest | None) -> tuple[Elsewhere, ...]:
    """Return the statements in which two dumps differ; nothing where they cannot be compared."""
    if before is None or after is None or before.made_by != after.made_by or before.digest == after.digest:
        return ()
    old, new = _by_head(before), _by_head(after)
    found = []
    for head in sorted(old.keys() | new.keys()):
        if old.get(head) != new.get(head):
            change = "added" if head not in old else "removed" if head not in new else "changed"
            found.append(Elsewhere(change, head))  # type: ignore[arg-type]
    return tuple(found)


def _by_head(digest: SchemaDigest) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for head, short in digest.statements:
        found[head].append(short)
    return found


def why_not_compared(before: SchemaDigest | None, after: SchemaDigest | None, noted: Sequence[Row]) -> Iterator[Row]:
    """Say why two dumps were not compared, where no capture has said so.

    Parameters
    ----------
    before, after : SchemaDigest or None
        The dumps of two states.
    noted : sequence of rows
        What is listed as unchecked already.
    """
    if before is not None and after is not None:
        if before.made_by != after.made_by:
            why = f"the two are not made alike: {before.made_by}; {after.made_by}"
            yield {"what": f"{_WHAT}the two states", "why": why}
    elif not any(row["what"].startswith(_WHAT) for row in noted):
        missing = "neither state has" if before is after else "one of the states does not have"
        yield {"what": f"{_WHAT}the two states", "why": f"{missing} one"}
