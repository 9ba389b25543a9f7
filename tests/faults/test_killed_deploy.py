"""A small share of ``bench/faults``: killed deploys come back to before or after, with every row of the writers."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.faults.benchmark import WAYS
from bench.faults.elsewhere import cut_connections
from bench.faults.injections import Injector, pause
from bench.faults.subject import Subject
from tests.recovery.conftest import _tools_folder as _tools_folder
from tests.recovery.conftest import server_tools as server_tools
from tests.servers import Servers, Unavailable
from tests.servers.registry import unique_name

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("server_tools")]

# One moment of each kind of step: what comes before it is looked at by another.
STEPS = ("ended read-only-on", "worked run", "started validate")


@pytest.fixture
def injector(engine_name: str, servers: Servers, tmp_path: Path) -> Injector:
    """A subject on every engine."""
    try:
        server = servers[engine_name]
    except Unavailable as reason:
        pytest.skip(str(reason))
    subject = Subject.make(engine_name, server.create(unique_name()), tmp_path)
    return Injector(subject, subject.writer())


def test_killed_at_a_journalled_moment(injector: Injector) -> None:
    migration, strategy = WAYS[0]
    moments = injector.moments(migration, strategy)
    for name in STEPS:
        injected = injector.kill_at(migration, strategy, moments.index(name), name)
        assert injected.survived, (injected.name, injected.problems, injected.told)


def test_killed_while_taking_back(injector: Injector) -> None:
    migration, strategy = WAYS[1]
    moments = injector.moments(migration, strategy)
    for name in ("started take-back", "worked swap-in"):
        injected = injector.kill_at(migration, strategy, moments.index(name), name)
        assert injected.survived, (injected.name, injected.problems, injected.told)


@pytest.mark.excused("sqlite", why="there is no connection to cut")
@pytest.mark.excused("mysql", why="the benchmark does it; one server is enough for the suite")
@pytest.mark.excused("mariadb", why="the benchmark does it; one server is enough for the suite")
def test_connections_cut(injector: Injector) -> None:
    injected = next(cut_connections(injector))
    assert injected.survived, (injected.name, injected.problems, injected.told)


def test_killed_at_no_moment_in_particular(injector: Injector) -> None:
    injected = injector.kill_after(*WAYS[0], pause(0.5, 4.0))
    assert injected.survived, (injected.name, injected.problems, injected.told)
