"""Limits of a run: what the caller says counts, also where it says none at all."""

from __future__ import annotations

from pathlib import Path

import pytest

import migkit as mk
from migkit.database import Database
from migkit.progress import SILENT


def test_no_time_at_all_is_not_the_default(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("migkit.toml").write_text("[migrations]\ntimeout_seconds = 100\n")
    Path("001_wait.py").write_text(
        "import time\ndef up(op):\n    time.sleep(0.2)\n    op.execute('CREATE TABLE t (id INTEGER)')\n"
    )
    run = mk.run("001_wait.py", sqlite, timeout=0, progress=SILENT)
    assert not run.succeeded
    assert (run.error or "").startswith("Timed out after 0 s")
    assert mk.run("001_wait.py", sqlite, progress=SILENT).succeeded
