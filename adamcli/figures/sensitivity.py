"""Sensitivity: what each optimizer comes to at each learning rate, and where runs stop."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamcli import stats
from adamcli.figures import legend
from adamcli.figures.scales import hide_x, limits, set_linear_ticks, set_log_x, set_scale, shown
from adamcli.figures.style import WIDTH, Page, look, pen
from adamcli.figures.subject import Plans, Subject, Trained, plans_by_cell
from adamcli.palette import Style, curve_styles
from adamcli.stats import Sensitivity

MAX_CELLS = 16

_LEFT, _RIGHT, _TOP, _HEIGHT, _GAP, _BELOW = 0.58, 0.12, 0.86, 3.4, 0.36, 0.9

_SUBTITLE = (
    "interquartile mean over {}, band: its 95 % interval; thick: at most {:g} times the best"
)


def plans(subject: Subject) -> Plans:
    """A figure of each cell in which an optimizer has many learning rates."""
    cells = {
        cell: trained
        for cell, trained in subject.cells().items()
        if any(one.run.label in subject.rates for one in trained)
    }
    return plans_by_cell("sensitivity", cells, MAX_CELLS, partial(_draw, subject))


@look()
def _draw(subject: Subject, cell: str, trained: Sequence[Trained]) -> Figure:
    """The curves, and below them the share of runs that stopped."""
    curves = stats.sensitivities([one.history for one in trained], subject.rates)
    by_curve = {label: rate.curve for label, rate in subject.rates.items()}
    styles_of = curve_styles((one.run for one in subject.trained), by_curve)
    styles = [styles_of[curve.curve] for curve in curves]
    entries = [curve.curve for curve in curves]
    across = legend.across(entries)
    seeds = max(curve.seeds for curve in curves)
    page = Page(
        _TOP + _HEIGHT + _GAP + _BELOW + 0.55 + -(-len(entries) // across) * legend.ROW,
        f"{subject.name}, {cell}" if cell else subject.name,
        _SUBTITLE.format(f"{seeds} seeds" if seeds > 1 else "1 seed", stats.MARGIN),
    )
    width = WIDTH - _LEFT - _RIGHT
    upper = page.panel(_LEFT, _TOP, width, _HEIGHT)
    lower = page.panel(_LEFT, _TOP + _HEIGHT + _GAP, width, _BELOW)
    upper.set_title(f"final {curves[0].metric.replace('_', ' ')} by learning rate")
    lower.set_title("share of runs that diverged or failed")
    _fill_losses(upper, curves, styles)
    _fill_stops(lower, curves, styles)
    ends = [(curve.lr[0], curve.lr[-1]) for curve in curves]
    for axes in (upper, lower):
        set_log_x(axes, min(low for low, _ in ends) / 1.15, max(high for _, high in ends) * 1.15)
    hide_x(upper)
    lower.set_xlabel("learning rate")
    legend.add_legend(page, [legend.sample(style) for style in styles], entries, across)
    return page.figure


def _fill_losses(axes: Axes, curves: Sequence[Sensitivity], styles: Sequence[Style]) -> None:
    """The curve of each optimizer with its interval and its good range."""
    values = np.concatenate([curve.iqm for curve in curves])
    log = bool((values > 0).all())
    set_scale(axes, limits([values], log), log)
    for curve, style in zip(curves, styles, strict=True):
        bottom, top = axes.get_ylim()
        low, high = (np.clip(ends, bottom, top) for ends in curve.ends)
        axes.fill_between(curve.lr, low, high, color=style.colour, alpha=0.15, linewidth=0)
        axes.plot(curve.lr, shown(curve.iqm, log), **pen(style))
        _mark_good(axes, curve, style, log)


def _mark_good(axes: Axes, curve: Sensitivity, style: Style, log: bool) -> None:
    """A thick line at the height of what is still good, as wide as the good range."""
    if not np.isfinite(curve.good.low):
        return
    best = float(curve.iqm[curve.best])
    height = best * stats.MARGIN if log else best
    ends = [curve.good.low, curve.good.high]
    axes.plot(ends, [height] * 2, color=style.colour, linewidth=4, alpha=0.6, zorder=1.5)


def _fill_stops(axes: Axes, curves: Sequence[Sensitivity], styles: Sequence[Style]) -> None:
    """The share of runs that stopped at each learning rate."""
    axes.set_ylim(-0.06, 1.06)
    set_linear_ticks(axes.yaxis, count=2)
    for curve, style in zip(curves, styles, strict=True):
        axes.plot(curve.lr, curve.stopped, **pen(style))
