"""A handle that ends work from another thread: what Ctrl-C is to a terminal, a *Stop* button is to a panel.

Whoever waits long polls :func:`check` (a few times a second) and lets :class:`Stopped` end the work as Ctrl-C would:
cancelled on the server first, evidence closed as interrupted, scratch databases dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from migkit.progress import Progress

LOOK_SECONDS = 0.1


class Stopped(KeyboardInterrupt):  # it is no error: like Ctrl-C, somebody wanted it so
    """Work was ended by :meth:`Stop.press`."""


class Stop:
    """Ends what is done under it.

    Examples
    --------
    >>> stop = Stop()
    >>> with stop.heeded():
    ...     is_stopped()
    False
    >>> stop.press()
    >>> stop.is_pressed
    True
    """

    def __init__(self) -> None:
        self._pressed = threading.Event()

    @property
    def is_pressed(self) -> bool:
        """Whether the work shall end, or was ended."""
        return self._pressed.is_set()

    def press(self) -> None:
        """Have the work end, from any thread; pressing again changes nothing."""
        self._pressed.set()

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Have everything that this thread does meanwhile heed the handle."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[Stop | None] = ContextVar("migkit_stop", default=None)


def is_stopped() -> bool:
    """Return whether the work of this thread shall end."""
    stop = _current.get()
    return stop is not None and stop.is_pressed


def check() -> None:
    """Raise :class:`Stopped` if the work of this thread shall end."""
    if is_stopped():
        raise Stopped("Stopped")


@contextmanager
def ending(action: Callable[[], object]) -> Iterator[None]:
    """Have an action end what this thread waits for and cannot poll: another program, for example.

    Parameters
    ----------
    action : callable
        Called once, from another thread, if the work of this thread shall end. The ``with`` block then ends as it must,
        and :class:`Stopped` is raised after it.
    """
    stop = _current.get()
    if stop is None:
        yield
        return
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(LOOK_SECONDS):
            if stop.is_pressed:
                action()
                return

    thread = threading.Thread(target=look, name="migkit-stop", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
    check()


class Heeding:
    """Progress of work that reports often and waits for nobody: it ends at its next report.

    Parameters
    ----------
    progress : Progress
        Where the reports go.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def begin(self, label: str, total: int | None = None) -> None:
        """Start a stage, unless the work shall end."""
        check()
        self._progress.begin(label, total)

    def advance(self, amount: int = 1) -> None:
        """Count units as done, unless the work shall end."""
        check()
        self._progress.advance(amount)

    def note(self, sign: str, text: str) -> None:
        """Tell a finished step."""
        self._progress.note(sign, text)

    def close(self) -> None:
        """End the last stage."""
        self._progress.close()
