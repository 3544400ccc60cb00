"""Steps worked by hand, equivalences between rules, and what their traces say of their steps."""

from __future__ import annotations

import numpy as np
import pytest
from stacks import rule
from test_optimizers import LAYOUT, gradients, start, walk

from adamcli.optimizers import RULES, Rule, Step

ORIGIN = np.zeros((1, 1))


def column(*gradients: float) -> np.ndarray:
    """Gradients of one run with one parameter, (T, 1, 1)."""
    return np.array(gradients, dtype=np.float64)[:, None, None]


def followed(rule: Rule, gradients: np.ndarray, start: np.ndarray, lr: np.ndarray):
    """Parameters (T,) of the first parameter of one run and its series, each (T,)."""
    params, state = start.copy(), rule.init(start, LAYOUT)
    scratch = [np.empty_like(params) for _ in range(3)]
    notes: dict[str, list[float]] = {"params": [], "evaluated": []}
    ones = np.ones_like(params)
    for t, grads in enumerate(gradients, start=1):
        at = Step(t, lr[t - 1], params, LAYOUT, *scratch, lambda: ones)
        update = rule.update(grads, state, at)
        params += update
        notes["params"].append(params[0, 0])
        if hasattr(rule, "evaluated"):
            notes["evaluated"].append(rule.evaluated(params, state)[0, 0])
        for name, array in {"grad": grads, "update": update, **state}.items():
            notes.setdefault(name, []).append(array[0, 0])
    return {name: np.array(values) for name, values in notes.items()}


def test_two_steps_of_adagrad_worked_by_hand():
    one = RULES["adagrad"](lr=0.1, lr_decay=1.0, eps=0.5)
    path = walk(one, column(3, 4), ORIGIN)
    # s = 9, then 25, and the lr of the second step is halved
    np.testing.assert_allclose(path[0], -0.1 * 3 / (3 + 0.5), rtol=1e-15)
    np.testing.assert_allclose(path[1] - path[0], -0.05 * 4 / (5 + 0.5), rtol=1e-15)


def test_forks_of_adagrad_worked_by_hand():
    inside = RULES["adagrad"](lr=0.1, eps=7.0, eps_in_root=True)
    np.testing.assert_allclose(walk(inside, column(3), ORIGIN)[0], -0.1 * 3 / 4, rtol=1e-15)
    filled = RULES["adagrad"](lr=0.1, initial=16.0, eps=0.0)
    np.testing.assert_allclose(walk(filled, column(3), ORIGIN)[0], -0.1 * 3 / 5, rtol=1e-15)


def test_steps_of_adagrad_along_a_constant_gradient_fall_with_the_root_of_their_number():
    moves = np.diff(walk(RULES["adagrad"](lr=0.1), column(*[5.0] * 9), ORIGIN)[:, 0, 0])
    np.testing.assert_allclose(moves, -0.1 / np.sqrt(np.arange(2, 10)), rtol=1e-10)


def test_two_steps_of_adadelta_worked_by_hand():
    one = RULES["adadelta"](lr=0.1, beta2=0.75, eps=1.0)
    path = walk(one, column(2, 2), ORIGIN)
    # v = 1, d^2 = (0 + 1) / (1 + 1) 4 = 2, u = 0.5; then v = 1.75
    np.testing.assert_allclose(path[0], -0.1 * 2**0.5, rtol=1e-15)
    np.testing.assert_allclose(path[1] - path[0], -0.1 * 2 * (1.5 / 2.75) ** 0.5, rtol=1e-14)


def test_signum_without_momentum_is_signsgd():
    one, other = (
        RULES["signum"](lr=0.1, momentum=0.0, weight_decay=0.3),
        RULES["signsgd"](lr=0.1, weight_decay=0.3),
    )
    np.testing.assert_array_equal(
        walk(one, gradients(), start()), walk(other, gradients(), start())
    )


def test_lion_with_equal_betas_is_signum():
    one, other = RULES["lion"](lr=0.1, beta1=0.8, beta2=0.8), RULES["signum"](lr=0.1, momentum=0.8)
    np.testing.assert_array_equal(
        walk(one, gradients(), start()), walk(other, gradients(), start())
    )


def test_lion_weighs_the_newest_gradient_by_beta1_and_keeps_it_by_beta2():
    one = RULES["lion"](lr=1.0, beta1=0.5, beta2=0.75)
    # m = 0 before, 1 after the first; then c = 0.5 - 0.75 < 0, and m = 0.375 turns c = 0.0875 > 0
    path = walk(one, column(4, -1.5, -0.2), ORIGIN)
    np.testing.assert_array_equal(path[:, 0, 0], [-1, 0, -1])


def test_five_steps_of_rprop_worked_by_hand():
    one = RULES["rprop"](lr=0.1, shrink=0.5, grow=1.2)
    path = walk(one, column(3, 0.2, -7, -1, -1), ORIGIN)[:, 0, 0]
    # sizes 0.1, 0.12, 0.06 at the turn, which rests and is forgotten, 0.06, 0.072
    np.testing.assert_allclose(path, [-0.1, -0.22, -0.22, -0.16, -0.088], rtol=1e-14)


def test_steps_of_rprop_stay_between_their_bounds():
    growing = RULES["rprop"](lr=0.1, step_max=0.13)
    path = walk(growing, column(1, 1, 1, 1), ORIGIN)[:, 0, 0]
    np.testing.assert_allclose(path, [-0.1, -0.22, -0.35, -0.48], rtol=1e-14)
    shrinking = RULES["rprop"](lr=0.1, step_min=0.04)
    path = walk(shrinking, column(1, -1, -1, 1, 1), ORIGIN)[:, 0, 0]
    np.testing.assert_allclose(path, [-0.1, -0.1, -0.05, -0.05, -0.09], rtol=1e-14)


def test_rprop_takes_the_learning_rate_as_its_first_size_alone():
    one = RULES["rprop"](lr=0.1)
    np.testing.assert_array_equal(
        walk(one, gradients(), start(), lr=7.0), walk(one, gradients(), start())
    )


def test_three_steps_of_adopt_worked_by_hand():
    one = RULES["adopt"](lr=0.1, beta1=0.5, beta2=0.75, eps=0.1, clip_exponent=None)
    path = walk(one, column(2, 6, 1), ORIGIN)[:, 0, 0]
    # v = 4 and no move; u = 6 / 2, m = 1.5, v = 12; u = 1 / sqrt(12)
    np.testing.assert_allclose(path[:2], [0, -0.15], rtol=1e-15)
    np.testing.assert_allclose(path[2], -0.15 - 0.1 * (0.75 + 0.5 / 12**0.5), rtol=1e-14)


def test_adopt_clips_by_a_power_of_the_steps_before():
    one = RULES["adopt"](lr=0.1, beta1=0.0, beta2=0.0, clip_exponent=0.5)
    path = walk(one, column(1, 100, 1e4, 1e4), ORIGIN)[:, 0, 0]
    np.testing.assert_allclose(np.diff(path), [-0.1, -0.1 * 2**0.5, -0.1], rtol=1e-14)


def test_adopt_with_nesterov_looks_one_step_ahead():
    one = RULES["adopt"](lr=0.1, beta1=0.5, clip_exponent=None, nesterov=True)
    path = walk(one, column(2, 6), ORIGIN)[:, 0, 0]
    np.testing.assert_allclose(path, [0, -0.1 * (0.5 * 1.5 + 0.5 * 3)], rtol=1e-15)


@pytest.mark.parametrize("decoupled", [False, True])
def test_adopt_decays_from_its_second_step_and_beside_or_in_the_gradient(decoupled):
    one = RULES["adopt"](lr=0.1, beta1=0.0, weight_decay=0.5, decoupled=decoupled)
    path = walk(one, column(2, 0), np.ones((1, 1)))[:, 0, 0]
    # in the gradient: v = 2.5^2 and u = 0.5 / 2.5
    np.testing.assert_allclose(path, [1, 1 - 0.1 * (0.5 if decoupled else 0.2)], rtol=1e-15)


SCHEDULE = np.array([0.2, 0.6, 1.0, 0.7, 0.7, 0.0, 0.4, 0.4])


@pytest.mark.parametrize("name", ["schedulefree_sgd", "schedulefree_adamw"])
@pytest.mark.parametrize("warmup_steps", [0, 4])
def test_schedule_free_equals_the_recursion_of_its_three_sequences(name, warmup_steps):
    settings = {"weight_decay": 0.2, "warmup_steps": warmup_steps, "r": 0.5, "lr_power": 1.5}
    one = RULES[name](lr=0.1, **settings)
    beta = one.momentum if name == "schedulefree_sgd" else one.beta1
    scale = np.linspace(0.5, 2, LAYOUT.size)
    params, scratch = start(), [np.empty_like(start()) for _ in range(3)]
    state = one.init(params, LAYOUT)
    x, y, z, v, total, largest = params, params, params, 0.0, 0.0, 0.0
    for t, factor in enumerate(SCHEDULE, start=1):
        lr = 0.1 * factor * (min(1, t / warmup_steps) if warmup_steps else 1)
        largest = max(largest, lr)
        total += t**0.5 * largest**1.5
        c = t**0.5 * largest**1.5 / total
        q = scale * y
        if name == "schedulefree_adamw":
            v = 0.999 * v + 0.001 * q * q
            q = q / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        z = z - lr * (q + 0.2 * y)
        x = (1 - c) * x + c * z
        y = (1 - beta) * z + beta * x
        at = Step(t, 0.1 * factor, params, LAYOUT, *scratch)
        params = params + one.update(scale * params, state, at)
        np.testing.assert_allclose(params, y, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(one.evaluated(params, state), x, rtol=1e-11, atol=1e-14)


def test_schedule_free_is_evaluated_at_the_mean_of_its_base_points():
    one = RULES["schedulefree_sgd"](lr=0.1)
    grads = gradients(runs=1)
    base = start(runs=1)[0, 0] - 0.1 * np.cumsum(grads[:, 0, 0])
    series = followed(one, grads, start(runs=1), np.full(len(grads), 0.1))
    means = np.cumsum(base) / np.arange(1, len(base) + 1)
    np.testing.assert_allclose(series["evaluated"], means, rtol=1e-13)


def test_prodigy_whose_distance_cannot_grow_is_adam_with_that_learning_rate():
    shared = {"beta2": 0.99, "eps": 0.0, "weight_decay": 0.1}
    fixed = {"d0": 0.2, "d_coef": 1e-9, "bias_correction": True, "decoupled": False}
    one, other = RULES["prodigy"](lr=0.5, **fixed, **shared), RULES["adam"](lr=0.1, **shared)
    np.testing.assert_allclose(
        walk(one, gradients(), start()), walk(other, gradients(), start()), rtol=1e-12
    )


@pytest.mark.parametrize(("growth_rate", "last"), [(None, -6), (1.5, -5)])
def test_four_steps_of_prodigy_worked_by_hand(growth_rate, last):
    one = RULES["prodigy"](
        beta1=0.0, beta2=0.0, beta3=0.0, eps=0.0, d0=0.5, d_coef=4.0, growth_rate=growth_rate
    )
    path = walk(one, column(2, 2, 2, 2), np.ones((1, 1)))[:, 0, 0]
    # Every step is as long as d was before it: 0.5, 0.5, and, since the second has n = 0.5 and
    # s = 1, d_hat = 4 n / s = 2; the third has n = 16 and s = 16, so d_hat = 4, but at most 3
    np.testing.assert_allclose(path, [0.5, 0, -2, last], atol=1e-15)


def test_a_run_of_prodigy_whose_first_gradients_are_zero_only_starts_later():
    settings = {"lr": 1.0, "d0": 0.01, "weight_decay": 0.3, "bias_correction": True}
    one = RULES["prodigy"](**settings)
    late = np.concatenate([np.zeros((2, 1, LAYOUT.size)), gradients(runs=1, steps=4)])
    both = np.concatenate([gradients(runs=1, steps=6), late], axis=1)
    path = walk(one, both, start(runs=2))
    np.testing.assert_array_equal(path[:2, 1], [start(runs=2)[1]] * 2)
    alone = walk(one, gradients(runs=1, steps=4), start(runs=2)[1:])
    np.testing.assert_array_equal(path[2:, 1], alone[:, 0])


SCALED = {
    "adagrad": "grad",
    "adadelta": "grad",
    "rmsprop": "grad",
    "adam": "m_hat",
    "signsgd": "grad",
    "signum": "m",
    "lion": "c",
}
LR = 0.05 * SCHEDULE[:5]
T = np.arange(1, 6)


@pytest.mark.parametrize("fork", [None, "bias_correction", "eps_in_root"])
@pytest.mark.parametrize("name", SCALED)
def test_effective_learning_rate_times_what_it_scales_is_the_update(name, fork):
    forks = {fork} & RULES[name].__dataclass_fields__.keys()
    one = rule(name, **dict.fromkeys(forks, True))
    series = followed(one, gradients(runs=1, steps=5), start(runs=1), LR)
    derived = series | one.trace(series, LR, T)
    np.testing.assert_allclose(
        -derived["effective_lr"] * derived[SCALED[name]], series["update"], rtol=1e-12
    )


@pytest.mark.parametrize("bias_correction", [False, True])
def test_effective_learning_rate_of_prodigy_times_its_first_moment_is_the_update(bias_correction):
    one = rule("prodigy", d_coef=100.0, bias_correction=bias_correction)
    series = followed(one, np.abs(gradients(runs=1, steps=5)), start(runs=1), LR)
    assert (np.diff(series["d"]) > 0).sum() > 2
    derived = one.trace(series, LR, T)
    np.testing.assert_allclose(
        -derived["effective_lr"] * derived["m_hat"], series["update"], rtol=1e-12
    )


def test_trace_of_lion_has_the_means_whose_signs_it_took():
    one = rule("lion")
    series = followed(one, gradients(runs=1, steps=5), start(runs=1), LR)
    m, means = 0.0, []
    for g in series["grad"]:
        means.append(0.9 * m + 0.1 * g)
        m = 0.99 * m + 0.01 * g
    np.testing.assert_allclose(one.trace(series, LR, T)["c"], means, rtol=1e-12)


def test_effective_learning_rate_of_rprop_gives_the_length_of_every_step_that_is_taken():
    one = rule("rprop")
    series = followed(one, gradients(runs=1), start(runs=1), np.full(6, one.lr))
    effective_lr = one.trace(series, np.full(6, one.lr), np.arange(1, 7))["effective_lr"]
    taken = series["update"] != 0
    lengths = (effective_lr * np.abs(series["grad"]))[taken]
    assert 1 < taken.sum() < 6
    np.testing.assert_allclose(lengths, np.abs(series["update"])[taken], rtol=1e-12)


def test_trace_of_adopt_has_the_divided_gradients_that_its_mean_saw():
    one = rule("adopt")
    series = followed(one, gradients(runs=1, steps=5), start(runs=1), LR)
    derived = one.trace(series, LR, T)
    means = np.zeros(5)
    for t in range(1, 5):
        means[t] = one.beta1 * means[t - 1] + (1 - one.beta1) * derived["u"][t]
    np.testing.assert_allclose(series["m"], means, rtol=1e-12)
    divided = derived["effective_lr"] / LR * series["grad"]
    np.testing.assert_allclose(derived["u"], np.clip(divided, -((T - 1) ** 0.25), (T - 1) ** 0.25))


@pytest.mark.parametrize("name", ["schedulefree_sgd", "schedulefree_adamw"])
def test_trace_of_schedule_free_has_all_three_points(name):
    one = rule(name, weight_decay=0.2, warmup_steps=3)
    series = followed(one, gradients(runs=1, steps=5), start(runs=1), LR)
    derived = one.trace(series, LR, T)
    np.testing.assert_allclose(derived["y"], series["params"], rtol=1e-12)
    np.testing.assert_allclose(derived["x"], series["evaluated"], rtol=1e-12)
    x = np.concatenate([[series["z"][0]], derived["x"]])[:-1]
    c = derived["c"]
    np.testing.assert_allclose((1 - c) * x + c * series["z"], derived["x"], rtol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_the_trace_of_a_run_that_took_no_step_is_empty(name):
    one = rule(name)
    slots = one.init(start(), LAYOUT)
    empty = {series: np.zeros(0) for series in ("grad", "update", *slots)}
    assert all(v.shape == (0,) for v in one.trace(empty, np.zeros(0), np.arange(0)).values())


@pytest.mark.parametrize("name", RULES)
def test_the_trace_of_a_parameter_without_gradients_warns_of_nothing(name):
    one = rule(name)
    grads = np.zeros((4, 1, LAYOUT.size))
    series = followed(one, grads, start(runs=1), np.full(4, 0.1))
    one.trace(series, np.full(4, 0.1), np.arange(1, 5))
