"""What a statement is and does, in a few words for people.

Read from the first words of the statement, for every engine alike: a summary must never be the reason why a run fails,
and no parser knows every statement that a server knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

Kind = Literal["ddl", "dml", "query", "control"]

_COMMENTS = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*(?!!).*?\*/)*", re.DOTALL)
_PART = r'(?:"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[^\s().,;"`\[\]]+)'
_NAME = rf"{_PART}(?:\s*\.\s*{_PART})*"
_IF = r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"

_CONTROL = frozenset(
    (
        "begin", "start", "commit", "end", "rollback", "savepoint", "release", "abort", "prepare", "deallocate",
        "set", "reset", "show", "pragma", "use", "lock", "unlock", "discard", "listen", "notify", "checkpoint",
        "load", "declare", "fetch", "close",
    )
)  # fmt: skip
_DML = frozenset(["insert", "update", "delete", "merge", "replace", "copy", "call", "do", "truncate"])
_QUERY = frozenset(["select", "values", "table", "explain", "describe", "desc", "with"])

_CREATED = re.compile(
    rf"CREATE\s+(?:OR\s+REPLACE\s+)?(?:(?:GLOBAL|LOCAL|TEMP|TEMPORARY|UNLOGGED|RECURSIVE|CONSTRAINT|DEFINER\s*=\s*\S+)\s+)*"
    rf"(?P<kind>FOREIGN\s+TABLE|MATERIALIZED\s+VIEW|EVENT\s+TRIGGER|TABLE|VIEW|TRIGGER|FUNCTION|PROCEDURE|SEQUENCE|TYPE"
    rf"|DOMAIN|SCHEMA|EXTENSION|ROLE|USER|POLICY|PUBLICATION|STATISTICS|EVENT|COLLATION|AGGREGATE|RULE|DATABASE)\s+"
    rf"{_IF}(?P<name>{_NAME})",
    re.IGNORECASE,
)
_CREATED_INDEX = re.compile(
    rf"CREATE\s+(?:(?:UNIQUE|FULLTEXT|SPATIAL)\s+)?INDEX\s+(?:CONCURRENTLY\s+)?{_IF}"
    rf"(?:(?P<name>(?!ON\s){_NAME})\s+)?ON\s+(?:ONLY\s+)?(?P<table>{_NAME})",
    re.IGNORECASE,
)
_DROPPED = re.compile(
    rf"DROP\s+(?:TEMPORARY\s+)?(?P<kind>FOREIGN\s+TABLE|MATERIALIZED\s+VIEW|EVENT\s+TRIGGER|\w+)\s+(?:CONCURRENTLY\s+)?"
    rf"{_IF}(?P<name>{_NAME})",
    re.IGNORECASE,
)
_ALTERED_TABLE = re.compile(
    rf"ALTER\s+(?:FOREIGN\s+)?TABLE\s+{_IF}(?:ONLY\s+)?(?P<name>{_NAME})\s+(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_ALTERED = re.compile(
    rf"ALTER\s+(?P<kind>MATERIALIZED\s+VIEW|DEFAULT\s+PRIVILEGES|\w+)\s+{_IF}(?P<name>{_NAME})", re.IGNORECASE
)
_WRITTEN = re.compile(
    rf"(?:WITH\b.*?\b)?(?P<verb>INSERT(?:\s+OR\s+\w+|\s+IGNORE)?\s+INTO|REPLACE(?:\s+INTO)?|UPDATE(?:\s+OR\s+\w+)?"
    rf"|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE(?:\s+TABLE)?|COPY)\s+(?:ONLY\s+)?(?P<name>{_NAME})",
    re.IGNORECASE | re.DOTALL,
)
_WRITES_IN_WITH = re.compile(
    r"\b(?:INSERT\s+INTO|DELETE\s+FROM|UPDATE\s+\S+\s+(?:AS\s+\S+\s+)?SET|MERGE\s+INTO)\b", re.IGNORECASE
)
_PAST = {
    "insert": "Inserted {rows} into {name}",
    "replace": "Replaced {rows} of {name}",
    "update": "Updated {rows} of {name}",
    "delete": "Deleted {rows} of {name}",
    "merge": "Merged {rows} into {name}",
    "truncate": "Emptied table {name}",
    "copy": "Copied {rows} of {name}",
}

_COLUMN = rf"(?P<column>{_PART})"
_TABLE_CHANGES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), text)
    for pattern, text in (
        (rf"ADD\s+CONSTRAINT\s+{_COLUMN}\s+FOREIGN\s+KEY", "Added foreign key {column} to {name}"),
        (rf"ADD\s+CONSTRAINT\s+{_COLUMN}", "Added constraint {column} to {name}"),
        (r"ADD\s+PRIMARY\s+KEY", "Added a primary key to {name}"),
        (r"ADD\s+FOREIGN\s+KEY", "Added a foreign key to {name}"),
        (rf"ADD\s+(?:UNIQUE\s+)?(?:INDEX|KEY)\s+{_IF}{_COLUMN}", "Added index {column} to {name}"),
        (r"ADD\s+(?:UNIQUE|CHECK|EXCLUDE)\b", "Added a constraint to {name}"),
        (rf"ADD\s+(?:COLUMN\s+)?{_IF}{_COLUMN}", "Added column {name}.{column}"),
        (rf"DROP\s+CONSTRAINT\s+{_IF}{_COLUMN}", "Dropped constraint {column} of {name}"),
        (rf"DROP\s+FOREIGN\s+KEY\s+{_IF}{_COLUMN}", "Dropped foreign key {column} of {name}"),
        (rf"DROP\s+(?:INDEX|KEY)\s+{_IF}{_COLUMN}", "Dropped index {column} of {name}"),
        (r"DROP\s+PRIMARY\s+KEY", "Dropped the primary key of {name}"),
        (rf"DROP\s+(?:COLUMN\s+)?{_IF}{_COLUMN}", "Dropped column {name}.{column}"),
        (rf"RENAME\s+TO\s+{_COLUMN}", "Renamed table {name} to {column}"),
        (rf"RENAME\s+CONSTRAINT\s+{_COLUMN}", "Renamed constraint {column} of {name}"),
        (rf"RENAME\s+(?:COLUMN\s+)?{_COLUMN}\s+TO\s+(?P<new>{_PART})", "Renamed column {name}.{column} to {new}"),
        (rf"ALTER\s+(?:COLUMN\s+)?{_COLUMN}\s+(?:SET\s+DATA\s+)?TYPE", "Changed the type of {name}.{column}"),
        (rf"ALTER\s+(?:COLUMN\s+)?{_COLUMN}\s+SET\s+NOT\s+NULL", "Made {name}.{column} NOT NULL"),
        (rf"ALTER\s+(?:COLUMN\s+)?{_COLUMN}\s+DROP\s+NOT\s+NULL", "Made {name}.{column} nullable"),
        (rf"ALTER\s+(?:COLUMN\s+)?{_COLUMN}\s+SET\s+DEFAULT", "Set the default of {name}.{column}"),
        (rf"ALTER\s+(?:COLUMN\s+)?{_COLUMN}\s+DROP\s+DEFAULT", "Dropped the default of {name}.{column}"),
        (rf"(?:ALTER|MODIFY|CHANGE)\s+(?:COLUMN\s+)?{_COLUMN}", "Changed column {name}.{column}"),
        (rf"VALIDATE\s+CONSTRAINT\s+{_COLUMN}", "Validated constraint {column} of {name}"),
    )
)


def strip_comments(sql: str) -> str:
    """Return a statement without the blanks and comments in front of it."""
    return sql[_COMMENTS.match(sql).end() :].strip()  # type: ignore[union-attr]  # the pattern matches nothing too


def statement_kind(sql: str) -> Kind:
    """Tell what a statement is.

    Parameters
    ----------
    sql : str
        One statement.

    Returns
    -------
    {"ddl", "dml", "query", "control"}
        ``ddl`` for everything that is none of the others.

    Examples
    --------
    >>> statement_kind("/* why */ CREATE TABLE t (id int)")
    'ddl'
    """
    text = strip_comments(sql).lstrip("( \n\t")
    first = re.match(r"[A-Za-z]+", text)
    word = first[0].lower() if first else ""
    if word == "with":
        return "dml" if _WRITES_IN_WITH.search(text) else "query"
    if word == "select" and re.search(r"\bINTO\s+(?:TEMP|TABLE|UNLOGGED)\b", text, re.IGNORECASE):
        return "ddl"
    if word in _CONTROL:
        return "control"
    if word in _DML:
        return "dml"
    return "query" if word in _QUERY else "ddl"


def summarize(sql: str, rows: int | None = None) -> str:
    """Say what a statement did.

    Parameters
    ----------
    sql : str
        One statement.
    rows : int, optional
        Rows it affected, where that is known.

    Returns
    -------
    str
        ``Created table user_profiles``; the first words of the statement where nothing better is known.

    Examples
    --------
    >>> summarize("UPDATE users SET name = 'x'", 500)
    'Updated 500 rows of users'
    """
    text = strip_comments(sql)
    for reader in _READERS:
        summary = reader(text, rows)
        if summary:
            return summary
    return _first_words(text)


def _read_created(text: str, _rows: int | None) -> str | None:
    index = _CREATED_INDEX.match(text)
    if index:
        name = f"index {_plain(index['name'])}" if index["name"] else "an index"
        return f"Created {name} on {_plain(index['table'])}"
    made = _CREATED.match(text)
    return f"Created {_words(made['kind'])} {_plain(made['name'])}" if made else None


def _read_dropped(text: str, _rows: int | None) -> str | None:
    gone = _DROPPED.match(text)
    return f"Dropped {_words(gone['kind'])} {_plain(gone['name'])}" if gone else None


def _read_altered(text: str, _rows: int | None) -> str | None:
    table = _ALTERED_TABLE.match(text)
    if not table:
        other = _ALTERED.match(text)
        return f"Changed {_words(other['kind'])} {_plain(other['name'])}" if other else None
    for pattern, summary in _TABLE_CHANGES:
        change = pattern.match(table["rest"])
        if change:
            parts = {key: _plain(value) for key, value in change.groupdict().items()}
            return summary.format(name=_plain(table["name"]), **parts)
    return f"Changed table {_plain(table['name'])}"


def _read_written(text: str, rows: int | None) -> str | None:
    written = _WRITTEN.match(text)
    if not written:
        return None
    counted = "rows" if rows is None else "1 row" if rows == 1 else f"{rows:,} rows"
    return _PAST[written["verb"].split()[0].lower()].format(rows=counted, name=_plain(written["name"]))


_READERS: tuple[Callable[[str, int | None], str | None], ...] = (
    _read_created,
    _read_dropped,
    _read_altered,
    _read_written,
)


def _plain(name: str) -> str:
    """Return a name as people say it: without quotes, blanks around dots or line breaks."""
    parts = [_unquote(part) for part in re.findall(_PART, name)]
    return " ".join(".".join(parts).split())


def _unquote(part: str) -> str:
    if part[0] == "[":
        return part[1:-1]
    return part[1:-1].replace(part[0] * 2, part[0]) if part[0] in '"`' else part


def _words(kind: str) -> str:
    return " ".join(kind.lower().split())


def _first_words(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
