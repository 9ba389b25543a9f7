"""What makes a deployment take itself back: pure functions over facts that have been collected already."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from migkit.dialects.faults import Faults
from migkit.errors import ConfigError
from migkit.migration.results import Run
from migkit.state.comparison import Comparison
from migkit.workflow.validation import Validation

TRIGGERS = ("error", "timeout", "validation_failed", "constraint_violation")
_TIMED_OUT = "Timed out after"


@dataclass(frozen=True)
class Trigger:
    """Why something is taken back.

    Attributes
    ----------
    name : str
        One of :data:`TRIGGERS`.
    why : str
        What was seen, in one sentence.
    """

    name: str
    why: str


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of a migration that was run."""

    engine: Faults
    run: Run | None = None
    validation: Validation | None = None
    comparison: Comparison | None = None


def triggered(
    enabled: Collection[str],
    *,
    engine: Faults,
    run: Run | None = None,
    validation: Validation | None = None,
    comparison: Comparison | None = None,
) -> tuple[Trigger, ...]:
    """Return which of the enabled triggers these facts pull.

    Parameters
    ----------
    enabled : collection of str
        As ``[auto_rollback] triggers`` has them.
    engine : Faults
        What the database's engine knows of messages.
    run : Run, optional
        The run.
    validation : Validation, optional
        What it was held against.
    comparison : Comparison, optional
        The states before and after.

    Returns
    -------
    tuple of Trigger
        In the order of :data:`TRIGGERS`; empty if there is no reason to take anything back.

    Raises
    ------
    ConfigError
        If there is no such trigger.
    """
    unknown = sorted(set(enabled) - set(TRIGGERS))
    if unknown:
        raise ConfigError(f"There is no trigger {unknown[0]!r}", next_step=f"Known: {', '.join(TRIGGERS)}.")
    facts = Facts(engine, run, validation, comparison)
    found = ((name, _RULES[name](facts)) for name in TRIGGERS if name in enabled)
    return tuple(Trigger(name, why) for name, why in found if why)


def _error(facts: Facts) -> str | None:
    run = facts.run
    if run is None or run.succeeded or _timeout(facts):
        return None
    return f"the run failed: {run.error}"


def _timeout(facts: Facts) -> str | None:
    run = facts.run
    if run is None or run.succeeded or not (run.error or "").startswith(_TIMED_OUT):
        return None
    return str(run.error)


def _validation_failed(facts: Facts) -> str | None:
    if facts.comparison is not None and not facts.comparison.passed:
        return facts.comparison.errors[0]
    if facts.validation is None or facts.validation.passed:
        return None
    checks = facts.validation.checks
    broken = checks[~checks["passed"].fillna(False).astype(bool)]
    if broken.empty:
        return "nothing that the migration promises could be checked"
    first = broken.iloc[0]
    return f"{first['check']}: expected {first['expected']}, found {first['found']}"


def _constraint_violation(facts: Facts) -> str | None:
    run, comparison = facts.run, facts.comparison
    if run is not None and not run.succeeded and facts.engine.violates_constraint(run.error or ""):
        return f"the run violated a constraint: {run.error}"
    if comparison is None:
        return None
    if comparison.constraint_violations:
        return f"{comparison.constraint_violations} constraints do not hold any longer"
    if comparison.orphaned_records:
        return f"{comparison.orphaned_records} rows lost their parent"
    return None


_RULES: dict[str, Callable[[Facts], str | None]] = {
    "error": _error,
    "timeout": _timeout,
    "validation_failed": _validation_failed,
    "constraint_violation": _constraint_violation,
}
