"""The course of training: loss, accuracy, gradient norm and mean update by epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from adamcli.figures import legend
from adamcli.figures.scales import (
    HUGE,
    hide_x,
    inner_limits,
    limits,
    set_linear_ticks,
    set_scale,
    shown,
)
from adamcli.figures.style import Page, look, pen
from adamcli.figures.subject import (
    Most,
    Plans,
    Subject,
    Trained,
    by_label,
    plans_of_best,
)
from adamcli.history import RunHistory, Status
from adamcli.layout import Array
from adamcli.palette import DASHED, SOLID, Dash, Style


class Panel(NamedTuple):
    """One of the four panels: its metrics (those of held-out points dashed) and its scale."""

    title: str
    metrics: tuple[str, ...]
    log: bool


PANELS = (
    Panel("training loss", ("train_loss",), log=True),
    Panel("accuracy", ("train_accuracy", "test_accuracy", "validation_accuracy"), log=False),
    Panel("gradient norm, last batch of the epoch", ("grad_norm",), log=True),
    Panel("mean update |Δθ|, last step of the epoch", ("update_size",), log=True),
)

_MOST = Most(cells=16, labels=16)

# More single seeds than this only add ink.
_FAINT_SEEDS = 10
_MARKERS = 5

# In the one panel with two lines per label the dash tells these apart, not the labels.
_SPLIT_DASHES = {"train_accuracy": SOLID, "test_accuracy": DASHED, "validation_accuracy": DASHED}

_BEYOND = 1e300

_LEFT, _GAP, _PANEL = 0.58, 0.62, (3.56, 1.95)
_TOP, _ROW = 0.86, 2.33


@dataclass(frozen=True)
class Curve:
    """One metric of one label over its n seeds.

    Attributes:
        epochs: (E,).
        seeds: (n, E), infinitely bad or NaN from where a seed diverged or failed on.
        median, low, high: (E,), the middle one and the quartiles of the seeds.
    """

    epochs: Array
    seeds: Array
    median: Array
    low: Array
    high: Array


def curve(histories: Sequence[RunHistory], metric: str) -> Curve:
    """The quartiles of a metric over seeds.

    A seed that diverged or failed has the worst loss and accuracy of all. It has no gradient
    norm and no update; there the quartiles are those of the seeds left, while these are half
    or more.
    """
    epochs = max((history.epochs for history in histories), key=len)
    seeds = np.full((len(histories), len(epochs)), _after_the_stop(metric))
    for row, history in zip(seeds, histories, strict=True):
        row[: len(history.epochs)] = history.metrics[metric]
    return Curve(epochs, seeds, *_quartiles(seeds))


def _after_the_stop(metric: str) -> float:
    """What stands for the values that a run that stopped does not have."""
    if metric.endswith("loss"):
        return np.inf
    return -np.inf if metric.endswith("accuracy") else np.nan


def _quartiles(seeds: Array) -> Array:
    """Median, lower and upper quartile (3, E) of seeds (n, E), NaN where half are missing."""
    # Between a number and an infinite one they are too large to be drawn, but not NaN.
    bounded = np.clip(seeds, -_BEYOND, _BEYOND)
    parts = (0.5, 0.25, 0.75)
    missing = np.isnan(bounded)
    enough = 2 * missing.sum(axis=0) <= len(seeds)
    quantile = np.nanquantile if missing.any() else np.quantile
    quartiles = np.full((3, seeds.shape[1]), np.nan)
    quartiles[:, enough] = quantile(bounded[:, enough], parts, axis=0)
    return quartiles


def plans(subject: Subject) -> Plans:
    """A figure of each cell."""
    return plans_of_best(subject, "curves", subject.cells(), _MOST, _draw)


@look()
def _draw(subject: Subject, cell: str, trained: Sequence[Trained]) -> Figure:
    """Four panels and a legend below them."""
    groups = by_label(trained)
    entries = {label: _entry(group) for label, group in groups.items()}
    across = legend.across([*entries.values()])
    rows = -(-len(entries) // across)
    panels = _panels(trained)
    page = Page(
        _TOP + -(-len(panels) // 2) * _ROW + 0.2 + rows * legend.ROW,
        f"{subject.name}, {cell}" if cell else subject.name,
        _subtitle(groups),
    )
    for place, panel in enumerate(panels):
        axes = page.panel(_LEFT + place % 2 * (_PANEL[0] + _GAP), _TOP + place // 2 * _ROW, *_PANEL)
        _fill_panel(axes, panel, groups, subject.styles)
        if place + 2 < len(panels):
            hide_x(axes)
        else:
            axes.set_xlabel("epoch")
    samples = [legend.sample(subject.styles[label]) for label in entries]
    legend.add_legend(page, samples, [*entries.values()], across)
    return page.figure


def _panels(trained: Sequence[Trained]) -> list[Panel]:
    """The panels of what was measured; the loss of a surface is its height."""
    measured = {name for one in trained for name in one.history.metrics}
    panels = [panel for panel in PANELS if measured & {*panel.metrics}]
    heights = {one.run.kind for one in trained} == {"surface"}
    return (
        [panels[0]._replace(title="height above the minimum"), *panels[1:]] if heights else panels
    )


def _subtitle(groups: dict[str, list[Trained]]) -> str:
    """How many seeds there are and what the lines say of them."""
    seeds = max(len(group) for group in groups.values())
    if seeds == 1:
        return f"one run per line, seed {next(iter(groups.values()))[0].run.seed}"
    faint = "faint: single seeds" if seeds <= _FAINT_SEEDS else f"faint: {_FAINT_SEEDS} of them"
    return f"median of {seeds} seeds; band: their middle half; {faint}"


def _fill_panel(
    axes: Axes, panel: Panel, groups: dict[str, list[Trained]], styles: dict[str, Style]
) -> None:
    """Every label's lines for the metrics of a panel."""
    histories = [one.history for group in groups.values() for one in group]
    metrics = [name for name in panel.metrics if all(name in h.metrics for h in histories)]
    set_scale(axes, limits(_deciding(histories, metrics), panel.log), panel.log)
    for place, (label, group) in enumerate(groups.items()):
        for metric in metrics:
            line = curve([one.history for one in group], metric)
            dash = styles[label].dash if len(metrics) == 1 else _SPLIT_DASHES[metric]
            how = _Pen(styles[label], dash, place / len(groups), metric == metrics[-1])
            _draw_curve(axes, line, how, panel.log)
            _mark_stops(axes, group, metric, styles[label].colour)
    axes.set_title(_title(panel, metrics))
    set_linear_ticks(axes.xaxis, count=6, whole=True)
    axes.set_xlim(0, max([*(h.epochs[-1] for h in histories if len(h.epochs)), 1]) * 1.015)


class _Pen(NamedTuple):
    """How a curve is drawn.

    Attributes:
        shift: 0 to 1, keeps the markers of different lines apart.
        spread: whether the seeds and their band are drawn.
    """

    style: Style
    dash: Dash
    shift: float
    spread: bool


def _deciding(histories: Sequence[RunHistory], metrics: Sequence[str]) -> list[Array]:
    """The values that decide a panel's limits: those of finished runs, if there are any."""
    finished = [history for history in histories if history.status is Status.FINISHED]
    return [history.metrics[name] for history in finished or histories for name in metrics]


def _title(panel: Panel, metrics: Sequence[str]) -> str:
    """The panel's title, with what the dashes mean where they mean something."""
    if len(panel.metrics) == 1:
        return panel.title
    if len(metrics) == 2:
        return f"{panel.title} (solid: training, dashed: {metrics[1].partition('_')[0]})"
    return f"training {panel.title}"


def _draw_curve(axes: Axes, line: Curve, how: _Pen, log: bool) -> None:
    """The median with markers, and for several seeds the band and faint single seeds."""
    if not len(line.epochs):
        return
    if how.spread and len(line.seeds) > 1:
        _draw_seeds(axes, line, how.style.colour, log)
    every = max(1, len(line.epochs) // _MARKERS)
    axes.plot(
        line.epochs,
        shown(line.median, log),
        markevery=(int(how.shift * every), every),
        zorder=3,
        **(pen(how.style) | {"dashes": how.dash or (None, None)}),
    )


def _draw_seeds(axes: Axes, line: Curve, colour: str, log: bool) -> None:
    """The middle half of the seeds as a band, and some of the seeds as thin lines."""
    low, high = (np.clip(edge, 1 / HUGE if log else -HUGE, HUGE) for edge in (line.low, line.high))
    axes.fill_between(line.epochs, low, high, color=colour, alpha=0.2, linewidth=0)
    seeds = [shown(seed, log) for seed in line.seeds[:_FAINT_SEEDS]]
    lines = [np.column_stack([line.epochs, seed]) for seed in seeds]
    faint = LineCollection(lines, colors=colour, linewidths=0.5, alpha=0.3)
    axes.add_collection(faint, autolim=False)


def _mark_stops(axes: Axes, group: Sequence[Trained], metric: str, colour: str) -> None:
    """A cross where each run ends that stopped, at the panel's edge when that is outside."""
    stopped = [one for one in group if one.history.stopped_at is not None]
    if not stopped:
        return
    low, high = inner_limits(axes)
    ends = [_end(one, metric) for one in stopped]
    axes.plot(
        [epoch for epoch, _ in ends],
        np.clip([value for _, value in ends], low, high),
        linestyle="none",
        marker="x",
        markersize=6,
        markeredgewidth=1.6,
        color=colour,
        clip_on=False,
        zorder=5,
    )


def _end(one: Trained, metric: str) -> tuple[float, float]:
    """The last epoch and value of a stopped run, infinitely bad if it was never evaluated."""
    epochs, values = one.history.epochs, one.history.metrics[metric]
    if len(epochs):
        return float(epochs[-1]), float(values[-1])
    assert one.history.stopped_at is not None
    worst = 0.0 if metric.endswith("accuracy") else HUGE
    return one.history.stopped_at / one.run.task.steps_per_epoch, worst


def _entry(group: Sequence[Trained]) -> str:
    """A label as the legend has it, with how many of its runs diverged or failed."""
    setting, first = group[0].setting, group[0].history
    ends = Counter(one.history.status for one in group)
    if ends[Status.FINISHED] == len(group):
        return setting
    if len(group) == 1:
        return f"{setting} ({first.status} at step {first.stopped_at})"
    stops = [end for end in (Status.DIVERGED, Status.FAILED) if ends[end]]
    return f"{setting} ({', '.join(f'{ends[end]} of {len(group)} {end}' for end in stops)})"
