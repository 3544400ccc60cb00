"""Student's t and the binomial distribution, as far as they are needed, without SciPy."""

from __future__ import annotations

import math
from functools import lru_cache


def t_cdf(value: float, df: int) -> float:
    """P(T <= value) for Student's t with a whole number of degrees of freedom.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, equations 26.7.3
        (odd) and 26.7.4 (even): finite sums, so exact up to rounding.
    """
    angle = math.atan2(value, math.sqrt(df))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = df % 2
    term = cosine if odd else 1.0
    total = 0.0
    for k in range(df // 2):
        total += term
        term *= cosine**2 * (2 * k + 1 + odd) / (2 * k + 2 + odd)
    within = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return 0.5 + 0.5 * within


@lru_cache(maxsize=256)
def t_quantile(probability: float, df: int) -> float:
    """The value that Student's t does not exceed with the given probability in (0, 1)."""
    if probability < 0.5:
        return -t_quantile(1 - probability, df)
    low, high = 0.0, 1.0
    while t_cdf(high, df) < probability:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if t_cdf(middle, df) < probability else (low, middle)
    return high


def binomial_tail(n: int, k: int, probability: float = 0.5) -> float:
    """P(X >= k) for the number X of successes in n trials of a probability in (0, 1)."""
    odds = (math.log(probability), math.log1p(-probability))
    logs = (_log_choose(n, i) + i * odds[0] + (n - i) * odds[1] for i in range(k, n + 1))
    return sum(math.exp(each) for each in logs)


@lru_cache(maxsize=2**14)
def _log_choose(n: int, k: int) -> float:
    """The logarithm of the number of ways to choose k of n; the number itself may overflow."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
