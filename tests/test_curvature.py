"""The curvature of the networks' losses, and how it reaches a rule."""

from __future__ import annotations

import numpy as np
import pytest
from stacks import rule, snapshots, task
from test_optimizers import LAYOUT, gradients, start, walk

from adamcli.errors import UsageError
from adamcli.optimizers import RULES, Step
from adamcli.problems import MLP, NetworkStack
from adamcli.problems.datasets import Blobs, Moons, Spiral, Wave
from adamcli.schedules import Constant
from adamcli.training import Trainee, train

DATASETS = [
    Spiral(samples=40),
    Blobs(samples=40, blobs=3),
    Blobs(samples=40, blobs=5),
    Wave(samples=40),
]
DEPTHS = [(5,), (6, 4), (4, 3, 5)]


def stack_at_a_batch(activation="relu", dataset=DATASETS[0], hidden=(6, 4), **changes):
    """Two networks, parameters, and the gradient of the first batch there, taken."""
    model = MLP(hidden=hidden, init="glorot", activation=activation)
    options = {"batch_size": 32, "epochs": 1} | changes
    stack = NetworkStack([task(dataset=dataset, model=model, seed=s, **options) for s in (0, 1)])
    params = stack.start() + 0.1
    grads = np.empty_like(params)
    stack.gradient(params, 0, grads)
    return stack, params, grads


def curvature(stack, params):
    """What the stack says, in an array of its own."""
    out = np.full_like(params, np.nan)
    stack.curvature(params, out)
    return out


@pytest.mark.parametrize("dataset", DATASETS, ids=str)
@pytest.mark.parametrize("hidden", DEPTHS, ids=str)
def test_curvature_of_relu_networks_is_the_hessian_by_central_differences(dataset, hidden):
    stack, params, _ = stack_at_a_batch(dataset=dataset, hidden=hidden, batch_size=40)
    numeric, step = np.empty_like(params), 1e-6
    for place in range(stack.layout.size):
        sides = []
        for shift in (step, -step):
            moved, grads = params.copy(), np.empty_like(params)
            moved[:, place] += shift
            stack.gradient(moved, 0, grads)  # of all samples, shuffled anew
            sides.append(grads[:, place])
        numeric[:, place] = (sides[0] - sides[1]) / (2 * step)
    np.testing.assert_allclose(curvature(stack, params), numeric, rtol=1e-5, atol=1e-8)
    assert numeric.max() > 0.01


def logits_of(stack, params, activation):
    """The logits of the latest batch, (R, B, K), by a network written anew."""
    gelu = np.sqrt(2 / np.pi)
    functions = {
        "relu": lambda z: np.maximum(z, 0),
        "tanh": np.tanh,
        "gelu": lambda z: z / 2 * (1 + np.tanh(gelu * (z + 0.044715 * z**3))),
    }
    signal = stack._latest[:, :-1].transpose(0, 2, 1)
    depth = len(stack.layout.tensors) // 2
    for k in range(1, depth + 1):
        weights, biases = (stack.layout.view(params, f"{name}{k}") for name in "Wb")
        signal = signal @ weights + biases[:, None]
        signal = functions[activation](signal) if k < depth else signal
    return signal


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("dataset", DATASETS[:3], ids=str)
@pytest.mark.parametrize("hidden", DEPTHS, ids=str)
def test_curvature_is_the_gauss_newton_diagonal_of_explicit_jacobians(activation, dataset, hidden):
    stack, params, _ = stack_at_a_batch(activation, dataset, hidden)
    logits, step = logits_of(stack, params, activation), 1e-6
    weights = np.exp(logits)
    if logits.shape[2] == 1:
        chances = weights / (1 + weights)
    else:
        chances = weights / weights.sum(axis=2, keepdims=True)
    expected = np.empty_like(params)
    for place in range(stack.layout.size):
        shift = np.zeros_like(params)
        shift[:, place] = step
        above, below = (logits_of(stack, params + s, activation) for s in (shift, -shift))
        slopes = (above - below) / (2 * step)  # (R, B, K)
        squares = (chances * slopes**2).sum(axis=2) - (chances * slopes).sum(axis=2) ** 2
        expected[:, place] = squares.mean(axis=1)
    np.testing.assert_allclose(curvature(stack, params), expected, rtol=1e-6, atol=1e-10)


def test_curvature_is_of_the_latest_batch_and_leaves_parameters_and_gradients_alone():
    stack, params, grads = stack_at_a_batch()
    before = params.copy(), grads.copy()
    first = curvature(stack, params)
    np.testing.assert_array_equal(curvature(stack, params), first)
    np.testing.assert_array_equal(params, before[0])
    np.testing.assert_array_equal(grads, before[1])
    assert stack.finite().all()
    stack.gradient(params, 1, grads)  # the last batch, of 8
    assert np.abs(curvature(stack, params) - first).max() > 1e-3


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("dataset", DATASETS[:2], ids=str)
def test_curvature_of_a_run_has_the_same_bits_alone_and_in_company(dataset, dtype):
    model = MLP(hidden=(9, 7))
    tasks = [task(seed=s, dataset=dataset, model=model, dtype=dtype) for s in range(20)]
    found = []
    for several in (tasks, *([one] for one in tasks)):
        stack = NetworkStack(several)
        params = stack.start()
        stack.gradient(params, 0, np.empty_like(params))
        found.append(curvature(stack, params))
    assert found[0].dtype == dtype
    np.testing.assert_array_equal(found[0], np.concatenate(found[1:]))


@pytest.mark.parametrize("dataset", DATASETS[:2], ids=str)
def test_curvature_is_never_negative_even_at_huge_logits(dataset):
    stack, params, grads = stack_at_a_batch(dataset=dataset)
    with np.errstate(over="ignore"):
        stack.gradient(1e3 * params, 0, grads)
        found = curvature(stack, 1e3 * params)
    assert (found >= 0).all()
    assert np.isfinite(found).all()


class Counting(NetworkStack):
    """Networks that count how often they are asked for their curvature."""

    asked = 0

    def curvature(self, params, out):
        self.asked += 1
        super().curvature(params, out)


def test_curvature_is_computed_once_for_a_step_and_only_when_a_rule_asks():
    rules = [rule("sophia", every=4), rule("adam"), rule("sophia", every=2), rule("sgd")]
    trainees = [Trainee(one, Constant()) for one in rules]
    tasks = [task(seed=s, epochs=2) for s in range(4)]  # 8 steps
    counting = Counting(tasks)
    list(train(counting, trainees, epochs=2))
    assert counting.asked == 4
    idle = Counting(tasks[:2])
    list(train(idle, [trainees[1], trainees[3]], epochs=2))
    assert idle.asked == 0


def test_sophia_divides_by_the_curvature_that_it_measured():
    one = rule("sophia", lr=1.0, beta1=0.0, beta2=0.0, gamma=1.0, clip=1e9, weight_decay=0.0)
    stack = NetworkStack([task()])
    params, grads = stack.start(), np.empty_like(stack.start())
    state = one.init(params, stack.layout)
    stack.gradient(params, 0, grads)
    measured = curvature(stack, params)
    for t in (1, 2):
        scratch = [np.empty_like(params) for _ in range(3)]
        step = Step(t, one.lr, params, stack.layout, *scratch, lambda: measured)
        update = one.update(grads, state, step).copy()
    np.testing.assert_allclose(update, -grads / np.maximum(measured, 1e-8), rtol=1e-12)
    assert (measured > 1e-3).any()


def test_first_step_of_sophia_is_the_sign_of_the_gradient():
    one = rule("sophia", lr=0.1, clip=0.5, weight_decay=0.0)
    path = walk(one, gradients(steps=1), start())
    np.testing.assert_allclose(path[0] - start(), -0.05 * np.sign(gradients()[0]), rtol=1e-12)


def test_sophia_separates_the_moons():
    moons = task(dataset=Moons(samples=100, test_samples=10), epochs=40)
    kept = snapshots([moons], [rule("sophia", lr=0.01)], eval_every=40)
    assert kept[0].metrics["train_loss"][0] < 0.15


def test_a_problem_without_curvature_is_an_error_that_says_so():
    class Flat:
        """A problem that cannot tell its curvature."""

        layout = LAYOUT
        steps_per_epoch = 1

        def start(self):
            return start()

        def gradient(self, params, batch, out):
            np.copyto(out, params)
            return True

        def finite(self):
            return np.ones(3, bool)

        def evaluate(self, params):
            return {"train_loss": (params**2).sum(axis=1)}

    list(train(Flat(), [Trainee(rule("adam"), Constant())] * 3, epochs=1))
    with pytest.raises(UsageError, match="sophia needs the curvature of the loss"):
        list(train(Flat(), [Trainee(RULES["sophia"](), Constant())] * 3, epochs=1))
