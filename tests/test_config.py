"""migkit.toml: what is wrong is named, with the file, the key and the nearest valid name."""

from __future__ import annotations

from pathlib import Path

import pytest

from migkit.config import Config, load_config
from migkit.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "migkit.toml"
    path.write_text(text)
    return path


def test_no_file_means_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config().migrations.lock_timeout_seconds == 5.0


def test_the_file_is_found_from_a_folder_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, '[databases.staging]\nurl = "sqlite:///x.db"\nprotected = true\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert load_config().database("staging").protected


def test_an_unknown_alias_names_the_nearest(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, '[databases.staging]\nurl = "sqlite:///x.db"\n'))
    with pytest.raises(ConfigError, match="Did you mean 'staging'") as caught:
        config.database("stagign")
    assert "migkit.toml" in str(caught.value)


def test_without_a_file_an_unknown_alias_says_so() -> None:
    with pytest.raises(ConfigError, match=r"No migkit\.toml was found"):
        Config().database("production")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[databases.a]\nurl = "x"\nprotectd = true\n', "Did you mean 'protected'"),
        ("[migratons]\n", "Did you mean 'migrations'"),
        ('[migrations]\nlock_timeout_seconds = "soon"\n', "migrations.lock_timeout_seconds"),
        ("[migrations]\ntimeout_seconds = -1\n", "migrations.timeout_seconds"),
        ("[databases.a]\n", "databases.a.url"),
        ("not toml at all", "not valid TOML"),
        ("[deploy]\nwatch_second = 3\n", "Did you mean 'watch_seconds'"),
        ('[deploy.hooks]\nstp = ["true"]\n', "Did you mean 'stop'"),
        ('[[deploy.smoke_tests]]\nname = "a"\nsq = "SELECT 1"\n', "Did you mean 'sql'"),
        ('[[deploy.smoke_tests]]\nname = "a"\n', "either sql or command"),
        ('[auto_rollback]\nstrategy = "hope"\n', "auto_rollback.strategy"),
        ("[auto_rollback]\ntriggrs = []\n", "Did you mean 'triggers'"),
        ("[notifications]\non_sucess = []\n", "Did you mean 'on_success'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=told.replace(".", r"\.")) as caught:
        load_config(path)
    assert str(path) in str(caught.value)


def test_a_named_file_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGKIT_CONFIG", str(tmp_path / "nothing.toml"))
    with pytest.raises(ConfigError, match="does not exist"):
        load_config()
