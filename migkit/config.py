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
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from migkit.errors import ConfigError

FILE_NAME = "migkit.toml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class DatabaseConfig(_Section):
    """``[databases.ALIAS]``.

    ``url`` is a SQLAlchemy URL or ``env:NAME``; ``password`` may be ``env:NAME`` too. ``clone_into`` is the server that
    clones and empty copies are made on: an alias, ``embedded``, a URL or ``env:NAME``.
    """

    url: str = Field(repr=False)
    password: str | None = Field(default=None, repr=False)
    protected: bool = False
    schemas: tuple[str, ...] | None = None
    clone_into: str | None = Field(default=None, repr=False)


class MigrationsConfig(_Section):
    """``[migrations]``: limits of every run, and ``allow`` for formats that cannot carry metadata."""

    timeout_seconds: float | None = Field(default=None, gt=0)
    lock_timeout_seconds: float = Field(default=5.0, gt=0)
    allow: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class ReportsConfig(_Section):
    """``[reports]``: where evidence is archived."""

    directory: Path = Path("reports")


class BackupsConfig(_Section):
    """``[backups]``: where backups lie, and how long they are kept.

    ``minimum_redundancy`` is how many verified backups of each database are never pruned, whatever their age.
    """

    directory: Path = Path("backups")
    retention_days: float = Field(default=7, gt=0)
    minimum_redundancy: int = Field(default=1, ge=1)


class AutoRollbackConfig(_Section):
    """``[auto_rollback]``: when a deploy takes itself back, and how; several strategies are tried in order."""

    enabled: bool = True
    triggers: tuple[Literal["error", "timeout", "validation_failed", "constraint_violation"], ...] = (
        "error",
        "timeout",
        "validation_failed",
        "constraint_violation",
    )
    strategy: tuple[Literal["transaction", "down", "backup", "pitr"], ...] = ("transaction", "down", "backup")

    @field_validator("strategy", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class HooksConfig(_Section):
    """``[deploy.hooks]``: commands run while the database is closed to writers, and after it is open again."""

    stop: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    timeout_seconds: float = Field(default=60.0, gt=0)


class SmokeTestConfig(_Section):
    """``[[deploy.smoke_tests]]``: a query whose first cell is compared, or a command that has to end with 0."""

    name: str
    sql: str | None = None
    expect: str | int | float | bool | None = None
    command: str | None = None
    timeout_seconds: float = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _is_one_of_two(self) -> SmokeTestConfig:
        if (self.sql is None) == (self.command is None):
            raise ValueError("a smoke test has either sql or command")
        return self


class DeployConfig(_Section):
    """``[deploy]``: what is checked before, done during and watched after a deploy."""

    backup: Literal["make", "recent"] = "make"
    backup_hours: float = Field(default=24.0, gt=0)
    rehearsal_hours: float | None = Field(default=168.0, gt=0)
    attempts: int = Field(default=3, ge=1)
    retry_seconds: float = Field(default=5.0, ge=0)
    patience_seconds: float = Field(default=30.0, ge=0)
    terminate: bool = False
    longest_transaction_seconds: float = Field(default=60.0, gt=0)
    largest_lag_seconds: float = Field(default=30.0, gt=0)
    watch_seconds: float = Field(default=30.0, ge=0)
    largest_error_percent: float = Field(default=1.0, ge=0)
    largest_response_ms: float | None = Field(default=None, gt=0)
    largest_cpu_percent: float | None = Field(default=None, gt=0)
    hooks: HooksConfig = Field(default_factory=HooksConfig)
    smoke_tests: tuple[SmokeTestConfig, ...] = ()


class NotificationsConfig(_Section):
    """``[notifications]``: Apprise URLs, or ``env:NAME``, that are told how a deploy ended."""

    on_success: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()
    on_rollback: tuple[str, ...] = ()
    on_recovery: tuple[str, ...] = ()


class LimitsConfig(_Section):
    """``[limits]``: what a migration may do to others at the most, in a rehearsal and in a load test; all are optional.

    ``max_blocked_ms``: how long any statement was stalled, taken together. ``max_p99_ms``: one request in a hundred may
    take longer. ``max_errors``: requests that may fail while the migration runs and afterwards.
    """

    max_blocked_ms: float | None = Field(default=None, ge=0)
    max_p99_ms: float | None = Field(default=None, gt=0)
    max_errors: int | None = Field(default=None, ge=0)


class Config(_Section):
    """All of ``migkit.toml``, and the file it came from (``None``: defaults)."""

    databases: dict[str, DatabaseConfig] = Field(default_factory=dict)
    migrations: MigrationsConfig = Field(default_factory=MigrationsConfig)
    reports: ReportsConfig = Field(default_factory=ReportsConfig)
    limits: LimitsConfig = Field(default_factory=LimitsConfig)
    backups: BackupsConfig = Field(default_factory=BackupsConfig)
    auto_rollback: AutoRollbackConfig = Field(default_factory=AutoRollbackConfig)
    deploy: DeployConfig = Field(default_factory=DeployConfig)
    notifications: NotificationsConfig = Field(default_factory=NotificationsConfig)
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
    """Return the keys of the section that a location lies in, through tables and lists of tables."""
    model: type[BaseModel] = Config
    for part in location:
        if part in model.model_fields:
            model = _section_in(model.model_fields[part].annotation) or model
    return sorted(name for name, field in model.model_fields.items() if not field.exclude)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """Find the section that an annotation is about: ``Section``, ``dict[str, Section]``, ``tuple[Section, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _section_in(inner)) is not None), None)


def _suggest(word: str, known: Iterable[str]) -> str | None:
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean {nearest[0]!r}?" if nearest else None
