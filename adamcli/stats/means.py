"""The BCa interval of means, of many samples or of many values at a time."""

from __future__ import annotations

import numpy as np

from adamcli.layout import Array
from adamcli.stats.averages import mean
from adamcli.stats.bootstrap import LEVEL, RESAMPLES, acceleration_of, bca_ends

_CHUNK = 2**18  # counts held at a time
_MANTISSA = 52  # bits of a float64


def mean_interval(
    values: Array, rng: np.random.Generator, resamples: int = RESAMPLES, level: float = LEVEL
) -> tuple[Array, Array]:
    """`bca_interval` of the mean of each of K samples of many values, (K, n) to (K,) and (K,).

    The resamples are the same, but their means come from a product with how often each value
    is drawn, in whole numbers, which takes a tenth of the time: each value is rounded
    to a part of the largest that is so small that the sums of a resample, taken in whatever
    order, have no further error. So the ends of a sample do not depend on its company, and
    differ from those of `bca_interval` in the last digits alone.
    """
    ordered = np.sort(values, axis=-1)  # the order of runs must not matter
    whole, unit = _whole_numbers(ordered)
    estimates = np.sort(_sums(whole, rng, resamples), axis=-1)
    # Leaving out a value moves the mean by a constant times its distance from the mean.
    acceleration = acceleration_of([ordered - mean(ordered)[:, None]])
    low, high = bca_ends(estimates, whole.sum(axis=-1), acceleration, level)
    with np.errstate(over="ignore"):
        return low / values.shape[-1] * unit, high / values.shape[-1] * unit


def _whole_numbers(values: Array) -> tuple[Array, Array]:
    """The rows of (K, n) as whole numbers whose sums are exact, and the units they count, (K,)."""
    bits = _MANTISSA - values.shape[-1].bit_length()
    largest = np.frexp(np.abs(values).max(axis=-1))[1]
    unit = np.ldexp(1.0, np.maximum(largest - bits, -1000))
    return np.rint(values / unit[:, None]), unit


def _sums(whole: Array, rng: np.random.Generator, resamples: int) -> Array:
    """The sum of every resample of each row, (K, n) to (K, resamples)."""
    n = whole.shape[-1]
    rows = max(1, _CHUNK // n)
    pieces = []
    for at in range(0, resamples, rows):
        size = min(rows, resamples - at)
        drawn = rng.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        pieces.append(whole @ counts.T.astype(np.float64))
    return np.concatenate(pieces, axis=-1)
