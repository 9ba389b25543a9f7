"""Two sets of catalog rows held side by side: what was added, removed, changed. The frames' roles say what counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from migkit.dialects.base import Row
from migkit.framing import FrameSpec
from migkit.state.pairing import alike, find_pairs, follows, owner
from migkit.state.renames import Renames

Change = Literal["unchanged", "added", "removed", "changed", "renamed"]


@dataclass(frozen=True)
class Difference:
    """One fact that differs."""

    fact: str
    before: object
    after: object

    def __str__(self) -> str:
        return f"{self.fact}: {_shown(self.before)} → {_shown(self.after)}"


@dataclass(frozen=True)
class Pair:
    """One thing in two states; `before` or `after` is ``None`` where it was added or removed."""

    key: tuple[str, ...]
    before: Row | None
    after: Row | None
    differences: tuple[Difference, ...] = ()

    @property
    def change(self) -> Change:
        """What happened to it."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        if self.difference("name") and len(self.differences) == 1:
            return "renamed"
        return "changed" if self.differences else "unchanged"

    @property
    def detail(self) -> str | None:
        """What differs, one fact after the other."""
        return "; ".join(map(str, self.differences)) or None

    def difference(self, fact: str) -> Difference | None:
        """Return the difference in one fact."""
        return next((one for one in self.differences if one.fact == fact), None)


def pair_rows(
    spec: FrameSpec,
    before: Iterable[Row],
    after: Iterable[Row],
    renames: Renames,
    *,
    ignore: frozenset[str] = frozenset(),
) -> list[Pair]:
    """Join two sets of rows on their keys and find the facts that differ.

    Parameters
    ----------
    spec : FrameSpec
        Its roles say which columns are keys and which are facts.
    before, after : iterables of rows
        The two sets.
    renames : Renames
        Earlier names are carried over before rows are joined; definitions that differ only by them are unchanged.
        What then is in one set only is joined by its definition, and has a difference in its ``name`` unless that is
        what became of it by itself.
    ignore : frozenset of str
        Facts that are judged elsewhere.

    Returns
    -------
    list of Pair
        Sorted by key.
    """
    old = {_renamed_key(spec, row, renames): row for row in before}
    new = {tuple(row[name] for name in spec.keys): row for row in after}
    pairs = find_pairs(
        spec,
        {key: row for key, row in old.items() if key not in new},
        {key: row for key, row in new.items() if key not in old},
        renames,
    )
    old = {pairs.get(key, key): row for key, row in old.items()}
    facts = [fact for fact in spec.facts if fact not in ignore]
    return [
        Pair(key, old.get(key), new.get(key), _differences(spec, old.get(key), new.get(key), facts, renames))
        for key in sorted(old.keys() | new.keys(), key=lambda key: tuple(part or "" for part in key))
    ]


def _renamed_key(spec: FrameSpec, row: Row, renames: Renames) -> tuple[str, ...]:
    if not renames:
        return tuple(row[name] for name in spec.keys)
    values = dict(row)
    if "table" in spec.keys:
        values["schema"], values["table"] = renames.table(row["schema"], row["table"])
    if "column" in spec.keys:
        values["column"] = renames.column(values["schema"], values["table"], row["column"])
    return tuple(values[name] for name in spec.keys)


# What a name in it would be a coincidence of.
_NEVER_EXPLAINED = frozenset({"name", "type", "kind", "nullable", "owner"})


def _differences(
    spec: FrameSpec, before: Row | None, after: Row | None, facts: Iterable[str], renames: Renames
) -> tuple[Difference, ...]:
    if before is None or after is None:
        return ()
    table = owner(spec, after)
    renamed = "name" in spec.keys and before["name"] != after["name"] and not follows(spec, before, after, renames)
    return tuple(
        Difference(fact, before[fact], after[fact])
        for fact in (*(["name"] if renamed else []), *facts)
        if before[fact] != after[fact]
        and (fact in _NEVER_EXPLAINED or not alike(spec, fact, table, before[fact], after[fact], renames))
    )


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def shared_positions(columns: Mapping[str, Row], others: Iterable[str]) -> dict[str, int]:
    """Return the rank of each column among those that both states have, so that adding one moves no other."""
    shared = set(others) & columns.keys()
    ordered = sorted(shared, key=lambda column: columns[column]["position"])
    return {column: rank for rank, column in enumerate(ordered, start=1)}
