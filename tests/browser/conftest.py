"""One JupyterLab for all browser tests; a fresh notebook, with a kernel of its own, for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.lab import Notebook, Web, start_lab
from tests.chromium import require
from tests.servers.process import private_folder
from tests.servers.registry import remove

# Voila's own template asks for icons there, and is not answered; the page has to do without.
UNANSWERED = "https://cdn.jsdelivr.net/npm/@fortawesome/"
OpenNotebook = Callable[..., Notebook]


@pytest.fixture(scope="session")
def lab() -> Iterator[Web]:
    """JupyterLab over an empty folder."""
    require("jupyterlab")
    folder = private_folder()
    server = start_lab(folder / "lab")
    yield server
    server.stop()
    remove(folder)


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A tab that reaches loopback only; what it asked of anybody else fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    strangers: list[str] = []

    def only_here(route: Any) -> None:
        if urlsplit(route.request.url).hostname in ("127.0.0.1", None):
            route.continue_()
        else:
            if not route.request.url.startswith(UNANSWERED):
                strangers.append(route.request.url)
            route.abort()

    context.route(re.compile("^(?!data:|blob:)"), only_here)
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    yield tab
    context.close()
    assert strangers == [], "the page asked the network for these"


@pytest.fixture
def notebook(page: Any, lab: Web, request: pytest.FixtureRequest) -> Iterator[OpenNotebook]:
    """Open a notebook with these cells; its kernel is gone afterwards."""
    opened: list[Notebook] = []

    def open_notebook(*cells: str, dark: bool = False) -> Notebook:
        name = re.sub(r"\W+", "_", request.node.name)[:60]
        opened.append(Notebook(page, lab, f"{name}_{len(opened)}.ipynb"))
        return opened[-1].open(cells, dark=dark)

    yield open_notebook
    if opened:
        opened[-1].screenshot(f"last-{opened[-1].name.removesuffix('.ipynb')}")  # what a failing test saw
        _end_kernels(page, lab)


def _end_kernels(page: Any, lab: Web) -> None:
    headers = {"Authorization": f"token {lab.token}"}
    for session in page.request.get(f"{lab.url}/api/sessions", headers=headers).json():
        # The route handler of the tab does not see this request.
        page.request.delete(f"{lab.url}/api/sessions/{session['id']}", headers=headers)
