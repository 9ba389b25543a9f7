"""``migkit tutorial``: copies the pages, keeps what people wrote into theirs, opens JupyterLab on them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from migkit.cli import tutorial
from migkit.cli.program import program


def test_the_pages_are_copied_and_mine_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "my tutorial"
    first = CliRunner().invoke(program, ["tutorial", str(folder), "--copy-only"])
    assert first.exit_code == 0, first.output
    assert {path.name for path in folder.iterdir()} == {page.name for page in tutorial.pages()}

    mine = folder / tutorial.FIRST_PAGE
    mine.write_text("my notes", encoding="utf-8")
    second = CliRunner().invoke(program, ["tutorial", str(folder), "--copy-only"])
    assert second.exit_code == 0
    assert mine.read_text(encoding="utf-8") == "my notes"
    assert f"differ from the original: {tutorial.FIRST_PAGE}" in second.output


def test_jupyterlab_opens_on_the_first_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[list[str], str | None]] = []

    class Ended:
        returncode = 0

    def run(command: list[str], *, env: dict[str, str], check: bool) -> Ended:
        called.append((command, env.get("MIGKIT_TUTORIAL_ENGINE")))
        return Ended()

    monkeypatch.setattr(tutorial.subprocess, "run", run)
    monkeypatch.delenv("MIGKIT_TUTORIAL_ENGINE", raising=False)
    done = CliRunner().invoke(program, ["tutorial", str(tmp_path / "t"), "--no-browser", "--engine", "sqlite"])
    assert done.exit_code == 0, done.output
    [(command, engine)] = called
    assert command[:4] == [sys.executable, "-m", "jupyterlab", str(tmp_path / "t")]
    assert "--no-browser" in command and f"--LabApp.default_url=/lab/tree/{tutorial.FIRST_PAGE}" in command
    assert engine == "sqlite"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there is no root here")
@pytest.mark.parametrize(("user", "expected"), [(0, True), (1000, False)])
def test_root_is_let_in_and_only_root(user: int, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("--allow-root" in tutorial.lab_command(Path("t"), browser=True)) is expected


def test_without_jupyterlab_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tutorial.importlib.util, "find_spec", lambda name: None)
    done = CliRunner().invoke(program, ["tutorial", str(tmp_path / "t")])
    assert done.exit_code != 0 and "migkit[lab]" in str(done.exception)
