"""The README is true: its files are written, its commands and Python run, its tables held against the code."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from migkit import connect
from migkit.allowances import VERBS, parse_allowance
from migkit.cli.program import program
from migkit.cli.shop import build_shop
from migkit.config import load_config
from tests.source import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
# A block that begins with a path in a comment is a file.
FILE = re.compile(r"\A# (?P<path>[\w./]+\.(?:py|toml))\n")


def blocks(language: str) -> list[str]:
    return [body for name, body in BLOCKS if name == language]


def commands() -> list[list[str]]:
    lines = "".join(blocks("console")).splitlines()
    return [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ migkit")]


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the README leaves it: its files, and a small shop where the demo builds one."""
    monkeypatch.chdir(tmp_path)
    for _, body in BLOCKS:
        if named := FILE.match(body):
            path = Path(named["path"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body, encoding="utf-8")
    Path("demo").mkdir()
    Path("demo/migkit_shop.db").touch()
    with connect("sqlite:///demo/migkit_shop.db") as db:
        build_shop(db, scale=0.005)
    return tmp_path


@pytest.mark.slow
@pytest.mark.usefixtures("workshop")
def test_the_commands_run() -> None:
    assert len(commands()) >= 6
    for command in commands():
        assert program.main(command[1:], standalone_mode=False) in (None, 0), command


@pytest.mark.slow
def test_the_python_runs(workshop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scripts = [body for body in blocks("python") if not FILE.match(body)]
    assert scripts
    names: dict[str, object] = {}
    for script in scripts:
        exec(compile(script, "README.md", "exec"), names)
    assert capsys.readouterr().out.strip().endswith("report.html")
    assert len(list((workshop / "reports").glob("*/report.html"))) == 1
    names["db"].close()  # type: ignore[attr-defined]


def test_the_settings_are_read_as_they_are_written(tmp_path: Path) -> None:
    for number, body in enumerate(blocks("toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(body, encoding="utf-8")
        config = load_config(path)
        assert config.model_dump(exclude_unset=True, mode="json").keys() == tomllib.loads(body).keys() | {"path"} - {
            "path"
        }
        for entries in config.migrations.allow.values():
            assert all(parse_allowance(entry) for entry in entries)


def test_every_command_is_in_the_table_and_no_other() -> None:
    assert set(re.findall(r"^\| `migkit ([\w-]+)", README, re.MULTILINE)) == set(program.commands)


def test_every_declaration_is_in_the_table_and_no_other() -> None:
    table = README.split("### Declaring intended destruction")[1].split("## Configuration")[0]
    assert set(re.findall(r"^\| `(\w+):", table, re.MULTILINE)) == set(VERBS)


def test_every_make_word_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"make (\w+)`", README)) <= targets


def test_every_file_it_links_to_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
