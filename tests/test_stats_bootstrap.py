"""Bootstrap intervals: SciPy as the oracle, invariances, and the widening by hand."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from histories import needs_scipy

from adamcli import stats
from adamcli.seeding import generator
from adamcli.stats.student import binomial_tail, t_cdf, t_quantile


def skewed(n: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(size=n)


def variance(values: np.ndarray) -> np.ndarray:
    """A statistic whose resamples are biased, unlike those of a mean."""
    return values.var(axis=-1)


def distinct(values: np.ndarray) -> np.ndarray:
    """How many different values there are: a resample has fewer."""
    return (np.diff(np.sort(values, axis=-1), axis=-1) > 0).sum(axis=-1) + 1.0


def outer(estimates: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """The resampled estimates next outward of ends that were interpolated between them."""
    ordered = np.sort(estimates)
    below = np.searchsorted(ordered, low, side="right") - 1
    above = np.searchsorted(ordered, high, side="left")
    return ordered[below], ordered[above]


@needs_scipy
@pytest.mark.parametrize("statistic", [stats.mean, stats.iqm, variance])
@pytest.mark.parametrize("n", [5, 11, 20])
def test_bca_is_scipys_on_the_same_resamples(statistic: stats.Statistic, n: int) -> None:
    from scipy.stats import bootstrap

    values = np.sort(skewed(n))
    oracle = bootstrap(
        (values,),
        lambda v, axis=-1: statistic(np.moveaxis(v, axis, -1)),
        method="BCa",
        n_resamples=2000,
        rng=generator(0, "bootstrap"),
    )
    ends = stats.bca_interval([values], statistic, generator(0, "bootstrap"), 2000)
    assert ends == outer(oracle.bootstrap_distribution, *oracle.confidence_interval)


class StreamPerSample(np.random.Generator):
    """Draws indices of samples of 7 from our first stream, of others from its child."""

    def integers(self, *args: int, size: tuple[int, int], **kwargs: object) -> np.ndarray:
        if size[1] == 7:
            return super().integers(*args, size=size, **kwargs)
        return generator(0, "bootstrap").spawn(1)[0].integers(*args, size=size, **kwargs)


@needs_scipy
@pytest.mark.parametrize("statistic", [stats.mean, stats.iqm])
def test_bca_of_two_strata_is_scipys_of_two_samples(statistic: stats.Statistic) -> None:
    from scipy.stats import bootstrap

    strata = [np.sort(skewed(7, 1)), np.sort(3 * skewed(12, 2))]
    oracle = bootstrap(
        strata,
        lambda a, b, axis=-1: statistic(np.concatenate([a, b], axis=-1)),
        method="BCa",
        n_resamples=2000,
        vectorized=True,
        rng=StreamPerSample(generator(0, "bootstrap").bit_generator),
    )
    ends = stats.bca_interval(strata, statistic, generator(0, "bootstrap"), 2000)
    assert ends == outer(oracle.bootstrap_distribution, *oracle.confidence_interval)


def test_bca_moves_both_ends_towards_the_long_tail() -> None:
    values = skewed(20)
    low, high = stats.bootstrap_interval(values, stats.mean, generator(0, "bootstrap"))
    moved = stats.bca_interval([values], stats.mean, generator(0, "bootstrap"))
    assert moved[0] > low
    assert moved[1] > high


def test_bca_of_a_constant_is_that_constant() -> None:
    low, high = stats.bca_interval([np.full(8, 3.0)], stats.mean, generator(0, "bootstrap"))
    assert (low, high) == (3.0, 3.0)


def test_bca_of_an_estimate_beyond_all_resamples_lies_among_the_last_of_them() -> None:
    """Of 40 different values a resample has 31 at most, and 30 at most but for one in 500."""
    ends = stats.bca_interval([skewed(40)], distinct, generator(0, "bootstrap"), 500)
    assert ends == (30, 31)


@pytest.mark.parametrize("statistic", [stats.mean, stats.median, stats.iqm])
def test_bca_ends_may_be_infinite_but_never_nan(statistic: stats.Statistic) -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, math.inf, math.inf])
    low, high = stats.bca_interval([values], statistic, generator(0, "bootstrap"), 2000)
    assert low <= high
    assert high == math.inf


@pytest.mark.parametrize("statistic", [stats.mean, stats.iqm])
def test_bca_does_not_depend_on_what_else_is_resampled(statistic: stats.Statistic) -> None:
    values = np.random.default_rng(1).lognormal(size=(200, 9))
    many = stats.bca_interval([values], statistic, generator(0, "bootstrap"), 2000)
    alone = stats.bca_interval([values[17]], statistic, generator(0, "bootstrap"), 2000)
    assert (many[0][17], many[1][17]) == alone


def test_intervals_do_not_depend_on_the_order_of_the_runs() -> None:
    values = skewed(12)
    shuffled = np.random.default_rng(0).permutation(values)
    for interval in (stats.bca_interval, stats.stratified_interval):
        first = interval([values, values[:5]], stats.mean, generator(0, "bootstrap"), 500)
        second = interval([shuffled, values[4::-1]], stats.mean, generator(0, "bootstrap"), 500)
        assert first == second


def test_strata_are_resampled_within_themselves() -> None:
    """Two problems without any variation within leave nothing to resample."""
    strata = [np.zeros(5), np.ones(5)]
    low, high = stats.stratified_interval(strata, stats.mean, generator(0, "bootstrap"))
    assert (low, high) == (0.5, 0.5)
    low, high = stats.bootstrap_interval(
        np.concatenate(strata), stats.mean, generator(0, "bootstrap")
    )
    assert low < 0.5 < high


def test_strata_are_resampled_independently_of_each_other() -> None:
    """The same values twice: sharing resamples would give as wide an interval as one problem."""
    values = np.random.default_rng(3).normal(size=30)
    one = np.ptp(stats.stratified_interval([values], stats.mean, generator(0, "bootstrap")))
    two = np.ptp(stats.stratified_interval([values] * 2, stats.mean, generator(0, "bootstrap")))
    assert two / one == pytest.approx(math.sqrt(0.5), rel=0.05)


def test_strata_may_differ_in_size_and_carry_leading_axes() -> None:
    strata = [np.random.default_rng(k).normal(size=(3, n)) for k, n in enumerate([4, 9])]
    many = stats.stratified_interval(strata, stats.iqm, generator(0, "bootstrap"), 500)
    alone = stats.stratified_interval(
        [stratum[1] for stratum in strata], stats.iqm, generator(0, "bootstrap"), 500
    )
    assert (many[0][1], many[1][1]) == alone


def test_a_problem_with_one_run_has_no_interval() -> None:
    for interval in (stats.bca_interval, stats.stratified_interval):
        ends = interval([np.ones(3), np.ones(1)], stats.mean, generator(0, "bootstrap"), 50)
        assert np.isnan(ends).all()


def test_widened_undoes_the_two_causes_by_hand() -> None:
    """n = 5: t_4 at 97.5 % is 2.776, and the resamples' variance is 4 / 5 of what it should be."""
    reach = NormalDist().inv_cdf(0.5 + stats.widened(0.95, [5]) / 2)
    assert reach * math.sqrt(4 / 5) == pytest.approx(2.776445, abs=1e-6)
    assert stats.widened(0.95, [2000]) == pytest.approx(0.95, abs=1e-3)


def test_widened_strata_share_their_degrees_of_freedom() -> None:
    reach = NormalDist().inv_cdf(0.5 + stats.widened(0.95, [3, 4]) / 2)
    assert reach * math.sqrt(2 / 3) == pytest.approx(2.570582, abs=1e-6)  # t_5


@pytest.mark.parametrize(
    ("probability", "df", "expected"),
    [(0.975, 1, 12.706205), (0.975, 2, 4.302653), (0.975, 19, 2.093024), (0.8, 19, 0.860951)],
)
def test_quantiles_of_students_t_are_those_of_the_tables(
    probability: float, df: int, expected: float
) -> None:
    assert t_quantile(probability, df) == pytest.approx(expected, abs=1e-6)
    assert t_quantile(1 - probability, df) == -t_quantile(probability, df)


@needs_scipy
def test_distributions_are_scipys() -> None:
    from scipy.stats import binom, t

    for df in range(1, 60):
        for value in (-3.0, 0.0, 0.7, 12.0):
            assert t_cdf(value, df) == pytest.approx(t.cdf(value, df), abs=1e-14)
        for probability in (0.0005, 0.4, 0.975, 0.9999):
            assert t_quantile(probability, df) == pytest.approx(t.ppf(probability, df), rel=1e-8)
    for n, k in [(1, 0), (20, 15), (1100, 600)]:
        for chance in (0.5, 0.83):
            expected = binom.sf(k - 1, n, chance)
            assert binomial_tail(n, k, chance) == pytest.approx(expected, rel=1e-9)
