"""After a deploy: smoke tests of the user's, and the server's own figures for a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from migkit.config import SmokeTestConfig
from migkit.database import Database
from migkit.dialects.base import Row
from migkit.errors import MigkitError, UnsupportedFeature
from migkit.observe.metrics import Metrics, difference, read_counters
from migkit.redaction import redact
from migkit.workflow.deployment.record import Record
from migkit.workflow.deployment.resting import rest
from migkit.workflow.hooks import run_command

SMOKE, WATCH = "smoke-tests", "watch"


def run_smoke_tests(record: Record) -> None:
    """Run every smoke test.

    Raises
    ------
    MigkitError
        If one fails; all have been run.
    """
    tests = record.options.deploy.smoke_tests
    if not tests:
        record.skip("Smoke tests", "none are set")
        return

    def work(learned: dict[str, Any]) -> None:
        record.smoke_tests = [_smoke(record.db, test) for test in tests]
        failed = [row for row in record.smoke_tests if not row["passed"]]
        if failed:
            told = "; ".join(f"{row['check']}: {row['found']}" for row in failed)
            raise MigkitError(f"{len(failed)} of {len(tests)} smoke tests failed: {told}")
        learned["detail"] = f"{len(tests)} passed"

    record.step(SMOKE, "Smoke tests", work)


def _smoke(db: Database, test: SmokeTestConfig) -> Row:
    if test.command is not None:
        done = run_command(test.command, test.timeout_seconds, {"MIGKIT_DATABASE": db.name})
        return {
            "check": test.name,
            "passed": done.succeeded,
            "expected": "it ends with 0",
            "found": done.told or "it did",
        }
    expected = "true, or a number that is not 0" if test.expect is None else str(test.expect)
    try:
        found = _first_cell(db, str(test.sql), test.timeout_seconds)
    except (SQLAlchemyError, OSError) as error:
        return {"check": test.name, "passed": False, "expected": expected, "found": db.dialect.explain_error(error)}
    passed = _is_true(found) if test.expect is None else _is_same(found, test.expect)
    return {"check": test.name, "passed": passed, "expected": expected, "found": redact(str(found))}


def _first_cell(db: Database, sql: str, timeout: float) -> Any:
    """Ask the question in a transaction that is rolled back, and cancel it on the server when it takes too long."""
    with db.engine.connect() as connection:
        try:
            db.dialect.set_lock_timeout(connection, timeout)
            with _limited(db, connection, timeout):
                return connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalar()
        finally:
            if not connection.invalidated:
                connection.rollback()
            # Its limits must not go back to a pool.
            connection.detach()


@contextmanager
def _limited(db: Database, connection: Connection, seconds: float) -> Iterator[None]:
    """Cancel the session's work on the server after a time."""
    timer = threading.Timer(seconds, db.dialect.canceller(connection))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _is_true(found: Any) -> bool:
    return found is not None and found not in (0, False, "", "0", "f", "false")


def _is_same(found: Any, expect: Any) -> bool:
    if isinstance(expect, bool):
        return _is_true(found) is expect
    return found is not None and (found == expect or str(found) == str(expect))


def watch(record: Record) -> None:
    """Look at the server's own figures for a while.

    Raises
    ------
    MigkitError
        If more statements fail, answers take longer, or the server works harder than the settings allow.
    """
    seconds = record.options.deploy.watch_seconds
    if not seconds:
        record.skip("Watched", "the settings ask for no time")
        return

    def work(learned: dict[str, Any]) -> None:
        metrics = _measure(record.db, seconds)
        record.metrics = metrics.frame
        against = _too_much(record, metrics)
        learned["detail"] = _told(metrics)
        if against:
            raise MigkitError("; ".join(against))

    try:
        record.step(WATCH, "Watched", work, seconds=seconds)
    except UnsupportedFeature as error:
        record.steps[-1]["status"] = "skipped"
        record.unchecked.append({"what": "errors, response time and CPU after the deploy", "why": str(error)})


def _measure(db: Database, seconds: float) -> Metrics:
    with db.engine.connect() as connection:
        before = read_counters(db.dialect, connection)
        connection.rollback()
        rest(seconds)
        return difference(before, read_counters(db.dialect, connection))


def _too_much(record: Record, metrics: Metrics) -> list[str]:
    deploy = record.options.deploy
    limits = (
        ("error rate", metrics.error_rate, deploy.largest_error_percent, "%"),
        ("average response time", metrics.avg_response_ms, deploy.largest_response_ms, " ms"),
        ("CPU", metrics.cpu_percent, deploy.largest_cpu_percent, "%"),
    )
    against = []
    for what, value, limit, unit in limits:
        if value is None:
            record.unchecked.append({"what": f"{what} after the deploy", "why": "the server does not tell it"})
        elif limit is not None and value > limit:
            against.append(f"the {what} was {value:.1f}{unit}, more than {limit:g}{unit}")
    return against


def _told(metrics: Metrics) -> str:
    figures = (
        ("error rate", metrics.error_rate, "%"),
        ("response time", metrics.avg_response_ms, " ms"),
        ("CPU", metrics.cpu_percent, "%"),
    )
    known = [f"{what} {value:.1f}{unit}" for what, value, unit in figures if value is not None]
    return ", ".join(known) or "the server tells no figures"
