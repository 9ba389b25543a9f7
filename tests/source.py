"""The project's own source, as syntax trees: what the tests about the code itself read."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "migkit"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file.

    Parameters
    ----------
    name : str
        Dotted name.
    path : Path
        The file.
    source : str
        Its text.
    tree : ast.Module
        Its syntax tree.
    """

    name: str
    path: Path
    source: str
    tree: ast.Module

    @property
    def where(self) -> str:
        """The path for people."""
        return str(self.path.relative_to(ROOT))

    def functions(self) -> Iterator[Function]:
        """Every function, methods and nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node


@dataclass(frozen=True)
class Import:
    """One first-party import: who imports what, on which line."""

    importer: str
    imported: str
    line: int


@cache
def modules(folder: str = "migkit") -> tuple[Module, ...]:
    """Read every module of a folder, in order of name."""
    return tuple(
        Module(_dotted(path), path, source, ast.parse(source, str(path)))
        for path in sorted((ROOT / folder).rglob("*.py"))
        for source in [path.read_text(encoding="utf-8")]
    )


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def first_party_imports(module: Module, tree: ast.AST | None = None) -> Iterator[Import]:
    """Every import of migkit's own modules; `from migkit import frames` counts as `migkit.frames`."""
    for node in ast.walk(tree or module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_first_party(alias.name):
                    yield Import(module.name, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(module, node)
            if _is_first_party(source):
                for alias in node.names:
                    yield Import(module.name, _target(source, alias.name), node.lineno)


def _is_first_party(name: str) -> bool:
    return name == "migkit" or name.startswith("migkit.")


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    package = parts if module.path.name == "__init__.py" else parts[:-1]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _target(source: str, name: str) -> str:
    """The module a name is imported from: the submodule of that name, if there is one."""
    candidate = f"{source}.{name}"
    return candidate if candidate in _names() else source


@cache
def _names() -> frozenset[str]:
    return frozenset(module.name for module in modules())


def tracked_files() -> list[Path]:
    """Every file that is, or is about to be, under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        return [path for folder in ("migkit", "tests", "bench", "notebooks") for path in (ROOT / folder).rglob("*.*")]
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
