"""The way of every label over a surface of two parameters, on its contour lines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamcli.figures.frame import MAX_FRAMES, framed
from adamcli.figures.scales import Limits
from adamcli.figures.style import INK, look
from adamcli.figures.subject import Plan, Plans, Subject, Trained, by_label
from adamcli.layout import Array
from adamcli.palette import Style
from adamcli.problems import ObjectiveTask, Surface
from adamcli.text import slug

_COORDINATES = ("x[0]", "x[1]")

# Points along a side of the grid, contour lines, and the heights between which they lie, as
# shares of the largest.
_SIDE, _LEVELS, _LOWEST = 200, 14, 1e-5

# A path is followed so far outside the box of starts, in widths of the box, and at least so far.
_OUTSIDE, _LEAST = 0.5, 2.0


class _Path(NamedTuple):
    """Where a run was before the first step and after each one, (steps + 1, 2)."""

    one: Trained
    points: Array


def plans(subject: Subject) -> Plans:
    """A figure of each surface of two parameters whose coordinates were both traced."""
    cells: dict[str, list[_Path]] = {}
    for cell, trained in subject.cells().items():
        firsts = (group[0] for group in by_label(trained).values())
        paths = [path for path in map(_path, firsts) if path is not None]
        if paths:
            cells[cell] = paths
    names = {cell: f"surface-{slug(cell)}" if cell else "surface" for cell in cells}
    figures = [Plan(names[c], partial(_draw, subject, c, cells[c])) for c in [*cells][:MAX_FRAMES]]
    more = len(cells) - len(figures)
    return figures, [f"surface: {more} more are left out"] if more else []


def _path(one: Trained) -> _Path | None:
    """The path of a run, from its start and the updates that were recorded."""
    task = one.run.task
    if surface_of(one) is None or any(name not in one.history.traces for name in _COORDINATES):
        return None
    start = task.stacked([task]).start()[0].astype(np.float64)
    updates = [one.history.traces[name]["update"] for name in _COORDINATES]
    steps = np.cumsum(np.stack(updates, axis=1), axis=0)
    return _Path(one, np.concatenate([start[None], start + steps]))


def surface_of(one: Trained) -> Surface | None:
    """The surface of two parameters that a run is on, if it is."""
    task = one.run.task
    if not isinstance(task, ObjectiveTask) or not isinstance(task.objective, Surface):
        return None
    return task.objective if task.objective.dimensions == 2 else None


@look()
def _draw(subject: Subject, cell: str, paths: Sequence[_Path]) -> Figure:
    """Contour lines, darker where it is lower, and the paths from their common start."""
    surface = surface_of(paths[0].one)
    assert surface is not None
    shown = [path.one for path in paths]
    title = f"{subject.name}{f', {cell}' * bool(cell)}: the ways down"
    subtitle = (
        f"seed {shown[0].run.seed}; circle: start, marker: end; "
        "from line to line the height grows by the same factor"
    )
    page, axes = framed(title, subtitle, shown, subject.styles)
    across, up = limits_of(surface, [path.points for path in paths])
    axes.set_xlim(*across)
    axes.set_ylim(*up)
    axes.set_xlabel(_COORDINATES[0])
    axes.set_ylabel(_COORDINATES[1])
    axes.grid(False)
    _draw_contours(axes, surface, across, up)
    for path in paths:
        _draw_path(axes, path.points, subject.styles[path.one.run.label])
    return page.figure


def limits_of(surface: Surface, paths: Sequence[Array]) -> tuple[Limits, Limits]:
    """What is shown of each coordinate: the box of starts, and of the paths what stays near."""
    every = np.concatenate(paths)
    every = every[np.isfinite(every).all(axis=1)]
    bounds = []
    for (low, high), values in zip(surface.box, every.T, strict=True):
        room = max(_OUTSIDE * (high - low), _LEAST)
        least, most = (
            max(min(low, values.min()), low - room),
            min(max(high, values.max()), high + room),
        )
        air = 0.06 * (most - least)
        bounds.append((float(least - air), float(most + air)))
    return bounds[0], bounds[1]


def _draw_contours(axes: Axes, surface: Surface, across: Limits, up: Limits) -> None:
    """Lines of equal height, evenly spaced on a log scale."""
    x, y = np.linspace(*across, _SIDE), np.linspace(*up, _SIDE)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    heights = surface.value(grid).reshape(_SIDE, _SIDE)
    top = heights.max()
    levels = np.geomspace(_LOWEST * top, top, _LEVELS)
    axes.contourf(
        x, y, np.maximum(heights, levels[0]), levels, cmap="Greys_r", norm="log", alpha=0.35
    )
    axes.contour(x, y, heights, levels, colors="white", linewidths=0.6)


def _draw_path(axes: Axes, points: Array, style: Style) -> None:
    """A path with a circle at its start and the label's marker at its end."""
    x, y = points.T
    dashes = style.dash or (None, None)
    axes.plot(x, y, color=style.colour, dashes=dashes, linewidth=1.3, zorder=3)
    axes.plot(x[:1], y[:1], "o", markerfacecolor="white", markeredgecolor=INK, zorder=5)
    axes.plot(
        x[-1:],
        y[-1:],
        marker=style.marker,
        markersize=8,
        color=style.colour,
        markeredgecolor="white",
        clip_on=True,
        zorder=4,
    )
