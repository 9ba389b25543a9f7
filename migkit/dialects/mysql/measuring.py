"""What MySQL and MariaDB count, and how their sessions are looked at."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from migkit.dialects.local_process import NOT_LOCAL, cpu_seconds, listener, peer_of_socket, read_process
from migkit.dialects.measuring import Eye, IncidentKind, Measuring, Reading, Readings
from migkit.dialects.mysql.locks import has_metadata_locks
from migkit.dialects.mysql.process_list import ProcessListEye
from migkit.dialects.mysql.sql import execute, rows
from migkit.dialects.mysql.watching import ERROR_KINDS, PerformanceSchemaEye, why_not

_STATUS = """
SHOW GLOBAL STATUS WHERE Variable_name IN (
  'Threads_connected', 'Threads_running', 'Com_commit', 'Com_rollback', 'Questions',
  'Innodb_buffer_pool_read_requests', 'Innodb_buffer_pool_reads', 'Innodb_os_log_written', 'Innodb_deadlocks')
"""
_STATEMENTS = """
SELECT SUM(COUNT_STAR), SUM(SUM_TIMER_WAIT) / 1e9, SUM(SUM_ERRORS)
  FROM performance_schema.events_statements_summary_global_by_event_name WHERE EVENT_NAME LIKE 'statement/sql/%'
"""
_TRANSACTIONS = """
SELECT COUNT_STAR FROM performance_schema.events_transactions_summary_global_by_event_name
 WHERE EVENT_NAME = 'transaction'
"""
_INNODB = "SELECT NAME, COUNT FROM information_schema.INNODB_METRICS WHERE NAME IN ('lock_deadlocks', 'lock_timeouts')"
_LAG_COLUMNS = ("Seconds_Behind_Source", "Seconds_Behind_Master")
_WHOLE_SERVER = "of the whole server"
_NAMES = ("mysqld", "mariadbd")


class MeasuresMySQL(Measuring):
    """The part of MySQL's and MariaDB's contract that looks at everybody."""

    is_mariadb = False

    def incident_kind(self, error: Exception) -> IncidentKind | None:
        """Tell by the server's number of the error."""
        original = error.orig if isinstance(error, DBAPIError) else error
        return ERROR_KINDS.get(next(iter(getattr(original, "args", ())), 0))

    def eye(self, connection: Connection, session: int | None = None) -> Eye:
        """Return an eye on ``performance_schema``, else on the process list and InnoDB's tables."""
        if not self.is_mariadb and has_metadata_locks(connection):
            return PerformanceSchemaEye(connection, session)
        return ProcessListEye(connection, session, mariadb=self.is_mariadb)

    def read_metrics(self, connection: Connection) -> Readings:
        """Return the figures of ``SHOW GLOBAL STATUS``, ``performance_schema`` and InnoDB."""
        status = {name: float(value) for name, value in rows(connection, _STATUS)}

        def counter(name: str, note: str = _WHOLE_SERVER) -> Reading:
            return Reading(status.get(name), "counter", name, note)

        readings = {
            "connections": Reading(status.get("Threads_connected"), "gauge", "Threads_connected", _WHOLE_SERVER),
            # The session that asks is one of them.
            "active": Reading(status["Threads_running"] - 1, "gauge", "Threads_running", _WHOLE_SERVER),
            # Every page that has to be read was asked for first.
            "cache_hits": Reading(
                status["Innodb_buffer_pool_read_requests"] - status["Innodb_buffer_pool_reads"],
                "counter",
                "Innodb_buffer_pool_read_requests",
                _WHOLE_SERVER,
            ),
            "cache_reads": counter("Innodb_buffer_pool_reads"),
            "log_bytes": counter("Innodb_os_log_written"),
            "replication_lag_seconds": _lag(connection, self.is_mariadb),
            "cpu_seconds": _cpu(connection),
        }
        return readings | _innodb(connection, status) | _statements(connection, status)


def _statements(connection: Connection, status: dict[str, float]) -> Readings:
    source = "performance_schema.events_statements_summary_global_by_event_name"
    try:
        count, spent, errors = rows(connection, _STATEMENTS)[0]
        transactions = rows(connection, _TRANSACTIONS)
        why = "performance_schema is off"
    except DBAPIError as error:
        count, spent, errors, transactions, why = None, None, None, [], why_not(error)
    if not count:
        note = "without the transactions of single statements, which commit by themselves"
        both = status.get("Com_commit", 0.0) + status.get("Com_rollback", 0.0)
        return {
            "transactions": Reading(both, "counter", "Com_commit, Com_rollback", note),
            "errors": Reading(None, "counter", "", f"errors are not counted: {why}"),
            "statements": Reading(status.get("Questions"), "counter", "Questions", _WHOLE_SERVER),
            "statement_ms": Reading(None, "counter", "", f"times are not counted: {why}"),
        }
    begun = float(transactions[0][0]) if transactions else None
    return {
        "transactions": Reading(begun, "counter", "performance_schema.events_transactions_summary", _WHOLE_SERVER),
        "errors": Reading(float(errors), "counter", source, _WHOLE_SERVER),
        "statements": Reading(float(count), "counter", source, _WHOLE_SERVER),
        "statement_ms": Reading(float(spent), "counter", source, "mean over statements, of the whole server"),
    }


def _innodb(connection: Connection, status: dict[str, float]) -> Readings:
    try:
        counted = {name: float(value) for name, value in rows(connection, _INNODB)}
        why = "not counted"
    except DBAPIError as error:
        counted, why = {}, why_not(error)
    deadlocks = counted.get("lock_deadlocks", status.get("Innodb_deadlocks"))
    timeouts = counted.get("lock_timeouts")
    return {
        "deadlocks": Reading(deadlocks, "counter", "InnoDB", _WHOLE_SERVER if deadlocks is not None else why),
        "lock_timeouts": Reading(timeouts, "counter", "InnoDB", "waits for rows" if timeouts is not None else why),
    }


def _lag(connection: Connection, mariadb: bool) -> Reading:
    try:
        found = execute(connection, "SHOW SLAVE STATUS" if mariadb else "SHOW REPLICA STATUS").mappings().first()
    except DBAPIError as error:
        return Reading(None, "gauge", "", why_not(error))
    if found is None:
        return Reading(None, "gauge", "", "this server is no replica; it does not know how far its own are")
    lag: Any = next((found[name] for name in _LAG_COLUMNS if name in found), None)
    source = "SHOW REPLICA STATUS"
    return Reading(
        None if lag is None else float(lag), "gauge", source, "" if lag is not None else "replication stands"
    )


def _cpu(connection: Connection) -> Reading:
    driver: Any = connection.connection.dbapi_connection
    # PyMySQL does not publish its socket.
    pid = peer_of_socket(getattr(driver, "_sock", None))
    url = connection.engine.url
    if pid is None and url.host in ("localhost", "127.0.0.1", "::1") and "unix_socket" not in url.query:
        pid = listener(url.port or 3306)
    process = read_process(pid) if pid is not None else None
    if process is None or process.name not in _NAMES:
        return Reading(None, "counter", "", NOT_LOCAL)
    return Reading(cpu_seconds(process.pid), "counter", "/proc, of the server's process")
