"""A section of a report: fragments and plots that a notebook displays one by one."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migkit.display.figure import figure_png, figure_svg
from migkit.display.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Fragment:
    """HTML, and the same as text for readers without HTML."""

    html: str
    text: str

    def bundle(self) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the data and metadata of a notebook output."""
        return {"text/html": styled(self.html), "text/plain": self.text}, {}


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure and what it shows in words.

    Notebooks executed elsewhere open untrusted and show no SVG: the PNG is for them.
    """

    figure: Figure
    alt: str

    def bundle(self) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the data and metadata of a notebook output."""
        data = {
            "image/svg+xml": figure_svg(self.figure, self.alt),
            "image/png": base64.b64encode(figure_png(self.figure)).decode("ascii"),
            "text/plain": self.alt,
        }
        return data, {"image/png": {"alt": self.alt}}


@dataclass(frozen=True, eq=False)
class Section:
    """Parts in reading order."""

    parts: tuple[Fragment | Plot, ...]

    @property
    def html(self) -> str:
        """The fragments, and the plots as inline SVG."""
        return "".join(
            part.html if isinstance(part, Fragment) else figure_svg(part.figure, part.alt) for part in self.parts
        )

    @property
    def text(self) -> str:
        """The section as text; plots by their words."""
        return "\n".join(part.text if isinstance(part, Fragment) else part.alt for part in self.parts)

    def __repr__(self) -> str:
        return self.text

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for part in self.parts:
            data, metadata = part.bundle()
            display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
