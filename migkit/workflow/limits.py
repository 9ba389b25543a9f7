"""Limits as verdicts: how long others may be held up, how slow they may become, how many of their requests may fail."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from migkit import frames
from migkit.config import LimitsConfig
from migkit.display import units
from migkit.errors import MigrationInvalid
from migkit.findings import Finding, Rule
from migkit.migration.migration import Migration

NAMES = ("max_blocked_ms", "max_p99_ms", "max_errors")
BASELINE = "baseline"

TOO_LONG_BLOCKED = Rule(
    "limit-blocked",
    "error",
    "Statements of others were stalled for longer than the limit max_blocked_ms allows.",
    "In production the same statements would stall for at least as long, and what queues behind them too.",
    "Split the migration, set a short lock_timeout and retry, build indexes concurrently; or raise it knowingly.",
    bad="max_blocked_ms = 500, and writes to orders stalled for 1,840 ms while ALTER TABLE ran",
    good="NOT VALID first, VALIDATE CONSTRAINT in a migration of its own",
)
TOO_SLOW = Rule(
    "limit-p99",
    "error",
    "One request in a hundred took longer than the limit max_p99_ms allows.",
    "Users notice the slowest requests; while the migration runs they are this slow.",
    "See which statement of the migration ran then (the plot marks it), and do it in smaller batches.",
    bad="max_p99_ms = 50, and p99 of 'SELECT orders by user' was 1,840 ms",
    good="UPDATE … WHERE id BETWEEN 1 AND 5000, batch by batch",
)
TOO_MANY_ERRORS = Rule(
    "limit-errors",
    "error",
    "More requests failed than the limit max_errors allows.",
    "The application's queries would fail in the same way.",
    "Expand first, deploy the application that needs no old column, contract in a later migration.",
    bad="max_errors = 0, and 300 of 'INSERT order' failed after a column had been dropped",
    good="drop the column one release after the application stopped using it",
)
NOT_MEASURED = Rule(
    "limit-not-measured",
    "error",
    "A limit was set, and what it limits was not measured.",
    "Nothing shows that the limit is kept.",
    "See under what was not checked why it was not measured; or take the limit out.",
    bad="max_p99_ms = 50 on an engine on which no canary runs",
    good="a load test with the application's own statements",
)
LOOSENED = Rule(
    "limit-loosened",
    "warning",
    "The migration sets a limit of its own that is looser than the one in migkit.toml.",
    "It passes where others would fail.",
    "Say in the migration's description why it may.",
    bad='[limits] max_blocked_ms = 500, and metadata["limits"] = {"max_blocked_ms": 5000}',
    good='metadata["limits"] = {"max_blocked_ms": 100}',
)

RULES = (TOO_LONG_BLOCKED, TOO_SLOW, TOO_MANY_ERRORS, NOT_MEASURED, LOOSENED)


@dataclass(frozen=True)
class Limits:
    """What a migration may do to others at the most; ``None`` where anything goes.

    Attributes
    ----------
    max_blocked_ms : float or None
        How long any statement was stalled, taken together.
    max_p99_ms : float or None
        One request in a hundred may take longer.
    max_errors : int or None
        Requests that may fail while the migration runs and afterwards.
    loosened : tuple of str
        Limits that the migration itself made looser, in words.
    """

    max_blocked_ms: float | None = None
    max_p99_ms: float | None = None
    max_errors: int | None = None
    loosened: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, name) is not None for name in NAMES)

    def to_document(self) -> dict[str, Any]:
        """Return the limits as JSON values."""
        return {**{name: getattr(self, name) for name in NAMES}, "loosened": list(self.loosened)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any] | None) -> Limits:
        """Read what :meth:`to_document` wrote; nothing at all is no limits."""
        known = document or {}
        return cls(**{name: known.get(name) for name in NAMES}, loosened=tuple(known.get("loosened", ())))


def limits_for(migration: Migration | None, settings: LimitsConfig) -> Limits:
    """Return the limits that hold for a migration.

    Parameters
    ----------
    migration : Migration or None
        Its ``metadata["limits"]`` (in SQL files ``-- migkit: limits max_blocked_ms=500``) replace those of the file,
        limit by limit.
    settings : LimitsConfig
        ``[limits]`` of ``migkit.toml``.

    Raises
    ------
    MigrationInvalid
        If the migration names a limit there is none of, or gives one that is no number.
    """
    chosen: dict[str, Any] = {name: getattr(settings, name) for name in NAMES}
    loosened = []
    for name, value in _own_limits(migration).items():
        general = chosen[name]
        if general is not None and value > general:
            loosened.append(f"{name} is {value:g} in the migration and {general:g} in migkit.toml")
        chosen[name] = value
    return Limits(**chosen, loosened=tuple(loosened))


def _own_limits(migration: Migration | None) -> dict[str, float]:
    if migration is None or "limits" not in migration.metadata.extra:
        return {}
    told = migration.metadata.extra["limits"]
    where = str(migration.path)
    if isinstance(told, str):
        told = _parsed(told, where)
    if not isinstance(told, Mapping):
        raise MigrationInvalid("metadata['limits'] must be a mapping", where=where, next_step=_EXAMPLE)
    return {str(name): _number(str(name), value, where) for name, value in told.items()}


_EXAMPLE = 'Example: {"max_blocked_ms": 500, "max_errors": 0}; in SQL -- migkit: limits max_blocked_ms=500 max_errors=0'


def _parsed(text: str, where: str) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in text.replace(",", " ").split()]
    if not all(sign for _, sign, _ in pairs):
        raise MigrationInvalid(f"The limits {text!r} cannot be read", where=where, next_step=_EXAMPLE)
    return {name: value for name, _, value in pairs}


def _number(name: str, value: Any, where: str) -> float:
    if name not in NAMES:
        raise MigrationInvalid(f"There is no limit {name!r}", where=where, next_step=f"Known: {', '.join(NAMES)}.")
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    whole = name != "max_errors" or number == int(number if math.isfinite(number) else 0)
    if not math.isfinite(number) or number < 0 or not whole:
        raise MigrationInvalid(f"The limit {name} is no number of its kind: {value!r}", where=where, next_step=_EXAMPLE)
    return int(number) if name == "max_errors" else number


def judge_limits(
    limits: Limits, statements: pd.DataFrame | None, *, locked: Sequence[tuple[str, float]] = ()
) -> list[Finding]:
    """Hold what others went through against the limits.

    Parameters
    ----------
    limits : Limits
        What is allowed.
    statements : pandas.DataFrame or None
        :data:`migkit.frames.LOAD_STATEMENTS` of a load test or of canaries; ``None`` where nothing was measured. The
        phase ``baseline`` is not the migration's fault and does not count.
    locked : sequence of (relation, milliseconds)
        Where others were not measured: how long locks certainly kept them from writing.

    Returns
    -------
    list of Finding
        One per limit and statement that broke it, the longest first; a limit that could not be held against anything
        is one too.
    """
    findings = [LOOSENED.finding("limits", told) for told in limits.loosened]
    rows = [] if statements is None else [row for row in frames.LOAD_STATEMENTS.rows(statements) if _counts(row)]
    measured = bool(rows)
    findings += _blocked(limits.max_blocked_ms, rows, locked, measured=measured)
    findings += _slow(limits.max_p99_ms, rows) if measured else _unmeasured("max_p99_ms", limits.max_p99_ms)
    findings += _failed(limits.max_errors, rows) if measured else _unmeasured("max_errors", limits.max_errors)
    return findings


def _counts(row: Mapping[str, Any]) -> bool:
    return row["phase"] != BASELINE and bool(row["attempted"])


def _unmeasured(name: str, limit: float | None) -> list[Finding]:
    if limit is None:
        return []
    return [NOT_MEASURED.finding(name, f"{name} is {limit:g}, and nothing was measured that it limits")]


def _blocked(
    limit: float | None, rows: Sequence[Mapping[str, Any]], locked: Collection[tuple[str, float]], *, measured: bool
) -> Iterator[Finding]:
    if limit is None:
        return
    if not measured and not locked:
        yield from _unmeasured("max_blocked_ms", limit)
    told = [(row["blocked_ms"] or 0.0, row["statement"], f"{row['statement']} stalled for", _when(row)) for row in rows]
    told += [(held, relation, f"Writes to {relation} were locked out for", "") for relation, held in locked]
    for blocked, where, words, when in sorted(told, key=lambda one: -one[0]):
        if blocked > limit:
            what = f"{words} {exact_ms(blocked)}{when}; max_blocked_ms is {limit:g}"
            yield TOO_LONG_BLOCKED.finding(where, what)


_WHEN = {
    "baseline": " before the migration",
    "during": " while the migration ran",
    "after": " after the migration",
    "rollback": " while it was rolled back",
    "rolled back": " after it was rolled back",
}


def _when(row: Mapping[str, Any]) -> str:
    return _WHEN.get(row["phase"], "")


def _slow(limit: float | None, rows: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    if limit is None:
        return
    for row in sorted(rows, key=lambda row: -(row["p99_ms"] or 0.0)):
        p99, statement, when = row["p99_ms"], row["statement"], _when(row)
        if p99 is None:
            told = f"max_p99_ms is {limit:g}, and no request of {statement} was answered{when}"
            yield NOT_MEASURED.finding(statement, told)
        elif p99 > limit:
            told = f"p99 of {statement} was {exact_ms(p99)}{when}; max_p99_ms is {limit:g}"
            yield TOO_SLOW.finding(statement, told)


def _failed(limit: int | None, rows: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    errors = sum(row["errors"] or 0 for row in rows)
    if limit is not None and errors > limit:
        worst = max(rows, key=lambda row: row["errors"] or 0)
        told = f"{units.plural(errors, 'request')} failed, most of them {worst['statement']} ({worst['phase']})"
        yield TOO_MANY_ERRORS.finding(worst["statement"], f"{told}; max_errors is {limit}")


def exact_ms(milliseconds: float) -> str:
    """Return milliseconds such as a limit is compared with: ``1,840 ms``.

    Examples
    --------
    >>> exact_ms(1840.4), exact_ms(3.25)
    ('1,840 ms', '3.25 ms')
    """
    return f"{milliseconds:,.0f} ms" if milliseconds >= 100 else f"{milliseconds:.3g} ms"
