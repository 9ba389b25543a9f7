"""Before a load test: which database takes the load, what is asked of it, and whether that can work at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from migkit.clone.scratch import clone
from migkit.database import Database
from migkit.errors import ConfigError, ProtectedDatabase
from migkit.load.deriving import AUTO, Table, derive_workload
from migkit.load.plan import LoadPlan
from migkit.load.reading import read_workload
from migkit.load.sampling import check_room, resolved, try_once
from migkit.load.server_queries import SERVER, workload_from_server
from migkit.load.workload import Workload
from migkit.migration.migration import Migration
from migkit.observe.confinement import Confinement
from migkit.progress import SILENT, Progress
from migkit.state.capture import capture
from migkit.workflow.promise import learn_promise
from migkit.workflow.touched import touched_tables

AnyWorkload = str | Path | Workload


@dataclass(frozen=True)
class Prepared:
    """Everything that :func:`migkit.workflow.load_test.load_test` needs.

    Attributes
    ----------
    db : Database
        What takes the load.
    workload : Workload
        With values that are there.
    tables : tuple of (schema, table)
        What the migration touches.
    read_only : bool
        The server refuses writes of the workload.
    confined : bool
        `db` is a clone, which the migration must not leave.
    """

    db: Database
    workload: Workload
    tables: tuple[Table, ...]
    read_only: bool
    confined: bool


@contextmanager
def prepared(
    db: Database,
    workload: AnyWorkload,
    migration: Migration | None,
    plan: LoadPlan,
    *,
    here: bool = False,
    into: str | URL | Database | None = None,
    progress: Progress = SILENT,
) -> Iterator[Prepared]:
    """Choose the workload, and clone the database unless the load shall be put on it as it is.

    Parameters
    ----------
    db : Database
        The database.
    workload : str, Path or Workload
        A workload, a file of one, ``"auto"`` or ``"server"``.
    migration : Migration or None
        What is to run under load.
    plan : LoadPlan
        How.
    here : bool
        Put the load on `db` itself. A protected database then takes reads only, and no migration.
    into : str, URL or Database, optional
        The server to make the clone on.
    progress : Progress
        Told of the clone.

    Yields
    ------
    Prepared
        What to do; a clone is dropped at the end.

    Raises
    ------
    ProtectedDatabase
        If writes or a migration are to reach a protected database.
    ConfigError
        If a statement of the workload fails at once, or there is no room for so many clients.
    """
    plan.check()
    here = here or db.is_scratch
    if here and db.protected and migration is not None:
        raise _protected(db, "it takes no migration under load")
    tables = _tables(db, migration, plan) if migration is not None and _needs_tables(workload, plan) else ()
    work = _chosen(db, workload, tables)
    if here and db.protected and work.writes:
        raise _protected(db, "it takes no load that writes")
    if here:
        yield _ready(db, work, tables, plan, read_only=db.protected, confined=False)
        return
    with clone(db, into=into, progress=progress) as copy:
        yield _ready(copy, work, tables, plan, read_only=False, confined=True)


def _protected(db: Database, what: str) -> ProtectedDatabase:
    return ProtectedDatabase(
        f"{db.name} is protected: {what}", next_step="Leave out here=True (--here), and a clone takes the load."
    )


def _needs_tables(workload: AnyWorkload, plan: LoadPlan) -> bool:
    return workload == AUTO or plan.long_reader is not None


def _tables(db: Database, migration: Migration | None, plan: LoadPlan) -> tuple[Table, ...]:
    if migration is None:
        return ()
    promise = learn_promise(migration, db, timeout=plan.timeout, lock_timeout=plan.lock_timeout)
    return tuple(touched_tables(migration, promise, capture(db, rows="estimate")))


def _chosen(db: Database, workload: AnyWorkload, tables: Sequence[Table]) -> Workload:
    if isinstance(workload, Workload):
        work = workload
    elif workload == AUTO:
        work = derive_workload(db, tables or None)
    elif workload == SERVER:
        work = workload_from_server(db)
    else:
        work = read_workload(Path(workload), db.dialect)
    work.check_names(db.dialect)
    return work


def _stay_inside(workload: Workload, copy: Database) -> None:
    """Refuse what would reach the source, or anything else on its server, past the clone."""
    confinement = Confinement(copy.dialect)
    with copy.engine.connect() as connection:
        confinement.look_around(connection)
        neighbours = copy.dialect.neighbours(connection)
    for entry in workload.entries:
        for step in entry.steps:
            confinement.check(step, f"{workload.name}, {entry.name}")
            other = next((name for name in sorted(neighbours) if _names_database(step, name)), None)
            if other is not None:
                raise ConfigError(
                    f"{entry.name} names another database, {other}, which the load must not reach",
                    where=workload.name,
                    next_step="Leave the database's name out: the load goes to a clone.",
                )


def _names_database(sql: str, name: str) -> bool:
    return re.search(rf"""(?<![\w$.])[`"]?{re.escape(name)}[`"]?\s*\.\s*[`"\w]""", sql, re.IGNORECASE) is not None


def _ready(
    db: Database, workload: Workload, tables: tuple[Table, ...], plan: LoadPlan, *, read_only: bool, confined: bool
) -> Prepared:
    check_room(db, plan.clients)
    if confined:
        _stay_inside(workload, db)
    # What migkit made up may turn out not to work; what people wrote has to.
    is_ours = workload.name in (AUTO, SERVER)
    work = try_once(resolved(workload, db, lenient=is_ours), db, read_only=read_only, lenient=is_ours)
    return Prepared(db, work, tables, read_only, confined)
