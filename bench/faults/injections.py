"""One fault after the other: each lets a deploy begin, breaks something, recovers, and looks what is left."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import migkit as mk
from bench.faults.subject import Subject
from bench.faults.writers import Writers
from migkit.progress import SILENT
from migkit.recovery.journal import StepJournal
from migkit.recovery.read_only import is_read_only, open_to_writers

PATIENCE_SECONDS = 180.0
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Injected:
    """What became of one fault."""

    name: str
    problems: tuple[str, ...]
    told: str = ""

    @property
    def survived(self) -> bool:
        """Nothing was lost, and nothing was left half done."""
        return not self.problems


class Injector:
    """Breaks deploys to one subject, again and again.

    Parameters
    ----------
    subject : Subject
        The database.
    writer : URL
        How writers reach it; an account without special rights.
    """

    def __init__(self, subject: Subject, writer: object) -> None:
        self.subject = subject
        self.writer = writer
        self._count = 0

    def begin(
        self, migration: str, strategy: str, die_at: int = -1, *, folder: Path | None = None
    ) -> tuple[subprocess.Popen[bytes], Path]:
        """Start a process that deploys."""
        self._count += 1
        work = folder or self.subject.folder / f"run{self._count}"
        work.mkdir(parents=True, exist_ok=True)
        told = {
            "migration": str(self.subject.migrations[migration]),
            "url": self.subject.target,
            "strategy": strategy.split(","),
            "die_at": die_at,
            "answer": str(work / "answer.json"),
        }
        command = [sys.executable, "-m", "bench.faults.victim", json.dumps(told)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (work / "victim.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=work, env=environment, stdout=log, stderr=subprocess.STDOUT)
        return process, work

    def moments(self, migration: str, strategy: str) -> list[str]:
        """Return the journalled moments of a deploy that nobody disturbs."""
        process, work = self.begin(migration, strategy)
        process.wait(PATIENCE_SECONDS)
        try:
            answer = json.loads((work / "answer.json").read_text())
        except FileNotFoundError:
            raise RuntimeError((work / "victim.log").read_text()) from None
        expected = "deployed" if migration == "good" else "rolled back"
        if answer["status"] != expected:
            raise RuntimeError(f"undisturbed, {migration} was not {expected}: {answer['status']}, {answer['error']}")
        self.subject.reset()
        return list(answer["moments"])

    def kill_at(self, migration: str, strategy: str, index: int, name: str) -> Injected:
        """Kill a deploy at one of its moments."""
        return self.disturb(f"kill {migration} ({strategy}) {name}", migration, strategy, lambda _: None, die_at=index)

    def kill_after(self, migration: str, strategy: str, seconds: float) -> Injected:
        """Kill a deploy at no moment in particular."""

        def break_it(process: subprocess.Popen[bytes]) -> None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            process.kill()

        return self.disturb(f"kill {migration} ({strategy}) after {seconds:.2f} s", migration, strategy, break_it)

    def disturb(
        self,
        name: str,
        migration: str,
        strategy: str,
        break_it: Callable[[subprocess.Popen[bytes]], None],
        *,
        die_at: int = -1,
        folder: Path | None = None,
    ) -> Injected:
        """Let a deploy begin with writers at work, break something, recover, and look."""
        writers = Writers(self.writer)  # type: ignore[arg-type]
        told = ""
        with writers.writing():
            writers.go_on(2)
            process, work = self.begin(migration, strategy, die_at, folder=folder)
            try:
                break_it(process)
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            told = self.recover(work)
            problems = [] if writers.go_on(1) else ["nobody can write after recovering"]
        problems += self.look(work, writers, migration, told)
        self.subject.reset()
        return Injected(name, tuple(problems), told)

    def recover(self, work: Path) -> str:
        """Recover, as a person would; return what was said."""
        told = []
        for _ in range(2):
            found = mk.recover(self.subject.target, reports=work / "reports", backups=work / "backups", progress=SILENT)
            told.append(str(found))
        return "\n".join(told)

    def look(self, work: Path, writers: Writers, migration: str, told: str) -> list[str]:
        """Say what is wrong; empty if nothing is."""
        subject, problems = self.subject, []
        looks = subject.looks()
        if looks not in (subject.before, subject.afters.get(migration)):
            problems.append(f"neither before nor after: {_difference(subject.before, looks)}")
        lost = writers.committed - subject.ledger()
        if lost:
            problems.append(f"{len(lost)} committed rows are lost: {sorted(lost)[:3]}")
        db = subject.database()
        if is_read_only(db) and subject.engine != "sqlite":
            problems.append("it is still read-only")
            open_to_writers(db)  # for the faults to come
        db.close()
        left = StepJournal.unfinished(work / "reports", work / "backups")
        if left and "To do by hand" not in told:
            last = left[0].steps[-1] if left[0].steps else None
            problems.append(f"a journal is unfinished: {left[0].kind}, {last and (last.name, last.state, last.error)}")
        return problems


def _difference(before: dict[str, object], now: dict[str, object]) -> str:
    return "; ".join(
        f"{name}: {now.get(name)}" for name in sorted({*before, *now}) if before.get(name) != now.get(name)
    )


def pause(low: float, high: float) -> float:
    """Return a moment by chance; the sequence is the same in every run of the benchmark."""
    return _chance.uniform(low, high)


_chance = random.Random(6)
