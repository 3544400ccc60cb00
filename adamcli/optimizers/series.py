"""The few operations that a rule's `trace` needs on series over steps, (T,) each.

T may be 0, and a quotient may be 0 / 0: a traced run can diverge at its first step, and a
traced parameter can have no gradient.
"""

from __future__ import annotations

import numpy as np

from adamcli.layout import Array


def before(series: Array, start: float = 0.0) -> Array:
    """What a slot held when the step began, from what it held after; `start` at step 1."""
    return np.concatenate(([start], series))[:-1]


def ratio(numerator: Array | float, denominator: Array) -> Array:
    """numerator / denominator, NaN where the denominator is 0."""
    nan = np.full(np.broadcast_shapes(np.shape(numerator), denominator.shape), np.nan)
    return np.divide(numerator, denominator, out=nan, where=denominator != 0)
