"""Time to target with misses, and problems taken together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from histories import history, needs_scipy

from adamcli import stats
from adamcli.seeding import generator
from adamcli.stats.targets import MISS, next_evaluation

NEVER = math.inf


def test_the_first_evaluation_at_which_the_target_is_held() -> None:
    run = history(test_accuracy=[0.5, 0.9, 0.8, 0.95], test_loss=[3.0, 1.0, 2.0, 0.5])
    assert stats.time_to_target(run, stats.Target("test_accuracy", 0.9)) == stats.Hit(2, 64)
    assert stats.time_to_target(run, stats.Target("test_accuracy", 0.91)) == stats.Hit(4, 128)
    assert stats.time_to_target(run, stats.Target("test_loss", 1.0)) == stats.Hit(2, 64)
    assert stats.time_to_target(run, stats.Target("test_loss", 0.4)) == MISS


def test_a_run_without_a_value_misses() -> None:
    target = stats.Target("test_accuracy", 0.9)
    for run in (
        history(diverged_at=1),
        history(train_loss=[1.0]),
        history(test_accuracy=[math.nan, math.nan]),
    ):
        assert stats.time_to_target(run, target) == MISS


def test_what_was_reached_before_a_divergence_counts() -> None:
    run = history(diverged_at=70, test_accuracy=[0.5, 0.95])
    assert stats.time_to_target(run, stats.Target("test_accuracy", 0.9)).step == 64


def test_misses_stay_in_the_median() -> None:
    assert stats.median(np.array([64.0, NEVER, 32.0])) == 64
    assert stats.median(np.array([64.0, NEVER, NEVER])) == NEVER


def test_the_next_evaluation_is_the_earliest_that_a_miss_could_have_been() -> None:
    runs = [history(train_loss=[1.0, 1.0, 1.0]), history(train_loss=[1.0]), history()]
    assert next_evaluation(runs) == 128
    assert next_evaluation(runs[1:]) == 64
    assert math.isnan(next_evaluation(runs[2:]))


def test_the_share_that_reached_by_hand() -> None:
    hits, shares = stats.reached(np.array([64.0, NEVER, 32.0, 64.0]))
    assert (hits.tolist(), shares.tolist()) == ([32, 64], [0.25, 0.75])
    hits, shares = stats.reached(np.array([NEVER]))
    assert (hits.tolist(), shares.tolist()) == ([], [])


@needs_scipy
def test_the_share_that_reached_is_scipys_ecdf() -> None:
    from scipy.stats import CensoredData, ecdf

    rng = np.random.default_rng(0)
    times = rng.integers(1, 9, size=40) * 32.0
    missed = rng.random(40) < 0.3
    oracle = ecdf(CensoredData(uncensored=times[~missed], right=np.full(missed.sum(), 1e9))).cdf
    hits, shares = stats.reached(np.where(missed, NEVER, times))
    np.testing.assert_allclose(shares, oracle.evaluate(hits), rtol=1e-14)


def test_paired_order_counts_misses_after_every_hit() -> None:
    a, b = [32, 64, NEVER, NEVER, 32], [64, 64, 32, NEVER, NEVER]
    assert stats.paired_order(a, b) == stats.Order(2, 2, 1)


def test_profiles_by_hand() -> None:
    """Ratios to the fastest: a 1, 2, missed, missed; b 3, 1, 1, missed."""
    times = np.array([[10.0, 20.0, NEVER, NEVER], [30.0, 10.0, 70.0, NEVER]])
    shares = stats.performance_profiles(times, np.array([1.0, 2.0, 3.0, 1e300]))
    assert shares.tolist() == [[0.25, 0.5, 0.5, 0.5], [0.5, 0.5, 0.75, 0.75]]


def test_profiles_never_fall_and_end_at_the_share_of_hits() -> None:
    rng = np.random.default_rng(0)
    times = np.where(rng.random((4, 30)) < 0.2, NEVER, rng.lognormal(size=(4, 30)))
    shares = stats.performance_profiles(times, np.geomspace(1, 1e9, 50))
    assert (np.diff(shares) >= 0).all()
    assert shares[:, -1] == pytest.approx(np.isfinite(times).mean(axis=1))
    assert shares[:, 0].sum() == pytest.approx(np.isfinite(times).any(axis=0).mean())


def test_normalised_is_0_at_the_start_and_1_at_the_best() -> None:
    losses = np.array([2.0, 1.25, 0.5, 7.0, NEVER])
    assert stats.normalised(losses, 2.0, 0.5).tolist() == [0, 0.5, 1, 0, 0]
    assert stats.normalised(np.array([0.5, 0.8, 0.0]), 0.5, 0.9) == pytest.approx([0, 0.75, 0])
    assert stats.normalised(np.array([1.0, 2.0]), 1.0, 1.0).tolist() == [1, 0]


def test_diverged_runs_lower_the_score_over_problems() -> None:
    good, bad = np.full(8, 0.9), stats.normalised(np.array([0.1] * 4 + [NEVER] * 4), 1.0, 0.0)
    low, high = stats.stratified_interval([good, bad], stats.iqm, generator(0, "bootstrap"), 500)
    assert 0 < low < high < 0.91
