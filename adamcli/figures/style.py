"""The look that all figures share, and how one becomes a file.

Nothing is global: `look` holds while a figure is made or saved, and starts from
Matplotlib's own defaults whatever the user's settings are.
"""

from __future__ import annotations

import contextlib
import gc
import io
from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation

from adamcli.figures.glyphs import MAIN, fit
from adamcli.figures.png import encode
from adamcli.layout import Array
from adamcli.palette import Style

WIDTH = 8.5
"""Inches. At 180 dots per inch, and shown 850 pixels wide, 9 points are 12.5 pixels."""

DPI = 180
INK, FAINT, EDGE, PALE = "#222222", "#6a6a6a", "#9a9a9a", "#e4e4e4"

FORMATS = ("png", "svg", "pdf")

_LOOK: dict[str, Any] = {
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "font.family": [MAIN],
    "font.size": 9,
    "text.color": INK,
    "text.usetex": False,
    "text.parse_math": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 5,
    "axes.titley": 1.0,
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": EDGE,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.color": EDGE,
    "ytick.color": EDGE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "path",
    "svg.hashsalt": "adamcli",
}

# Settings that would start a window or cannot be set in a context.
_NOT_LOOKS = ("backend", "interactive", "toolbar", "tk.", "webagg.", "date.epoch", "timezone")

_DEFAULTS: dict[Any, Any] = {
    name: value
    for name, value in matplotlib.rcParamsDefault.items()
    if not name.startswith(_NOT_LOOKS)
}

# No dates and no version numbers, so that equal figures are equal files.
_ANONYMOUS: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@contextlib.contextmanager
def look() -> Iterator[None]:
    """The settings that every figure is made and saved under."""
    with matplotlib.rc_context(_DEFAULTS | _LOOK), _without_collector():
        yield


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """No garbage collection: among the thousands of parts of a figure it is all delay."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def render(figure: Figure, fmt: str) -> bytes:
    """A figure as the bytes of a file, the same bytes for the same figure.

    Args:
        figure: as a plan draws it.
        fmt: one of `FORMATS`; a PNG is 1530 pixels wide.
    """
    with look():
        return encode(_pixels(figure)) if fmt == "png" else _vectors(figure, fmt)


def _pixels(figure: Figure) -> Array:
    """The drawn figure, (height, width, 3); it covers its page, so there is no transparency."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _vectors(figure: Figure, fmt: str) -> bytes:
    """The figure as an SVG or PDF file."""
    file = io.BytesIO()
    figure.savefig(file, format=fmt, metadata=_ANONYMOUS[fmt])
    return file.getvalue()


def dot(style: Style) -> dict[str, Any]:
    """How a label's points are drawn, as arguments of `Axes.plot`."""
    return {
        "color": style.colour,
        "marker": style.marker,
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
    }


def pen(style: Style) -> dict[str, Any]:
    """How a label's line with its markers is drawn, as arguments of `Axes.plot`."""
    return {**dot(style), "dashes": style.dash or (None, None)}


class Page:
    """A figure laid out in inches from its top left corner: title, panels, legend."""

    def __init__(self, height: float, title: str, subtitle: str = "") -> None:
        self.height = height
        self.figure = Figure(figsize=(WIDTH, height))
        self._write(0.12, 0.12, title, weight="bold", size=11)
        self._write(0.12, 0.36, subtitle, color=FAINT)

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        """A new panel at a place given in inches."""
        bottom = self.height - top - height
        axes = self.figure.add_axes(
            (left / WIDTH, bottom / self.height, width / WIDTH, height / self.height)
        )
        # A place for the axis labels, or Matplotlib measures every tick to find one.
        axes.yaxis.set_label_coords(-0.1, 0.5)
        points = ScaledTranslation(0, -19 / 72, self.figure.dpi_scale_trans)
        axes.xaxis.set_label_coords(0.5, 0, transform=axes.transAxes + points)
        return axes

    def _write(self, left: float, top: float, words: str, **font: Any) -> Text:
        """A line of text, its top left corner given in inches, cut where the page ends."""
        artist = self.figure.text(
            left / WIDTH, 1 - top / self.height, "", ha="left", va="top", **font
        )
        fit(artist, words, WIDTH - 2 * left)
        return artist
