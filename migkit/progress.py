"""One progress protocol; terminals, notebooks and plain logs each render it in their own way.

Verbs report into a :class:`Progress` and never print. The doors (command line, notebook, papermill) choose how it
looks.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable


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
