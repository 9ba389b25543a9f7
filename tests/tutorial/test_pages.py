"""The tutorial's pages: as they are shipped, and executed from top to bottom by the runner that makes the reports."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import sqlalchemy as sa

from migkit import embedded
from migkit.cli.tutorial import FIRST_PAGE, copy_pages, pages
from migkit.dialects import dialect_for
from migkit.errors import ReportFailed
from migkit.report.kernel import execute
from tests.conftest import MakeDatabase
from tests.source import ROOT

FOLDER = ROOT / "notebooks" / "tutorial"
PAGES = sorted(FOLDER.glob("0*.ipynb"))
NAMES = [page.stem for page in PAGES]
SLOW = {("postgresql", name) for name in NAMES} | {("sqlite", name) for name in NAMES if name != "02_first_migration"}


def cells(page: Path, kind: str) -> list[Any]:
    return [cell for cell in nbformat.read(page, as_version=4).cells if cell.cell_type == kind]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_pages_are_kept_without_what_a_run_leaves(page: Path) -> None:
    document = json.loads(page.read_text(encoding="utf-8"))
    nbformat.validate(document)
    assert document["metadata"]["kernelspec"]["name"] == "python3"
    assert "widgets" not in document["metadata"]
    for cell in cells(page, "code"):
        assert cell.outputs == [] and cell.execution_count is None
        assert not cell.metadata.get("execution")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_pages_teach_and_check(page: Path) -> None:
    code = cells(page, "code")
    assert code[0].metadata["tags"] == ["parameters"] and "MIGKIT_TUTORIAL_ENGINE" in code[0].source
    assert sum("assert " in cell.source for cell in code) >= 4, "a page is a test of what it says"
    words = "\n".join(cell.source for cell in cells(page, "markdown"))
    assert words.startswith("# ") and "**Try it**" in words
    longest = max(len(cell.source.split()) for cell in cells(page, "markdown"))
    assert longest < 200, "one idea per cell"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_pages_that_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", "\n".join(cell.source for cell in cells(page, "markdown")))
    assert [link for link in links if "://" not in link and not (FOLDER / link).is_file()] == []


def test_every_page_is_in_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    shipped = {source: target for source, target in included.items() if source.startswith("notebooks/tutorial/")}
    assert shipped == {f"notebooks/tutorial/{page.name}": f"migkit/cli/tutorial_pages/{page.name}" for page in pages()}
    assert FIRST_PAGE in {page.name for page in pages()}


@pytest.fixture
def tidy_server(request: pytest.FixtureRequest) -> Iterator[None]:
    """Find no scratch copy left behind on the embedded server, and drop the shops the pages made."""
    if request.getfixturevalue("engine") == "sqlite":
        yield
        return
    if not embedded.available():
        pytest.skip("the embedded PostgreSQL is not installed")
    before = _databases()
    yield
    left = _databases() - before
    server = embedded.server_url()
    for name in left:
        dialect_for(server).drop_scratch(server.set(database=name))
    assert all(name.startswith("tutorial_") for name in left), f"not dropped by the page: {left}"


def _databases() -> set[str]:
    engine = sa.create_engine(embedded.server_url(), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return set(connection.scalars(sa.text("SELECT datname FROM pg_database")))


@pytest.mark.usefixtures("tidy_server")
@pytest.mark.parametrize(
    ("engine", "name"),
    [
        pytest.param(engine, name, marks=[pytest.mark.slow] if (engine, name) in SLOW else [])
        for engine in ("sqlite", "postgresql")
        for name in NAMES
    ],
)
def test_pages_run_from_top_to_bottom(engine: str, name: str, tmp_path: Path) -> None:
    copy_pages(tmp_path)
    executed = execute(tmp_path / f"{name}.ipynb", {"engine": engine}, tmp_path)
    shown = [output for cell in executed.cells for output in cell.get("outputs", [])]
    assert any("text/html" in output.get("data", {}) for output in shown), "results draw themselves"
    made = {path.name for path in tmp_path.iterdir()} - {page.name for page in pages()}
    assert made <= {"work", "__pycache__"}, "a page writes into its own folder only"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_a_million_users_on_a_server(engine: str, make_database: MakeDatabase, tmp_path: Path) -> None:
    copy_pages(tmp_path)
    url = make_database(engine).engine.url.render_as_string(hide_password=False)
    executed = execute(tmp_path / "03_under_load.ipynb", {"engine": url}, tmp_path)
    assert any("text/html" in output.get("data", {}) for cell in executed.cells for output in cell.get("outputs", []))


def test_a_page_that_finds_something_else_fails(tmp_path: Path) -> None:
    page = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("engine = None"), nbformat.v4.new_code_cell("assert not engine")]
    )
    page.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(page, tmp_path / "page.ipynb")
    with pytest.raises(ReportFailed, match="AssertionError"):
        execute(tmp_path / "page.ipynb", {"engine": "sqlite"}, tmp_path)
