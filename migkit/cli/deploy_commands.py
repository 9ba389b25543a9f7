"""Commands that take migrations to real databases, and recover from what was killed; each parses, calls, prints."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from migkit import verbs
from migkit.cli.options import chosen_database, with_confirmation, with_database, with_json, with_limits
from migkit.cli.output import RULE, exit_with, say, say_json
from migkit.display.lines import BAD, GOOD, WARN, Line
from migkit.display.units import duration
from migkit.workflow.deployment.results import Deployment

_STRATEGIES = ("transaction", "down", "backup", "pitr")


@click.command()
@click.argument("migration")
@click.option("--plan", is_flag=True, help="Only print the steps, with estimated times.")
@click.option("--checklist", is_flag=True, help="Only write the runbook of this deploy, as Markdown.")
@click.option(
    "--backup",
    type=click.Choice(["make", "recent"]),
    help="Make a backup and verify it, or rely on a verified one of the last 24 hours [default: make].",
)
@click.option(
    "--strategy",
    type=click.Choice(_STRATEGIES),
    multiple=True,
    help="How to take it back; may be given again: they are tried in order [default: transaction, down, backup].",
)
@click.option("--watch", "watch_seconds", type=click.FloatRange(min=0), help="Seconds to watch it [default: 30].")
@click.option("--terminate", is_flag=True, help="End sessions that go on working when writers are kept out.")
@click.option("--unrehearsed", is_flag=True, help="Deploy a file that was not rehearsed.")
@click.option("--reports", type=click.Path(path_type=Path), help="The archive [default: reports].")
@with_database
@with_limits
@with_confirmation
@with_json
def deploy(
    migration: str,
    plan: bool,
    checklist: bool,
    backup: Literal["make", "recent"] | None,
    strategy: tuple[Literal["transaction", "down", "backup", "pitr"], ...],
    watch_seconds: float | None,
    terminate: bool,
    unrehearsed: bool,
    reports: Path | None,
    database: str | None,
    timeout: float | None,
    lock_timeout: float | None,
    confirm: str | None,
    as_json: bool,
) -> None:
    """Take MIGRATION to a real database: backed up, closed to writers, validated, watched, or taken back."""
    target = chosen_database(database)
    if plan:
        _plan(migration, target, unrehearsed, reports, as_json)
        return
    if checklist:
        text = verbs.deploy_checklist(migration, target, reports=reports)
        say_json({"checklist": text}) if as_json else say(text.rstrip())
        return
    result = verbs.deploy(
        migration,
        target,
        timeout=timeout,
        lock_timeout=lock_timeout,
        backup=backup,
        strategy=strategy or None,
        watch_seconds=watch_seconds,
        terminate=True if terminate else None,
        require_rehearsal=not unrehearsed,
        reports=reports,
        confirm=confirm,
    )
    say_json(result.to_document()) if as_json else _say_deployment(result)
    exit_with(result.passed)


def _plan(migration: str, target: str, unrehearsed: bool, reports: Path | None, as_json: bool) -> None:
    planned = verbs.plan_deploy(migration, target, require_rehearsal=not unrehearsed, reports=reports)
    say_json(planned.to_document()) if as_json else say(str(planned))
    exit_with(planned.passed)


def _say_deployment(result: Deployment) -> None:
    sign = GOOD if result.passed else BAD if result.status == "failed" else WARN
    say("", RULE, f"DEPLOYMENT OF {result.migration['name']} TO {result.database['name']}", RULE)
    say(Line(sign, f"{result.status.upper()} in {duration(result.seconds)}. {result.explain()}"))
    for command in result.commands:
        say(f"  To do by hand: {command}")
    for problem in result.undelivered:
        say(Line(WARN, f"A notification was not delivered: {problem}"))
    say(f"  Backup: {result.backup or 'none'}", f"  Evidence: {result.evidence}")
    say(f"  Not checked: {len(result.unchecked)} things, listed in the evidence.")


@click.command()
@click.option("--accept", is_flag=True, help="Take the database as it is, and close the journals without looking.")
@click.option("--reports", type=click.Path(path_type=Path), help="Where evidence lies [default: reports].")
@click.option("--backups", type=click.Path(path_type=Path), help="Where backups lie [default: backups].")
@click.option("-d", "--database", help="Only this database, by alias or URL [default: all].")
@with_confirmation
@with_json
def recover(
    accept: bool, reports: Path | None, backups: Path | None, database: str | None, confirm: str | None, as_json: bool
) -> None:
    """Finish or undo deploys and restores whose process was killed."""
    found = verbs.recover(database, accept=accept, reports=reports, backups=backups, confirm=confirm)
    say_json(found.to_document()) if as_json else say(str(found))
    exit_with(found.passed)


COMMANDS = (deploy, recover)
