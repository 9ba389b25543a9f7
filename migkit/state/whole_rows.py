"""Whole rows of tables without a key: what they are compared by where a table has other columns than before.

Without a key only whole rows can be told apart, and a row that got a column is another one. So they are read a second
time without what is new, in the order of before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from migkit.dialects.base import Dialect, Row
from migkit.framing import plain
from migkit.state.content import digest
from migkit.state.renames import Contents, Renames
from migkit.state.rereading import ReadAgain, Totals
from migkit.state.segments import TableName
from migkit.state.snapshot import State


def read_earlier_columns(dialect: Dialect, totals: Totals, like: State, read_again: ReadAgain) -> None:
    """Read tables without a key by the columns they had, where those are still there and others beside them.

    Parameters
    ----------
    dialect : Dialect
        Knows in which other forms a type can be read.
    totals : dict
        What was read, by table; the digest by earlier columns is noted there.
    like : State
        The earlier state.
    read_again : callable
        Reads tables once more, in the snapshot that everything else was read in.
    """
    earlier = _earlier_columns(like)
    contents = []
    for name, one in totals.items():
        now, before = dict(one.content.columns), earlier.get(name, {})
        # A sample is chosen by the hash of whole rows: by other columns it would be another one.
        if before and list(before) != list(now) and now.keys() >= before.keys() and not one.content.within:
            forms = tuple((column, _form(dialect, form, now[column])) for column, form in before.items())
            contents.append(replace(one.content, columns=forms))
    again = read_again(contents) if contents else {}
    fingerprints = dict(zip(_names(like), plain(like.tables["row_fingerprint"]), strict=True))
    for name, reading in again.items():
        found, columns = digest(reading.row_sum), dict(reading.content.columns)
        # Read in other forms than before, equal values may have other digests.
        if found == fingerprints[name] or columns == earlier[name]:
            totals[name].earlier_rows = json.dumps({"columns": list(columns), "fingerprint": found}, ensure_ascii=False)


def _form(dialect: Dialect, before: str | None, now: str) -> str:
    """Return the form in which a column of another type has the digests it had, if its values were kept."""
    others = dialect.other_forms(before, now) if before not in (None, now) else ()
    return others[0] if others else now


def _earlier_columns(like: State) -> dict[TableName, dict[str, str]]:
    """Return, for each table without a key, how each of its columns was read, in their order."""
    keyless = {
        name
        for name, fingerprint in zip(_names(like), plain(like.tables["row_fingerprint"]), strict=True)
        if fingerprint is not None
    }
    columns: dict[TableName, list[tuple[int, str, str]]] = {}
    cells = (plain(like.columns[name]) for name in ("schema", "table", "position", "column", "read_as", "fingerprint"))
    for schema, table, position, column, form, fingerprint in zip(*cells, strict=True):
        if (schema, table) in keyless and fingerprint is not None:
            columns.setdefault((schema, table), []).append((position, column, form))
    return {name: {column: form for _, column, form in sorted(found)} for name, found in columns.items()}


def _names(state: State) -> list[TableName]:
    return list(zip(plain(state.tables["schema"]), plain(state.tables["table"]), strict=True))


def whole_rows(
    old: Contents, new: Contents, renames: Renames, before: TableName, after: TableName
) -> tuple[str, str] | None:
    """Return the digests of whole rows in both states, by the same columns; ``None`` where there are none.

    Parameters
    ----------
    old, new : Contents
        The states.
    renames : Renames
        Which columns have other names.
    before, after : tuple of str
        The table's name in each.
    """
    was, now = old.tables[before], new.tables[after]
    if was["row_fingerprint"] is None or now["row_fingerprint"] is None:
        return None
    columns = _digested(old.columns[before])
    if [renames.column(*after, column) for column in columns] == _digested(new.columns[after]):
        return was["row_fingerprint"], now["row_fingerprint"]
    earlier = json.loads(now["earlier_rows"] or "{}")
    return (was["row_fingerprint"], earlier["fingerprint"]) if earlier.get("columns") == columns else None


def _digested(columns: Mapping[str, Row]) -> list[str]:
    ordered = sorted(columns.items(), key=lambda one: one[1]["position"])
    return [name for name, row in ordered if row["fingerprint"] is not None]
