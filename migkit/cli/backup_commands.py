"""Commands about backups; each parses, calls one verb, prints."""

from __future__ import annotations

from pathlib import Path

import click

from migkit import verbs
from migkit.cli.options import (
    Command,
    chosen_database,
    with_confirmation,
    with_database,
    with_directory,
    with_json,
)
from migkit.cli.output import exit_with, say, say_json
from migkit.recovery.verification import BackupCheck


def _with_target(command: Command) -> Command:
    return click.option(
        "-d",
        "--database",
        help="Alias from migkit.toml, or a database URL [default: the database the backup was made of].",
    )(command)


@click.command()
@click.argument("database", required=False)
@click.option("-d", "--database", "named", envvar="MIGKIT_DATABASE", help="The database, if not given as argument.")
@with_directory
@click.option(
    "--retention-days", type=click.FloatRange(min=0, min_open=True), help="Days until it may be pruned [default: 7]."
)
@click.option("--verify", is_flag=True, help="Restore it at once into a scratch database, and compare.")
@with_json
def backup(
    database: str | None,
    named: str | None,
    directory: Path | None,
    retention_days: float | None,
    verify: bool,
    as_json: bool,
) -> None:
    """Back DATABASE up with its engine's own tool, and its state at the same instant."""
    made = verbs.backup(
        chosen_database(database or named), directory=directory, retention_days=retention_days, verify=verify
    )
    say_json(made.to_document()) if as_json else say(str(made))


@click.command("verify-backup")
@click.argument("id")
@_with_target
@with_directory
@with_json
def verify_backup(id: str, database: str | None, directory: Path | None, as_json: bool) -> None:
    """Restore backup ID into a scratch database, and compare that with what was backed up."""
    _say_check(verbs.verify_backup(id, database, directory=directory), as_json)


@click.command()
@with_database
@with_directory
@with_json
def backups(database: str | None, directory: Path | None, as_json: bool) -> None:
    """List the backups, newest first."""
    found = verbs.backups(database, directory=directory)
    say_json(found.to_document()) if as_json else say(str(found))


@click.command("restore-backup")
@click.argument("id")
@_with_target
@with_directory
@click.option("--terminate", is_flag=True, help="End sessions that do not leave the database by themselves.")
@click.option(
    "--patience", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Seconds to wait for them first."
)
@click.option(
    "--keep-old",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Keep what was there before for so many days [default: until the restore is verified].",
)
@with_confirmation
@with_json
def restore_backup(
    id: str,
    database: str | None,
    directory: Path | None,
    terminate: bool,
    patience: float,
    keep_old: float | None,
    confirm: str | None,
    as_json: bool,
) -> None:
    """Put a database back to what backup ID holds: restored beside, verified, then swapped in."""
    done = verbs.restore(
        id,
        database,
        directory=directory,
        terminate=terminate,
        patience=patience,
        keep_old=keep_old,
        confirm=confirm,
    )
    say_json(done.to_document()) if as_json else say(str(done))


@click.command("verify-restore")
@click.argument("id")
@_with_target
@with_directory
@with_json
def verify_restore(id: str, database: str | None, directory: Path | None, as_json: bool) -> None:
    """Compare a database, as it is now, with what backup ID holds."""
    _say_check(verbs.verify_restore(id, database, directory=directory), as_json)


@click.command("retain-backup")
@click.argument("id")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), required=True, help="Days from now.")
@with_directory
@with_json
def retain_backup(id: str, days: float, directory: Path | None, as_json: bool) -> None:
    """Keep backup ID for so many days from now on."""
    kept = verbs.retain_backup(id, days, directory=directory)
    if as_json:
        say_json(kept.to_document())
    else:
        say(f"✓ {kept.id} is kept until {kept.expires_at:%Y-%m-%d %H:%M} UTC.")


@click.command("prune-backups")
@with_directory
@with_json
def prune_backups(directory: Path | None, as_json: bool) -> None:
    """Remove expired backups, but never the last verified one of a database."""
    result = verbs.prune_backups(directory=directory)
    say_json(result.to_document()) if as_json else say(str(result))


def _say_check(check: BackupCheck, as_json: bool) -> None:
    say_json(check.to_document()) if as_json else say(str(check))
    exit_with(check.passed)


COMMANDS = (backup, verify_backup, backups, restore_backup, verify_restore, retain_backup, prune_backups)
