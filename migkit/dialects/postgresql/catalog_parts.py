"""What one part of the catalog is: a query, and what becomes of its rows. And how names and definitions are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migkit.dialects.base import Catalog
from migkit.redaction import MASK

# Names in this schema are written without it. A constant, because a reading must not depend on the search_path.
DEFAULT_SCHEMA = "public"

Rows = Sequence[Mapping[str, Any]]

_SECRET_KEY = re.compile(r"pass|secret|token|api_?key|credential|private", re.IGNORECASE)
_FRAGMENT = re.compile(r"/\*(\w+)\*/")


@dataclass
class Reading:
    """A catalog while it is being read."""

    catalog: Catalog
    version: int

    def leave_out(self, what: str, why: str) -> None:
        """List something that was not looked at."""
        self.catalog.unchecked.append({"what": what, "why": why})


@dataclass(frozen=True)
class Part:
    """One query of the catalog.

    Parameters
    ----------
    what : str
        What is read, for people; named where the session may not read it.
    sql : str
        The query, with ``%(schemas)s`` for the object ids of the schemas, as the text of an array.
    add : callable
        Takes the rows into the reading.
    fragments : mapping of str to (int, str, str)
        For each ``/*name*/`` in the query: the first server version that understands it, the SQL since then, and
        the SQL before.
    """

    what: str
    sql: str
    add: Callable[[Rows, Reading], None]
    fragments: Mapping[str, tuple[int, str, str]] = field(default_factory=dict)

    def statement(self, version: int) -> str:
        """Return the query for a server version."""

        def choose(match: re.Match[str]) -> str:
            since, new, old = self.fragments[match[1]]
            return new if version >= since else old

        return _FRAGMENT.sub(choose, self.sql)


def objects(what: str, sql: str, fragments: Mapping[str, tuple[int, str, str]] | None = None) -> Part:
    """Return a part whose query yields rows of the frame ``objects``.

    The query names the parent as ``parent_schema`` and ``parent_table``, and gives ``options`` (an array of
    ``name=value``) apart from the definition where the values may be secret. ``verbatim`` says that the
    definition holds somebody's own text.
    """
    return Part(what, sql, add_objects, fragments or {})


def add_objects(rows: Rows, reading: Reading) -> None:
    """Take rows of a query as :func:`objects` describes it into the reading."""
    for row in rows:
        definition = (
            [row["definition"] if row.get("verbatim") else stable(row["definition"])] if row["definition"] else []
        )
        if row.get("options"):
            definition.append(", ".join(without_secrets(row["options"])))
        parent = row.get("parent_table")
        reading.catalog.objects.append(
            {
                "kind": row["kind"],
                "schema": row["schema"],
                "name": row["name"],
                "parent": relation_name(row["parent_schema"], parent) if parent else None,
                "definition": "; ".join(definition) or None,
                "owner": row.get("owner"),
                "comment": row.get("comment"),
                "value": row.get("value"),
            }
        )


def not_of_extension(catalog: str, alias: str) -> str:
    """Return the SQL condition that an object of `catalog` does not belong to an extension."""
    return (
        f"NOT EXISTS (SELECT FROM pg_depend AS member WHERE member.classid = '{catalog}'::regclass "
        f"AND member.objid = {alias}.oid AND member.deptype = 'e')"
    )


def relation_name(schema: str, name: str) -> str:
    """Write a relation's name for people: without the default schema, parts that hold a dot or a quote quoted.

    >>> relation_name("public", "users"), relation_name("sales", "v1.orders")
    ('users', 'sales."v1.orders"')
    """
    parts = (name,) if schema == DEFAULT_SCHEMA else (schema, name)
    return ".".join(f'"{part.replace(chr(34), chr(34) * 2)}"' if set('."') & set(part) else part for part in parts)


def without_secrets(options: Iterable[str]) -> list[str]:
    """Hide the values of ``name=value`` options whose name speaks of a secret.

    >>> without_secrets(["host=db", "password=hunter2"])
    ['host=db', 'password=***']
    """
    pairs = (option.partition("=") for option in options)
    return [f"{name}={MASK if _SECRET_KEY.search(name) else value}" for name, _, value in pairs]


# --- definitions that read the same after a dump and restore --------------------------------------------------------

_ARRAY_CAST = "(ARRAY["
_CAST_OF_ARRAY = re.compile(r"\)::([a-z_ ]+(?:\.[a-z_]+)?)\[\]")


def stable(definition: str) -> str:
    """Write an expression as the server writes it after a dump and restore.

    ``x IN ('a', 'b')`` on a varchar is stored as a cast of the array, and once it was dumped and read again as an array
    of casts; nothing else changes on the way. Only the second form is stable, so the first is written like it.

    >>> stable("(x = ANY ((ARRAY['a'::character varying])::text[]))")
    "(x = ANY (ARRAY[('a'::character varying)::text]))"
    """
    start = definition.find(_ARRAY_CAST)
    while start >= 0:
        opening = start + len(_ARRAY_CAST) - 1
        ends = _element_ends(definition, opening)
        cast = _CAST_OF_ARRAY.match(definition, ends[-1] + 1) if ends else None
        if cast:
            begins = [opening + 1, *(end + 1 for end in ends[:-1])]
            elements = [definition[a:b].strip() for a, b in zip(begins, ends, strict=True)]
            array = "ARRAY[" + ", ".join(f"({element})::{cast[1]}" for element in elements) + "]"
            definition = definition[:start] + array + definition[cast.end() :]
        start = definition.find(_ARRAY_CAST, start + 1)
    return definition


def _element_ends(text: str, opening: int) -> list[int]:
    """Return where each element of the array opened at `opening` ends; empty if the array is not closed."""
    ends: list[int] = []
    depth, quote = 0, ""
    for position in range(opening, len(text)):
        character = text[position]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
            if depth == 0:
                return [*ends, position]
        elif character == "," and depth == 1:
            ends.append(position)
    return []
