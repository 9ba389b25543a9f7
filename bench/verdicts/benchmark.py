"""Run the cases on every engine and print the score."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.servers import private_servers
from bench.verdicts.cases import FOLDERS
from bench.verdicts.examination import Score, examine
from bench.verdicts.places import Outcome
from tests.servers import Unavailable

# Two tables of this size, and a dozen of a hundredth of it.
ROWS = 50_000


def main(engines: Sequence[str] = (), *, rows: int = ROWS, only: str = "") -> bool:
    """Print found / injured and false alarms / harmless per engine; tell whether it is all and none."""
    reached = True
    with private_servers() as servers:
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
