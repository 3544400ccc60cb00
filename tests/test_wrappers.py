"""What is wrapped around a rule: against plain recursions, alone and stacked, from a file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from stacks import numbers, rule, snapshots, task

from adamcli.config import load
from adamcli.errors import ConfigError
from adamcli.layout import Layout
from adamcli.optimizers import RULES, Step, Wrapping
from adamcli.optimizers.wrappers import Cautious, Decay, Lookahead
from adamcli.problems import NetworkStack
from adamcli.recorder import Records
from adamcli.runner import train_runs
from adamcli.schedules import Constant, Linear
from adamcli.training import Trainee

LR, SLOPE = 0.02, 12
"""The learning rate of step t is LR (1 - (t - 1) / SLOPE)."""

WRAPPINGS = [
    Wrapping(),
    Wrapping(cautious=True),
    Wrapping(decay=0.3),
    Wrapping(decay=0.3, decay_biases=True),
    Wrapping(lookahead=3),
    Wrapping(lookahead=2, lookahead_alpha=0.8),
    Wrapping(ema=0.9),
    Wrapping(ema=0.5, lookahead=5, cautious=True, decay=0.1),
]

Change = Callable[[int, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def trained(wrapping: Wrapping, name: str = "adam", **settings: float):
    """The last snapshot of three epochs, 12 steps, on the small spiral."""
    one = RULES[name](**({"lr": LR} | settings))
    trainee = Trainee(one, Linear(), None, Records((0, 100)), wrapping)
    return snapshots([task()], [trainee])[-1]


def plain(change: Change = lambda t, theta, update, grads: theta + update) -> np.ndarray:
    """The weights before and after each of 12 steps of Adam written out, (13, P).

    `change` gives the weights after step t from those before it, Adam's update, gradient.
    """
    stack = NetworkStack([task()])
    path = [stack.start()]
    m, v, grads = (np.zeros_like(path[0]) for _ in range(3))
    for t in range(1, 13):
        stack.gradient(path[-1], (t - 1) % 4, grads)
        m = 0.9 * m + 0.1 * grads
        v = 0.999 * v + 0.001 * grads**2
        update = -lr_at(t) * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        path.append(change(t, path[-1], update, grads))
    return np.concatenate(path)


def lr_at(t: int) -> float:
    return LR * (1 - (t - 1) / SLOPE)


def layout() -> Layout:
    return NetworkStack([task()]).layout


def masked(update: np.ndarray, grads: np.ndarray) -> np.ndarray:
    """The update that a cautious optimizer takes, one array after another."""
    pieces = []
    for tensor in layout().tensors:
        u, g = (a[0, tensor.start : tensor.stop] for a in (update, grads))
        agreeing = [x if x * y < 0 else 0.0 for x, y in zip(u, g, strict=True)]
        share = sum(x * y < 0 for x, y in zip(u, g, strict=True)) / len(u)
        pieces.append(np.array(agreeing) / max(share, 0.001))
    return np.concatenate(pieces)[None]


def decayed(biases: bool) -> np.ndarray:
    """1 for a parameter that decays, else 0: the network's matrices are W1, W2 and W3."""
    names = [t.name for t in layout().tensors for _ in range(t.size)]
    return np.array([float(biases or name.startswith("W")) for name in names])


class Pulled:
    """Lookahead as two loops over one list of weights."""

    def __init__(self, k: int, alpha: float) -> None:
        self.k, self.alpha = k, alpha
        self.slow = NetworkStack([task()]).start()

    def __call__(self, t, theta, update, grads):
        fast = theta + update
        if t % self.k == 0:
            fast = self.slow = self.slow + self.alpha * (fast - self.slow)
        return fast


def averaged(path: np.ndarray, decay: float) -> np.ndarray:
    """The average after the last step, (P,)."""
    mean = path[1]
    for theta in path[2:]:
        mean = decay * mean + (1 - decay) * theta
    return mean


def test_without_wrappers_the_rule_is_alone():
    np.testing.assert_allclose(trained(Wrapping()).params[0], plain()[-1], rtol=1e-11)


def test_cautious_is_the_recursion_of_its_paper():
    path = plain(lambda t, theta, update, grads: theta + masked(update, grads))
    np.testing.assert_allclose(trained(Wrapping(cautious=True)).params[0], path[-1], rtol=1e-10)


@pytest.mark.parametrize("biases", [False, True])
def test_decay_shrinks_matrices_and_on_request_biases(biases):
    kept = decayed(biases)
    path = plain(lambda t, theta, u, grads: theta + u - lr_at(t) * 0.3 * kept * theta)
    got = trained(Wrapping(decay=0.3, decay_biases=biases)).params[0]
    np.testing.assert_allclose(got, path[-1], rtol=1e-11)


@pytest.mark.parametrize(("k", "alpha"), [(1, 0.5), (5, 0.5), (5, 0.2), (12, 0.5), (13, 0.5)])
def test_lookahead_is_the_recursion_of_its_paper(k, alpha):
    path = plain(Pulled(k, alpha))
    got = trained(Wrapping(lookahead=k, lookahead_alpha=alpha)).params[0]
    np.testing.assert_allclose(got, path[-1], rtol=1e-10)


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_ema_evaluates_at_the_average_of_the_weights_after_every_step(decay):
    got = trained(Wrapping(ema=decay))
    np.testing.assert_allclose(got.params[0], averaged(plain(), decay), rtol=1e-11)
    there = NetworkStack([task()]).evaluate(got.params)
    for name, values in there.items():
        np.testing.assert_array_equal(got.metrics[name], values)


def test_ema_leaves_the_training_itself_alone():
    got, alone = trained(Wrapping(ema=0.9)), trained(Wrapping())
    for name in ("grad_norm", "update_size"):
        np.testing.assert_array_equal(got.metrics[name], alone.metrics[name])
    for name, series in alone.traces[0].items():
        np.testing.assert_array_equal(got.traces[0][name], series)


def test_wrappers_act_in_the_order_cautious_decay_lookahead_ema():
    pull = Pulled(5, 0.5)

    def change(t, theta, update, grads):
        shrunk = masked(update, grads) - lr_at(t) * 0.3 * decayed(False) * theta
        return pull(t, theta, shrunk, grads)

    got = trained(Wrapping(cautious=True, decay=0.3, lookahead=5, ema=0.9)).params[0]
    np.testing.assert_allclose(got, averaged(plain(change), 0.9), rtol=1e-10)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_wrapped_run_has_the_same_bits_alone_and_stacked_with_others(dtype):
    tasks, trainees = [], []
    for i, wrapping in enumerate(WRAPPINGS + WRAPPINGS[::-1]):
        tasks.append(task(seed=i, dtype=dtype))
        one = rule("adam" if i % 3 else "sgdm", lr=0.01 * (1 + i))
        schedule = Linear() if i % 2 else Constant()
        trainees.append(Trainee(one, schedule, 0.5, Records((0, 100)), wrapping))
    together = snapshots(tasks, trainees)
    for row, trainee in enumerate(trainees):
        alone = snapshots([tasks[row]], [trainee])
        for name, values in numbers(alone, 0).items():
            np.testing.assert_array_equal(numbers(together, row)[name], values, err_msg=name)


@pytest.mark.parametrize("wrapping", WRAPPINGS, ids=str)
def test_wrapped_rows_of_one_group_equal_separate_runs_bit_for_bit(wrapping):
    tasks = [task(seed=seed) for seed in range(3)]
    rules = [rule("adam", lr=lr) for lr in (0.01, 0.02, 0.05)]
    trainees = [Trainee(one, Constant(), wrapping=wrapping) for one in rules]
    together = snapshots(tasks, trainees)
    for row, trainee in enumerate(trainees):
        alone = snapshots([tasks[row]], [trainee])
        for name, values in numbers(alone, 0).items():
            np.testing.assert_array_equal(numbers(together, row)[name], values, err_msg=name)


def test_decay_around_adam_is_adamw():
    around = trained(Wrapping(decay=0.1, decay_biases=True))
    np.testing.assert_array_equal(
        around.params, trained(Wrapping(), "adamw", weight_decay=0.1).params
    )
    spared = trained(Wrapping(decay=0.1))
    assert (around.params != spared.params).any()


@pytest.mark.parametrize("wrapping", [Wrapping(lookahead=3, lookahead_alpha=1.0), Wrapping(ema=0)])
def test_following_all_the_way_changes_nothing(wrapping):
    got, alone = trained(wrapping), trained(Wrapping())
    np.testing.assert_array_equal(got.params, alone.params)
    np.testing.assert_array_equal(got.metrics["test_loss"], alone.metrics["test_loss"])


def test_lookahead_at_every_step_scales_the_learning_rate_of_sgd():
    pulled = trained(Wrapping(lookahead=1, lookahead_alpha=0.25), "sgd", lr=0.4)
    slower = trained(Wrapping(), "sgd", lr=0.1)
    np.testing.assert_allclose(pulled.params, slower.params, rtol=1e-11)


def test_the_traced_update_is_what_was_added_to_the_weights():
    wrapping = Wrapping(cautious=True, decay=0.3, lookahead=5)
    trainee = Trainee(RULES["adam"](lr=LR), Linear(), None, Records((0,)), wrapping)
    *_, before, last = snapshots([task()], [trainee])
    moved = last.params[0, 0] - before.params[0, 0]
    np.testing.assert_allclose(last.traces[0]["update"].sum(), moved, rtol=1e-10)


def test_an_averaged_run_that_diverges_stands_still_where_it_is():
    tasks = [task(seed=s, epochs=6) for s in range(2)]
    wild, calm = (
        Trainee(rule("sgd", lr=lr), Constant(), wrapping=Wrapping(ema=0.9)) for lr in (1e80, 0.1)
    )
    kept = snapshots(tasks, [wild, calm])
    step = kept[-1].diverged_at[0]
    assert 2 < step < 24  # after one step the average is where the run is
    after = [s.params[0] for s in kept if s.step >= step]
    assert len(after) > 1
    for params in after[1:]:
        np.testing.assert_array_equal(params, after[0])
    alone = numbers(snapshots(tasks[1:], [calm]), 0)
    for name, values in numbers(kept, 1).items():
        np.testing.assert_array_equal(values, alone[name], err_msg=name)


def step_at(params: np.ndarray, t: int = 1) -> Step:
    return Step(t, 0.1, params, Layout.of({"W": (1, 4), "b": (2,)}), *np.empty((3, *params.shape)))


def test_cautious_mask_worked_by_hand():
    update = np.array([[-1.0, 2.0, -3.0, 4.0, 5.0, 6.0]])
    grads = np.array([[1.0, 1.0, 1.0, -1.0, 1.0, 0.0]])
    at = step_at(np.zeros((1, 6)))
    Cautious(at.layout).apply(update, grads, at)
    # W keeps three of four, b none: a zero gradient agrees with nothing
    np.testing.assert_allclose(update, [[-4 / 3, 0, -4, 16 / 3, 0, 0]], rtol=1e-15)


def test_cautious_scales_by_at_most_a_thousand():
    layout = Layout.of({"W": (1, 5000)})
    update, grads = np.full((1, 5000), 1.0), np.full((1, 5000), 1.0)
    grads[0, 7] = -1.0
    at = Step(1, 0.1, np.zeros((1, 5000)), layout, *np.empty((3, 1, 5000)))
    Cautious(layout).apply(update, grads, at)
    assert update[0, 7] == 1000
    assert np.count_nonzero(update) == 1


def test_cautious_keeps_all_of_an_update_against_the_gradient():
    grads = np.array([[1.0, -2.0, 3.0, -4.0, 5.0, 6.0]])
    update = -0.1 * grads
    at = step_at(np.zeros((1, 6)))
    Cautious(at.layout).apply(update, grads, at)
    np.testing.assert_array_equal(update, -0.1 * grads)


def test_decay_worked_by_hand():
    params = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    update = np.ones((1, 6))
    at = step_at(params)
    Decay(0.5, params, at.layout, biases=False).apply(update, params, at)
    np.testing.assert_allclose(update, [[0.95, 0.9, 0.85, 0.8, 1, 1]], rtol=1e-15)


def test_two_pulls_of_lookahead_worked_by_hand():
    params = np.zeros((1, 6))
    pull = Lookahead(2, 0.25, params)
    seen = []
    for t in range(1, 5):
        update = np.ones((1, 6))
        pull.apply(update, params, step_at(params, t))
        params += update
        seen.append(params[0, 0])
    # 1, 2 pulled to 0.5, 1.5, 2.5 pulled to 0.5 + 0.25 (2.5 - 0.5)
    np.testing.assert_allclose(seen, [1, 0.5, 1.5, 1.0], rtol=1e-15)


FILE = """
dataset: {samples: 90, test_samples: 40}
model: {hidden: [8, 6]}
train: {epochs: 2, batch_size: 32}
optimizers:
  - {name: adam, ema: 0.99}
  - {name: sgdm, cautious: true, decay: 0.1, lookahead: 5, lookahead_alpha: 0.8}
  - {name: adam, label: plain}
sweep: {plain.ema: [0, 0.5, 0.9]}
"""


def test_wrappers_are_written_in_an_experiment_file_and_swept(tmp_path):
    path = tmp_path / "wrapped.yaml"
    path.write_text(FILE)
    runs = load(path).runs
    assert {run.label: run.wrapping for run in runs} == {
        "adam": Wrapping(ema=0.99),
        "sgdm": Wrapping(cautious=True, decay=0.1, lookahead=5, lookahead_alpha=0.8),
        "plain ema=0.0": Wrapping(),
        "plain ema=0.5": Wrapping(ema=0.5),
        "plain ema=0.9": Wrapping(ema=0.9),
    }
    again = tmp_path / "again.yaml"
    again.write_text(load(path).to_yaml())
    assert [run.wrapping for run in load(again).runs] == [run.wrapping for run in runs]


@pytest.mark.parametrize("wrapper", ["cautious: true", "decay: 0.1", "lookahead: 5", "ema: 0.9"])
def test_nothing_is_wrapped_around_a_rule_that_averages_its_weights(tmp_path, wrapper):
    path = tmp_path / "wrapped.yaml"
    path.write_text(f"optimizers: [{{name: schedulefree_adamw, {wrapper}}}]\n")
    with pytest.raises(ConfigError, match=f"{wrapper.split(':')[0]} around a rule that is"):
        load(path)


def test_the_averaged_weights_are_those_that_a_run_leaves(tmp_path):
    path = tmp_path / "wrapped.yaml"
    path.write_text(FILE)
    (run, *_) = load(path).runs
    *_, last = train_runs([run], jobs=1)
    saved = last.finished[0].params
    (kept,) = snapshots([run.task], [Trainee(run.rule, run.schedule, wrapping=run.wrapping)])[1:]
    stack = NetworkStack([run.task])
    for name, values in saved.items():
        np.testing.assert_array_equal(values, stack.layout.view(kept.params, name)[0])
    loss = stack.evaluate(kept.params)["test_loss"]
    assert last.finished[0].metrics["test_loss"][-1] == loss[0]
