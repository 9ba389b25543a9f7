"""Point in time on MySQL and MariaDB: a backup, and the server's own binary log since."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.mysql.binlog_stream import log_position, logs, open_stream, setting, split_position
from migkit.dialects.mysql.explanations import error_code, is_permission_error
from migkit.dialects.mysql.replaying import replay
from migkit.dialects.mysql.session import create_engine
from migkit.dialects.mysql.sql import execute, scalar
from migkit.dialects.point_in_time import Base, BaseKind, Gap, LogMoment, PointInTime, Recorded, Recording
from migkit.errors import MomentUnreachable, PermissionMissing, UnsupportedFeature
from migkit.progress import SILENT, Progress

# On a busy server, the log may not stand still long enough to say which position belongs to a moment.
_TRIES = 50
_NOW = "SELECT SYSDATE(6) - INTERVAL TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), NOW(6)) MICROSECOND"
_MINUTES = 60


class MySQLPointInTime(PointInTime):
    """How MySQL and MariaDB go back to a moment."""

    is_mariadb: bool
    pitr_base: BaseKind = "backup"

    def log_moment(self, connection: Connection) -> LogMoment:
        """Return the server's clock, and the end of its log if that stood still meanwhile."""
        for _ in range(_TRIES):
            before = log_position(connection)
            moment = scalar(connection, _NOW).replace(tzinfo=UTC)
            if before is None or log_position(connection) == before:
                return LogMoment(moment, before)
        return LogMoment(moment)

    def pitr_facts(self, connection: Connection, archive: Path | None = None) -> dict[str, Any]:
        """Look whether the server writes a binary log, how, and whether this user may read it and do it again."""
        if archive is not None:
            raise UnsupportedFeature(
                f"{self.label} keeps its binary log itself",
                next_step="Leave --archive out; see binlog_expire_logs_seconds.",
            )
        if setting(connection, "log_bin") != "1":
            raise UnsupportedFeature(
                "The server writes no binary log (log_bin is off)",
                next_step="Set log_bin = binlog and server_id = 1 in its configuration, and start it anew.",
            )
        self._require_rows(connection)
        position = log_position(connection)
        if position is not None:
            with open_stream(connection.engine.url, position) as stream:
                next(iter(stream), None)
        self._require_replay(connection)
        return {"before": {name: setting(connection, name) for name in ("binlog_format", "binlog_row_image")}}

    def _require_rows(self, connection: Connection) -> None:
        image = setting(connection, "binlog_row_image")
        if image not in ("FULL", "FULL_NODUP", ""):
            raise UnsupportedFeature(
                f"The binary log holds only parts of rows (binlog_row_image = {image})",
                next_step="SET GLOBAL binlog_row_image = 'FULL'; it holds for new sessions, without a new start.",
            )

    def _require_replay(self, connection: Connection) -> None:
        try:
            execute(connection, "BINLOG ''")
        except DBAPIError as error:
            if is_permission_error(error) or error_code(error) == 1227:
                right = "BINLOG REPLAY" if self.is_mariadb else "BINLOG_ADMIN"
                raise PermissionMissing(
                    "This user may not do the binary log's changes again",
                    next_step=f"Give the right: GRANT {right} ON *.* TO …",
                ) from error

    def start_recording(self, url: URL, made: Recording) -> tuple[str, ...]:
        """Have the server log rows instead of statements, if it does not; it records by itself."""
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                found = setting(connection, "binlog_format")
                if found in ("ROW", ""):
                    return ()
                execute(connection, "SET GLOBAL binlog_format = 'ROW'")
        finally:
            engine.dispose()
        note = "sessions that are open go on as before until they connect again"
        return (f"set binlog_format from {found} to ROW, without a new start; {note}",)

    def stop_recording(self, url: URL, made: Recording) -> tuple[str, ...]:
        """Set back how the server logs, where that was changed."""
        before = dict(made.facts.get("before", {})).get("binlog_format", "")
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                if before not in ("STATEMENT", "MIXED") or setting(connection, "binlog_format") == before:
                    return ()
                execute(connection, f"SET GLOBAL binlog_format = '{before}'")
        finally:
            engine.dispose()
        return (f"set binlog_format back to {before}",)

    def recorded(self, connection: Connection, made: Recording, base: Base) -> Recorded:
        """Look which binary logs the server still has."""
        start = self._start(base)
        present = logs(connection)
        first, _ = split_position(start)
        numbers = sorted(int(name.rpartition(".")[2]) for name in present)
        gaps = []
        if first not in present:
            gaps.append(Gap(f"the server has thrown away {first} and what came before its present logs"))
        elif numbers != list(range(numbers[0], numbers[-1] + 1)):
            gaps.append(Gap("the server has thrown away some of its binary logs"))
        notes = [*self._expiry(connection)]
        with suppress(DBAPIError):
            if setting(connection, "binlog_format") not in ("ROW", ""):
                notes.append("binlog_format is not ROW any more")
        running = setting(connection, "log_bin") == "1"
        return Recorded(running, tuple(gaps), tuple(notes), sum(present.values()))

    def _expiry(self, connection: Connection) -> list[str]:
        seconds = setting(connection, "binlog_expire_logs_seconds")
        if not seconds.isdigit() or int(seconds) == 0:
            return []
        days = int(seconds) / (24 * _MINUTES * _MINUTES)
        kept = f"the server keeps its binary logs for {days:g} days (binlog_expire_logs_seconds)"
        return [f"{kept}; bases older than that lead nowhere"]

    def _start(self, base: Base) -> str:
        instant = dict(base.facts["instant"])
        if "binlog_file" not in instant:
            raise MomentUnreachable(
                "The base does not say where the binary log stood",
                where=str(base.folder),
                next_step="Holding writers back for an instant needs GRANT RELOAD, REPLICATION CLIENT ON *.* TO …; "
                "then: migkit pitr enable --new-base.",
            )
        return f"{instant['binlog_file']}:{instant['binlog_position']}"

    def replay(
        self,
        staged: URL,
        url: URL,
        made: Recording,
        base: Base,
        target: LogMoment,
        *,
        progress: Progress = SILENT,
    ) -> int:
        """Read the binary log as a replica does, and do again what concerns the database."""
        return replay(url, staged, self._start(base), target, exact=not self.is_mariadb, progress=progress)
