"""What every plot shares: ink that reads on light and dark, colours told apart by everyone, SVG and PNG."""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from migkit.display.escape import clean_line
from migkit.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#7a7a7a"  # readable on white (4.3:1) and on near-black (4.6:1); the report replaces it with its own ink
BLUE, SKY, ORANGE, VERMILLION, GREEN = "#0072b2", "#56b4e9", "#e69f00", "#d55e00", "#009e73"  # Okabe-Ito
WIDTH_INCHES = 7.6
TEXT_POINTS = 9.2
PANEL = (0.24, 0.38)  # left edge and width of axes with names to the left and words to the right
SMALL_POINTS = 8.2  # at a width of 600 pixels, 9 pixels high

_SETTINGS: Any = {
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "font.size": TEXT_POINTS,
    "font.family": ["DejaVu Sans"],
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "migkit",
    "axes.unicode_minus": True,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with the shared look, and without warnings about scripts the plot font lacks.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingExtra("matplotlib", "notebook", "Drawing a plot") from None
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message=r"Matplotlib currently does not support", category=UserWarning)
        yield


@cache
def _figure_class() -> type[Figure]:
    from matplotlib.figure import Figure

    class ShownFigure(Figure):
        """A figure that notebooks show as it is, whether or not pyplot was ever imported."""

        def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            words = self.get_label()
            return {"image/png": figure_png(self), "text/plain": words or repr(self)}, {"image/png": {"alt": words}}

    return ShownFigure


def empty_figure(height_inches: float) -> Figure:
    """Return an empty figure as wide as all others; never registered with pyplot."""
    return _figure_class()(figsize=(WIDTH_INCHES, height_inches))


def new_figure(height_inches: float) -> tuple[Figure, Axes]:
    """Return an empty figure with bare axes over all of it."""
    figure = empty_figure(height_inches)
    return figure, add_panel(figure, 0.0, height_inches, (0.0, 1.0))


def add_panel(figure: Figure, top_inches: float, height_inches: float, across: tuple[float, float] = PANEL) -> Axes:
    """Add bare axes to a figure, `top_inches` below its upper edge.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Where to.
    top_inches, height_inches : float
        Where the axes begin, and how high they are.
    across : tuple of float
        Left edge and width, as shares of the figure's width.
    """
    inches = float(figure.get_size_inches()[1])
    bottom = 1 - (top_inches + height_inches) / inches
    axes = figure.add_axes((across[0], bottom, across[1], height_inches / inches))
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_alpha(0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_yticks([])
    return axes


def time_axis(axes: Axes, extent_ms: float, words: str) -> None:
    """Let the horizontal axis count milliseconds, shown as seconds where there are many; no words, no numbers."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    unit, divisor = ("s", 1000.0) if extent_ms >= 2000 else ("ms", 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / divisor:g}" if words else ""))
    if words:
        axes.set_xlabel(f"{unit} {words}", labelpad=4)
    axes.grid(axis="x", color=INK, alpha=0.18, linewidth=0.6)
    axes.set_axisbelow(True)


def faded(colour: str, opacity: float = 0.3) -> tuple[float, float, float, float]:
    """Return a colour that lets its ground through."""
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return (red, green, blue, opacity)


def write(
    axes: Axes, text: str, at: tuple[float, float], offset: tuple[float, float], coords: str, **style: Any
) -> None:
    """Write beside the data: `coords` says what each number of `at` counts, ``"fraction data"`` or ``"data fraction"``.

    `offset` is in points.
    """
    kinds = tuple("axes fraction" if kind == "fraction" else "data" for kind in coords.split())
    place: Any = {"xycoords": kinds, "textcoords": "offset points", "annotation_clip": False}
    axes.annotate(text, at, offset, **place, **style)


def sentence_figure(sentence: str) -> Figure:
    """Return a figure that says why there is nothing to see."""
    figure, axes = new_figure(0.5)
    figure.set_label(sentence)
    axes.set_axis_off()
    axes.text(0.0, 0.5, clean_line(sentence), transform=axes.transAxes, va="center")
    return figure


def figure_png(figure: Figure, dpi: int = 110) -> bytes:
    """Return a figure as a small PNG with a transparent background."""
    with drawing():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dpi, transparent=True, metadata={"Software": None})
    return buffer.getvalue()


def figure_svg(figure: Figure, alt: str) -> str:
    """Return a figure as SVG that takes its ink from the text around it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        A figure drawn by this package.
    alt : str
        What the figure shows, in words.

    Returns
    -------
    str
        One ``<svg>`` element, the same for the same data, without declarations or metadata.
    """
    with drawing():
        buffer = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font: \1px sans-serif", svg)
    svg = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", svg, count=2)
    # An attribute on the root yields to any style sheet, so a page can set its own ink.
    svg = svg.replace(INK, "currentColor").replace("<svg", f'<svg color="{INK}" role="img"', 1)
    label = html.escape(clean_line(alt), quote=True)
    return svg.replace(">", f' aria-label="{label}"><title>{label}</title>', 1)
