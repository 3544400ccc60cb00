"""Tests of paired differences: sign flips, Holm's adjustment, and what n could have shown."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from adamcli.layout import Array
from adamcli.stats.student import binomial_tail, t_quantile

EXACT = 16
"""Up to so many pairs every pattern of signs is tried."""

FLIPS = 19_999

POWER = 0.8

# Pairs whose flips are held at a time. What is drawn does not depend on it: a multiple of 32
# leaves no bits of a random word.
_PAIRS = 128


def finite(a: Array, b: Array) -> tuple[Array, Array]:
    """Both samples with every infinity replaced by a value beyond all finite ones.

    A diverged run must weigh more than any that finished, but a mean needs a size. So plus
    infinity lies as far above the largest finite value of the two samples as that lies above
    the smallest (1 where that is nothing), and minus infinity as far below. The difference
    of two infinities of one sign is 0: neither run was better.

    A value's replacement is the same whichever sample it belongs to, so a sign-flip test of
    the differences stays exact. Their mean then is a bound rather than an estimate.

    Args:
        a: (..., n), the values of one label.
        b: (..., n), those of the other at the same seeds.
    """
    both = np.concatenate([a, b], axis=-1)
    known = np.isfinite(both)
    least = np.min(both, axis=-1, keepdims=True, where=known, initial=np.inf)
    most = np.max(both, axis=-1, keepdims=True, where=known, initial=-np.inf)
    none = least > most
    least, most = np.where(none, 0.0, least), np.where(none, 0.0, most)
    reach = np.where(most > least, most - least, 1.0)
    low, high = least - reach, most + reach
    return _within(a, low, high), _within(b, low, high)


def _within(values: Array, low: Array, high: Array) -> Array:
    """The values with `low` and `high` for the two infinities."""
    return np.where(values == np.inf, high, np.where(values == -np.inf, low, values))


def sign_flip(differences: Array, rng: np.random.Generator, flips: int = FLIPS) -> Array:
    """The two-sided p of the sign-flip permutation test of paired differences.

    If neither label is better, each difference is as likely with the other sign. p is the
    share of sign patterns whose sum is at least as far from 0 as the one observed: of all
    2^n up to n = `EXACT`, else of `flips` random ones and the one observed, (1 + k) / (1 +
    flips), so that the test is valid at any number of flips. It depends neither on the order
    of the pairs nor on which label comes first.

    Args:
        differences: (..., n), n > 0, finite.
        rng: draws the random patterns, the same for all rows; unused up to n = `EXACT`.
        flips: how many of them.

    Returns:
        p, (...).

    Source: Fisher, The Design of Experiments, 1935, section 21; the +1 is Phipson and Smyth,
        Permutation P-values Should Never Be Zero, 2010, arXiv:1603.05766.
    """
    sizes = np.sort(np.abs(differences), axis=-1)
    total = sizes.sum(axis=-1, keepdims=True)
    # Sums that differ by rounding alone count as equal.
    observed = np.abs(differences.sum(axis=-1, keepdims=True)) - 1e-13 * total
    if sizes.shape[-1] <= EXACT:
        return (np.abs(_all_sums(sizes)) >= observed).mean(axis=-1)
    # (..., flips): what the flips take from the total, twice.
    lost = sum(
        part @ rng.integers(2, size=(part.shape[-1], flips), dtype=bool).astype(np.float64)
        for part in np.split(sizes, range(_PAIRS, sizes.shape[-1], _PAIRS), axis=-1)
    )
    extreme = np.count_nonzero(lost <= (total - observed) / 2, axis=-1)
    extreme += np.count_nonzero(lost >= (total + observed) / 2, axis=-1)
    return np.asarray((1 + np.minimum(extreme, flips)) / (1 + flips))


def _all_sums(sizes: Array) -> Array:
    """The sums under every pattern of signs, (..., n) to (..., 2^(n - 1)).

    The last size keeps its sign: the other half has the same sums, negated.
    """
    sums = sizes[..., -1:]
    for i in range(sizes.shape[-1] - 1):
        size = sizes[..., i, None]
        sums = np.concatenate([sums + size, sums - size], axis=-1)
    return sums


def holm(p: Array) -> Array:
    """p values adjusted so that the chance of any false rejection is held, (m,) to (m,).

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def simes(p: Array) -> float:
    """The p of the hypothesis that all tested hypotheses are true, (m,) to a number.

    The smallest of m p_(k) / k, p_(k) being the k-th smallest; 1 without any. Unlike m times
    the smallest p, it costs nothing where all tests agree. Valid for independent and for
    positively dependent tests, as those of several metrics of the same runs are.

    Source: Simes, An Improved Bonferroni Procedure for Multiple Tests of Significance, 1986;
        dependent tests: Sarkar, Some Probability Inequalities for Ordered MTP2 Random
        Variables, 1998.
    """
    return float(np.min(np.sort(p) * len(p) / np.arange(1, len(p) + 1), initial=1.0))


def smallest_p(n: int) -> float:
    """The smallest p that a sign-flip test of n pairs can have."""
    return min(1.0, 2.0 ** (1 - n)) if n <= EXACT else 1 / (1 + FLIPS)


def detectable_mean(differences: Array, alpha: float = 0.05, power: float = POWER) -> Array:
    """The mean difference that so many pairs, so spread, would have shown with some power.

    (t_(1 - alpha/2) + t_power) s / sqrt(n), with quantiles of Student's t at n - 1 degrees
    of freedom and s the standard deviation of the differences: the power of the t-test, which
    that of the sign-flip test approaches. Infinite where n pairs cannot give p < alpha.

    Args:
        differences: (..., n), as observed.
        alpha: the level of the test, divided by the number of tests where there are several.
        power: how often the difference would have been found.

    Source: Bloom, Minimum Detectable Effects, Evaluation Review 19(5), 1995; the limit is
        Hoeffding, The Large-Sample Power of Tests Based on Permutations of Observations, 1952.
    """
    n = differences.shape[-1]
    if smallest_p(n) >= alpha:
        return np.full(differences.shape[:-1], math.inf)
    quantiles = t_quantile(1 - alpha / 2, n - 1) + t_quantile(power, n - 1)
    return np.asarray(quantiles * differences.std(axis=-1, ddof=1) / math.sqrt(n))


@lru_cache(maxsize=256)
def detectable_share(n: int, alpha: float = 0.05, power: float = POWER) -> float:
    """The chance of one label to be the better one that n pairs would have shown.

    The smallest P(A better) at which a sign test of n untied pairs gives p < alpha with the
    given power. Infinite where no outcome of n pairs does.
    """
    cut = _cut(n, alpha / 2)
    if cut < 0:
        return math.inf
    low, high = 0.5, 1.0
    while low < (middle := (low + high) / 2) < high:
        enough = binomial_tail(n, n - cut, middle) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high


@lru_cache(maxsize=256)
def _cut(n: int, tail: float) -> int:
    """The largest k with P(X <= k) <= tail for X of n fair coins, -1 if there is none."""
    return next((k for k in range(n // 2, -1, -1) if binomial_tail(n, n - k) <= tail), -1)
