"""Where a comparison reports something, as short texts that cases can name.

A place is a frame, a thing and what is said of it: ``columns users.email: data``, ``tables orders: rows``,
``objects trigger touch on users: definition``, ``constraints orders.orders_user: removed``,
``orphans orders.orders_user: more``. Names are qualified only outside the default schema. Of a thing that changed, each
differing fact is a word of its own (``default``, ``on_delete``, ``definition``); content reads ``data``, ``unproven``,
``retyped``, ``not compared``.

An injury is found if every place it names is reported and nothing unrelated is. Related is:

- anything else said of the same thing (a foreign key whose action changed has another definition, too),
- the content of the table that a reported column belongs to,
- the content of the columns of a table whose number of rows is reported,
- that the other columns of a table without a key are unproven, where one changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.verdicts.cases import Case
from migkit import frames
from migkit.dialects.base import Row
from migkit.state.comparison import Comparison

Reports = dict[str, set[str]]

_FACT = re.compile(r"(?:^|; )([a-z_]+): ")
_CONTENT_WORDS = {"changed": "data"}
_SILENT_CONTENT = frozenset({"intact", "added", "removed", "appended", "rows removed"})
_CONTENT = frozenset({"data", "unproven", "not compared"})
_RANGE = re.compile(r"(-?\d+)(?:\.\.(-?\d+))?")


@dataclass(frozen=True)
class Outcome:
    """How a case went; `faults` is empty if it went as it should."""

    case: Case
    faults: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether it was found, or not, as it should."""
        return not self.faults


def reports_of(comparison: Comparison) -> Reports:
    """Return everything a comparison reports: per thing, the words for it."""
    default = comparison.facts.default_schema
    reports: Reports = {}
    for thing, words in _reported(comparison, default):
        if words:
            reports.setdefault(thing, set()).update(words)
    return reports


def _reported(comparison: Comparison, default: str) -> Iterator[tuple[str, set[str]]]:
    for row in frames.TABLE_CHANGES.rows(comparison.tables):
        rows = {"rows"} if row["rows_diff"] or row["rows_before"] != row["rows_after"] else set()
        yield f"tables {_label(default, row, 'table')}", _change(row) | _content(row) | rows
    for row in frames.COLUMN_CHANGES.rows(comparison.columns):
        yield f"columns {_label(default, row, 'table', 'column')}", _change(row) | _content(row)
    for row in frames.CONSTRAINT_CHANGES.rows(comparison.constraints):
        yield f"constraints {_label(default, row, 'table', 'name')}", _change(row)
    for row in frames.INDEX_CHANGES.rows(comparison.indexes):
        yield f"indexes {_label(default, row, 'table', 'name')}", _change(row)
    for row in frames.OBJECT_CHANGES.rows(comparison.objects):
        yield f"objects {row['kind']} {_label(default, row, 'name')}", _change(row)
    for row in frames.ORPHAN_CHANGES.rows(comparison.orphans):
        before, after = row["orphans_before"], row["orphans_after"]
        words = set() if before == after else {"more" if (after or 0) > (before or 0) else "fewer"}
        yield f"orphans {_label(default, row, 'table', 'constraint')}", words
    for statement in comparison.facts.elsewhere:
        yield f"elsewhere {statement.head}", {statement.change}


def _label(default: str, row: Row, *names: str) -> str:
    parts = [row[name] for name in names]
    return ".".join(parts if row["schema"] in (default, "") else [row["schema"], *parts])


def _change(row: Row) -> set[str]:
    if row["change"] == "unchanged":
        return set()
    return {row["change"], *_FACT.findall(row["detail"] or "")}


def _content(row: Row) -> set[str]:
    content = row["content"]
    return set() if content in _SILENT_CONTENT else {_CONTENT_WORDS.get(content, content)}


def judge(case: Case, comparison: Comparison) -> Outcome:
    """Hold what a comparison reports against what a case says.

    Parameters
    ----------
    case : Case
        What was done.
    comparison : Comparison
        The state before and the one after.
    """
    reports = reports_of(comparison)
    if not case.is_injury:
        faults = [f"alarm: {thing}: {', '.join(sorted(words))}" for thing, words in _unrelated(case, reports)]
        if not comparison.identical and not reports:
            faults = ["alarm: not identical, and nothing says why"]
        return Outcome(case, tuple(faults))
    faults = ["reads identical"] if comparison.identical else []
    faults += [f"not reported: {place}" for place in case.at if not _is_reported(place, reports)]
    faults += [f"unrelated: {thing}: {', '.join(sorted(words))}" for thing, words in _unrelated(case, reports)]
    if not faults and case.key is not None:
        faults += _misplaced(case, comparison)
    return Outcome(case, tuple(faults))


def _is_reported(place: str, reports: Reports) -> bool:
    return any(_matches(place, f"{thing}: {word}") for thing, words in reports.items() for word in words)


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text) is not None


def _unrelated(case: Case, reports: Reports) -> Iterator[tuple[str, set[str]]]:
    named = [place.rpartition(": ")[0] for place in case.at]
    for thing, words in reports.items():
        if any(_matches(place, thing) for place in named) or _follows(thing, words, case.at):
            continue
        rest = {word for word in words if not any(_matches(place, f"{thing}: {word}") for place in case.also)}
        # That a thing changed is said beside each fact that did.
        if rest - {"changed"} or (rest and words == {"changed"}):
            yield thing, rest


def _follows(thing: str, words: set[str], places: Iterable[str]) -> bool:
    frame, _, name = thing.partition(" ")
    if not words <= _CONTENT:
        return False
    if frame == "tables":
        return any(place.startswith(f"columns {name}.") and place.endswith(": data") for place in places)
    table = name.rpartition(".")[0]
    beside = any(place.startswith(f"columns {table}.") and place.endswith(": data") for place in places)
    return frame == "columns" and (f"tables {table}: rows" in places or (beside and words == {"unproven"}))


def _misplaced(case: Case, comparison: Comparison) -> list[str]:
    """Check that the key range of the change holds the row that was changed."""
    places = [
        row["where"] or "" for row in frames.COLUMN_CHANGES.rows(comparison.columns) if row["content"] == "changed"
    ]
    return [f"the reported range does not hold {case.key}: {place}" for place in places if not _holds(place, case.key)]


def _holds(place: str, key: int | None) -> bool:
    ranges = [(int(low), int(high or low)) for low, high in _RANGE.findall(place.partition(" ")[2])]
    return key is not None and any(low <= key <= high for low, high in ranges)
