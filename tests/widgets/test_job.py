"""Work of a panel: one piece at a time, in its own thread, stopped from outside, ended when the kernel ends."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from migkit.progress import Progress
from migkit.stopping import check
from migkit.widgets.job import Job

LONG = 60.0

LEAVING = """
import time
from migkit.stopping import check
from migkit.widgets.job import Job

def work(progress):
    try:
        print("begun", flush=True)
        while True:
            check()
            time.sleep(0.02)
    finally:
        print("cleaned up", flush=True)

job = Job(lambda: None)
job.start(work)
time.sleep(0.5)
"""


def test_it_does_one_piece_at_a_time() -> None:
    may_end = threading.Event()
    job = Job(lambda: None)
    assert job.start(lambda _: may_end.wait(LONG))
    assert not job.start(lambda _: None)
    may_end.set()
    assert job.wait(LONG)
    assert job.result is True
    assert job.state == "done"
    assert job.start(lambda _: 7)
    assert job.wait(LONG)
    assert job.result == 7


def test_stop_ends_it_and_twice_is_once() -> None:
    begun = threading.Event()

    def work(_: Progress) -> None:
        begun.set()
        while True:
            check()
            threading.Event().wait(0.01)

    job = Job(lambda: None)
    job.stop()
    assert job.state == "idle"
    job.start(work)
    assert begun.wait(LONG)
    job.stop()
    job.stop()
    assert job.wait(LONG)
    assert job.state == "stopped"
    job.stop()
    assert job.state == "stopped"


def test_an_error_is_kept_and_the_job_can_start_again() -> None:
    def fail(_: Progress) -> None:
        raise ZeroDivisionError("no")

    job = Job(lambda: None)
    job.start(fail)
    assert job.wait(LONG)
    assert job.state == "failed"
    assert isinstance(job.error, ZeroDivisionError)
    assert job.start(lambda _: None)
    assert job.wait(LONG)
    assert job.error is None


def test_changes_are_told_while_it_goes_on_and_when_it_is_over() -> None:
    told: list[str] = []
    seen = threading.Event()

    def change() -> None:
        told.append(job.state)
        seen.set()

    job = Job(change)
    job.start(lambda _: seen.wait(LONG))
    assert job.wait(LONG)
    assert told[0] == "running"
    assert told[-1] == "done"


@pytest.mark.parametrize("pool", ["", "import concurrent.futures\n"])
def test_the_end_of_the_kernel_ends_it_in_order(pool: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", pool + LEAVING], capture_output=True, text=True, timeout=LONG, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["begun", "cleaned up"]
