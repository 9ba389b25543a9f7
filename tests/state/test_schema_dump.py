"""The net below the net: what no frame holds still shows, and what means nothing does not."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from migkit.clone.scratch import clone
from migkit.database import Database, connect
from migkit.dialects.schema_dump import ReadDump, SchemaDump
from migkit.errors import PermissionMissing
from migkit.migration.loading import load_migration
from migkit.migration.runner import run
from migkit.state.capture import capture
from migkit.state.comparison import Comparison, compare
from migkit.state.schema_digest import SchemaDigest, digest_schema
from migkit.state.snapshot import State, load_state
from migkit.workflow.trial import rehearse
from tests.servers.provision import MYSQL_ROOT

MakeDatabase = Callable[[str], Database]
RULE = "schema-differs-elsewhere"


def execute(db: Database, *statements: str) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))


def elsewhere(comparison: Comparison) -> list[str]:
    found = comparison.findings
    return list(found.loc[found["id"] == RULE, "where"])


@pytest.fixture(autouse=True)
def mysqldump(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """MySQL's own tool lies where its server does: in a folder with a system of its own."""
    if not (MYSQL_ROOT / "usr/bin/mysqldump").exists() or os.geteuid() != 0:
        return
    folder = tmp_path_factory.mktemp("bin")
    tool = folder / "mysqldump"
    tool.write_text(f'#!/bin/sh\nexec chroot {shlex.quote(str(MYSQL_ROOT))} /usr/bin/mysqldump "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


# --- what is found ----------------------------------------------------------------------------------------------------


@pytest.mark.every_postgresql
@pytest.mark.excused("sqlite", why="everything PostgreSQL's way")
@pytest.mark.excused("mysql", why="everything PostgreSQL's way")
@pytest.mark.excused("mariadb", why="everything PostgreSQL's way")
def test_what_the_catalog_queries_of_postgresql_leave_out_shows(db: Database) -> None:
    execute(
        db,
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE VIEW v AS SELECT id FROM t",
        "CREATE RULE watch AS ON INSERT TO t DO ALSO NOTIFY t",
    )
    before = capture(db)
    execute(db, "COMMENT ON RULE watch ON t IS 'two people know why'")
    comparison = compare(before, capture(db, like=before))
    assert elsewhere(comparison) == ["COMMENT public.RULE watch ON t"]
    assert not comparison.identical
    assert "RULE watch ON t was added" in repr(comparison)
