"""A database of every PostgreSQL version that holds every kind of object."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine

from tests.dialects.postgresql import catalogs
from tests.servers import POSTGRESQL_VERSIONS, Servers, Unavailable
from tests.servers.registry import unique_name


@pytest.fixture(scope="module", params=POSTGRESQL_VERSIONS)
def everything(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Engine]:
    """A database that holds every kind of object; a test leaves it as it was."""
    try:
        server = servers[request.param]
    except Unavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason), pytrace=False)
        pytest.skip(str(reason))
    engine = create_engine(server.create(unique_name()))
    catalogs.prepare_cluster(engine)
    catalogs.fill(engine)
    yield engine
    catalogs.forget(engine)
    catalogs.forget_cluster(engine)
    engine.dispose()
    assert server.drop(engine.url) == []
