"""Alembic revisions: exactly one of them, through the project's own env.py."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.config import Config as AlembicConfig
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from migkit.dialects.base import Dialect
from migkit.errors import MigkitError, MigrationInvalid, MigrationMismatch
from migkit.migration.alembic_environment import project_on_path, redirected
from migkit.migration.migration import Direction, Migration, RunSession, read_metadata
from migkit.migration.python_format import has_only, parse_python
from migkit.storage import sha256

Heads = Sequence[str]
Work = Callable[[Heads, MigrationContext], list[RevisionStep]]
_PLACEHOLDER_URL = "driver://"


@dataclass(frozen=True, eq=False)
class AlembicProgram:
    """One revision of one project."""

    ini: Path
    revision: str
    path: Path
    env: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The revision and the project's env.py."""
        return (self.path, self.env)

    def check(self, direction: Direction, dialect: Dialect) -> None:
        """Nothing can be known without the database."""

    def prepare(self, engine: Engine, dialect: Dialect) -> None:
        """Create Alembic's version table, where and as env.py wants it."""

        def work(heads: Heads, context: MigrationContext) -> list[RevisionStep]:
            if not heads:
                context._ensure_version_table()
            return []

        with opened_project(self.ini) as (config, script):
            try:
                _run_env(config, script, work, engine, dialect)
            except DBAPIError as error:
                said = dialect.explain_error(error)
                raise MigkitError(f"Alembic's version table could not be made: {said}", where=str(self.ini)) from error
            except MigkitError:
                raise
            except Exception as error:
                # env.py is the project's code: whatever it raises is said in one sentence.
                raise MigrationInvalid(_loading_error(error), where=_loading_place(error, self.ini)) from error

    def execute(self, direction: Direction, session: RunSession) -> None:
        """Run the revision, if the database stands where it begins."""
        with opened_project(self.ini) as (config, script):
            revision = find_revision(script, self.revision, self.ini)

            def work(heads: Heads, context: MigrationContext) -> list[RevisionStep]:
                _check_place(script, revision, heads, direction, self.ini)
                if not heads:
                    context._ensure_version_table()
                make = MigrationStep.upgrade_from_script if direction == "up" else MigrationStep.downgrade_from_script
                return [make(script.revision_map, revision)]

            _run_env(config, script, work, session.engine, session.dialect)


def _run_env(config: AlembicConfig, script: ScriptDirectory, work: Work, engine: Engine, dialect: Dialect) -> None:
    """Run env.py with `work` as the step it runs."""
    calls: list[Heads] = []

    def counted(heads: Heads, context: MigrationContext) -> list[RevisionStep]:
        calls.append(heads)
        return work(heads, context)

    _fill_placeholder_url(config, engine)
    context = EnvironmentContext(
        config,
        script,
        fn=counted,
        as_sql=False,
        starting_rev=None,
        destination_rev=None,
        transactional_ddl=dialect.transactional_ddl,
        # The version table is made by `work`, once it is sure that the database is where it should be.
        dont_mutate=True,
    )
    with context, redirected(engine):
        script.run_env()
    if not calls:
        raise MigrationInvalid(
            "env.py never called context.run_migrations()", where=script.env_py_location, next_step="Nothing was run."
        )


def _fill_placeholder_url(config: AlembicConfig, engine: Engine) -> None:
    """Replace the URL of Alembic's template, which no engine can be made from; nothing ever connects to it."""
    if (config.get_main_option("sqlalchemy.url") or "").startswith(_PLACEHOLDER_URL):
        url = engine.url.set(password=None).render_as_string()
        config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))


def _check_place(script: ScriptDirectory, revision: Script, heads: Heads, direction: Direction, ini: Path) -> None:
    name = revision.revision
    stands = ", ".join(sorted(heads)) or "the very beginning (no revision)"
    applied = _applied(script, heads, stands, ini)
    if direction == "down":
        if name not in heads:
            how = "downgrade" if name in applied else "upgrade"
            raise MigrationMismatch(
                f"The database stands at {stands}, so {name} cannot be taken back: it is not the last one",
                where=str(ini),
                next_step=f"Run: alembic -c {ini} {how} {name}",
            )
        return
    if name in applied:
        raise MigrationMismatch(
            f"{name} is already applied: the database stands at {stands}",
            where=str(ini),
            next_step=f"Take it back first: alembic -c {ini} downgrade {_before(revision)}",
        )
    missing = sorted(set(revision._all_down_revisions) - applied)
    if missing:
        raise MigrationMismatch(
            f"The database stands at {stands}, but {name} expects it at {', '.join(missing)}",
            where=str(ini),
            next_step=f"Run: alembic -c {ini} upgrade {' '.join(missing)}",
        )


def _applied(script: ScriptDirectory, heads: Heads, stands: str, ini: Path) -> set[str]:
    """Return every revision that `heads` imply."""
    applied: set[str] = set()
    waiting = list(heads)
    while waiting:
        name = waiting.pop()
        if name in applied:
            continue
        applied.add(name)
        try:
            found = script.get_revision(name)
        except CommandError:
            raise MigrationMismatch(
                f"The database stands at {stands}, and this project has no revision {name}",
                where=str(ini),
                next_step="Check that the database belongs to this project and that all its revisions are there.",
            ) from None
        waiting.extend(found._all_down_revisions if found else ())
    return applied


def _before(revision: Script) -> str:
    parents = revision._versioned_down_revisions
    return parents[0] if parents else "base"


# --- the project ------------------------------------------------------------------------------------------------------


@contextmanager
def opened_project(ini: Path) -> Iterator[tuple[AlembicConfig, ScriptDirectory]]:
    """Open a project for a while: its settings, its revisions, its modules importable.

    Raises
    ------
    MigrationInvalid
        If the settings or a revision file cannot be read.
    """
    home = ini.resolve().parent
    with warnings.catch_warnings():
        # Settings of an older Alembic are the project's own affair.
        warnings.simplefilter("ignore", DeprecationWarning)
        toml = home / "pyproject.toml"
        config = AlembicConfig(str(ini), toml_file=str(toml) if toml.is_file() else None)
        entries = _reading(ini, lambda: config.get_prepend_sys_paths_list() or [])
        _locate_scripts(config, home)
        with project_on_path(home, entries):
            yield config, _reading(ini, lambda: _script_directory(config))


def _script_directory(config: AlembicConfig) -> ScriptDirectory:
    path = list(sys.path)
    try:
        script = ScriptDirectory.from_config(config)
        # Loads every revision, so that one that cannot be read is told now, not in the middle of a run.
        script.revision_map.heads  # noqa: B018
    finally:
        sys.path[:] = path
    return script


def _reading(ini: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except MigkitError:
        raise
    except Exception as error:
        # Revisions are code: whatever one raises while it is loaded is said in one sentence.
        raise MigrationInvalid(_loading_error(error), where=_loading_place(error, ini)) from error


def _loading_error(error: Exception) -> str:
    if isinstance(error, CommandError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    return f"{type(error).__name__}: {error}"


def _loading_place(error: Exception, ini: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    trace, place = error.__traceback__, str(ini)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if ini.resolve().parent in Path(file).parents:
            place = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _locate_scripts(config: AlembicConfig, home: Path) -> None:
    """Let a relative script_location be relative to alembic.ini, as people expect, or else to the working directory."""
    location = config.get_main_option("script_location")
    if location and ":" not in location and not Path(location).is_absolute() and (home / location).is_dir():
        config.set_main_option("script_location", str(home / location).replace("%", "%%"))


def find_ini(revision_file: Path) -> Path | None:
    """Return the nearest alembic.ini above a revision's file."""
    folders = revision_file.resolve().parents
    return next((folder / "alembic.ini" for folder in folders if (folder / "alembic.ini").is_file()), None)


def find_revision(script: ScriptDirectory, name: str, ini: Path) -> Script:
    """Return a revision by its identifier, a part of it, or ``head``.

    Raises
    ------
    MigrationInvalid
        If there is none, or more than one.
    """
    try:
        found = script.get_revision(name)
    except CommandError as error:
        heads = ", ".join(script.get_heads())
        # "identified by 'x'" is how MySQL writes a password, and would be masked like one.
        told = str(error).replace("revision identified by", "revision")
        raise MigrationInvalid(told, where=str(ini), next_step=f"Heads of this project: {heads}.") from None
    if found is None:
        raise MigrationInvalid(f"{name} is no revision that can be run", where=str(ini))
    return found


def _is_one_way(syntax: ast.Module) -> bool:
    """Tell whether downgrade() undoes nothing although upgrade() does something; merging branches does nothing."""
    if has_only(syntax, "downgrade", NotImplementedError.__name__):
        return True
    return has_only(syntax, "downgrade") and not has_only(syntax, "upgrade")


def load_revision(
    ini: Path, name: str, allow: Mapping[str, Sequence[str]], *, expected: Path | None = None
) -> Migration:
    """Load one revision.

    Parameters
    ----------
    ini : Path
        The project's alembic.ini.
    name : str
        The revision, or ``head``.
    allow : mapping
        Entries of the configuration, by revision or by file name.
    expected : Path, optional
        The file that the revision must lie in.

    Raises
    ------
    MigrationInvalid
        If the project or the revision cannot be read.
    """
    with opened_project(ini) as (_config, script):
        revision, env = find_revision(script, name, ini), Path(script.env_py_location)
    path = Path(revision.path)
    if expected is not None and path.resolve() != expected.resolve():
        raise MigrationInvalid(
            f"The project of {ini} has no such revision file", where=str(expected), next_step=f"It has {path}."
        )
    source = path.read_text(encoding="utf-8")
    syntax = parse_python(path, source)
    entries = [*allow.get(revision.revision, ()), *(allow.get(path.stem, ()) if path.stem != revision.revision else ())]
    return Migration(
        name=revision.revision,
        path=path,
        kind="alembic",
        metadata=read_metadata(
            {"allow": entries},
            where=str(path),
            defaults={"version": revision.revision, "description": (revision.doc or "").rstrip(".")},
        ),
        has_down=callable(getattr(revision.module, "downgrade", None)) and not _is_one_way(syntax),
        source=source,
        checksum=sha256(path),
        program=AlembicProgram(ini.resolve(), revision.revision, path, env),
    )
