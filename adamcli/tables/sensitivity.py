"""Learning rates: the best of each optimizer, and how wide the range of good ones is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType

from adamcli import palette, stats
from adamcli.stats import MARGIN, Sensitivity
from adamcli.tables import words
from adamcli.tables.grid import Cell, Column, grouped, line, stack

if TYPE_CHECKING:
    from adamcli.store import Result


def sensitivity_table(result: Result) -> RenderableType | None:
    """A row for every curve; None without any."""
    experiment = result.experiment
    if not experiment.rates:
        return None
    curves = stats.sensitivities(result.histories, experiment.rates)
    by_curve = {label: rate.curve for label, rate in experiment.rates.items()}
    styles = palette.curve_styles(experiment.runs, by_curve)
    colours = {curve: style.colour for curve, style in styles.items()}
    metrics = words.listed([*dict.fromkeys(words.metric(each.metric) for each in curves)])
    columns = [
        Column("optimizer", [Cell.of(each.curve, colours.get(each.curve, "")) for each in curves]),
        Column("best lr", [Cell.of(_number(each.lr[each.best])) for each in curves], right=True),
        Column(f"{metrics}\nat best", [_loss(each) for each in curves], rank=2, right=True),
        Column("good range of lr", [Cell.of(_range(each)) for each in curves], right=True),
        Column("decades", [Cell.of(_width(each)) for each in curves], rank=1, right=True),
        Column("runs\nstopped", [Cell.of(_stopped(each)) for each in curves], rank=3, right=True),
    ]
    table = grouped([each.cell for each in curves], columns)
    return stack(line("Learning rates", "bold"), table, line(_caption(curves), "dim"))


def _number(value: float) -> str:
    """A learning rate."""
    return words.number(float(value), 3)


def _loss(curve: Sensitivity) -> Cell:
    """The loss at the best learning rate, and its interval below it."""
    best = curve.at_best
    middle, span = words.number(best.iqm), words.span(curve.metric, best.low, best.high)
    return Cell(((middle, ""), (f"\n{span}", "dim"))) if span else Cell.of(middle)


def _range(curve: Sensitivity) -> str:
    """The good range, with signs where the grid ends before it does."""
    good = curve.good
    if math.isnan(good.low):
        return "none"
    low, high = _number(good.low), _number(good.high)
    return f"{'<= ' * good.open_low}{low} to {'>= ' * good.open_high}{high}"


def _width(curve: Sensitivity) -> str:
    """How many decades the good range has."""
    good = curve.good
    return f"{'>= ' * (good.open_low or good.open_high)}{words.number(good.decades, 2)}"


def _stopped(curve: Sensitivity) -> str:
    """Which share of all runs diverged or failed, and from which learning rate on."""
    if not curve.stopped.any():
        return "none"
    first = float(curve.lr[curve.stopped > 0][0])
    return f"{100 * curve.stopped.mean():.0f}%\nfrom {_number(first)}"


def _caption(curves: Sequence[Sensitivity]) -> str:
    """What the numbers are."""
    seeds = words.count(max(curve.seeds for curve in curves), "seed")
    return (
        f"Interquartile means over {seeds} with 95 % intervals. Good: at most {MARGIN:g} times "
        "the lowest loss, interpolated between learning rates; >=, <=: the grid ends before."
    )
