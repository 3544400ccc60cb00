"""Rules that look at whole arrays: properties, and steps worked by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from stacks import rule
from test_optimizers import LAYOUT, gradients, start, walk

from adamcli.layout import Layout
from adamcli.optimizers import RULES, Rule, Step
from adamcli.optimizers.arrays import norms, root_mean_squares, spread
from adamcli.training import stacked

PARTS = {"W": slice(0, 6), "b": slice(6, 9)}


def lengths(values: np.ndarray) -> np.ndarray:
    """The norm of each of the arrays of LAYOUT, (..., 2)."""
    parts = [(values[..., part] ** 2).sum(axis=-1) for part in PARTS.values()]
    return np.sqrt(np.stack(parts, axis=-1))


def at(t: int, one: Rule, params: np.ndarray) -> Step:
    """A step of a rule at its own learning rate."""
    return Step(t, one.lr, params, LAYOUT, *(np.empty_like(params) for _ in range(3)))


def alike_in_company(rules, dtype="float64"):
    """Whether rules have the same bits as columns of one rule and alone."""
    together = walk(stacked(rules), gradients(dtype=dtype), start(dtype=dtype))
    for row, one in enumerate(rules):
        alone = walk(one, gradients(dtype=dtype)[:, [row]], start(dtype=dtype)[[row]])
        np.testing.assert_array_equal(together[:, row], alone[:, 0])


def test_norms_and_mean_squares_are_of_single_arrays():
    values = start()
    np.testing.assert_allclose(norms(values, LAYOUT, np.empty_like(values)), lengths(values))
    means = root_mean_squares(values, LAYOUT, np.empty_like(values))
    np.testing.assert_allclose(means, lengths(values) / np.sqrt([6, 3]))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_norms_of_a_row_do_not_depend_on_the_other_rows(dtype):
    layout = Layout.of({"W": (40, 50), "b": (50,), "c": (1,)})
    values = np.random.default_rng(0).normal(size=(33, layout.size)).astype(dtype)
    together = norms(values, layout, np.empty_like(values))
    for row in range(33):
        one = values[[row]]
        np.testing.assert_array_equal(norms(one, layout, np.empty_like(one))[0], together[row])


def test_spread_gives_every_entry_the_value_of_its_array():
    out = spread(np.array([[1.0, 2.0]]), LAYOUT, out=np.empty((1, 9)))
    np.testing.assert_array_equal(out, [[1] * 6 + [2] * 3])


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_step_of_lamb_is_lr_times_the_norm_of_the_weights(decay):
    one = rule("lamb", lr=0.05, weight_decay=decay)
    path = [start(), *walk(one, gradients(), start())]
    for before, after in itertools.pairwise(path):
        np.testing.assert_allclose(lengths(after - before), 0.05 * lengths(before), rtol=1e-12)


def test_a_zero_array_takes_the_plain_adam_step_under_lamb():
    params = start()
    params[:, PARTS["b"]] = 0
    one, plain = rule("lamb", lr=0.05, eps=1e-8), rule("adam", lr=0.05)
    got, expected = (walk(r, gradients(steps=1), params)[0] for r in (one, plain))
    np.testing.assert_allclose(got[:, PARTS["b"]], expected[:, PARTS["b"]], rtol=1e-13)


def test_lamb_clips_the_norm_over_all_arrays_before_the_moments():
    one, plain = rule("lamb", max_grad_norm=0.5), rule("lamb")
    grads = gradients()
    norm = np.sqrt((grads**2).sum(axis=2, keepdims=True))
    clipped = grads * np.minimum(1, 0.5 / norm)
    np.testing.assert_allclose(walk(one, grads, start()), walk(plain, clipped, start()))
    loose = rule("lamb", max_grad_norm=1e3)
    np.testing.assert_array_equal(walk(loose, grads, start()), walk(plain, grads, start()))


def test_lamb_without_adaptation_or_decay_is_adam():
    one = RULES["lamb"](lr=0.1, eps=1e-8, always_adapt=False)
    plain = RULES["adam"](lr=0.1)
    np.testing.assert_array_equal(
        walk(one, gradients(), start()), walk(plain, gradients(), start())
    )


@pytest.mark.parametrize("name", ["lamb", "lars"])
@pytest.mark.parametrize("switches", [{"always_adapt": False}, {"trust_clip": True}], ids=str)
def test_switches_of_the_trust_ratio_act_row_by_row(name, switches):
    both = [(0.0, 5.0), (0.1, 1.0), (1.0, 1.0)]
    alike_in_company([rule(name, weight_decay=decay, lr=lr, **switches) for decay, lr in both])


def test_first_step_of_lars_worked_by_hand():
    # |W| = 2, |grad W| = 4: trust 0.01 * 2 / 4; b = 0: ratio 1.
    params, grads = np.zeros((1, 9)), np.zeros((1, 9))
    params[0, 0], grads[0, 1], grads[0, 6] = 2, 4, 3
    one = RULES["lars"](lr=0.5, trust=0.01, eps=0.0)
    moved = walk(one, grads[None], params)[0, 0] - params[0]
    np.testing.assert_allclose(moved[[1, 6]], [-0.5 * 0.005 * 4, -0.5 * 3], rtol=1e-14)


def test_norms_of_lars_forks_agree_without_decay_and_differ_with_it():
    forms = [
        [RULES["lars"](trust_norm=form, weight_decay=d) for form in ("paper", "sum")]
        for d in (0.0, 0.5)
    ]
    for (one, other), same in zip(forms, (True, False), strict=True):
        got = [walk(r, gradients(), start()) for r in (one, other)]
        assert np.array_equal(*got) == same


def test_lars_without_momentum_does_not_dampen():
    free, damped = (RULES["lars"](momentum=0.0, dampening=d) for d in (0.0, 0.5))
    np.testing.assert_array_equal(
        walk(free, gradients(), start()), walk(damped, gradients(), start())
    )


def test_factored_second_moment_of_a_square_of_rank_one_is_exact():
    rng = np.random.default_rng(3)
    one = rule("adafactor")
    state = one.init(start(), LAYOUT)
    rows, columns = rng.normal(size=(3, 2, 1)), rng.normal(size=(3, 1, 3))
    grads = np.concatenate([(rows * columns).reshape(3, 6), rng.normal(size=(3, 3))], axis=1)
    one.update(grads, state, at(1, one, start()))
    np.testing.assert_allclose(state["v"], grads**2, rtol=1e-14)


def test_factored_second_moment_keeps_the_means_of_rows_and_columns():
    one = rule("adafactor")
    state = one.init(start(), LAYOUT)
    grads = gradients()[0]
    one.update(grads, state, at(1, one, start()))
    squares, v = (LAYOUT.view(x, "W") for x in (grads**2, state["v"]))
    for axis, slot in ((2, "rows W"), (1, "columns W")):
        np.testing.assert_allclose(v.mean(axis=axis), squares.mean(axis=axis))
        np.testing.assert_allclose(state[slot].mean(axis=(1, 2)), squares.mean(axis=(1, 2)))
    assert np.abs(v - squares).max() > 0.1


def test_step_of_adafactor_has_an_rms_of_at_most_lr_times_that_of_the_weights():
    one = rule("adafactor", lr=0.02, clip=1.0)
    path = [start(), *walk(one, gradients(), start())]
    for before, after in itertools.pairwise(path):
        assert (lengths(after - before) <= 0.02 * lengths(before) * (1 + 1e-12)).all()


def test_step_of_adafactor_shrinks_as_one_over_the_root_of_t_where_lr_exceeds_that():
    grads = np.repeat(gradients(steps=1), 9, axis=0)
    path = np.array([start(), *walk(rule("adafactor", lr=1.0), grads, start())])
    relative = lengths(np.diff(path, axis=0)) / lengths(path[:-1])
    np.testing.assert_allclose(relative[8] * 3, relative[0], rtol=1e-12)


def muon_move(one: Rule, grads: np.ndarray, layout: Layout) -> np.ndarray:
    """The first update of muon divided by lr, as matrices (R, I, J) of the array W."""
    params = np.zeros_like(grads)
    scratch = [np.empty_like(grads) for _ in range(3)]
    update = one.update(grads, one.init(params, layout), Step(1, one.lr, params, layout, *scratch))
    return layout.view(update, "W") / -one.lr


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (6, 6), (5, 1)], ids=str)
def test_step_of_muon_has_singular_values_near_one(shape):
    layout = Layout.of({"b": (2,), "W": shape, "c": (1,)})
    grads = np.random.default_rng(5).normal(size=(4, layout.size)) * [[1e-3], [1], [1e3], [1e6]]
    one = rule("muon", scale="none")
    moved = muon_move(one, grads, layout)
    u, s, vt = np.linalg.svd(layout.view(grads, "W"), full_matrices=False)
    values = (u.swapaxes(1, 2) @ moved @ vt.swapaxes(1, 2)).diagonal(axis1=1, axis2=2)
    assert (values[s > 0.1 * s.max(axis=1, keepdims=True)] > 0.6).all()
    assert (values < 1.3).all()
    factors = {"original": max(1, shape[0] / shape[1]), "width": max(1, shape[1] / shape[0])}
    factors["match_rms_adamw"] = 0.04 * max(shape)
    for name, square in factors.items():
        other = muon_move(rule("muon", scale=name), grads, layout)
        np.testing.assert_allclose(other, moved * square**0.5, rtol=1e-12)


def test_step_of_muon_does_not_depend_on_the_scale_of_the_gradient():
    grads = gradients()
    matrix = PARTS["W"]
    paths = [walk(rule("muon"), k * grads, start())[:, :, matrix] for k in (1.0, 64.0)]
    np.testing.assert_array_equal(*paths)


def test_muon_leaves_the_other_arrays_to_adamw():
    settings = {"other_lr": 0.3, "other_beta1": 0.8, "other_beta2": 0.9, "other_weight_decay": 0.1}
    one = rule("muon", **settings)
    plain = RULES["adamw"](lr=0.15, beta1=0.8, beta2=0.9, weight_decay=0.1)
    path = walk(one, gradients(), start(), lr=one.lr / 2)  # a schedule halves both
    expected = walk(plain, gradients(), start())
    np.testing.assert_array_equal(path[..., PARTS["b"]], expected[..., PARTS["b"]])


@pytest.mark.parametrize(
    ("switches", "weights"),
    [
        ({}, (0.5 * 0.25, 0.5 + 0.5 * 0.5)),
        ({"nesterov": False}, (0.25, 0.5)),
        (
            {"bias_correction": True},
            (0.5 / (1 - 0.5**3) * 0.25, 0.5 / (1 - 0.5**2) + 0.5 / (1 - 0.5**3) * 0.5),
        ),
    ],
    ids=str,
)
def test_second_direction_of_muon_worked_by_hand(switches, weights):
    one = rule("muon", momentum=0.5, weight_decay=0.0, **switches)
    grads = gradients(steps=2)
    first, second = walk(one, grads, start())
    direction = weights[0] * grads[0] + weights[1] * grads[1]
    bare = rule("muon", momentum=0.0, nesterov=False)
    expected = -one.lr * muon_move(bare, direction, LAYOUT)
    np.testing.assert_allclose(LAYOUT.view(second - first, "W"), expected, atol=1e-15)


def test_mars_without_correction_is_adamw_on_short_gradients():
    settings = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1}
    one = RULES["mars"](gamma=0.0, whole=True, **settings)
    grads = 0.1 * gradients()
    np.testing.assert_array_equal(
        walk(one, grads, start()), walk(RULES["adamw"](**settings), grads, start())
    )


@pytest.mark.parametrize("form", ["adamw", "lion"])
def test_mars_scales_long_arrays_down_to_norm_one_and_leaves_vectors_to_adamw(form):
    one = rule("mars", gamma=0.0, form=form)
    far, further = (walk(one, k * gradients(), start()) for k in (64.0, 128.0))
    np.testing.assert_allclose(far[..., PARTS["W"]], further[..., PARTS["W"]], rtol=1e-12)
    plain = RULES["adamw"](lr=0.01, beta2=0.95, weight_decay=0.1)
    for k, path in ((64.0, far), (128.0, further)):
        expected = walk(plain, k * gradients(), start())
        np.testing.assert_array_equal(path[..., PARTS["b"]], expected[..., PARTS["b"]])


@pytest.mark.parametrize("plain_first", [False, True])
def test_second_average_of_mars_worked_by_hand(plain_first):
    one = rule("mars", beta1=0.5, gamma=0.4, plain_first=plain_first)
    grads = 0.1 * gradients(steps=2)
    state = one.init(start(), LAYOUT)
    for t in (1, 2):
        one.update(grads[t - 1], state, at(t, one, start()))
    first = grads[0] if plain_first else 1.4 * grads[0]
    second = 1.4 * grads[1] - 0.4 * grads[0]
    part = PARTS["W"]
    np.testing.assert_allclose(state["m"][:, part], (first / 4 + second / 2)[:, part])
    np.testing.assert_array_equal(state["previous"][:, part], grads[1][:, part])
    np.testing.assert_array_equal(state["scaling"], [[1, 0]] * 3)
    assert not state["previous"][:, PARTS["b"]].any()


def test_step_of_mars_in_form_lion_has_one_length():
    one = rule("mars", form="lion", lr=0.3, weight_decay=0.0)
    path = np.array([start(), *walk(one, gradients(), start())])
    np.testing.assert_allclose(np.abs(np.diff(path, axis=0))[..., PARTS["W"]], 0.3)


def rotated(values: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Values (..., 9) with the matrix W turned on both sides."""
    turned = values.copy()
    matrix = values[..., PARTS["W"]].reshape(*values.shape[:-1], 2, 3)
    turned[..., PARTS["W"]] = (left @ matrix @ right.T).reshape(*values.shape[:-1], 6)
    return turned


@pytest.mark.parametrize("name", ["muon", "soap"])
def test_rules_of_matrices_do_not_depend_on_the_coordinates(name):
    rng = np.random.default_rng(7)
    left, right = (np.linalg.qr(rng.normal(size=(n, n))).Q for n in (2, 3))
    one = rule(name, weight_decay=0.1)
    path = walk(one, gradients(steps=9), start())
    turned = walk(one, rotated(gradients(steps=9), left, right), rotated(start(), left, right))
    np.testing.assert_allclose(turned, rotated(path, left, right), rtol=1e-7, atol=1e-9)
    adam = [
        walk(rule("adam"), g, start()) for g in (gradients(), rotated(gradients(), left, right))
    ]
    assert np.abs(rotated(adam[0], left, right) - adam[1]).max() > 0.01


def test_soap_measures_at_the_first_step_and_is_adam_where_nothing_is_correlated():
    grads = gradients(steps=8)
    grads[..., [1, 2, 3, 5]] = 0  # W has entries at (0, 0) and (1, 1) only
    one = RULES["soap"](lr=0.1, beta1=0.9, beta2=0.99, eps=1e-30, every=3, weight_decay=0.0)
    plain = RULES["adam"](lr=0.1, beta1=0.9, beta2=0.99, eps=1e-30)
    path = walk(one, grads, start())
    np.testing.assert_array_equal(path[0], start())
    np.testing.assert_allclose(path[1:], walk(plain, grads[1:], start()), rtol=1e-12)


def test_bases_of_soap_stay_orthogonal_and_near_the_eigenvectors():
    one = rule("soap", every=1, beta2=0.5)
    state = one.init(start(), LAYOUT)
    for t, grads in enumerate(np.repeat(gradients(steps=1), 60, axis=0), start=1):
        one.update(grads, state, at(t, one, start()))
    for side in ("left", "right"):
        basis, matrix = state[f"{side} basis W"], state[f"{side} W"]
        turned = basis.transpose(0, 2, 1) @ matrix @ basis
        np.testing.assert_allclose(basis.transpose(0, 2, 1) @ basis, [np.eye(len(basis[0]))] * 3,
                                   atol=1e-12)  # fmt: skip
        values = np.linalg.eigvalsh(matrix)[:, ::-1]
        np.testing.assert_allclose(turned, values[:, None] * np.eye(len(basis[0])), atol=1e-9)


def test_soap_decays_what_a_step_reaches():
    free, decaying = (rule("soap", lr=0.1, weight_decay=d) for d in (0.0, 0.5))
    two = gradients(steps=2)
    np.testing.assert_allclose(
        walk(decaying, two, start())[1], walk(free, two, start())[1] * (1 - 0.1 * 0.5)
    )


@pytest.mark.parametrize("name", RULES)
def test_a_row_that_is_not_finite_leaves_the_others_alone(name):
    grads = gradients()
    broken = grads.copy()
    broken[:, 1], broken[0, 1, 0] = np.nan, np.inf
    one = rule(name)
    with np.errstate(all="ignore"):
        path, mixed = walk(one, grads, start()), walk(one, broken, start())
    np.testing.assert_array_equal(mixed[:, [0, 2]], path[:, [0, 2]])
