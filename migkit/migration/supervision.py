"""Do work in a thread while watching the clock and the keyboard; stop it on the server, and in Python where need be."""

from __future__ import annotations

import contextvars
import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from migkit.redaction import redact
from migkit.stopping import is_stopped

StopReason = Literal["timeout", "interrupted"]

_LOOK_SECONDS = 0.05
_PYTHON_GRACE_SECONDS = 1.0


class RunStopped(BaseException):  # not an Exception, so that a migration's own handlers let it pass
    """Raised in a migration's thread to end it."""


class Supervisor:
    """Watches one piece of work that runs in a thread of its own.

    Parameters
    ----------
    timeout : float or None
        Seconds for all of it.
    is_busy : callable
        Whether the server works on something now, so that cancelling there makes sense.
    """

    def __init__(self, timeout: float | None, is_busy: Callable[[], bool]) -> None:
        self.reason: StopReason | None = None
        self.cancel: Callable[[], None] | None = None
        self.cancel_error: str | None = None
        self.has_cancelled = False
        self._timeout = timeout
        self._is_busy = is_busy
        self._deadline = float("inf")
        self._stopped_at = 0.0
        self._is_done = threading.Event()

    def check(self) -> None:
        """Raise RunStopped if the work shall not go on; called between statements."""
        if self.reason is None and time.monotonic() > self._deadline:
            self._stop("timeout")
        if self.reason is not None:
            raise RunStopped(self.reason)

    def watch(self, work: Callable[[], None]) -> BaseException | None:
        """Do the work to its end and return what it raised, if anything.

        Ctrl-C does not interrupt the waiting: it stops the work, which then ends as it must.
        """
        raised: list[BaseException] = []
        context = contextvars.copy_context()

        def body() -> None:
            try:
                context.run(work)
            except BaseException as error:  # handed to the caller, who judges it
                raised.append(error)
            finally:
                self._is_done.set()

        if self._timeout is not None:
            self._deadline = time.monotonic() + self._timeout
        thread = threading.Thread(target=body, name="migkit-migration", daemon=True)
        with self._heeding_interrupts():
            thread.start()
            self._wait_for(thread)
        return raised[0] if raised else None

    @contextmanager
    def _heeding_interrupts(self) -> Iterator[None]:
        """Have Ctrl-C stop the work, and not raise at whatever line this thread has come to: there, nobody stops it."""
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(before):
            yield
            return
        signal.signal(signal.SIGINT, lambda *_: self._stop("interrupted"))
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _wait_for(self, thread: threading.Thread) -> None:
        while not self._is_done.is_set():
            try:
                self._is_done.wait(_LOOK_SECONDS)
                self._look(thread)
            except KeyboardInterrupt:
                self._stop("interrupted")
        thread.join()

    def _look(self, thread: threading.Thread) -> None:
        if self.reason is None and time.monotonic() > self._deadline:
            self._stop("timeout")
        if is_stopped():
            self._stop("interrupted")
        if self.reason is None or self._is_done.is_set():
            return
        if self._is_busy():
            self._cancel_on_server()
        elif time.monotonic() - self._stopped_at > _PYTHON_GRACE_SECONDS and thread.ident is not None:
            # The migration's own Python code runs and asks nobody: end it where it is.
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(RunStopped))
            self._stopped_at = time.monotonic()

    def _stop(self, reason: StopReason) -> None:
        self.reason = self.reason or reason
        self._stopped_at = self._stopped_at or time.monotonic()

    def _cancel_on_server(self) -> None:
        if self.cancel is None:
            return
        self.has_cancelled = True
        try:
            self.cancel()
        except Exception as error:
            # A server that cannot be asked to cancel is told at the end; the run must still be waited for.
            self.cancel_error = redact(f"{type(error).__name__}: {error}")
