"""Averages along the last axis, in which an infinity is an ordinary value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adamcli.layout import Array

Statistic = Callable[[Array], Array]
"""Reduces the last axis of its argument, whose order it ignores: (..., n) to (...)."""


def mean(values: Array) -> Array:
    """The mean along the last axis, (..., n) to (...)."""
    with np.errstate(over="ignore"):  # a sum of losses near 1e308 is infinite, as they nearly are
        average: Array = values.mean(axis=-1)
    return average


def median(values: Array) -> Array:
    """The median along the last axis, (..., n) to (...)."""
    ordered = np.sort(values, axis=-1)
    return _middle_mean(ordered, (ordered.shape[-1] - 1) // 2)


def iqm(values: Array) -> Array:
    """The interquartile mean along the last axis, (..., n) to (...).

    The mean without the lowest and the highest quarter, each floor(n / 4) values; equal to
    scipy.stats.trim_mean(values, 0.25).

    Source: Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical
        Precipice, 2021, arXiv:2108.13264.
    """
    ordered = np.sort(values, axis=-1)
    return _middle_mean(ordered, ordered.shape[-1] // 4)


def _middle_mean(ordered: Array, cut: int) -> Array:
    """The mean along the last axis without `cut` values at either end."""
    return mean(ordered[..., cut : ordered.shape[-1] - cut])
