"""Every measurement can be begun: what it stands on is still there under the names it uses."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import bench

NAMES = sorted(one.name for one in pkgutil.walk_packages(bench.__path__, "bench.") if "__main__" not in one.name)


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_begun(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
