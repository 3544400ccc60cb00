"""Adam's relatives: steps worked by hand, and where one rule is another."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from test_optimizers import LAYOUT, gradients, start, walk

from adamcli.checks.words import NotOfferedError, rule_of
from adamcli.optimizers import RULES, Rule, Step
from adamcli.optimizers.belief import rectification

# What the effective learning rate multiplies, where that is not m_hat.
NUMERATOR = {"nadam": "ahead", "adan": "ahead"}
TRACED = [
    ("adam", {}),
    ("adam", {"bias_correction": False, "eps_root": 1e-3}),
    ("amsgrad", {}),
    ("amsgrad", {"max_of": "v_hat", "eps_root": 1e-3}),
    ("amsgrad", {"max_of": "v_hat", "bias_correction": False}),
    ("adamax", {}),
    ("nadam", {"momentum_decay": 0.5}),
    ("nadam", {"form": "simple", "eps_root": 1e-3}),
    ("adan", {}),
    ("radam", {"eps_root": 1e-3}),
    ("radam", {"eps_beside": "v_hat", "eps_root": 1e-3}),
    ("adabelief", {}),
    ("adabelief", {"amsgrad": True}),
    ("adabelief", {"rectify": True}),
    ("yogi", {}),
]


def steps(name: str, grads: list[float], theta: float = 0.0, **settings: float) -> np.ndarray:
    """Where one parameter is after each of some gradients."""
    return walk(RULES[name](**settings), np.reshape(grads, (-1, 1, 1)), np.array([[theta]])).ravel()


def traced(rule: Rule, grads: np.ndarray) -> dict[str, np.ndarray]:
    """What is recorded of the second parameter of the first row, (T,) each."""
    params = start()
    state = rule.init(params, LAYOUT)
    scratch = [np.empty_like(params) for _ in range(3)]
    notes = defaultdict(list)
    for t, now in enumerate(grads, start=1):
        update = rule.update(now, state, Step(t, rule.lr, params, LAYOUT, *scratch))
        for name, array in {"grad": now, "update": update, **state}.items():
            notes[name].append(array[0, min(1, array.shape[1] - 1)])
        params += update
    return {name: np.array(values) for name, values in notes.items()}


def test_amsgrad_divides_by_the_largest_second_moment():
    path = steps("amsgrad", [2.0, 0.0], lr=0.1, beta1=0.0, beta2=0.75, eps=0.5)
    # v = 1, then 0.75: the maximum stays 1, corrected by 1 - 0.75^t
    np.testing.assert_allclose(path, [-0.1 * 2 / (2 + 0.5)] * 2, rtol=1e-15)
    path = steps("amsgrad", [2.0, 1.0], lr=0.1, beta1=0.0, beta2=0.75, eps=0.5)
    root = (1 / (1 - 0.75**2)) ** 0.5
    np.testing.assert_allclose(np.diff(path), [-0.1 / (root + 0.5)], rtol=1e-15)


def test_amsgrad_of_corrected_moments_keeps_the_large_first_ones():
    settings = {"lr": 0.1, "beta1": 0.0, "beta2": 0.75, "eps": 0.5}
    path = steps("amsgrad", [2.0, 1.0], max_of="v_hat", **settings)
    # v_hat = 4, then 1 / 0.4375 = 2.29
    np.testing.assert_allclose(np.diff(path), [-0.1 / (2 + 0.5)], rtol=1e-15)


def test_amsgrad_is_adam_while_gradients_grow():
    growing = gradients(steps=1) * np.arange(1, 8)[:, None, None]
    amsgrad, adam = (RULES[name](lr=0.1, beta2=0.5) for name in ("amsgrad", "adam"))
    np.testing.assert_array_equal(walk(amsgrad, growing, start()), walk(adam, growing, start()))
    apart = walk(amsgrad, growing[::-1], start()) - walk(adam, growing[::-1], start())
    assert np.abs(apart).max() > 0.01


def test_the_two_maxima_of_amsgrad_agree_without_correction():
    raw, corrected = (
        walk(RULES["amsgrad"](max_of=of, bias_correction=False), gradients(), start())
        for of in ("v", "v_hat")
    )
    np.testing.assert_array_equal(raw, corrected)


def test_two_steps_of_adamax_worked_by_hand():
    path = steps("adamax", [2.0, -1.0], lr=0.1, beta1=0.5, beta2=0.75, eps=0.5)
    # u = 2.5, then max(1.875, 1.5); m_hat = 2, then 0
    np.testing.assert_allclose(path, [-0.1 * 2 / 2.5] * 2, rtol=1e-15)
    path = steps("adamax", [2.0, 2.0], lr=0.1, beta1=0.0, beta2=0.75, eps=0.5)
    np.testing.assert_allclose(path, [-0.08, -0.16], rtol=1e-15)
    path = steps("adamax", [2.0, 1.0], lr=0.1, beta1=0.0, beta2=0.75, eps=0.5)
    np.testing.assert_allclose(np.diff(path), [-0.1 / 1.875], rtol=1e-14)


def test_first_step_of_nadam_worked_by_hand():
    settings = {"lr": 0.1, "beta1": 0.5, "beta2": 0.75, "eps": 0.5}
    path = steps("nadam", [2.0], momentum_decay=0.0, **settings)
    # mu = 0.25 throughout, m = 1: ahead = 2 + 0.25 / (1 - 0.25^2)
    np.testing.assert_allclose(path, -0.1 * (2 + 0.25 / 0.9375) / 2.5, rtol=1e-15)
    path = steps("nadam", [2.0], form="simple", **settings)
    # ahead = 2 + 0.5 / (1 - 0.5^2)
    np.testing.assert_allclose(path, -0.1 * (2 + 0.5 / 0.75) / 2.5, rtol=1e-15)


def test_the_momentum_of_nadam_rises_from_half_of_beta1():
    halving = np.log(0.5) / np.log(0.96)
    settings = {"beta1": 0.5, "beta2": 0.0, "eps": 1.0, "momentum_decay": halving}
    path = steps("nadam", [2.0, 2.0], lr=0.1, **settings)
    # 0.96^(t halving) = 2^-t, so mu = 3/8, 7/16, 15/32; m = 1, then 1.5; the root is 2
    first = 2 + 7 / 16 / (1 - 3 / 8 * 7 / 16) * 1
    product = 3 / 8 * 7 / 16
    second = 9 / 16 / (1 - product) * 2 + 15 / 32 / (1 - product * 15 / 32) * 1.5
    np.testing.assert_allclose(np.diff(path, prepend=0), [-first / 30, -second / 30], rtol=1e-14)


@pytest.mark.parametrize("form", ["dozat", "simple"])
def test_nadam_without_momentum_is_adam_without_momentum(form):
    nadam = RULES["nadam"](lr=0.1, beta1=0.0, form=form, weight_decay=0.1)
    adam = RULES["adam"](lr=0.1, beta1=0.0, weight_decay=0.1)
    np.testing.assert_allclose(
        walk(nadam, gradients(), start()), walk(adam, gradients(), start()), rtol=1e-13
    )


def test_nadam_comes_to_its_simple_form_once_its_momentum_has_risen():
    # 0.96^(t 1e4) is 0 to the last bit: mu is beta1 from the first step on.
    risen = RULES["nadam"](lr=0.1, momentum_decay=1e4)
    simple = RULES["nadam"](lr=0.1, form="simple")
    np.testing.assert_allclose(
        walk(risen, gradients(), start()), walk(simple, gradients(), start()), rtol=1e-13
    )


def test_three_steps_of_adan_worked_by_hand():
    settings = {"lr": 0.1, "beta1": 0.5, "beta2": 0.75, "beta3": 0.5, "eps": 0.5}
    path = steps("adan", [2.0, 4.0, 4.0], **settings)
    # m = 1, 2.5, 3.25; d = 0, 0.5, 0.375: no difference at first and none at last
    # n = 0.5 2^2, then 0.5 2 + 0.5 (4 + 0.75 2)^2, then 0.5 16.125 + 0.5 4^2
    ahead = np.array([2, 2.5 / 0.75 + 0.75 * 0.5 / 0.4375, 3.25 / 0.875 + 0.75 * 0.375 / 0.578125])
    root = np.sqrt([4, 16.125 / 0.75, 16.0625 / 0.875])
    np.testing.assert_allclose(np.diff(path, prepend=0), -0.1 * ahead / (root + 0.5), rtol=1e-14)


def test_adan_under_a_constant_gradient_is_adam():
    constant = np.repeat(gradients(steps=1), 5, axis=0)
    adan, adam = (walk(RULES[n](lr=0.1), constant, start()) for n in ("adan", "adam"))
    np.testing.assert_allclose(adan, adam, rtol=1e-12)


@pytest.mark.parametrize(("proximal", "left"), [(True, 1 / 1.05), (False, 0.95)])
def test_decay_of_adan_divides_or_subtracts(proximal, left):
    path = steps("adan", [0.0, 0.0], 1.0, lr=0.1, weight_decay=0.5, proximal=proximal)
    np.testing.assert_allclose(path, [left, left**2], rtol=1e-15)


def test_proximal_decay_of_adan_shrinks_the_step_too():
    settings = {"lr": 0.1, "eps": 0.5, "weight_decay": 0.5}
    path = steps("adan", [2.0], 1.0, **settings)
    np.testing.assert_allclose(path, (1 - 0.1 * 2 / 2.5) / 1.05, rtol=1e-15)


def test_radam_starts_as_momentum_and_becomes_adam():
    assert [rectification(0.999, t) > 0 for t in (1, 5, 6)] == [False, False, True]
    assert rectification(0.999, 100_000) == pytest.approx(1, abs=1e-12)
    radam = walk(RULES["radam"](lr=0.1, beta1=0.0), gradients(), start())
    plain = walk(RULES["sgd"](lr=0.1), gradients(), start())
    np.testing.assert_allclose(radam[:5], plain[:5], rtol=1e-14)
    assert np.abs(radam[5] - plain[5]).max() > 0.01


def test_rectified_step_of_radam_worked_by_hand():
    # beta2 = 0.9: r_inf = 19 and, at t = 8, r = 19 - 16 0.9^8 / (1 - 0.9^8) = 6.9077...
    r = 19 - 16 * 0.43046721 / 0.56953279
    k = ((r - 4) * (r - 2) * 19 / (15 * 17 * r)) ** 0.5
    settings = {"lr": 0.1, "beta1": 0.0, "beta2": 0.9, "eps": 0.5}
    raw = np.diff(steps("radam", [3.0] * 8, **settings))[-1]
    corrected = np.diff(steps("radam", [3.0] * 8, eps_beside="v_hat", **settings))[-1]
    root = 0.56953279**0.5
    np.testing.assert_allclose(raw, -0.1 * k * 3 * root / (3 * root + 0.5), rtol=1e-12)
    np.testing.assert_allclose(corrected, -0.1 * k * 3 / (3 + 0.5), rtol=1e-12)


def test_threshold_of_radam_decides_when_the_second_moment_counts():
    # beta2 = 0.9: r first passes 4 at t = 5 and 5 at t = 6.
    assert [rectification(0.9, t, 4) > 0 for t in (4, 5)] == [False, True]
    assert [rectification(0.9, t, 5) > 0 for t in (5, 6)] == [False, True]


def test_first_step_of_adabelief_worked_by_hand():
    settings = {"lr": 0.1, "beta1": 0.5, "beta2": 0.75, "eps": 0.5, "eps_root": 0.25}
    path = steps("adabelief", [2.0, 2.0], **settings)
    # m = 1, s = 0.25 (2 - 1)^2 + 0.25; then m = 1.5, s = 0.375 + 0.25 0.5^2 + 0.25
    first = -0.1 * 2 / ((0.5 / 0.25) ** 0.5 + 0.5)
    second = -0.1 * 2 / ((0.6875 / 0.4375) ** 0.5 + 0.5)
    np.testing.assert_allclose(path, [first, first + second], rtol=1e-15)


def test_adabelief_without_momentum_is_never_surprised_and_so_is_sgd():
    settings = {"beta1": 0.0, "beta2": 0.75, "eps": 0.5, "eps_root": 1.0}
    belief = walk(RULES["adabelief"](lr=0.1, **settings), gradients(), start())
    # s holds eps_root alone: s_hat = eps_root / (1 - beta2) at every step
    plain = walk(RULES["sgd"](lr=0.1 / (2 + 0.5)), gradients(), start())
    np.testing.assert_allclose(belief, plain, rtol=1e-13)


def test_adabelief_rectified_starts_as_momentum_and_never_takes_the_maximum():
    calming = gradients(steps=12) / np.arange(1, 13)[:, None, None]
    one, both = (
        walk(
            RULES["adabelief"](lr=0.1, beta1=0.1, beta2=0.8, rectify=True, amsgrad=a),
            calming,
            start(),
        )
        for a in (False, True)
    )
    np.testing.assert_array_equal(one, both)
    momentum = RULES["radam"](lr=0.1, beta1=0.1, beta2=0.0)
    np.testing.assert_allclose(one[:5], walk(momentum, calming, start())[:5], rtol=1e-14)


def test_adabelief_with_amsgrad_divides_by_the_largest_surprise():
    settings = {"lr": 0.1, "beta1": 0.5, "beta2": 0.75, "eps": 0.5, "eps_root": 0.25}
    path = steps("adabelief", [4.0, 2.0], amsgrad=True, **settings)
    # m = 2, s = 0.25 2^2 + 0.25 = 1.25; then m = 2 and s = 0.75 1.25 + 0.25 < 1.25
    second = -0.1 * (2 / 0.75) / ((1.25 / 0.4375) ** 0.5 + 0.5)
    np.testing.assert_allclose(np.diff(path), [second], rtol=1e-15)


def test_yogi_moves_its_second_moment_by_shares_of_the_square():
    settings = {"lr": 0.1, "beta1": 0.0, "beta2": 0.75, "eps": 0.5, "initial": 4.0}
    # g^2 = 1 < v = 4: v = 4 - 0.25 1. g^2 = 9 > 4: v = 4 + 0.25 9. g^2 = 4 = v: v stays.
    for grad, v in ((1.0, 3.75), (3.0, 6.25), (2.0, 4.0)):
        path = steps("yogi", [grad], **settings)
        np.testing.assert_allclose(path, -0.1 * grad / ((v / 0.25) ** 0.5 + 0.5), rtol=1e-15)


def test_yogi_is_adam_while_squares_are_far_above_its_second_moment():
    # Then both add (1 - beta2) g^2, and what adam takes off v is as small as 1 - beta2.
    settings = {"lr": 0.1, "beta2": 1 - 1e-7, "eps": 1e-3}
    yogi = walk(RULES["yogi"](initial=0.0, **settings), gradients(), start())
    adam = walk(RULES["adam"](**settings), gradients(), start())
    np.testing.assert_allclose(yogi, adam, rtol=1e-5)


def test_yogi_drifts_without_a_gradient_because_its_moments_start_above_zero():
    path = steps("yogi", [0.0])
    # m_hat = 0.9e-6 / 0.1, v_hat = 1e-6 / 1e-3
    np.testing.assert_allclose(path, -1e-2 * 9e-6 / (1e-3**0.5 + 1e-3), rtol=1e-12)
    np.testing.assert_allclose(path, -2.8e-4 * 1e-2, rtol=0.02)


@pytest.mark.parametrize("name", ["amsgrad", "adamax", "nadam", "radam", "adabelief", "yogi"])
def test_decay_is_beside_the_gradient_or_in_it(name):
    params, grads = start(), gradients(steps=1)
    plain = RULES[name](lr=0.1)
    coupled = RULES[name](lr=0.1, weight_decay=0.5, decoupled=False)
    apart = RULES[name](lr=0.1, weight_decay=0.5, decoupled=True)
    np.testing.assert_allclose(
        walk(coupled, grads, params), walk(plain, grads + 0.5 * params, params), rtol=1e-14
    )
    np.testing.assert_allclose(
        walk(apart, grads, params), walk(plain, grads, params) - 0.05 * params, rtol=1e-13
    )


@pytest.mark.parametrize(("name", "fork"), TRACED)
def test_update_is_the_traced_moment_times_the_effective_learning_rate(name, fork):
    one = RULES[name](lr=0.1, **fork)
    grads = gradients(steps=12)
    series = traced(one, grads)
    t = np.arange(1, 13)
    derived = one.trace(series, np.full(12, 0.1), t)
    moment = derived[NUMERATOR.get(name, "m_hat")]
    np.testing.assert_allclose(series["update"], -derived["effective_lr"] * moment, rtol=1e-9)


def test_the_trace_of_nadam_sees_the_gradient_that_decay_was_added_to():
    one = RULES["nadam"](lr=0.1, weight_decay=0.5)
    series = traced(one, gradients(steps=12))
    derived = one.trace(series, np.full(12, 0.1), np.arange(1, 13))
    np.testing.assert_allclose(
        series["update"], -derived["effective_lr"] * derived["ahead"], rtol=1e-9
    )


def test_a_case_of_amsgrad_adan_or_radam_is_read_in_the_words_of_its_library():
    hyper = {"lr": 0.1, "betas": [0.8, 0.9], "decoupled": True, "amsgrad": True}
    assert rule_of("adamw", hyper) == RULES["amsgrad"](lr=0.1, beta1=0.8, beta2=0.9, decoupled=True)
    hyper = {"eps_placement": "hat", "threshold": 5, "threshold_strict": False}
    assert rule_of("radam", hyper) == RULES["radam"](eps_beside="v_hat")
    hyper = {"betas": [0.9, 0.8, 0.7], "decay": "decoupled", "diff_coefficient": 0.8}
    assert rule_of("adan", hyper) == RULES["adan"](beta1=0.9, beta2=0.8, beta3=0.7, proximal=False)


@pytest.mark.parametrize(
    ("name", "hyper", "reason"),
    [
        ("adan", {"betas": [0.98, 0.92, 0.99], "diff_coefficient": 0.08}, "a bug of optax.adan"),
        ("adan", {"eps_root": 1e-8}, "eps_root: 1e-08 is not offered, only 0"),
        ("radam", {"amsgrad": True}, "no setting for amsgrad: True"),
        ("yogi", {"init_m_too": False}, "init_m_too: False is not offered, only True"),
    ],
)
def test_a_case_that_no_setting_answers_is_not_offered_and_says_why(name, hyper, reason):
    with pytest.raises(NotOfferedError, match=reason):
        rule_of(name, hyper)
