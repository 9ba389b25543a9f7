"""The magics in a shell of IPython's own, without a notebook."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from sqlalchemy import create_engine, text
from traitlets.config import Config

import migkit as mk
from migkit.errors import ConfigError, NotComparable

CELL = """ALTER TABLE users ADD COLUMN nickname text;
-- migrate:down
ALTER TABLE users DROP COLUMN nickname;
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("staging", "production", "legacy"):
        engine = create_engine(f"sqlite:///{tmp_path / name}.db")
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE users (id integer PRIMARY KEY, name text)"))
            connection.execute(text("INSERT INTO users VALUES (1, 'a'), (2, 'b')"))
        engine.dispose()
    (tmp_path / "migkit.toml").write_text(
        f'[databases.staging]\nurl = "sqlite:///{tmp_path / "staging.db"}"\n'
        f'[databases.production]\nurl = "sqlite:///{tmp_path / "production.db"}"\nprotected = true\n',
        encoding="utf-8",
    )
    (tmp_path / ".jupysql").mkdir()
    (tmp_path / ".jupysql" / "connections.ini").write_text(
        f"[legacy]\ndrivername = sqlite\ndatabase = {tmp_path / 'legacy.db'}\n"
        "[broken]\nhost = nowhere\npassword = geheim%%7\n"
        "[remote]\ndrivername = postgresql\nusername = app\npassword = ge%heim\nhost = 127.0.0.1\nport = 9\n",
        encoding="utf-8",
    )
    return tmp_path


@pytest.fixture(scope="module")
def ipython(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.Completer.use_jedi = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        one = InteractiveShell(config=settings)
        one.extension_manager.load_extension("migkit")
        yield one
        atexit.unregister(one.atexit_operations)
        one.atexit_operations()


@pytest.fixture
def shell(ipython: Any, project: Path) -> Iterator[Any]:
    magics = ipython.magics_manager.registry["MigkitMagics"]
    names = set(ipython.user_ns)
    yield ipython
    for value in [*(ipython.user_ns.pop(name) for name in set(ipython.user_ns) - names), magics.database]:
        if isinstance(value, mk.Database):
            value.close()
    magics.database = None
    ipython.config.pop("SqlMagic", None)


def magic(shell: Any, line: str) -> Any:
    return shell.run_line_magic("migkit", line)


def cell(shell: Any, line: str, body: str = CELL) -> Any:
    return shell.run_cell_magic("migration", line, body)


def test_connect_snapshot_diff(shell: Any) -> None:
    assert magic(shell, "connect staging").name == "staging"
    before = magic(shell, "snapshot before")
    assert shell.user_ns["before"] is before
    assert cell(shell, "").succeeded
    magic(shell, "snapshot after --rows exact")
    difference = magic(shell, "diff before after")
    assert isinstance(difference, mk.Comparison)
    assert difference.passed
    assert not difference.identical
    assert cell(shell, "--down").direction == "down"
    magic(shell, "snapshot back")
    assert magic(shell, "diff before back").identical


def test_states_may_be_files(shell: Any, project: Path) -> None:
    mk.capture("staging").save(project / "saved.json")
    magic(shell, "snapshot now --on staging")
    assert magic(shell, "diff saved.json now").identical


def test_the_cell_is_rehearsed_and_tried_without_touching_the_database(shell: Any) -> None:
    before = mk.capture("staging")
    trial = cell(shell, "--on staging --rehearse --name 001_nickname")
    assert trial.passed
    assert trial.migration["name"] == "001_nickname"
    assert "ADD COLUMN nickname" in trial.migration["source"]
    assert cell(shell, "--on staging --dry-run").passed
    assert mk.compare(before, mk.capture("staging")).identical


def test_the_same_text_is_the_same_migration(shell: Any) -> None:
    first, second = (cell(shell, "--on staging --dry-run").migration["name"] for _ in range(2))
    assert first == second
    assert first != cell(shell, "--on staging --dry-run", CELL.replace("nickname", "other")).migration["name"]


def test_a_protected_database_has_to_be_confirmed(shell: Any) -> None:
    with pytest.raises(mk.MigkitError, match="protected"):
        cell(shell, "--on production")
    assert cell(shell, "--on production --confirm production").succeeded


def test_sections_of_jupysql_are_databases(shell: Any) -> None:
    for name in ("legacy", "[legacy]"):
        with magic(shell, f"connect {name}") as db:
            assert db.dialect.label == "SQLite"
    with pytest.raises(ConfigError, match="drivername"):
        magic(shell, "connect broken")
    with pytest.raises(mk.MigkitError) as failed:
        magic(shell, "connect remote")
    assert "heim" not in str(failed.value)


def test_connections_that_sql_holds_open_are_databases(
    shell: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JupySQL itself is no dependency: this is how it keeps its connections."""
    engine = create_engine(f"sqlite:///{project / 'legacy.db'}")
    with engine.connect() as connection:
        held = {"mine": SimpleNamespace(connection_sqlalchemy=connection), "duck": SimpleNamespace()}
        module = SimpleNamespace(ConnectionManager=SimpleNamespace(connections=held))
        monkeypatch.setitem(sys.modules, "sql.connection", module)  # type: ignore[misc]
        with magic(shell, "connect mine") as db:
            assert db.dialect.label == "SQLite"
            assert "legacy.db" in db.url
        with pytest.raises(mk.MigkitError):
            magic(shell, "connect duck")
    engine.dispose()


def test_jupysql_may_be_told_another_file(shell: Any, project: Path) -> None:
    (project / "other.ini").write_text(
        f"[moved]\ndrivername=sqlite\ndatabase={project / 'legacy.db'}\n", encoding="utf-8"
    )
    shell.config.SqlMagic.dsn_filename = str(project / "other.ini")
    with magic(shell, "connect moved") as db:
        assert db.dialect.label == "SQLite"


def test_a_variable_may_name_a_database(shell: Any) -> None:
    with mk.connect("staging") as db:
        shell.user_ns["mine"] = db
        assert magic(shell, "connect mine") is db


@pytest.mark.parametrize(
    "line",
    ["", "explode", "snapshot", "snapshot 1x --on staging", "snapshot a --rows few", "connect 'open", "diff before"],
)
def test_wrong_lines_are_told_in_one_line(shell: Any, line: str) -> None:
    with pytest.raises(UsageError):
        magic(shell, line)


@pytest.mark.parametrize("line", ["--rehearse --dry-run", "--name ../../etc/passwd --on staging", "--unknown"])
def test_wrong_cells_are_told_in_one_line(shell: Any, line: str) -> None:
    with pytest.raises(UsageError):
        cell(shell, line)


def test_which_database_is_asked_where_several_could_be_meant(shell: Any) -> None:
    with pytest.raises(ConfigError, match="Known: staging, production, legacy"):
        cell(shell, "--dry-run")
    with pytest.raises(ConfigError, match="staging"):
        magic(shell, "connect stagin")


def test_states_that_do_not_exist_are_told(shell: Any) -> None:
    with pytest.raises((mk.MigkitError, NotComparable)):
        magic(shell, "diff nothing nowhere")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%migkit ", {"connect", "snapshot", "diff", "rehearse", "dry-run", "validate", "explore"}),
        ("%migkit con", {"connect"}),
        ("%migkit connect st", {"staging"}),
        ("%migkit snapshot x --on leg", {"legacy"}),
        ("%migkit snapshot x --o", {"--on"}),
        ("%migkit snapshot x --rows s", {"sample"}),
        ("%%migration --dr", {"--dry-run"}),
        ("%%migration --on prod", {"production"}),
        ("%%migration --on staging --re", {"--rehearse"}),
    ],
)
def test_names_and_options_complete(shell: Any, line: str, expected: set[str]) -> None:
    with provisionalcompleter():
        found = {one.text for one in shell.Completer.completions(line, len(line))}
    assert expected <= found


def test_states_complete_in_diff(shell: Any) -> None:
    magic(shell, "snapshot before --on staging")
    with provisionalcompleter():
        found = {one.text for one in shell.Completer.completions("%migkit diff be", 15)}
    assert "before" in found


def test_help(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert magic(shell, "--help") is None
    assert "snapshot" in capsys.readouterr().out
    assert cell(shell, "--help") is None
    assert "--rehearse" in capsys.readouterr().out
    shell.run_cell("%migkit?")
    assert "capture its state" in capsys.readouterr().out
