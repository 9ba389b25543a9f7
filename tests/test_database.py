"""connect(): aliases, URLs, engines; one sentence for everything that can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from migkit.config import Config, load_config
from migkit.database import Database, connect, mask_url
from migkit.errors import ConfigError, ConnectionFailed, MigkitError, UnsupportedFeature


def test_an_alias_a_url_and_an_engine_reach_the_same(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    path.touch()
    config = Config.model_validate({"databases": {"staging": {"url": f"sqlite:///{path}"}}})
    engine = create_engine(f"sqlite:///{path}")
    databases = [connect("staging", config=config), connect(f"sqlite:///{path}"), connect(engine)]
    assert {database.url for database in databases} == {f"sqlite:///{path}"}
    assert databases[0].name == "staging"
    for database in databases:
        database.close()


def test_connect_passes_a_database_through(sqlite: Database) -> None:
    assert connect(sqlite) is sqlite


def test_a_url_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.model_validate({"databases": {"production": {"url": "env:TEST_PRODUCTION_URL"}}})
    with pytest.raises(ConfigError, match="TEST_PRODUCTION_URL is not set"):
        connect("production", config=config)
    (tmp_path / "app.db").touch()
    monkeypatch.setenv("TEST_PRODUCTION_URL", f"sqlite:///{tmp_path / 'app.db'}")
    connect("production", config=config).close()


def test_what_is_no_url() -> None:
    with pytest.raises(ConfigError, match="not a database URL"):
        connect("://nothing")


def test_an_engine_migkit_does_not_know() -> None:
    with pytest.raises(UnsupportedFeature, match="does not know the engine 'oracle'"):
        connect("oracle://scott:tiger@db/x")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:topsecret@127.0.0.1:1/app?connect_timeout=2",
        "mysql+pymysql://app:topsecret@127.0.0.1:1/app",
    ],
)
def test_a_server_that_does_not_answer(url: str) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        connect(url)
    assert "topsecret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_does_not_exist_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "missing.db"
    with pytest.raises(MigkitError):
        connect(f"sqlite:///{path}")
    assert not path.exists()


def test_secrets_are_in_no_repr() -> None:
    url = make_url("postgresql://app:p%40ss@db/app?sslpassword=x1y2z3&sslmode=require")
    assert mask_url(url) == "postgresql://app:***@db/app?sslmode=require&sslpassword=***"


def test_only_scratch_databases_are_dropped(sqlite: Database) -> None:
    with pytest.raises(ConfigError, match="was not made by migkit"):
        sqlite.drop()


def test_an_unknown_alias_is_an_error_not_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="There is no database called 'stagin'"):
        connect("stagin")
    assert load_config() == Config()
