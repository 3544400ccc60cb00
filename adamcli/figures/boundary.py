"""What each network has learnt: a map of its predictions over the plane of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adamcli.figures.fields import Extent, Field, extent_of, field, split_of
from adamcli.figures.glyphs import columns, drawable, inscribe
from adamcli.figures.scales import set_linear_ticks
from adamcli.figures.style import FAINT, INK, WIDTH, Page, look
from adamcli.figures.subject import Plan, Plans, Subject, Trained, accuracy_of, by_label
from adamcli.history import RunHistory, Status
from adamcli.layout import Array
from adamcli.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from adamcli.problems import Dataset, NetworkTask, Split
from adamcli.problems.datafile import File
from adamcli.text import slug

MAX_MAPS = 12
_MAX_ACROSS = 4

# From class 0 to class 1. Both ends are equally dark, so that neither looks more certain;
# in grey the points tell the sides apart, dark ones on class 0 and white ones on class 1.
_CHANCES = LinearSegmentedColormap.from_list(
    "chances", ["#4a90c6", "#a3c6e2", "#f7f7f7", "#f1c09b", "#e0803c"]
)
_CLASS_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, GREY, "#F0E442")
_CLASS_MARKERS = ("o", "s", "^", "D", "v", "P", "<", ">", "p", "h")

# More points than this hide the map; which ones are drawn is always the same.
MAX_POINTS = 500

# Inches.
_LEFT, _RIGHT, _TOP, _GAP, _TITLE = 0.42, 0.12, 0.58, 0.2, 0.42
_WIDEST, _CHARACTER = 3.87, 0.074
_KEY_TOP, _KEY_LEAST, _KEY_ROW, _KEY_BELOW = 0.3, 0.45, 0.2, 0.09
_SAMPLE, _SCALE = 0.34, 2.4

# The key names no more classes, and of a name no more characters.
_MAX_NAMES, _LONGEST_NAME = 20, 24


class _Network(NamedTuple):
    """A trained network."""

    task: NetworkTask
    one: Trained


def plans(subject: Subject) -> Plans:
    """A figure with a map for the first seed of each label, for each problem of a suite."""
    networks = [each for each in _networks(subject) if each.task.dataset.classes]
    planar = [each for each in networks if each.task.dataset.features == 2]
    if not planar:
        return [], ["boundary: left out, the inputs are not two-dimensional"] if networks else []
    problems: dict[str, list[_Network]] = {}
    for each in planar:
        problems.setdefault(each.one.run.problem, []).append(each)
    plans, notes = [], []
    for problem, maps in problems.items():
        name = f"boundary-{slug(problem)}" if problem else "boundary"
        plans.append(Plan(name, partial(_draw, subject, maps[:MAX_MAPS])))
        if len(maps) > MAX_MAPS:
            notes.append(
                f"{name}: the first {MAX_MAPS} of {len(maps)} maps, the others are left out"
            )
    return plans, notes


def _networks(subject: Subject) -> Iterator[_Network]:
    """The first seed of each label that trained a network, on inputs of any dimension."""
    for group in by_label(subject.trained).values():
        if isinstance(group[0].run.task, NetworkTask):
            yield _Network(group[0].run.task, group[0])


def accuracy(histories: Sequence[RunHistory]) -> str:
    """The final accuracy of the first run, with the median where there are several.

    That on held-out points, or on the training set if there are none. The accuracy of a run
    that diverged or failed counts as zero.
    """
    first = histories[0]
    if first.status is not Status.FINISHED:
        return f"{first.status} at step {first.stopped_at}"
    metric = accuracy_of([first])
    own = percent(first.final(metric))
    if len(histories) == 1:
        return f"{_split(metric)} accuracy {own}"
    finals = np.nan_to_num([history.final(metric) for history in histories])
    return f"{own}, median {percent(float(np.median(finals)))}"


def _split(metric: str) -> str:
    """On which points an accuracy is, in words."""
    return metric.removesuffix("_accuracy").replace("train", "training")


def percent(share: float) -> str:
    """A share such as 0.9985 as `99.85%`, as in the tables."""
    return f"{100 * share:.2f}%"


@dataclass(frozen=True)
class _Grid:
    """Where the maps stand on the page, in inches."""

    count: int
    across: int

    @property
    def side(self) -> float:
        """The width and height of a map."""
        room = WIDTH - _LEFT - _RIGHT - (self.across - 1) * _GAP
        return min(room / self.across, _WIDEST)

    @property
    def bottom(self) -> float:
        """Where the last row ends."""
        rows = -(-self.count // self.across)
        return _TOP + rows * (self.side + _TITLE)

    def place(self, index: int) -> tuple[float, float, float, float]:
        """Left, top, width and height of a map."""
        row, column = divmod(index, self.across)
        left = _LEFT + column * (self.side + _GAP)
        return left, _TOP + _TITLE + row * (self.side + _TITLE), self.side, self.side


@look()
def _draw(subject: Subject, networks: Sequence[_Network]) -> Figure:
    """A map for each run on one extent, and below them what colours and shapes mean."""
    grid = _Grid(len(networks), _across([one for _, one in networks]))
    groups = by_label(subject.trained)
    problem = networks[0].one.run.problem
    title = f"{subject.name}{f', {problem}' * bool(problem)}: what the networks learnt"
    key = _Key.of(max((task.dataset for task, _ in networks), key=lambda data: data.classes))
    height = grid.bottom + _KEY_TOP + key.height + _KEY_BELOW
    page = Page(height, title, _subtitle(networks[0], len(groups[networks[0].one.run.label])))
    splits = [split_of(task) for task, _ in networks]
    extent = extent_of(splits)
    classes = key.classes
    for index, ((task, one), split) in enumerate(zip(networks, splits, strict=True)):
        axes = _map_axes(page, grid, index, extent)
        if one.history.status is not Status.FINISHED:
            axes.set_facecolor("#ededed")
        else:
            _draw_field(axes, field(task, one.history, extent), classes)
        _draw_points(axes, split, classes)
        reached = accuracy([seed.history for seed in groups[one.run.label]])
        _write_title(axes, one.run.label, reached, grid.side)
    _add_key(page, grid, key)
    return page.figure


def _across(firsts: Sequence[Trained]) -> int:
    """How many maps stand side by side: in a sweep the labels of one cell, if they fit."""
    cells = len({one.run.cell for one in firsts})
    per_cell = -(-len(firsts) // cells)
    if cells > 1 and per_cell <= _MAX_ACROSS:
        return per_cell
    rows = -(-len(firsts) // _MAX_ACROSS)
    return -(-len(firsts) // rows)


def _subtitle(network: _Network, seeds: int) -> str:
    """Whose predictions these are, what the numbers mean, and which points are drawn."""
    task, (run, history) = network
    numbers = (
        f", {_split(accuracy_of([history]))} accuracy and its median over {seeds} seeds"
        if seeds > 1
        else ""
    )
    n = task.dataset.train_size
    points = f"{MAX_POINTS} of the {n}" if n > MAX_POINTS else f"the {n}"
    return f"seed {run.seed}{numbers}; points: {points} it was trained on"


def _map_axes(page: Page, grid: _Grid, index: int, extent: Extent) -> Axes:
    """An empty map; only the outer ones have numbers on their axes."""
    axes = page.panel(*grid.place(index))
    axes.set_xlim(extent.left, extent.right)
    axes.set_ylim(extent.bottom, extent.top)
    axes.grid(False)
    set_linear_ticks(axes.xaxis, count=4)
    set_linear_ticks(axes.yaxis, count=4)
    axes.tick_params(
        labelleft=index % grid.across == 0, labelbottom=index + grid.across >= grid.count
    )
    return axes


def _write_title(axes: Axes, label: str, reached: str, side: float) -> None:
    """The label and below it the accuracy, above a map."""
    for words, points, colour, size in ((label, 17, INK, 9.5), (reached, 5, FAINT, 8.5)):
        artist = axes.annotate(
            "", (0, 1), (0, points), xycoords="axes fraction", textcoords="offset points"
        )
        artist.set(color=colour, size=size)
        inscribe(artist, words, limit=int(side / _CHARACTER))


def _draw_field(axes: Axes, predictions: Field, classes: int) -> None:
    """The probability of class 1, or the winning class where there are more than two."""
    chances = predictions.chances
    axes.imshow(
        _CHANCES(chances[..., 1]) if classes == 2 else _tints(chances),
        extent=predictions.extent,
        origin="lower",
        aspect="auto",
        interpolation="bilinear",
        interpolation_stage="rgba",
    )
    for margin in predictions.margins():
        if margin.min() < 0 < margin.max():
            lines: dict[str, Any] = {"levels": [0.0], "colors": INK, "linewidths": 1.0}
            axes.contour(*predictions.coordinates, margin, **lines)


def _tints(chances: Array) -> Array:
    """The winning class's colour at each point, paler where it is less certain, (..., 3)."""
    colours = np.array([to_rgb(_class_colour(k)) for k in range(chances.shape[-1])])
    strength = 0.15 + 0.4 * chances.max(axis=-1, keepdims=True)
    tints: Array = 1 - strength * (1 - colours[chances.argmax(axis=-1)])
    return tints


def _class_colour(k: int) -> str:
    """The colour of a class where there are more than two."""
    return _CLASS_COLOURS[k % len(_CLASS_COLOURS)]


def _point_look(k: int, classes: int) -> dict[str, Any]:
    """How the points of a class look: of two, one is dark and one light."""
    if classes == 2:
        face, edge = (("#0b3c5d", "white"), ("white", "#7a3300"))[k]
        return {"marker": "os"[k], "markerfacecolor": face, "markeredgecolor": edge}
    marker = _CLASS_MARKERS[k % len(_CLASS_MARKERS)]
    return {"marker": marker, "markerfacecolor": _class_colour(k), "markeredgecolor": INK}


def _draw_points(axes: Axes, split: Split, classes: int) -> None:
    """The training points by class, or a fixed random choice of very many."""
    x, y = split.train_x, split.train_y
    if len(x) > MAX_POINTS:
        chosen = np.random.default_rng(0).choice(len(x), MAX_POINTS, replace=False)
        x, y = x[chosen], y[chosen]
    for k in range(classes):
        points = _point_look(k, classes) | {"markersize": 2.3, "markeredgewidth": 0.35}
        axes.plot(*x[y == k].T, linestyle="none", **points)


def class_names(dataset: Dataset) -> list[str]:
    """What the key calls each class: the words of the user's file, or `class 0` and so on."""
    words = dataset.table.labels if isinstance(dataset, File) else range(dataset.classes)
    return [f"class {word}" if _is_number(str(word)) else str(word) for word in words]


def _is_number(word: str) -> bool:
    """Whether a class has a number for a name, such as -1 or 2.0."""
    return word.lstrip("-").replace(".", "", 1).isdigit()


@dataclass(frozen=True)
class _Key:
    """The names of the classes and in how many columns they stand below the maps.

    Attributes:
        names: as they are drawn; the last one says how many are not named.
    """

    classes: int
    names: tuple[str, ...]
    across: int

    @classmethod
    def of(cls, dataset: Dataset) -> _Key:
        """The key of a dataset, in as many columns as fit."""
        names = class_names(dataset)
        if len(names) > _MAX_NAMES:
            names = [*names[: _MAX_NAMES - 1], f"and {len(names) - _MAX_NAMES + 1} more"]
        key = cls(dataset.classes, tuple(names), len(names))
        while key.across > 1 and key.width > WIDTH - _LEFT - _RIGHT:
            key = replace(key, across=key.across - 1)
        return key

    @property
    def width(self) -> float:
        """Inches that the columns take, each as wide as its longest name."""
        lengths = [columns(drawable(name, _LONGEST_NAME)[0]) for name in self.names]
        parts = np.array_split(lengths, self.across)
        return float(sum(_SAMPLE + _CHARACTER * part.max() for part in parts))

    @property
    def height(self) -> float:
        """Inches from the first row to the last."""
        return max(_KEY_LEAST, _KEY_ROW * -(-len(self.names) // self.across))

    def handles(self) -> list[Line2D]:
        """A point of each class that is named."""
        looks = [_point_look(k, self.classes) for k in range(min(self.classes, _MAX_NAMES))]
        if len(looks) < self.classes:
            looks[-1] = {"marker": ""}
        return [Line2D([], [], linestyle="none", markersize=5, **look) for look in looks]


def _add_key(page: Page, grid: _Grid, key: _Key) -> None:
    """The points' classes, and for two classes the scale of the colours."""
    top = grid.bottom + _KEY_TOP
    strip = page.panel(_LEFT, top, WIDTH - _LEFT - _RIGHT, key.height)
    strip.set_axis_off()
    legend = strip.legend(
        key.handles(),
        ["class"] * len(key.names),
        loc="center left",
        ncols=key.across,
        borderaxespad=0,
        handlelength=1,
        handletextpad=0.4,
        columnspacing=1.0,
    )
    for artist, name in zip(legend.get_texts(), key.names, strict=True):
        inscribe(artist, name, limit=_LONGEST_NAME)
    if key.classes == 2:
        _add_colour_scale(page, max(2.1, key.width + 0.3), top + 0.14, key.names[1])


def _add_colour_scale(page: Page, left: float, top: float, name: str) -> None:
    """A bar from certainly the first class to certainly the second one."""
    axes = page.panel(_LEFT + left, top, _SCALE, 0.11)
    axes.imshow(_CHANCES(np.linspace(0, 1, 256))[None], extent=(0, 1, 0, 1), aspect="auto")
    axes.grid(False)
    axes.set_yticks([])
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    title = axes.set_title("", fontsize=8.5, pad=3)
    inscribe(title, f"probability of {name}", limit=_LONGEST_NAME + len("probability of "))
