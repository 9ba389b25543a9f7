"""The system's Chromium, one for all tests of a process: Playwright cannot be started beside itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path(os.environ.get("MIGKIT_TEST_CHROMIUM", "/usr/bin/chromium"))


def unavailable(reason: str) -> None:
    """Skip with the reason; in CI, where everything is provisioned, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def require(package: str) -> None:
    """Skip, or fail in CI, where a package is missing."""
    try:
        import_module(package)
    except ImportError:
        unavailable(f"{package} is not installed: pip install 'migkit[dev]'")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    require("playwright.sync_api")
    if not CHROMIUM.exists():
        unavailable(f"there is no {CHROMIUM}; on Debian: apt-get install chromium")
    with import_module("playwright.sync_api").sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()
