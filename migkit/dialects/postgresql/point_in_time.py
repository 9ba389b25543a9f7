"""Point in time on PostgreSQL: base backups of the whole server, and its write-ahead log."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection

from migkit.dialects.point_in_time import Base, BaseKind, LogMoment, PointInTime, Recorded, Recording
from migkit.dialects.postgresql import private_cluster, recording
from migkit.progress import SILENT, Progress


class PostgreSQLPointInTime(PointInTime):
    """How PostgreSQL goes back to a moment."""

    pitr_base: BaseKind = "cluster"

    def pitr_key(self, connection: Connection) -> str | None:
        """Return the number that the server was given when it was made: its databases share one log."""
        return recording.system_identifier(connection)

    def log_moment(self, connection: Connection) -> LogMoment:
        """Return the server's clock, and the end of its write-ahead log."""
        return recording.log_moment(connection)

    def pitr_facts(self, connection: Connection, archive: Path | None = None) -> dict[str, Any]:
        """Look at ``wal_level``, free slots, the right to replicate, and the tools."""
        return recording.facts(connection, archive)

    def start_recording(self, url: URL, made: Recording) -> tuple[str, ...]:
        """Make a replication slot and start ``pg_receivewal``."""
        return recording.start(url, made)

    def stop_recording(self, url: URL, made: Recording) -> tuple[str, ...]:
        """Stop ``pg_receivewal`` and drop the slot."""
        return recording.stop(url, made)

    def take_base(self, url: URL, made: Recording, folder: Path, *, progress: Progress = SILENT) -> Base:
        """Let ``pg_basebackup`` copy the server's files."""
        return recording.take_base(url, made, folder, progress)

    def recorded(self, connection: Connection, made: Recording, base: Base) -> Recorded:
        """Look at the segments, the recorder and its slot."""
        return recording.recorded(connection, made, base)

    def catch_up(self, url: URL, made: Recording) -> None:
        """Commit a transaction of migkit's own, and wait until it is recorded."""
        recording.catch_up(url, made)

    def recovered(
        self, url: URL, made: Recording, base: Base, target: LogMoment, workspace: Path, *, progress: Progress = SILENT
    ) -> AbstractContextManager[URL]:
        """Replay the log in a private cluster."""
        return private_cluster.recovered(url, made, base, target, workspace, progress)

    def abandon_recovery(self, workspace: Path) -> None:
        """End a private cluster that was left running."""
        private_cluster.abandon(workspace)
