"""Renderers of progress: lines for logs and pipes, a bar for terminals; the one for notebooks lies beside this."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

from migkit.display import units
from migkit.display.escape import clean_line
from migkit.display.lines import Line
from migkit.display.notebook import NotebookProgress, notebook_shell
from migkit.progress import Progress

LOG_EVERY_SECONDS = 10.0

_ASCII_SIGNS = str.maketrans({"✓": "ok", "⚠": "!!", "✗": "xx", "·": "-", "→": "->", "–": "-", "−": "-", "…": "..."})


def default_progress(stream: TextIO | None = None) -> Progress:
    """Return the renderer that fits a stream.

    Parameters
    ----------
    stream : TextIO, optional
        Where people look; by default the notebook's cell, else the standard error stream, so that results can be piped.

    Returns
    -------
    Progress
        A block in the cell of a notebook that somebody watches, a bar where the stream is a terminal, log lines
        elsewhere.
    """
    shell = notebook_shell() if stream is None else None
    if shell is not None:
        return NotebookProgress.of_cell(shell)
    stream = stream or sys.stderr
    return TerminalProgress(stream) if stream.isatty() else PlainProgress(stream)


def printable(text: str, stream: TextIO) -> str:
    """Return a text that the stream's encoding can carry; signs become ASCII where it is too narrow."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII_SIGNS).encode(encoding, "backslashreplace").decode(encoding)
    return text


class PlainProgress:
    """Log lines: one per stage and step, and one every ten seconds of a long stage.

    Parameters
    ----------
    stream : TextIO
        Where the lines go; each is flushed.
    clock : callable, optional
        A monotonic clock in seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.RLock()
        self._label, self._total, self._done = "", None, 0
        self._told_at = clock()

    _total: int | None

    def begin(self, label: str, total: int | None = None) -> None:
        """Start a stage: one line."""
        with self._lock:
            self._label, self._total, self._done, self._told_at = label, total, 0, self._clock()
            self._write(f"· {clean_line(label)} …")

    def advance(self, amount: int = 1) -> None:
        """Count units as done; tells so every ten seconds."""
        with self._lock:
            self._done += amount
            now = self._clock()
            if now - self._told_at >= LOG_EVERY_SECONDS:
                self._told_at = now
                self._write(f"· {clean_line(self._label)}: {self._share()}")

    def _share(self) -> str:
        if not self._total:
            return units.count(self._done)
        return f"{units.count(self._done)} of {units.count(self._total)} ({100 * self._done // self._total} %)"

    def note(self, sign: str, text: str) -> None:
        """Tell a finished step: one line."""
        with self._lock:
            self._write(str(Line(sign, text)))

    def close(self) -> None:
        """End; nothing is left to clear."""

    def _write(self, line: str) -> None:
        self._stream.write(printable(line, self._stream) + "\n")
        self._stream.flush()


class TerminalProgress:
    """A bar for the present stage, and lines above it for what is finished.

    Parameters
    ----------
    stream : TextIO
        A terminal.
    """

    _WITH_TOTAL = "{desc} {bar:24} {n_fmt}/{total_fmt} {elapsed}"
    _WITHOUT_TOTAL = "{desc} {elapsed}"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._bar: Any = None

    def begin(self, label: str, total: int | None = None) -> None:
        """Start a stage, its bar in the place of the last one."""
        from tqdm import tqdm

        with self._lock:
            self._end()
            self._bar = tqdm(
                total=total,
                # A brace in a name would be read as a field of the bar.
                desc=printable(f"· {clean_line(label)}", self._stream),
                bar_format=self._WITH_TOTAL if total else self._WITHOUT_TOTAL,
                file=self._stream,
                leave=False,
                dynamic_ncols=True,
                ascii=" -#" if printable("█", self._stream) != "█" else None,
                mininterval=0.1,
            )

    def advance(self, amount: int = 1) -> None:
        """Move the bar."""
        with self._lock:
            if self._bar is not None:
                self._bar.update(amount)

    def note(self, sign: str, text: str) -> None:
        """Tell a finished step above the bar."""
        with self._lock:
            line = printable(str(Line(sign, text)), self._stream)
            if self._bar is None:
                self._stream.write(line + "\n")
                self._stream.flush()
            else:
                self._bar.clear()
                self._stream.write(line + "\n")
                self._bar.refresh()

    def close(self) -> None:
        """Take the bar away."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
