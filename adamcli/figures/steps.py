"""Rows of panels over the steps of a training: the first steps beside all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from adamcli.figures.glyphs import fit
from adamcli.figures.scales import hide_x, limits, set_linear_ticks, set_scale, shown
from adamcli.figures.style import EDGE, FAINT, Page
from adamcli.layout import Array

EARLY = 100
"""The first steps have a column of their own: there bias correction decides."""

TOP = 0.86
"""Inches above the first row, where the page has its title."""

# Inches: the panels; a sample of a line with the gaps around it, and at least before the first.
_LEFT, _GAP, _EARLY_WIDTH, _WHOLE_WIDTH = 0.85, 0.85, 2.55, 4.05
_WIDTH = _EARLY_WIDTH + _GAP + _WHOLE_WIDTH
_SAMPLE, _SPACE = 0.66, 0.2

# The names of a row's lines have at most this part of its width, the title has the rest.
_NAMES_SHARE = 0.7

# Positive values that span more than this are drawn on a log axis, and those of both signs,
# by their magnitudes, when the largest is so many times a middling one of any line.
_WIDE, _TAILED = 30.0, 1000.0

# Of fewer steps the last one needs more room.
_FEW = 20

# So many medians show the course of noisy lines that lie over each other.
_MEDIANS = 120


class Line(NamedTuple):
    """A series, one value per step, and how it is drawn.

    Attributes:
        values: (T,).
        pen: as Matplotlib's `plot` takes it.
        name: in the legend above the row; empty for none.
    """

    values: Array
    pen: dict[str, Any]
    name: str = ""


class Row(NamedTuple):
    """The lines that share panels.

    Attributes:
        log: whether they are drawn on a log axis, whatever their values are.
        course: whether medians of neighbouring steps stand for all steps.
        note: small words above the row, on the right.
    """

    title: str
    lines: Sequence[Line]
    log: bool = False
    course: bool = False
    note: str = ""


class _Shape(NamedTuple):
    """What is drawn of a line: places, values, and the edges of a band around them."""

    x: Array
    y: Array
    low: Array
    high: Array


def pitch(height: float) -> float:
    """Inches from the top of a row of panels so high to that of the next."""
    return height + 0.35


def course_note(steps: int) -> str:
    """What the end of a subtitle says of rows with a course; nothing if they show each step."""
    if steps <= 2 * EARLY:
        return ""
    return f"; on the right medians of {_block(steps)} steps, band: their middle 80 %"


def _block(steps: int) -> int:
    """How many neighbouring steps one median stands for."""
    return max(1, -(-steps // _MEDIANS))


def draw_rows(page: Page, rows: Sequence[Row], height: float) -> None:
    """All rows, one below the other.

    Args:
        height: of a panel, in inches.
    """
    steps = max((len(line.values) for row in rows for line in row.lines), default=0)
    for k, row in enumerate(rows):
        panels = _panels(page, TOP + k * pitch(height), height, steps)
        _fill(panels, row)
        if k < len(rows) - 1:
            for axes, _ in panels:
                hide_x(axes)
        else:
            _name_steps(panels)


def _panels(page: Page, top: float, height: float, steps: int) -> list[tuple[Axes, int]]:
    """The panels of a row, each with how many steps it shows; one if there are few steps."""
    if steps <= 2 * EARLY:
        return [(page.panel(_LEFT, top, _WIDTH, height), steps)]
    right = _LEFT + _EARLY_WIDTH + _GAP
    early = page.panel(_LEFT, top, _EARLY_WIDTH, height)
    return [(early, EARLY), (page.panel(right, top, _WHOLE_WIDTH, height), steps)]


def _name_steps(panels: Sequence[tuple[Axes, int]]) -> None:
    """The x axes of the lowest row."""
    *early, (axes, stop) = panels
    axes.set_xlabel(f"step, all {stop}" if early else "step")
    for first, some in early:
        first.set_xlabel(f"step, the first {some}")


def _fill(panels: Sequence[tuple[Axes, int]], row: Row) -> None:
    """The lines of a row in each of its panels."""
    lines, log, remark = _scaled(row)
    for axes, stop in panels:
        shape = _course if row.course and stop > 2 * EARLY else _every_step
        shapes = [shape(shown(line.values[:stop], log)) for line in lines]
        set_scale(axes, limits((edge for s in shapes for edge in s[1:]), log), log)
        for k, (line, drawn) in enumerate(zip(lines, shapes, strict=True)):
            _draw(axes, drawn, {"zorder": 2 + k / len(lines), "label": line.name, **line.pen})
        axes.set_xlim(0, stop * 1.01 if stop > _FEW else stop + 0.5)
        set_linear_ticks(axes.xaxis, count=6, whole=True)
        if not log and axes.get_ylim()[0] < 0 < axes.get_ylim()[1]:
            axes.axhline(0, color=EDGE, linewidth=0.7, zorder=1)
    _write(panels[0][0], panels[-1][0], f"{row.title}{remark}", row)


def _scaled(row: Row) -> tuple[list[Line], bool, str]:
    """The lines as they are drawn, whether on a log axis, and what the title says of it."""
    signed = any((line.values < 0).any() for line in row.lines)
    sizes = [size for line in row.lines if len(size := _sizes(line.values))]
    low = [np.median(size) if signed else size.min() for size in sizes]
    high = [size.max() for size in sizes]
    if not row.log and (not sizes or max(high) / min(low) <= (_TAILED if signed else _WIDE)):
        return [*row.lines], False, ""
    if not signed:
        return [*row.lines], True, ", log scale"
    lines = [line._replace(values=np.abs(line.values)) for line in row.lines]
    return lines, True, ", magnitude, log scale"


def _sizes(values: Array) -> Array:
    """The magnitudes that can be drawn on a log axis."""
    sizes = shown(np.abs(values), log=True)
    return sizes[np.isfinite(sizes)]


def _every_step(values: Array) -> _Shape:
    """Every value at its step, without a band."""
    return _Shape(np.arange(1, len(values) + 1), values, values, values)


def _course(values: Array) -> _Shape:
    """Medians of neighbouring steps at their middle, and the middle four fifths of each."""
    size = _block(len(values))
    count = -(-len(values) // size)
    padded = np.full(count * size, np.nan)
    padded[: len(values)] = values
    blocks = np.sort(padded.reshape(count, size), axis=1)  # NaN last
    last = np.maximum(np.isfinite(blocks).sum(axis=1) - 1, 0)
    low, median, high = (
        blocks[np.arange(count), np.rint(part * last).astype(int)] for part in (0.1, 0.5, 0.9)
    )
    return _Shape(np.arange(count) * size + (size + 1) / 2, median, low, high)


def _draw(axes: Axes, shape: _Shape, pen: dict[str, Any]) -> None:
    """A line, its band, and dots for values between ones that cannot be drawn."""
    if shape.low is not shape.high:
        axes.fill_between(
            shape.x, shape.low, shape.high, color=pen["color"], alpha=0.13, linewidth=0
        )
    axes.plot(shape.x, shape.y, **pen)
    alone = _alone(shape.y)
    if alone.any():
        dot = {"color": pen["color"], "zorder": pen["zorder"], "linestyle": "none"}
        size = 5 if len(alone) <= 2 * EARLY else 2
        axes.plot(shape.x[alone], shape.y[alone], marker=".", markersize=size, **dot)


def _alone(values: Array) -> Array:
    """Which finite values have no finite neighbour, so that a line would not show them."""
    finite = np.concatenate([[False], np.isfinite(values), [False]])
    return finite[1:-1] & ~finite[:-2] & ~finite[2:]


def _write(first: Axes, last: Axes, title: str, row: Row) -> None:
    """The title above the first panel; names or note above the last one, on the right."""
    named = [line for line in row.lines if line.name]
    taken = _add_names(last, named) if named else 0.0
    if row.note:
        font: dict[str, Any] = {"color": FAINT, "fontsize": 8.5, "fontweight": "normal"}
        taken = fit(last.set_title("", loc="right", **font), row.note, _NAMES_SHARE * _WIDTH)
    fit(first.set_title(""), title, _WIDTH - taken - _SPACE)


def _add_names(axes: Axes, lines: Sequence[Line]) -> float:
    """A legend in one line above a panel; how many inches it takes."""
    # A legend drops entries that begin with an underscore, so their text is set afterwards.
    legend = axes.legend(
        [Line2D([], [], **line.pen) for line in lines],
        ["name"] * len(lines),
        ncols=len(lines),
        loc="lower right",
        bbox_to_anchor=(1, 1),
        borderpad=0,
        borderaxespad=0.35,
    )
    entries = [*zip(legend.get_texts(), (line.name for line in lines), strict=True)]
    widest = _widest([fit(text, name, _WIDTH) for text, name in entries])
    return sum(fit(text, name, widest) + _SAMPLE for text, name in entries)


def _widest(widths: Sequence[float]) -> float:
    """How wide a name may be in a legend, so that short ones stay whole where long ones are cut."""
    room = _NAMES_SHARE * _WIDTH - _SAMPLE * len(widths)
    for left, width in zip(range(len(widths), 0, -1), sorted(widths), strict=True):
        if width * left > room:
            return room / left
        room -= width
    return _WIDTH
