"""What PostgreSQL counts, and how its sessions are looked at."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.local_process import NOT_LOCAL, cpu_seconds, read_process
from migkit.dialects.measuring import Eye, IncidentKind, Measuring, Reading, Readings
from migkit.dialects.postgresql.session import error_code
from migkit.dialects.postgresql.sql import execute
from migkit.dialects.postgresql.watching import PostgreSQLEye

_DATABASE = """
SELECT numbackends, xact_commit + xact_rollback AS transactions, xact_rollback, blks_hit, blks_read, deadlocks,
       active_time,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a
         WHERE a.datid = s.datid AND a.state = 'active' AND a.pid <> pg_catalog.pg_backend_pid()) AS active
  FROM pg_catalog.pg_stat_database AS s WHERE datname = pg_catalog.current_database()
"""
_WAL = """
SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
            ELSE pg_catalog.pg_current_wal_insert_lsn() END - '0/0'::pg_lsn
"""
# Who only records the log (pg_receivewal, a base backup) replays nothing, and never catches up with that.
_LAG = """
WITH standby AS (SELECT replay_lag FROM pg_catalog.pg_stat_replication WHERE replay_lsn IS NOT NULL)
SELECT CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN extract(epoch FROM clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())
            ELSE (SELECT max(extract(epoch FROM coalesce(replay_lag, '0'))) FROM standby) END,
       pg_catalog.pg_is_in_recovery() OR EXISTS (SELECT FROM standby)
"""
_STATEMENTS = """
SELECT sum(s.calls), sum(s.total_exec_time) FROM {schema}.pg_stat_statements AS s
 WHERE s.dbid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
"""
STATEMENTS_SCHEMA = """
SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension AS e
  JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'
"""
_IS_LOCAL = "SELECT coalesce(host(pg_catalog.inet_server_addr()), 'socket'), pg_catalog.pg_backend_pid()"
_KINDS: dict[str, IncidentKind] = {"40P01": "deadlock", "55P03": "lock timeout", "57014": "cancelled"}
_LATE = "sessions report up to a second late"


class MeasuresPostgreSQL(Measuring):
    """The part of PostgreSQL's contract that looks at everybody."""

    def incident_kind(self, error: Exception) -> IncidentKind | None:
        """Tell by the SQLSTATE."""
        return _KINDS.get(error_code(error) or "")

    def eye(self, connection: Connection, session: int | None = None) -> Eye:
        """Return an eye that reads ``pg_locks``, ``pg_stat_activity`` and ``pg_stat_progress_*``."""
        return PostgreSQLEye(connection, session)

    def read_metrics(self, connection: Connection) -> Readings:
        """Return the figures of ``pg_stat_database``, of the write-ahead log and of replication."""
        execute(connection, "SELECT pg_catalog.pg_stat_clear_snapshot()")
        row = execute(connection, _DATABASE).one()
        counted = "pg_stat_database"
        readings = {
            "connections": Reading(float(row.numbackends), "gauge", counted),
            "active": Reading(float(row.active), "gauge", "pg_stat_activity", "queries running at the second reading"),
            "transactions": Reading(float(row.transactions), "counter", f"{counted}: commits and rollbacks", _LATE),
            "errors": Reading(float(row.xact_rollback), "counter", f"{counted}: rollbacks", _LATE),
            "cache_hits": Reading(float(row.blks_hit), "counter", counted),
            "cache_reads": Reading(float(row.blks_read), "counter", counted),
            "deadlocks": Reading(float(row.deadlocks), "counter", counted),
            "lock_timeouts": Reading(None, "counter", "", "PostgreSQL does not count them"),
            "log_bytes": Reading(_number(connection, _WAL), "counter", "write-ahead log, of the whole server"),
            "replication_lag_seconds": _lag(connection),
            "cpu_seconds": _cpu(connection),
        }
        return readings | _statements(connection, float(row.transactions), float(row.active_time))


def _number(connection: Connection, sql: str) -> float | None:
    value = execute(connection, sql).scalar()
    return None if value is None else float(value)


def _lag(connection: Connection) -> Reading:
    lag, replicates = execute(connection, _LAG).one()
    if not replicates:
        return Reading(None, "gauge", "", "there is no standby, or the right pg_monitor is missing to see one")
    return Reading(None if lag is None else float(lag), "gauge", "pg_stat_replication")


def _statements(connection: Connection, transactions: float, active_ms: float) -> Readings:
    schema = execute(connection, STATEMENTS_SCHEMA).scalar()
    if schema is not None:
        try:
            calls, spent = execute(connection, _STATEMENTS.format(schema=schema)).one()
        except DBAPIError:  # It is created, but its library is not loaded.
            connection.rollback()
        else:
            source = "pg_stat_statements"
            return {
                "statements": Reading(float(calls or 0), "counter", source),
                "statement_ms": Reading(float(spent or 0), "counter", source, "mean over statements"),
            }
    source = "pg_stat_database.active_time"
    note = "mean over transactions; with the extension pg_stat_statements it would be over statements"
    return {
        "statements": Reading(transactions, "counter", source, "transactions stand for statements"),
        "statement_ms": Reading(active_ms, "counter", source, note),
    }


def _cpu(connection: Connection) -> Reading:
    address, backend = execute(connection, _IS_LOCAL).one()
    process = read_process(backend) if address == "socket" or address == "::1" or address.startswith("127.") else None
    if process is None or "postgres" not in process.name:
        return Reading(None, "counter", "", NOT_LOCAL)
    spent: Any = cpu_seconds(process.parent)
    return Reading(spent, "counter", "/proc, of all processes of the server")
