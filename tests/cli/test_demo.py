"""``migkit demo``: one migration that can be taken back, one that only looks as if it could, and a report of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from migkit import capture, connect, load, rehearse
from migkit.cli import demo
from migkit.cli.program import program
from migkit.cli.shop import build_shop, copy_migrations
from migkit.database import Database
from migkit.framing import plain
from migkit.progress import SILENT
from migkit.workflow.rehearsal import Rehearsal

SCALE = 0.005


def evidence(archive: Path) -> dict[str, Rehearsal]:
    found = [load(path.parent) for path in archive.glob("*/evidence.json")]
    return {str(trial.migration["name"]): trial for trial in found if isinstance(trial, Rehearsal)}


@pytest.mark.slow
@pytest.mark.usefixtures("servers")
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_first_passes_the_second_fails_and_both_are_archived(
    engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = demo.run_demo(engine, tmp_path, SILENT, scale=SCALE)

    told = capsys.readouterr().out
    trials = evidence(tmp_path / "reports")
    assert code == 0, told
    assert {name: trial.status for name, trial in trials.items()} == demo.EXPECTED
    assert (tmp_path / "reports" / "index.html").is_file()
    for name, trial in trials.items():
        assert trial.evidence is not None
        page = trial.evidence / "report.html"
        assert name in page.read_text(encoding="utf-8")
        assert str(page) in told
    second = trials["002_add_email_verification"]
    errors = second.findings[second.findings["severity"] == "error"]
    assert set(errors["id"]) == {"left-behind"}
    assert "users.email" in " ".join(plain(errors["what"]))
    assert "What to type next" in told
    with connect(told.split("--database ")[1].split()[0]) as again:
        assert capture(again, progress=SILENT).total_rows == trials["001_add_user_profile"].before.total_rows
    assert str(tmp_path / "demo" / "migrations" / "002_add_email_verification.py") in told


@pytest.mark.slow
def test_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.run_demo("sqlite", tmp_path, SILENT, scale=SCALE, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["as_expected"]
    assert [one["status"] for one in document["rehearsals"]] == ["passed", "failed"]
    assert all(Path(one["report"]).is_file() for one in document["rehearsals"])


@pytest.mark.slow
def test_again_in_the_same_folder_and_two_when_it_does_not_show_what_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "migkit_shop.db").write_bytes(b"left by an earlier demo")
    monkeypatch.setattr(demo, "EXPECTED", dict.fromkeys(demo.EXPECTED, "passed"))
    monkeypatch.chdir(tmp_path)

    code = program.main(["demo", "--engine", "sqlite", "--scale", str(SCALE)], standalone_mode=False)

    assert code == 2
    assert "expected 002_add_email_verification to be passed, and it is failed" in capsys.readouterr().out


@pytest.mark.slow
def test_both_migrations_end_alike_on_every_engine(db: Database, tmp_path: Path) -> None:
    build_shop(db, scale=SCALE)

    trials = [rehearse(path, db, reports=False, progress=SILENT) for path in copy_migrations(tmp_path)]

    assert {str(trial.migration["name"]): trial.status for trial in trials} == demo.EXPECTED, trials[0].explain()
    assert "users.email" in trials[1].explain()


@pytest.mark.slow
def test_the_second_passes_once_its_way_down_restores_what_was_overwritten(sqlite: Database, tmp_path: Path) -> None:
    build_shop(sqlite, scale=SCALE)
    second = copy_migrations(tmp_path)[1]
    text = second.read_text(encoding="utf-8")
    overwrite = """    op.execute("UPDATE users SET email = lower(email) WHERE email <> lower(email)")\n"""
    keep = """    op.add_column("users", sa.Column("email_as_typed", sa.String(120)))
    op.execute("UPDATE users SET email_as_typed = email WHERE email <> lower(email)")\n"""
    restore = """    op.execute("UPDATE users SET email = email_as_typed WHERE email_as_typed IS NOT NULL")
    op.drop_column("users", "email_as_typed")\n"""
    assert overwrite in text
    second.write_text(text.replace(overwrite, keep + overwrite) + restore, encoding="utf-8")

    trial = rehearse(second, sqlite, reports=False, progress=SILENT)

    assert trial.passed, trial.explain()


def test_an_engine_it_does_not_know_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        program.main(["demo", "--engine", "oracle"])

    assert stop.value.code == 2
    assert "'postgresql', 'sqlite'" in capsys.readouterr().err
