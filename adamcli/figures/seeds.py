"""Every seed as a point: what each label reached, and how far that is from the best label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adamcli import stats
from adamcli.figures import legend
from adamcli.figures.glyphs import fit
from adamcli.figures.scales import limits, set_scale
from adamcli.figures.style import INK, Page, dot, look
from adamcli.figures.subject import (
    Most,
    Plans,
    Subject,
    Trained,
    by_label,
    plans_of_best,
)
from adamcli.layout import Array
from adamcli.palette import Style
from adamcli.stats import LOG_RATIO, Spread, Verdict

_MOST = Most(cells=4, labels=12, least=2)

_LEFT, _TOP, _GAP, _PANEL = 0.58, 0.86, 0.62, (3.56, 2.6)

# Where in a label's column, which is 1 wide, its seeds and beside them their average stand.
_FIRST, _LAST, _BESIDE = -0.34, 0.16, 0.3

_SUBTITLE = (
    "a point per seed; bar: median; beside: interquartile mean, right the mean, with 95 % interval"
)

Finals = Mapping[str, Mapping[int, float]]
"""The final loss of every label and seed, infinite for a run that stopped."""


class Column(NamedTuple):
    """What one label has in a panel.

    Attributes:
        style: the label's.
        seeds: (n,), between 0 and 1: a seed has the same in every column.
        values: (n,); an infinite one is drawn at the panel's edge.
        middle, low, high: an average of the values and the ends of its 95 % interval.
    """

    style: Style
    seeds: Array
    values: Array
    middle: float
    low: float
    high: float


class _Panel(NamedTuple):
    """A panel's title and columns, its scale, and the value of no difference if it has one."""

    title: str
    columns: Sequence[Column]
    log: bool
    none: float | None


def plans(subject: Subject) -> Plans:
    """A figure of each cell in which several labels have several seeds."""
    return plans_of_best(subject, "seeds", subject.paired_cells(), _MOST, _draw)


@look()
def _draw(subject: Subject, cell: str, trained: Sequence[Trained]) -> Figure:
    """Two panels beside each other and a legend below them."""
    groups = by_label(trained)
    entries = [group[0].setting for group in groups.values()]
    across = legend.across(entries)
    page = Page(
        _TOP + _PANEL[1] + 0.24 + -(-len(entries) // across) * legend.ROW,
        f"{subject.name}, {cell}" if cell else subject.name,
        _SUBTITLE,
    )
    for place, panel in enumerate(_panels(groups, subject.styles)):
        axes = page.panel(_LEFT + place * (_PANEL[0] + _GAP), _TOP, *_PANEL)
        fit(axes.set_title(""), panel.title, _PANEL[0])
        _fill_panel(axes, panel)
    samples = [_sample(subject.styles[label]) for label in groups]
    legend.add_legend(page, samples, entries, across)
    return page.figure


def _panels(groups: Mapping[str, Sequence[Trained]], styles: Mapping[str, Style]) -> list[_Panel]:
    """Final losses, and how they differ from those of the label with the lowest median."""
    histories = [one.history for group in groups.values() for one in group]
    judged = stats.verdicts(histories, targets=())
    score, log = judged[0].metric, judged[0].unit == LOG_RATIO
    judged = [verdict for verdict in judged if verdict.metric == score]
    finals = {
        label: {one.run.seed: stats.final(one.history, score) for one in group}
        for label, group in groups.items()
    }
    spreads = {each.label: each.final[score] for each in stats.summarize(histories)}
    best = min(finals, key=lambda label: spreads[label].median)
    name, relation = score.replace("_", " "), "divided by" if log else "minus"
    title = f"{name} {relation} that of {groups[best][0].setting}"
    differences = difference_columns(finals, best, judged, styles)
    return [
        _Panel(f"final {name}", final_columns(finals, spreads, styles), log, None),
        _Panel(title, differences, log, 1.0 if log else 0.0),
    ]


def final_columns(
    finals: Finals, spreads: Mapping[str, Spread], styles: Mapping[str, Style]
) -> list[Column]:
    """The final values of every label with their interquartile mean."""
    places = _places(finals)
    return [
        Column(
            styles[label],
            np.array([places[seed] for seed in own]),
            np.array([*own.values()]),
            *(spreads[label].iqm, spreads[label].low, spreads[label].high),
        )
        for label, own in finals.items()
    ]


def difference_columns(
    finals: Finals, best: str, verdicts: Sequence[Verdict], styles: Mapping[str, Style]
) -> list[Column]:
    """How every other label differs from the best at the seeds of both, with the verdict's mean.

    A ratio where the verdicts are about log ratios. Two runs that both stopped are equal.
    """
    return [
        _difference_column(finals, best, verdict, styles)
        for verdict in verdicts
        if best in (verdict.a, verdict.b)
    ]


def _difference_column(
    finals: Finals, best: str, verdict: Verdict, styles: Mapping[str, Style]
) -> Column:
    """The column of one pair."""
    first = verdict.b == best
    label = verdict.a if first else verdict.b
    log = verdict.unit == LOG_RATIO
    places = _places(finals)
    seeds = [seed for seed in finals[label] if seed in finals[best]]
    own, other = (np.array([finals[name][seed] for seed in seeds]) for name in (label, best))
    with np.errstate(all="ignore"):
        values = np.where(own == other, 1.0 if log else 0.0, own / other if log else own - other)
        ends = np.array([verdict.difference, verdict.low, verdict.high])
        ends = ends if first else -ends[[0, 2, 1]]
        middle, low, high = (np.exp(ends) if log else ends).tolist()
    if verdict.infinite:  # then the mean is a bound, which a point would not say
        middle = low = high = np.nan
    place = np.array([places[seed] for seed in seeds])
    return Column(styles[label], place, values, middle, low, high)


def _places(finals: Finals) -> dict[int, float]:
    """For every seed of any label its place in all columns, from 0 to 1."""
    seeds = sorted({seed for own in finals.values() for seed in own})
    return dict(zip(seeds, np.linspace(0, 1, len(seeds)).tolist(), strict=True))


def _fill_panel(axes: Axes, panel: _Panel) -> None:
    """The columns beside each other, with a line where there is no difference."""
    deciding = [np.array([c.middle, c.low, c.high]) for c in panel.columns]
    deciding += [column.values for column in panel.columns]
    if panel.none is not None:
        deciding.append(np.array([panel.none]))
        axes.axhline(panel.none, color=INK, linewidth=1.0, zorder=1.5)
    set_scale(axes, limits(deciding, panel.log), panel.log)
    axes.set_xlim(-0.5, len(panel.columns) - 0.5)
    axes.set_xticks([])
    for place, column in enumerate(panel.columns):
        _draw_seeds(axes, place, column)
        _draw_average(axes, place + _BESIDE, column)


def _draw_seeds(axes: Axes, place: int, column: Column) -> None:
    """A point per seed, a cross at the edge for one beyond it, and a bar at their median."""
    x = place + _FIRST + column.seeds * (_LAST - _FIRST)
    values = np.clip(column.values, *axes.get_ylim())
    beyond = values != column.values
    axes.plot(x[~beyond], values[~beyond], linestyle="none", alpha=0.85, **dot(column.style))
    cross: dict[str, Any] = {
        "marker": "x",
        "markersize": 6,
        "markeredgewidth": 1.6,
        "linestyle": "none",
    }
    if beyond.any():
        axes.plot(x[beyond], values[beyond], color=column.style.colour, clip_on=False, **cross)
    if len(values):
        axes.plot(x[[0, -1]], np.full(2, np.median(values)), color=INK)


def _draw_average(axes: Axes, x: float, column: Column) -> None:
    """An average as a large point with its interval; nothing where it is not finite."""
    if not np.isfinite(column.middle):
        return
    low, middle, high = np.clip([column.low, column.middle, column.high], *axes.get_ylim())
    axes.plot([x, x], [low, high], color=INK, linewidth=1.2, marker="_", markersize=6)
    large = dot(column.style) | {"markersize": 7, "markeredgecolor": INK}
    axes.plot([x], [middle], zorder=4, **large)


def _sample(style: Style) -> Line2D:
    """A point as in the panels, for the legend."""
    return Line2D([], [], linestyle="none", **dot(style))
