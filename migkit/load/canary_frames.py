"""From the requests of canaries to the frames that load tests have too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from migkit import frames

STALLED_OVER_MS = 100.0
GIVEN_UP = "given up"


@dataclass(frozen=True)
class Request:
    """One request: when it was due, and how long until it was answered."""

    schema: str
    table: str
    operation: str
    sql: str
    phase: str
    second: int
    due: datetime
    milliseconds: float
    error: str | None = None

    @property
    def statement(self) -> str:
        """What results call it: ``writes to orders``."""
        return f"{self.operation} {self.table}"

    @property
    def end(self) -> datetime:
        """When it was answered."""
        return self.due + timedelta(milliseconds=self.milliseconds)


def _grouped(requests: Iterable[Request], *names: str) -> dict[tuple[Any, ...], list[Request]]:
    groups: dict[tuple[Any, ...], list[Request]] = {}
    for request in requests:
        groups.setdefault(tuple(getattr(request, name) for name in names), []).append(request)
    return groups


def _latencies(requests: Sequence[Request]) -> dict[str, Any]:
    answered = [request.milliseconds for request in requests if request.error is None]
    if not answered:
        return {"p50_ms": None, "p99_ms": None, "max_ms": None}
    p50, p99 = np.quantile(answered, [0.5, 0.99], method="higher")
    return {"p50_ms": float(p50), "p99_ms": float(p99), "max_ms": max(answered)}


def statement_rows(requests: Sequence[Request]) -> pd.DataFrame:
    """Return :data:`migkit.frames.LOAD_STATEMENTS`."""
    return frames.LOAD_STATEMENTS.build(
        _statement_row(phase, statement, own)
        for (phase, statement), own in _grouped(requests, "phase", "statement").items()
    )


def _statement_row(phase: str, statement: str, requests: Sequence[Request]) -> dict[str, Any]:
    answered = [request.milliseconds for request in requests if request.error is None]
    quantiles: list[Any] = [None] * 3
    if answered:
        quantiles = np.quantile(answered, [0.9, 0.95, 0.999], method="higher").tolist()
    return {
        "phase": phase,
        "statement": statement,
        "sql": requests[0].sql,
        "attempted": len(requests),
        "done": len(answered),
        "errors": len(requests) - len(answered),
        **_latencies(requests),
        **dict(zip(("p90_ms", "p95_ms", "p999_ms"), quantiles, strict=True)),
        "total_ms": sum(request.milliseconds for request in requests),
        "blocked_ms": sum((end - start).total_seconds() * 1000 for start, end, _ in _stretches(requests)),
        "blocked_over_ms": STALLED_OVER_MS,
    }


def timeline_rows(requests: Sequence[Request]) -> pd.DataFrame:
    """Return :data:`migkit.frames.TIMELINE`."""
    groups = _grouped(requests, "second", "phase", "statement")
    return frames.TIMELINE.build(
        {
            "second": second,
            "phase": phase,
            "statement": statement,
            "started_at": min(request.due for request in own).replace(microsecond=0),
            "attempted": len(own),
            "done": sum(request.error is None for request in own),
            "errors": sum(request.error is not None for request in own),
            **_latencies(own),
        }
        for (second, phase, statement), own in sorted(groups.items())
    )


def error_rows(requests: Sequence[Request]) -> pd.DataFrame:
    """Return :data:`migkit.frames.LOAD_ERRORS`."""
    failed = [request for request in requests if request.error is not None]
    return frames.LOAD_ERRORS.build(
        {
            "phase": phase,
            "statement": statement,
            "kind": str(error).partition(":")[0][:80],
            "message": error,
            "sql": own[0].sql,
            "count": len(own),
            "first_at": min(request.end for request in own),
            "last_at": max(request.end for request in own),
        }
        for (phase, statement, error), own in _grouped(failed, "phase", "statement", "error").items()
    )


def stall_rows(requests: Sequence[Request]) -> pd.DataFrame:
    """Return :data:`migkit.frames.STALLS`: requests that waited long, those that waited at once taken together."""
    rows = [
        (schema, table, operation, start, end, (end - start).total_seconds() * 1000, ended)
        for (schema, table, operation), own in _grouped(requests, "schema", "table", "operation").items()
        for start, end, ended in _stretches(own)
    ]
    rows.sort(key=lambda row: -row[5])
    return frames.STALLS.build(rows)


def _stretches(requests: Sequence[Request]) -> list[tuple[datetime, datetime, str]]:
    merged: list[tuple[datetime, datetime, str]] = []
    slow = [request for request in requests if request.milliseconds > STALLED_OVER_MS]
    for request in sorted(slow, key=lambda request: request.due):
        ended = "answered" if request.error is None else GIVEN_UP if request.error == GIVEN_UP else "failed"
        if merged and request.due <= merged[-1][1]:
            start, end, before = merged[-1]
            merged[-1] = (start, max(end, request.end), before if end >= request.end else ended)
        else:
            merged.append((request.due, request.end, ended))
    return merged
