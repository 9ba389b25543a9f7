"""Verbs for real databases: deploy, its plan and its runbook, recover."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from migkit.config import Config, load_config
from migkit.database import reached
from migkit.display.progress import default_progress
from migkit.migration.loading import load_migration
from migkit.progress import Progress
from migkit.verbs.arguments import AnyDatabase, AnyMigration, require_confirmation
from migkit.workflow import checklist
from migkit.workflow import recover as recovering
from migkit.workflow.deployment import execution, planning
from migkit.workflow.deployment.options import DeployOptions
from migkit.workflow.deployment.results import Deployment, DeployPlan
from migkit.workflow.recover import Recovery


def deploy(
    migration: AnyMigration,
    db: AnyDatabase,
    *,
    timeout: float | None = None,
    lock_timeout: float | None = None,
    require_rehearsal: bool = True,
    reports: str | Path | None = None,
    confirm: str | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Deployment:
    """Take a migration to a real database: checked, backed up, closed to writers, run, validated, watched.

    Whatever goes wrong is taken back, as ``[auto_rollback]`` in ``migkit.toml`` says, and only what is identical to the
    state before is called rolled back.

    Parameters
    ----------
    migration : str, Path or Migration
        The migration.
    db : str, URL, Engine or Database
        The database.
    timeout, lock_timeout : float, optional
        Limits of each run, in seconds.
    require_rehearsal : bool
        Refuse a file that was not rehearsed, or changed since.
    reports : str or Path, optional
        The archive for the evidence.
    confirm : str, optional
        The name of the database, if it is protected.
    progress : Progress, optional
        Where to tell each step.
    **settings : Any
        Keys of ``[deploy]`` instead of what ``migkit.toml`` says (``backup="recent"``, ``watch_seconds=5``), and
        ``strategy`` of ``[auto_rollback]``.

    Returns
    -------
    Deployment
        ``passed``, ``status``, ``explain()`` and ``commands``; frames ``steps``, ``checks``, ``smoke_tests``,
        ``metrics``. A deploy that fails does not raise.

    Raises
    ------
    ProtectedDatabase, DeployRunning
        If the database is protected and `confirm` is not its name, or somebody else deploys to it now.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.deploy("migrations/001_add_user_profile.py", "production", confirm="production")  # doctest: +SKIP
    """
    config = load_config()
    options = _options(config, reports, timeout, lock_timeout, require_rehearsal, **settings)
    loaded = load_migration(migration, config=config)
    with reached(db, config=config) as database:
        require_confirmation(database, confirm)
        return execution.deploy(loaded, database, options, progress=progress or default_progress())


def plan_deploy(
    migration: AnyMigration,
    db: AnyDatabase,
    *,
    require_rehearsal: bool = True,
    reports: str | Path | None = None,
    progress: Progress | None = None,
) -> DeployPlan:
    """Say what a deploy would do, about how long it would take, and what speaks against it; nothing is done.

    Parameters
    ----------
    migration : str, Path or Migration
        The migration.
    db : str, URL, Engine or Database
        The database; only read.
    require_rehearsal : bool
        Count it against the deploy if the file was not rehearsed.
    reports : str or Path, optional
        The archive that rehearsals are looked for in.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    DeployPlan
        ``passed``, ``seconds``, ``closed_seconds``; frames ``steps`` (:data:`migkit.frames.PLANNED_STEPS`) and
        ``checks`` (:data:`migkit.frames.CHECKS`).

    Examples
    --------
    >>> import migkit as mk
    >>> mk.plan_deploy("migrations/001_add_user_profile.py", "production").steps  # doctest: +SKIP
    """
    config = load_config()
    options = _options(config, reports, None, None, require_rehearsal)
    loaded = load_migration(migration, config=config)
    with reached(db, config=config) as database:
        return planning.plan_deploy(loaded, database, options, progress=progress or default_progress())


def deploy_checklist(
    migration: AnyMigration, db: AnyDatabase, *, reports: str | Path | None = None, progress: Progress | None = None
) -> str:
    """Write the runbook of a deploy as Markdown: before, during, after, and the way back with its exact commands.

    Parameters
    ----------
    migration : str, Path or Migration
        The migration.
    db : str, URL, Engine or Database
        The database; only read.
    reports : str or Path, optional
        The archive that rehearsals are looked for in.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    str
        The text.
    """
    config = load_config()
    options = _options(config, reports, None, None, True)
    loaded = load_migration(migration, config=config)
    with reached(db, config=config) as database:
        plan = planning.plan_deploy(loaded, database, options, progress=progress or default_progress())
        return checklist.write_checklist(loaded, database, options, plan)


def _options(
    config: Config,
    reports: str | Path | None,
    timeout: float | None,
    lock_timeout: float | None,
    require_rehearsal: bool,
    **said: Any,
) -> DeployOptions:
    options = DeployOptions.from_config(
        config, reports=Path(reports) if reports else None, timeout=timeout, lock_timeout=lock_timeout, **said
    )
    return options if require_rehearsal else options.without_rehearsal()


def recover(
    db: AnyDatabase | None = None,
    *,
    accept: bool = False,
    reports: str | Path | None = None,
    backups: str | Path | None = None,
    confirm: str | None = None,
    progress: Progress | None = None,
) -> Recovery:
    """Look for deploys and restores whose process was killed, and finish or undo them.

    Parameters
    ----------
    db : str, URL, Engine or Database, optional
        Only work on this database; by default all, each reached as its journal says.
    accept : bool
        Take the database as it is, and close the journals without looking.
    reports, backups : str or Path, optional
        Where journals are looked for; by default as ``migkit.toml`` says.
    confirm : str, optional
        The name of the database, if it is protected.
    progress : Progress, optional
        Where to tell how far it is.

    Returns
    -------
    Recovery
        ``passed``, and the frame ``work`` (:data:`migkit.frames.RECOVERED`): what was found, and what became of it.

    Examples
    --------
    >>> import migkit as mk
    >>> mk.recover().passed  # doctest: +SKIP
    True
    """
    config = load_config()
    roots = (Path(reports or config.reports.directory), Path(backups or config.backups.directory))
    told = progress or default_progress()
    if db is None:
        return recovering.recover(config, roots=roots, accept=accept, confirm=confirm, progress=told)
    with reached(db, config=config) as database:
        return recovering.recover(config, roots=roots, db=database, accept=accept, confirm=confirm, progress=told)
