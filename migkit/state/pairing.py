"""Things that go by another name because a table or column does, or that are in all but their name what they were."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from migkit.dialects.base import Row
from migkit.framing import FrameSpec
from migkit.state.renames import Renames, tokens
from migkit.state.segments import TableName

Key = tuple[str, ...]
Rows = Mapping[Key, Row]

# What two things of a kind must have in common to be one.
_COMMON = {
    "constraints": ("kind", "columns", "definition", "referenced", "on_update", "on_delete"),
    "indexes": ("definition", "unique"),
    "objects": ("parent", "definition"),
    "orphans": ("columns", "referenced"),
}
# Of these, another name alone is a renaming. Objects are called by their names; and which foreign key orphans belong to
# is only told by its name.
_RENAMED = frozenset({"constraints", "indexes"})
# What servers call a constraint that nobody named, after the table.
_GENERATED = re.compile(r"_(ibfk|chk)_\d+")
_SHORTENED = "…"


def owner(spec: FrameSpec, row: Row | None) -> TableName | None:
    """Return the table a thing belongs to."""
    if row is None or "schema" not in spec.keys:
        return None
    if "table" in spec.keys:
        return row["schema"], row["table"]
    parent = row.get("parent")
    return (row["schema"], parent.removeprefix(f"{row['schema']}.")) if parent else None


def alike(spec: FrameSpec, fact: str, table: TableName | None, before: object, after: object, renames: Renames) -> bool:
    """Tell whether a fact is the same but for names of tables and columns, and for an index but for its own name."""
    if before == after:
        return True
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    if spec.name == "indexes" and fact == "definition":
        return renames.carries(table, _nameless(before), _nameless(after))
    return renames.explains(table, before, after)


def _nameless(definition: str) -> list[str]:
    """Leave the name out of ``CREATE UNIQUE INDEX name ON …``; some engines do not write it."""
    words = tokens(definition)
    start = [word.upper() for word in words[:3]]
    if start[:1] == ["CREATE"] and "INDEX" in start:
        del words[start.index("INDEX") + 1]
    return words


def find_pairs(spec: FrameSpec, old: Rows, new: Rows, renames: Renames) -> dict[Key, Key]:
    """Pair things that only one of two states has, by what they are.

    Parameters
    ----------
    spec : FrameSpec
        What they are described by.
    old, new : mapping of key to row
        What only the earlier, and only the later, of the states has; keys have the present names of tables.
    renames : Renames
        What was renamed.

    Returns
    -------
    dict of key to key
        The present key of each of `old` that has one. Things that differ in definition are never paired.
    """
    found: dict[Key, Key] = {}
    tests = _tests(spec)
    # Things of one table, or of one kind, are looked at together: there may be thousands of others.
    free: dict[Key, list[Key]] = defaultdict(list)
    for key in sorted(new) if tests else ():
        free[key[:-1]].append(key)
    for test in tests:
        for key in sorted(old.keys() - found.keys()):
            candidates = _candidates(spec, old[key], free[key[:-1]], new, renames)
            match = next((one for one in candidates if test(spec, old[key], new[one], renames)), None)
            if match is not None:
                found[key] = match
                free[key[:-1]].remove(match)
    return found


def _tests(spec: FrameSpec) -> tuple[Callable[[FrameSpec, Row, Row, Renames], bool], ...]:
    """Return what a new name has to be, first what is more certain."""
    if spec.name not in _COMMON:
        return ()
    return (follows, _any_name) if spec.name in _RENAMED else (follows,)


def _candidates(spec: FrameSpec, row: Row, among: Iterable[Key], new: Rows, renames: Renames) -> Iterator[Key]:
    for other in among:
        table = owner(spec, new[other])
        if all(alike(spec, fact, table, row[fact], new[other][fact], renames) for fact in _COMMON[spec.name]):
            yield other


def follows(spec: FrameSpec, before: Row, after: Row, renames: Renames) -> bool:
    """Tell whether a name is what became of another by itself, when a table or column was renamed."""
    table = owner(spec, after)
    name = spec.keys[-1]
    if table is None:
        return False
    if renames.explains(table, before[name], after[name]) or _SHORTENED in before[name]:
        return True
    follow: Callable[[str, str, str, str], bool] = _says_table if spec.name == "objects" else _is_generated
    return any(follow(before[name], after[name], old[1], new[1]) for old, new in renames.tables.items())


def _any_name(*_: object) -> bool:
    return True


def _says_table(before: str, after: str, old: str, new: str) -> bool:
    """Tell whether a name says the table in a place of its own: ``t``, ``trigger on t``, ``t.partition``."""
    whole = re.compile(rf"(?<!\w){re.escape(old)}(?!\w)")
    return any(before[: one.start()] + new + before[one.end() :] == after for one in whole.finditer(before))


def _is_generated(before: str, after: str, old: str, new: str) -> bool:
    rest = before.removeprefix(old)
    return rest != before and after == new + rest and _GENERATED.fullmatch(rest) is not None
