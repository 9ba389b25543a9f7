"""What a deploy would do, and about how long each step would take; nothing is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from migkit import frames
from migkit.database import Database
from migkit.dialects.base import Row
from migkit.display.units import plural
from migkit.migration.migration import Migration
from migkit.progress import SILENT, Progress
from migkit.recovery.catalogue import list_backups
from migkit.workflow.deployment.checks import Checks, Findings
from migkit.workflow.deployment.options import DeployOptions
from migkit.workflow.deployment.results import DeployPlan

_NOT_KNOWN = "nothing is known of it yet"


def plan_deploy(
    migration: Migration, db: Database, options: DeployOptions, *, progress: Progress = SILENT
) -> DeployPlan:
    """Say what a deploy would do.

    Parameters
    ----------
    migration : Migration
        The migration.
    db : Database
        The database; only read.
    options : DeployOptions
        How it would be done.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    DeployPlan
        The steps with estimates, and what speaks against it now.
    """
    progress.begin(f"Planning the deploy of {migration.name}")
    findings = Checks(migration, db, options).all()
    progress.close()
    steps = [{"number": number, **row} for number, row in enumerate(_steps(db, options, findings), start=1)]
    return DeployPlan(migration.name, db.name, frames.PLANNED_STEPS.build(steps), frames.CHECKS.build(findings.rows))


def _steps(db: Database, options: DeployOptions, findings: Findings) -> Iterator[Row]:
    deploy = options.deploy
    reads, reads_basis = _seconds(findings, "Captured before")
    run, run_basis = _run(findings)
    yield _step("Check", None, _NOT_KNOWN)
    yield _backup(db, options.backups, deploy.backup)
    yield _step("Close to writers", 0.5, f"up to {deploy.patience_seconds:g} s where sessions work", closed=True)
    yield _hooks("Stop jobs", len(deploy.hooks.stop), deploy.hooks.timeout_seconds, closed=True)
    yield _step("Capture before", reads, reads_basis, closed=True)
    yield _step("Run the migration", run, run_basis, closed=True)
    yield _step("Capture after", reads, reads_basis, closed=True)
    yield _step("Validate and compare", _seconds(findings, "Validated")[0], reads_basis, closed=True)
    yield _step("Open to writers", 0.5, "it sets back what closing set")
    yield _hooks("Start jobs", len(deploy.hooks.start), deploy.hooks.timeout_seconds, closed=False)
    yield _hooks("Smoke tests", len(deploy.smoke_tests), None, closed=False)
    yield _step("Watch", deploy.watch_seconds, "the settings")


def _step(step: str, seconds: float | None, basis: str, *, closed: bool = False) -> Row:
    return {"step": step, "seconds": seconds, "basis": basis, "closed": closed}


def _hooks(step: str, commands: int, timeout: float | None, *, closed: bool) -> Row:
    if not commands:
        return _step(step, 0.0, "none are set", closed=closed)
    most = f", at most {timeout:g} s each" if timeout is not None else ""
    return _step(step, None, f"{plural(commands, 'command')}{most}", closed=closed)


def _backup(db: Database, directory: Path, how: str) -> Row:
    last = next(iter(list_backups(directory, db)), None)
    if how == "recent":
        return _step("Find the recent backup", 0.0, "none is made")
    if last is None:
        return _step("Back up and verify", None, "there is no earlier backup to go by")
    seconds = last.seconds + (last.restore_seconds or last.seconds)
    return _step("Back up and verify", seconds, f"the backup {last.id} took so long")


def _run(findings: Findings) -> tuple[float | None, str]:
    rehearsed = findings.rehearsed
    if rehearsed is None or rehearsed.run_seconds is None:
        return None, "it was not rehearsed"
    return rehearsed.run_seconds, f"the rehearsal {rehearsed.folder.name} took so long, on the machine of its clone"


def _seconds(findings: Findings, step: str) -> tuple[float | None, str]:
    rehearsed = findings.rehearsed
    seconds = rehearsed.seconds.get(step) if rehearsed is not None else None
    return (seconds, "its rehearsal took so long") if seconds is not None else (None, _NOT_KNOWN)
