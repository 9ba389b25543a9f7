"""Fixtures: a fresh, empty database on every engine, dropped afterwards; whoever keeps a connection fails.

``sqlite``, ``postgresql``, ``mysql``, ``mariadb``
    One database on that engine.
``db``
    One on every engine; under ``tests/contract/``, and with ``@pytest.mark.every_postgresql``, also on PostgreSQL 15
    and 16.
``every_postgresql``
    One on each PostgreSQL version.
``make_database``
    ``make_database("postgresql")``, as often as needed; with ``engine_name`` for the engine ``db`` has.
``chinook``
    ``chinook.load(db)``.
``browser``
    The system's Chromium.

``@pytest.mark.excused("sqlite", why="…")`` leaves an engine out, with the reason.

Where the same is tested again on a close relative (MariaDB beside MySQL, PostgreSQL 15 and 16 beside 18), that test
is ``slow``: `make test` runs the contract on every engine, and the rest on one of each
family; `make test-slow` runs what is left.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from migkit.database import Database, connect
from tests.chromium import browser as browser
from tests.servers import ENGINES, POSTGRESQL_VERSIONS, Servers, Unavailable
from tests.servers.chinook import Chinook, find_chinook
from tests.servers.process import private_folder
from tests.servers.registry import Server, remove, unique_name

MakeDatabase = Callable[[str], Database]

_HERE = Path(__file__).parent
_CONTRACT = _HERE / "contract"
_session_folder = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests away from the user's own embedded server, settings and scratch files, and from each other's."""
    config.addinivalue_line("markers", "every_postgresql: `db` also comes on PostgreSQL 15 and 16")
    config.addinivalue_line("markers", "excused(engine, why): leaves an engine out, with the reason")
    folder = private_folder()
    config.stash[_session_folder] = folder
    os.environ["MIGKIT_HOME"] = str(folder / "home")
    # What pytest itself keeps of tests stays where people look for it.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    (folder / "tmp").mkdir()
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
    os.environ.pop("MIGKIT_CONFIG", None)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the session wrote."""
    remove(config.stash[_session_folder])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Multiply tests by engine."""
    if "engine_name" in metafunc.fixturenames:
        metafunc.parametrize("engine_name", _with_excuses(metafunc, _engines_for(metafunc)), indirect=True)
    if "postgresql_version" in metafunc.fixturenames:
        metafunc.parametrize("postgresql_version", _with_excuses(metafunc, POSTGRESQL_VERSIONS), indirect=True)


def _engines_for(metafunc: pytest.Metafunc) -> tuple[str, ...]:
    asked = metafunc.definition.get_closest_marker("every_postgresql") is not None
    if asked or metafunc.definition.path.is_relative_to(_CONTRACT):
        return (*ENGINES, *(version for version in POSTGRESQL_VERSIONS if version not in ENGINES))
    return ENGINES


def _with_excuses(metafunc: pytest.Metafunc, engines: tuple[str, ...]) -> list[object]:
    excuses = {mark.args[0]: mark.kwargs["why"] for mark in metafunc.definition.iter_markers("excused")}
    relatives = _relatives(metafunc.definition.path)
    params = []
    for engine in engines:
        why = excuses.get(engine)
        marks = [pytest.mark.skip(reason=f"{engine}: {why}")] if why else []
        params.append(pytest.param(engine, marks=[*marks, pytest.mark.slow] if engine in relatives else marks))
    return params


def _relatives(path: Path) -> frozenset[str]:
    """Return the engines on which a test repeats what it shows on another of their family."""
    older = frozenset(POSTGRESQL_VERSIONS) - frozenset(ENGINES)
    repeats = not any(path.is_relative_to(_HERE / folder) for folder in ("contract", "servers"))
    return older | {"mariadb"} if repeats else older


@pytest.fixture
def engine_name(request: pytest.FixtureRequest) -> str:
    """The engine that `db` has."""
    return str(request.param)


@pytest.fixture
def postgresql_version(request: pytest.FixtureRequest) -> str:
    """The version that `every_postgresql` has."""
    return str(request.param)


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """The private servers of this session (of this worker, under xdist)."""
    servers = Servers(request.config.stash[_session_folder])
    yield servers
    servers.stop()


@pytest.fixture
def make_database(servers: Servers) -> Iterator[MakeDatabase]:
    """Make fresh, empty databases; all are dropped afterwards."""
    made: list[tuple[Server, URL]] = []
    reached: list[Database] = []

    def make(engine: str) -> Database:
        try:
            server = servers[engine]
        except Unavailable as reason:
            if os.environ.get("CI") == "true":
                pytest.fail(str(reason), pytrace=False)
            pytest.skip(str(reason))
        url = server.create(unique_name())
        made.append((server, url))
        reached.append(connect(url))
        return reached[-1]

    yield make
    for database in reached:
        database.close()
    leaks = [f"{url.get_backend_name()}: {leak}" for server, url in made for leak in server.drop(url)]
    if leaks:
        pytest.fail("connections were left open:\n" + "\n".join(leaks), pytrace=False)


@pytest.fixture
def db(engine_name: str, make_database: MakeDatabase) -> Database:
    """A fresh database on every engine."""
    return make_database(engine_name)


@pytest.fixture
def every_postgresql(postgresql_version: str, make_database: MakeDatabase) -> Database:
    """A fresh database on each PostgreSQL version."""
    return make_database(postgresql_version)


@pytest.fixture
def sqlite(make_database: MakeDatabase) -> Database:
    """A fresh SQLite database."""
    return make_database("sqlite")


@pytest.fixture
def postgresql(make_database: MakeDatabase) -> Database:
    """A fresh database on PostgreSQL 18."""
    return make_database("postgresql")


@pytest.fixture
def mysql(make_database: MakeDatabase) -> Database:
    """A fresh database on MySQL."""
    return make_database("mysql")


@pytest.fixture
def mariadb(make_database: MakeDatabase) -> Database:
    """A fresh database on MariaDB."""
    return make_database("mariadb")


@pytest.fixture(scope="session")
def chinook() -> Chinook:
    """The Chinook files."""
    folder = find_chinook()
    if folder is None:
        pytest.skip("no Chinook: neither ../shared/data nor MIGKIT_TEST_DATA holds chinook/")
    return Chinook(folder)
