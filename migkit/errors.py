"""The error tree: every error says what happened, where, and what to do next.

::

    MigkitError                 the tool could not do its work (exit code 2)
    ├── ConfigError             migkit.toml, an alias, an option
    ├── ConnectionFailed        a server that does not answer, a refused password
    ├── MissingExtra            an optional dependency is not installed
    ├── UnsupportedFeature      an engine cannot do what was asked
    ├── PermissionMissing       the database user lacks a right
    ├── ProtectedDatabase       a change to a protected database was not confirmed
    ├── MigrationInvalid        a file that is no migration, or that does not parse
    ├── MigrationMismatch       the database is not where the migration expects it
    ├── CaptureFailed           a state could not be captured
    ├── StateUnreadable         a saved state that is damaged or of an unknown version
    ├── NotComparable           two states that cannot be held side by side
    ├── CloneFailed             a scratch copy could not be made
    ├── BackupFailed            a backup could not be made
    ├── BackupInvalid           a backup that is damaged, unknown, or of another engine or version
    ├── RestoreFailed           a backup could not be restored; what was there still serves
    ├── DatabaseInUse           others hold on to a database that is to be replaced
    ├── MomentUnreachable       a moment that a database cannot be returned to
    ├── MissingTool             a program of the engine's is not installed, or too old
    ├── DeployRunning           somebody else deploys to this database now
    ├── DeployRefused           a check before a deploy speaks against it; nothing was changed
    └── ReportFailed            a report could not be rendered
"""

from __future__ import annotations

from pathlib import Path

from migkit.redaction import redact


class MigkitError(Exception):
    """Base of everything migkit raises on purpose.

    Parameters
    ----------
    what : str
        What went wrong, in one clause.
    where : str, optional
        The file, line, database or relation it went wrong at.
    next_step : str, optional
        What the reader can do about it.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, next_step: str | None = None) -> None:
        self.what = redact(what)
        self.where = redact(where) if where else None
        self.next_step = redact(next_step) if next_step else None
        # Where the evidence lies of what had been done until then; set by whoever broke off.
        self.evidence: Path | None = None
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if not text.endswith((".", "!", "?")):
            text += "."
        return f"{text} {self.next_step}" if self.next_step else text

    def _render_traceback_(self) -> list[str]:
        """What notebooks show instead of a traceback: it is no mistake in the code of the cell."""
        kept = [f"What was done until then: {self.evidence}"] if self.evidence else []
        return [f"{type(self).__name__}: {self}", *kept]


class ConfigError(MigkitError):
    """``migkit.toml``, an alias or an option is wrong."""


class ConnectionFailed(MigkitError):
    """A database could not be reached or refused the credentials."""


class MissingExtra(MigkitError):
    """An optional dependency is not installed.

    Parameters
    ----------
    package : str
        The distribution that is missing.
    extra : str
        The extra of migkit that brings it.
    purpose : str
        What it is needed for.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed",
            next_step=f"Install it with: pip install 'migkit[{extra}]'",
        )


class UnsupportedFeature(MigkitError):
    """An engine cannot do what was asked; names engine, reason and alternative."""


class PermissionMissing(MigkitError):
    """The database user lacks a right that the work needs."""


class ProtectedDatabase(MigkitError):
    """A change to a protected database was not confirmed."""


class MigrationInvalid(MigkitError):
    """A file is no migration, or does not parse."""


class MigrationMismatch(MigkitError):
    """The database does not stand where the migration expects it."""


class CaptureFailed(MigkitError):
    """A state could not be captured."""


class StateUnreadable(MigkitError):
    """A saved state is damaged or was written by an unknown version."""


class NotComparable(MigkitError):
    """Two states cannot be held side by side."""


class CloneFailed(MigkitError):
    """A scratch copy could not be made."""


class BackupFailed(MigkitError):
    """A backup could not be made; none is listed."""


class BackupInvalid(MigkitError):
    """A backup is damaged, unknown, or of another engine or version."""


class RestoreFailed(MigkitError):
    """A backup could not be restored; what was there before still serves, unless the message says otherwise."""


class DatabaseInUse(MigkitError):
    """Others hold on to a database that is to be replaced."""


class MomentUnreachable(MigkitError):
    """A moment that a database cannot be returned to; nothing was changed."""


class MissingTool(MigkitError):
    """A program of the engine's is not installed, or is older than the server; names the package that has it."""


class DeployRunning(MigkitError):
    """Somebody else deploys to this database now."""


class DeployRefused(MigkitError):
    """A check before a deploy speaks against it; nothing was changed."""


class ReportFailed(MigkitError):
    """A report could not be rendered."""
