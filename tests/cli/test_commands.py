"""The command line as people use it: what it prints, and its exit codes 0, 1 and 2."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from migkit.database import Database

MIGRATION = """
import sqlalchemy as sa
metadata = {"version": "001", "estimated_duration": "5s", "risk": "low"}
def up(op):
    op.create_table("user_profiles", sa.Column("id", sa.Integer, primary_key=True),
                    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False, index=True))
def down(op):
    op.drop_table("user_profiles")
"""

Migkit = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def migkit(tmp_path: Path) -> Migkit:
    (tmp_path / "001_add.py").write_text(MIGRATION)

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "migkit", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return call


@pytest.fixture
def url(sqlite: Database) -> str:
    with sqlite.engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)"))
        connection.execute(text("INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c')"))
    return sqlite.url


def test_the_tutorial_path(migkit: Migkit, url: str, sqlite: Database) -> None:
    dry = migkit("test", "001_add.py", "--dry-run", "-d", url)
    assert dry.returncode == 0, dry.stderr
    assert "+ Table user_profiles was added (0 rows)" in dry.stdout
    assert "Risk level, as declared: LOW" in dry.stdout
    assert inspect(sqlite.engine).get_table_names() == ["users"]

    ran = migkit("run", "001_add.py", "-d", url)
    assert ran.returncode == 0, ran.stderr
    assert "✓ Created table user_profiles" in ran.stdout

    valid = migkit("validate", "001_add.py", "-d", url)
    assert valid.returncode == 0, valid.stdout + valid.stderr
    assert "✓ Table user_profiles exists" in valid.stdout
    assert "PASSED" in valid.stdout

    absent = migkit("validate", "001_add.py", "--expect-absent", "-d", url)
    assert absent.returncode == 1

    assert migkit("validate", "--expect-version", "001", "-d", url).returncode == 0
    assert migkit("rollback", "001_add.py", "-d", url).returncode == 0
    gone = migkit("validate", "001_add.py", "--expect-absent", "-d", url)
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert "✓ Table user_profiles does not exist (expected)" in gone.stdout
    assert migkit("validate", "001_add.py", "-d", url).returncode == 1


def test_snapshots(migkit: Migkit, url: str) -> None:
    assert migkit("snapshot", "pre", "-d", url).returncode == 0
    assert migkit("run", "001_add.py", "-d", url).returncode == 0
    assert migkit("snapshot", "post", "-d", url).returncode == 0
    same = migkit("compare-snapshots", "pre", "post")
    assert same.returncode == 0, same.stderr
    assert "✓ Table users: 3 rows (unchanged)" in same.stdout
    assert "+ Table user_profiles was added (0 rows)" in same.stdout
    back = migkit("compare-snapshots", "post", "pre")
    assert back.returncode == 1
    assert "✗ Table user_profiles was removed" in back.stdout
    missing = migkit("compare-snapshots", "pre", "pots")
    assert missing.returncode == 2
    assert "Known: post, pre" in missing.stderr


def test_rehearse_archives_a_report(migkit: Migkit, url: str, tmp_path: Path) -> None:
    done = migkit("rehearse", "001_add.py", "-d", url, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["passed"]
    assert (tmp_path / document["report"]).read_text().lower().startswith("<!doctype html>")


def test_a_failed_verdict_is_exit_code_1(migkit: Migkit, url: str, tmp_path: Path) -> None:
    (tmp_path / "002_bad.py").write_text("def up(op):\n    op.drop_table('users')\n")
    done = migkit("test", "002_bad.py", "-d", url)
    assert done.returncode == 1, done.stderr
    assert "✗ Table users was removed (3 rows) [table-lost]" in done.stdout
    # Nothing was archived, so that what was not checked is told here.
    assert "the application's queries against the new schema: no workload was given" in done.stdout
    assert "listed in the evidence" not in done.stdout


@pytest.mark.parametrize("command", ["test", "run", "validate", "rollback"])
def test_json_everywhere(migkit: Migkit, url: str, command: str) -> None:
    if command == "rollback":
        migkit("run", "001_add.py", "-d", url)
    done = migkit(command, "001_add.py", "-d", url, "--json")
    assert done.returncode in (0, 1), done.stderr
    assert isinstance(json.loads(done.stdout), dict)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("test", "missing.py", "-d", "sqlite://"), "missing.py"),
        (("test", "broken.py", "-d", "sqlite://"), "broken.py:2"),
        (("test", "nothing.py", "-d", "sqlite://"), "up(op)"),
        (("test", "001_add.py", "-d", "stagign"), "Did you mean 'staging'"),
        (("test", "001_add.py", "-d", "postgresql://u:pw@127.0.0.1:1/x"), "127.0.0.1"),
        (("test", "001_add.py"), "nowhere.db"),
        (("report", "nothing"), "nothing"),
        (("run", "unbalanced.up.sql", "-d", "sqlite://"), "unbalanced.up.sql:2"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    migkit: Migkit, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    (tmp_path / "broken.py").write_text("def up(op):\n    op.execute(\n")
    (tmp_path / "nothing.py").write_text("x = 1\n")
    (tmp_path / "unbalanced.up.sql").write_text("CREATE TABLE a (id int);\nINSERT INTO a VALUES ('oops;\n")
    (tmp_path / "migkit.toml").write_text('[databases.staging]\nurl = "sqlite:///nowhere.db"\n')
    done = migkit(*arguments)
    assert done.returncode == 2, done.stdout
    [line] = [line for line in done.stderr.splitlines() if line.startswith("✗")]
    assert told in line
    assert "Traceback" not in done.stderr
    assert "pw@" not in done.stderr


def test_a_protected_database_wants_confirmation(migkit: Migkit, url: str, tmp_path: Path) -> None:
    (tmp_path / "migkit.toml").write_text(f'[databases.production]\nurl = "{url}"\nprotected = true\n')
    refused = migkit("run", "001_add.py", "-d", "production")
    assert refused.returncode == 2
    assert "--yes-production production" in refused.stderr
    assert migkit("run", "001_add.py", "-d", "production", "--yes-production", "prod").returncode == 2
    past = migkit("run", "001_add.py", "-d", url)
    assert past.returncode == 2
    assert "--yes-production production" in past.stderr
    assert migkit("run", "001_add.py", "-d", "production", "--yes-production", "production").returncode == 0


def test_debug_shows_the_traceback(migkit: Migkit) -> None:
    done = migkit("--debug", "test", "missing.py", "-d", "sqlite://")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_a_table_named_like_an_attack(migkit: Migkit, sqlite: Database) -> None:
    name = 'order"; drop table x;--<script>'
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {sqlite.dialect.quote(name)} (id INTEGER PRIMARY KEY)")
    assert migkit("snapshot", "one", "-d", sqlite.url).returncode == 0
    same = migkit("compare-snapshots", "one", "one")
    assert same.returncode == 0
    assert name in same.stdout
