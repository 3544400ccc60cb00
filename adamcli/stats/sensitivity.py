"""How much the outcome depends on the learning rate: the curve, its good range, where it stops.

The good range reaches from the best learning rate to both sides for as long as the loss is at
most `MARGIN` times the best, or the difference to the best at most a twentieth of what the best
gained over the worst where a loss is not positive. Between two learning rates of the grid the
ends are interpolated in the logarithms; where all the grid beyond the best is good, the range
is as wide as the grid at least, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from adamcli.layout import Array
from adamcli.stats.bootstrap import RESAMPLES
from adamcli.stats.runs import Trained, by_label, final, ranking_scores
from adamcli.stats.summary import Spread, spreads

MARGIN = 4.0
"""A loss of so many times the best is still good: where the losses of one experiment span
orders of magnitude that is near, and more than the best of few seeds owes to luck."""

_GAIN = 0.05
LEAST_RATES = 4
"""A curve has so many learning rates at least."""


class Rate(NamedTuple):
    """A label as a point of a curve.

    Attributes:
        curve: what the points of a curve share: the label without the learning rate.
        lr: the learning rate.
    """

    curve: str
    lr: float


@dataclass(frozen=True)
class Range:
    """Learning rates that are about as good as the best.

    Attributes:
        low, high: its ends; NaN where none finished.
        open_low, open_high: whether the grid ends before the range does.
    """

    low: float
    high: float
    open_low: bool
    open_high: bool

    @property
    def decades(self) -> float:
        """Its width, log10(high / low)."""
        return math.log10(self.high / self.low)


@dataclass(frozen=True)
class Sensitivity:
    """What one optimizer comes to at each learning rate, on one problem.

    Intervals take most of the time, so they are computed when they are asked for.

    Attributes:
        cell: the problem.
        curve: the optimizer.
        metric: the final loss that is compared.
        lr: (n,), ascending.
        finals: the metric of every seed at each learning rate, infinite for a run that stopped.
        stopped: (n,), the share of runs that diverged or failed.
    """

    cell: str
    curve: str
    metric: str
    lr: Array
    finals: tuple[tuple[float, ...], ...]
    stopped: Array

    @property
    def seeds(self) -> int:
        """How many there are at most."""
        return max(map(len, self.finals))

    @cached_property
    def iqm(self) -> Array:
        """The interquartile mean of the metric over seeds, (n,); infinite if many stopped."""
        return self._spreads("iqm", resamples=0)[0]

    @cached_property
    def ends(self) -> tuple[Array, Array]:
        """Both ends of its 95 % bootstrap intervals, (n,) each; NaN for one seed."""
        low, high = self._spreads("low", "high")
        return low, high

    @property
    def best(self) -> int:
        """Which learning rate has the lowest loss."""
        return int(np.argmin(self.iqm))

    @cached_property
    def at_best(self) -> Spread:
        """How the metric varies over seeds at the best learning rate."""
        return spreads([self.finals[self.best]])[0]

    @cached_property
    def good(self) -> Range:
        """The range of good learning rates."""
        return good_range(self.lr, self.iqm)

    def document(self) -> dict[str, Any]:
        """All of it for JSON."""
        low, high = self.ends
        arrays = {"lr": self.lr, "iqm": self.iqm, "low": low, "high": high, "stopped": self.stopped}
        return {
            **{name: getattr(self, name) for name in ("cell", "curve", "metric", "seeds")},
            **{name: values.tolist() for name, values in arrays.items()},
            "best_lr": float(self.lr[self.best]),
            "good": {**vars(self.good), "decades": self.good.decades},
        }

    def _spreads(self, *names: str, resamples: int = RESAMPLES) -> list[Array]:
        """Some numbers of the spread at each learning rate, (n,) each."""
        found = spreads(self.finals, resamples)
        return [np.array([getattr(spread, name) for spread in found]) for name in names]


def sensitivities(histories: Iterable[Trained], rates: Mapping[str, Rate]) -> list[Sensitivity]:
    """A curve for every optimizer on every problem, in the order of its first label.

    Args:
        histories: runs of any labels.
        rates: of the labels that belong to a curve.
    """
    runs = by_label(history for history in histories if history.label in rates)
    metrics = ranking_scores(history for group in runs.values() for history in group)
    curves: dict[tuple[str, str], list[Sequence[Trained]]] = {}
    for label, group in runs.items():
        curves.setdefault((group[0].cell, rates[label].curve), []).append(group)
    return [
        _sensitivity(cell, curve, metrics[cell], points, rates)
        for (cell, curve), points in curves.items()
        if len(points) >= LEAST_RATES
    ]


def _sensitivity(
    cell: str,
    curve: str,
    metric: str,
    points: Sequence[Sequence[Trained]],
    rates: Mapping[str, Rate],
) -> Sensitivity:
    """The curve through some points, the runs of a label each."""
    points = sorted(points, key=lambda runs: rates[runs[0].label].lr)
    return Sensitivity(
        cell=cell,
        curve=curve,
        metric=metric,
        lr=np.array([rates[runs[0].label].lr for runs in points]),
        finals=tuple(tuple(final(run, metric) for run in runs) for runs in points),
        stopped=np.array(
            [1 - sum(run.status == "finished" for run in runs) / len(runs) for runs in points]
        ),
    )


def good_range(lr: Array, loss: Array) -> Range:
    """The learning rates around the best at which the loss is near the best.

    Args:
        lr: (n,), ascending and positive.
        loss: (n,); infinite where training fails.
    """
    finite = np.isfinite(loss)
    if not finite.any():
        return Range(math.nan, math.nan, open_low=False, open_high=False)
    best = int(np.argmin(loss))
    height, limit = _heights(loss, finite)
    good = height <= limit
    first = best - int(np.argmin(np.append(good[best::-1], False))) + 1
    last = best + int(np.argmin(np.append(good[best:], False))) - 1
    ends = [_end(lr, height, limit, first, first - 1), _end(lr, height, limit, last, last + 1)]
    low, high = ends
    return Range(low, high, open_low=first == 0, open_high=last == len(lr) - 1)


def _heights(loss: Array, finite: Array) -> tuple[Array, float]:
    """The losses on the scale on which they are near or far, (n,), and how high is near."""
    best, worst = float(loss[finite].min()), float(loss[finite].max())
    if best > 0:
        with np.errstate(divide="ignore"):
            return np.log(loss), math.log(best) + math.log(MARGIN)
    return loss, best + _GAIN * (worst - best)


def _end(lr: Array, height: Array, limit: float, inside: int, outside: int) -> float:
    """Where the limit is crossed between a good learning rate and the next, a bad one."""
    if not 0 <= outside < len(lr) or not np.isfinite(height[outside]):
        return float(lr[inside])
    share = (limit - height[inside]) / (height[outside] - height[inside])
    return float(lr[inside] * (lr[outside] / lr[inside]) ** share)
