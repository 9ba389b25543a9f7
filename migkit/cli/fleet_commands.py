"""``migkit fleet``: one migration, many databases."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path

import click

from migkit import frames, verbs
from migkit.cli.options import with_json, with_limits
from migkit.cli.output import RULE, exit_with, say, say_json
from migkit.config import load_config
from migkit.display.escape import clean_line, shorten
from migkit.display.lines import BAD, GOOD, Line
from migkit.display.units import duration
from migkit.errors import ConfigError
from migkit.workflow.fleet_results import FleetRehearsal


@click.group("fleet")
def fleet() -> None:
    """Work on many databases: shards, or the tenants of an application."""


@fleet.command("rehearse")
@click.argument("migration")
@click.option(
    "-d",
    "--databases",
    multiple=True,
    metavar="NAME",
    help="An alias, a URL, or a pattern of aliases (tenant_*) or of SQLite files (tenants/*.db); may be given again. "
    "By default every alias of migkit.toml.",
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="How many at a time.")
@click.option("--require-down", is_flag=True, help="Fail a migration that has no way down.")
@click.option("--reports", type=click.Path(path_type=Path), help="The archive [default: reports].")
@with_limits
@with_json
def rehearse(
    migration: str,
    databases: tuple[str, ...],
    jobs: int,
    require_down: bool,
    reports: Path | None,
    timeout: float | None,
    lock_timeout: float | None,
    as_json: bool,
) -> None:
    """Rehearse MIGRATION on a clone of every database, and make one report of all of them."""
    # Workers import migkit anew instead of inheriting this process, its threads and its connections.
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) if jobs > 1 else nullcontext()
    with pool as executor:
        result = verbs.fleet(chosen_databases(databases), executor).rehearse(
            migration, reports=reports, require_down=require_down, timeout=timeout, lock_timeout=lock_timeout
        )
    path = verbs.report(result)
    if as_json:
        say_json(result.to_document() | {"report": str(path)})
    else:
        _say_fleet(result, path)
    exit_with(result.passed)


def chosen_databases(wanted: tuple[str, ...]) -> list[str]:
    """Return aliases and URLs for what was typed: patterns stand for the aliases or files that match.

    Raises
    ------
    ConfigError
        If a pattern matches nothing, or nothing was typed and there is no alias.
    """
    aliases = list(load_config().databases)
    if not wanted and not aliases:
        raise ConfigError("It is not said which databases to use", next_step="Add --databases NAME, or aliases.")
    chosen = [name for word in wanted for name in _matching(word, aliases)] if wanted else aliases
    return list(dict.fromkeys(chosen))


def _matching(word: str, aliases: list[str]) -> list[str]:
    if "://" in word or word in aliases or not any(sign in word for sign in "*?["):
        return [word]
    named = [alias for alias in aliases if Path(alias).match(word)]
    files = [] if named else sorted(Path(Path(word).anchor or ".").glob(str(Path(word).relative_to(Path(word).anchor))))
    found = named or [f"sqlite:///{path.absolute()}" for path in files if path.is_file()]
    if not found:
        raise ConfigError(
            f"No alias and no file matches {word!r}", next_step="Quote patterns; aliases are in migkit.toml."
        )
    return found


def _say_fleet(result: FleetRehearsal, path: Path) -> None:
    say("", RULE, f"REHEARSAL OF {result.migration['name']} ON {len(result.databases)} DATABASES", RULE)
    for row in frames.FLEET.rows(result.databases):
        told = "" if row["passed"] else f": {shorten(row['error'] or row['explanation'] or row['status'], 160)}"
        took = f" ({duration(row['seconds'])})" if row["seconds"] is not None else ""
        say(Line(GOOD if row["passed"] else BAD, clean_line(f"{row['database']}{took}{told}")))
    verdict = "PASSED" if result.passed else result.status.upper()
    say("", Line(GOOD if result.passed else BAD, f"{verdict} in {duration(result.seconds)}. {result.explain()}"))
    say(f"  Report: {path}")
