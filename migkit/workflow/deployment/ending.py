"""The end of every deploy: the journal says so, the evidence is complete, people are told."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from migkit.display.units import duration
from migkit.errors import MigkitError
from migkit.workflow.deployment.evidence import finish_deployment
from migkit.workflow.deployment.record import Record
from migkit.workflow.deployment.results import Deployment
from migkit.workflow.notify import notify


def end(record: Record, *, recovered: bool = False) -> Deployment:
    """Tell people, write the last line of the journal and the evidence, and return the result.

    Parameters
    ----------
    record : Record
        The deploy.
    recovered : bool
        It had been killed, and was brought to its end by ``migkit recover``.

    Raises
    ------
    MigkitError
        If the evidence cannot be written; the database is as the journal says.
    """
    result = record.result()
    record.undelivered = tuple(notify(_addresses(record, recovered), _title(result, recovered), _body(result)))
    for problem in record.undelivered:
        record.progress.note("⚠", f"A notification was not delivered: {problem}")
    result = record.result()
    if needs_nobody(result):
        # Its last line may not find room: recover then looks again, and finds nothing to do.
        with suppress(MigkitError):
            record.journal.finish(result.status)
    else:
        record.journal.close()
    record.progress.close()
    finish_deployment(result)
    return result


def needs_nobody(result: Deployment) -> bool:
    """Whether the database is as it was before, or as it is to be: nothing is left to recover from."""
    return result.status != "failed"


def _addresses(record: Record, recovered: bool) -> tuple[str, ...]:
    addresses = record.options.notifications
    if recovered:
        return addresses.on_recovery
    if record.status == "deployed":
        return addresses.on_success
    return addresses.on_rollback if record.status == "rolled back" else addresses.on_failure


def _title(result: Deployment, recovered: bool) -> str:
    what = "recovered, " if recovered else ""
    return f"migkit: {result.migration['name']} on {result.database['name']}: {what}{result.status}"


def _body(result: Deployment) -> str:
    folder = Path(result.evidence).name if result.evidence else "none"
    lines = [
        result.explain(),
        f"It took {duration(result.seconds)}. Backup: {result.backup or 'none'}. Evidence: {folder}.",
    ]
    lines += [f"To do by hand: {command}" for command in result.commands]
    return "\n".join(lines)
