"""The runbook of one deploy, as Markdown: before, during, after, and the way back with its exact commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from migkit import frames
from migkit.database import Database
from migkit.display.units import duration
from migkit.migration.migration import Migration
from migkit.redaction import redact
from migkit.workflow.deployment.options import DeployOptions
from migkit.workflow.deployment.results import DeployPlan

_ASCII_ESCAPED = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]<>#|"})


def write_checklist(migration: Migration, db: Database, options: DeployOptions, plan: DeployPlan) -> str:
    """Write the runbook of a deploy.

    Parameters
    ----------
    migration : Migration
        The migration.
    db : Database
        The database.
    options : DeployOptions
        How it will be done.
    plan : DeployPlan
        What it will do, and what speaks against it now.

    Returns
    -------
    str
        Markdown; every command can be typed as it stands.
    """
    runbook = _Runbook(migration, db, options, plan)
    parts = (runbook.head(), runbook.week(), runbook.day(), runbook.window(), runbook.way_back(), runbook.afterwards())
    return redact("\n".join(line for part in parts for line in (*part, "")).rstrip() + "\n")


class _Runbook:
    def __init__(self, migration: Migration, db: Database, options: DeployOptions, plan: DeployPlan) -> None:
        self.migration = migration
        self.db = db
        self.options = options
        self.plan = plan
        self.path = shlex.quote(str(migration.path))
        # As it can be typed again: a URL has lost its password, an alias has none.
        self.database = shlex.quote(db.name if db.protected or "***" in db.url else _target(db))
        self.confirmed = f" --yes-production {shlex.quote(db.name)}" if db.protected else ""

    def head(self) -> list[str]:
        metadata = self.migration.metadata
        facts = [
            f"- Migration: {_command(str(self.migration.path))} (SHA-256 {self.migration.checksum[:12]}…)",
            f"- Database: {_text(self.db.name)} ({_text(self.db.server)})",
            f"- Would take: about {duration(self.plan.seconds)}, as far as is known",
            f"- Closed to writers meanwhile: about {duration(self.plan.closed_seconds)}",
        ]
        said = (
            ("Description", metadata.description),
            ("Author", metadata.author),
            ("Risk, as declared", metadata.risk),
        )
        facts += [f"- {what}: {_text(value)}" for what, value in said if value]
        facts += [f"- May: {_text(one)}" for one in metadata.allow]
        return [f"# Deploying {_text(self.migration.name)} to {_text(self.db.name)}", "", *facts]

    def week(self) -> list[str]:
        return _section(
            "Before: one week",
            _boxes(
                f"It runs on an empty copy of the schema: {self._cmd('test', self.path, '--dry-run', self._d())}",
                "It was rehearsed on data like production's, and its way back restored every row: "
                f"{self._cmd('rehearse', self.path, '--database staging')}",
                "Somebody other than its author read the rehearsal's report and signed it",
                "The load test shows what users would notice: "
                f"{self._cmd('load-test', self.path, '--database staging')}",
                "The application works with the schema before and with the one after",
                "The maintenance window is agreed on and announced",
                "The team knows the way back, below, and has tried it",
                "Monitoring and alerts watch the database, and notifications arrive",
                "The documentation is updated",
            ),
        )

    def day(self) -> list[str]:
        now = [f"{row['check']}: {row['found']}" for row in frames.CHECKS.rows(self.plan.checks) if not row["passed"]]
        standing = [f"**Speaks against it now**: {_text(one)}" for one in now]
        return _section(
            "Before: one day",
            _boxes(
                "Staging has the schema of production, and the migration was rehearsed there again",
                "What would be done, and what speaks against it: "
                f"{self._cmd('deploy', self.path, self._d(), '--plan')}",
                *standing,
                "Those who deploy and those who can help are there at the time",
                "Customers and support know of it",
            ),
        )

    def window(self) -> list[str]:
        deploy = f"{self.path} {self._d()}{self.confirmed}"
        steps = [f"{row['step']} ({_about(row)})" for row in frames.PLANNED_STEPS.rows(self.plan.steps)]
        by_hand = _boxes(
            f"A verified backup younger than {self.options.deploy.backup_hours:g} h: "
            f"{self._cmd('backup', self._d())}, then {self._cmd('verify-backup', 'ID')}",
            f"Writers are kept out: {self._cmd('db read-only on', self._d() + self.confirmed)}",
            *(f"Jobs are stopped: {_command(one)}" for one in self.options.deploy.hooks.stop),
            f"Nobody works on it: {self._cmd('db connections', self._d())}",
            f"The state before: {self._cmd('snapshot pre', self._d())}",
            f"The migration: {self._cmd('run', deploy)}",
            f"The state after: {self._cmd('snapshot post', self._d())}",
            f"It does what it promises: {self._cmd('validate', self.path, self._d())}",
            f"Nothing was lost: {self._cmd('compare-snapshots pre post')}",
            f"Constraints hold: {self._cmd('db check-constraints', self._d())}",
            f"Indexes are sound: {self._cmd('db check-indexes', self._d())}",
            f"Writers are let in: {self._cmd('db read-only off', self._d() + self.confirmed)}",
            *(f"Jobs are started: {_command(one)}" for one in self.options.deploy.hooks.start),
            *(f"Smoke test {_text(one.name)}" for one in self.options.deploy.smoke_tests),
        )
        return [
            *_section("During: the deploy", _boxes(f"One command does all of it: {self._cmd('deploy', deploy)}")),
            "",
            "It does, in this order, and takes back what it did where a step fails:",
            "",
            *(f"{number}. {_text(step)}" for number, step in enumerate(steps, start=1)),
            "",
            "### The same by hand",
            "",
            *by_hand,
        ]

    def way_back(self) -> list[str]:
        gentle = _boxes(
            f"Keep writers out: {self._cmd('db read-only on', self._d() + self.confirmed)}",
            f"Take it back: {self._cmd('rollback', self.path, self._d() + self.confirmed)}",
            f"Nothing of it is left: {self._cmd('validate', self.path, '--expect-absent', self._d())}",
            f"Let writers in: {self._cmd('db read-only off', self._d() + self.confirmed)}",
            "Restart the application",
        )
        if not self.migration.has_down:
            gentle = ["It has no way down: only a backup, or point-in-time recovery, brings the database back."]
        return [
            "## The way back",
            "",
            "The deploy takes itself back "
            + (f"by {', then '.join(self.options.rollback.strategy)}" if self.options.rollback.enabled else "never")
            + ", and says so only if the database is identical to what it was before.",
            "",
            "After a crash of the machine that deploys, first of all: "
            + self._cmd("recover", self._d() + self.confirmed),
            "",
            "### Gently: what users wrote since is kept",
            "",
            *gentle,
            "",
            "### From the backup: what users wrote since is lost",
            "",
            *_boxes(
                "Stop the application",
                f"Which backups there are: {self._cmd('backups', self._d())}",
                f"Restore: {self._cmd('restore-backup', 'ID', self._d() + self.confirmed)}",
                f"Look at what was restored: {self._cmd('verify-restore', 'ID', self._d())}",
                "Start the application",
            ),
        ]

    def afterwards(self) -> list[str]:
        days = self.options.retention_days
        return _section(
            "After: 24 hours",
            _boxes(
                f"“All clear” is said; the deploy's evidence lies in {_command(str(self.options.reports))}",
                "Error rates, response times and slow queries are as before",
                f"Constraints hold: {self._cmd('db check-constraints', self._d())}",
                f"The backup is kept for {days:g} days or longer: "
                f"{self._cmd('retain-backup', 'ID', f'--days {days:g}')}",
                "The regular backups go on",
                "What was learned is written down in this runbook",
            ),
        )

    def _d(self) -> str:
        return f"--database {self.database}"

    def _cmd(self, *words: str) -> str:
        return _command(" ".join(("migkit", *words)))


def _target(db: Database) -> str:
    return db.url if "://" in db.url and db.name not in db.url.split("/") else db.name


def _about(row: dict[str, object]) -> str:
    seconds = row["seconds"]
    return f"about {duration(seconds)}" if isinstance(seconds, float) else str(row["basis"])


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "", *lines]


def _boxes(*lines: str) -> list[str]:
    return [f"- [ ] {line}" for line in lines]


def _text(text: str) -> str:
    """Write text so that Markdown takes it for nothing else."""
    return " ".join(text.split()).translate(_ASCII_ESCAPED)


def _command(text: str) -> str:
    """Write a command so that it can be copied: in as many backticks as it takes."""
    ticks = "`" * (max((len(run) for run in _runs(text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{' '.join(text.split())}{pad}{ticks}"


def _runs(text: str) -> Iterable[str]:
    return (run for run in "".join(one if one == "`" else " " for one in text).split())
