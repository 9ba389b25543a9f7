"""Work that a panel does in a thread of its own, so that the kernel stays usable; stopped by a button."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401  registers what waits for pool threads at the exit; see the end
import contextvars
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Literal

from migkit.display.live import Live, Ticker
from migkit.progress import Progress
from migkit.stopping import Stop, Stopped

JobState = Literal["idle", "running", "stopping", "done", "stopped", "failed"]

EXIT_SECONDS = 8.0

_unfinished: weakref.WeakSet[Job] = weakref.WeakSet()


class Job:
    """One piece of work at a time, in a thread; its progress collects in :attr:`live`.

    Parameters
    ----------
    on_change : callable
        Called a few times a second while the work goes on, and once when it is over, from a thread of the job's own.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.live = Live()
        self.state: JobState = "idle"
        self.result: Any = None
        self.error: BaseException | None = None
        self.seconds = 0.0
        self._on_change = on_change
        self._stop = Stop()
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._is_over.set()

    @property
    def is_running(self) -> bool:
        """Whether work goes on."""
        return self.state in ("running", "stopping")

    def start(self, work: Callable[[Progress], Any]) -> bool:
        """Begin, unless work goes on already.

        Parameters
        ----------
        work : callable
            Takes the progress to report into, returns the result.

        Returns
        -------
        bool
            Whether it began.
        """
        with self._lock:
            if self.is_running:
                return False
            self.live, self._stop = Live(), Stop()
            self.result, self.error, self.state = None, None, "running"
            self._is_over.clear()
        _unfinished.add(self)
        # A context of its own: what is shown in the cell that runs now is nothing to it.
        context = contextvars.Context()
        threading.Thread(target=lambda: context.run(self._work, work), name="migkit-job", daemon=True).start()
        return True

    def stop(self) -> None:
        """Have the work end, on the server too; stopping what is stopped, or not begun, changes nothing."""
        with self._lock:
            if self.state == "running":
                self.state = "stopping"
                self._stop.press()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the work is over; return whether it is."""
        return self._is_over.wait(timeout)

    def _work(self, work: Callable[[Progress], Any]) -> None:
        began = time.monotonic()
        ticker = Ticker(self._on_change)
        ticker.start()
        state: JobState = "failed"
        try:
            with self._stop.heeded():
                self.result = work(self.live)
            state = "stopped" if self._stop.is_pressed else "done"
        except BaseException as error:  # handed to whoever looks at the panel
            self.error = error
            # What was interrupted carries what it had come to.
            self.result = getattr(error, "result", None)
            state = "stopped" if isinstance(error, KeyboardInterrupt | Stopped) else "failed"
        finally:
            ticker.stop()
            with self._lock:
                self.state, self.seconds = state, time.monotonic() - began
            _unfinished.discard(self)
            self._on_change()
            self._is_over.set()


def stop_all(timeout: float = EXIT_SECONDS) -> None:
    """End the work of every panel: when the kernel shuts down, nothing of it is to stay on a server."""
    jobs = list(_unfinished)
    for job in jobs:
        job.stop()
    for job in jobs:
        job.wait(timeout)


# At its end the interpreter waits for pool threads before it calls what atexit knows; the last to register comes first.
getattr(threading, "_register_atexit", atexit.register)(stop_all)
