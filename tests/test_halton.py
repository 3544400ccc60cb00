"""Halton's sequence: SciPy's without scrambling, and as even with it."""

from __future__ import annotations

import numpy as np
import pytest

from adamcli.halton import halton
from adamcli.seeding import generator


def scrambled(count: int, dimensions: int, seed: int = 0) -> np.ndarray:
    return halton(count, dimensions, generator(seed, "halton"))


def test_the_first_points_by_hand() -> None:
    points = [[0, 0], [1 / 2, 1 / 3], [1 / 4, 2 / 3], [3 / 4, 1 / 9], [1 / 8, 4 / 9]]
    np.testing.assert_allclose(halton(5, 2), points, rtol=1e-15)


@pytest.mark.parametrize("dimensions", [1, 2, 7, 20])
def test_unscrambled_it_is_scipys(dimensions: int) -> None:
    qmc = pytest.importorskip("scipy.stats.qmc")
    expected = qmc.Halton(dimensions, scramble=False).random(1000)
    np.testing.assert_array_equal(halton(1000, dimensions), expected)


@pytest.mark.parametrize(("dimension", "base"), [(0, 2), (1, 3), (2, 5), (5, 13)])
def test_scrambled_every_part_of_equal_width_has_its_point(dimension: int, base: int) -> None:
    for count in (base, base**2, base**3):
        column = scrambled(count, dimension + 1)[:, dimension]
        assert sorted((column * count).astype(int)) == list(range(count))


def test_scrambled_large_bases_do_not_climb_together() -> None:
    def correlation(points: np.ndarray) -> float:
        return abs(float(np.corrcoef(points[:, 13], points[:, 14])[0, 1]))  # bases 43 and 47

    assert correlation(halton(40, 15)) > 0.99
    assert np.median([correlation(scrambled(40, 15, seed)) for seed in range(20)]) < 0.3


def test_a_point_is_uniform_over_seeds() -> None:
    first = np.array([scrambled(1, 3, seed)[0] for seed in range(2000)])
    np.testing.assert_allclose(first.mean(axis=0), 0.5, atol=4 * np.sqrt(1 / 12 / 2000))
    np.testing.assert_allclose(first.var(axis=0), 1 / 12, rtol=0.1)


def test_it_integrates_better_than_random_points() -> None:
    def error(points: np.ndarray) -> float:
        return abs(float(np.prod(1 + (points - 0.5), axis=1).mean() - 1))

    rng = np.random.default_rng(0)
    even = np.median([error(scrambled(256, 4, seed)) for seed in range(20)])
    random = np.median([error(rng.random((256, 4))) for _ in range(20)])
    assert even < random / 3


def test_a_seed_fixes_the_points_and_more_leave_the_first_as_they_are() -> None:
    points = scrambled(50, 4, seed=7)
    np.testing.assert_array_equal(points[:20], scrambled(20, 4, seed=7))
    np.testing.assert_array_equal(points[:, :2], scrambled(50, 2, seed=7))
    assert not np.array_equal(points, scrambled(50, 4, seed=8))
    assert ((points >= 0) & (points < 1)).all()
