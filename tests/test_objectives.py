"""Problems without a network: gradients, curvatures, minima, and the same bits in any company."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from stacks import numbers, rule, snapshots

from adamcli.problems import PROBLEMS, Objective, ObjectiveTask
from adamcli.problems.problem import Problem
from adamcli.training import Trainee

# Small ones of every problem, without noise and with the whole data as one batch.
SMALL: dict[str, dict[str, Any]] = {
    "rosenbrock": {"size": 5},
    "beale": {},
    "himmelblau": {},
    "rastrigin": {"size": 3},
    "saddle": {},
    "quadratic": {"size": 6, "noise": 0.0},
    "sparse": {"features": 9, "density": 0.3, "samples": 40, "test_samples": 0, "batch": 40},
    "drift": {"size": 4, "noise": 0.0, "speed": 0.0},
}
SURFACES = [name for name in PROBLEMS if PROBLEMS[name].kind == "surface"]

MINIMA: dict[str, Sequence[Sequence[float]]] = {
    "rosenbrock": [(1, 1, 1, 1, 1)],
    "beale": [(3, 0.5)],
    "himmelblau": [
        (3, 2),
        (-2.805118086952745, 3.131312518250573),
        (-3.779310253377747, -3.283185991286170),
        (3.584428340330492, -1.848126526964404),
    ],
    "rastrigin": [(0, 0, 0)],
    "saddle": [(0, 1), (0, -1)],
}

# A setting of every problem with all its difficulties, in few steps.
HARD: dict[str, dict[str, Any]] = {
    "rosenbrock": {"size": 3, "noise": 0.5, "steps": 7},
    "beale": {"noise": 0.1, "steps": 7},
    "himmelblau": {"noise": 1.0, "steps": 7},
    "rastrigin": {"size": 9, "noise": 0.1, "steps": 7},
    "saddle": {"noise": 0.01, "steps": 7},
    "quadratic": {"size": 17, "steps": 7},
    "sparse": {"features": 70, "samples": 90, "test_samples": 50},
    "drift": {"size": 11, "steps": 7},
}


def objective(name: str, **changes: Any) -> Objective:
    """A small objective without noise."""
    return PROBLEMS[name](**(SMALL[name] | changes))


def task(name: str, seed: int = 0, dtype: str = "float64", epochs: int = 3) -> ObjectiveTask:
    """A task with all the difficulties of its objective."""
    return ObjectiveTask(
        objective=PROBLEMS[name](**HARD[name]), epochs=epochs, dtype=dtype, seed=seed
    )


def some_points(problem: Problem) -> np.ndarray:
    """A point for each row, neither at a start nor at a minimum."""
    start = problem.start()
    return start + np.random.default_rng(0).normal(size=start.shape)


def differences(values: Any, params: np.ndarray) -> np.ndarray:
    """Central differences of values(params), (R,) or (R, P), along every parameter."""
    step = 1e-5
    slopes = np.empty_like(params)
    for place in range(params.shape[1]):
        ends = []
        for sign in (1, -1):
            shifted = params.copy()
            shifted[:, place] += sign * step
            value = values(shifted)
            ends.append(value if value.ndim == 1 else value[:, place])
        slopes[:, place] = (ends[0] - ends[1]) / (2 * step)
    return slopes


@pytest.mark.parametrize("name", PROBLEMS)
def test_gradient_and_curvature_agree_with_central_differences(name):
    problem = objective(name).problem([0, 1, 0], np.dtype(np.float64))
    params = some_points(problem)
    grads, curvature = np.empty_like(params), np.empty_like(params)

    def gradient_at(at: np.ndarray) -> np.ndarray:
        out = np.empty_like(at)
        assert problem.gradient(at, 0, out)
        return out

    problem.gradient(params, 0, grads)
    numeric = differences(lambda at: problem.evaluate(at)["train_loss"], params)
    np.testing.assert_allclose(grads, numeric, rtol=1e-6, atol=1e-7)
    assert np.abs(grads).max() > 1e-3
    problem.curvature(params, curvature)
    np.testing.assert_allclose(curvature, differences(gradient_at, params), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", SURFACES)
def test_surfaces_are_zero_at_their_minima_and_nowhere_less(name):
    surface = objective(name)
    minima = np.array(MINIMA[name], dtype=float)
    grads = np.empty_like(minima)
    surface.gradient(minima, grads)
    np.testing.assert_allclose(surface.value(minima), 0, atol=1e-12)
    np.testing.assert_allclose(grads, 0, atol=1e-6)
    low, high = np.array(surface.box).T
    anywhere = np.random.default_rng(1).uniform(3 * low, 3 * high, size=(5000, len(low)))
    assert surface.value(anywhere).min() >= 0


@pytest.mark.parametrize("name", SURFACES)
def test_starts_differ_between_seeds_and_lie_in_the_box(name):
    surface = objective(name)
    start = surface.problem(range(50), np.dtype(np.float64)).start()
    low, high = np.array(surface.box).T
    assert len(np.unique(start, axis=0)) == 50
    assert ((low <= start) & (start <= high)).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_run_has_the_same_bits_alone_and_stacked(name, dtype):
    tasks = [task(name, seed % 4, dtype) for seed in range(9)]
    rules: list[Trainee | Any] = [
        rule("adam" if k < 5 else "sgdm", lr=10.0 ** -(k % 5 + 4)) for k in range(9)
    ]
    together = snapshots(tasks, rules)
    for row in (0, 3, 5, 8):
        alone = numbers(snapshots([tasks[row]], [rules[row]]), 0)
        for key, value in numbers(together, row).items():
            np.testing.assert_array_equal(value, alone[key])
    assert together[-1].params.dtype == dtype


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_optimizer_of_a_seed_meets_the_same_numbers(name):
    tasks = [task(name, seed) for seed in (0, 0, 1)]
    problem = tasks[0].stacked(tasks)
    params = problem.start()
    grads = np.empty_like(params)
    for batch in range(2):
        problem.gradient(params, batch, grads)
        np.testing.assert_array_equal(grads[0], grads[1])
        assert not np.array_equal(grads[0], grads[2])


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_task_says_what_its_problem_then_has(name):
    one = task(name)
    problem = one.stacked([one])
    assert problem.layout == one.layout
    assert problem.steps_per_epoch == one.steps_per_epoch
    assert tuple(problem.evaluate(problem.start())) == one.metrics
    assert one.metrics[0] == "train_loss"
    assert one.kind == type(one.objective).kind
    assert one.row_bytes > 0
    assert one.operations(1) > 0


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_step_of_divergence_does_not_depend_on_the_cadence(name):
    runs = [task(name, seed, epochs=4) for seed in range(3)]
    wild = [rule("sgd", lr=10.0**power) for power in (5, 60, 300)]
    often, seldom = (snapshots(runs, wild, eval_every=every)[-1] for every in (1, 4))
    np.testing.assert_array_equal(often.diverged_at, seldom.diverged_at)


def test_the_noise_of_a_gradient_has_the_deviation_asked_for():
    noisy, exact = (
        PROBLEMS["himmelblau"](noise=noise, steps=5000).problem([3], np.dtype(np.float64))
        for noise in (0.5, 0.0)
    )
    params, with_noise, without = noisy.start(), np.empty((1, 2)), np.empty((1, 2))
    exact.gradient(params, 0, without)
    noise = []
    for batch in range(5000):
        noisy.gradient(params, batch, with_noise)
        noise.append(with_noise - without)
    assert np.std(noise) == pytest.approx(0.5, rel=0.03)
    assert np.mean(noise) == pytest.approx(0, abs=0.02)


def test_the_axes_of_a_bowl_have_the_curvatures_of_its_condition():
    problem = PROBLEMS["quadratic"](size=5, condition=100.0, noise=0.0).problem(
        [0, 1], np.dtype(np.float64)
    )
    hessians = np.empty((5, 2, 5))
    for column, unit in zip(hessians, np.eye(5), strict=True):
        problem.gradient(np.tile(unit, (2, 1)), 0, column)
    for hessian in hessians.transpose(1, 0, 2):
        np.testing.assert_allclose(np.linalg.eigvalsh(hessian), np.geomspace(0.01, 1, 5))
        assert np.abs(hessian - np.diag(np.diag(hessian))).max() > 0.01
    assert not np.allclose(hessians[:, 0], hessians[:, 1])


def test_a_bowl_that_is_not_rotated_has_the_coordinate_axes():
    plain = PROBLEMS["quadratic"](size=3, condition=4.0, noise=0.0, rotated=False)
    out = np.empty((1, 3))
    plain.problem([0], np.dtype(np.float64)).gradient(np.ones((1, 3)), 0, out)
    np.testing.assert_allclose(out, [[0.25, 0.5, 1.0]])


def test_a_drifting_target_is_where_the_gradient_says_and_walks_as_fast_as_asked():
    problem = PROBLEMS["drift"](size=50, speed=0.2, noise=0.0, steps=100).problem(
        [4], np.dtype(np.float64)
    )
    params, out, targets = np.zeros((1, 50)), np.empty((1, 50)), []
    for step in range(300):
        problem.gradient(params, step % 100, out)
        targets.append(-out)
        height = 0.5 * (out * out).sum()
        np.testing.assert_allclose(problem.evaluate(params)["train_loss"], height)
    steps = np.diff(np.concatenate(targets), axis=0, prepend=0)
    assert steps.std() == pytest.approx(0.2, rel=0.03)
    assert problem.evaluate(targets[-1])["train_loss"] == 0


def test_most_entries_of_a_sparse_gradient_are_zero():
    problem = PROBLEMS["sparse"](features=100, density=0.02, batch=10).problem(
        [0], np.dtype(np.float64)
    )
    out, shares = np.empty((1, 100)), []
    for batch in range(50):
        problem.gradient(problem.start(), batch, out)
        shares.append(np.mean(out != 0))
    assert np.mean(shares) == pytest.approx(1 - 0.98**10, rel=0.1)


def test_the_true_weights_of_sparse_features_can_be_learnt():
    last = snapshots(
        [ObjectiveTask(objective=PROBLEMS["sparse"](), epochs=10, dtype="float64", seed=0)],
        [rule("adam", lr=0.05)],
    )[-1]
    assert 0.7 < last.metrics["test_accuracy"][0] < last.metrics["train_accuracy"][0] < 0.95


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_rule_that_asks_for_curvature_is_given_it(name):
    last = snapshots([task(name)], [rule("sophia")])[-1]
    assert np.isfinite(last.params).all()
    assert not np.array_equal(last.params, task(name).stacked([task(name)]).start())
