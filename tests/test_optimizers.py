"""Every rule: invariants over the registry, equivalences, steps worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from stacks import SETTINGS, rule

from adamcli.layout import Layout
from adamcli.optimizers import RULES, Rule, Step
from adamcli.settings import settings_of
from adamcli.training import stacked

LAYOUT = Layout.of({"W": (2, 3), "b": (3,)})

# What an optional setting turns a rule into, beside the defaults that RULES stands for.
FORKS = [
    ("amsgrad", {"max_of": "v_hat"}),
    ("amsgrad", {"decoupled": True, "bias_correction": False}),
    ("adamax", {"decoupled": True}),
    ("nadam", {"form": "simple", "decoupled": True}),
    ("adan", {"proximal": False}),
    ("radam", {"eps_beside": "v_hat", "decoupled": True}),
    ("adabelief", {"rectify": True}),
    ("adabelief", {"amsgrad": True, "decoupled": False}),
    ("yogi", {"decoupled": False}),
    ("lamb", {"grad_averaging": False, "always_adapt": False, "trust_clip": True}),
    ("lars", {"nesterov": True, "trust_norm": "sum", "always_adapt": False}),
    ("lars", {"trust_clip": True}),
    ("muon", {"nesterov": False, "bias_correction": True, "norm": "add"}),
    ("muon", {"other": "nadam", "scale": "match_rms_adamw"}),
    ("mars", {"form": "lion", "plain_first": True}),
    ("mars", {"whole": True}),
    ("soap", {"correct_bias": False}),
]
NAMES = [pytest.param(name, {}, id=name) for name in RULES] + [
    pytest.param(name, fork, id=f"{name}-{'-'.join(fork)}") for name, fork in FORKS
]


def walk(rule: Rule, gradients: np.ndarray, start: np.ndarray, lr: float | None = None):
    """Parameters after each step of fixed gradients and a curvature of 1: (T, R, P)."""
    params = start.copy()
    state = rule.init(params, LAYOUT)
    path = []
    scratch = [np.empty_like(params) for _ in range(3)]
    ones = np.ones_like(params)
    for t, grads in enumerate(gradients, start=1):
        rate = rule.lr if lr is None else lr
        step = Step(t, rate, params, LAYOUT, *scratch, lambda: ones)
        params += rule.update(grads, state, step)
        path.append(params.copy())
    return np.array(path)


def gradients(runs: int = 3, steps: int = 6, dtype: str = "float64") -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.normal(size=(steps, runs, LAYOUT.size)).astype(dtype)


def start(runs: int = 3, dtype: str = "float64") -> np.ndarray:
    return np.random.default_rng(2).normal(size=(runs, LAYOUT.size)).astype(dtype)


def test_every_rule_has_a_test_setting():
    assert SETTINGS.keys() == RULES.keys()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", RULES)
def test_rule_leaves_gradients_and_parameters_alone_and_keeps_shape_and_dtype(name, dtype):
    grads, params = gradients(dtype=dtype)[0], start(dtype=dtype)
    before = grads.copy(), params.copy()
    decays = any(s.name == "weight_decay" for s in settings_of(RULES[name]))
    one = rule(name, **({"weight_decay": 0.1} if decays else {}))
    state = one.init(params, LAYOUT)
    scratch = [np.empty_like(params) for _ in range(3)]
    step = Step(1, one.lr, params, LAYOUT, *scratch, lambda: np.ones_like(params))
    for step.t in (1, 2):  # the first step of adopt and of soap moves nothing
        update = one.update(grads, state, step)
    np.testing.assert_array_equal(grads, before[0])
    np.testing.assert_array_equal(params, before[1])
    assert update.shape == params.shape
    assert update.dtype == params.dtype
    for slot in state.values():
        # A value per parameter, array, row or column; or one per run, always in float64.
        per_run = slot.shape == (3, 1) and slot.dtype == np.float64
        assert len(slot) == 3
        assert slot.dtype == dtype or per_run


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "fork"), NAMES)
def test_rows_with_different_hyperparameters_equal_separate_rules_bit_for_bit(name, fork, dtype):
    names = [s.name for s in settings_of(RULES[name]) if s.kind is float and s.stacks]
    rules = [
        rule(name, **{key: (0.1 + 0.07 * k + 0.013 * i) for i, key in enumerate(names)}, **fork)
        for k in range(3)
    ]
    together = walk(stacked(rules), gradients(dtype=dtype), start(dtype=dtype))
    for row, one in enumerate(rules):
        alone = walk(one, gradients(dtype=dtype)[:, [row]], start(dtype=dtype)[[row]])
        np.testing.assert_array_equal(together[:, row], alone[:, 0])


@pytest.mark.parametrize("name", RULES)
def test_rule_descends_a_convex_quadratic(name):
    scale = np.linspace(0.5, 2, LAYOUT.size)
    one = rule(name)
    params = start()
    first = (scale * params**2).sum()
    state = one.init(params, LAYOUT)
    scratch = [np.empty_like(params) for _ in range(3)]
    curvature = np.broadcast_to(2 * scale, params.shape)
    for t in range(1, 400):
        step = Step(t, one.lr, params, LAYOUT, *scratch, lambda: curvature)
        params += one.update(2 * scale * params, state, step)
    assert (scale * params**2).sum() < 0.25 * first


@pytest.mark.parametrize("name", RULES)
def test_zero_gradient_at_zero_parameters_moves_nothing(name):
    # yogi's moments start at `initial`, not at zero, so that it drifts without a gradient too.
    one = rule(name, **({"initial": 0.0} if name == "yogi" else {}))
    still = walk(one, np.zeros((3, 2, LAYOUT.size)), np.zeros((2, LAYOUT.size)))
    np.testing.assert_array_equal(still, 0)


@pytest.mark.parametrize(("name", "fork"), NAMES)
def test_derived_trace_series_have_one_finite_value_per_step(name, fork):
    one = rule(name, **fork)
    slots = {slot: np.linspace(0.1, 0.9, 5) for slot in one.init(start(), LAYOUT)}
    series = {"grad": np.ones(5), "update": np.ones(5), **slots}
    derived = one.trace(series, np.full(5, one.lr), np.arange(1, 6))
    assert all(np.isfinite(v).all() and v.shape == (5,) for v in derived.values())
    drawn = {name for panel in one.panels for name in panel.series}
    assert drawn <= series.keys() | derived.keys()
    assert "effective_lr" in drawn


def test_first_two_steps_of_adam_worked_by_hand():
    grads = np.array([[[2.0]], [[-1.0]]])
    one = RULES["adam"](lr=0.1, beta1=0.5, beta2=0.75, eps=0.5)
    path = walk(one, grads, np.array([[1.0]]))
    # t = 1: m_hat = 2, v_hat = 4; t = 2: m = 0, so m_hat = 0
    np.testing.assert_allclose(path[0], 1 - 0.1 * 2 / (2 + 0.5), rtol=1e-15)
    np.testing.assert_allclose(path[1], path[0], rtol=1e-15)


def test_adam_without_correction_starts_smaller_by_its_corrections():
    one = RULES["adam"](lr=0.1, beta1=0.9, beta2=0.99, eps=0.0, bias_correction=False)
    path = walk(one, np.array([[[3.0]]]), np.array([[0.0]]))
    # m = 0.3, v = 0.09: the step is lr 0.1 / sqrt(0.01), here of length lr
    np.testing.assert_allclose(path[0], -0.1 * (0.1 * 3) / (0.01**0.5 * 3), rtol=1e-14)


def test_two_steps_of_momentum_and_nesterov_worked_by_hand():
    grads = np.array([[[1.0]], [[1.0]]])
    heavy = walk(RULES["sgdm"](lr=0.1, momentum=0.5), grads, np.array([[0.0]]))
    ahead = walk(RULES["nesterov"](lr=0.1, momentum=0.5), grads, np.array([[0.0]]))
    np.testing.assert_allclose(heavy[:, 0, 0], [-0.1, -0.25])
    np.testing.assert_allclose(ahead[:, 0, 0], [-0.15, -0.325])


def test_first_step_of_rmsprop_worked_by_hand():
    one = RULES["rmsprop"](lr=0.1, beta2=0.75, eps=0.5)
    path = walk(one, np.array([[[2.0]]]), np.array([[0.0]]))
    np.testing.assert_allclose(path[0], -0.1 * 2 / (1 + 0.5))


def test_momentum_zero_is_plain_sgd():
    plain = walk(RULES["sgd"](lr=0.1, weight_decay=0.3), gradients(), start())
    heavy = walk(RULES["sgdm"](lr=0.1, momentum=0.0, weight_decay=0.3), gradients(), start())
    np.testing.assert_allclose(heavy, plain, rtol=1e-15)


def test_adam_with_beta1_zero_is_rmsprop_once_the_correction_is_undone():
    one = RULES["adam"](lr=0.1, beta1=0.0, beta2=0.9, eps=0.0, bias_correction=False)
    other = RULES["rmsprop"](lr=0.1, beta2=0.9, eps=0.0)
    np.testing.assert_allclose(
        walk(one, gradients(), start()), walk(other, gradients(), start()), rtol=1e-14
    )


def test_decoupled_decay_shrinks_parameters_that_have_no_gradient():
    one = RULES["adamw"](lr=0.1, weight_decay=0.5)
    path = walk(one, np.zeros((2, 1, LAYOUT.size)), np.ones((1, LAYOUT.size)))
    np.testing.assert_allclose(path[:, 0, 0], [0.95, 0.95**2], rtol=1e-15)


def test_adam_and_adamw_agree_without_decay_and_differ_with_it():
    adam, adamw = (RULES[n](lr=0.1, weight_decay=0.0) for n in ("adam", "adamw"))
    np.testing.assert_array_equal(
        walk(adam, gradients(), start()), walk(adamw, gradients(), start())
    )
    adam, adamw = (RULES[n](lr=0.1, weight_decay=0.5) for n in ("adam", "adamw"))
    apart = np.abs(walk(adam, gradients(), start()) - walk(adamw, gradients(), start()))
    assert apart.max() > 0.01


def test_l2_decay_equals_the_gradient_of_the_penalty():
    one = RULES["adam"](lr=0.1, weight_decay=0.5)
    plain = RULES["adam"](lr=0.1)
    params, grads = start(), gradients()[:1]
    np.testing.assert_allclose(
        walk(one, grads, params), walk(plain, grads + 0.5 * params, params), rtol=1e-15
    )


# Rprop takes lr as its first size alone; test_steps.py holds that.
@pytest.mark.parametrize("name", [name for name in RULES if name != "rprop"])
def test_rule_uses_the_learning_rate_of_the_step(name):
    full = walk(rule(name), gradients(steps=1), start(), lr=0.2) - start()
    half = walk(rule(name), gradients(steps=1), start(), lr=0.1) - start()
    np.testing.assert_allclose(full, 2 * half, rtol=1e-9)
