"""Verdicts: what they say, what they refuse, and that no order or name decides a number."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pytest
from histories import ACCURACY, ended, history
from hypothesis import given, settings
from hypothesis import strategies as st

from adamcli import stats
from adamcli.history import RunHistory

LOSSES = np.exp(np.random.default_rng(0).normal(size=20))


def losses(label: str, values: Iterable[float], **kwargs: str) -> list[RunHistory]:
    """One run per seed from 0 with the given final test loss; infinity stands for diverged."""
    return ended(label, dict(enumerate(values)), **kwargs)


def curves(label: str, accuracies: Sequence[Sequence[float]]) -> list[RunHistory]:
    """One run per seed with the given test accuracies."""
    return [
        history(label, seed, train_loss=[1.0] * len(a), test_loss=[1.0] * len(a), test_accuracy=a)
        for seed, a in enumerate(accuracies)
    ]


def only(
    runs: Iterable[RunHistory], metric: str = "test_loss", targets: Sequence[stats.Target] = ()
) -> stats.Verdict:
    """The one verdict of two labels on a metric."""
    found = [v for v in stats.verdicts(runs, targets, resamples=500) if v.metric == metric]
    assert len(found) == 1
    return found[0]


def test_a_clear_difference_is_a_win_of_the_smaller_loss() -> None:
    verdict = only(losses("a", LOSSES) + losses("b", 2 * LOSSES * np.linspace(0.9, 1.1, 20)))
    assert (verdict.verdict, verdict.n, verdict.infinite) == (stats.A_BETTER, 20, 0)
    assert verdict.difference == pytest.approx(-math.log(2), abs=0.01)
    assert verdict.low < verdict.difference < verdict.high < 0
    assert verdict.p == verdict.p_adjusted == 1 / 20_000
    assert (verdict.p_better, verdict.p_better_high) == (1, 1)
    assert verdict.p_better_low == pytest.approx(0.839, abs=1e-3)  # Wilson, 20 of 20
    assert verdict.reason == "the interval leaves out 0 and the adjusted p is 5e-05"


def test_the_larger_accuracy_wins() -> None:
    rng = np.random.default_rng(1)
    runs = curves("a", rng.uniform(0.6, 0.7, (12, 1))) + curves("b", rng.uniform(0.8, 0.9, (12, 1)))
    verdict = only(runs, "test_accuracy")
    assert (verdict.verdict, verdict.unit) == (stats.B_BETTER, "difference")
    assert -0.3 < verdict.low < verdict.difference < verdict.high < -0.1
    assert verdict.p_better == 0


def test_the_mean_of_log_ratios_by_hand() -> None:
    verdict = only(losses("a", [1, 2, 4, 8, 1, 1]) + losses("b", [2, 2, 2, 2, 2, 2]))
    assert verdict.unit == "log ratio"
    assert verdict.difference == pytest.approx(0)
    assert verdict.iqm == pytest.approx(math.log(2) * (-1 - 1 + 0 + 1) / 4)
    assert verdict.p == 1
    assert verdict.p_better == (3 + 0.5) / 6


def test_equal_optimizers_under_two_names_are_not_distinguishable() -> None:
    for values in (LOSSES, np.full(20, math.inf)):
        verdict = only(losses("a", values) + losses("b", values))
        assert verdict.verdict == stats.NOT_DISTINGUISHABLE
        assert (verdict.difference, verdict.low, verdict.high) == (0, 0, 0)
        assert (verdict.p, verdict.p_better, verdict.infinite) == (1, 0.5, 0)
        assert (verdict.ties, verdict.reason) == (20, "equal at every seed")


@pytest.mark.parametrize("n", range(1, 9))
def test_below_six_seeds_there_are_numbers_but_no_verdict(n: int) -> None:
    verdict = only(losses("a", LOSSES[:n]) + losses("b", 9 * LOSSES[:n]))
    assert verdict.p == 2 / 2**n
    assert verdict.difference == pytest.approx(-math.log(9))
    assert verdict.verdict == (stats.NO_VERDICT if n < 6 else stats.A_BETTER)
    if n < 6:
        seeds = "1 seed" if n == 1 else f"{n} seeds"
        assert verdict.reason == f"{seeds}: below 6 no test can give p < 0.05"


def test_a_pair_without_a_common_seed_has_no_verdict() -> None:
    runs = ended("a", {0: 1.0, 1: 1.0}) + ended("b", {2: 1.0})
    verdict = only(runs)
    assert (verdict.n, verdict.verdict, verdict.reason) == (0, "no verdict", "no seed in common")
    assert (verdict.p, verdict.p_adjusted, verdict.p_together) == (1, 1, 1)
    assert math.isnan(verdict.difference)


def test_only_seeds_that_both_labels_have_are_compared() -> None:
    a = ended("a", {seed: 1.0 + seed for seed in range(8)})
    b = ended("b", {seed: 2.0 + 2 * seed for seed in range(2, 10)})
    c = ended("c", dict.fromkeys(range(3), 1.0))
    found = {(v.a, v.b): v for v in stats.verdicts(a + b + c, [], resamples=200)}
    assert [found[pair].n for pair in (("a", "b"), ("a", "c"), ("b", "c"))] == [6, 3, 1]
    assert found["a", "b"].difference == pytest.approx(-math.log(2))


def test_a_seed_that_is_there_twice_counts_once() -> None:
    runs = losses("a", LOSSES[:5]) + losses("b", 9 * LOSSES[:5])
    assert only(runs + runs).n == 5


def test_p_is_adjusted_over_the_pairs_of_a_metric() -> None:
    rng = np.random.default_rng(3)
    runs = [
        run
        for label, factor in {"a": 1, "b": 1.3, "c": 3, "d": 3}.items()
        for run in losses(label, factor * np.exp(0.5 * rng.normal(size=12)))
    ]
    found = stats.verdicts(runs, [], resamples=200)
    adjusted = stats.holm(np.array([v.p for v in found]))
    assert [v.p_adjusted for v in found] == adjusted.tolist()
    assert len({v.verdict for v in found}) > 1


def test_a_small_p_among_many_pairs_is_no_win() -> None:
    """Six seeds can show one pair, p = .031, but not three: .094."""
    runs = losses("a", LOSSES[:6]) + losses("b", 9 * LOSSES[:6])
    assert only(runs).verdict == stats.A_BETTER
    found = stats.verdicts(runs + losses("c", 5 * LOSSES[:6]), [], resamples=200)
    assert {v.verdict for v in found} == {stats.NOT_DISTINGUISHABLE}
    assert found[0].detectable == math.inf
    assert found[0].reason.endswith("6 seeds cannot give an adjusted p < 0.05 among 3 pairs")


def test_chance_has_no_more_tries_for_there_being_more_metrics() -> None:
    """p = .031 for the accuracy among two metrics is p = .062 together; both at .031 stay so."""
    a = [
        history("a", k, train_loss=[1.0], test_loss=[1.0 + k], test_accuracy=[0.9])
        for k in range(6)
    ]
    b = [
        history("b", k, train_loss=[1.0], test_loss=[1.0 + (k + 1) % 6], test_accuracy=[0.5])
        for k in range(6)
    ]
    verdict = only(a + b, "test_accuracy")
    assert (verdict.p_adjusted, verdict.p_together) == (2 / 2**6, 2 * 2 / 2**6)
    assert verdict.verdict == stats.NOT_DISTINGUISHABLE
    assert verdict.reason.startswith("over all metrics together p is 0.062; 6 seeds would")
    worse = [
        history("b", k, train_loss=[1.0], test_loss=[9.0], test_accuracy=[0.5]) for k in range(6)
    ]
    verdict = only(a + worse, "test_accuracy")
    assert (verdict.verdict, verdict.p_together) == (stats.A_BETTER, 2 / 2**6)


def test_what_cannot_tell_a_pair_apart_does_not_count_as_a_try() -> None:
    verdict = only(hits("a", [1] * 6) + hits("b", [9] * 6), STEPS, TARGETS)
    assert verdict.p_together == verdict.p == 2 / 2**6


def test_a_win_needs_the_interval_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interval of a skewed sample may reach 0 where the test is just significant."""
    from adamcli.stats import comparing

    wide = (np.array([-3.0]), np.array([0.0]))
    runs = losses("a", LOSSES) + losses("b", 2 * LOSSES)
    monkeypatch.setattr(comparing, "mean_interval", lambda *_: wide)
    verdict = only(runs)
    assert verdict.p_adjusted < 0.05
    assert verdict.verdict == stats.NOT_DISTINGUISHABLE
    assert verdict.reason.startswith("the interval contains 0;")


def test_every_metric_needs_a_small_adjusted_p_of_its_own() -> None:
    """10 of 12 seeds, p = .039, is .116 among three pairs, however clear the accuracies are."""
    halves = [0.5] * 10 + [2.0] * 2
    runs = [
        history(label, seed, train_loss=[1.0], test_loss=[loss], test_accuracy=[accuracy])
        for label, accuracy in (("a", 0.9), ("b", 0.5), ("c", 0.5))
        for seed, loss in enumerate(halves if label == "a" else [1.0] * 12)
    ]
    found = {(v.metric, v.b): v for v in stats.verdicts(runs, [], resamples=200) if v.a == "a"}
    assert found["test_accuracy", "b"].verdict == stats.A_BETTER
    verdict = found["test_loss", "b"]
    assert verdict.p < 0.05 < verdict.p_adjusted == pytest.approx(3 * verdict.p)
    assert verdict.p_together < 0.05
    assert verdict.verdict == stats.NOT_DISTINGUISHABLE
    assert "the adjusted p is 0.12;" in verdict.reason


def test_differences_that_mirror_themselves_have_such_an_interval() -> None:
    verdict = only(losses("a", LOSSES) + losses("b", LOSSES[::-1]))
    assert verdict.low == -verdict.high < 0


def test_what_is_not_distinguishable_says_what_would_have_been() -> None:
    ratios = np.exp(0.1 * np.random.default_rng(2).normal(size=20))
    verdict = only(losses("a", LOSSES) + losses("b", LOSSES * ratios))
    assert verdict.verdict == stats.NOT_DISTINGUISHABLE
    assert verdict.detectable == pytest.approx(0.6605 * np.log(ratios).std(ddof=1), rel=1e-3)
    assert verdict.reason.endswith("; 20 seeds would have shown a factor of 1.06")


def test_diverged_runs_lose() -> None:
    b = np.where(np.arange(20) < 10, math.inf, LOSSES)
    verdict = only(losses("a", LOSSES) + losses("b", b))
    assert (verdict.verdict, verdict.infinite) == (stats.A_BETTER, 10)
    assert verdict.p_better == 0.75
    assert math.isfinite(verdict.difference)


def test_one_divergence_outweighs_many_small_gains() -> None:
    a = np.where(np.arange(20) == 7, math.inf, LOSSES * 0.99)
    verdict = only(losses("a", a) + losses("b", LOSSES))
    assert verdict.verdict == stats.NOT_DISTINGUISHABLE
    assert verdict.p_better == 0.95
    assert verdict.difference > 0


def test_when_all_diverge_but_some_there_is_still_no_nan() -> None:
    patterns = itertools.product([math.inf, 1.0], repeat=2)
    for first, second in patterns:
        verdict = only(losses("a", [first] * 6 + [1.0]) + losses("b", [second] * 6 + [1.0]))
        numbers = [x for x in dataclasses.astuple(verdict) if isinstance(x, float)]
        assert not np.isnan(numbers).any()


def test_a_loss_of_0_is_the_best_there_is() -> None:
    verdict = only(losses("a", [0.0] * 10) + losses("b", np.geomspace(1e-30, 1, 10)))
    assert (verdict.verdict, verdict.infinite) == (stats.A_BETTER, 10)


def test_negative_losses_are_compared_as_they_are() -> None:
    verdict = only(losses("a", [-2.0, 1, 1, 1, 1, 1]) + losses("b", [1.0] * 6))
    assert (verdict.unit, verdict.difference) == ("difference", -0.5)


def test_without_test_data_the_training_is_judged() -> None:
    runs = [
        history(label, seed, train_loss=[1.0], train_accuracy=[0.5])
        for label in "ab"
        for seed in range(6)
    ]
    assert [v.metric for v in stats.verdicts(runs, resamples=100)] == [
        "train_loss",
        "train_accuracy",
        "steps to train_accuracy 0.9",
        "steps to train_accuracy 0.95",
        "steps to train_accuracy 0.99",
    ]


def test_what_was_never_measured_is_not_judged() -> None:
    runs = losses("a", LOSSES) + losses("b", LOSSES)
    targets = [stats.Target("test_loss", 0.5), stats.Target("test_accuracy", 0.9)]
    metrics = [v.metric for v in stats.verdicts(runs, targets, resamples=100)]
    assert metrics == ["test_loss", "steps to test_loss 0.5"]
    assert stats.verdicts([history("a", diverged_at=1), history("b", diverged_at=1)])[0].n == 1


STEPS = "steps to test_accuracy 0.9"
TARGETS = [stats.Target("test_accuracy", 0.9)]


def hits(label: str, evaluations: Iterable[float]) -> list[RunHistory]:
    """Runs of eight evaluations, 32 steps each, that reach 0.9 at the given one."""
    rows = [[0.95 if k >= at else 0.5 for k in range(1, 9)] for at in evaluations]
    return curves(label, rows)


def test_the_sooner_label_wins_the_steps_to_a_target() -> None:
    verdict = only(hits("a", [1, 2, 2, 4, 2, 1, 2]) + hits("b", [4] * 7), STEPS, TARGETS)
    assert (verdict.verdict, verdict.unit) == (stats.A_BETTER, "log ratio")
    assert verdict.difference == pytest.approx(-math.log(2) * (2 + 1 + 1 + 0 + 1 + 2 + 1) / 7)
    assert verdict.p == 2 / 2**6  # a tie says nothing


def test_steps_are_tested_by_order_not_by_size() -> None:
    """Seven small gains against one great loss: 2 (1 + 8) / 2^8 whatever the loss is."""
    for late in (5, 8, math.inf):
        verdict = only(hits("a", [4] * 7 + [late]) + hits("b", [5] * 7 + [4]), STEPS, TARGETS)
        assert verdict.p == 18 / 2**8


def test_a_miss_comes_after_every_hit_and_is_a_tie_with_a_miss() -> None:
    miss = math.inf
    a, b = [8] * 6 + [miss] * 2 + [1], [miss] * 8 + [2]
    verdict = only(hits("a", a) + hits("b", b), STEPS, TARGETS)
    assert (verdict.n, verdict.infinite) == (9, 6)
    assert verdict.p == 2 / 2**7
    assert verdict.p_better == (7 + 1) / 9
    bound = 6 * math.log(8 / 9) + math.log(1 / 2)  # the misses may come at evaluation 9
    assert verdict.difference == pytest.approx(bound / 9)


def test_a_win_by_order_needs_the_mean_on_the_same_side() -> None:
    """a is later at 15 of 20 seeds, by one evaluation, and far sooner at the other five."""
    a, b = [8] * 15 + [1] * 5, [7] * 15 + [9] * 5
    verdict = only(hits("a", a) + hits("b", b), STEPS, TARGETS)
    assert verdict.p_adjusted < 0.05
    assert verdict.high < 0
    assert verdict.verdict == stats.NOT_DISTINGUISHABLE
    assert verdict.reason.startswith("the one that is sooner at more seeds is later on average;")


def test_a_target_that_none_reaches_is_not_distinguishable() -> None:
    verdict = only(hits("a", [math.inf] * 8) + hits("b", [math.inf] * 8), STEPS, TARGETS)
    assert verdict.verdict == stats.NOT_DISTINGUISHABLE
    assert (verdict.difference, verdict.p, verdict.p_better) == (0, 1, 0.5)
    assert verdict.reason == "equal at every seed"


def test_a_comparison_by_order_says_what_it_would_have_shown() -> None:
    verdict = only(hits("a", [1, 2] * 4) + hits("b", [2, 1] * 4), STEPS, TARGETS)
    assert verdict.reason == (
        "the interval contains 0 and the adjusted p is 1; "
        "8 seeds would have shown that one is sooner at 97% of them"
    )


def test_cells_are_contests_of_their_own() -> None:
    runs = losses("a 1", LOSSES, cell="1") + losses("b 1", 9 * LOSSES, cell="1")
    runs += losses("a 2", LOSSES[:6], cell="2") + losses("b 2", LOSSES[:6], cell="2")
    found = stats.verdicts(runs, [], resamples=100)
    assert [(v.cell, v.a, v.b) for v in found] == [("1", "a 1", "b 1"), ("2", "a 2", "b 2")]
    assert found[0] == dataclasses.replace(stats.verdicts(runs[:40], [], resamples=100)[0])


def test_one_label_alone_has_no_verdict() -> None:
    assert stats.verdicts(losses("a", LOSSES)) == []
    assert stats.verdicts([]) == []


@settings(max_examples=15)
@given(st.permutations(range(27)))
def test_the_order_of_the_runs_decides_no_number(order: list[int]) -> None:
    rng = np.random.default_rng(0)
    runs = [
        history(label, seed, train_loss=x, test_loss=x, **dict.fromkeys(ACCURACY, x))
        for label in "abc"
        for seed in range(9)
        for x in [rng.random(4).round(2)]
    ]
    first = {(v.metric, v.a, v.b): v for v in stats.verdicts(runs, resamples=100)}
    for verdict in stats.verdicts([runs[k] for k in order], resamples=100):
        straight = (verdict.metric, verdict.a, verdict.b) in first
        mine = verdict if straight else mirrored(verdict)
        expected = first[mine.metric, mine.a, mine.b]
        for field in dataclasses.fields(stats.Verdict):
            got, want = getattr(mine, field.name), getattr(expected, field.name)
            assert got == (pytest.approx(want, abs=1e-12) if isinstance(got, float) else want)


def mirrored(verdict: stats.Verdict) -> stats.Verdict:
    """The verdict with its labels swapped."""
    words: Mapping[str, str] = {
        stats.A_BETTER: stats.B_BETTER,
        stats.B_BETTER: stats.A_BETTER,
    }
    return dataclasses.replace(
        verdict,
        a=verdict.b,
        b=verdict.a,
        difference=-verdict.difference,
        low=-verdict.high,
        high=-verdict.low,
        iqm=-verdict.iqm,
        p_better=1 - verdict.p_better,
        p_better_low=1 - verdict.p_better_high,
        p_better_high=1 - verdict.p_better_low,
        verdict=words.get(verdict.verdict, verdict.verdict),
    )


def test_a_pair_does_not_depend_on_its_company() -> None:
    runs = losses("a", LOSSES) + losses("b", 1.1 * LOSSES[::-1])
    alone = only(runs)
    rest = losses("c", LOSSES**2) + losses("d", LOSSES[:9])
    among = stats.verdicts(runs + rest, [], resamples=500)[0]
    for name in ("difference", "low", "high", "iqm", "p", "p_better", "p_better_low"):
        assert getattr(among, name) == getattr(alone, name)


def test_huge_and_tiny_losses_do_not_warn() -> None:
    for scale in (1e-300, 1e300):
        verdict = only(losses("a", scale * LOSSES) + losses("b", 2 * scale * LOSSES))
        assert verdict.difference == pytest.approx(-math.log(2))
