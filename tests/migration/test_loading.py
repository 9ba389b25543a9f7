from __future__ import annotations

import sys
from pathlib import Path

import pytest

from migkit.allowances import VERBS, parse_allowance
from migkit.bookkeeping import journal_tables
from migkit.config import Config
from migkit.errors import MigrationInvalid
from migkit.migration.loading import load_migration
from tests.migration.conftest import Load, Write

UP = "CREATE TABLE a (id int);\n"


def refuse(target: str | Path) -> str:
    with pytest.raises(MigrationInvalid) as caught:
        load_migration(target, config=Config())
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_python(load: Load) -> None:
    migration = load(
        "002_add.py",
        '"""Add it."""\nmetadata = {"version": 2, "risk": "low", "allow": ["drop_table:x"], "ticket": 7}\n'
        "def up(op): ...\n",
    )
    assert (migration.name, migration.kind, migration.has_down) == ("002_add", "python", False)
    assert migration.metadata.version == "2"
    assert migration.metadata.description == "Add it"
    assert migration.metadata.extra == {"ticket": 7}
    assert repr(migration) == "<Migration 002_add (python, no way down): Add it>"
    assert load_migration(migration, config=Config()) is migration


@pytest.mark.parametrize(
    ("down", "has_down"),
    [
        ("def down(op): op.drop_table('a')", True),
        ("def down(op): pass", True),
        ("down = None", False),
        ("def down(op):\n    '''Never.'''\n    raise NotImplementedError", False),
        ("def down(op): raise NotImplementedError('no')", False),
    ],
)
def test_way_down(load: Load, down: str, has_down: bool) -> None:
    assert load("x.py", f"def up(op): pass\n{down}\n").has_down is has_down


def test_python_is_fresh_and_leaves_no_module(write: Write) -> None:
    write("data.txt", "hello")
    reading = "from pathlib import Path\nTEXT = (Path(__file__).parent / 'data.txt').read_text()\n"
    path = write("x.py", f"{reading}def up(op): ...\n")
    before = set(sys.modules)
    first = load_migration(path, config=Config())
    assert set(sys.modules) == before
    path.write_text('"""New."""\ndef up(op): ...\n')
    second = load_migration(path, config=Config())
    assert second.metadata.description == "New"
    assert first.checksum != second.checksum
    assert not list(path.parent.rglob("__pycache__"))


def test_classes_that_look_their_module_up(load: Load) -> None:
    source = """
from __future__ import annotations
from dataclasses import dataclass

@dataclass
class A:
    x: int

def up(op): ...
"""
    assert load("x.py", source).kind == "python"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def up(op:\n", r"x.py:1: SyntaxError"),
        ("import nothing_such\ndef up(op): ...\n", r"x.py:1: ModuleNotFoundError: No module named 'nothing_such'"),
        ("x = 1\n", "no up(op)"),
        ("up = 3\n", "up is no function"),
        ("metadata = 5\ndef up(op): ...\n", "metadata must be a dict"),
        ("metadata = {'risk': []}\ndef up(op): ...\n", "must be text, not list"),
        ("metadata = {'allow': 'drop_table:x'}\ndef up(op): ...\n", "must be a list of texts"),
        ("metadata = {'allow': ['drop_tabel:x']}\ndef up(op): ...\n", "Did you mean 'drop_table'?"),
        ("\0", "null bytes"),
        ("revision = 'a'\ndef upgrade(): ...\n", "no alembic.ini above"),
    ],
)
def test_bad_python(write: Write, text: str, message: str) -> None:
    assert message in refuse(write("x.py", text))


def test_bad_files(write: Write, tmp_path: Path) -> None:
    assert "no such migration" in refuse(tmp_path / "missing.py")
    assert "directory" in refuse(tmp_path)
    assert "This is no migration" in refuse(write("readme.txt", "hello"))
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00\x01")
    assert "UTF-8" in refuse(tmp_path / "binary.py")
    (tmp_path / "binary.sql").write_bytes(b"\xff\xfe\x00\x01")
    assert "UTF-8" in refuse(tmp_path / "binary.sql")
    assert "does not exist" in refuse(write("lonely.down.sql", UP))
    assert "twice" in refuse(write("twice.sql", "-- migrate:up\n-- migrate:up\n"))
    assert "no section -- migrate:up" in refuse(write("half.sql", "-- migrate:down\nSELECT 1;"))
    assert "says nothing" in refuse(write("mute.sql", "-- migkit: allow\nSELECT 1;"))


@pytest.mark.parametrize("named", ["001.up.sql", "001.down.sql", "001", "001.sql"])
def test_sql_pair(write: Write, tmp_path: Path, named: str) -> None:
    write("001.up.sql", f"-- Add a.\n-- migkit: risk low\n-- migkit: allow drop_column:users.flag\n{UP}")
    write("001.down.sql", "DROP TABLE a;")
    migration = load_migration(tmp_path / named, config=Config())
    assert (migration.name, migration.kind, migration.has_down) == ("001", "sql", True)
    assert migration.metadata.risk == "low"
    assert migration.metadata.description == "Add a"
    assert migration.metadata.allow == ("drop_column:users.flag",)
    assert "DROP TABLE a" in migration.source


def test_sql_sections(load: Load) -> None:
    migration = load("x.sql", f"-- migrate:up\n{UP}-- migrate:down\nDROP TABLE a;\n")
    assert migration.has_down
    assert not load("y.sql", f"-- migrate:up\n{UP}-- migrate:down\n-- nothing\n").has_down
    assert not load("z.sql", UP).has_down


def test_allow_from_the_configuration(write: Write) -> None:
    config = Config.model_validate({"migrations": {"allow": {"x": ["drop_table:a"]}}})
    assert load_migration(write("x.sql", UP), config=config).metadata.allow == ("drop_table:a",)
    python = write("x.py", "metadata = {'allow': ['drop_table:b']}\ndef up(op): ...\n")
    assert load_migration(python, config=config).metadata.allow == ("drop_table:b", "drop_table:a")


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_allowances(verb: str) -> None:
    allowance = parse_allowance(f"{verb}:users.x")
    assert (allowance.verb, allowance.target, str(allowance)) == (verb, "users.x", f"{verb}:users.x")


@pytest.mark.parametrize("text", ["drop_table", "drop_table:", "drop_column:users", "drop_column:.x", "zzz:x", ""])
def test_bad_allowances(text: str) -> None:
    with pytest.raises(MigrationInvalid):
        parse_allowance(text)


def test_journal_tables_are_told_from_a_users_own() -> None:
    ours, theirs = ("s", "migkit_migration_log", "migkit_attempt"), ("s", "migration_log", "id")
    assert journal_tables([theirs, ours, ("s", "t", "migkit_attempt")]) == {("s", "migkit_migration_log")}
