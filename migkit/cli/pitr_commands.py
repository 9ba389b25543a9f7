"""Commands about moments; each parses, calls one verb, prints."""

from __future__ import annotations

from pathlib import Path

import click

from migkit import verbs
from migkit.cli.options import chosen_database, with_database, with_directory, with_json
from migkit.cli.output import complain, exit_with, say, say_json
from migkit.recovery.pitr_results import PitrChange


@click.command()
@with_database
@with_directory
@with_json
def timestamp(database: str | None, directory: Path | None, as_json: bool) -> None:
    """Note the moment on the server's clock, and print it with the command that returns to it."""
    found = verbs.timestamp(chosen_database(database), directory=directory)
    if as_json:
        say_json(found.to_document())
    elif found.command is not None:
        say(str(found), found.command)
        if found.remark:
            complain(found.remark)
    else:
        say(str(found))
        complain(f"This moment cannot be returned to: {found.why_not}")
    exit_with(found.returnable)


@click.group()
def pitr() -> None:
    """Point in time: record what leads back to any moment."""


@pitr.command()
@click.argument("database", required=False)
@click.option("-d", "--database", "named", envvar="MIGKIT_DATABASE", help="The database, if not given as argument.")
@click.option(
    "--archive",
    type=click.Path(file_okay=False, path_type=Path),
    help="PostgreSQL: the folder that archive_command fills; then nothing else is recorded.",
)
@click.option("--new-base", is_flag=True, help="Take a new base, although there is one whose log is whole.")
@with_directory
@with_json
def enable(
    database: str | None,
    named: str | None,
    archive: Path | None,
    new_base: bool,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Record the log of DATABASE's server from now on, and say what that changed."""
    target = chosen_database(database or named)
    _say(verbs.pitr_enable(target, archive=archive, new_base=new_base, directory=directory), as_json)


@pitr.command()
@click.argument("database", required=False)
@click.option("-d", "--database", "named", envvar="MIGKIT_DATABASE", help="The database, if not given as argument.")
@with_directory
@with_json
def disable(database: str | None, named: str | None, directory: Path | None, as_json: bool) -> None:
    """Record the log no longer, and say what that changed; what was recorded stays."""
    _say(verbs.pitr_disable(chosen_database(database or named), directory=directory), as_json)


@pitr.command()
@click.argument("database", required=False)
@click.option("-d", "--database", "named", envvar="MIGKIT_DATABASE", help="The database, if not given as argument.")
@with_directory
@with_json
def status(database: str | None, named: str | None, directory: Path | None, as_json: bool) -> None:
    """Say how far back DATABASE can be returned to, and what of its log is missing."""
    found = verbs.pitr_status(chosen_database(database or named), directory=directory)
    say_json(found.to_document()) if as_json else say(str(found))
    exit_with(found.passed)


def _say(change: PitrChange, as_json: bool) -> None:
    say_json(change.to_document()) if as_json else say(str(change))


COMMANDS = (timestamp, pitr)
