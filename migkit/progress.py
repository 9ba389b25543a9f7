"""One progress protocol; terminals, notebooks and plain logs each render it in their own way.

Verbs report into a :class:`Progress` and never print. The doors (command line, notebook, papermill) choose how it
looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """What a verb tells about its work while it goes on."""

    def begin(self, label: str, total: int | None = None) -> None:
        """Start a stage of `total` units (``None``: unknown), ending the stage before it."""

    def advance(self, amount: int = 1) -> None:
        """Count units of the present stage as done."""

    def note(self, sign: str, text: str) -> None:
        """Tell a finished step: `sign` is one of ``✓ ⚠ ✗ + ·``, `text` one line."""

    def close(self) -> None:
        """End the last stage; nothing is reported afterwards."""


@runtime_checkable
class LiveProgress(Progress, Protocol):
    """A renderer that also has a place for what is observed while the work goes on: a timeline, a curve."""

    def fact(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Take what was observed just now.

        Parameters
        ----------
        kind : str
            ``lock`` (a row of the frame ``locks`` so far), ``wait`` (of ``waits``), ``statement`` (of ``statements``),
            ``progress`` (of ``progress``), ``load`` (a second of a load test's ``timeline``).
        facts : mapping
            The row.
        """


def tell(progress: Progress, kind: str, facts: Mapping[str, Any]) -> None:
    """Hand an observation to a renderer that has a place for it; others go without."""
    if isinstance(progress, LiveProgress):
        progress.fact(kind, facts)


class Silent:
    """A renderer that shows nothing; what verbs use when nobody watches."""

    def begin(self, label: str, total: int | None = None) -> None:
        """Ignore."""

    def advance(self, amount: int = 1) -> None:
        """Ignore."""

    def note(self, sign: str, text: str) -> None:
        """Ignore."""

    def close(self) -> None:
        """Ignore."""


SILENT = Silent()
