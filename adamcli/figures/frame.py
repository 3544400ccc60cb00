"""A page with one large panel and a legend below it."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from adamcli.figures import legend
from adamcli.figures.scales import set_linear_ticks
from adamcli.figures.style import WIDTH, Page
from adamcli.figures.subject import Trained
from adamcli.palette import Style

MAX_FRAMES = 16
"""Figures of a family, at most."""

_LEFT, _RIGHT, _TOP, _HEIGHT, _BELOW = 0.58, 0.12, 0.72, 4.4, 0.55


def framed(
    title: str, subtitle: str, shown: Sequence[Trained], styles: dict[str, Style]
) -> tuple[Page, Axes]:
    """The page and its panel; the legend names the labels of the runs that are shown."""
    entries = [_entry(one) for one in shown]
    count = legend.across(entries)
    height = _TOP + _HEIGHT + _BELOW + legend.ROW * -(-len(entries) // count)
    page = Page(height, title, subtitle)
    axes = page.panel(_LEFT, _TOP, WIDTH - _LEFT - _RIGHT, _HEIGHT)
    axes.yaxis.set_label_coords(-0.055, 0.5)
    for axis in (axes.xaxis, axes.yaxis):
        set_linear_ticks(axis, count=8)
    samples = [legend.sample(styles[one.run.label]) for one in shown]
    legend.add_legend(page, samples, entries, count)
    return page, axes


def _entry(one: Trained) -> str:
    """A label, and when it diverged if it did."""
    end = one.history.diverged_at
    return one.setting if end is None else f"{one.setting} (diverged at step {end})"
