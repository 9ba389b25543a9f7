"""Whether a database is exactly what a backup was made from, except for what no backup can bring back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import pandas as pd

from migkit.dialects.backing import Backing
from migkit.framing import plain
from migkit.state.comparison import Comparison, compare
from migkit.state.schema_digest import SchemaDigest
from migkit.state.snapshot import State

# Restoring computes them anew from the tables.
_COMPUTED = "materialized view"
_KINDS = {
    "tables": "table",
    "columns": "column",
    "constraints": "constraint",
    "indexes": "index",
    "objects": "object",
}
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Exactness:
    """How a restored database compares with the state it is to have.

    Attributes
    ----------
    comparison : Comparison
        The two states.
    differences : tuple of str
        What differs, one sentence each; nothing if it is exact.
    notes : tuple of str
        What was not compared.
    """

    comparison: Comparison = field(repr=False)
    differences: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Nothing differs."""
        return not self.differences


def compare_restored(
    expected: State, found: State, *, dialect: Backing | None = None, content: bool = True, serves: bool = False
) -> Exactness:
    """Hold a restored database against the state that its backup keeps.

    Parameters
    ----------
    expected : State
        What was captured at the instant of the backup.
    found : State
        What was captured of the restored database.
    dialect : Backing, optional
        The engine: it knows what no backup holds, and what is switched off in a staged database.
    content : bool
        Compare rows, too; not where others may write to the database again.
    serves : bool
        The restored database serves: nothing in it is switched off any more.
    """
    dialect = dialect or Backing()
    left_out = dialect.left_out_of_backups
    dormant = () if serves else dialect.dormant_in_stage
    notes = [f"the content of the materialized view {name} was computed anew" for name in _computed(expected)]
    for kind in left_out:
        if (expected.objects["kind"] == kind).any():
            notes.append(f"{kind}s are not part of a backup")
    found, moved = _with_counters(expected, found)
    notes += moved
    telling = dialect.read_only_objects
    awake = (_awake(state, dialect, dormant) for state in (expected, found))
    comparison = compare(*(_comparable(state, left_out, telling) for state in awake))
    notes += [f"{row['what']}: {row['why']}" for row in comparison.unchecked.to_dict("records")]
    differences = [*_schema_differences(comparison)]
    if content and not comparison.identical and not differences:
        differences = [*_content_differences(comparison)] or ["the rows could not be proven to be the same"]
    return Exactness(comparison, tuple(differences), tuple(notes))


def _computed(state: State) -> list[str]:
    return [str(name) for name in plain(state.tables.loc[state.tables["kind"] == _COMPUTED, "table"])]


def _with_counters(expected: State, found: State) -> tuple[State, list[str]]:
    """Let counters differ that others moved while the backup was made: no snapshot holds them still.

    A counter read a moment later than the dump read it looks set back in what was restored. It is none of that as long
    as it is not behind the rows.
    """
    if "value" not in found.objects or not found.objects["value"].notna().any():
        return found, []
    wanted = dict(_counters(expected))
    largest = dict(zip(_names(found.tables), plain(found.tables["key_max"]), strict=True))
    values, notes = [], []
    for key, value in _counters(found):
        stands, stood = _number(value), _number(wanted.get(key))
        rows_at = _number(largest.get((key[1], key[3])))
        if stands is None or stood is None or stands >= stood or stands < (rows_at or stands):
            values.append(value)
        else:
            values.append(wanted[key])
            notes.append(f"where {key[2]} stands: {value} in the dump, {wanted[key]} a moment later")
    counted = pd.Series(values, index=found.objects.index, dtype="str")
    return replace(found, objects=found.objects.assign(value=counted)), notes


def _counters(state: State) -> list[tuple[tuple[str, str, str, str], str | None]]:
    """Return kind, schema, name and parent of every object, and where it stands if it is one that counts."""
    columns = (plain(state.objects[name]) for name in ("kind", "schema", "name", "parent", "value"))
    return [((kind, schema, name, parent), value) for kind, schema, name, parent, value in zip(*columns, strict=True)]


def _number(value: object) -> int | None:
    digits = str(value).split()[0] if value is not None and str(value) else ""
    return int(digits) if digits.lstrip("-").isdigit() else None


def _awake(state: State, dialect: Backing, dormant: tuple[str, ...]) -> State:
    """Leave out whether objects are switched off."""
    if not dormant or not state.objects["kind"].isin(dormant).any():
        return state
    objects = state.objects.copy()
    texts = zip(plain(objects["kind"]), plain(objects["definition"]), strict=True)
    objects["definition"] = pd.Series(
        [text and dialect.settled_definition(kind, text) for kind, text in texts], index=objects.index, dtype="str"
    )
    heads = tuple(f"{kind.upper()} " for kind in dormant)
    return replace(state, objects=objects, schema_dump=_without_heads(state.schema_dump, heads))


def _without_heads(digest: SchemaDigest | None, heads: tuple[str, ...]) -> SchemaDigest | None:
    if digest is None:
        return None
    kept = tuple(one for one in digest.statements if not one[0].startswith(heads))
    return replace(digest, statements=kept, digest=hashlib.sha256(repr(kept).encode()).hexdigest())


def _comparable(state: State, left_out: tuple[str, ...], telling: tuple[tuple[str, str], ...]) -> State:
    computed = set(_names(state.tables[state.tables["kind"] == _COMPUTED]))
    names = zip(state.objects["kind"], state.objects["name"], strict=True)
    chosen = [kind not in left_out and (kind, name) not in telling for kind, name in names]
    kept = state.objects[pd.Series(chosen, index=state.objects.index, dtype=bool)]
    state = replace(state, objects=kept.reset_index(drop=True))
    if not computed:
        return state
    return replace(
        state,
        tables=_without(state.tables, computed),
        columns=_without(state.columns, computed),
        segments=_without(state.segments, computed),
    )


def _without(frame: pd.DataFrame, names: set[tuple[str, str]]) -> pd.DataFrame:
    kept = pd.Series([name not in names for name in _names(frame)], index=frame.index, dtype=bool)
    return frame[kept].reset_index(drop=True)


def _names(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(frame["schema"], frame["table"], strict=True))


def _schema_differences(comparison: Comparison) -> list[str]:
    found: list[str] = []
    for name in _KINDS:
        frame = getattr(comparison, name)
        for row in frame[frame["change"] != "unchanged"].to_dict("records"):
            what = row.get("column") or row.get("name") or row["table"]
            where = f" of {row['table']}" if "table" in row and what != row["table"] else ""
            detail = row.get("detail")
            told = f": {detail}" if isinstance(detail, str) and detail else ""
            found.append(f"{_KINDS[name]} {what}{where} {row['change']}{told}")
    findings = comparison.findings
    elsewhere = findings.loc[findings["id"] == "schema-differs-elsewhere", "what"]
    return [*found, *(str(one) for one in elsewhere)]


def _content_differences(comparison: Comparison) -> list[str]:
    tables = comparison.tables
    differing = tables[(tables["content"] != "intact") & tables["content"].notna()]
    return [
        f"rows of {row['table']}: {row['content']} ({row['rows_before']} before, {row['rows_after']} now)"
        for row in differing.to_dict("records")
    ]


def told(differences: tuple[str, ...]) -> str:
    """Return the first differences as one text."""
    more = len(differences) - _SHOWN
    return "; ".join(differences[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
