"""The command that puts load on a database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from migkit import frames, verbs
from migkit.cli.options import chosen_database, with_database, with_json, with_limits
from migkit.cli.output import say, say_json
from migkit.load.results import LoadInterrupted, LoadResult

_FAILED = 1
_CANNOT_WORK = 2
_ABOVE_0 = click.FloatRange(min=0, min_open=True)


@click.command("load-test")
@click.argument("migration", required=False)
@click.option("-w", "--workload", default="auto", show_default=True, help="A file, or 'auto' or 'server'.")
@click.option("-c", "--clients", type=click.IntRange(min=1), default=10, show_default=True, help="Connections.")
@click.option(
    "-r",
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    help="Requests per second [default: half the capacity].",
)
@click.option("--closed", is_flag=True, help="No rate: each client asks as soon as it is answered.")
@click.option("--arrivals", type=click.Choice(["constant", "poisson"]), default="constant", show_default=True)
@click.option("--duration", type=_ABOVE_0, default=10.0, show_default=True, help="Seconds.")
@click.option("--warm-up", type=click.FloatRange(min=0), default=2.0, show_default=True, help="Seconds.")
@click.option("--with-rollback", is_flag=True, help="Take the migration back under load, too.")
@click.option("--long-reader", metavar="TIME", help="A transaction that stays open when the migration begins: 5s.")
@click.option("--retries", type=click.IntRange(min=0), default=0, help="Tries after a lock timeout [default: 0].")
@click.option("--here", is_flag=True, help="Put the load on the database itself, not on a clone.")
@click.option("--into", metavar="DATABASE", help="The server to make the clone on.")
@click.option("--processes", type=click.IntRange(min=1), help="Worker processes.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed draws the same values.")
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the result to a file, too.")
@with_database
@with_limits
@with_json
def load_test(database: str | None, as_json: bool, save: Path | None, **options: object) -> None:
    """Put a workload on a clone of the database, and run MIGRATION meanwhile.

    The result says for each statement how long it took before, while and after the migration ran, and which of them the
    new schema breaks.
    """
    interrupted = False
    try:
        result = verbs.load_test(chosen_database(database), **options)  # type: ignore[arg-type]
    except LoadInterrupted as stopped:
        result, interrupted = stopped.result, True
    if save is not None:
        result.save(save)
    say_json(load_document(result)) if as_json else say(repr(result))
    code = _CANNOT_WORK if interrupted else _code(result)
    if code:
        raise click.exceptions.Exit(code)


def load_document(result: LoadResult) -> dict[str, Any]:
    """Return what a load test measured; ``--save`` keeps the histograms, too."""
    run = result.run
    return {
        "passed": result.passed,
        "status": result.status,
        "error": result.error,
        "verdict": list(result.verdict),
        "database": result.database,
        "workload": result.workload,
        "clients": result.clients,
        "rate": result.rate,
        "arrivals": result.arrivals,
        "reached_rate": result.reached_rate,
        "seconds": result.seconds,
        "migration": run.migration if run else None,
        "migration_succeeded": run.succeeded if run else None,
        "statements": frames.LOAD_STATEMENTS.rows(result.statements),
        "errors": frames.LOAD_ERRORS.rows(result.errors),
        "timeline": frames.TIMELINE.rows(result.timeline),
        "findings": frames.FINDINGS.rows(result.findings),
        "unchecked": frames.UNCHECKED.rows(result.unchecked),
    }


def _code(result: LoadResult) -> int:
    if result.passed:
        return 0
    return _FAILED if result.status == "failed" else _CANNOT_WORK
