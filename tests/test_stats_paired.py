"""Tests of paired differences: exact enumerations, SciPy as the oracle, and infinities."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from histories import needs_scipy
from hypothesis import given
from hypothesis import strategies as st

from adamcli import stats
from adamcli.seeding import generator
from adamcli.stats import paired


def flips() -> np.random.Generator:
    return generator(0, "sign flips")


def p_value(differences: np.ndarray) -> float:
    return float(stats.sign_flip(np.asarray(differences, dtype=float), flips()))


def by_enumeration(differences: list[Fraction]) -> Fraction:
    """p in exact arithmetic."""
    patterns = list(itertools.product((1, -1), repeat=len(differences)))
    sums = [abs(sum(s * d for s, d in zip(p, differences, strict=True))) for p in patterns]
    return Fraction(sum(total >= sums[0] for total in sums), len(sums))


def test_three_pairs_by_hand() -> None:
    """+-1 +-2 +-4: only the pattern observed and its opposite reach 7, all but two 3 (1-2+4)."""
    assert p_value([1, 2, 4]) == 2 / 8
    assert p_value([-1, -2, -4]) == 2 / 8
    assert p_value([1, -2, 4]) == 6 / 8
    assert p_value([0, 0, 0]) == 1


@given(st.lists(st.integers(-9, 9).map(lambda k: Fraction(k, 10)), min_size=1, max_size=9))
def test_sign_flip_is_the_enumeration_in_exact_arithmetic(differences: list[Fraction]) -> None:
    """Tenths are not exact in binary, so sums that tie are only told by the tolerance."""
    assert p_value([float(d) for d in differences]) == by_enumeration(differences)


@needs_scipy
@pytest.mark.parametrize("n", [2, 3, 5, 10, 13])
def test_sign_flip_is_scipys_exact_permutation_test(n: int) -> None:
    from scipy.stats import permutation_test

    differences = np.random.default_rng(n).normal(0.4, 1, size=n)
    oracle = permutation_test(
        (differences,),
        lambda d, axis=-1: d.mean(axis=axis),
        permutation_type="samples",
        n_resamples=math.inf,
    )
    assert p_value(differences) == oracle.pvalue


@needs_scipy
def test_sign_flip_of_signs_is_scipys_sign_test() -> None:
    from scipy.stats import binomtest

    for n in (7, 16):
        for wins in range(n + 1):
            signs = np.array([1.0] * wins + [-1.0] * (n - wins) + [0.0] * (16 - n))
            assert p_value(signs) == pytest.approx(binomtest(wins, n).pvalue, rel=1e-12)


def test_random_flips_agree_with_all_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    differences = rng.normal(0.5, 1, size=(20, 12))
    exact = stats.sign_flip(differences, flips())
    monkeypatch.setattr(paired, "EXACT", 3)
    drawn = stats.sign_flip(differences, flips())
    error = np.sqrt(exact * (1 - exact) / paired.FLIPS) + 1 / paired.FLIPS
    assert (np.abs(drawn - exact) < 4 * error).all()
    assert (drawn != exact).any()


def test_random_flips_count_the_observed_signs_too() -> None:
    """20 pairs that all agree: no random pattern of 99 is as extreme, the observed one is."""
    assert stats.sign_flip(np.arange(1.0, 21), flips(), flips=99) == 1 / 100
    assert stats.sign_flip(np.zeros(20), flips(), flips=99) == 1


@pytest.mark.parametrize("n", [8, 20])
def test_p_depends_neither_on_the_order_nor_on_who_is_first(n: int) -> None:
    differences = np.round(np.random.default_rng(4).normal(0.3, 1, size=n), 1)
    p = p_value(differences)
    assert p_value(-differences) == p
    for _ in range(10):
        assert p_value(np.random.default_rng(n).permutation(differences)) == p


def test_p_does_not_depend_on_what_else_is_tested() -> None:
    for n in (9, 30):
        differences = np.random.default_rng(1).normal(0.3, 1, size=(50, n))
        assert stats.sign_flip(differences, flips())[17] == p_value(differences[17])


def test_p_does_not_depend_on_the_unit() -> None:
    differences = np.random.default_rng(4).normal(0.3, 1, size=11)
    assert p_value(differences * 1e-200) == p_value(differences) == p_value(differences * 1e200)


def test_smallest_p_is_reached() -> None:
    for n in (1, 5, 6, 16, 17):
        assert p_value(np.ones(n)) == pytest.approx(paired.smallest_p(n), abs=2 / paired.FLIPS)
    assert paired.smallest_p(5) > 0.05 > paired.smallest_p(6)


def test_a_diverged_run_is_further_off_than_any_finished_one() -> None:
    a, b = stats.finite(np.array([1.0, math.inf, 3.0]), np.array([2.0, 0.5, 1.0]))
    assert a.tolist() == [1.0, 5.5, 3.0]  # 3 and once more the 2.5 between 0.5 and 3
    assert b.tolist() == [2.0, 0.5, 1.0]
    assert np.argmax(np.abs(a - b)) == 1


def test_a_loss_of_nothing_is_better_than_any_other() -> None:
    a, b = stats.finite(np.array([-math.inf, 2.0]), np.array([1.0, math.inf]))
    assert (a.tolist(), b.tolist()) == ([0.0, 2.0], [1.0, 3.0])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([math.inf, math.inf], [math.inf, math.inf], [0, 0]),  # neither finished: a tie
        ([math.inf, 1.0], [1.0, math.inf], [1, -1]),  # nothing to tell a size by
        ([math.inf, -math.inf], [-math.inf, -math.inf], [2, 0]),
    ],
)
def test_differences_of_infinities_are_never_nan(
    a: list[float], b: list[float], expected: list[float]
) -> None:
    assert np.subtract(*stats.finite(np.array(a), np.array(b))).tolist() == expected


@given(st.permutations(range(7)), st.lists(st.booleans(), min_size=7, max_size=7))
def test_the_test_with_infinities_is_permutation_invariant(
    order: list[int], swapped: list[bool]
) -> None:
    """Neither the order of the seeds nor a swap of the labels at all of them changes p, and a
    swap at some seeds flips just those differences."""
    a = np.array([1.0, math.inf, 2.0, math.inf, 0.3, 0.2, 4.0])
    b = np.array([2.0, 1.5, math.inf, math.inf, 0.4, 0.5, 4.5])
    differences = np.subtract(*stats.finite(a, b))
    assert p_value(np.subtract(*stats.finite(a[order], b[order]))) == p_value(differences)
    assert p_value(np.subtract(*stats.finite(b, a))) == p_value(differences)
    one, other = np.where(swapped, b, a), np.where(swapped, a, b)
    flipped = np.subtract(*stats.finite(one, other))
    assert flipped.tolist() == np.where(swapped, -differences, differences).tolist()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_its_definition(p: list[float]) -> None:
    """The largest (m - j) p_(j) among all p no larger than one's own, at most 1."""
    adjusted = stats.holm(np.array(p))
    ordered = sorted(p)
    for mine, got in zip(p, adjusted, strict=True):
        steps = [(len(p) - j) * q for j, q in enumerate(ordered) if q <= mine]
        assert got == min(1.0, max(steps))


def test_holm_by_hand() -> None:
    """3 x .01, 2 x .04, and .03 no smaller than the .03 before it: 2 x .03 = .06, then .06."""
    assert stats.holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm(np.array([0.6, 0.9])).tolist() == [1.0, 1.0]
    assert stats.holm(np.array([])).tolist() == []


def test_simes_by_hand() -> None:
    """3 x .02, 3 / 2 x .03 and 3 / 3 x .5; where all agree, they are worth what one is."""
    assert paired.simes(np.array([0.5, 0.02, 0.03])) == pytest.approx(0.045)
    assert paired.simes(np.full(4, 0.03)) == pytest.approx(0.03)
    assert paired.simes(np.array([])) == 1


@needs_scipy
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_simes_is_the_smallest_p_that_benjamini_and_hochberg_adjust(p: list[float]) -> None:
    from scipy.stats import false_discovery_control

    assert paired.simes(np.array(p)) == pytest.approx(false_discovery_control(p).min())


def test_detectable_mean_by_hand() -> None:
    """n = 20, s = 1: (2.093024 + 0.860951) / sqrt(20)."""
    differences = np.array([1.0, -1.0] * 10) * math.sqrt(19 / 20)
    assert stats.detectable_mean(differences) == pytest.approx(0.660529, abs=1e-6)


def test_too_few_seeds_for_so_many_tests_show_nothing() -> None:
    differences = np.random.default_rng(0).normal(size=6)
    assert math.isfinite(stats.detectable_mean(differences, 0.05))
    assert stats.detectable_mean(differences, 0.05 / 3) == math.inf
    assert stats.detectable_share(6, 0.05) < 1
    assert stats.detectable_share(6, 0.05 / 3) == math.inf


@needs_scipy
def test_detectable_share_is_where_the_sign_test_has_its_power() -> None:
    """20 pairs: 15 are needed, and 15 or more happen in 80 % of samples at .7987."""
    from scipy.stats import binom

    share = stats.detectable_share(20)
    assert binom.sf(14, 20, share) == pytest.approx(0.8)
    assert share == pytest.approx(0.7987, abs=1e-4)


def test_share_better_by_hand() -> None:
    a, b = np.array([1.0, 2.0, math.inf, 4.0]), np.array([2.0, 2.0, math.inf, 1.0])
    share, low, high = stats.share_better(a, b, higher=False)
    assert share == 0.5  # one better, one worse, two ties
    assert (low + high) / 2 == pytest.approx(0.5)
    assert stats.share_better(a, a + 1, higher=False)[0] == 0.875  # inf + 1 is a tie


@needs_scipy
def test_without_ties_share_better_has_scipys_wilson_interval() -> None:
    from scipy.stats import binomtest

    for n in (1, 6, 20):
        for wins in range(n + 1):
            a = np.r_[np.ones(wins), -np.ones(n - wins)]
            oracle = binomtest(wins, n).proportion_ci(method="wilson")
            expected = [wins / n, oracle.low, oracle.high]
            assert stats.share_better(a, 0 * a, higher=True) == pytest.approx(expected, abs=1e-12)


def test_share_better_mirrors_when_labels_or_directions_are_swapped() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(5, 20)).round(1), rng.normal(size=(5, 20)).round(1)
    share, low, high = stats.share_better(a, b, higher=True)
    for other in (stats.share_better(b, a, higher=True), stats.share_better(a, b, higher=False)):
        np.testing.assert_allclose(other, [1 - share, 1 - high, 1 - low], rtol=0, atol=1e-15)
