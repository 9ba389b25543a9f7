"""One line per fact: ``✓ Table users: 3 rows (unchanged)``, the way results read in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from migkit import frames
from migkit.display import units
from migkit.display.escape import clean_line, shorten
from migkit.findings import SIGNS
from migkit.framing import FrameSpec

GOOD, WARN, BAD, ADDED, NOTE = "✓", "⚠", "✗", "+", "·"

_INTACT_CONTENT = ("intact", "retyped", None)
_UNKNOWN_CONTENT = ("not compared", "unproven", "not read", "sampled")
_DEFAULT_SCHEMAS = ("", "public", "main", "dbo", None)
_DETAIL_LIMIT = 160
_FINDING_LIMIT = 300

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """A sign (one of ``✓ ⚠ ✗ + ·``) and one line of text."""

    sign: str
    text: str

    def __str__(self) -> str:
        return f"{self.sign} {clean_line(self.text)}"


def join(lines: Iterable[Line], indent: str = "") -> str:
    """Return lines as text."""
    return "\n".join(f"{indent}{line}" for line in lines)


def qualified(schema: str | None, name: str) -> str:
    """Return a name, with its schema only where that says something."""
    return name if schema in _DEFAULT_SCHEMAS else f"{schema}.{name}"


def elsewhere_lines(findings: pd.DataFrame) -> list[Line]:
    """Return one line per thing that only the engine's own tool shows, out of :data:`migkit.frames.FINDINGS`."""
    return [
        Line(WARN, row["what"]) for row in frames.FINDINGS.rows(findings) if row["id"] == "schema-differs-elsewhere"
    ]


def table_lines(tables: pd.DataFrame) -> list[Line]:
    """Return one line per table (:data:`migkit.frames.TABLE_CHANGES`)."""
    return [_table_line(row) for row in frames.TABLE_CHANGES.rows(tables)]


def _table_line(row: Row) -> Line:
    name = f"Table {qualified(row['schema'], row['table'])}"
    before, after = row["rows_before"], row["rows_after"]
    if row["change"] == "added":
        return Line(ADDED, f"{name} was added ({_rows(after)})")
    if row["change"] == "removed":
        return Line(BAD, f"{name} was removed ({_rows(before)})")
    if row["change"] == "renamed":
        return Line(WARN, f"{name} was renamed from {row['renamed_from']} ({_rows_change(before, after)})")
    words = _table_words(row)
    return Line(WARN if words else GOOD, f"{name}: {_rows_change(before, after)} ({words or 'unchanged'})")


def _table_words(row: Row) -> str:
    words = []
    if row["content"] in ("appended", "rows removed"):
        words.append("rows added" if row["content"] == "appended" else "rows removed")
    elif row["content"] in _UNKNOWN_CONTENT:
        words.append(f"data {row['content']}")
    elif row["content"] not in _INTACT_CONTENT or row["rows_diff"]:
        words.append("data changed")
    if row["change"] not in ("unchanged", None):
        words.append("definition changed" + _detail(row, ": "))
    return ", ".join(words)


def _rows(number: int | None) -> str:
    return "rows not counted" if number is None else units.plural(number, "row")


def _rows_change(before: int | None, after: int | None) -> str:
    if before is None or after is None or before == after:
        return _rows(after if after is not None else before)
    return f"{units.count(before)} → {units.plural(after, 'row')}"


def _detail(row: Row, lead: str = " (", tail: str = "") -> str:
    return f"{lead}{shorten(row['detail'], _DETAIL_LIMIT)}{tail}" if row["detail"] else ""


def column_lines(columns: pd.DataFrame) -> list[Line]:
    """Return one line per changed column (:data:`migkit.frames.COLUMN_CHANGES`)."""
    return [_column_line(row) for row in frames.COLUMN_CHANGES.rows(columns) if _column_changed(row)]


def _column_changed(row: Row) -> bool:
    return row["change"] != "unchanged" or row["content"] not in ("intact", "not compared", None)


def _column_line(row: Row) -> Line:
    name = f"Column {qualified(row['schema'], row['table'])}.{row['column']}"
    if row["change"] in ("added", "removed"):
        return Line(ADDED if row["change"] == "added" else BAD, f"{name} was {row['change']}")
    if row["change"] == "renamed":
        return Line(WARN, f"{name} was renamed from {row['renamed_from']}{_content_words(row, ', ')}")
    if row["change"] == "unchanged":
        return Line(WARN, f"{name}: {_content_words(row)}")
    return Line(WARN, f"{name} was changed{_detail(row, ': ')}{_content_words(row, '; ')}")


def _content_words(row: Row, lead: str = "") -> str:
    content = row["content"]
    if content in ("intact", "retyped"):
        return f"{lead}data intact"
    if content in ("changed", "appended"):
        where = f" where {row['where']}" if row["where"] else ""
        rows = f" in {units.plural(row['rows_changed'], 'row')}" if row["rows_changed"] else ""
        return f"{lead}data {'changed' if content == 'changed' else 'appended'}{rows}{where}"
    return f"{lead}{'data ' if content in _UNKNOWN_CONTENT else ''}{content}" if content else ""


def constraint_lines(constraints: pd.DataFrame) -> list[Line]:
    """Return one line per changed constraint (:data:`migkit.frames.CONSTRAINT_CHANGES`)."""
    return [
        _change_line(f"{row['kind'] or 'constraint'} {row['name']} on {qualified(row['schema'], row['table'])}", row)
        for row in _changed(frames.CONSTRAINT_CHANGES, constraints)
    ]


def index_lines(indexes: pd.DataFrame) -> list[Line]:
    """Return one line per changed index (:data:`migkit.frames.INDEX_CHANGES`)."""
    return [
        _change_line(f"index {row['name']} on {qualified(row['schema'], row['table'])}", row)
        for row in _changed(frames.INDEX_CHANGES, indexes)
    ]


def object_lines(objects: pd.DataFrame) -> list[Line]:
    """Return one line per changed other object (:data:`migkit.frames.OBJECT_CHANGES`)."""
    return [
        _change_line(f"{row['kind']} {qualified(row['schema'], row['name'])}", row)
        for row in _changed(frames.OBJECT_CHANGES, objects)
    ]


def _changed(spec: FrameSpec, frame: pd.DataFrame) -> list[dict[str, Any]]:
    return spec.rows(frame[frame["change"] != "unchanged"])


def _change_line(name: str, row: Row) -> Line:
    name = name[:1].upper() + name[1:]
    if row["change"] == "added":
        return Line(ADDED, f"{name} was added")
    if row["change"] == "removed":
        return Line(BAD, f"{name} was removed")
    return Line(WARN, f"{name} was {row['change']}{_detail(row, ': ')}")


def orphan_lines(orphans: pd.DataFrame) -> list[Line]:
    """Return one line per foreign key with rows that lack a parent (:data:`migkit.frames.ORPHAN_CHANGES`)."""
    return [_orphan_line(row) for row in frames.ORPHAN_CHANGES.rows(orphans) if row["orphans_after"]]


def _orphan_line(row: Row) -> Line:
    new = row["orphans_new"]
    told = f"{units.count(new)} of them new" if new and new > 0 else "as before"
    sign = BAD if new and new > 0 else WARN
    name = f"{row['constraint']} on {qualified(row['schema'], row['table'])}"
    return Line(sign, f"Foreign key {name}: {units.plural(row['orphans_after'], 'row')} without a parent ({told})")


def finding_lines(findings: pd.DataFrame) -> list[Line]:
    """Return one line per finding (:data:`migkit.frames.FINDINGS`)."""
    return [
        Line(SIGNS.get(row["severity"], NOTE), f"{shorten(row['what'], _FINDING_LIMIT)} [{row['id']}]")
        for row in frames.FINDINGS.rows(findings)
    ]


def check_lines(checks: pd.DataFrame) -> list[Line]:
    """Return one line per promise (:data:`migkit.frames.CHECKS`)."""
    return [_check_line(row) for row in frames.CHECKS.rows(checks)]


def _check_line(row: Row) -> Line:
    if row["passed"]:
        return Line(GOOD, row["check"])
    if row["passed"] is None:
        return Line(WARN, f"{row['check']}: not checked")
    expected, found = row["expected"] or "nothing", row["found"] or "nothing"
    return Line(BAD, f"{row['check']}: expected {expected}, found {found}")


def statement_lines(statements: pd.DataFrame) -> list[Line]:
    """Return one line per statement (:data:`migkit.frames.STATEMENTS`): ``✓ Created table users (0.12s)``."""
    return [_statement_line(row) for row in frames.STATEMENTS.rows(statements)]


def _statement_line(row: Row) -> Line:
    words = row["summary"] or shorten(row["sql"] or "", 80)
    took = f" ({units.duration(row['seconds'])})" if row["seconds"] is not None else ""
    if row["outcome"] == "applied":
        return Line(GOOD, f"{words}{took}")
    if row["outcome"] == "failed":
        return Line(BAD, f"{words}{took}: {row['error'] or 'failed'}")
    reason = f", {row['error']}" if row["outcome"] == "skipped" and row["error"] else ""
    return Line(NOTE, f"{words}{took}: {row['outcome'] or 'outcome unknown'}{reason}")


def change_counts(frame: pd.DataFrame) -> str:
    """Return how many rows of a frame of changes there are of each kind: ``2 added, 1 removed, 7 unchanged``."""
    counts = frame["change"].value_counts()
    known = ("added", "removed", "renamed", "changed", "unchanged")
    order = [word for word in known if word in counts] + sorted(set(counts.index) - set(known))
    return ", ".join(f"{units.count(int(counts[word]))} {word}" for word in order) or "none"


def capped(lines: Sequence[Line], limit: int, noun: str = "line") -> list[Line]:
    """Return at most `limit` lines, and how many more there are: what tells something comes first."""
    told = sorted(lines, key=lambda line: line.sign == GOOD)
    if len(told) <= limit:
        return told
    return [*told[:limit], Line(NOTE, f"and {units.plural(len(told) - limit, noun)} more")]
