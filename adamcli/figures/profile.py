"""Several problems together: the score of each optimizer, and its performance profile."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from adamcli import stats
from adamcli.figures import legend
from adamcli.figures.scales import limits, plain, set_linear_ticks
from adamcli.figures.style import Page, dot, look, pen
from adamcli.figures.subject import Plan, Plans, Subject
from adamcli.palette import Style
from adamcli.stats import FACTORS, Aggregate, Standing

MAX_LABELS = 16

_LEFT, _TOP, _GAP, _PANEL = 0.58, 0.86, 0.62, (3.56, 2.6)

_SUBTITLE = "{} problems; score: 0 untrained, 1 the best known, with 95 % interval"


def plans(subject: Subject) -> Plans:
    """A figure of each kind of which there are several problems."""
    histories = [one.history for one in subject.trained]
    places = {one.run.label: subject.places[one.run.label] for one in subject.trained}
    found = stats.aggregates(histories, places) if len(subject.cells()) > 1 else []
    several = len(found) > 1
    return [
        Plan(f"profile-{each.kind}" if several else "profile", partial(_draw, subject, each))
        for each in found
    ], [
        f"profile: the best {MAX_LABELS} of {len(each.standings)} optimizers on {each.kind}"
        for each in found
        if len(each.standings) > MAX_LABELS
    ]


@look()
def _draw(subject: Subject, aggregate: Aggregate) -> Figure:
    """The scores, the profiles, and a legend below them."""
    by_setting = {
        place.setting: subject.styles[label]
        for label, place in subject.places.items()
        if place.kind == aggregate.kind and label in subject.styles
    }
    best = sorted(aggregate.standings, key=lambda each: -each.iqm)[:MAX_LABELS]
    styles = [by_setting[each.optimizer] for each in best]
    entries = [each.optimizer for each in best]
    across = legend.across(entries)
    page = Page(
        _TOP + _PANEL[1] + 0.58 + -(-len(entries) // across) * legend.ROW,
        f"{subject.name}, all problems together ({aggregate.kind})",
        _SUBTITLE.format(len(aggregate.problems)),
    )
    left, right = (
        page.panel(_LEFT + place * (_PANEL[0] + _GAP), _TOP, *_PANEL) for place in (0, 1)
    )
    _fill_scores(left, best, styles)
    _fill_profiles(right, best, styles)
    legend.add_legend(page, [legend.sample(style) for style in styles], entries, across)
    return page.figure


def _fill_scores(axes: Axes, standings: list[Standing], styles: list[Style]) -> None:
    """A point with its interval for each optimizer, the best on the left."""
    axes.set_title("interquartile mean of the scores")
    ends = [np.array([each.low, each.iqm, each.high]) for each in standings]
    axes.set_ylim(*(limits(ends) or (0.0, 1.0)))
    set_linear_ticks(axes.yaxis)
    axes.set_xlim(-0.6, len(standings) - 0.4)
    axes.set_xticks([])
    for place, (each, style) in enumerate(zip(standings, styles, strict=True)):
        axes.plot([place, place], [each.low, each.high], color=style.colour, linewidth=2)
        axes.plot([place], [each.iqm], markersize=8, **dot(style))


def _fill_profiles(axes: Axes, standings: list[Standing], styles: list[Style]) -> None:
    """For each optimizer the share of targets reached within a factor of the fastest."""
    axes.set_title("targets reached in k times the steps of the fastest")
    axes.set_ylim(-0.04, 1.06)
    set_linear_ticks(axes.yaxis)
    axes.set_xscale("log", base=2)
    axes.set_xlim(FACTORS[0] / 1.08, FACTORS[-1] * 1.08)
    axes.xaxis.set_major_locator(FixedLocator([1, 2, 4, 8, 16]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("k")
    for place, (each, style) in enumerate(zip(standings, styles, strict=True)):
        axes.plot(FACTORS, each.profile, drawstyle="steps-post", markevery=(place, 8), **pen(style))
