"""``load_migration()``: from whatever names a migration to a :class:`Migration`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from migkit.config import Config
from migkit.errors import MigrationInvalid
from migkit.migration.alembic_format import find_ini, load_revision
from migkit.migration.migration import Migration
from migkit.migration.python_format import load_python, parse_python
from migkit.migration.sql_format import find_pair, load_sql

_REVISION = re.compile(r"(?P<ini>.*\.(?:ini|toml))[:@](?P<revision>[^:@/\\]+)")
_FORMATS = (
    "A migration is a Python file with up(op), NAME.up.sql with NAME.down.sql, or an Alembic revision "
    "(alembic.ini:REVISION or its file)."
)


def load_migration(target: str | Path | Migration, *, config: Config) -> Migration:
    """Load a migration of any format.

    Parameters
    ----------
    target : str, Path or Migration
        A Python file; either file of an SQL pair, ``NAME`` or ``NAME.sql``; a file with ``-- migrate:up``;
        ``alembic.ini:REVISION`` (or ``@``; ``head`` is one) or the file of a revision.
    config : Config
        Its ``[migrations] allow`` is added to what the migration declares itself.

    Returns
    -------
    Migration
        Freshly read from its files.

    Raises
    ------
    MigrationInvalid
        If there is no such file, or it is no migration, or it does not parse.
    """
    if isinstance(target, Migration):
        return target
    if named := _REVISION.fullmatch(str(target)):
        return load_revision(_file(Path(named["ini"])), named["revision"], config.migrations.allow)
    path = Path(target)
    if pair := find_pair(path):
        return load_sql(*pair, allow=lambda name: config.migrations.allow.get(name, ()))
    path = _file(path)
    if path.suffix == ".py":
        return _load_python_file(path, config)
    if path.suffix.lower() == ".sql":
        return load_sql(path, None, allow=lambda name: config.migrations.allow.get(name, ()))
    if path.suffix == ".ini":
        raise MigrationInvalid("This names no revision", where=str(path), next_step=f"Write {path}:head, for example.")
    raise MigrationInvalid("This is no migration", where=str(path), next_step=_FORMATS)


def _file(path: Path) -> Path:
    if path.is_dir():
        raise MigrationInvalid("This is a directory, no migration", where=str(path), next_step="Name one file in it.")
    if not path.is_file():
        raise MigrationInvalid("There is no such migration", where=str(path), next_step="Check the path.")
    return path


def _load_python_file(path: Path, config: Config) -> Migration:
    try:
        source = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise MigrationInvalid("This is no text in UTF-8", where=str(path)) from None
    except OSError as error:
        raise MigrationInvalid(f"The file cannot be read: {error.strerror}", where=str(path)) from None
    syntax = parse_python(path, source)
    names = _top_level_names(syntax)
    if "up" in names:
        return load_python(path, config.migrations.allow.get(path.stem, ()), syntax)
    if {"upgrade", "revision"} <= names:
        return _load_revision_file(path, syntax, config)
    raise MigrationInvalid("This file has no up(op), so it is no migration", where=str(path), next_step=_FORMATS)


def _load_revision_file(path: Path, syntax: ast.Module, config: Config) -> Migration:
    revision = _constant(syntax, "revision")
    if revision is None:
        raise MigrationInvalid("revision is no text", where=str(path))
    ini = find_ini(path)
    if ini is None:
        raise MigrationInvalid(
            "This is a revision of Alembic, but there is no alembic.ini above it",
            where=str(path),
            next_step=f"Name it as path/to/alembic.ini:{revision}.",
        )
    return load_revision(ini, revision, config.migrations.allow, expected=path)


def _top_level_names(syntax: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in syntax.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(one.id for one in node.targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names.update(alias.asname or alias.name for alias in node.names)
    return names


def _constant(syntax: ast.Module, name: str) -> str | None:
    for node in syntax.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Constant):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node.value.value if isinstance(node.value.value, str) else None
    return None
