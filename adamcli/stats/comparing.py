"""Pairs of labels at the same seeds: how far apart, how sure, and what would have been seen.

Pairs come K at a time, (K, n), so that all share one drawing of resamples and sign flips. The
numbers of a pair do not depend on its company, nor on the order of its seeds, and swapping
its labels mirrors them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

import numpy as np

from adamcli import seeding
from adamcli.layout import Array
from adamcli.stats import paired
from adamcli.stats.averages import iqm, mean
from adamcli.stats.bootstrap import LEVEL, RESAMPLES, widened
from adamcli.stats.means import mean_interval

LOG_RATIO = "log ratio"
DIFFERENCE = "difference"

_ROWS = 256  # pairs that are resampled at a time: so many need some 40 MB


@dataclass(frozen=True)
class Measure:
    """A metric, and how two labels are compared by it.

    Attributes:
        name: as in `Verdict.metric`.
        unit: of a difference a - b: `LOG_RATIO` if the values are logarithms.
        higher: whether more is better.
        miss: for a comparison by order, in which infinity comes last but has no size, what
            stands for it in a difference; None for a comparison by size.
    """

    name: str
    unit: str
    higher: bool
    miss: float | None = None


@dataclass(frozen=True)
class Comparison:
    """What the paired values of two labels say; `Verdict` explains the numbers."""

    n: int
    ties: int
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
    ties=0,
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
    return compare_all([measure], a[None], b[None], alpha, resamples)[0]


def compare_all(
    measures: Sequence[Measure], a: Array, b: Array, alpha: float, resamples: int = RESAMPLES
) -> list[list[Comparison]]:
    """The comparisons of the same pairs by M measures, which share all that is drawn.

    Args:
        measures: M of them.
        a, b: (M, K, n), otherwise as of `compare`.
        alpha, resamples: as of `compare`.
    """
    each = list(zip(measures, a, b, strict=True))
    differences = np.array([_differences(*one) for one in each])  # (M, K, n)
    low, high = _by_rows(partial(_mean_interval, resamples=resamples), differences)
    (p,) = _by_rows(_flipped, np.array([_tested(*one) for one in each]))
    drawn = np.stack([low, high, p], axis=-1)  # (M, K, 3)
    return [
        _comparisons(*one, alpha, told, found)
        for one, told, found in zip(each, differences, drawn, strict=True)
    ]


def _comparisons(
    measure: Measure, a: Array, b: Array, alpha: float, differences: Array, drawn: Array
) -> list[Comparison]:
    """Those of K pairs by one measure, whose interval and p are drawn, (K, 3)."""
    detectable = (
        paired.detectable_mean(differences, alpha)
        if measure.miss is None
        else np.full(len(a), paired.detectable_share(a.shape[-1], alpha))
    )
    low, high, p = drawn.T
    shares = share_better(a, b, measure.higher)
    columns = (mean(differences), low, high, iqm(differences), p, *shares, detectable)
    ties = np.count_nonzero(a == b, axis=-1).tolist()
    infinite = np.count_nonzero((np.isinf(a) | np.isinf(b)) & (a != b), axis=-1).tolist()
    rows = zip(ties, infinite, np.stack(columns, axis=-1).tolist(), strict=True)
    return [Comparison(a.shape[-1], tied, endless, *row) for tied, endless, row in rows]


def _differences(measure: Measure, a: Array, b: Array) -> Array:
    """The differences whose mean is told, (K, n)."""
    if measure.miss is None:
        return np.subtract(*paired.finite(a, b))
    differences: Array = np.minimum(a, measure.miss) - np.minimum(b, measure.miss)
    return differences


def _tested(measure: Measure, a: Array, b: Array) -> Array:
    """The differences that are tested, (K, n): by order, who is greater."""
    return np.subtract(*paired.finite(a, b)) if measure.miss is None else order(a, b)


def _flipped(differences: Array) -> tuple[Array]:
    """The p of the sign-flip test of each row, (K, n) to (K,)."""
    return (paired.sign_flip(differences, seeding.generator(0, "sign flips")),)


def _by_rows(function: Callable[[Array], tuple[Array, ...]], values: Array) -> tuple[Array, ...]:
    """What a function of the rows of (K, n) gives for (M, K, n), some rows at a time.

    Equal rows are taken once, as all zeros are where no label reaches a target.
    """
    rows, places = np.unique(values.reshape(-1, values.shape[-1]), axis=0, return_inverse=True)
    pieces = [function(rows[at : at + _ROWS]) for at in range(0, len(rows), _ROWS)]
    columns = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return tuple(column[places.ravel()].reshape(values.shape[:-1]) for column in columns)


def p_values(measure: Measure, a: Array, b: Array) -> Array:
    """The p of the test of each of K pairs, (K, n) twice to (K,).

    The sign-flip test of the differences or, by order, of who is greater; with flips from a
    stream of its own.
    """
    (p,) = _flipped(_tested(measure, a, b))
    return p


def order(a: Array, b: Array) -> Array:
    """1 where a is greater, -1 where it is less, 0 where they are equal, as floats."""
    return (a > b).astype(np.float64) - (a < b)


def share_better(a: Array, b: Array, higher: bool) -> tuple[Array, Array, Array]:
    """P(a is better than b) over the seeds, ties half, with its 95 % Wilson interval.

    Not a bootstrap interval: where a is better at all seeds every resample says so too, and
    the interval would be the point 1; of a P of 0.9 it covers 67 % at 10 seeds. Ties make
    Wilson's interval wider than it need be.

    Args:
        a: (..., n), n > 0; infinities are ordinary values.
        b: (..., n), at the same seeds.
        higher: whether more is better.

    Returns:
        The share, the lower and the upper end, each (...).

    Source: the measure is that of Bouthillier et al., 2021, arXiv:2103.03098, section 4; the
        interval: Wilson, Probable Inference, 1927, recommended for small n by Brown, Cai and
        DasGupta, Interval Estimation for a Binomial Proportion, 2001.
    """
    better = order(a, b) if higher else order(b, a)
    n, z = better.shape[-1], NormalDist().inv_cdf(0.5 + LEVEL / 2)
    share = (1 + better.mean(axis=-1)) / 2
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return share, np.maximum(centre - reach, 0.0), np.minimum(centre + reach, 1.0)


def _mean_interval(values: Array, resamples: int) -> tuple[Array, Array]:
    """The BCa interval of the mean of each row, (K, n) to (K,); negated rows mirror it."""
    if values.shape[-1] < 2:
        return np.full(len(values), math.nan), np.full(len(values), math.nan)
    sides = _sides(values)
    rng, level = seeding.generator(0, "bootstrap"), widened(LEVEL, [values.shape[-1]])
    rows = np.where(sides[:, None] < 0, -values, values)
    low, high = mean_interval(rows, rng, resamples, level)
    reach = np.maximum(-low, high)  # values that are their own mirror image have such an interval
    low, high = np.where(sides == 0, -reach, low), np.where(sides == 0, reach, high)
    return np.where(sides < 0, -high, low), np.where(sides < 0, -low, high)


def _sides(values: Array) -> Array:
    """A sign for each row of (K, n): the opposite for the negated row, 0 if that is the same."""
    ordered = np.sort(values, axis=-1)
    tilt = ordered + ordered[:, ::-1]
    first = np.argmax(tilt != 0, axis=-1)[:, None]
    return np.sign(np.take_along_axis(tilt, first, axis=-1)[:, 0])
