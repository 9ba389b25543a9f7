"""``migkit.toml``: databases by alias, and how migrations are run.

The file is looked for in the working directory and its parents, or named by ``MIGKIT_CONFIG``. Unknown keys, unknown
aliases and wrong types are errors that name the file, the key and the nearest valid name.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from migkit.errors import ConfigError

FILE_NAME = "migkit.toml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class DatabaseConfig(_Section):
    """``[databases.ALIAS]``.

    ``url`` is a SQLAlchemy URL or ``env:NAME``; ``password`` may be ``env:NAME`` too.
    """

    url: str
    password: str | None = None
    protected: bool = False
    schemas: tuple[str, ...] | None = None


class MigrationsConfig(_Section):
    """``[migrations]``: limits of every run, and ``allow`` for formats that cannot carry metadata."""

    timeout_seconds: float | None = Field(default=None, gt=0)
    lock_timeout_seconds: float = Field(default=5.0, gt=0)
    allow: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class ReportsConfig(_Section):
    """``[reports]``: where evidence is archived."""

    directory: Path = Path("reports")


class Config(_Section):
    """All of ``migkit.toml``, and the file it came from (``None``: defaults)."""

    databases: dict[str, DatabaseConfig] = Field(default_factory=dict)
    migrations: MigrationsConfig = Field(default_factory=MigrationsConfig)
    reports: ReportsConfig = Field(default_factory=ReportsConfig)
    path: Path | None = Field(default=None, exclude=True)

    def database(self, alias: str) -> DatabaseConfig:
        """Return the database an alias stands for.

        Raises
        ------
        ConfigError
            If there is no such alias; names the nearest one.
        """
        try:
            return self.databases[alias]
        except KeyError:
            missing = "" if self.path else f"No {FILE_NAME} was found here or above. "
            next_step = _suggest(alias, [*self.databases, "embedded"])
            next_step = next_step or "Add [databases.NAME] with a url, or give a database URL such as sqlite:///app.db."
            raise ConfigError(
                f"There is no database called {alias!r}",
                where=str(self.path) if self.path else None,
                next_step=missing + next_step,
            ) from None


def load_config(path: Path | None = None) -> Config:
    """Read ``migkit.toml``.

    Parameters
    ----------
    path : Path, optional
        The file; by default ``MIGKIT_CONFIG``, else the nearest ``migkit.toml`` upwards of the working directory.

    Returns
    -------
    Config
        The settings; defaults where there is no file.

    Raises
    ------
    ConfigError
        If the file is missing, is not TOML, or holds an unknown key or a wrong type.
    """
    path = path or _find()
    if path is None:
        return Config()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("The configuration file does not exist", where=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"This is not valid TOML: {error}", where=str(path)) from None
    try:
        return Config.model_validate(document | {"path": path})
    except ValidationError as error:
        raise _explain(error, document, path) from None


def _find() -> Path | None:
    named = os.environ.get("MIGKIT_CONFIG")
    if named:
        return Path(named)
    here = Path.cwd()
    return next((folder / FILE_NAME for folder in (here, *here.parents) if (folder / FILE_NAME).is_file()), None)


def _explain(error: ValidationError, document: dict[str, Any], path: Path) -> ConfigError:
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    key = ".".join(location)
    if first["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        hint = _suggest(location[-1], known) or f"Known: {', '.join(known)}."
        return ConfigError(f"Unknown key {key!r}", where=str(path), next_step=hint)
    return ConfigError(f"The value of {key!r} is not valid: {first['msg']}", where=str(path))


def _known_keys(location: list[str]) -> list[str]:
    sections: dict[str, type[BaseModel]] = {
        "databases": DatabaseConfig,
        "migrations": MigrationsConfig,
        "reports": ReportsConfig,
    }
    model: type[BaseModel] = sections[location[0]] if location and location[0] in sections else Config
    return sorted(name for name, field in model.model_fields.items() if not field.exclude)


def _suggest(word: str, known: Iterable[str]) -> str | None:
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean {nearest[0]!r}?" if nearest else None
