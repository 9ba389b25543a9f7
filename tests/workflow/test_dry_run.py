"""A dry run says no to what a rehearsal would say no to, as far as a schema shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

import migkit as mk
from migkit.database import Database
from migkit.display.lines import check_lines
from migkit.progress import SILENT
from migkit.workflow.dry_run import DryRun

DROP = "def up(op):\n    op.drop_table('t')\n"
DECLARED = 'metadata = {"allow": ["drop_table:t"]}\n' + DROP


@pytest.fixture
def tried(db: Database, tmp_path: Path, request: pytest.FixtureRequest) -> DryRun:
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY)"))
    path = tmp_path / "001_drop.py"
    path.write_text(request.param)
    return mk.dry_run(path, db, progress=SILENT)


@pytest.mark.parametrize("tried", [DROP], indirect=True)
def test_a_loss_that_is_not_declared_fails(tried: DryRun) -> None:
    assert not tried.passed
    assert any(
        "It loses nothing that is not declared: expected nothing, found Table t was removed" in line.text
        for line in check_lines(tried.checks)
    )


@pytest.mark.parametrize("tried", [DECLARED], indirect=True)
def test_a_loss_that_is_declared_passes(tried: DryRun) -> None:
    assert tried.passed
    assert "It loses nothing that is not declared" in set(tried.checks["check"])
