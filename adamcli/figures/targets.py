"""Time to target: by which epoch which share of the seeds has reached an accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamcli import stats
from adamcli.figures import legend
from adamcli.figures.scales import set_linear_ticks
from adamcli.figures.style import Page, look, pen
from adamcli.figures.subject import (
    Most,
    Plans,
    Subject,
    Trained,
    accuracy_of,
    by_label,
    plans_of_best,
)
from adamcli.history import RunHistory
from adamcli.layout import Array
from adamcli.palette import Style
from adamcli.stats import Target

_MOST = Most(cells=4, labels=12, least=2)

_LEFT, _TOP, _GAP, _PANEL = 0.58, 0.86, 0.3, (2.38, 1.95)
_MARKERS = 4


def plans(subject: Subject) -> Plans:
    """A figure of each cell in which several labels have several seeds and an accuracy."""
    cells = {
        cell: trained
        for cell, trained in subject.paired_cells().items()
        if accuracy_of([one.history for one in trained])
    }
    return plans_of_best(subject, "targets", cells, _MOST, _draw)


@look()
def _draw(subject: Subject, cell: str, trained: Sequence[Trained]) -> Figure:
    """A panel for each target, a legend below them."""
    groups = by_label(trained)
    histories = [one.history for one in trained]
    metric = accuracy_of(histories)
    entries = [group[0].setting for group in groups.values()]
    across = legend.across(entries)
    seeds = max(len(group) for group in groups.values())
    page = Page(
        _TOP + _PANEL[1] + 0.58 + -(-len(entries) // across) * legend.ROW,
        f"{subject.name}, {cell}" if cell else subject.name,
        f"share of {seeds} seeds that have reached an accuracy; those that never do stay missing",
    )
    end = max(history.epochs[-1] for history in histories if len(history.epochs))
    for place, value in enumerate(stats.ACCURACIES):
        axes = page.panel(_LEFT + place * (_PANEL[0] + _GAP), _TOP, *_PANEL)
        axes.set_title(f"{100 * value:g} % {metric.replace('_', ' ')}")
        _set_axes(axes, end, numbers=not place)
        for number, (label, group) in enumerate(groups.items()):
            course = shares([one.history for one in group], Target(metric, value), end)
            _draw_course(axes, *course, subject.styles[label], number / len(groups))
    samples = [legend.sample(subject.styles[label]) for label in groups]
    legend.add_legend(page, samples, entries, across)
    return page.figure


def shares(histories: Sequence[RunHistory], target: Target, end: float) -> tuple[Array, Array]:
    """Epochs and the share that had reached a target by each, from 0 to the end of training."""
    hits = np.array([stats.time_to_target(history, target).epoch for history in histories])
    epochs, reached = stats.reached(hits)
    last = reached[-1] if len(reached) else 0.0
    return np.array([0.0, *epochs, end]), np.array([0.0, *reached, last])


def _set_axes(axes: Axes, end: float, *, numbers: bool) -> None:
    """Epochs by shares; only the first panel has the numbers of the shares."""
    axes.set_xlabel("epoch")
    axes.set_xlim(0, end * 1.03)
    axes.set_ylim(-0.04, 1.06)
    set_linear_ticks(axes.xaxis, count=5, whole=True)
    set_linear_ticks(axes.yaxis)
    axes.tick_params(axis="y", labelleft=numbers)


def _draw_course(axes: Axes, epochs: Array, reached: Array, style: Style, shift: float) -> None:
    """A staircase with a few markers; the shift, 0 to 1, keeps those of labels apart."""
    every = max(1, len(epochs) // _MARKERS)
    marks = (1 + int(shift * every), every)
    axes.plot(epochs, reached, drawstyle="steps-post", markevery=marks, **pen(style))
