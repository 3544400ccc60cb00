"""Bootstrap intervals: percentile and BCa, of one sample or stratified by problem."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from statistics import NormalDist

import numpy as np

from adamcli.layout import Array
from adamcli.stats.averages import Statistic, mean
from adamcli.stats.student import t_quantile

RESAMPLES = 10_000
LEVEL = 0.95

# Resampled values held at a time; about what fits in a second-level cache.
_CHUNK = 2**16

_SAMPLES = 128  # samples whose estimates are held at a time: so many need 10 MB

_NORMAL = NormalDist()


def bootstrap_interval(
    values: Array,
    statistic: Statistic,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[Array, Array]:
    """The percentile bootstrap interval of a statistic that ignores the order of its values.

    The ends are values of the statistic on some resample, the next one outward where the
    percentile falls between two. Of a mean of few values they are too narrow (see the table
    of the package), which `widened` mends; of an IQM they are about right from n = 10.

    Args:
        values: (..., n); leading axes are resampled alike.
        statistic: maps (..., n) to (...).
        rng: draws (resamples, n) indices.
        resamples: how many samples of n are drawn.
        level: the share of resamples between the ends.

    Returns:
        The lower and the upper end, each (...); NaN for n < 2.

    Source: Efron, Bootstrap Methods: Another Look at the Jackknife, 1979.
    """
    return stratified_interval([values], statistic, rng, resamples, level)


def stratified_interval(
    strata: Sequence[Array],
    statistic: Statistic,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[Array, Array]:
    """The percentile interval of a statistic of several problems' runs taken together.

    Problems are fixed and runs are drawn, so every problem is resampled within itself and
    each resample has as many runs of it as the sample has. With fewer than ten runs of each
    problem it is too narrow, of an IQM too, and is best taken at the `widened` level.

    Args:
        strata: for each problem its normalised scores, (..., n), n as it may be.
        statistic: maps all scores side by side, (..., N), to (...).
        rng: draws the first problem's indices, its children those of the others.
        resamples: how many samples are drawn.
        level: the share of resamples between the ends.

    Returns:
        The lower and the upper end, each (...); NaN where a problem has fewer than two runs.

    Source: Agarwal et al., 2021, arXiv:2108.13264, section 4.
    """
    return _percentiles(_estimates(strata, statistic, rng, resamples), level)


def iqm_interval(
    values: Array,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[Array, Array]:
    """`bootstrap_interval` of the IQM of many samples, with the same bits, in less time.

    A resample of sorted values is sorted if its indices are. So these are drawn and sorted
    once for many samples, and those of the middle half serve all of them.

    Args:
        values: (K, n), K samples.
        rng: draws (resamples, n) indices.
        resamples: how many samples of n are drawn; none gives no interval.
        level: the share of resamples between the ends.

    Returns:
        The lower and the upper end, each (K,); NaN for n < 2 or without resamples.
    """
    n = values.shape[-1]
    if n < 2 or not resamples:
        return np.full(len(values), np.nan), np.full(len(values), np.nan)
    ends = []
    for at in range(0, len(values), _SAMPLES):
        samples = np.sort(values[at : at + _SAMPLES], axis=-1)
        drawn: list[list[Array]] = [[] for _ in samples]
        for middle in _middles(n, deepcopy(rng), resamples):
            for sample, means in zip(samples, drawn, strict=True):
                means.append(mean(sample.take(middle)))
        ends += [_percentiles(np.sort(np.concatenate(means)), level) for means in drawn]
    low, high = np.array(ends, dtype=np.float64).reshape(-1, 2).T
    return low, high


def _middles(n: int, rng: np.random.Generator, resamples: int) -> Iterator[Array]:
    """The sorted indices of resamples without their outer quarters, some resamples at a time.

    Each is (rows, n - 2 (n // 4)).
    """
    rows, cut = max(1, 2 * _CHUNK // n), n // 4  # about half of each is left
    small = np.min_scalar_type(n)  # takes less time to sort
    for at in range(0, resamples, rows):
        drawn = rng.integers(n, size=(min(rows, resamples - at), n)).astype(small)
        yield np.sort(drawn, axis=-1)[:, cut : n - cut].astype(np.intp)


def paired_interval(
    strata: Sequence[Array],
    statistic: Callable[[Array], Array],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[Array, Array]:
    """The percentile interval of a statistic of runs that are paired by columns.

    As `stratified_interval`, but a column of a stratum, the runs of all labels at one seed,
    is drawn as a whole.

    Args:
        strata: for each problem its (L, n), columns in an order that says nothing.
        statistic: maps the columns of all problems side by side, (L, ..., N), to (K, ...).
        rng: draws the first problem's indices, its children those of the others.
        resamples: how many samples are drawn.
        level: the share of resamples between the ends.

    Returns:
        The lower and the upper end, each (K,); NaN where a problem has fewer than two runs.
    """
    return _percentiles(_estimates_in_order(strata, statistic, rng, resamples), level)


def bca_interval(
    strata: Sequence[Array],
    statistic: Statistic,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[Array, Array]:
    """The bias-corrected and accelerated bootstrap interval.

    The percentiles are moved by the share of resamples below the estimate (bias) and by the
    skewness of the jackknife values (acceleration, 0 where these are not finite). With one
    array it is the ordinary interval of a sample; arguments and ends are otherwise those of
    `stratified_interval`.

    Source: Efron, Better Bootstrap Confidence Intervals, 1987; the acceleration of several
        samples as in Davison and Hinkley, Bootstrap Methods and their Application, 1997,
        section 5.3.2.
    """
    estimates = _estimates(strata, statistic, rng, resamples)
    acceleration = acceleration_of(_influence(strata, statistic))
    return bca_ends(estimates, statistic(_together(strata)), acceleration, level)


def bca_ends(
    estimates: Array, estimate: Array, acceleration: Array, level: float
) -> tuple[Array, Array]:
    """The ends of `bca_interval`.

    Args:
        estimates: the statistic of every resample in ascending order, (..., B).
        estimate: that of the sample, (...).
        acceleration: (...).
        level: the share of resamples between the ends, before they are moved.
    """
    bias = _bias(estimates, estimate)
    tail = _NORMAL.inv_cdf(max((1 - level) / 2, 1e-300))
    low = _quantile(estimates, _shares(bias, acceleration, tail))
    return low, -_quantile(-estimates[..., ::-1], _shares(-bias, -acceleration, tail))


def widened(level: float, sizes: Sequence[int]) -> float:
    """The level at which to take a bootstrap interval of means, so that it covers `level`.

    A resample of n values varies by (n - 1) / n too little, and a percentile knows nothing of
    the tails that Student's t has; both make the interval of a mean too narrow. This level
    makes up for both where the values are normal.

    Args:
        level: the wanted coverage.
        sizes: how many runs each stratum has; all at least 2.

    Source: Hesterberg, What Teachers Should Know About the Bootstrap, 2015,
        arXiv:1411.5279, the expanded percentile interval; it is `expand` of his R package
        resample. For several strata, n is that of the smallest and the degrees of freedom
        add up.
    """
    spread = math.sqrt(min(sizes) / (min(sizes) - 1))
    student = t_quantile(0.5 + level / 2, sum(size - 1 for size in sizes))
    return 1 - 2 * _NORMAL.cdf(-spread * student)


def _estimates(
    strata: Sequence[Array], statistic: Statistic, rng: np.random.Generator, resamples: int
) -> Array:
    """The statistic of every resample in ascending order, (..., resamples).

    All NaN where a stratum has one value: nothing is known of how it varies.
    """
    ordered = [np.sort(values, axis=-1) for values in strata]  # the order of runs must not matter
    return _estimates_in_order(ordered, statistic, rng, resamples)


def _estimates_in_order(
    strata: Sequence[Array], statistic: Statistic, rng: np.random.Generator, resamples: int
) -> Array:
    """The same of runs as they come."""
    if min(values.shape[-1] for values in strata) < 2:
        return np.full((*statistic(_together(strata)).shape, resamples), np.nan)
    pieces = [statistic(drawn) for drawn in _draws(strata, rng, resamples)]
    return np.sort(np.concatenate(pieces, axis=-1), axis=-1)


def _draws(strata: Sequence[Array], rng: np.random.Generator, resamples: int) -> Iterator[Array]:
    """Some resamples at a time, (..., rows, N). What is drawn does not depend on how many."""
    rngs = [rng, *rng.spawn(len(strata) - 1)]
    rows = max(1, _CHUNK // sum(values.size for values in strata))
    for at in range(0, resamples, rows):
        size = min(rows, resamples - at)
        yield _together(
            [
                values.take(each.integers(values.shape[-1], size=(size, values.shape[-1])), axis=-1)
                for values, each in zip(strata, rngs, strict=True)
            ]
        )


def _together(strata: Sequence[Array]) -> Array:
    """The values of all strata side by side, (..., N)."""
    return strata[0] if len(strata) == 1 else np.concatenate(strata, axis=-1)


def _percentiles(estimates: Array, level: float) -> tuple[Array, Array]:
    """The ends between which a share of the ordered estimates lies, (..., B) to (...) each."""
    outside = (1 - level) / 2
    return _quantile(estimates, outside), -_quantile(-estimates[..., ::-1], outside)


def _quantile(ordered: Array, share: float | Array) -> Array:
    """The value below which at most a share of the ordered values lies, (..., B) to (...)."""
    place = np.floor((ordered.shape[-1] - 1) * np.asarray(share)).astype(int)
    places = np.broadcast_to(place, ordered.shape[:-1])[..., None]
    return np.take_along_axis(ordered, places, axis=-1)[..., 0]


def _bias(estimates: Array, estimate: Array) -> Array:
    """The normal quantile of the share of resamples below the estimate, ties half."""
    count = estimates.shape[-1]
    below = np.count_nonzero(estimates < estimate[..., None], axis=-1)
    within = np.count_nonzero(estimates <= estimate[..., None], axis=-1)
    share = (below + within) / (2 * count)
    return _map(_NORMAL.inv_cdf, np.clip(share, 0.5 / count, 1 - 0.5 / count))


def acceleration_of(influence: Sequence[Array]) -> Array:
    """The acceleration: a sixth of the skewness of influence values, (..., n) each to (...)."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        cubes = sum((u**3).sum(axis=-1) for u in influence)
        squares = sum((u**2).sum(axis=-1) for u in influence)
        acceleration = np.asarray(cubes / squares**1.5 / 6)
    return np.where(np.isfinite(acceleration), acceleration, 0.0)


def _influence(strata: Sequence[Array], statistic: Statistic) -> list[Array]:
    """What leaving out each value does to the statistic, (..., n) per stratum."""
    values = _together(strata)
    count = values.shape[-1]
    others = np.array([[j for j in range(count) if j != i] for i in range(count)], dtype=int)
    with np.errstate(invalid="ignore"):
        without = statistic(values.take(others, axis=-1))  # (..., N)
        ends = np.cumsum([each.shape[-1] for each in strata])
        pieces = np.split(without, ends[:-1], axis=-1)
        return [
            (1 - 1 / piece.shape[-1]) * (piece.mean(axis=-1, keepdims=True) - piece)
            for piece in pieces
        ]


def _shares(bias: Array, acceleration: Array, tail: float) -> Array:
    """The share of resamples to leave out below, which without both corrections is Phi(tail)."""
    moved = bias + tail
    # Beyond a pole that only a tiny sample can reach, nothing is left out.
    shrink = np.maximum(1 - acceleration * moved, 1e-300)
    return _map(_NORMAL.cdf, bias + moved / shrink)


def _map(function: Callable[[float], float], values: Array) -> Array:
    """A function of a float on every entry."""
    return np.array([function(value) for value in values.ravel().tolist()]).reshape(values.shape)
