"""Python modules: ``up(op)``, ``down(op)`` and ``metadata``, where ``op`` is Alembic's Operations."""

from __future__ import annotations

import ast
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine

from migkit.dialects.base import Dialect
from migkit.errors import MigrationInvalid
from migkit.migration.migration import Direction, Migration, RunSession, read_metadata
from migkit.storage import sha256

Way = Callable[[Operations], object]


@dataclass(frozen=True, eq=False)
class PythonProgram:
    """The functions of a Python module."""

    module: types.ModuleType
    path: Path
    ways: Mapping[str, Way]

    @property
    def files(self) -> tuple[Path, ...]:
        """The module's file."""
        return (self.path,)

    def check(self, direction: Direction, dialect: Dialect) -> None:
        """Nothing can be known before it runs."""

    def prepare(self, engine: Engine, dialect: Dialect) -> None:
        """Such a migration expects no bookkeeping."""

    def execute(self, direction: Direction, session: RunSession) -> None:
        """Call ``up`` or ``down`` in one transaction."""
        with importable(self.module), session.engine.connect() as connection:
            # Real transactions everywhere: where the engine commits at DDL, they hold the rest together.
            context = MigrationContext.configure(connection=connection, opts={"transactional_ddl": True})
            with Operations.context(context) as operations, context.begin_transaction():
                self.ways[direction](operations)


def load_python(path: Path, allow: tuple[str, ...], syntax: ast.Module) -> Migration:
    """Load a Python migration, fresh from its file.

    Parameters
    ----------
    path : Path
        The module.
    allow : tuple of str
        Entries from the configuration, added to the module's own.
    syntax : ast.Module
        The parsed module.

    Raises
    ------
    MigrationInvalid
        If it cannot be imported, or its ``metadata`` cannot be read.
    """
    source = path.read_text(encoding="utf-8")
    module = load_module(path, source)
    ways = {name: way for name in ("up", "down") if callable(way := getattr(module, name, None))}
    if "up" not in ways:
        raise MigrationInvalid("up is no function", where=str(path), next_step="Write: def up(op): …")
    metadata = getattr(module, "metadata", {})
    if not isinstance(metadata, Mapping):
        raise MigrationInvalid(f"metadata must be a dict, not {type(metadata).__name__}", where=str(path))
    described = dict(metadata)
    if allow:
        described["allow"] = [*described.get("allow", ()), *allow]
    if has_only(syntax, "down", NotImplementedError.__name__):
        ways.pop("down", None)
    return Migration(
        name=path.stem,
        path=path,
        kind="python",
        metadata=read_metadata(described, where=str(path), defaults=describe(path.stem, ast.get_docstring(syntax))),
        has_down="down" in ways,
        source=source,
        checksum=sha256(path),
        program=PythonProgram(module, path, ways),
    )


def describe(name: str, text: str | None) -> dict[str, str]:
    """Return version and description as the name and the first line of a comment tell them."""
    version = name.split("_", 1)[0]
    return {
        "version": version if version[:1].isdigit() or version[1:2].isdigit() else "",
        "description": (text or "").strip().partition("\n")[0].rstrip("."),
    }


def parse_python(path: Path, source: str) -> ast.Module:
    """Parse a module.

    Raises
    ------
    MigrationInvalid
        With file and line of a syntax error.
    """
    try:
        return ast.parse(source, filename=str(path))
    except SyntaxError as error:
        raise MigrationInvalid(f"{type(error).__name__}: {error.msg}", where=f"{path}:{error.lineno or 1}") from None
    except ValueError as error:
        raise MigrationInvalid(f"This is no Python source: {error}", where=str(path)) from None


def has_only(syntax: ast.Module, function: str, *ending: str) -> bool:
    """Tell whether a function's body is nothing but a docstring, ``pass``, ``...`` or the raising of one of `ending`.

    With `ending`, raising it is required; a body that merely does nothing then counts as a body.
    """
    found = [node for node in syntax.body if isinstance(node, ast.FunctionDef) and node.name == function]
    if not found:
        return False
    body = [node for node in found[-1].body if not isinstance(node, ast.Pass) and not _is_bare_constant(node)]
    if ending:
        return len(body) == 1 and isinstance(body[0], ast.Raise) and _raised(body[0]) in ending
    return not body


def _is_bare_constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _raised(node: ast.Raise) -> str | None:
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return raised.id if isinstance(raised, ast.Name) else None


def load_module(path: Path, source: str) -> types.ModuleType:
    """Execute a module without leaving it in ``sys.modules``.

    Raises
    ------
    MigrationInvalid
        If anything in it raises; names the line.
    """
    # The name is unique to the file, so that two migrations called 001.py do not see each other's classes.
    module = types.ModuleType(f"_migkit_migration_{abs(hash(path.resolve())):x}", None)
    module.__file__ = str(path)
    code = compile(source, str(path), "exec")
    with importable(module):
        try:
            exec(code, module.__dict__)
        except Exception as error:
            # Whatever a migration's module raises while it is loaded is the migration's fault, said in one sentence.
            raise MigrationInvalid(
                f"{type(error).__name__}: {error}", where=f"{path}:{line_in(error, path)}"
            ) from error
    return module


@contextmanager
def importable(module: types.ModuleType) -> Iterator[None]:
    """Let a module be found by its name for a while: dataclasses and mapped classes look their module up."""
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        sys.modules.pop(module.__name__, None)


def line_in(error: BaseException, *paths: Path) -> int | None:
    """Return the line of the innermost frame of `error` that lies in one of the files."""
    names = {str(path) for path in paths}
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename in names]
    return lines[-1] if lines else None
