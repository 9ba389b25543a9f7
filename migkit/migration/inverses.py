"""What simple DDL makes, drops and writes to, and the statement that takes it back: read from its text, purely.

No parser knows every statement that a server knows. What is not recognised has no automatic inverse, and is said so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from migkit.observe.describing import strip_comments

ThingKind = Literal["table", "view", "column", "index", "constraint"]

_PART = r'(?:"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[^\s().,;"`\[\]]+)'
_NAME = rf"{_PART}(?:\s*\.\s*{_PART})*"
_UNLESS = r"(?P<unless>IF\s+NOT\s+EXISTS\s+)?"
_IF = r"(?:IF\s+EXISTS\s+)?"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


_CREATE = _pattern(rf"CREATE\s+(?P<kind>TABLE|VIEW)\s+{_UNLESS}(?P<name>{_NAME})")
_CREATE_INDEX = _pattern(
    rf"CREATE\s+(?:(?:UNIQUE|FULLTEXT|SPATIAL)\s+)?INDEX\s+(?P<online>CONCURRENTLY\s+)?{_UNLESS}"
    rf"(?P<name>(?!ON\s){_NAME})\s+(?:USING\s+\w+\s+)?ON\s+(?:ONLY\s+)?(?P<table>{_NAME})"
)
_DROP = _pattern(rf"DROP\s+(?P<kind>TABLE|VIEW)\s+{_IF}(?P<names>.*?)\s*(?:CASCADE|RESTRICT)?")
_DROP_INDEX = _pattern(
    rf"DROP\s+INDEX\s+(?:CONCURRENTLY\s+)?{_IF}(?P<name>{_NAME})(?:\s+ON\s+(?P<table>{_NAME}))?(?:\s.*)?"
)
_ALTER = _pattern(rf"ALTER\s+(?:ONLINE\s+)?(?:IGNORE\s+)?TABLE\s+{_IF}(?:ONLY\s+)?(?P<table>{_NAME})\s+(?P<changes>.*)")
_RENAME_TABLES = _pattern(r"RENAME\s+TABLES?\s+(?P<pairs>.*)")
_PAIR = _pattern(rf"\s*(?P<old>{_NAME})\s+TO\s+(?P<new>{_NAME})\s*")
_WRITE = _pattern(
    rf"(?:INSERT(?:\s+(?:IGNORE|LOW_PRIORITY|DELAYED))?\s+INTO|REPLACE(?:\s+INTO)?|UPDATE(?:\s+IGNORE)?"
    rf"|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?)\s+(?P<table>{_NAME})(?P<rest>.*)"
)
_SET = _pattern(r"\s+SET\s+(?P<assignments>.*?)(?:\s+WHERE\s.*)?")
_ASSIGNED = _pattern(rf"\s*(?:{_PART}\s*\.\s*)?(?P<column>{_PART})\s*=.*")

_ADD_CONSTRAINT = _pattern(rf"ADD\s+CONSTRAINT\s+(?P<name>{_PART})\s+(?!PRIMARY\s).*")
_ADD_INDEX = _pattern(rf"ADD\s+(?:(?:UNIQUE|FULLTEXT|SPATIAL)\s+)?(?:INDEX|KEY)\s+(?!IF\s)(?P<name>{_PART})\s*\(.*")
_ADD_OTHER = _pattern(
    r"ADD\s+(?:CONSTRAINT|PRIMARY|FOREIGN|UNIQUE|FULLTEXT|SPATIAL|INDEX|KEY|CHECK|EXCLUDE|PARTITION|PERIOD|SYSTEM"
    r"|(?:COLUMN\s+)?IF\s+NOT)\b.*"
)
_ADD_COLUMN = _pattern(rf"ADD\s+(?:COLUMN\s+)?(?P<name>{_PART})\s+.*")
_RENAME_PART = _pattern(rf"RENAME\s+(?P<kind>COLUMN|INDEX|KEY|CONSTRAINT)\s+(?P<old>{_PART})\s+TO\s+(?P<new>{_PART})")
_CHANGE_COLUMN = _pattern(rf"CHANGE\s+(?:COLUMN\s+)?(?P<old>{_PART})\s+(?P<new>{_PART})\s.*")
_RENAME_TABLE = _pattern(rf"RENAME\s+(?:TO\s+|AS\s+)?(?P<new>{_PART})")
_DROPPED_PARTS: tuple[tuple[re.Pattern[str], ThingKind], ...] = (
    (_pattern(rf"DROP\s+(?:CONSTRAINT|FOREIGN\s+KEY|CHECK)\s+{_IF}(?P<name>{_PART})(?:\s.*)?"), "constraint"),
    (_pattern(r"DROP\s+(?P<name>PRIMARY)\s+KEY"), "constraint"),
    (_pattern(rf"DROP\s+(?:INDEX|KEY)\s+{_IF}(?P<name>{_PART})"), "index"),
    (_pattern(rf"DROP\s+COLUMN\s+{_IF}(?P<name>{_PART})(?:\s.*)?"), "column"),
    (_pattern(rf"DROP\s+(?!PARTITION\s|COLUMN\s)(?P<name>{_PART})(?:\s+(?:CASCADE|RESTRICT))?"), "column"),
)


@dataclass(frozen=True)
class Thing:
    """Something that DDL makes or drops, by its plain names.

    Attributes
    ----------
    kind : {"table", "view", "column", "index", "constraint"}
        What it is.
    table : str
        The table, with its schema where that is written; of an index dropped by its name alone, empty.
    name : str
        The column, index or constraint; empty for a table or view.
    """

    kind: ThingKind
    table: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {'.'.join(filter(None, (self.table, self.name)))}"


def inverse(sql: str, *, drops_index_on_table: bool) -> str | None:
    """Return the statement that takes back what a simple DDL statement did, or ``None`` if there is none.

    Parameters
    ----------
    sql : str
        A statement that stands in a database.
    drops_index_on_table : bool
        The engine's ``DROP INDEX`` names the table.

    Examples
    --------
    >>> inverse("CREATE TABLE `a b` (id int)", drops_index_on_table=True)
    'DROP TABLE `a b`'
    >>> inverse("ALTER TABLE t ADD COLUMN x int, RENAME COLUMN a TO b", drops_index_on_table=True)
    'ALTER TABLE t RENAME COLUMN b TO a, DROP COLUMN x'
    >>> inverse("ALTER TABLE t DROP COLUMN x", drops_index_on_table=True) is None
    True
    """
    text = _plain_text(sql)
    if (made := _CREATE.match(text)) and not made["unless"]:
        return f"DROP {made['kind'].upper()} {made['name']}"
    if (index := _CREATE_INDEX.match(text)) and not index["unless"]:
        if drops_index_on_table:
            return f"DROP INDEX {index['name']} ON {index['table']}"
        schema = index["table"].rpartition(".")[0]
        return f"DROP INDEX {index['online'] or ''}{schema + '.' if schema else ''}{index['name']}"
    if renamed := _RENAME_TABLES.fullmatch(text):
        pairs = [_PAIR.fullmatch(pair) for pair in split_top_level(renamed["pairs"])]
        back = [f"{pair['new']} TO {pair['old']}" for pair in pairs if pair]
        return f"RENAME TABLE {', '.join(reversed(back))}" if len(back) == len(pairs) else None
    if altered := _ALTER.fullmatch(text):
        return _inverse_of_alter(altered["table"], split_top_level(altered["changes"]))
    return None


def _inverse_of_alter(table: str, changes: Sequence[str]) -> str | None:
    if len(changes) == 1 and (renamed := _RENAME_TABLE.fullmatch(changes[0])):
        return f"ALTER TABLE {renamed['new']} RENAME TO {table}" if _is_simple(table) else None
    back = [_inverse_of_change(change) for change in changes]
    told = [one for one in reversed(back) if one is not None]
    return f"ALTER TABLE {table} {', '.join(told)}" if len(told) == len(back) else None


def _is_simple(name: str) -> bool:
    return re.fullmatch(_PART, name) is not None


def _inverse_of_change(change: str) -> str | None:
    if renamed := _RENAME_PART.fullmatch(change):
        return f"RENAME {renamed['kind'].upper()} {renamed['new']} TO {renamed['old']}"
    found = _added(change)
    return f"DROP {found[0].upper()} {found[1]}" if found else None


def _added(change: str) -> tuple[ThingKind, str] | None:
    """Return kind and written name of what one change of an ``ALTER TABLE`` adds."""
    if found := _ADD_CONSTRAINT.fullmatch(change):
        return "constraint", found["name"]
    if found := _ADD_INDEX.fullmatch(change):
        return "index", found["name"]
    if _ADD_OTHER.fullmatch(change):
        return None
    found = _ADD_COLUMN.fullmatch(change)
    return ("column", found["name"]) if found else None


def things_made(sql: str) -> list[Thing]:
    """Return what a statement makes, as far as its text tells."""
    text = _plain_text(sql)
    if made := _CREATE.match(text):
        return [Thing("view" if made["kind"].upper() == "VIEW" else "table", unquote(made["name"]))]
    if index := _CREATE_INDEX.match(text):
        return [Thing("index", unquote(index["table"]), unquote(index["name"]))]
    if altered := _ALTER.fullmatch(text):
        found = [_added(change) for change in split_top_level(altered["changes"])]
        return [Thing(one[0], unquote(altered["table"]), unquote(one[1])) for one in found if one]
    return []


def things_dropped(sql: str) -> list[Thing]:
    """Return what a statement drops, as far as its text tells."""
    text = _plain_text(sql)
    if index := _DROP_INDEX.fullmatch(text):
        return [Thing("index", unquote(index["table"] or ""), unquote(index["name"]))]
    if dropped := _DROP.fullmatch(text):
        kind: ThingKind = "view" if dropped["kind"].upper() == "VIEW" else "table"
        return [Thing(kind, unquote(name)) for name in split_top_level(dropped["names"])]
    if altered := _ALTER.fullmatch(text):
        return list(_dropped_parts(unquote(altered["table"]), split_top_level(altered["changes"])))
    return []


def _dropped_parts(table: str, changes: Sequence[str]) -> Iterator[Thing]:
    for change in changes:
        for pattern, kind in _DROPPED_PARTS:
            if found := pattern.fullmatch(change):
                yield Thing(kind, table, unquote(found["name"]))
                break


def things_taken(sql: str) -> list[Thing]:
    """Return what is no longer there under its name after a statement: what it drops, and what it renames."""
    text = _plain_text(sql)
    if renamed := _RENAME_TABLES.fullmatch(text):
        pairs = [_PAIR.fullmatch(pair) for pair in split_top_level(renamed["pairs"])]
        return [Thing("table", unquote(pair["old"])) for pair in pairs if pair]
    taken = things_dropped(sql)
    if altered := _ALTER.fullmatch(text):
        taken += _renamed_parts(unquote(altered["table"]), split_top_level(altered["changes"]))
    return taken


def _renamed_parts(table: str, changes: Sequence[str]) -> Iterator[Thing]:
    for change in changes:
        if found := _RENAME_PART.fullmatch(change):
            kind = found["kind"].lower()
            yield Thing("index" if kind == "key" else kind, table, unquote(found["old"]))  # type: ignore[arg-type]
        elif _RENAME_TABLE.fullmatch(change):
            yield Thing("table", table)
        elif (found := _CHANGE_COLUMN.fullmatch(change)) and unquote(found["old"]) != unquote(found["new"]):
            yield Thing("column", table, unquote(found["old"]))


def table_altered(sql: str) -> str | None:
    """Return the table whose definition a statement changes; ``None`` if it is no ``ALTER TABLE`` or index."""
    text = _plain_text(sql)
    for pattern in (_ALTER, _CREATE_INDEX, _DROP_INDEX):
        found = pattern.match(text)
        if found and found["table"]:
            return unquote(found["table"])
    return None


def written(sql: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the table a statement writes to, and the columns if it writes to some only; ``None`` where unclear."""
    found = _WRITE.fullmatch(_plain_text(sql))
    if found is None:
        return None
    table, assignments = unquote(found["table"]), _SET.fullmatch(found["rest"])
    is_update = found[0].lstrip()[:6].upper() == "UPDATE"
    if not is_update:
        return table, ()
    if assignments is None:
        return None
    columns = [_ASSIGNED.fullmatch(one) for one in split_top_level(assignments["assignments"])]
    return (table, tuple(unquote(one["column"]) for one in columns if one)) if all(columns) else None


def split_top_level(text: str) -> list[str]:
    """Split at commas that stand outside quotes and parentheses."""
    parts, depth, start, quote = [], 0, 0, ""
    for position, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'`":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    return [*parts, text[start:].strip()]


def unquote(name: str) -> str:
    """Return a written name as the catalog has it, its parts joined by dots."""
    parts = re.findall(_PART, name)
    return ".".join(_unquote_part(part) for part in parts)


def _unquote_part(part: str) -> str:
    if part[:1] in '"`':
        return part[1:-1].replace(part[0] * 2, part[0])
    return part[1:-1] if part.startswith("[") else part


def _plain_text(sql: str) -> str:
    # Behind two dashes the recorder writes parameters.
    return strip_comments(sql).partition("  -- ")[0].rstrip("; \n\t")
