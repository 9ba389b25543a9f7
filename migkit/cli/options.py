"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from migkit.config import load_config
from migkit.errors import ConfigError

Command = TypeVar("Command", bound=Callable[..., Any])


def with_database(command: Command) -> Command:
    """Add ``--database``."""
    return click.option(
        "-d",
        "--database",
        envvar="MIGKIT_DATABASE",
        help="Alias from migkit.toml, or a database URL; by default MIGKIT_DATABASE, or the only alias there is.",
    )(command)


def with_json(command: Command) -> Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def with_limits(command: Command) -> Command:
    """Add ``--timeout`` and ``--lock-timeout``."""
    command = click.option(
        "--lock-timeout",
        type=click.FloatRange(min=0, min_open=True),
        help="Seconds a statement may wait for a lock [default: 5].",
    )(command)
    return click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds a whole run may take.")(
        command
    )


def with_confirmation(command: Command) -> Command:
    """Add ``--yes-production``."""
    return click.option(
        "--yes-production", "confirm", metavar="NAME", help="Confirm a change to the protected database NAME."
    )(command)


def with_directory(command: Command) -> Command:
    """Add ``--directory``, the folder of backups."""
    return click.option(
        "--directory",
        type=click.Path(file_okay=False, path_type=Path),
        help="The folder of backups [default: as migkit.toml says, else backups].",
    )(command)


def chosen_database(database: str | None) -> str:
    """Return the database a command works on.

    Raises
    ------
    ConfigError
        If none is given and ``migkit.toml`` does not name exactly one.
    """
    if database:
        return database
    aliases = list(load_config().databases)
    if len(aliases) == 1:
        return aliases[0]
    known = f"Known: {', '.join(aliases)}." if aliases else "Give a URL such as sqlite:///app.db."
    raise ConfigError("It is not said which database to use", next_step=f"Add --database NAME. {known}")
