"""Run the cases on every engine and print the score."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.verdicts.cases import FOLDERS
from bench.verdicts.examination import Score, examine
from bench.verdicts.places import Outcome
from tests.servers import Servers, Unavailable
from tests.servers.process import private_folder

# Two tables of this size, and a dozen of a hundredth of it.
ROWS = 50_000


def main(engines: Sequence[str] = (), *, rows: int = ROWS, only: str = "") -> bool:
    """Print found / injured and false alarms / harmless per engine; tell whether it is all and none."""
    reached = True
    with _servers() as servers:
        for engine in engines or FOLDERS:
            started = time.perf_counter()
            try:
                server = servers[engine]
            except Unavailable as reason:
                print(f"  {engine}: not measured, {reason}")
                continue
            score = examine(engine, server, rows, only=only, watch=_print_wrong)
            _print_score(score, time.perf_counter() - started)
            reached = reached and not score.wrong
    return reached


def _print_wrong(outcome: Outcome) -> None:
    if not outcome.is_right:
        print(f"    ✗ {outcome.case.name}: {'; '.join(outcome.faults)}", flush=True)


def _print_score(score: Score, seconds: float) -> None:
    print(
        f"  {score.engine}: found {score.found} / {score.injured} injuries,"
        f" {score.false_alarms} false alarms / {score.harmless} harmless ({seconds:.0f} s)"
    )
    for what in score.unchecked:
        print(f"    · not checked: {what}")
    for name in score.rebuilt:
        print(f"    · built anew after: {name}")


@contextmanager
def _servers() -> Iterator[Servers]:
    """Private servers, in a folder that goes with them."""
    folder = private_folder()
    earlier = os.environ.get("MIGKIT_HOME")
    os.environ["MIGKIT_HOME"] = str(folder / "home")
    servers = Servers(folder)
    try:
        yield servers
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)
        if earlier is None:
            del os.environ["MIGKIT_HOME"]
        else:
            os.environ["MIGKIT_HOME"] = earlier
