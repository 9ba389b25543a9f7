"""Orphans before and after: how many, and where that number does not tell whether they are the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from migkit import frames
from migkit.dialects.base import Row
from migkit.state.changes import Pair, pair_rows
from migkit.state.content_facts import ColumnFact, ProvenRows, TableFact
from migkit.state.plan import WITHOUT_OWN_CONTENT
from migkit.state.renames import Renames, tokens
from migkit.state.segments import TableName
from migkit.state.snapshot import State

_SAME_VALUES = ("intact", "retyped")


@dataclass(frozen=True)
class OrphanFact:
    """Orphans of a foreign key before and after; ``None`` where they were not counted."""

    key: tuple[str, ...]
    columns: tuple[str, ...]
    referenced: str
    before: int | None
    after: int | None

    @property
    def new(self) -> int | None:
        """Orphans since; all of them where the foreign key is new."""
        return None if self.after is None else self.after - (self.before or 0)


def pair_orphans(before: State, after: State, renames: Renames) -> tuple[OrphanFact, ...]:
    """Return the orphans of every foreign key of either state."""
    old, new = frames.ORPHANS.rows(before.orphans), frames.ORPHANS.rows(after.orphans)
    return tuple(
        OrphanFact(
            pair.key,
            tuple(json.loads((pair.after or pair.before or {})["columns"])),
            (pair.after or pair.before or {})["referenced"],
            pair.before["orphans"] if pair.before else None,
            pair.after["orphans"] if pair.after else None,
        )
        for pair in pair_rows(frames.ORPHANS, old, new, renames)
    )


@dataclass(frozen=True)
class Movements:
    """What is known of rows and values that came and went.

    Attributes
    ----------
    tables, columns : sequences
        What happened to tables and columns.
    constraints : sequence of Pair
        Constraints, which name the columns that foreign keys lead to.
    proven : mapping
        Tables whose rows were compared one by one.
    """

    tables: Sequence[TableFact]
    columns: Sequence[ColumnFact]
    constraints: Sequence[Pair]
    proven: Mapping[TableName, ProvenRows]

    def exchanged_orphans(self, orphans: Iterable[OrphanFact]) -> Iterator[Row]:
        """List the foreign keys of which an orphan may have been repaired while another was made.

        Orphans are counted, and the count is the same then. Without one of the two there is nothing to hide: where none
        could be repaired, the count says how many are new.
        """
        for one in orphans:
            if not one.before or not one.after:
                continue
            child_went, child_came = self._moved((one.key[0], one.key[1]), set(one.columns))
            parents = [self._moved(name, self._led_to(one, name)) for name in self._named(one.referenced)]
            # Of a parent that the states do not hold, anything may have happened.
            parents = parents or [(True, True)]
            repaired = child_went or any(came for _, came in parents)
            made = child_came or any(went for went, _ in parents)
            if repaired and made:
                yield {
                    "what": f"which orphans are new for constraint {one.key[2]} of {one.key[1]}",
                    "why": f"{one.before:,} before and {one.after:,} after were counted, and keys changed in between",
                }

    def _named(self, table: str) -> list[TableName]:
        return [fact.name for fact in self.tables if fact.name[1] == table]

    def _led_to(self, orphan: OrphanFact, parent: TableName) -> set[str]:
        """Return the columns a foreign key leads to; all, where it does not say which and there is no key."""
        fact = next(fact for fact in self.tables if fact.name == parent)
        own = {one.column for one in self.columns if one.table == parent}
        pair = next((pair for pair in self.constraints if pair.key == orphan.key), None)
        row = (pair.after or pair.before or {}) if pair else {}
        words = tokens(row.get("referenced") or "")
        told = own & set(words[words.index("(") :]) if "(" in words else set()
        return told or own & set(json.loads((fact.pair.after or {}).get("key") or "[]")) or own

    def _moved(self, table: TableName, columns: set[str]) -> tuple[bool, bool]:
        """Tell whether values of some columns may have gone, and whether others may have come."""
        fact = next((fact for fact in self.tables if fact.name == table), None)
        contents = [one.content for one in self.columns if one.table == table and one.column in columns]
        unread = fact is not None and (fact.pair.after or fact.pair.before or {}).get("kind") in WITHOUT_OWN_CONTENT
        if fact is None or unread or fact.rows_diff is None or not contents or not set(contents) <= set(_SAME_VALUES):
            return True, True
        proven = self.proven.get(table, ProvenRows(0, 0, {}))
        return proven.removed > 0 or fact.rows_diff < 0, proven.added > 0 or fact.rows_diff > 0
