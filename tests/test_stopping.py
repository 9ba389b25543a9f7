"""A handle ends work of another thread, and of no other."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from migkit.progress import SILENT
from migkit.stopping import Heeding, Stop, Stopped, check, ending, is_stopped


def test_only_what_is_done_under_it_heeds_it() -> None:
    stop = Stop()
    stop.press()
    check()
    with stop.heeded():
        assert is_stopped()
        with pytest.raises(Stopped):
            check()
    assert not is_stopped()


def test_another_thread_heeds_its_own() -> None:
    stop = Stop()
    seen: list[bool] = []
    with stop.heeded():
        stop.press()
        thread = threading.Thread(target=lambda: seen.append(is_stopped()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_work_that_reports_ends_at_its_next_report() -> None:
    stop = Stop()
    progress = Heeding(SILENT)
    with stop.heeded():
        progress.begin("Copying", 3)
        progress.advance()
        stop.press()
        stop.press()
        progress.note("·", "told all the same")
        with pytest.raises(Stopped):
            progress.advance()


def test_another_program_is_ended() -> None:
    stop = Stop()
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    threading.Timer(0.2, stop.press).start()
    with pytest.raises(Stopped), stop.heeded(), ending(sleeper.terminate):
        sleeper.wait(60)
    assert sleeper.returncode != 0


def test_without_a_handle_nothing_is_ended() -> None:
    called: list[int] = []
    with ending(lambda: called.append(1)):
        pass
    assert not called
