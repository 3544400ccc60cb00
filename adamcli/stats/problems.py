"""Many problems in one number or one curve: normalised scores and performance profiles."""

from __future__ import annotations

import numpy as np

from adamcli.layout import Array


def normalised(values: Array, start: float, best: float) -> Array:
    """Scores between 0, no better than at the start, and 1, as good as the best known.

    Losses may go in as they are or as logarithms, if they span orders of magnitude. What is
    worse than the start counts 0, so that a diverged run is the worst there is and still
    has a mean.

    Args:
        values: (...), final values; infinite for a diverged run.
        start: the value of untrained parameters.
        best: the best value known, of whatever optimizer; less or more than `start`.

    Source: Agarwal et al., 2021, arXiv:2108.13264, section 2, who divide by people's scores.
    """
    if start == best:
        return (values == best).astype(np.float64)
    return np.clip((values - start) / (best - start), 0.0, 1.0)


def performance_profiles(times: Array, factors: Array) -> Array:
    """The share of problems that each label solves within a factor of the fastest label.

    A problem that a label misses is never solved by it, at any factor; one that all miss
    stays among the problems.

    Args:
        times: (L, problems), the time to target of each label, such as the median over its
            seeds; infinite for a miss.
        factors: (T,), from 1.

    Returns:
        (L, T), the share at each factor.

    Source: Dolan and More, Benchmarking Optimization Software with Performance Profiles, 2002,
        arXiv:cs/0102001, equation 2.1; over training workloads: Dahl et al., 2023,
        arXiv:2306.07179.
    """
    fastest = times.min(axis=0)
    ratios = np.full(times.shape, np.inf)
    np.divide(times, fastest, out=ratios, where=np.isfinite(times))  # (L, problems)
    return (ratios[..., None] <= np.asarray(factors)).mean(axis=1)
