"""The commands about moments: what they print can be typed, and what cannot be is one sentence and exit code 2."""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from migkit.cli.program import main

Type = Callable[..., int]


@pytest.fixture
def type_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Run a command as it would be typed in a folder with a configuration and a database."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "migkit.toml").write_text(
        '[databases.shop]\nurl = "sqlite:///shop.db"\nprotected = true\n[databases."my app"]\nurl = "sqlite:///app.db"\n',
        encoding="utf-8",
    )
    for name in ("shop", "app"):
        _sql(tmp_path / f"{name}.db", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")

    def run(command: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main(shlex.split(command)[1:])
        return int(ended.value.code or 0)

    return run


def _sql(path: Path, *statements: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        found: list[tuple[object, ...]] = []
        for statement in statements:
            found = connection.execute(statement).fetchall()
        connection.commit()
    return found


@pytest.mark.parametrize(("alias", "file"), [("shop", "shop.db"), ("my app", "app.db")])
def test_what_timestamp_prints_leads_back(
    alias: str, file: str, type_in: Type, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert type_in(f"migkit timestamp -d '{alias}'") == 0
    moment, command = capsys.readouterr().out.splitlines()
    assert moment.endswith("Z") and moment in command
    _sql(tmp_path / file, "DROP TABLE t")
    assert type_in(command) == 0
    assert "recovered, verified and serving" in capsys.readouterr().out
    assert _sql(tmp_path / file, "SELECT a FROM t") == [(1,)]


def test_a_protected_database_has_to_be_confirmed(
    type_in: Type, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert type_in("migkit timestamp -d shop --json") == 0
    moment = json.loads(capsys.readouterr().out)
    assert moment["returnable"] and moment["command"].endswith("--yes-production shop")
    _sql(tmp_path / "shop.db", "INSERT INTO t VALUES (2)")
    assert type_in(moment["command"].replace(" --yes-production shop", "")) == 2
    assert "shop is protected" in capsys.readouterr().err
    assert _sql(tmp_path / "shop.db", "SELECT count(*) FROM t") == [(2,)]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("migkit rollback --to-timestamp soon -d 'my app'", "is no moment"),
        ("migkit rollback --to-timestamp 2026-01-01T00:00:00 -d 'my app'", "does not say its time zone"),
        ("migkit rollback --to-timestamp 2026-01-01T00:00:00Z -d 'my app'", "migkit pitr enable"),
        ("migkit rollback -d 'my app'", "Give either MIGRATION or --to-timestamp"),
        ("migkit rollback 001.py --to-timestamp 2026-01-01T00:00:00Z -d 'my app'", "Give either MIGRATION"),
        ("migkit pitr disable shp", "Did you mean 'shop'?"),
        ("migkit pitr enable 'my app' --archive nowhere", "The archive is no folder"),
    ],
)
def test_bad_input_is_a_sentence(
    command: str, told: str, type_in: Type, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (tmp_path / "app.db").read_bytes()
    assert type_in(command) == 2
    assert told in capsys.readouterr().err
    assert (tmp_path / "app.db").read_bytes() == before and not (tmp_path / "backups").exists()


def test_pitr_says_what_it_did(type_in: Type, capsys: pytest.CaptureFixture[str]) -> None:
    assert type_in("migkit pitr status 'my app'") == 1
    assert "off: there is no moment to return to" in capsys.readouterr().out
    assert type_in("migkit pitr enable 'my app'") == 0
    assert type_in("migkit timestamp -d 'my app'") == 0
    capsys.readouterr()
    assert type_in("migkit pitr status 'my app' --json") == 0
    status = json.loads(capsys.readouterr().out)
    assert status["passed"] and len(status["bases"]["rows"]) == 1
    assert type_in("migkit pitr disable 'my app' --json") == 0
    assert not json.loads(capsys.readouterr().out)["enabled"]
