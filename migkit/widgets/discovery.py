"""What a panel offers to choose from: databases of ``migkit.toml``, migrations that lie around, runs of the archive."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from migkit.config import Config

MIGRATION_LIMIT = 300

_FOLDERS = (".", "migrations", "alembic/versions", "migrations/versions", "versions", "sql", "db/migrations")
_WAY_UP = re.compile(r"^def (?:up|upgrade)\(", re.MULTILINE)
_LARGEST_BYTES = 1_000_000


def database_choices(config: Config, *more: str) -> list[str]:
    """Return the names of databases to choose from: `more`, the aliases, and the private server."""
    return list(dict.fromkeys([*more, *config.databases, "embedded"]))


def find_migrations(root: Path) -> list[str]:
    """Return the migrations that lie in the usual places under a folder, as relative paths in order of their names."""
    found = sorted({path for folder in _FOLDERS for path in _in_folder(root / folder)})
    return [path.relative_to(root).as_posix() for path in found[:MIGRATION_LIMIT]]


def find_workloads(root: Path) -> list[str]:
    """Return the files under ``workloads/`` that say what to ask a database."""
    folder = root / "workloads"
    found = sorted(path for path in folder.glob("*") if path.suffix in (".sql", ".toml") and path.is_file())
    return [path.relative_to(root).as_posix() for path in found[:MIGRATION_LIMIT]]


def _in_folder(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name.startswith(("_", ".")) or not path.is_file() or path.stat().st_size > _LARGEST_BYTES:
            continue
        if path.suffix == ".sql":
            is_migration = not path.name.endswith(".down.sql")
        else:
            is_migration = path.suffix == ".py" and _has_way_up(path)
        if is_migration:
            yield path


def _has_way_up(path: Path) -> bool:
    return _WAY_UP.search(path.read_text(encoding="utf-8", errors="replace")) is not None
