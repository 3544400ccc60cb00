"""Pairs of labels at the same seeds: how far apart, how sure, and what would have been seen.

Pairs come K at a time, (K, n), so that all share one drawing of resamples and sign flips. The
numbers of a pair do not depend on its company, nor on the order of its seeds, and swapping
its labels mirrors them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from adamcli import seeding
from adamcli.layout import Array
from adamcli.stats import paired
from adamcli.stats.averages import iqm, mean, median
from adamcli.stats.bootstrap import (
    LEVEL,
    RESAMPLES,
    bca_interval,
    stratified_interval,
    widened,
)

LOG_RATIO = "log ratio"
DIFFERENCE = "difference"


@dataclass(frozen=True)
class Measure:
    """A metric, and how two labels are compared by it.

    Attributes:
        name: as in `Verdict.metric`.
        unit: of a difference a - b: `LOG_RATIO` if the values are logarithms.
        higher: whether more is better.
        miss: what stands for infinity in a difference of a comparison by order, where a miss
            comes last but has no size; None for a comparison by size.
    """

    name: str
    unit: str
    higher: bool
    miss: float | None = None


@dataclass(frozen=True)
class Comparison:
    """What the paired values of two labels say; `Verdict` explains the numbers."""

    n: int
    infinite: int
    difference: float
    low: float
    high: float
    iqm: float
    p: float
    p_better: float
    p_better_low: float
    p_better_high: float
    detectable: float


_UNKNOWN = math.nan
NOTHING = Comparison(
    n=0,
    infinite=0,
    difference=_UNKNOWN,
    low=_UNKNOWN,
    high=_UNKNOWN,
    iqm=_UNKNOWN,
    p=1.0,
    p_better=_UNKNOWN,
    p_better_low=_UNKNOWN,
    p_better_high=_UNKNOWN,
    detectable=math.inf,
)
"""The comparison of two labels that have no seed in common."""


def compare(
    measure: Measure, a: Array, b: Array, alpha: float, resamples: int = RESAMPLES
) -> list[Comparison]:
    """The comparison of each of K pairs of labels.

    Args:
        measure: what the values are.
        a: (K, n), n > 0; infinities are allowed, NaN is not.
        b: (K, n), at the same seeds.
        alpha: the level at which the detectable difference is asked for.
        resamples: of the bootstrap.
    """
    found = _by_size if measure.miss is None else partial(_by_order, miss=measure.miss)
    difference, low, high, iqms, p, detectable = found(a, b, alpha, resamples)
    infinite = np.count_nonzero((np.isinf(a) | np.isinf(b)) & (a != b), axis=-1)
    shares = share_better(a, b, measure.higher, resamples)
    columns = (difference, low, high, iqms, p, *shares, detectable)
    rows = np.stack(columns, axis=-1).tolist()
    return [
        Comparison(a.shape[-1], k, *row) for k, row in zip(infinite.tolist(), rows, strict=True)
    ]


def _by_size(a: Array, b: Array, alpha: float, resamples: int) -> tuple[Array, ...]:
    """Mean, BCa interval, IQM, sign-flip p and detectable difference, each (K,)."""
    differences = np.subtract(*paired.finite(a, b))
    low, high = _mean_interval(differences, bca_interval, resamples)
    detectable = paired.detectable_mean(differences, alpha)
    return mean(differences), low, high, iqm(differences), _p(differences), detectable


def _by_order(a: Array, b: Array, alpha: float, _: int, *, miss: float) -> tuple[Array, ...]:
    """Median, its exact interval, IQM, sign-test p and detectable share, each (K,)."""
    differences = np.minimum(a, miss) - np.minimum(b, miss)
    low, high = paired.median_interval(differences, LEVEL)
    detectable = np.full(len(a), paired.detectable_share(a.shape[-1], alpha))
    return median(differences), low, high, iqm(differences), _p(order(a, b)), detectable


def order(a: Array, b: Array) -> Array:
    """1 where a is greater, -1 where it is less, 0 where they are equal, as floats."""
    return (a > b).astype(np.float64) - (a < b)


def share_better(
    a: Array, b: Array, higher: bool, resamples: int = RESAMPLES
) -> tuple[Array, Array, Array]:
    """P(a is better than b) over the seeds, ties half, with its bootstrap interval.

    The percentile interval at the `widened` level; a single point where one label was the
    better at all seeds, NaN where there are fewer than two.

    Args:
        a: (K, n), n > 0; infinities are ordinary values.
        b: (K, n), at the same seeds.
        higher: whether more is better.
        resamples: of the bootstrap.

    Returns:
        The share, the lower and the upper end, each (K,).

    Source: Bouthillier et al., 2021, arXiv:2103.03098, section 4.
    """
    better = order(a, b) if higher else order(b, a)
    low, high = _mean_interval(better, stratified_interval, resamples)
    return (1 + better.mean(axis=-1)) / 2, (1 + low) / 2, (1 + high) / 2


def _p(differences: Array) -> Array:
    """The p of the sign-flip test with flips from its own stream, (K, n) to (K,)."""
    return paired.sign_flip(differences, seeding.generator(0, "sign flips"))


_Interval = Callable[..., tuple[Array, Array]]


def _mean_interval(values: Array, interval: _Interval, resamples: int) -> tuple[Array, Array]:
    """The interval of the mean of each row, (K, n) to (K,); negated rows mirror it."""
    if values.shape[-1] < 2:
        return np.full(len(values), math.nan), np.full(len(values), math.nan)
    sides = _sides(values)
    rng, level = seeding.generator(0, "bootstrap"), widened(LEVEL, [values.shape[-1]])
    rows = np.where(sides[:, None] < 0, -values, values)
    low, high = interval([rows], mean, rng, resamples, level)
    reach = np.maximum(-low, high)  # values that are their own mirror image have such an interval
    low, high = np.where(sides == 0, -reach, low), np.where(sides == 0, reach, high)
    return np.where(sides < 0, -high, low), np.where(sides < 0, -low, high)


def _sides(values: Array) -> Array:
    """A sign for each row of (K, n): the opposite for the negated row, 0 if that is the same."""
    ordered = np.sort(values, axis=-1)
    tilt = ordered + ordered[:, ::-1]
    first = np.argmax(tilt != 0, axis=-1)[:, None]
    return np.sign(np.take_along_axis(tilt, first, axis=-1)[:, 0])
