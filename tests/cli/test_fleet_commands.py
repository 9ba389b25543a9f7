"""``migkit fleet``: patterns stand for aliases and files; one broken tenant makes the exit code 1, not 2."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from migkit.cli.fleet_commands import chosen_databases, fleet
from migkit.errors import ConfigError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three tenants in the working directory."""
    for number in range(3):
        with closing(sqlite3.connect(tmp_path / f"tenant{number}.db")) as connection, connection:
            connection.execute("CREATE TABLE users (id integer PRIMARY KEY)")
    (tmp_path / "001_note.up.sql").write_text("ALTER TABLE users ADD COLUMN note text;\n")
    (tmp_path / "001_note.down.sql").write_text("ALTER TABLE users DROP COLUMN note;\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_pattern_of_files_is_rehearsed_and_reported(here: Path) -> None:
    (here / "tenant1.db").write_bytes(b"no database")
    done = CliRunner().invoke(fleet, ["rehearse", "001_note.up.sql", "-d", "tenant*.db", "--json"])
    assert done.exit_code == 1, done.output
    document = json.loads(done.stdout)
    rows = [dict(zip(document["databases"]["columns"], row, strict=True)) for row in document["databases"]["rows"]]
    assert [row["status"] for row in rows] == ["passed", "error", "passed"]
    assert "tenant2" in Path(document["report"]).read_text(encoding="utf-8")


def test_patterns_of_aliases_come_before_files(here: Path) -> None:
    (here / "migkit.toml").write_text(
        '[databases.tenant_a]\nurl = "sqlite:///a.db"\n[databases.tenant_b]\nurl = "sqlite:///b.db"\n'
    )
    assert chosen_databases(("tenant_*",)) == ["tenant_a", "tenant_b"]
    assert chosen_databases(()) == ["tenant_a", "tenant_b"]
    assert chosen_databases(("tenant_b", "tenant_*")) == ["tenant_b", "tenant_a"]
    assert chosen_databases((f"{here}/tenant[01].db",)) == [f"sqlite:///{here}/tenant{number}.db" for number in (0, 1)]


def test_what_matches_nothing_is_said() -> None:
    with pytest.raises(ConfigError, match=r"matches 'shard_\*'"):
        chosen_databases(("shard_*",))
    with pytest.raises(ConfigError, match="not said which databases"):
        chosen_databases(())
