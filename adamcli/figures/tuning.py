"""Tuning: what every trial came to, and what fewer trials would have come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adamcli.figures import legend
from adamcli.figures.scales import limits, set_linear_ticks, set_log_x, set_scale, shown
from adamcli.figures.style import INK, Page, dot, look, pen
from adamcli.figures.subject import Plans, Subject, Trained, by_label, plans_by_cell
from adamcli.palette import Style
from adamcli.stats import Tuned

MAX_CELLS = 16

_LEFT, _TOP, _GAP, _PANEL = 0.58, 0.86, 0.3, (3.72, 2.6)

_SUBTITLE = (
    "a point per trial, ringed: chosen; best of k: median and 90 % of all orders of the trials"
)


def plans(subject: Subject) -> Plans:
    """A figure of each cell whose optimizers were tuned."""
    tuned: dict[str, list[Tuned]] = {}
    for outcome in subject.tuned:
        tuned.setdefault(outcome.cell, []).append(outcome)
    cells = {cell: trained for cell, trained in subject.cells().items() if cell in tuned}
    return plans_by_cell("tuning", cells, MAX_CELLS, partial(_draw_cell, subject, tuned))


@look()
def _draw_cell(
    subject: Subject, tuned: Mapping[str, Sequence[Tuned]], cell: str, trained: Sequence[Trained]
) -> Figure:
    """Two panels that share their scores, and a legend below them."""
    bases = {group[0].run.base: label for label, group in by_label(trained).items()}
    outcomes = [each for each in tuned[cell] if each.label in bases]
    styles = [subject.styles[bases[each.label]] for each in outcomes]
    entries = [each.label for each in outcomes]
    across = legend.across(entries)
    page = Page(
        _TOP + _PANEL[1] + 0.58 + -(-len(entries) // across) * legend.ROW,
        f"{subject.name}, {cell}" if cell else subject.name,
        _SUBTITLE,
    )
    name = outcomes[0].metric.replace("_", " ")
    left, right = (
        page.panel(_LEFT + place * (_PANEL[0] + _GAP), _TOP, *_PANEL) for place in (0, 1)
    )
    left.set_title(f"median {name} of each trial, by lr")
    right.set_title("best of the first k trials")
    for axes in (left, right):
        _set_scores(axes, outcomes)
    _fill_trials(left, outcomes, styles)
    _fill_budgets(right, outcomes, styles)
    right.tick_params(axis="y", labelleft=False)
    legend.add_legend(page, [legend.sample(style) for style in styles], entries, across)
    return page.figure


def _set_scores(axes: Axes, outcomes: Sequence[Tuned]) -> None:
    """The same scale of scores in both panels, logarithmic where all of them are above zero."""
    scores = np.array([trial.score for each in outcomes for trial in each.trials])
    log = bool((scores > 0).all())
    set_scale(axes, limits([scores], log), log)


def _fill_trials(axes: Axes, outcomes: Sequence[Tuned], styles: Sequence[Style]) -> None:
    """The score of every trial over its learning rate."""
    searched = [each.space["lr"] for each in outcomes if "lr" in each.space]
    low = min((space.low for space in searched), default=1e-3)
    high = max((space.high for space in searched), default=1.0)
    set_log_x(axes, low / 1.3, high * 1.3)
    axes.set_xlabel("learning rate")
    for each, style in zip(outcomes, styles, strict=True):
        if "lr" in each.space:
            _draw_trials(axes, each, style)


def _draw_trials(axes: Axes, outcome: Tuned, style: Style) -> None:
    """A point per trial, a cross at the edge for one beyond it, a ring around the chosen one."""
    lr = np.array(outcome.space["lr"].values)
    scores = np.array([trial.score for trial in outcome.trials])
    drawn = np.clip(scores, *axes.get_ylim())
    beyond = drawn != scores
    axes.plot(lr[~beyond], drawn[~beyond], linestyle="none", **dot(style))
    cross: dict[str, Any] = {"linestyle": "none", "marker": "x", "markersize": 6}
    axes.plot(lr[beyond], drawn[beyond], color=style.colour, clip_on=False, **cross)
    best = slice(outcome.chosen, outcome.chosen + 1)
    ring: dict[str, Any] = {
        "marker": "o",
        "markersize": 10,
        "markerfacecolor": "none",
        "markeredgecolor": INK,
    }
    axes.add_line(Line2D(lr[best], drawn[best], linestyle="none", **ring))


def _fill_budgets(axes: Axes, outcomes: Sequence[Tuned], styles: Sequence[Style]) -> None:
    """The best so far over the number of trials."""
    most = max(len(each.trials) for each in outcomes)
    axes.set_xlim(0.5, most + 0.5)
    axes.set_xlabel("k")
    set_linear_ticks(axes.xaxis, count=6, whole=True)
    for each, style in zip(outcomes, styles, strict=True):
        trials = np.arange(1, len(each.trials) + 1)
        bottom, top = axes.get_ylim()
        low, middle, high = (
            np.clip(ends, bottom, top)
            for ends in (each.budget.low, each.budget.median, each.budget.high)
        )
        axes.fill_between(trials, low, high, color=style.colour, alpha=0.15, linewidth=0)
        axes.plot(trials, shown(middle), markevery=max(1, most // 5), **pen(style))
