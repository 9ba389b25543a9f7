"""The renderer of progress for notebooks: one block per cell that lives while the cell runs and then freezes.

It is plain HTML that is replaced in place: no widget that a saved notebook could lose.
"""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from migkit.display.live import Live, Ticker
from migkit.display.live_view import ended_html, live_html, moment_text

QUIET_SECONDS = 0.5


def notebook_shell() -> Any | None:
    """Return the shell of the notebook in which this runs and which somebody watches; else ``None``.

    Who executes notebooks without watching (papermill, nbconvert) says so by not answering questions of the kernel.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    if shell is None or kernel is None or not hasattr(shell, "display_pub"):
        return None
    request = kernel.get_parent() if hasattr(kernel, "get_parent") else {}
    return shell if request.get("content", {}).get("allow_stdin") else None


class NotebookProgress(Live):
    """Progress of everything that one cell does, drawn into that cell.

    Parameters
    ----------
    shell : InteractiveShell
        The shell of the notebook.
    """

    _present: NotebookProgress | None = None
    _presence = threading.Lock()

    def __init__(self, shell: Any) -> None:
        super().__init__()
        self._shell = shell
        self._display_id = f"migkit-{uuid.uuid4().hex}"
        self._is_shown = False
        self._drawn_changes = -1
        self._drawing = threading.Lock()
        self._is_over = False
        self._ticker = Ticker(self._draw)

    @classmethod
    def of_cell(cls, shell: Any) -> NotebookProgress:
        """Return the progress of the cell that runs now: one for all that it does."""
        with cls._presence:
            if cls._present is None:
                cls._present = cls(shell)
                shell.events.register("post_run_cell", cls._cell_ended)
                cls._present._ticker.start()
            return cls._present

    @classmethod
    def _cell_ended(cls, result: Any) -> None:
        with cls._presence:
            progress, cls._present = cls._present, None
        if progress is not None:
            progress._shell.events.unregister("post_run_cell", cls._cell_ended)
            progress.freeze(getattr(result, "error_in_exec", None))

    def note(self, sign: str, text: str) -> None:
        """Keep a finished step; the first one is shown at once."""
        super().note(sign, text)
        if not self._is_shown:
            self._draw()

    def freeze(self, error: BaseException | None) -> None:
        """Draw for the last time: static text, and the picture of what was observed."""
        self._ticker.stop()
        moment = self.moment(ended=True)
        ending = "done" if error is None else "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        with self._drawing:
            self._is_over = True
            if self._is_shown or moment.lines:
                self._publish(ended_html(moment, ending), moment_text(moment, ending))

    def _draw(self) -> None:
        moment = self.moment()
        if not self._is_shown and not moment.lines and moment.seconds < QUIET_SECONDS:
            return  # What is over in a moment needs no bar.
        with self._drawing:
            if not self._is_over:
                self._publish(live_html(moment), moment_text(moment))

    def _publish(self, html: str, text: str) -> None:
        data: Mapping[str, str] = {"text/plain": text, "text/html": html}
        transient = {"display_id": self._display_id}
        self._shell.display_pub.publish(data=data, metadata={}, transient=transient, update=self._is_shown)
        self._is_shown = True
