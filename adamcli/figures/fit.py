"""What each network has learnt of a regression on one input: its curve through the points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from adamcli.figures.fields import flat_params, split_of
from adamcli.figures.frame import MAX_FRAMES, framed
from adamcli.figures.scales import limits, shown
from adamcli.figures.style import EDGE, look
from adamcli.figures.subject import Plan, Plans, Subject, Trained, by_label
from adamcli.history import Status
from adamcli.problems import NetworkTask, predict
from adamcli.text import slug

_POINTS, _MAX_SHOWN = 400, 500


class _Fit(NamedTuple):
    """A trained regression."""

    task: NetworkTask
    one: Trained


def plans(subject: Subject) -> Plans:
    """A figure with the first seed of each label, for each cell that is such a regression."""
    cells = {cell: list(_fits(trained)) for cell, trained in subject.cells().items()}
    cells = {cell: fits for cell, fits in cells.items() if fits}
    names = {cell: f"fit-{slug(cell)}" if cell else "fit" for cell in cells}
    figures = [Plan(names[c], partial(_draw, subject, c, cells[c])) for c in [*cells][:MAX_FRAMES]]
    more = len(cells) - len(figures)
    return figures, [f"fit: {more} more are left out"] if more else []


def _fits(trained: Sequence[Trained]) -> Iterator[_Fit]:
    """The first seed of each label that learnt a number from a number."""
    for group in by_label(trained).values():
        task = group[0].run.task
        if (
            isinstance(task, NetworkTask)
            and not task.dataset.classes
            and task.dataset.features == 1
        ):
            yield _Fit(task, group[0])


@look()
def _draw(subject: Subject, cell: str, fits: Sequence[_Fit]) -> Figure:
    """The training points, or a fixed random choice of very many, and the networks' curves."""
    split = split_of(fits[0].task)
    x, y = split.train_x[:, 0], split.train_y
    chosen = np.random.default_rng(0).permutation(len(x))[:_MAX_SHOWN]
    title = f"{subject.name}{f', {cell}' * bool(cell)}: what the networks learnt"
    points = f"{len(chosen)} of the {len(x)}" if len(x) > len(chosen) else f"the {len(x)}"
    subtitle = f"seed {fits[0].one.run.seed}; points: {points} it was trained on"
    page, axes = framed(title, subtitle, [fit.one for fit in fits], subject.styles)
    axes.set_xlabel("x")
    axes.set_ylabel("y")
    axes.plot(x[chosen], y[chosen], ".", markersize=3, color=EDGE)
    at = np.linspace(*limits([x]) or (0.0, 1.0), _POINTS)
    for task, one in fits:
        if one.history.status is not Status.FINISHED:
            continue
        style = subject.styles[one.run.label]
        values = predict(task, flat_params(task, one.history), at[:, None])[:, 0]
        dashes = style.dash or (None, None)
        axes.plot(at, shown(values), color=style.colour, dashes=dashes, zorder=3)
    axes.set_xlim(at[0], at[-1])
    axes.set_ylim(*limits([y]) or (0.0, 1.0))
    return page.figure
