"""connect(): aliases, URLs, engines; one sentence for everything that can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from migkit.config import Config, load_config
from migkit.database import Database, connect, mask_url
from migkit.dialects import dialect_for
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


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:/u:sec/ret@host/db",
        "postgresql//u:sec/ret@host/db",
        "postgresql://u:sec/r@et@host/db",
        "postgresql://u:sec/ret@host:port/db",
        "postgresql://u:sec ret@host:port/db",
    ],
)
def test_a_url_that_cannot_be_read_is_one_sentence_without_its_password(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        connect(url)
    assert "sec" not in str(caught.value)
    assert "ret" not in str(caught.value)


def test_a_port_that_is_no_number() -> None:
    with pytest.raises(ConfigError, match="not a database URL"):
        connect("postgresql://x@host:port/a")


def test_a_protected_database_is_protected_by_whatever_name(tmp_path: Path) -> None:
    path, link = tmp_path / "app.db", tmp_path / "other name.db"
    path.touch()
    link.symlink_to(path)
    config = Config.model_validate(
        {
            "databases": {
                "lost": {"url": "env:NOT_SET_ANYWHERE", "protected": True},
                "production": {"url": f"sqlite:///{path}", "protected": True},
            }
        }
    )
    engine = create_engine(f"sqlite:///{link}")
    for target in (f"sqlite:///{path}", f"sqlite:///{link}", make_url(f"sqlite:///file:{path}?uri=true"), engine):
        with connect(target, config=config) as database:
            assert database.protected
            assert database.name == "production"
    (tmp_path / "another.db").touch()
    with connect(f"sqlite:///{tmp_path / 'another.db'}", config=config) as database:
        assert not database.protected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("postgresql://a:x@DB.example/app", "postgresql+psycopg://b@db.example:5432/app?sslmode=require", True),
        ("postgresql://localhost/app", "postgresql://u@127.0.0.1:5432/app", True),
        ("postgresql:///app?host=/tmp&port=5433", "postgresql://localhost:5433/app", True),
        ("mysql://u@db/app", "mariadb+pymysql://v@db:3306/app", True),
        ("postgresql://db/app", "postgresql://db/app2", False),
        ("postgresql://db/app", "postgresql://db:5433/app", False),
        ("postgresql://db/app", "mysql://db/app", False),
        ("sqlite://", "sqlite://", False),
    ],
)
def test_what_is_the_same_place(one: str, other: str, same: bool) -> None:
    places = [dialect_for(make_url(url)).place(make_url(url)) for url in (one, other)]
    assert (places[0] is not None and places[0] == places[1]) is same


def test_an_engine_without_a_place_to_make_databases_says_so(tmp_path: Path) -> None:
    url = make_url(f"sqlite:///{tmp_path / 'app.db'}")
    with pytest.raises(UnsupportedFeature, match="makes no databases of SQLite"):
        dialect_for(url).ensure_database(url, "x")


def test_a_missing_configuration_is_told_after_the_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        connect("stagin")
    assert str(caught.value).startswith("There is no database called 'stagin'. No migkit.toml was found here or above.")
