"""Chinook, a schema and data not made for this: three kinds of migration, each judged rightly on every engine."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import migkit as mk
from migkit.database import Database
from migkit.framing import plain
from tests.servers.chinook import Chinook

MIGRATIONS = Path(__file__).parent / "migrations"
_WORD = re.compile(
    r"\b(CustomerNote|NoteId|CustomerId|Customer|Country|Points|Note|Track|Composer|WrittenBy|Fax|PlaylistTrack)\b"
)

Prepare = Callable[[str], Path]


@pytest.fixture
def store(db: Database, chinook: Chinook) -> Database:
    """Chinook, loaded."""
    return chinook.load(db)


@pytest.fixture
def migration(engine_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """A migration in the spelling the engine's Chinook has: snake_case on PostgreSQL, PascalCase elsewhere."""
    monkeypatch.chdir(tmp_path)

    def prepare(name: str) -> Path:
        source = (MIGRATIONS / f"{name}.py").read_text(encoding="utf-8")
        if engine_name.startswith("postgresql"):
            source = _WORD.sub(lambda word: re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word[0]).lower(), source)
        path = tmp_path / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        return path

    return prepare


def errors(trial: mk.Rehearsal) -> list[tuple[str, str]]:
    """The findings that fail a verdict, as (id, where) in lower case without underscores."""
    failing = trial.findings[trial.findings["severity"] == "error"]
    places = [where.lower().replace("_", "") for where in plain(failing["where"])]
    return sorted(zip(plain(failing["id"]), places, strict=True))


def test_an_additive_migration_passes(store: Database, migration: Prepare) -> None:
    trial = mk.rehearse(migration("additive"), store, reports=False)
    assert trial.passed, trial.explain()
    assert trial.rollback is not None and trial.rollback.identical


def test_a_transformative_migration_passes(store: Database, migration: Prepare) -> None:
    trial = mk.rehearse(migration("transformative"), store, reports=False)
    assert trial.passed, trial.explain()
    assert trial.comparison is not None
    columns = trial.comparison.columns
    renamed = columns[columns["renamed_from"].notna()]
    assert [name.lower() for name in plain(renamed["renamed_from"])] == ["composer"]
    assert plain(renamed["content"]) == ["intact"]
    changed = columns[columns["content"] == "changed"]
    assert [name.lower() for name in plain(changed["column"])] == ["country"]


def test_a_destructive_migration_fails_and_says_what_was_lost(store: Database, migration: Prepare) -> None:
    trial = mk.rehearse(migration("destructive"), store, reports=False)
    assert not trial.passed
    found = errors(trial)
    assert [id for id, _ in found].count("column-lost") == 1
    assert [id for id, _ in found].count("table-lost") == 1
    assert any("customer.fax" in where for _, where in found)
    assert any("playlisttrack" in where for _, where in found)


def test_a_destructive_migration_passes_once_it_says_what_it_drops(store: Database, migration: Prepare) -> None:
    trial = mk.rehearse(migration("destructive_declared"), store, reports=False)
    assert trial.passed, trial.explain()
    assert not trial.migration["has_down"]


def test_the_source_is_only_read(store: Database, migration: Prepare) -> None:
    before = mk.capture(store)
    mk.rehearse(migration("transformative"), store, reports=False)
    assert mk.compare(before, mk.capture(store)).identical
