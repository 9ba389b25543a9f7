"""What can follow in ``%migkit`` and ``%%migration``: verbs, options, databases, states, migrations."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from migkit.errors import ConfigError
from migkit.magics.databases import database_names
from migkit.magics.parsing import SNAPSHOT_ROWS, cell_parser, line_parser
from migkit.state.snapshot import State
from migkit.widgets.discovery import find_migrations


def complete_migkit(shell: Any, event: Any) -> list[str]:
    """Return what can stand at the cursor of a ``%migkit`` line."""
    words = _words_before(event)
    verbs = _verbs()
    if not words:
        return list(verbs)
    if words[-1] == "--on" or words == ["connect"]:
        return _databases(shell)
    if words[-1] == "--rows":
        return list(SNAPSHOT_ROWS)
    verb = words[0]
    if event.symbol.startswith("-"):
        return _options(verbs[verb]) if verb in verbs else []
    if verb == "diff":
        return [name for name, value in shell.user_ns.items() if isinstance(value, State) and not name.startswith("_")]
    if verb in ("rehearse", "dry-run", "validate"):
        return [*find_migrations(Path.cwd()), "--on"]
    return _options(verbs[verb]) if verb in verbs else []


def complete_migration(shell: Any, event: Any) -> list[str]:
    """Return what can stand at the cursor of the first line of a ``%%migration`` cell."""
    words = _words_before(event)
    if words and words[-1] in ("--on", "--confirm"):
        return _databases(shell)
    return _options(cell_parser())


def _words_before(event: Any) -> list[str]:
    """Return the words between the magic's name and the one at the cursor."""
    words: list[str] = event.text_until_cursor.split()[1:]
    is_begun = bool(event.text_until_cursor) and not event.text_until_cursor[-1].isspace()
    return words[:-1] if is_begun else words


def _databases(shell: Any) -> list[str]:
    try:
        return database_names(shell)
    except ConfigError:  # told when the magic is run; a completion has no place for it
        return ["embedded"]


def _verbs() -> dict[str, argparse.ArgumentParser]:
    actions = line_parser()._actions
    return next(dict(action.choices) for action in actions if isinstance(action, argparse._SubParsersAction))


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings if option.startswith("--")]
