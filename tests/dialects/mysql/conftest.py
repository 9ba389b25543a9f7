"""Every test of this folder runs on MySQL and on MariaDB."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from migkit.database import Database

# Python cannot write these into one identifier of its own, and neither can a careless tool into SQL.
HOSTILE = ('order"; drop table x;--', "<script>", "Mixed.Case", "ünï", "100%s :id", "back`tick", "it's")


@pytest.fixture(params=["mysql", "mariadb"])
def db(request: pytest.FixtureRequest, make_database: Callable[[str], Database]) -> Database:
    """A fresh database on either server."""
    return make_database(request.param)


@pytest.fixture
def run(db: Database) -> Callable[..., None]:
    """Execute statements as they are, and commit."""

    def execute(*statements: str, mode: str | None = None) -> None:
        with db.engine.connect() as connection:
            if mode is not None:
                connection.exec_driver_sql(f"SET SESSION sql_mode = '{mode}', time_zone = '+00:00'")
            for statement in statements:
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
            connection.commit()
            connection.invalidate()

    return execute
