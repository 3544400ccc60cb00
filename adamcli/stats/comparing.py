"""Pairs of labels at the same seeds: how far apart, how sure, and what would have been seen.

Pairs come K at a time, (K, n), so that all share one drawing of resamples and sign flips. The
numbers of a pair do not depend on its company, nor on the order of its seeds, and swapping
its labels mirrors them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from adamcli import seeding
from adamcli.layout import Array
from adamcli.stats import paired
from adamcli.stats.averages import iqm, mean
from adamcli.stats.bootstrap import LEVEL, RESAMPLES, bca_interval, widened

LOG_RATIO = "log ratio"
DIFFERENCE = "difference"


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
    if measure.miss is None:
        differences = np.subtract(*paired.finite(a, b))
        detectable = paired.detectable_mean(differences, alpha)
    else:
        differences = np.minimum(a, measure.miss) - np.minimum(b, measure.miss)
        detectable = np.full(len(a), paired.detectable_share(a.shape[-1], alpha))
    interval = _mean_interval(differences, resamples)
    shares = share_better(a, b, measure.higher)
    p = p_values(measure, a, b)
    columns = (mean(differences), *interval, iqm(differences), p, *shares, detectable)
    ties = np.count_nonzero(a == b, axis=-1).tolist()
    infinite = np.count_nonzero((np.isinf(a) | np.isinf(b)) & (a != b), axis=-1).tolist()
    rows = zip(ties, infinite, np.stack(columns, axis=-1).tolist(), strict=True)
    return [Comparison(a.shape[-1], tied, endless, *row) for tied, endless, row in rows]


def p_values(measure: Measure, a: Array, b: Array) -> Array:
    """The p of the test of each of K pairs, (K, n) twice to (K,).

    The sign-flip test of the differences or, by order, of who is greater; with flips from a
    stream of its own.
    """
    by_size = measure.miss is None
    differences = np.subtract(*paired.finite(a, b)) if by_size else order(a, b)
    return paired.sign_flip(differences, seeding.generator(0, "sign flips"))


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
    low, high = bca_interval([rows], mean, rng, resamples, level)
    reach = np.maximum(-low, high)  # values that are their own mirror image have such an interval
    low, high = np.where(sides == 0, -reach, low), np.where(sides == 0, reach, high)
    return np.where(sides < 0, -high, low), np.where(sides < 0, -low, high)


def _sides(values: Array) -> Array:
    """A sign for each row of (K, n): the opposite for the negated row, 0 if that is the same."""
    ordered = np.sort(values, axis=-1)
    tilt = ordered + ordered[:, ::-1]
    first = np.argmax(tilt != 0, axis=-1)[:, None]
    return np.sign(np.take_along_axis(tilt, first, axis=-1)[:, 0])
