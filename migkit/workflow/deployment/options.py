"""What a deploy was told: the settings of ``migkit.toml``, and what was said on the spot."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from migkit.config import AutoRollbackConfig, Config, DeployConfig, NotificationsConfig
from migkit.errors import ConfigError


@dataclass(frozen=True)
class DeployOptions:
    """How a deploy is done.

    Attributes
    ----------
    deploy, rollback, notifications
        The sections of ``migkit.toml``.
    reports, backups : Path
        Where evidence and backups lie.
    retention_days : float
        How long a backup made for the deploy is kept.
    timeout, lock_timeout : float or None
        Limits of each run, in seconds.
    """

    deploy: DeployConfig = field(default_factory=DeployConfig)
    rollback: AutoRollbackConfig = field(default_factory=AutoRollbackConfig)
    notifications: NotificationsConfig = field(default_factory=NotificationsConfig)
    reports: Path = Path("reports")
    backups: Path = Path("backups")
    retention_days: float = 7.0
    timeout: float | None = None
    lock_timeout: float | None = None

    @classmethod
    def from_config(
        cls,
        config: Config,
        *,
        reports: Path | None = None,
        timeout: float | None = None,
        lock_timeout: float | None = None,
        **said: Any,
    ) -> DeployOptions:
        """Return the settings of a configuration, changed by what was said and is not ``None``.

        Parameters
        ----------
        config : Config
            The settings.
        reports : Path, optional
            Where evidence goes instead.
        timeout, lock_timeout : float, optional
            Limits instead.
        **said
            Keys of ``[deploy]``, and ``strategy`` of ``[auto_rollback]``.

        Raises
        ------
        ConfigError
            If a key or a value is none.
        """
        strategy = said.pop("strategy", None)
        return cls(
            deploy=_changed(config.deploy, said),
            rollback=_changed(config.auto_rollback, {"strategy": strategy or None}),
            notifications=config.notifications,
            reports=reports or config.reports.directory,
            backups=config.backups.directory,
            retention_days=config.backups.retention_days,
            timeout=config.migrations.timeout_seconds if timeout is None else timeout,
            lock_timeout=config.migrations.lock_timeout_seconds if lock_timeout is None else lock_timeout,
        )

    def with_backups(self, directory: Path) -> DeployOptions:
        """Return the same with another folder of backups."""
        return replace(self, backups=directory)

    def without_rehearsal(self) -> DeployOptions:
        """Return the same without asking for a rehearsal."""
        return replace(self, deploy=self.deploy.model_copy(update={"rehearsal_hours": None}))


Section = TypeVar("Section", bound=BaseModel)


def _changed(section: Section, said: Mapping[str, Any]) -> Section:
    changes = {key: value for key, value in said.items() if value is not None}
    known = sorted(type(section).model_fields)
    for key in changes:
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {nearest[0]!r}?" if nearest else f"Known: {', '.join(known)}."
            raise ConfigError(f"A deploy has no setting {key!r}", next_step=hint)
    try:
        return section.model_validate({**section.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"The value of {key!r} is not valid: {first['msg']}") from None
