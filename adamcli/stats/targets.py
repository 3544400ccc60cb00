"""Time to target: when a metric first holds a value, and comparisons that keep the misses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from adamcli.layout import Array
from adamcli.stats.runs import Trained, higher_is_better

ACCURACIES = (0.9, 0.95, 0.99)
"""The accuracies that are targets unless others are named: several, as one is a cliff."""


@dataclass(frozen=True)
class Target:
    """A value that a metric is to reach: at least, of an accuracy; at most, of a loss."""

    metric: str
    value: float

    @property
    def name(self) -> str:
        """How a comparison of the steps to it is called, `steps to test_accuracy 0.99`."""
        return f"steps to {self.metric} {self.value:g}"

    def held(self, values: Array) -> Array:
        """At which evaluations the metric holds it, (E,) of bool; NaN never does."""
        return values >= self.value if higher_is_better(self.metric) else values <= self.value


@dataclass(frozen=True)
class Hit:
    """The first evaluation at which a run held a target; both infinite for a miss."""

    epoch: float
    step: float


MISS = Hit(math.inf, math.inf)


def time_to_target(history: Trained, target: Target) -> Hit:
    """When a run first held a target at an evaluation.

    What it did later does not count: who stops at the target has reached it, even if the run
    diverged after that.
    """
    held = target.held(history.metrics.get(target.metric, np.empty(0)))
    first = int(held.argmax()) if len(held) else 0
    if not len(held) or not held[first]:
        return MISS
    return Hit(float(history.epochs[first]), float(history.steps[first]))


def next_evaluation(histories: Iterable[Trained]) -> float:
    """The step of the evaluation after the last, the earliest at which a miss could be a hit.

    Of several runs the latest; NaN if none was ever evaluated.
    """
    ends = [history.steps[-2:].tolist() for history in histories if len(history.steps)]
    return max((2 * end[-1] - (end[0] if len(end) > 1 else 0.0) for end in ends), default=math.nan)


def reached(times: Array) -> tuple[Array, Array]:
    """The share of runs that held a target by each time: the ECDF, which misses hold below 1.

    Args:
        times: (n,), infinite for a miss.

    Returns:
        The times of the hits in ascending order without repeats, (T,), and the share of all n
        runs that had held it by each, (T,).
    """
    hits, counts = np.unique(times[np.isfinite(times)], return_counts=True)
    return hits, np.cumsum(counts) / max(1, len(times))


@dataclass(frozen=True)
class Order:
    """Which of two labels was the sooner at each seed; both missing is a tie."""

    a_first: int
    tied: int
    b_first: int


def paired_order(a: Sequence[float] | Array, b: Sequence[float] | Array) -> Order:
    """How often each of two labels was sooner, over paired times, infinite for a miss."""
    mine, other = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return Order(int((mine < other).sum()), int((mine == other).sum()), int((mine > other).sum()))
