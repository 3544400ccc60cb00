"""What the statistics promise, tried on experiments whose truth is known.

The short forms run with the suite; the long ones by `pytest -m simulation`. The tables are
printed by tests/benchmarks/coverage.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from simulations import VALUES, a_beats_b, any_winner, called, coverage, experiment, intervals

from adamcli import stats
from adamcli.history import RunHistory
from adamcli.stats.student import t_quantile

PRINTED = "IQM, percentile"
DECIDING = "mean, BCa, widened"


def trials(count: int, n: int, **settings: object) -> Iterator[Iterator[RunHistory]]:
    return (experiment(np.random.default_rng([n, k]), n, **settings) for k in range(count))


def margin(share: float, count: int) -> float:
    """Three standard errors of a share."""
    return 3 * math.sqrt(share * (1 - share) / count)


def covered(name: str, kind: str, n: int, samples: int, resamples: int = 1000) -> float:
    interval, parameter = intervals(resamples)[name]
    return coverage(interval, parameter, kind, n, samples)


@pytest.mark.parametrize("name", [PRINTED, DECIDING])
def test_95_percent_intervals_of_20_values_cover_about_95_percent(name: str) -> None:
    share = covered(name, "normal", 20, samples=1000)
    assert 0.93 - margin(0.93, 1000) < share < 0.97 + margin(0.97, 1000)


def test_without_widening_the_mean_of_six_is_covered_far_too_seldom() -> None:
    assert covered("mean, BCa", "normal", 6, samples=1000) < 0.90
    assert covered(DECIDING, "normal", 6, samples=1000) > 0.92


def test_equal_optimizers_seldom_get_a_winner() -> None:
    shares = called(trials(100, 8), any_winner, resamples=200)
    assert len(shares) >= 5
    assert max(shares.values(), default=0) <= 0.05 + margin(0.05, 100)


def test_a_clearly_better_optimizer_is_found() -> None:
    shares = called(trials(30, 12, lead=2.0), a_beats_b, resamples=200)
    assert min(shares.values()) > 0.8


@pytest.mark.simulation
@pytest.mark.parametrize("n", [20, 50])
@pytest.mark.parametrize("kind", VALUES)
def test_intervals_of_the_iqm_cover_93_to_97_percent(kind: str, n: int) -> None:
    assert 0.93 <= covered(PRINTED, kind, n, samples=4000) <= 0.97


@pytest.mark.simulation
@pytest.mark.parametrize("n", [8, 10, 15, 20, 30, 50])
def test_intervals_of_the_mean_difference_cover_93_to_97_percent(n: int) -> None:
    assert 0.93 <= covered(DECIDING, "normal", n, samples=4000) <= 0.97


@pytest.mark.simulation
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"labels": "abc"},
        {"paired": False},
        {"noise": "heavy-tailed"},
        {"noise": "skewed"},
        {"diverging": 0.1},
    ],
    ids=repr,
)
@pytest.mark.parametrize("n", [6, 10, 20])
def test_equal_optimizers_get_a_winner_in_at_most_5_percent(
    n: int, settings: dict[str, object]
) -> None:
    shares = called(trials(1000, n, **settings), any_winner)
    assert max(shares.values(), default=0) <= 0.05 + margin(0.05, 1000)


@pytest.mark.simulation
def test_the_detectable_difference_is_found_four_times_in_five() -> None:
    lead = (t_quantile(0.975, 20 - 1) + t_quantile(0.8, 20 - 1)) / math.sqrt(20)
    runs = [list(run) for run in trials(1000, 20, lead=lead)]
    found = [stats.verdicts(run, [], resamples=1000)[0].verdict == stats.A_BETTER for run in runs]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)
