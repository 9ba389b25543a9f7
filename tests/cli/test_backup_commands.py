"""The commands about backups: parse, one call, print; refusals in one sentence, with nothing changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import migkit
from migkit.cli import main
from migkit.database import Database
from tests.faults.support import Told, execute, scalar, untouched


class Door:
    """The command line, called in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: str) -> Told:
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = self.capsys.readouterr()
        return Told(int(ended.value.code or 0), out, err)

    def json(self, *arguments: str) -> dict[str, object]:
        told = self(*arguments, "--json")
        document: dict[str, object] = json.loads(told.out)
        return document


@pytest.fixture
def door(capsys: pytest.CaptureFixture[str]) -> Door:
    return Door(capsys)


@pytest.fixture
def shop(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with the aliases ``shop`` and, protected, ``production``, in a folder of its own."""
    execute(sqlite, "CREATE TABLE users (id INTEGER PRIMARY KEY)", "INSERT INTO users VALUES (1)")
    url = sqlite.engine.url.render_as_string()
    (tmp_path / "migkit.toml").write_text(
        f'[databases.shop]\nurl = "{url}"\n[databases.staging]\nurl = "sqlite:///{tmp_path}/staging.db"\n'
        '[backups]\ndirectory = "kept"\nretention_days = 3\n'
    )
    (tmp_path / "staging.db").touch()
    monkeypatch.chdir(tmp_path)
    return sqlite


def test_the_whole_way(shop: Database, door: Door, tmp_path: Path) -> None:
    told = door("backup", "shop", "--verify")
    assert told.code == 0
    assert "verified" in told.out
    [listed] = door.json("backups")["backups"]  # type: ignore[misc]
    identifier = listed["id"]
    assert (tmp_path / "kept" / identifier / "manifest.json").is_file()

    execute(shop, "INSERT INTO users VALUES (2)")
    differs = door("verify-restore", identifier)
    assert differs.code == 1
    assert "rows of users" in differs.out

    restored = door("restore-backup", identifier, "--keep-old", "1")
    assert restored.code == 0, restored.err
    assert "is kept as migkit_kept_" in restored.out
    assert scalar(shop, "SELECT count(*) FROM users") == 1
    assert door("verify-restore", identifier).code == 0
    assert door("verify-backup", identifier).code == 0

    assert "is kept until" in door("retain-backup", identifier, "--days", "7").out
    assert door.json("prune-backups")["removed"] == []


def test_every_command_answers_in_json(shop: Database, door: Door) -> None:
    made = door.json("backup", "-d", "shop")
    assert made["verified_at"] is None
    assert "facts" not in made
    identifier = str(made["id"])
    assert door.json("verify-backup", identifier)["passed"] is True
    assert door.json("restore-backup", identifier)["kept"] is None
    assert door.json("verify-restore", identifier)["passed"] is True
    assert door.json("retain-backup", identifier, "--days", "9")["id"] == identifier
    assert door.json("prune-backups")["spared"] == []


def test_a_damaged_backup_is_a_finding_for_verify_and_a_refusal_for_restore(
    shop: Database, door: Door, tmp_path: Path
) -> None:
    made = door.json("backup", "shop")
    path = tmp_path / "kept" / str(made["id"]) / "data" / "database.db"
    path.write_bytes(path.read_bytes()[:-1])
    told = door("verify-backup", str(made["id"]))
    assert told.code == 1
    assert "data/database.db is damaged" in told.out
    with untouched(shop):
        assert "is damaged" in door("restore-backup", str(made["id"])).complaint


def test_a_mistyped_alias_names_the_nearest_and_changes_nothing(shop: Database, door: Door) -> None:
    made = door.json("backup", "shop")
    with untouched(shop):
        told = door("restore-backup", str(made["id"]), "-d", "stagign")
    assert "'stagign'" in told.complaint
    assert "Did you mean 'staging'?" in told.complaint


def test_a_mistyped_id_names_the_nearest(shop: Database, door: Door) -> None:
    made = str(door.json("backup", "shop")["id"])
    assert f"Did you mean {made}?" in door("restore-backup", made[:-1] + "x").complaint
    assert "There is no backup called 'nothing'" in door("verify-backup", "nothing").complaint


def test_a_protected_database_is_not_replaced_unconfirmed(shop: Database, door: Door, tmp_path: Path) -> None:
    config = tmp_path / "migkit.toml"
    config.write_text(config.read_text().replace("[databases.staging]", "protected = true\n[databases.staging]"))
    made = str(door.json("backup", "shop")["id"])
    execute(shop, "INSERT INTO users VALUES (2)")
    with untouched(shop):
        assert "shop is protected" in door("restore-backup", made).complaint
        assert "shop is protected" in door("restore-backup", made, "--yes-production", "staging").complaint
        # Nor does its URL lead past the protection.
        url = shop.engine.url.render_as_string()
        assert "shop is protected" in door("restore-backup", made, "-d", url).complaint
    assert door("restore-backup", made, "--yes-production", "shop").code == 0
    assert scalar(shop, "SELECT count(*) FROM users") == 1


def test_a_backup_made_by_url_has_to_be_told_where_to_go(shop: Database, door: Door) -> None:
    (Path.cwd() / "other.db").touch()
    made = str(door.json("backup", "sqlite:///other.db")["id"])
    assert "--database" in door("restore-backup", made).complaint
    assert door("restore-backup", made, "-d", "sqlite:///other.db").code == 0


def test_wrong_settings_name_the_key(shop: Database, door: Door, tmp_path: Path) -> None:
    config = tmp_path / "migkit.toml"
    config.write_text(config.read_text().replace("retention_days", "retention_day"))
    assert "Did you mean 'retention_days'?" in door("backups").complaint


def test_python_says_the_same(shop: Database) -> None:
    made = migkit.backup("shop", verify=True)
    execute(shop, "INSERT INTO users VALUES (2)")
    done = migkit.restore(made, "shop")
    assert isinstance(done, migkit.Restoration) and done.passed
    assert len(migkit.backups("shop").backups) == 1
    assert len(migkit.backups("staging").backups) == 0
    assert "<section" in made._repr_html_()
