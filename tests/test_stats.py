"""Statistics over seeds: golden values, invariances, and what becomes of diverged runs."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from histories import ACCURACY, ended, history, needs_scipy

from adamcli import stats
from adamcli.history import Failure
from adamcli.seeding import generator


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], 3.0),
        ([3.0, 1.0], 2.0),
        ([1.0, 2.0, 6.0], 3.0),  # fewer than four: nothing is cut
        ([9.0, 1.0, 2.0, 4.0], 3.0),  # one of each end
        ([0, 1, 2, 3, 4, 5, 6, 7, 100], 4.0),  # two of each end: (2 + 3 + 4 + 5 + 6) / 5
        ([math.inf, 1.0, 2.0, 4.0], 3.0),  # an infinite quarter is cut off
        ([math.inf, math.inf, 2.0, 4.0], math.inf),
    ],
)
def test_iqm_is_the_mean_of_the_middle_half(values: list[float], expected: float) -> None:
    assert stats.iqm(np.array(values)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], 3.0),
        ([4.0, 1.0], 2.5),
        ([5.0, 1.0, 2.0], 2.0),
        ([math.inf, 1.0, 2.0], 2.0),
        ([math.inf, 1.0], math.inf),
        ([math.inf, math.inf], math.inf),
    ],
)
def test_median_takes_infinities_as_values(values: list[float], expected: float) -> None:
    assert stats.median(np.array(values)) == expected


def test_huge_losses_do_not_warn() -> None:
    assert stats.iqm(np.full(8, 1e308)) == math.inf


@needs_scipy
def test_iqm_is_scipys_trimmed_mean() -> None:
    from scipy.stats import trim_mean

    rng = np.random.default_rng(3)
    for n in range(1, 40):
        values = rng.normal(size=(3, n))
        np.testing.assert_allclose(stats.iqm(values), trim_mean(values, 0.25, axis=-1), rtol=1e-13)


@needs_scipy
def test_bootstrap_agrees_with_scipys_percentile_interval() -> None:
    from scipy.stats import bootstrap

    values = np.random.default_rng(5).lognormal(size=20)
    low, high = stats.bootstrap_interval(values, stats.iqm, generator(0, "bootstrap"))
    oracle = bootstrap(
        (values,),
        _iqm_with_axis,
        method="percentile",
        n_resamples=10_000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert [low, high] == pytest.approx([oracle.low, oracle.high], rel=0.03)


def _iqm_with_axis(values: np.ndarray, axis: int = -1) -> np.ndarray:
    return stats.iqm(np.moveaxis(values, axis, -1))


def test_bootstrap_of_two_values_by_hand() -> None:
    """Means of two of {0, 4} are 0, 2, 4 with odds 1 : 2 : 1, so the ends are 0 and 4."""
    low, high = stats.bootstrap_interval(
        np.array([4.0, 0.0]), lambda v: v.mean(axis=-1), generator(0, "bootstrap")
    )
    assert (low, high) == (0.0, 4.0)
    low, high = stats.bootstrap_interval(
        np.array([4.0, 0.0]), lambda v: v.mean(axis=-1), generator(0, "bootstrap"), level=0.4
    )
    assert (low, high) == (2.0, 2.0)


def test_bootstrap_of_one_value_has_no_ends() -> None:
    low, high = stats.bootstrap_interval(np.ones((3, 1)), stats.iqm, generator(0, "bootstrap"))
    assert low.shape == high.shape == (3,)
    assert np.isnan([low, high]).all()


def test_bootstrap_ends_may_be_infinite_but_never_nan() -> None:
    values = np.array([1.0, 2.0, 3.0, math.inf, math.inf])
    low, high = stats.bootstrap_interval(values, stats.iqm, generator(0, "bootstrap"))
    assert math.isfinite(low)
    assert high == math.inf


def test_bootstrap_covers_about_as_often_as_it_says() -> None:
    """95 % intervals of the mean of 20 normal values: percentile intervals cover 92 to 96 %."""
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(1000, 20))
    low, high = stats.bootstrap_interval(samples, lambda v: v.mean(axis=-1), rng, resamples=1000)
    assert 0.90 < np.mean((low <= 0) & (high >= 0)) < 0.96


def test_bootstrap_does_not_depend_on_what_else_is_resampled() -> None:
    values = np.random.default_rng(1).normal(size=(200, 9))
    many, _ = stats.bootstrap_interval(values, stats.iqm, generator(0, "bootstrap"))
    alone, _ = stats.bootstrap_interval(values[17], stats.iqm, generator(0, "bootstrap"))
    assert many[17] == alone


def test_summary_names_what_each_label_reached() -> None:
    runs = [
        history("a", seed, train_loss=[3.0, loss], train_accuracy=[0.9, 0.8])
        for seed, loss in enumerate([1.0, 2.0, 6.0])
    ]
    summary = stats.summarize([*runs, history("b", train_loss=[5.0], train_accuracy=[0.1])])[0]
    assert (summary.label, summary.n, summary.finished, summary.diverged) == ("a", 3, 3, 0)
    final, best = summary.final["train_loss"], summary.best["train_loss"]
    assert (final.median, final.iqm, final.min, final.max) == (2.0, 3.0, 1.0, 6.0)
    assert (best.median, best.max) == (2.0, 3.0)
    assert final.min <= final.low <= final.iqm <= final.high <= final.max
    assert summary.best["train_accuracy"].median == 0.9


def test_labels_keep_the_order_of_the_experiment() -> None:
    runs = [history(label, train_loss=[1.0], train_accuracy=[1.0]) for label in "zax"]
    assert [summary.label for summary in stats.summarize(runs)] == ["z", "a", "x"]


def test_diverged_runs_count_as_worst() -> None:
    runs = [
        history("a", 0, train_loss=[0.5], train_accuracy=[0.9]),
        history("a", 1, diverged_at=40, train_loss=[0.3], train_accuracy=[0.95]),
        history("a", 2, diverged_at=1, train_loss=[], train_accuracy=[]),
    ]
    summary = stats.summarize(runs)[0]
    assert (summary.finished, summary.diverged) == (1, 2)
    assert summary.final["train_loss"].median == math.inf
    assert summary.final["train_accuracy"].median == 0.0
    assert (summary.final["train_accuracy"].min, summary.final["train_accuracy"].max) == (0, 0.9)
    assert (summary.best["train_loss"].min, summary.best["train_loss"].max) == (0.3, math.inf)
    assert summary.best["train_accuracy"].min == 0.0


def test_failed_runs_count_as_worst_too() -> None:
    runs = [history("a", seed, train_loss=[0.3], train_accuracy=[0.9]) for seed in range(3)]
    runs[1] = replace(runs[1], failure=Failure(5, "what, where. Fix: this"))
    (summary,) = stats.summarize(runs)
    assert (summary.n, summary.finished, summary.diverged, summary.failed) == (3, 2, 0, 1)
    assert summary.final["train_loss"].max == math.inf
    assert summary.final["train_accuracy"].min == 0
    assert summary.best["train_loss"].max == 0.3
    assert [w.alone for w in stats.wins([runs[1], history("b", 1, train_loss=[9.0])])] == [0, 1]


def test_everything_diverged_is_still_a_summary() -> None:
    runs = [history("a", seed, diverged_at=1) for seed in range(4)]
    summary = stats.summarize(runs)[0]
    assert summary.final["train_loss"].iqm == summary.final["train_loss"].low == math.inf
    assert "test_loss" not in summary.final


def test_a_test_loss_that_is_not_a_number_is_the_worst() -> None:
    runs = [history("a", 0, train_loss=[1.0], train_accuracy=[1.0], test_loss=[math.nan])]
    assert stats.summarize(runs)[0].final["test_loss"].median == math.inf


def test_without_test_data_there_are_no_test_scores() -> None:
    summary = stats.summarize([history(train_loss=[1.0], train_accuracy=[0.5])])[0]
    assert set(summary.final) == set(summary.best) == {"train_loss", "train_accuracy"}


def test_a_diverged_label_has_the_scores_of_its_cell() -> None:
    good = history("a", train_loss=[1.0], test_loss=[1.0], **ACCURACY)
    bad = history("b", diverged_at=1)
    assert stats.summarize([good, bad])[1].final["test_loss"].median == math.inf


def test_numbers_do_not_depend_on_the_order_of_the_runs() -> None:
    rng = np.random.default_rng(2)
    runs = [
        history(label, seed, train_loss=rng.random(3), **{k: v * 3 for k, v in ACCURACY.items()})
        for label, seed in itertools.product("ab", range(7))
    ]
    shuffled = [runs[place] for place in rng.permutation(len(runs))]
    by_label = {summary.label: summary for summary in stats.summarize(runs)}
    assert {summary.label: summary for summary in stats.summarize(shuffled)} == by_label


def test_wins_by_hand() -> None:
    runs = ended("a", {0: 1.0, 1: 2.0, 2: 5.0}) + ended("b", {0: 2.0, 1: 2.0, 2: 4.0})
    assert stats.wins(runs) == [stats.Wins("a", 1, 1, 3), stats.Wins("b", 1, 1, 3)]


def test_a_seed_that_a_label_lacks_is_not_counted() -> None:
    runs = ended("a", {0: 1.0, 1: 1.0}) + ended("b", {1: 2.0, 2: 0.0})
    assert stats.wins(runs) == [stats.Wins("a", 1, 0, 1), stats.Wins("b", 0, 0, 1)]


def test_a_diverged_run_never_wins() -> None:
    runs = ended("a", {0: math.inf, 1: math.inf}) + ended("b", {0: 9.0, 1: math.inf})
    assert stats.wins(runs) == [stats.Wins("a", 0, 0, 2), stats.Wins("b", 1, 0, 2)]


def test_cells_are_contests_of_their_own() -> None:
    runs = ended("a 1", {0: 1.0}, cell="1") + ended("b 1", {0: 2.0}, cell="1")
    runs += ended("a 2", {0: 4.0}, cell="2") + ended("b 2", {0: 3.0}, cell="2")
    assert [won.label for won in stats.wins(runs) if won.alone] == ["a 1", "b 2"]


def test_the_highest_accuracy_wins() -> None:
    runs = [
        history("a", train_loss=[1.0], train_accuracy=[0.9]),
        history("b", train_loss=[0.5], train_accuracy=[0.8]),
    ]
    assert [won.alone for won in stats.wins(runs, "train_accuracy")] == [1, 0]


def test_without_test_data_the_train_loss_ranks() -> None:
    assert stats.ranking_scores([history(train_loss=[1.0], train_accuracy=[1.0])]) == {
        "": "train_loss"
    }
    assert stats.ranking_scores(ended("a", {0: 1.0})) == {"": "test_loss"}


def test_wins_do_not_depend_on_the_order_of_the_runs() -> None:
    runs = ended("a", {0: 1.0, 1: math.inf, 2: 3.0}) + ended("b", {0: 1.0, 1: 5.0, 2: 2.0})
    expected = {won.label: won for won in stats.wins(runs)}
    for order in itertools.permutations(runs):
        assert {won.label: won for won in stats.wins(order)} == expected
