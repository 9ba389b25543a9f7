"""The commands; each parses, calls one verb, prints."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

import click

from migkit import frames, verbs
from migkit.cli.documents import (
    comparison_document,
    dry_run_document,
    rehearsal_document,
    row_comparison_document,
    state_document,
)
from migkit.cli.options import chosen_database, with_confirmation, with_database, with_json, with_limits
from migkit.cli.output import RULE, exit_with, say, say_all, say_json
from migkit.display.lines import BAD, GOOD, NOTE, Line, check_lines, finding_lines
from migkit.display.units import count, duration
from migkit.errors import MigkitError, StateUnreadable
from migkit.migration.results import Run
from migkit.state.comparison import Comparison
from migkit.state.row_results import DEFAULT_LIMIT
from migkit.workflow.dry_run import DryRun
from migkit.workflow.rehearsal import Rehearsal

SNAPSHOTS = Path("snapshots")


@click.command()
@click.argument("migration")
@click.option("--dry-run", is_flag=True, help="Only try it on an empty copy of the schema.")
@with_database
@with_limits
@with_json
def test(
    migration: str,
    dry_run: bool,
    database: str | None,
    timeout: float | None,
    lock_timeout: float | None,
    as_json: bool,
) -> None:
    """Test MIGRATION on a clone, without archiving evidence."""
    target = chosen_database(database)
    if dry_run:
        tried = verbs.dry_run(migration, target, timeout=timeout, lock_timeout=lock_timeout)
        say_json(dry_run_document(tried)) if as_json else _say_dry_run(tried)
        exit_with(tried.passed)
        return
    trial = verbs.rehearse(migration, target, timeout=timeout, lock_timeout=lock_timeout, reports=False)
    say_json(rehearsal_document(trial)) if as_json else _say_rehearsal(trial)
    exit_with(trial.passed)


def _say_dry_run(tried: DryRun) -> None:
    say_all(check_lines(tried.checks))
    say("")
    duration_text, risk = tried.migration["estimated_duration"], tried.migration["risk"]
    if duration_text:
        say(f"Estimated execution time, as declared: {duration_text}")
    if risk:
        say(f"Risk level, as declared: {risk.upper()}")
    say("Changes:")
    say(*(f"  {line}" for line in tried.changes or [Line(NOTE, "none")]))
    say("", "Nothing was checked about data, locks or durations: that takes `migkit rehearse`.")


@click.command()
@click.argument("migration")
@with_database
@with_limits
@with_confirmation
@with_json
def run(
    migration: str,
    database: str | None,
    timeout: float | None,
    lock_timeout: float | None,
    confirm: str | None,
    as_json: bool,
) -> None:
    """Run MIGRATION's way up, under observation."""
    result = verbs.run(
        migration, chosen_database(database), timeout=timeout, lock_timeout=lock_timeout, confirm=confirm
    )
    _say_run(result, as_json)


@click.command()
@click.argument("migration", required=False)
@click.option("--to-timestamp", "moment", metavar="MOMENT", help="Return the database to a moment, as it was then.")
@click.option("--terminate", is_flag=True, help="With --to-timestamp: end sessions that do not leave by themselves.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="With --to-timestamp: the folder of backups [default: as migkit.toml says, else backups].",
)
@with_database
@with_limits
@with_confirmation
@with_json
def rollback(
    migration: str | None,
    moment: str | None,
    terminate: bool,
    directory: Path | None,
    database: str | None,
    timeout: float | None,
    lock_timeout: float | None,
    confirm: str | None,
    as_json: bool,
) -> None:
    """Run MIGRATION's way down, under observation; or return the database to a moment."""
    if (migration is None) == (moment is None):
        raise click.UsageError("Give either MIGRATION or --to-timestamp.")
    target = chosen_database(database)
    if moment is not None:
        recovered = verbs.rollback_to(moment, target, directory=directory, terminate=terminate, confirm=confirm)
        say_json(recovered.to_document()) if as_json else say(str(recovered))
        return
    assert migration is not None
    result = verbs.rollback(migration, target, timeout=timeout, lock_timeout=lock_timeout, confirm=confirm)
    _say_run(result, as_json)


def _say_run(result: Run, as_json: bool) -> None:
    if as_json:
        say_json(result.to_document())
    else:
        say(str(result))
    exit_with(result.succeeded)


@click.command()
@click.argument("migration", required=False)
@click.option("--expect-absent", is_flag=True, help="Expect the state after a rollback.")
@click.option("--expect-version", metavar="VERSION", help="Expect this to be the version applied last.")
@with_database
@with_json
def validate(
    migration: str | None, expect_absent: bool, expect_version: str | None, database: str | None, as_json: bool
) -> None:
    """Hold the database against what MIGRATION promises."""
    result = verbs.validate(
        migration, chosen_database(database), expect_absent=expect_absent, expect_version=expect_version
    )
    if as_json:
        say_json(result.to_document() | {"passed": result.passed})
    else:
        say_all(check_lines(result.checks))
        say("", f"Validation of {result.migration} on {result.database}: {'PASSED' if result.passed else 'FAILED'}")
    exit_with(result.passed)


@click.command()
@click.argument("name")
@click.option(
    "--rows",
    type=click.Choice(["exact", "sample", "estimate"]),
    help="Which rows to read: all, those of some key segments of large tables, none [default: exact].",
)
@click.option("--seed", type=int, help="What chooses the key segments of a sample [default: 0].")
@with_database
@with_json
def snapshot(
    name: str,
    rows: Literal["exact", "sample", "estimate"] | None,
    seed: int | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Capture the database's state as NAME (a file where NAME ends in .json or .json.zst)."""
    state = verbs.capture(chosen_database(database), rows=rows, seed=seed)
    path = state.save(_snapshot_path(name))
    if as_json:
        say_json(state_document(state, path))
        return
    say(
        Line(GOOD, f"Captured {state.database}: {count(len(state.tables))} tables, {count(state.total_rows)} rows"),
        f"  Saved to {path}",
        f"  Next: migkit compare-snapshots {name} OTHER",
    )


def _snapshot_path(name: str) -> Path:
    return Path(name) if name.endswith((".json", ".json.zst")) else SNAPSHOTS / f"{name}.json.zst"


def _existing_snapshot(name: str) -> Path:
    path = _snapshot_path(name)
    if not path.is_file():
        known = sorted(file.name.removesuffix(".json.zst") for file in SNAPSHOTS.glob("*.json.zst"))
        raise StateUnreadable(
            f"There is no snapshot {name!r}",
            where=str(path),
            next_step=f"Known: {', '.join(known)}." if known else f"Capture it with: migkit snapshot {name}",
        )
    return path


@click.command("compare-snapshots")
@click.argument("before")
@click.argument("after")
@click.option("--allow", multiple=True, metavar="ENTRY", help="Intended destruction, such as drop_column:users.flag.")
@with_json
def compare_snapshots(before: str, after: str, allow: tuple[str, ...], as_json: bool) -> None:
    """Compare two captured states; no database is needed."""
    result = verbs.compare(_existing_snapshot(before), _existing_snapshot(after), allow=allow)
    if as_json:
        say_json(comparison_document(result))
    else:
        _say_comparison(result)
    exit_with(result.passed)


@click.command("compare-rows")
@click.argument("a")
@click.argument("b")
@click.argument("table")
@click.option("--column", "columns", multiple=True, help="Compare only this column; may be given again.")
@click.option("--key", multiple=True, help="Tell rows apart by this column; may be given again.")
@click.option("--limit", type=click.IntRange(min=0), help="Rows whose values are fetched [default: 1000].")
@click.option("--across", is_flag=True, help="Compare values instead of digests: between engines. Slower.")
@with_json
def compare_rows(
    a: str,
    b: str,
    table: str,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    limit: int | None,
    across: bool,
    as_json: bool,
) -> None:
    """Find the rows of TABLE that differ between the databases A and B (aliases or URLs)."""
    result = verbs.compare_rows(
        a,
        b,
        table,
        columns=columns or None,
        key=key or None,
        limit=DEFAULT_LIMIT if limit is None else limit,
        across=across,
    )
    say_json(row_comparison_document(result)) if as_json else say(str(result))
    exit_with(not result.differences)


def _say_comparison(result: Comparison) -> None:
    say(str(result))


@click.command()
@click.argument("migration")
@click.option("--into", metavar="URL", help="The server to make the clone on.")
@click.option("--require-down", is_flag=True, help="Fail a migration that has no way down.")
@click.option("--reports", type=click.Path(path_type=Path), help="The archive [default: reports].")
@click.option("--canaries/--no-canaries", default=True, help="Watch who stalls while it goes up [default: on].")
@click.option("--long-reader", metavar="TIME", help="Hold a reading transaction open meanwhile: 5s, 300ms.")
@click.option("--workload", metavar="FILE", help="Put this load on a second clone, too: a file, auto or server.")
@with_database
@with_limits
@with_json
def rehearse(
    migration: str,
    into: str | None,
    require_down: bool,
    reports: Path | None,
    canaries: bool,
    long_reader: str | None,
    workload: str | None,
    database: str | None,
    timeout: float | None,
    lock_timeout: float | None,
    as_json: bool,
) -> None:
    """Prove MIGRATION on a clone, and archive a report that can be signed."""
    try:
        trial = verbs.rehearse(
            migration,
            chosen_database(database),
            into=into,
            require_down=require_down,
            timeout=timeout,
            lock_timeout=lock_timeout,
            reports=reports,
            canaries=canaries,
            long_reader=long_reader,
            workload=workload,
        )
    except MigkitError as error:
        # What was done until then is archived; a report of it helps whoever has to find out why.
        if error.evidence is not None:
            # The error to tell is the one that broke the rehearsal off, not one of reporting it.
            with suppress(MigkitError):
                verbs.report(error.evidence)
        raise
    path = verbs.report(trial)
    if as_json:
        say_json(rehearsal_document(trial) | {"report": str(path)})
    else:
        _say_rehearsal(trial)
        say(f"  Report: {path}")
    exit_with(trial.passed)


def _say_rehearsal(trial: Rehearsal) -> None:
    say("", RULE, f"REHEARSAL OF {trial.migration['name']} ON {trial.database['name']}", RULE)
    say_all(finding_lines(trial.findings))
    say(
        "",
        Line(GOOD if trial.passed else BAD, f"{trial.status.upper()} in {duration(trial.seconds)}. {trial.explain()}"),
    )
    if trial.evidence:
        say(f"  Not checked: {count(len(trial.unchecked))} things, listed in the evidence.")
        say(f"  Evidence: {trial.evidence}")
    else:
        say("  Not checked:")
        say(*(f"    {row['what']}: {row['why']}" for row in frames.UNCHECKED.rows(trial.unchecked)))


@click.command()
@click.argument("evidence", type=click.Path(path_type=Path))
@with_json
def report(evidence: Path, as_json: bool) -> None:
    """Make the report of an EVIDENCE folder anew."""
    path = verbs.report(evidence)
    say_json({"report": str(path)}) if as_json else say(Line(GOOD, f"Report: {path}"))
