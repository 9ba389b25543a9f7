"""The arguments of the magics: parsed like a command line, with errors that fit a cell."""

from __future__ import annotations

import argparse
import shlex
from typing import NoReturn

from IPython.core.error import UsageError

SNAPSHOT_ROWS = ("exact", "sample", "estimate")


class MagicParser(argparse.ArgumentParser):
    """A parser that never ends the kernel."""

    def error(self, message: str) -> NoReturn:
        """Raise what IPython shows as one line."""
        raise UsageError(f"{message}\n{self.format_usage().strip()}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the magic, not the kernel."""
        raise UsageError(message or "")


class _PrintHelp(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        raise HelpWanted(parser.format_help())


class HelpWanted(Exception):
    """Somebody asked for help; holds the text."""


def split(line: str) -> list[str]:
    """Split a line as a shell does.

    Raises
    ------
    UsageError
        If a quote is not closed.
    """
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{error}: {line}") from None


def _parser(prog: str, description: str) -> MagicParser:
    parser = MagicParser(prog=prog, description=description, add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", action=_PrintHelp, nargs=0, help="show this")
    return parser


def _on(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--on", metavar="DATABASE", help="alias, URL, section of JupySQL or variable")


def line_parser() -> MagicParser:
    """Return the parser of ``%migkit``."""
    parser = _parser("%migkit", "Rehearse migrations, and look at what they do.")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=MagicParser)

    connect = verbs.add_parser("connect", help="reach a database; the magics after it use it", add_help=False)
    connect.add_argument("database", help="alias, URL, section of JupySQL or variable")

    snapshot = verbs.add_parser("snapshot", help="capture a state into a variable", add_help=False)
    snapshot.add_argument("name", help="the variable")
    snapshot.add_argument("--rows", choices=SNAPSHOT_ROWS, help="which rows to read [exact]")
    _on(snapshot)

    diff = verbs.add_parser("diff", help="compare two states", add_help=False)
    diff.add_argument("before", help="variable or file")
    diff.add_argument("after", help="variable or file")
    diff.add_argument("--allow", action="append", default=[], metavar="WHAT", help="drop_column:users.legacy_flag")

    for verb, words in _MIGRATING.items():
        migrating = verbs.add_parser(verb, help=words, add_help=False)
        migrating.add_argument("migration", help="file, or alembic.ini:REVISION")
        _on(migrating)
    verbs.add_parser("explore", help="show the panel", add_help=False)
    return parser


_MIGRATING = {
    "rehearse": "prove a migration on a clone",
    "dry-run": "try a migration on an empty copy of the schema",
    "validate": "hold a database against what a migration promises",
}


def cell_parser() -> MagicParser:
    """Return the parser of ``%%migration``."""
    parser = _parser("%%migration", "Run the SQL of the cell: the way up, then -- migrate:down and the way down.")
    _on(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="on an empty copy of the schema")
    what.add_argument("--rehearse", action="store_true", help="on a clone, up, down and up again")
    what.add_argument("--down", action="store_true", help="run the way down")
    parser.add_argument("--name", help="what the migration is called [cell_ and a digest of its text]")
    parser.add_argument("--allow", action="append", default=[], metavar="WHAT", help="drop_column:users.legacy_flag")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="cancel on the server after so long")
    parser.add_argument("--confirm", metavar="NAME", help="confirm a change to the protected database NAME")
    return parser
